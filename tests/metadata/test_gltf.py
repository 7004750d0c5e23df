# SPDX-License-Identifier: Apache-2.0
"""Scenes in glTF and GLB: the label stands in asset.extras, and every other character and buffer stays."""

import json
import struct

import pytest

import labelkit as lk
from labelkit import container, metadata
from labelkit.errors import LabelkitError, UnsupportedFormat
from labelkit.report import Status
from tests.files import LABEL, OTHER

BUFFER = bytes(range(36))
ASSETS = ('{"version":"2.0"}',
          '{ "generator" : "山 {\\"}", "version":"2.0",\n "extras" : { "title": "a \\u5c71" , "n": 1 } }',
          '{"extras":{},"version":"2.1"}')


def gltf(asset: str = ASSETS[0]) -> bytes:
    return ('{\n "scenes" : [ { "nodes": [] } ], "asset":' + asset + ', "x": 1.50e0,\n "buffers": [{"byteLength": 36}]}'
            ).encode()


def glb(asset: str = ASSETS[0]) -> bytes:
    scene = gltf(asset)
    scene += b" " * (-len(scene) % 4)
    return (b"glTF" + struct.pack("<III4s", 2, 28 + len(scene) + len(BUFFER), len(scene), b"JSON") + scene
            + struct.pack("<I4s", len(BUFFER), b"BIN\0") + BUFFER)


def opened(data: bytes) -> tuple[dict, bytes]:
    """The scene and the buffer as another hand reads them, whose lengths must be right."""
    if data[:4] != b"glTF":
        return json.loads(data), b""
    version, total, length, kind = struct.unpack("<III4s", data[4:20])
    size, other = struct.unpack("<I4s", data[20 + length:28 + length])
    assert (version, total, kind, other) == (2, len(data), b"JSON", b"BIN\0") and length % 4 == 0
    assert 28 + length + size == len(data)
    return json.loads(data[20:20 + length]), data[28 + length:]


@pytest.mark.parametrize("make", [gltf, glb])
@pytest.mark.parametrize("asset", ASSETS)
def test_the_label_reads_back_and_the_rest_stays(asset, make):
    before = make(asset)
    assert metadata.read(before).status is Status.ABSENT
    after = metadata.write(before, LABEL)
    assert container.sniff(after).name == make.__name__
    assert metadata.read(after).label == LABEL and metadata.write(after, LABEL) == after
    again = metadata.write(metadata.write(before, OTHER), LABEL)
    assert again == after
    scene, buffer = opened(after)
    assert scene["asset"]["extras"].pop("AIGC") == LABEL.to_json()
    old, old_buffer = opened(before)
    assert buffer == old_buffer
    if "extras" not in old["asset"]:
        assert scene["asset"].pop("extras") == {}
    assert scene == old and b'"x": 1.50e0,' in after, "numbers as they were written"
    assert lk.verify(after).verdict is lk.Verdict.CONFIRMED


@pytest.mark.parametrize("make", [gltf, glb])
def test_a_label_of_others_gets_the_new_ones_place(make):
    text = json.dumps(OTHER.to_json(wrapped=True))
    before = make(f'{{"version":"2.0","extras":{{"a":1,"myAIGC":{text},"b":"c"}}}}')
    assert metadata.read(before).label == OTHER
    after = metadata.write(before, LABEL)
    assert opened(after)[0]["asset"]["extras"] == {"a": 1, "b": "c", "AIGC": LABEL.to_json()}
    nested = make('{"version":"2.0","extras":{"AIGC":' + json.dumps({"AIGC": OTHER.fields()}) + "}}")
    assert metadata.read(nested).label == OTHER


def test_what_is_no_scene_or_has_no_place_is_refused():
    with pytest.raises(UnsupportedFormat, match="no object"):
        metadata.write(gltf('{"version":"2.0","extras":[1]}'), LABEL)
    for data in (gltf()[:-1], gltf().replace(b"[{", b"[{,"), glb().replace(b'"asset"', b'"assat"'),
                 gltf('{"extras":' + "[" * 100_000 + "]" * 100_000 + ',"version":"2.0"}'),
                 glb()[:40]):
        with pytest.raises(LabelkitError):
            metadata.write(data, LABEL)
    with pytest.raises(UnsupportedFormat):
        container.sniff(b'{"asset": {"version": "1.0"}, "x": "version"}')
    whole = glb(ASSETS[1])
    for cut in range(0, len(whole), 3):
        for broken in (whole[:cut], whole[:cut] + b'"{\xff' + whole[cut + 3:]):
            try:
                metadata.write(broken, LABEL)
            except LabelkitError:
                pass
