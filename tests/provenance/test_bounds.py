# SPDX-License-Identifier: Apache-2.0
"""Files that would keep the C2PA library busy are not given to it, and that is said; ordinary ones all are."""

from __future__ import annotations

import io
import struct
import zlib

import pytest

import labelkit as lk
from labelkit.container import Reader
from labelkit.errors import LimitExceeded
from labelkit.provenance import bounds, sign, validate
from labelkit.provenance.bounds import over_bound
from labelkit.report import Status
from tests.files import chunk


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def png(count: int, body: bytes = b"", kind: bytes = b"teSt") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(kind, body) * count + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(
        b"IEND", b"")


def gif(count: int) -> bytes:
    return b"GIF89a\1\0\1\0\0\0\0" + b"\x21\xfe\1a\0" * count + b"\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0;"


def riff(count: int, form: bytes = b"WAVE") -> bytes:
    shape = b"fmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0"
    body = form + shape + b"junk\0\0\0\0" * count + b"data\0\0\0\0"
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff(count: int) -> bytes:
    entries = b"".join(struct.pack("<HHII", 1000 + number, 1, 1, 0) for number in range(count))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", count) + entries + bytes(4)


def mp3(count: int) -> bytes:
    body = b"TXXX\0\0\0\3\0\0\0a\0" * count
    size = bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\4\0\0" + size + body + b"\xff\xfb\x90\0" + bytes(413)


def jpeg(count: int) -> bytes:
    return b"\xff\xd8" + b"\xff\xe5\0\2" * count + b"\xff\xda\0\x0c\3\1\0\2\x11\3\x11\0\x3f\0\0\xff\xd9"


def mp4(count: int, inside: bool = True) -> bytes:
    head, many = box(b"ftyp", b"isom\0\0\2\0isomiso2mp41"), box(b"free") * count
    return head + (box(b"moov", box(b"udta", many)) if inside else many + box(b"moov", box(b"mvhd", bytes(100))))


@pytest.mark.parametrize(("make", "mime", "few", "many"), [
    (png, "image/png", 30_000, 40_000), (gif, "image/gif", 30_000, 40_000), (riff, "audio/wav", 30_000, 40_000),
    (lambda n: riff(n, b"WEBP"), "image/webp", 30_000, 40_000), (tiff, "image/tiff", 30_000, 40_000),
    (mp3, "audio/mpeg", 30_000, 40_000), (jpeg, "image/jpeg", 30_000, 40_000),
    (mp4, "video/mp4", 16_000, 17_000), (lambda n: mp4(n, inside=False), "video/quicktime", 16_000, 17_000)])
def test_parts_are_counted_up_to_a_bound(make, mime, few, many):
    assert over_bound(Reader.of(make(few)), mime) is None
    assert "more than" in str(over_bound(Reader.of(make(many)), mime))


def test_a_file_over_the_bound_is_unchecked_and_no_all_clear():
    finding = validate(mp4(20_000))
    assert (finding.status, finding.evidence.state) == (Status.UNCHECKED, "OverBound")
    assert "more than 16,4" not in str(finding.summary) and "boxes" in str(finding.summary)
    assert validate(mp4(100)).status is Status.ABSENT
    report = lk.verify(mp4(20_000), layers=[lk.Layer.PROVENANCE, lk.Layer.METADATA])
    assert report.verdict is lk.Verdict.UNDETERMINED and "not searched for a manifest" in str(report.unseen[-1])


def test_a_long_film_in_fragments_is_within_the_bound():
    """Ten hours in fragments of two seconds: as many boxes as they have, for a file as large as they are."""
    fragment = box(b"moof", box(b"mfhd", bytes(8)) + box(b"traf", box(b"tfhd", bytes(8)) + box(b"trun", bytes(200))))
    film = mp4(0, inside=False) + (fragment + box(b"mdat", bytes(40_000))) * 2000
    assert over_bound(Reader.of(film), "video/mp4") is None


def test_a_manifest_is_bounded_in_size(monkeypatch):
    monkeypatch.setattr(bounds, "MAX_MANIFEST", 100_000)
    assert over_bound(Reader.of(png(2, bytes(40_000), b"caBX")), "image/png") is None
    for large in (png(3, bytes(40_000), b"caBX"), png(1, bytes(100_001), b"caBX")):
        assert "its manifest" in str(over_bound(Reader.of(large), "image/png"))
    assert over_bound(Reader.of(png(3, bytes(40_000))), "image/png") is None, "what is no manifest may be large"


PDF = (b"%PDF-1.5\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n"
       b"xref\n0 2\n0000000000 65535 f \n0000000009 00000 n \ntrailer<</Size 2/Root 1 0 R>>\nstartxref\n58\n%%EOF\n")


@pytest.mark.parametrize(("old", "new"), [
    (b"/Type/Catalog", b"/DecodeParms<</Columns 1000000000/Predictor 12>>"),
    (b"/Type/Catalog", b"/DecodeParms<</Col#75mns 1000000000>>"),
    (b"xref\n0 2", b"xref\n4294967280 2"), (b"xref\n0 2\n", b"xref\r0 1\r0000000000 65535 f \r4294967280 2\r"),
    (b"/Size 2", b"/Size 4294967282"), (b"/Size 2", b"/Size 2/Index [4294967280 1]"),
    (b"/Type/", b"/N 99999999/Type/")])
def test_a_pdf_that_asks_for_memory_is_not_given_to_the_library(old, new, signer, claim):
    assert old in PDF and over_bound(Reader.of(PDF), "application/pdf") is None
    bomb = PDF.replace(old, new, 1)
    assert validate(bomb).status is Status.UNCHECKED
    with pytest.raises(LimitExceeded, match="not given to the C2PA library"):
        sign(bomb, claim, signer)
    padded = b"%" * (bounds._PIECE - 40) + b"\n" + bomb
    assert over_bound(Reader.of(padded), "application/pdf"), "whatever piece it lies in"


def test_broken_structures_end_the_count_and_ordinary_files_pass(picture):
    for make, mime in ((png, "image/png"), (gif, "image/gif"), (riff, "audio/wav"), (tiff, "image/tiff"),
                       (mp3, "audio/mpeg"), (mp4, "video/mp4"), (jpeg, "image/jpeg")):
        whole = make(50)
        for cut in range(0, len(whole), 7):
            assert over_bound(Reader.of(whole[:cut]), mime) is None
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF"):
        assert over_bound(Reader(io.BytesIO(picture(kind)), "x"), f"image/{kind.lower()}") is None
    ring = b"II*\0\x08\0\0\0\0\0\x08\0\0\0"
    assert over_bound(Reader.of(ring), "image/tiff") is None
