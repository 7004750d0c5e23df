# SPDX-License-Identifier: Apache-2.0
"""Pictures that are more than 8 bits of sRGB: what says so is kept, or the picture is refused."""

import io
import struct
from fractions import Fraction

import numpy as np
import pytest

import labelkit
from labelkit import codec
from labelkit.codec import avif, mpf, png
from labelkit.container.png import chunk
from labelkit.errors import UnsupportedFormat
from tests import files
from tests.films import picture, scene
from tests.media import LABEL, photo, saved

METADATA = labelkit.Plan(explicit=None, watermark=None)
SRGB, DISPLAY_P3, PQ, HLG = (1, 13, 6), (12, 13, 5), (9, 16, 9), (9, 18, 9)


def coloured(primaries: int, transfer: int, matrix: int) -> bytes:
    """An AVIF of 8 bits as Pillow writes it, with another colour description."""
    data = saved(photo(), "AVIF", quality=90)
    place = data.index(b"colrnclx") + 8
    return data[:place] + struct.pack(">HHH", primaries, transfer, matrix) + data[place + 6:]


def deep(form: str) -> bytes:
    """An AVIF of more bits."""
    av = pytest.importorskip("av")
    out = io.BytesIO()
    with av.open(out, "w", format="avif") as file:
        stream = file.add_stream("libsvtav1", rate=1, options={"preset": "10", "svtav1-params": "lp=1"})
        stream.width, stream.height, stream.pix_fmt = 512, 384, form
        frame = picture(next(scene(512, 384, 1)), form)
        frame.pts, frame.time_base = 0, Fraction(1)
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


def test_the_depiction_of_an_avif_is_told():
    assert avif.depiction(coloured(*PQ)) == avif.Depiction(8, 9, 16)
    assert avif.depiction(deep("yuv420p10le")).bits == 10
    moving = saved(photo(), "AVIF", save_all=True, append_images=[files.pixels().resize((512, 384))])
    assert avif.depiction(moving).bits == 8


@pytest.mark.parametrize("make", [lambda: deep("yuv420p10le"), lambda: coloured(*PQ), lambda: coloured(*HLG)],
                         ids=["10 bits", "PQ", "HLG"])
def test_an_avif_that_would_suffer_is_refused_and_takes_metadata(make):
    data = make()
    with pytest.raises(UnsupportedFormat, match="written again"):
        labelkit.embed(data, label=LABEL)
    labelled = labelkit.embed(data, label=LABEL, plan=METADATA)
    assert avif.depiction(labelled) == avif.depiction(data)
    assert np.array_equal(files.decoded(labelled), files.decoded(data))
    report = labelkit.verify(labelled)  # which reads the samples all the same
    assert report[labelkit.Layer.METADATA].status is labelkit.Status.VALID
    assert report[labelkit.Layer.WATERMARK].status is labelkit.Status.ABSENT


def test_a_png_of_16_bits_and_hdr_keeps_its_depth_and_what_describes_its_colours():
    """cICP of BT.2100 PQ, mastering volume and light level, through every layer (PNG, third edition, 11.3.2)."""
    described = {b"cICP": bytes((9, 16, 0, 1)), b"mDCV": bytes(range(24)), b"cLLI": struct.pack(">II", 10**7, 10**5)}
    pixels = np.asarray(photo(), np.uint16) * 193 + 77
    plain = png.encode(pixels)
    data = plain[:33] + b"".join(chunk(kind, body) for kind, body in described.items()) + plain[33:]
    out = labelkit.embed(data, label=LABEL)
    assert png.header(out)[2] == 16
    kept = {kind: out[start + 8:stop - 4] for kind, start, stop in png.chunks(out) if kind in described}
    assert kept == described
    marked = png.decode16(out)
    assert marked.dtype == np.uint16 and len(np.unique(marked[:300] & 255)) == 256, "not 8 bits made wide"
    report = labelkit.verify(out)
    assert all(report[layer].status is labelkit.Status.VALID for layer in (
        labelkit.Layer.EXPLICIT, labelkit.Layer.WATERMARK, labelkit.Layer.METADATA))


def test_a_gain_map_is_told_by_the_brand():
    data = coloured(*SRGB)
    assert not avif.check(data).has_gain_map
    with pytest.raises(UnsupportedFormat, match="gain map"):
        avif.check(data.replace(b"MA1B", b"tmap", 1))


@pytest.mark.parametrize("colour", [SRGB, DISPLAY_P3])
def test_primaries_and_transfer_of_8_bits_stay(colour):
    out = labelkit.embed(coloured(*colour), label=LABEL)
    found = avif.depiction(out)
    assert (found.bits, found.primaries, found.transfer) == (8, *colour[:2])
    assert labelkit.verify(out)[labelkit.Layer.WATERMARK].status is labelkit.Status.VALID


GAIN_MAP = files.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x xmlns:hdrgm='http://ns.adobe.com/hdr-gain-map/1.0/'/>")


def gain_map() -> bytes:
    data = saved(photo(96, 128, seed=3), "JPEG", quality=70)
    return data[:20] + GAIN_MAP + data[20:]


def listed(first: bytes, *others: tuple[int, bytes], order: str = ">") -> bytes:
    """A JPEG with pictures behind it, each with its attributes, and the table that lists them (CIPA DC-007)."""
    def table(size: int, start: int) -> bytes:
        rows, at = struct.pack(order + "IIIHH", 0x20030000, size, 0, 0, 0), size - start
        for attributes, data in others:
            rows += struct.pack(order + "IIIHH", attributes, len(data), at, 0, 0)
            at += len(data)
        head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 1)
        return files.segment(0xE2, b"MPF\0" + head + struct.pack(order + "HHII", 0xB002, 7, len(rows), 26) + bytes(4)
                             + rows)
    whole = first[:20] + table(len(first) + len(table(0, 0)), 28) + first[20:]
    return whole + b"".join(data for _, data in others)


def pictures(data: bytes) -> list[bytes]:
    """What the table of a JPEG lists, the picture itself first."""
    start = data.index(b"MPF\0") + 4
    order = "<" if data[start:start + 2] == b"II" else ">"
    base, = struct.unpack_from(order + "I", data, start + 4)
    for at in range(start + base + 2, len(data), 12):
        tag, _, length, value = struct.unpack_from(order + "HHII", data, at)
        if tag == 0xB002:
            rows = struct.iter_unpack(order + "IIIHH", data[start + value:start + value + length])
            return [data[start + offset if offset else 0:][:size] for _, size, offset, *_ in rows]
    raise AssertionError("no table")


FIRST = saved(photo(), "JPEG", quality=90)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("with_thumbnail", [False, True])
def test_a_gain_map_stays_with_the_labelled_picture(order, with_thumbnail):
    thumbnail = [(0x010001, saved(photo(240, 320), "JPEG"))] * with_thumbnail  # shows the picture without its label
    data = listed(FIRST, *thumbnail, (0, gain_map()), order=order)
    assert pictures(data)[-1] == gain_map()
    out = labelkit.embed(data, label=LABEL)
    first, second = pictures(out)
    assert second == gain_map() and first + second == out
    assert mpf.end_of_first(out) == len(first)
    report = labelkit.verify(out)
    assert all(report[layer].status is labelkit.Status.VALID for layer in
               (labelkit.Layer.EXPLICIT, labelkit.Layer.WATERMARK, labelkit.Layer.METADATA))


def test_exiftool_finds_the_gain_map(tmp_path):
    path = tmp_path / "labelled.jpg"
    path.write_bytes(labelkit.embed(listed(FIRST, (0, gain_map())), label=LABEL))
    assert files.tool("exiftool", "-s3", "-validate", "-warning", "-a", str(path)).strip() in ("OK", "")
    assert files.tool("exiftool", "-s3", "-NumberOfImages", str(path)).strip() == "2"
    assert int(files.tool("exiftool", "-s3", "-MPImageLength", str(path))) == len(gain_map())


def test_a_gain_map_that_no_table_lists_stays_where_xmp_says_it_is():
    out = labelkit.embed(FIRST + gain_map(), label=LABEL)
    assert out.endswith(gain_map()) and mpf.end_of_first(out) == len(out) - len(gain_map())


def test_a_signed_picture_keeps_its_gain_map(signer):
    out = labelkit.embed(listed(FIRST, (0, gain_map())), label=LABEL, plan=labelkit.Plan(provenance=signer))
    _, second = pictures(out)  # the C2PA library leaves the stated size of the first as it was
    assert second == gain_map() and mpf.end_of_first(out) == len(out) - len(second)
    assert labelkit.verify(out)[labelkit.Layer.PROVENANCE].status is labelkit.Status.VALID


@pytest.mark.parametrize("data", [
    listed(FIRST, (0x020002, saved(photo(seed=2), "JPEG"))), FIRST + saved(photo(seed=2), "JPEG"),
    listed(FIRST, (0, gain_map()), (0x020002, saved(photo(seed=2), "JPEG"))),
    FIRST + b"\0\0\0\x18ftypmp42" + bytes(500), listed(FIRST, (0, gain_map())) + b"\0\0\0\x18ftypmp42" + bytes(500)],
    ids=["stereo", "unlisted", "gain map and stereo", "film", "gain map and film"])
def test_what_would_stay_without_a_label_is_refused(data):
    with pytest.raises(UnsupportedFormat, match="without a label"):
        labelkit.embed(data, label=LABEL)
    labelled = labelkit.embed(data, label=LABEL, plan=METADATA)
    assert labelkit.verify(labelled)[labelkit.Layer.METADATA].status is labelkit.Status.VALID


@pytest.mark.parametrize("more", [b"", bytes(300), b"\0\0vendor data" * 20])
def test_padding_behind_a_picture_is_no_second_picture(more):
    assert codec.encode(codec.decode(FIRST + more)) == codec.encode(codec.decode(FIRST))


BROKEN = [b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xe1\xff", FIRST[:-9], b"\xff\xd8" + b"\xff\0" * 99]


@pytest.mark.parametrize("data", BROKEN)
def test_a_picture_without_an_end_ends_with_its_bytes(data):
    assert mpf.end_of_first(data) >= len(data) and mpf.behind(data) == b""
