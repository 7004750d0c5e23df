# SPDX-License-Identifier: Apache-2.0
"""HEIC as libheif writes it (pillow-heif, whose wheel holds x265: for the tests alone)."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import labelkit as lk
from labelkit import container, metadata
from labelkit.metadata import xmp
from tests import files
from tests.media import LABEL, photo


def heic(pictures: int, **options: bytes) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    file = pillow_heif.from_pillow(Image.fromarray(photo()))
    for seed in range(1, pictures):
        file.add_from_pillow(Image.fromarray(photo(seed=seed + 1)))
    out = io.BytesIO()
    file.save(out, quality=80, **options)
    return out.getvalue()


def decoded(data: bytes) -> list[np.ndarray]:
    pillow_heif = pytest.importorskip("pillow_heif")
    return [np.asarray(picture) for picture in pillow_heif.open_heif(io.BytesIO(data))]


@pytest.mark.parametrize("pictures", [1, 2])
@pytest.mark.parametrize("options", [{}, {"exif": b"Exif\0\0" + files.exif(b"a cat\0")}, {"xmp": files.XMP_PACKET}],
                         ids=["bare", "exif", "xmp"])
def test_pictures_stay_and_the_label_is_read(pictures, options, signer, anchors, tmp_path):
    host = heic(pictures, **options)
    assert container.sniff(host).name == "heic" and metadata.read(host).label is None
    before = decoded(host)
    signed = lk.embed(host, label=LABEL, plan=lk.Plan(explicit=None, watermark=None, provenance=signer))
    for out in (metadata.write(host, LABEL), metadata.write(metadata.write(host, LABEL), LABEL), signed):
        assert all(map(np.array_equal, before, decoded(out))) and len(decoded(out)) == pictures
        assert metadata.read(out).label == LABEL
        path = tmp_path / "out.heic"
        path.write_bytes(out)
        said = files.tool("exiftool", "-s3", "-a", "-XMP:Aigc", str(path))
        assert said.strip().splitlines() == [LABEL.to_json()]
    assert lk.verify(signed, trust=anchors, layers=[lk.Layer.METADATA, lk.Layer.PROVENANCE]).verdict is (
        lk.Verdict.CONFIRMED)
    if "exif" in options:
        assert files.tool("exiftool", "-s3", "-ImageDescription", str(path)).strip() == "a cat"


def test_a_packet_behind_the_header_of_a_jpeg_is_read_and_written_without():
    packet = b"http://ns.adobe.com/xap/1.0/\0" + xmp.fresh(files.OTHER.to_json())
    host = heic(1, xmp=packet)
    assert metadata.read(host).label == files.OTHER
    out = metadata.write(host, LABEL)
    assert metadata.read(out).label == LABEL and len(metadata.read(out).evidence.carriers) == 1
    assert all(map(np.array_equal, decoded(host), decoded(out)))
    assert metadata.write(heic(1, xmp=b"http://ns.adobe.com/xap/1.0/\0" + files.XMP_PACKET), LABEL)
