# SPDX-License-Identifier: Apache-2.0
"""What other programs say: they show the label, once, and everything else as they did before it was written.

For each format a reader that comes with the tests, and those of exiftool, ffprobe and mediainfo that show the place.
"""

import base64
import io
import json
import re
import struct
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, PdfParser

import labelkit as lk
from labelkit import container, metadata
from tests import files
from tests.files import LABEL, OTHER
from tests.metadata.test_audio import info, wav_with
from tests.metadata.test_formats import CASES
from tests.metadata.test_mp4 import UTF8, box, inner, keyed, walk
from tests.metadata.test_ooxml import CUSTOM, VT, custom_property, document
from tests.metadata.test_pdf import TITLE_INFO, packed, plain

COVER = files.picture("PNG")


def jpeg() -> bytes:
    parts = [files.segment(0xE1, b"Exif\0\0" + files.exif(b"a cat\0", b"ASCII\0\0\0asleep")),
             files.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + files.XMP_PACKET),
             files.segment(0xED, b"Photoshop 3.0\0008BIM\x04\x04\0\0\0\0\0\x0a\x1c\x02\x19\0\5a cat"),
             files.segment(0xFE, b"a comment")]
    return files.jpeg_with(*parts, quality=90)


def png() -> bytes:
    parts = [files.chunk(b"tEXt", b"Title\0a cat"), files.chunk(b"tIME", struct.pack(">HBBBBB", 2026, 1, 2, 3, 4, 5)),
             files.chunk(b"eXIf", files.exif(b"a cat\0")), files.chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1)),
             files.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + files.XMP_PACKET)]
    return files.png_with(*parts)


def m4a(kind: str = "ipod", **streams: str) -> bytes:
    """A song with iTunes tags and a cover, as players write them; moov lies last, so that no offset counts."""
    data = files.movie(kind, metadata=(("title", "山"), ("artist", "someone")), **streams)
    cover = box(b"covr", box(b"data", b"\0\0\0\x0e\0\0\0\0", COVER))
    cover += box(b"trkn", box(b"data", bytes(8), bytes([0, 0, 0, 3, 0, 9, 0, 0])))
    cover += box(b"----", box(b"mean", bytes(4), b"com.apple.iTunes"), box(b"name", bytes(4), b"MOOD"),
                 box(b"data", UTF8, b"calm"))
    out, end = bytearray(data), inner(data, b"moov")[1]
    start, stop = inner(data, b"moov", b"udta")
    for path in ((b"moov",), (b"moov", b"udta")):
        at = inner(data, *path)[0] - 8
        struct.pack_into(">I", out, at, int.from_bytes(out[at:at + 4], "big") + len(cover))
    meta = data.index(b"meta", start) - 4
    for at in (meta, data.index(b"ilst", meta) - 4):
        struct.pack_into(">I", out, at, int.from_bytes(out[at:at + 4], "big") + len(cover))
    assert end == len(data) and stop == end
    return bytes(out) + cover


def mp3() -> bytes:
    frames = b"".join(kind + struct.pack(">I", len(body)) + b"\0\0" + body for kind, body in (
        (b"TIT2", b"\0a song"), (b"TPE1", b"\1\xff\xfe" + "某人".encode("utf-16-le")), (b"COMM", b"\0eng\0a comment"),
        (b"APIC", b"\0image/png\0\3\0" + COVER), (b"TXXX", b"\0MOOD\0calm")))
    size = len(frames)
    return (b"ID3\3\0\0" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]) + frames
            + files.sound("MP3"))


def flac() -> bytes:
    data = files.sound("FLAC")
    picture = struct.pack(">II9sI4xIIII", 3, 9, b"image/png", 0, 64, 48, 24, 0)[:21] + struct.pack(
        ">IIIII", 64, 48, 24, 0, len(COVER)) + COVER
    return data[:42] + b"\6" + len(picture).to_bytes(3, "big") + picture + data[42:]


def wav() -> bytes:
    return wav_with((b"LIST", info((b"INAM", b"a song"), (b"IART", b"someone"))),
                    (b"bext", b"a description".ljust(602, b"\0")),
                    (b"cue ", struct.pack("<IIIIIII", 1, 1, 0, 0x61746164, 0, 0, 100)))


APPLE = {b"com.apple.quicktime.make": b"Apple", b"com.apple.quicktime.model": b"iPhone 15",
         b"com.apple.quicktime.creationdate": b"2025-01-02T03:04:05+0800"}


def phone(*order: str) -> bytes:
    """A film with keys under moov, as phones and Macs write them, and user data of the old kind, in an order."""
    data = files.movie("mov")
    start, stop = inner(data, b"moov")  # which lies last, so that no offset counts
    assert stop == len(data)
    parts = {"meta": keyed(*APPLE.items(), full=False),
             "udta": box(b"udta", box(b"\xa9nam", b"\0\6\x55\xc4a film"), bytes(4))}
    head = [data[a - 8:b] for kind, a, b in walk(data, start, stop) if kind != b"udta"]
    return data[:start - 8] + box(b"moov", *head, *(parts[name] for name in order))


TAGS = (("title", "山"), ("artist", "someone"))
HOSTS: dict[str, Callable[[], bytes]] = {
    **{name: case.make for name, case in CASES.items()},
    "jpeg with all": jpeg, "png with all": png,
    "webp with all": lambda: files.picture("WEBP", exif=b"Exif\0\0" + files.exif(b"a cat\0"), xmp=files.XMP_PACKET),
    "tiff described": lambda: files.picture("TIFF", tiffinfo={270: "a cat", 305: "Editor", 700: files.XMP_PACKET}),
    "m4a with cover": lambda: m4a(video=""), "mp4 with cover": lambda: m4a("mp4"),
    "mov titled": lambda: files.movie("mov", metadata=TAGS),
    "mov of a phone": lambda: phone("meta"), "mov of a phone, udta first": lambda: phone("udta", "meta"),
    "mov of a phone, udta last": lambda: phone("meta", "udta"), "flv titled": lambda: files.movie(
        "flv", video="flv", audio="", metadata=TAGS),
    "mp3 with cover": mp3, "flac with cover": flac, "wav with all": wav,
    "opus titled": lambda: files.movie("ogg", video="", audio="libopus", metadata=TAGS),
    **{kind: lambda folder=folder: document(CUSTOM.format(custom_property("Owner", "someone", 7)), folder=folder)
       for kind, folder in (("docx", "word"), ("xlsx", "xl"), ("pptx", "ppt"))},
    "pdf": lambda: plain(TITLE_INFO, files.XMP_PACKET), "pdf packed": lambda: packed(TITLE_INFO, files.XMP_PACKET),
}
OTHERS_SHOWN = {  # what a host is known to hold beside the label, as exiftool names it
    "jpeg with all": {"ImageDescription", "UserComment", "Title", "Keywords", "Comment"},
    "png with all": {"Title", "ModifyDate", "ImageDescription", "PixelsPerUnitX"},
    "webp with all": {"ImageDescription", "Title"}, "tiff described": {"ImageDescription", "Software", "Title"},
    "m4a with cover": {"Title", "Artist", "CoverArt", "TrackNumber", "Mood"},
    "mp4 with cover": {"Title", "Artist", "CoverArt", "TrackNumber", "Mood"},
    "mov of a phone": {"Make", "Model", "CreationDate"},
    "mov of a phone, udta first": {"Make", "Model", "CreationDate", "Title"},
    "mov of a phone, udta last": {"Make", "Model", "CreationDate", "Title"},
    "mp3 with cover": {"Title", "Artist", "Comment", "Picture", "Mood"}, "flac with cover": {"Picture", "PictureWidth"},
    "wav with all": {"Title", "Artist", "Description", "CuePoints"}, "opus titled": {"Title", "Artist"},
    "docx": {"Owner"}, "pdf": {"Title", "Producer"}, "pdf packed": {"Title", "Producer"},
}
IN_THE_TESTS: dict[str, Callable[[bytes], list]] = {}  # readers by the name of the format


def reads(*formats: str) -> Callable:
    return lambda reader: IN_THE_TESTS.update(dict.fromkeys(formats, reader)) or reader


@reads("jpeg", "png", "webp", "gif", "tiff", "avif", "svg", "jp2", "jxl")
def _by_pillow(data: bytes) -> list[str]:
    """The XMP packet as Pillow gives it, where it gives one, read by the standard library."""
    if b"<svg" in data:
        packet = data
    elif b"JXL" in data[:8]:  # which Pillow does not open
        packet, = re.findall(rb"<x:xmpmeta.*?</x:xmpmeta>", data, re.DOTALL)
    else:
        info = Image.open(io.BytesIO(data)).info
        packet = info.get("xmp") or info.get("XML:com.adobe.xmp")
        if packet is None:  # of films, and of GIF and TIFF: the only packet in the file
            packet, = re.findall(rb"<x:xmpmeta.*?</x:xmpmeta>", data, re.DOTALL)
    packet = packet.encode() if isinstance(packet, str) else packet
    return [one.text for one in ElementTree.fromstring(packet.strip(b"\0 ")).iter(
        "{http://www.tc260.org.cn/ns/AIGC/1.0/}AIGC")]


@reads("aac", "aiff", "flac", "ogg", "opus", "oga", "mp3", "mp4", "mov", "m4a", "mkv", "webm", "avi", "flv")
def _by_ffmpeg(data: bytes) -> list[str]:
    av = pytest.importorskip("av")
    with av.open(io.BytesIO(data)) as film:
        found = [film.metadata, *(stream.metadata for stream in film.streams)]
        return [value for part in found for name, value in part.items() if name.upper() == "AIGC"]


@reads("wav")
def _by_hand(data: bytes) -> list[str]:
    at, found = 12, []
    while at < len(data):
        kind, length = struct.unpack("<4sI", data[at:at + 8])
        if kind == b"data" and data[:4] == b"RF64":
            length = int.from_bytes(data[28:36], "little")
        found += [data[at + 8:at + 8 + length].decode()] if kind == b"AIGC" else []
        at += 8 + length + length % 2
    assert at == len(data)
    return found


@reads("docx", "xlsx", "pptx")
def _by_zipfile(data: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        root = ElementTree.fromstring(archive.read("docProps/custom.xml"))
    return [one.find(VT).text for one in root if one.get("name") == "AIGC"]


@reads("pdf")
def _by_pillow_pdf(data: bytes) -> list[str]:
    return [PdfParser.PdfParser(buf=data).info[b"AIGC"].decode()]


def test_every_binary_format_has_a_reader_of_its_own_here():
    formats = {found.name for module in container._MODULES for found in module.FORMATS}
    # read in tests of their own
    elsewhere = {"glb", "gltf", "heic", "html", "markdown", "odt", "ods", "odp", "ofd", "xmind", "epub", "usdz", "caf"}
    no_place = {"txt", "srt", "vtt", "ass", "json", "jsonl", "eml", "rtf"}
    assert formats - IN_THE_TESTS.keys() == elsewhere | no_place
    assert {container.sniff(make()).name for make in HOSTS.values()} == IN_THE_TESTS.keys()


READ = [name for name in HOSTS if name != "pdf packed"]  # Pillow reads no packed tables
LABELS = {
    "plain": LABEL, "suspected": lk.Label(lk.Kind.SUSPECTED, "", "", "", "platform", "p-1"),
    "of signs": lk.Label(lk.Kind.POSSIBLE, "<a&b>'c'%{}[]();,", "#!?$~`^|@*+=_"),
    "with codes": lk.Label(lk.Kind.GENERATED, "acme", "9" * 200, "e8624834" * 5, "acme", "2", "x" * 300),
}


def test_two_hundred_labels_are_read_by_others():
    assert len(READ) * len(LABELS) >= 200


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("name", READ)
def test_another_implementation_reads_the_label_once(name, label):
    out = metadata.write(metadata.write(HOSTS[name](), OTHER), LABELS[label])
    assert IN_THE_TESTS[container.sniff(out).name](out) == [LABELS[label].to_json()]


PROGRAMS = {
    "exiftool": ("exiftool", "-j", "-b", "-a", "-u", "-G1:4", "-All"),
    "ffprobe": ("ffprobe", "-v", "error", "-show_format", "-show_streams", "-show_chapters", "-of", "json"),
    "mediainfo": ("mediainfo", "--Output=JSON"),
}
SHOWS_NO_LABEL = {"ffprobe": {"wav"}, "mediainfo": {"jpeg", "png", "webp", "gif", "tiff", "avif", "svg", "wav", "oga",
                                                     "docx", "xlsx", "pptx", "pdf", "jp2", "jxl", "aiff-c"}}
# a tag in front makes it MP3; a codestream gets boxes
TOLD_ANEW = {("exiftool", "aac"), ("exiftool", "jxl bare"), ("mediainfo", "jxl bare")}
# names under which programs say where things lie, how long they are, and what kind of file it therefore is
STRUCTURE = re.compile(r"SourceFile|System:|filename|@ref|File_(?:Modified|Created)|Size(?:Bytes)?$|/size$|Offset|"
                       r"Position|CRC|bit_rate|BitRate|Handler|MediaData|_tfhd|_mfra|FileType$|WebP_Flags|GIFVersion|"
                       r"Format_Profile|Describes|Conformance|Composite:|Copy1:Image(?:Height|Width)|/ZIP|"
                       r"AvgBitrate", re.IGNORECASE)


def shown(program: str, folder: Path, *data: bytes) -> list[dict[str, object]]:
    """What a program shows of files, by the path of each value."""
    kind = container.sniff(data[0]).name
    paths = [folder / f"{number}.{'jpg' if kind == 'jpeg' else kind}" for number in range(len(data))]
    for path, one in zip(paths, data, strict=True):
        path.write_bytes(one)
    if program == "exiftool":  # takes its time to start
        found = json.loads(files.tool(*PROGRAMS[program], *map(str, paths)))
    else:
        found = [json.loads(files.tool(*PROGRAMS[program], str(path)) or "{}") for path in paths]
    return [dict(_flat(one, "")) for one in found]


def _flat(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict | list):
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _flat(one, f"{path}/{name}")
    else:
        yield path, value


FAMILIES = {name: container.sniff(make()).family for name, make in HOSTS.items()}


@pytest.mark.parametrize("program,name", [(program, name) for program in PROGRAMS for name in HOSTS
                                          if program != "ffprobe" or FAMILIES[name] in ("audio", "video")])
def test_programs_show_the_label_and_the_rest_as_before(program, name, tmp_path):
    host = HOSTS[name]()
    out = metadata.write(host, LABEL)
    kind = container.sniff(host)
    before, after = shown(program, tmp_path, host, out)
    if any("Archive::Zip" in str(value) for value in before.values()):
        pytest.skip("exiftool reads no archives without Archive::Zip")
    labels = {path: value for path, value in after.items() if path.upper().endswith("AIGC")}
    assert len(labels) == (0 if {kind.name, name} & SHOWS_NO_LABEL.get(program, set()) else 1)
    for value in labels.values():
        assert LABEL.to_json() == _unpacked(value)

    def rest(found: dict[str, object]) -> dict[str, object]:
        return {path: value for path, value in found.items() if path not in labels and not STRUCTURE.search(path)}
    assert (program, name) in TOLD_ANEW or rest(after) == rest(before)
    if program == "exiftool":
        assert OTHERS_SHOWN.get(name, set()) <= {path.rpartition(":")[2] for path in rest(before)}


def _unpacked(value: str) -> str:
    return base64.b64decode(value[7:]).decode().rstrip("\0") if value.startswith("base64:") else value
