# SPDX-License-Identifier: Apache-2.0
"""The explicit label in glTF and GLB: a sign in the start scene, seen from the front and through its cameras."""

import base64
import io
import json
import struct

import numpy as np
import pytest
from PIL import Image, ImageDraw

import labelkit as lk
from labelkit import metadata
from labelkit.errors import HostTooSmall, InvalidLabel, LabelkitError
from labelkit.report import Status
from tests.cost import within
from tests.files import LABEL

CUBE = {"attributes": {"POSITION": 0}}


def scene(**more: object) -> dict:
    return {"asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0, "translation": [10, 0, 0], "scale": [2, 2, 2]}], "meshes": [{"primitives": [CUBE]}],
            "buffers": [{"byteLength": 96}], "bufferViews": [{"buffer": 0, "byteLength": 96}],
            "accessors": [{"bufferView": 0, "componentType": 5126, "count": 8, "type": "VEC3", "min": [-1, -1, -1],
                           "max": [1, 1, 1]}], **more}


CAMERAS = {"cameras": [{"type": "perspective", "perspective": {"yfov": 0.9, "znear": 0.1}},
                       {"type": "orthographic", "orthographic": {"xmag": 4, "ymag": 3, "znear": 0, "zfar": 100}}],
           "nodes": [{"mesh": 0}, {"camera": 0, "children": [2]}, {"camera": 1}], "scenes": [{"nodes": [0, 1]}]}


def gltf(held: dict) -> bytes:
    corners = struct.pack("<24f", *(sign for bits in range(8) for sign in (bits & 1, bits >> 1 & 1, bits >> 2)))
    held = {**held, "buffers": [{**one, **({"uri": "data:;base64," + base64.b64encode(corners).decode()})}
                                for one in held.get("buffers", [])]}
    return json.dumps(held, indent=1).encode()


def glb(held: dict, binary: bytes = bytes(96)) -> bytes:
    text = json.dumps(held).encode()
    text += b" " * (-len(text) % 4)
    return (b"glTF" + struct.pack("<III4s", 2, 28 + len(text) + len(binary), len(text), b"JSON") + text
            + struct.pack("<I4s", len(binary), b"BIN\0") + binary)


def opened(data: bytes) -> tuple[dict, bytes]:
    if data[:4] != b"glTF":
        return json.loads(data), b""
    length, = struct.unpack("<I", data[12:16])
    assert struct.unpack("<I", data[8:12])[0] == len(data)
    return json.loads(data[20:20 + length]), data[28 + length:]


def labelled(data: bytes, **settings: object) -> bytes:
    return lk.embed(data, label=LABEL, plan=lk.Plan(explicit=lk.Explicit(**settings), watermark=None))


def explicit(data: bytes) -> lk.Finding:
    return lk.verify(data)[lk.Layer.EXPLICIT]


@pytest.mark.parametrize("make", [gltf, glb])
def test_a_sign_stands_below_the_scene_and_the_rest_stays(make):
    before = make(scene())
    assert explicit(before).status is Status.ABSENT
    after = labelled(before)
    old, new = opened(before)[0], opened(after)[0]
    assert opened(after)[1][:96] == opened(before)[1]
    sign, = new["nodes"][1:]
    assert new["scenes"][0]["nodes"] == [0, 1]
    x, y, z = sign["translation"]
    wide, tall, _ = sign["scale"]
    assert x == 10 and z == 2 and y + tall / 2 < -2 and tall > 0.1 * np.linalg.norm([4, 4, 4]) and wide > 2 * tall
    if make is glb:
        assert new["buffers"] == [{"byteLength": len(opened(after)[1])}] and "uri" not in new["images"][0]
    for name, held in old.items():
        if isinstance(held, list) and name not in ("scenes", "buffers"):
            assert new[name][:len(held)] == held
    found = explicit(after)
    assert found.status is Status.VALID and found.evidence.text == "AI生成" and found.evidence.height_share >= 0.05
    assert metadata.read(after).label == LABEL
    assert labelled(after) == after, "a sign that stands is not put up again"


def test_each_camera_has_a_sign_at_the_lower_edge_of_its_view():
    new = opened(labelled(gltf(scene(**CAMERAS))))[0]
    assert new["nodes"][1]["children"] == [2, 4] or new["nodes"][1]["children"] == [2, 5]
    for camera, node in ((0, 1), (1, 2)):
        sign = new["nodes"][new["nodes"][node]["children"][-1]]
        (x, y, z), (_, tall, _) = sign["translation"], sign["scale"]
        lens = next(one for name, one in CAMERAS["cameras"][camera].items() if name != "type")
        half = -z * np.tan(lens["yfov"] / 2) if camera == 0 else lens["ymag"]
        assert z < -lens["znear"] and x == 0
        assert -half < y - tall / 2 < y + tall / 2 < -0.7 * half and tall / (2 * half) == pytest.approx(0.09)


def test_the_sign_is_found_by_its_picture_and_not_by_its_name():
    held = opened(labelled(gltf(scene())))[0]
    blank = io.BytesIO()
    Image.new("L", (300, 120)).save(blank, "PNG")
    uri = "data:image/png;base64," + base64.b64encode(blank.getvalue()).decode()
    assert explicit(json.dumps({**held, "images": [{"uri": uri}]}).encode()).status is Status.ABSENT
    away = {**held, "scenes": [{"nodes": [0]}]}
    assert explicit(json.dumps(away).encode()).status is Status.ABSENT, "it stands in no scene"
    named = scene(nodes=[{"mesh": 0, "name": "AI生成"}])
    assert explicit(gltf(named)).status is Status.ABSENT
    poster = Image.new("L", (300, 120))
    ImageDraw.Draw(poster).rectangle((20, 20, 200, 90), 255)
    out = io.BytesIO()
    poster.save(out, "PNG")
    uri = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    assert explicit(json.dumps({**held, "images": [{"uri": uri}]}).encode()).status is Status.ABSENT


def test_a_picture_in_the_binary_part_is_seen():
    held = opened(labelled(gltf(scene())))[0]
    picture = base64.b64decode(held["images"][0]["uri"].partition(",")[2])
    held["buffers"][0] = {"byteLength": 96 + len(picture)}
    held["bufferViews"].append({"buffer": 0, "byteOffset": 96, "byteLength": len(picture)})
    held["images"] = [{"bufferView": len(held["bufferViews"]) - 1, "mimeType": "image/png"}]
    binary = bytes(96) + picture
    assert explicit(glb(held, binary + bytes(-len(binary) % 4))).status is Status.VALID


def with_posters(held: dict, *sizes: int) -> bytes:
    """The scene, with so many more rectangles in it, before the others, each with a square picture of its own."""
    posters = []
    for number, size in enumerate(sizes):
        out = io.BytesIO()
        Image.new("L", (size, size), number).save(out, "PNG")
        posters.append({"uri": "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()})
    lists = ("accessors", "materials", "textures", "images", "meshes", "nodes")
    first = {name: len(held.get(name, [])) for name in lists}
    added = {"accessors": [{"count": 4, "componentType": 5126, "type": "VEC3"}], "images": posters,
             "materials": [{"emissiveTexture": {"index": first["textures"] + one}} for one in range(len(sizes))],
             "textures": [{"source": first["images"] + one} for one in range(len(sizes))],
             "meshes": [{"primitives": [{"attributes": {"POSITION": first["accessors"]},
                                         "material": first["materials"] + one}]} for one in range(len(sizes))],
             "nodes": [{"mesh": first["meshes"] + one} for one in range(len(sizes))]}
    held = {**held, **{name: held.get(name, []) + more for name, more in added.items()}}
    nodes = [first["nodes"] + one for one in range(len(sizes))]
    return json.dumps({**held, "scenes": [{"nodes": held["scenes"][0]["nodes"] + nodes}]}).encode()


def test_pictures_without_end_are_not_looked_at_and_that_is_said(monkeypatch):
    for name, limit in (("_MAX_TEXTURE", 256 ** 2), ("_PIXELS", 190_000), ("_MAX_SIGNS", 4), ("_VIEW", (360, 640))):
        monkeypatch.setattr(f"labelkit.codec.text.scene.{name}", limit)
    bare, signed = json.loads(gltf(scene())), opened(labelled(gltf(scene())))[0]
    for sizes in ((256,) * 3, (2,) * 5, (257,)):  # too large together, too many, too large alone
        found = explicit(with_posters(bare, *sizes))
        assert found.status is Status.UNCHECKED and "rectangles were not looked at" in str(found.summary)
        assert explicit(with_posters(signed, *sizes)).status is Status.VALID, "the sign is looked at"
    for sizes in ((128,) * 3, (2,) * 4):
        assert explicit(with_posters(bare, *sizes)).status is Status.ABSENT


def test_scenes_of_nothing_and_files_without_one():
    for bare in ({"asset": {"version": "2.0"}, "scenes": [{}]}, scene(nodes=[{}]), scene(scenes=[{"nodes": []}])):
        assert explicit(labelled(gltf(bare))).status is Status.VALID
    with pytest.raises(HostTooSmall):
        labelled(gltf({"asset": {"version": "2.0"}}))
    with pytest.raises(InvalidLabel, match="5.5"):
        labelled(gltf(scene()), style="icon")
    assert explicit(labelled(gltf(scene()), language="de")).evidence.language == "de"


def test_hostile_scenes_raise_nothing_else():
    deep = scene(nodes=[{"children": [0, 1, 10**9, -1, "x"]}, {"children": [0], "matrix": [1e308] * 16, "mesh": 7}])
    odd = scene(nodes={"a": 1}, meshes=[3], accessors=[{"min": ["x"] * 3, "max": [float("inf")] * 3}], scene="x")
    remote = opened(labelled(gltf(scene())))[0]
    remote["images"] = [{"uri": "https://example.com/label.png"}]
    for held in (deep, odd, remote, {**remote, "images": [{"uri": "data:image/png;base64,%%%"}]}):
        try:
            assert explicit(json.dumps(held).encode()).status in (Status.ABSENT, Status.UNCHECKED)
            labelled(json.dumps(held).encode())
        except LabelkitError:
            pass


def test_large_scenes_take_time_that_grows_with_their_size():
    large = gltf(scene(nodes=[{"mesh": 0}] * 20_000, scenes=[{"nodes": list(range(20_000))}]))
    assert within(lambda: labelled(large), 10)


@pytest.mark.parametrize("number", [10 ** 400, 1e308, 1e200, -1e308])
def test_numbers_that_cannot_be_reckoned_with_come_to_no_output(number):
    lenses = ({"type": "perspective", "perspective": {"znear": number, "zfar": number, "yfov": number}},
              {"type": "orthographic", "orthographic": {"ymag": number, "zfar": number}})
    place = {"componentType": 5126, "count": 8, "min": [-number] * 3, "max": [number] * 3}
    for held in (*({**scene(**CAMERAS), "cameras": [lens, lens]} for lens in lenses), scene(accessors=[place]),
                 scene(nodes=[{"mesh": 0, "scale": [number] * 3, "children": [1]}, {"mesh": 0}])):
        made = opened(labelled(gltf(held)))[0]
        signs = [node for node in made["nodes"] if "AIGC" in node.get("name", "")]
        assert signs and all(np.isfinite(node["translation"] + node["scale"]).all() for node in signs)


def test_wrong_kinds_of_values_raise_nothing_else():
    kinds = scene(accessors=[{"componentType": [], "normalized": True, "count": 8, "min": [0] * 3, "max": [1] * 3}])
    assert explicit(labelled(gltf(kinds))).status is Status.VALID
    assert explicit(labelled(glb(scene(buffers=[5])))).status is Status.VALID
    with pytest.raises(HostTooSmall):
        labelled(gltf(scene(scenes=[5])))


def test_meshes_that_many_nodes_show_take_time_that_grows_with_the_file():
    many = scene(nodes=[{"mesh": 0}] * 10_000, meshes=[{"primitives": [{}] * 10_000}],
                 scenes=[{"nodes": list(range(10_000))}])
    assert within(lambda: labelled(gltf(many)), 10)


@pytest.mark.parametrize("language", ["ar", "hi"])
def test_words_that_must_be_shaped_stand_on_the_sign(language):
    before = glb(scene())
    after = labelled(before, language=language)
    assert explicit(after).evidence.language == language and explicit(before).status is Status.ABSENT
