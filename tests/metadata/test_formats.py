# SPDX-License-Identifier: Apache-2.0
"""What must hold in every format: the label reads back, everything else stays."""

import io
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from labelkit import container, metadata
from labelkit.errors import MalformedFile
from labelkit.report import Status
from tests import files
from tests.files import LABEL, OTHER


@dataclass
class Case:
    """A file without label, and how its payload is read."""

    make: Callable[[], bytes]
    payload: Callable[[bytes], object]


def pages(kind: str, **options: object) -> bytes:
    """A picture of two pages or frames."""
    out = io.BytesIO()
    files.pixels().save(out, kind, save_all=True, append_images=[files.pixels().rotate(180)], **options)
    return out.getvalue()


SVG = (b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- drawn by hand --><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1" "x">'
       b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><g id="a"><path d="M0 0L9 9"/></g></svg>\n')


def drawing(data: bytes) -> list:
    """The elements of an SVG outside its metadata."""
    return [(element.tag, element.attrib) for part in ElementTree.fromstring(data) if not part.tag.endswith("}metadata")
            for element in part.iter()]


CODESTREAM = b"\xff\x0a" + bytes(range(200))  # nothing here decodes JPEG XL: its boxes are what counts


def jxl(*boxes: bytes) -> bytes:
    """JPEG XL in boxes, with an EXIF box and a codestream in two parts."""
    held = (b"\0\0\0\x0cJXL \r\n\x87\n", b"\0\0\0\x14ftypjxl \0\0\0\0jxl ", *boxes,
            (12 + len(files.exif())).to_bytes(4, "big") + b"Exif\0\0\0\0" + files.exif(),
            b"\0\0\0\x6fjxlp\0\0\0\0" + CODESTREAM[:99], b"\0\0\0\0jxlp\x80\0\0\1" + CODESTREAM[99:])
    return b"".join(held)


def codestream(data: bytes) -> bytes:
    """The codestream of a JPEG XL as another hand gathers it."""
    if data[:2] == b"\xff\x0a":
        return data
    at, found = 0, b""
    while at < len(data):
        size, kind = int.from_bytes(data[at:at + 4], "big") or len(data) - at, data[at + 4:at + 8]
        found += data[at + 8 + 4 * (kind == b"jxlp"):at + size] if kind in (b"jxlc", b"jxlp") else b""
        at += size
    assert at == len(data)
    return found


def picture(make: Callable[[], bytes]) -> Case:
    return Case(make, lambda data: files.decoded(data).tolist())


CASES = {
    "jpeg": picture(lambda: files.picture("JPEG", quality=90)),
    "png": picture(lambda: files.picture("PNG")),
    "webp": picture(lambda: files.picture("WEBP", quality=80)),
    "gif": picture(lambda: files.picture("GIF")),
    "gif animated": picture(lambda: pages("GIF", loop=0, duration=40, comment=b"by hand")),
    "tiff": picture(lambda: files.picture("TIFF")),
    "tiff with xmp": picture(lambda: files.picture("TIFF", tiffinfo={700: files.XMP_PACKET})),
    "tiff of two pages": picture(lambda: pages("TIFF", compression="tiff_lzw")),
    "bigtiff": picture(lambda: files.picture("TIFF", big_tiff=True)),
    "avif": picture(lambda: files.picture("AVIF", quality=60)),
    "avif with exif and xmp": picture(lambda: files.picture("AVIF", exif=b"Exif\0\0" + files.exif(b"a cat, asleep\0"),
                                                            xmp=files.XMP_PACKET)),
    "avif animated": picture(lambda: pages("AVIF", duration=40)),
    "svg": Case(lambda: SVG, drawing),
    "jp2": picture(lambda: files.picture("JPEG2000")),
    "jxl": Case(lambda: jxl(), codestream),
    "jxl bare": Case(lambda: CODESTREAM, codestream),
    "aiff": Case(lambda: files.sound("AIFF"), files.packets),
    "aiff 24 bit": Case(lambda: files.sound("AIFF", "PCM_24"), files.packets),
    "aiff-c": Case(lambda: files.sound("AIFF", "FLOAT"), files.packets),
    "aac": Case(lambda: files.movie("adts", video=""), files.packets),
    "wav": Case(lambda: files.sound("WAV"), files.packets),
    "wav 24 bit": Case(lambda: files.sound("WAV", "PCM_24"), files.packets),
    "rf64": Case(lambda: files.sound("RF64"), files.packets),
    "flac": Case(lambda: files.sound("FLAC"), files.packets),
    "ogg vorbis": Case(lambda: files.sound("OGG", "VORBIS"), files.packets),
    "ogg opus": Case(lambda: files.sound("OGG", "OPUS"), files.packets),
    "ogg flac": Case(lambda: files.movie("ogg", video="", audio="flac"), files.packets),
    "mp3": Case(lambda: files.sound("MP3"), files.packets),
    "mp4": Case(lambda: files.movie("mp4"), files.packets),
    "mp4 faststart": Case(lambda: files.movie("mp4", (("movflags", "faststart"),)), files.packets),
    "mp4 fragmented": Case(lambda: files.movie("mp4", (("movflags", "frag_keyframe+empty_moov"),)), files.packets),
    "mp4 dash": Case(lambda: files.movie("mp4", (("movflags", "dash+frag_keyframe"),)), files.packets),
    "mp4 titled": Case(lambda: files.movie("mp4", (("movflags", "faststart"),), metadata=(("title", "山"),)),
                       files.packets),
    "mp4 keyed": Case(lambda: files.movie("mp4", (("movflags", "faststart+use_metadata_tags"),),
                                          metadata=(("place", "here"),)), files.packets),
    "mov": Case(lambda: files.movie("mov", (("movflags", "faststart"),)), files.packets),
    "mkv": Case(lambda: files.movie("matroska"), files.packets),
    "mkv titled": Case(lambda: files.movie("matroska", metadata=(("title", "山"), ("place", "here"))), files.packets),
    "mkv cues in front": Case(lambda: files.movie("matroska", (("cues_to_front", "1"),)), files.packets),
    "webm": Case(lambda: files.movie("webm", video="libvpx", audio="libopus"), files.packets),
    "webm live": Case(lambda: files.movie("webm", (("live", "1"),), video="libvpx", audio="libopus"), files.packets),
    "avi": Case(lambda: files.movie("avi", audio="mp3"), files.packets),
    "avi titled": Case(lambda: files.movie("avi", audio="mp3", metadata=(("title", "here"),)), files.packets),
    "flv": Case(lambda: files.movie("flv", video="flv", audio=""), files.packets),
    "flv with positions": Case(lambda: files.movie("flv", (("flvflags", "add_keyframe_index"),), video="flv", audio=""),
                               files.packets),
    "m4a": Case(lambda: files.movie("ipod", video=""), files.packets),
}


@pytest.fixture(params=CASES)
def case(request) -> Case:
    return CASES[request.param]


def test_the_label_reads_back_and_the_payload_stays(case):
    host = case.make()
    out = metadata.write(host, LABEL)
    finding = metadata.read(out)
    assert (finding.status, finding.label) == (Status.VALID, LABEL)
    assert len(finding.evidence.carriers) == 1 and not finding.evidence.carriers[0].deviations
    assert case.payload(out) == case.payload(host)


def test_a_plain_file_has_no_label_and_no_trace(case):
    finding = metadata.read(case.make())
    assert (finding.status, finding.label) == (Status.ABSENT, None)
    assert finding.evidence.carriers == () and finding.evidence.traces == ()


def test_writing_again_replaces_the_label(case):
    first = metadata.write(case.make(), OTHER)
    second = metadata.write(first, LABEL)
    assert metadata.read(second).label == LABEL
    assert len(metadata.read(second).evidence.carriers) == 1
    assert OTHER.produce_id.encode() not in second
    assert metadata.write(second, LABEL) == second
    assert case.payload(second) == case.payload(case.make())


def test_other_slots_keep_their_bodies(case):
    def bodies(data: bytes) -> list[tuple]:
        with container.opened(data) as reader:
            return [(slot.kind, slot.key, slot.load()) for slot in container.slots(reader)
                    if slot.key != "AIGC" and slot.kind != "xmp"]
    host = case.make()
    assert bodies(metadata.write(host, LABEL)) == bodies(host)


def test_file_to_file_gives_the_same_bytes(case, tmp_path):
    data = case.make()  # once: some encoders write the time
    (tmp_path / "a").write_bytes(data)
    metadata.write_file(tmp_path / "a", tmp_path / "b", LABEL)
    assert (tmp_path / "b").read_bytes() == metadata.write(data, LABEL)


def test_a_jpeg_2000_that_says_where_its_boxes_lie_is_read_and_not_written():
    plain = metadata.write(files.picture("JPEG2000"), LABEL)
    at = plain.index(b"uuid") - 4
    with_table = plain[:at] + b"\0\0\0\x08ftbl" + plain[at:]
    assert metadata.read(with_table).label == LABEL
    assert metadata.read(files.picture("JPEG2000")).status is Status.ABSENT
    with pytest.raises(MalformedFile, match="where others lie"):
        metadata.write(with_table, OTHER)
