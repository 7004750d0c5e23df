# SPDX-License-Identifier: Apache-2.0
"""Places that no standard gives to a label and that other readers read all the same: exiftool is the judge."""

from __future__ import annotations

import io
import struct
import zlib
from xml.sax.saxutils import escape

import numpy as np
import pytest
from PIL import Image

from labelkit import container, metadata
from labelkit.container import Reader, stray
from labelkit.errors import LimitExceeded
from labelkit.metadata import xmp
from labelkit.report import Status
from tests.files import (
    LABEL,
    OTHER,
    chunk,
    decoded,
    exif,
    jpeg_with,
    movie,
    picture,
    png_with,
    riff_with,
    segment,
    sound,
    tool,
)
from tests.metadata.test_pdf import plain

WRAPPED = OTHER.to_json(wrapped=True).encode()
PACKET = xmp.fresh(OTHER.to_json())
SHORT = f'AIGC={{"Label":"1","ContentProducer":"{OTHER.content_producer}","ProduceID":"{OTHER.produce_id}"}}'.encode()
HEADER = b"http://ns.adobe.com/xap/1.0/"
COMMENT = exif(comment=WRAPPED)


def itxt(key: bytes, body: bytes = PACKET) -> bytes:
    return chunk(b"iTXt", key + b"\0\0\0\0\0" + body)


def profile(name: bytes, body: bytes) -> bytes:
    text = b"\n" + name.split()[-1] + b"\n%8d\n" % len(body) + body.hex().encode() + b"\n"
    return chunk(b"zTXt", name + b"\0\0" + zlib.compress(text))


def riff(kind: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", kind, len(body)) + body + b"\0" * (len(body) & 1)


def in_last_scan(body: bytes) -> bytes:
    """A progressive JPEG with a segment before its end."""
    data = picture("JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    return data[:at] + body + data[at:]


def tagged(kind: bytes, body: bytes) -> bytes:
    """An MP3 with one frame of ID3 2.4; the sizes are small enough to need no packing, or are packed."""
    def safe(size: int) -> bytes:
        return bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\4\0\0" + safe(len(body) + 10) + kind + safe(len(body)) + bytes(2) + body + sound("MP3")


def unnamed(film: bytes) -> bytes:
    """The film with the name of its AIGC tag made void."""
    return film.replace(b"\x45\xa3\x84AIGC", b"\xec\x85\0AIGC").replace(
        b"\x45\xa3\x88AIGC", b"\xec\x89\0AIGC")


def ebml(name: str, body: bytes) -> bytes:
    return bytes.fromhex(name) + (1 << 56 | len(body)).to_bytes(8) + body


def nested(depth: int, name: bytes = b"AIGC", text: bytes = OTHER.to_json().encode()) -> bytes:
    """A film with one more Tags element, in which the label's tag lies that deep inside others."""
    tag = ebml("67c8", ebml("45a3", name) + ebml("4487", text))
    for _ in range(depth):
        tag = ebml("67c8", ebml("45a3", b"CREDITS") + tag)
    head = ebml("1a45dfa3", ebml("4282", b"matroska"))
    return head + ebml("18538067", ebml("1254c367", ebml("7373", tag)))


def ixml(body: bytes) -> bytes:
    return riff_with(sound("WAV"), (b"iXML", b'<?xml version="1.0"?>' + body))


READ_BY_EXIFTOOL = {
    "png, XMP behind IEND": lambda: picture("PNG") + itxt(b"XML:com.adobe.xmp"),
    "png, text behind IEND": lambda: picture("PNG") + chunk(b"tEXt", b"AIGC\0" + WRAPPED) + chunk(b"IEND", b""),
    "png, text behind an IEND of wrong length": lambda: picture("PNG")[:-12] + struct.pack(">I", 9) + picture(
        "PNG")[-8:] + chunk(b"tEXt", b"AIGC\0" + WRAPPED) + chunk(b"IEND", b""),
    "png, XMP in lower case": lambda: png_with(itxt(b"xml:com.adobe.xmp")),
    "png, XMP under another key": lambda: png_with(itxt(b"XMP")),
    "png, profile in lower case": lambda: png_with(profile(b"raw profile type xmp", PACKET)),
    "png, XMP as APP1": lambda: png_with(profile(b"Raw profile type APP1", HEADER + b"\0" + PACKET)),
    "png, EXIF as APP1": lambda: png_with(profile(b"Raw profile type APP1", b"Exif\0\0" + COMMENT)),
    "jpeg, APP1 without NUL": lambda: jpeg_with(segment(0xE1, HEADER + PACKET)),
    "jpeg, APP1 with a blank": lambda: jpeg_with(segment(0xE1, HEADER + b" " + PACKET)),
    "jpeg, APP1 without header": lambda: jpeg_with(segment(0xE1, PACKET)),
    "jpeg, EXIF in capitals": lambda: jpeg_with(segment(0xE1, b"EXIF\0\0" + COMMENT)),
    "webp, XMP with NUL": lambda: riff_with(picture("WEBP"), (b"XMP\0", PACKET)),
    "webp, XMP by the name in AVI": lambda: riff_with(picture("WEBP"), (b"_PMX", PACKET)),
    "webp, XMP behind the end": lambda: picture("WEBP") + riff(b"XMP ", PACKET),
    "webp, EXIF behind the end": lambda: picture("WEBP") + riff(b"EXIF", COMMENT),
    "webp, text": lambda: riff_with(picture("WEBP"), (b"LIST", b"INFO" + riff(b"ICMT", WRAPPED))),
    "wav, XMP": lambda: riff_with(sound("WAV"), (b"XMP ", PACKET)),
    "wav, XMP behind the end": lambda: sound("WAV") + riff(b"_PMX", PACKET),
    "wav, history of bext": lambda: riff_with(sound("WAV"), (b"bext", bytes(602) + WRAPPED)),
    "wav, description of bext": lambda: riff_with(sound("WAV"), (b"bext", SHORT.ljust(256, b"\0") + bytes(346))),
    "wav, note of adtl": lambda: riff_with(sound("WAV"), (b"LIST", b"adtl" + riff(b"note", bytes(4) + WRAPPED))),
    "wav, ltxt of adtl": lambda: riff_with(sound("WAV"), (b"LIST", b"adtl" + riff(b"ltxt", bytes(20) + WRAPPED))),
}
READ_BY_EXIFTOOL |= {  # what the fuzzer that changes structures found
    "jpeg, APP1 with another header": lambda: jpeg_with(segment(0xE1, b"http://example.org/" + PACKET)),
    "mp3, title": lambda: tagged(b"TIT2", b"\3" + WRAPPED),
    "mp3, second text of a title": lambda: tagged(b"TIT2", b"\3AIGC\0" + OTHER.to_json().encode()),
    "mp3, lyrics": lambda: tagged(b"USLT", b"\3eng\0" + WRAPPED),
    "mkv, tag inside a tag": lambda: nested(1),
    "mkv, tag without a name": lambda: unnamed(movie("matroska", metadata=(("AIGC", OTHER.to_json()),))),
}
READ_BY_RECORDERS = {
    "wav, element of iXML": lambda: ixml(b"<BWFXML><AIGC>" + escape(OTHER.to_json()).encode() + b"</AIGC></BWFXML>"),
    "wav, note of iXML": lambda: ixml(b"<BWFXML><SCENE>3</SCENE><NOTE lang='en'>" + WRAPPED + b"</NOTE></BWFXML>"),
    "wav, raw note of iXML": lambda: ixml(b"<BWFXML><NOTE><![CDATA[" + WRAPPED + b"]]></NOTE></BWFXML>"),
}
READ_BY_DECODERS = {
    "jpeg, XMP between scans": lambda: in_last_scan(segment(0xE1, HEADER + b"\0" + PACKET)),
    "jpeg, comment between scans": lambda: in_last_scan(segment(0xFE, WRAPPED)),
    "jpeg, behind another end": lambda: in_last_scan(segment(0xE1, b"x\xff\xd9") + segment(0xFE, WRAPPED)),
}


@pytest.mark.parametrize("name", READ_BY_EXIFTOOL)
def test_exiftool_reads_it(name):
    assert OTHER.produce_id in tool("exiftool", "-a", "-", data=READ_BY_EXIFTOOL[name]())


@pytest.mark.parametrize("name", READ_BY_EXIFTOOL | READ_BY_DECODERS | READ_BY_RECORDERS)
def test_a_label_there_is_read_and_gives_way(name):
    data = (READ_BY_EXIFTOOL | READ_BY_DECODERS | READ_BY_RECORDERS)[name]()
    found = metadata.read(data)
    assert found.status is Status.VALID and (found.label == OTHER or "description" in name)
    assert found.label.produce_id == OTHER.produce_id
    out = metadata.write(data, LABEL)
    found = metadata.read(out)
    assert (found.status, found.label, len(found.evidence.carriers)) == (Status.VALID, LABEL, 1)
    assert OTHER.produce_id.encode() not in out
    if name.startswith(("png", "jpeg", "webp")):
        assert np.array_equal(decoded(data), decoded(out))


def test_a_label_between_scans_is_read_wherever_it_lies(tmp_path):
    """Files are read in windows of 65,536 bytes, and the marker may lie over the edge of one."""
    head, behind = picture("JPEG").split(b"\xff\xda")[0] + b"\xff\xda\0\2", b"\xff\0\xff\xd9"
    for size in (0, 1, *range((1 << 16) - 9, (1 << 16) + 3), (2 << 16) - 6, 300_000):
        scan = b"\xff\0\xff\xd0" + b"\7" * size
        (tmp_path / "a.jpg").write_bytes(head + scan + segment(0xFE, WRAPPED) + behind)
        (tmp_path / "b.jpg").write_bytes(head + scan + behind + segment(0xFE, WRAPPED))
        for source in (tmp_path / "a.jpg", (tmp_path / "a.jpg").read_bytes()):
            assert metadata.read(source).label == OTHER
        assert metadata.read(tmp_path / "b.jpg").label is None


@pytest.mark.parametrize("data", [
    pytest.param(lambda: picture("PNG") + b"\0\0\0\x05tEX1" + WRAPPED, id="no chunk behind IEND"),
    pytest.param(lambda: picture("WEBP") + b"\1\2\3\4" + struct.pack("<I", len(WRAPPED)) + WRAPPED, id="no chunk"),
    pytest.param(lambda: picture("JPEG") + segment(0xFE, WRAPPED), id="behind the end of the picture"),
    pytest.param(lambda: jpeg_with(segment(0xE1, b"http://example.org/<svg>" + PACKET)), id="another header"),
    pytest.param(lambda: jpeg_with(segment(0xE2, b"http://example.org/" + PACKET)), id="another segment"),
    pytest.param(lambda: ixml(b"<BWFXML><NOTE>a cat</NOTE><NOTE>" + WRAPPED), id="element without end"),
    pytest.param(lambda: riff_with(sound("WAV"), (b"umid", WRAPPED)), id="another chunk"),
    pytest.param(lambda: riff_with(picture("WEBP"), (b"iXML", PACKET)), id="chunk of another format"),
    pytest.param(lambda: tagged(b"iXML", b"\0AIGC\0" + OTHER.to_json().encode()), id="frame with an odd name"),
    pytest.param(lambda: movie("matroska") + ebml("1254c367", WRAPPED), id="behind the segment"),
    pytest.param(lambda: picture("PNG") + WRAPPED.decode().encode("utf-16-be"), id="two bytes a letter"),
    pytest.param(lambda: plain() + b"9 0 obj\n<< /AIGC (" + WRAPPED + b") >>\nendobj\n", id="object of no table"),
])
def test_what_belongs_to_nothing_is_no_label_but_is_named(data):
    """Another reader may find it; the fuzzer that compares with exiftool found several that it does."""
    found = metadata.read(data())
    assert found.status is Status.UNCHECKED and found.label is None
    assert len(found.missed) == 1 and "looks like a label, but stands where" in str(found.missed[0])


@pytest.mark.parametrize("data", [
    pytest.param(lambda: tagged(b"TIT2", b"\3a cat {" + WRAPPED), id="text before it"),
    pytest.param(lambda: picture("PNG") + b"ContentProduct", id="another word"),
    pytest.param(lambda: b"<!DOCTYPE html><p>" + WRAPPED, id="text that is shown"),
])
def test_what_a_reader_passes_over_on_purpose_is_not_named(data):
    found = metadata.read(data())
    assert found.status is Status.ABSENT and not found.missed


def test_other_texts_of_a_sound_stay():
    body = b"<BWFXML><SCENE>3</SCENE><NOTE>" + WRAPPED + b"</NOTE><TAKE>2</TAKE></BWFXML>"
    bext = b"a cat".ljust(256, b"\0") + b"recorder".ljust(346, b"\0") + WRAPPED
    data = riff_with(ixml(body), (b"bext", bext))
    out = metadata.write(data, LABEL)
    assert body.replace(WRAPPED, b" " * len(WRAPPED)) in out and bext[:602] + bytes(len(WRAPPED)) in out
    assert metadata.write(riff_with(sound("WAV"), (b"bext", bext[:602])), LABEL).count(bext[:602]) == 1


@pytest.mark.parametrize("data", [
    pytest.param(lambda: ixml(b"<BWFXML><NOTE>made with AIGC tools</NOTE></BWFXML>"), id="mention"),
    pytest.param(lambda: riff_with(sound("WAV"), (b"bext", b"AIGC is a cat")), id="short bext"),
])
def test_what_is_no_text_of_a_sound_is_no_label(data):
    assert metadata.read(data()).status is Status.ABSENT


def test_stray_text_is_looked_for_at_both_ends_of_a_large_file():
    head, tail = (stray.find(reader, container.look(reader)) for reader in (
        Reader.of(picture("PNG") + b"ContentProducer" + bytes(3 << 20)),
        Reader.of(picture("PNG") + bytes(3 << 20) + b"ContentProducer" + bytes(9))))
    middle = Reader.of(picture("PNG") + bytes(2 << 20) + b"ContentProducer" + bytes(2 << 20))
    assert len(head) == len(tail) == 1 and tail[0][1] == len(picture("PNG")) + (3 << 20)
    assert not stray.find(middle, container.look(middle)), "that is where the media data of real files lie"


def test_a_tag_around_a_label_stays():
    """Its own text has nothing to do with the label."""
    own = ebml("45a3", b"CREDITS") + ebml("4487", b"a cat")
    label = ebml("67c8", ebml("45a3", b"AIGC") + ebml("4487", OTHER.to_json().encode()))
    head = ebml("1a45dfa3", ebml("4282", b"matroska"))
    out = metadata.write(head + ebml("18538067", ebml("1254c367", ebml("7373", ebml("67c8", own + label)))), LABEL)
    found = metadata.read(out)
    assert found.label == LABEL and len(found.evidence.carriers) == 1 and OTHER.produce_id.encode() not in out
    assert own in out


@pytest.mark.parametrize("labels", [1, 2])
def test_a_tag_inside_a_label_stays_and_a_label_there_does_not(labels):
    """Of two labels one is removed: its name stays, for the tags inside it."""
    inside = ebml("67c8", ebml("45a3", b"CREDITS") + ebml("4487", b"a cat"))
    label = ebml("45a3", b"AIGC") + ebml("4487", OTHER.to_json().encode())
    tags = ebml("7373", ebml("67c8", label + inside + ebml("67c8", label))) * labels
    head = ebml("1a45dfa3", ebml("4282", b"matroska"))
    out = metadata.write(head + ebml("18538067", ebml("1254c367", tags)), LABEL)
    found = metadata.read(out)
    assert found.label == LABEL and len(found.evidence.carriers) == 1 and OTHER.produce_id.encode() not in out
    assert out.count(b"a cat") == labels and metadata.write(out, LABEL) == out


def test_tags_inside_tags_end_somewhere():
    assert metadata.read(nested(60)).label == OTHER
    with pytest.raises(LimitExceeded):
        metadata.read(nested(80))
    assert metadata.read(nested(1, b"NAME", b"a cat")).status is Status.ABSENT


def test_a_segment_inside_a_segment_is_named():
    film = movie("matroska", metadata=(("AIGC", OTHER.to_json()),))
    at = film.index(b"\x18\x53\x80\x67")
    inner = film[at:]
    head, body = film[:at], b"\x18\x53\x80\x67" + (1 << 56 | len(inner)).to_bytes(8) + inner
    found = metadata.read(head + body)
    assert found.status is Status.UNCHECKED and "a segment inside a segment" in str(found.summary)
    assert metadata.read(film).label == OTHER


def test_more_texts_of_a_sound_than_are_read_are_named():
    found = metadata.read(ixml(b"<A>1</A>" * 1001))
    assert found.status is Status.UNCHECKED and "more than 1000 texts" in str(found.summary)
    assert metadata.read(ixml(b"<A>1</A>" * 1000)).status is Status.ABSENT
    broken = riff_with(sound("WAV"), (b"LIST", b"adtl" + b"note\xff\xff\xff\0"))
    assert metadata.read(broken).is_open


def test_sizes_stay_right_where_a_label_goes_from_behind_the_end():
    out = metadata.write(picture("WEBP") + riff(b"XMP ", PACKET), LABEL)
    assert out[8 + struct.unpack("<I", out[4:8])[0]:].startswith(b"XMP "), "what the label stood in stays behind"
    Image.open(io.BytesIO(out)).load()
    kept = picture("WEBP") + riff(b"note", b"kept as it is")
    out = metadata.write(kept, LABEL)
    assert out.endswith(riff(b"note", b"kept as it is"))
    assert struct.unpack("<I", out[4:8]) == (len(out) - 8 - len(riff(b"note", b"kept as it is")),)
    assert LABEL.produce_id in tool("exiftool", "-Aigc", "-", data=out)
