# SPDX-License-Identifier: Apache-2.0
"""HEIC with every layer: pi-heif reads, x265 writes, and all that is not the picture stays. pillow-heif makes them."""

from __future__ import annotations

import functools
import io
import random
import struct
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import labelkit as lk
from labelkit import codec
from labelkit.container import Reader, bmff, heif, heifpicture
from labelkit.errors import LabelkitError, LimitExceeded, MalformedFile, UnsupportedFormat
from tests import files
from tests.media import LABEL, photo
from tests.metadata.test_heic import decoded, heic

pytest.importorskip("pi_heif")
pillow_heif = pytest.importorskip("pillow_heif")
SMALL = photo(96, 128)
_IREF = bmff.Box(b"iref", 0, 0, 8)
LAYERS = (lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)


@functools.cache
def pictures(count: int) -> bytes:
    return heic(count)


def saved(pixels: np.ndarray, quality: int = 90, **options: object) -> bytes:
    out = io.BytesIO()
    if pixels.dtype == np.uint16:
        file = pillow_heif.from_bytes(mode="RGB;16", size=pixels.shape[1::-1], data=pixels.tobytes())
    else:
        image = Image.fromarray(pixels)
        image.info.update({key: options.pop(key) for key in ("exif", "thumbnails") if key in options})
        file = pillow_heif.from_pillow(image)
    file.save(out, quality=quality, **options)
    return out.getvalue()


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    full = 255 if one.dtype == np.uint8 else 65535
    return float(10 * np.log10(full**2 / np.mean((one.astype(float) - other) ** 2)))


def assembled(data: bytes, file: heifpicture._File, bodies: dict[int, bytes]) -> bytes:
    """A file of these items, as this project writes it; `data` is what its other boxes lie in."""
    reader = Reader.of(data)
    head = bmff.encode(b"ftyp", b"heic\0\0\0\0mif1heic")
    start = len(head) + len(heifpicture._meta(reader, file, bodies, 0)) + 8
    return head + heifpicture._meta(reader, file, bodies, start) + bmff.encode(b"mdat", b"".join(bodies.values()))


def taken_apart(data: bytes) -> tuple[heifpicture._File, dict[int, bytes]]:
    reader = Reader.of(data)
    found = {item: b"".join(data[start:stop] for start, stop in held)
             for item, held in heif.item_ranges(reader).items()}
    return heifpicture._read(reader), found


def test_every_layer_is_written_and_what_the_file_holds_stays(tmp_path):
    host = saved(photo(), exif=b"Exif\0\0" + files.exif(b"a cat\0"))
    assert lk.verify(host).verdict is not lk.Verdict.CONFIRMED
    assert lk.verify(host)[lk.Layer.WATERMARK].status is lk.Status.ABSENT
    path = tmp_path / "out.heic"
    path.write_bytes(lk.embed(host, label=LABEL))
    report = lk.verify(path)
    assert [report[layer].status for layer in LAYERS] == [lk.Status.VALID] * 3
    assert lk.verify(path, key=lk.Key(bytes(32)))[lk.Layer.WATERMARK].status is lk.Status.ABSENT
    before, after = decoded(host)[0], decoded(path.read_bytes())[0]
    assert psnr(before[:200], after[:200]) > 36
    assert files.tool("exiftool", "-s3", "-ImageDescription", str(path)).strip() == "a cat"
    assert files.tool("exiftool", "-s3", "-XMP:Aigc", str(path)).strip() == LABEL.to_json()


def test_a_signed_heic_holds_in_every_layer(signer, anchors):
    out = lk.embed(pictures(1), label=LABEL, plan=lk.Plan(watermark=None, provenance=signer))
    report = lk.verify(out, trust=anchors, layers=[lk.Layer.PROVENANCE, *LAYERS[::2]])
    assert report.verdict is lk.Verdict.CONFIRMED and report[lk.Layer.PROVENANCE].status is lk.Status.VALID
    assert report[lk.Layer.EXPLICIT].status is lk.Status.VALID and len(decoded(out)) == 1


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_picture_stays_upright_however_it_is_stored(turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    host = saved(photo(97, 131), exif=exif.tobytes())  # odd sides too
    samples = codec.decode(host)
    out = codec.encode(samples)
    assert psnr(samples.frames[0], decoded(out)[0]) > 40
    assert heifpicture.turns(Reader.of(out)) == heifpicture.turns(Reader.of(host))


@pytest.mark.parametrize(("colour", "transfer"), [((9, 16, 9), "pq"), ((9, 18, 9), "hlg"), ((12, 13, 1), "sdr")])
def test_ten_bits_primaries_and_transfer_stay_and_the_label_does_not_dazzle(colour, transfer, tmp_path):
    size = (384, 512) if transfer == "pq" else (160, 240)
    wide = np.clip(photo(*size).astype(np.uint16) * 120 + 77, 0, 65535)
    names = ("color_primaries", "transfer_characteristics", "matrix_coefficients")
    host = saved(wide, **dict(zip(names, colour, strict=True)))
    assert codec.decode(host).transfer == transfer
    path = tmp_path / "out.heic"
    path.write_bytes(lk.embed(host, label=LABEL, plan=lk.Plan() if transfer == "pq" else lk.Plan(watermark=None)))
    said = files.tool("exiftool", "-s3", "-n", "-ColorPrimaries", "-TransferCharacteristics", "-MatrixCoefficients",
                      "-ImagePixelDepth", "-BitDepthLuma", str(path)).split("\n")
    assert said[:5] == [*map(str, colour), "10 10 10", "10"]
    after = pillow_heif.open_heif(path, convert_hdr_to_8bit=False)
    assert after.info["bit_depth"] == 10
    white = np.asarray(after)[-size[0] // 6:, -size[1] // 3:].max() / 65535
    assert white == pytest.approx({"pq": 0.58, "hlg": 0.75, "sdr": 1.0}[transfer], abs=0.04)
    layers = LAYERS if transfer == "pq" else LAYERS[::2]
    report = lk.verify(path, layers=layers)
    assert all(report[layer].status is lk.Status.VALID for layer in layers)


@functools.cache
def with_gain_map() -> bytes:
    """The second picture of a file as the gain map of the first, as iPhones write it (hidden, with its kind)."""
    data = pictures(2)
    file, bodies = taken_apart(data)
    kind = bmff.encode(b"auxC", bytes(4) + b"urn:com:apple:photo:2020:aux:hdrgainmap\0")
    places = {**file.associations, 2: [*file.associations[2], 0x8000 | len(file.properties) + 1]}
    items = [replace(one, box=one.box[:11] + b"\1" + one.box[12:]) if one.number == 2 else one for one in file.items]
    return assembled(data, replace(
        file, items=items, properties=[*file.properties, (b"auxC", kind)], associations=places,
        references=[heifpicture._Reference(b"auxl", 2, (1,))], inner=[*file.inner, _IREF]), bodies)


def test_a_gain_map_stays_to_the_byte():
    host = with_gain_map()
    file = pillow_heif.open_heif(io.BytesIO(host))
    assert len(file) == 1 and list(file.info["aux"]) == ["urn:com:apple:photo:2020:aux:hdrgainmap"]
    out = lk.embed(host, label=LABEL, plan=lk.Plan(watermark=None))
    assert taken_apart(out)[1][2] == taken_apart(host)[1][2]
    assert pillow_heif.open_heif(io.BytesIO(out)).info["aux"] == file.info["aux"]


@functools.cache
def in_tiles() -> bytes:
    """Two pictures of a file as the tiles of a third, side by side (ISO/IEC 23008-12, 6.6.2.3)."""
    data = pictures(2)
    file, bodies = taken_apart(data)
    height, width = photo().shape[:2]
    items = [*(replace(one, box=one.box[:11] + b"\1" + one.box[12:]) for one in file.items),
             heifpicture._Item(3, b"grid", bmff.encode(b"infe", struct.pack(">IHH4sB", 2 << 24, 3, 0, b"grid", 0)))]
    size = bmff.encode(b"ispe", struct.pack(">III", 0, 2 * width, height))
    primary = bmff.encode(b"pitm", struct.pack(">IH", 0, 3))
    host = assembled(data, replace(file, primary=3, items=items, properties=[*file.properties, (b"ispe", size)],
                             associations={**file.associations, 3: [len(file.properties) + 1]},
                             references=[heifpicture._Reference(b"dimg", 3, (1, 2))],
                             inner=[*file.inner, _IREF]),
                     {**bodies, 3: struct.pack(">BBBBHH", 0, 0, 0, 1, 2 * width, height)})
    at = host.index(b"pitm") - 4
    return host[:at] + primary + host[at + len(primary):]


def test_the_tiles_of_the_old_picture_do_not_stay():
    host = in_tiles()
    before = decoded(host)[0]
    assert before.shape[1] == 2 * photo().shape[1]
    out = codec.encode(codec.decode(host))
    assert psnr(before[:200], decoded(out)[0][:200]) > 36
    kept = taken_apart(out)
    assert all(tile not in out for tile in list(taken_apart(host)[1].values())[:2])
    assert {one.kind for one in kept[0].items} == {b"hvc1"} and not any(
        one.kind == b"dimg" for one in kept[0].references)


def test_a_thumbnail_that_shows_the_unlabelled_picture_does_not_stay():
    host = saved(photo(160, 240), thumbnails=[128])
    assert pillow_heif.open_heif(io.BytesIO(host)).info["thumbnails"] == [128]
    out = codec.encode(codec.decode(host))
    assert pillow_heif.open_heif(io.BytesIO(out)).info["thumbnails"] == []
    assert len(taken_apart(out)[1]) == 1


@pytest.mark.parametrize("host", [
    lambda: pictures(2), lambda: saved(np.dstack((SMALL, SMALL[..., 0]))), lambda: saved(SMALL, chroma=444,
                                                                                                matrix_coefficients=0)],
    ids=["pictures", "transparency", "RGB"])
def test_what_would_suffer_is_read_and_refused_when_it_would_be_written(host):
    data = host()
    with pytest.raises(UnsupportedFormat, match="is not written"):
        lk.embed(data, label=LABEL, plan=lk.Plan(watermark=None))
    assert lk.verify(data, layers=[lk.Layer.EXPLICIT])[lk.Layer.EXPLICIT].status is lk.Status.ABSENT


def test_without_the_extra_the_file_is_refused_and_takes_metadata(monkeypatch):
    data = pictures(1)
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnsupportedFormat, match="no samples that this installation can decode") as refused:
        lk.embed(data, label=LABEL)
    assert "aigc-labelkit[heif]" in str(refused.value.hint)
    found = lk.verify(data)[lk.Layer.WATERMARK]
    assert found.status is lk.Status.UNCHECKED and "can decode" in str(found.summary)
    assert lk.verify(lk.embed(data, label=LABEL, plan=lk.Plan(explicit=None, watermark=None))).metadata


def test_the_library_without_an_encoder_reads_the_same(monkeypatch):
    wide = photo(96, 128).astype(np.uint16) << 8
    hosts = [saved(photo(100, 130)), saved(wide), with_gain_map(), in_tiles()]
    before = [codec.decode(host).frames[0] for host in hosts]
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert all(np.array_equal(one, codec.decode(host).frames[0]) for one, host in zip(before, hosts, strict=True))


def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded():
    with pytest.raises(LimitExceeded):
        codec.decode(pictures(1), max_pixels=1000)


def test_broken_files_raise_only_our_errors():
    whole, dice = with_gain_map(), random.Random(7)
    coded = heifpicture.Coded(b"x", b"y", 8, (64, 64), (63, 64))
    end = whole.index(b"mdat")
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(24, end)] = dice.choice((0, 1, 255, dice.randrange(256)))
        try:
            heifpicture.turns(Reader.of(bytes(data)))
            heifpicture.with_primary(Reader.of(bytes(data)), coded)
        except LabelkitError:
            pass


def test_a_file_without_a_picture_that_can_be_decoded_is_refused():
    whole = pictures(1)
    hidden = whole.replace(b"\0\0\0\x14ispe", b"\0\0\0\0ispe")
    assert hidden != whole and len(codec.decode(whole).frames) == 1
    with pytest.raises(MalformedFile, match="no picture in it"):
        codec.decode(hidden)
    assert lk.verify(hidden)[lk.Layer.WATERMARK].status is lk.Status.UNCHECKED
