# SPDX-License-Identifier: Apache-2.0
"""Ten hostile files of each family of formats, through `verify` in a process each: what they cost.

    python -m benchmarks.hostile [--family png] > benchmarks/HOSTILE.md

None may crash the process, take more than 2 s of CPU a MB (2 s for less), or more than 500 MB of memory. The files are
made here, small, and claim or repeat what makes parsers slow, deep or greedy.
"""

from __future__ import annotations

import argparse
import io
import os
import struct
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import labelkit
from labelkit.container import Reader
from labelkit.errors import LabelkitError
from labelkit.metadata import xmp
from tests import files
from tests.files import OTHER, chunk, jpeg_with, picture, png_with, riff_with, segment, sound
from tests.metadata.test_mp4 import UTF8, box, film, handler
from tests.metadata.test_ooxml import document
from tests.metadata.test_pdf import packed, plain

SECONDS_A_MB, MOST_BYTES = 2.0, 500 << 20
LABEL = OTHER.to_json(wrapped=True).encode()
PACKET = xmp.fresh(OTHER.to_json())
HEADER = b"http://ns.adobe.com/xap/1.0/\0"
Made = Callable[[], bytes]


def _deep_xml(depth: int) -> bytes:
    return PACKET.replace(b"<TC260:AIGC>", b"<a>" * depth + b"<TC260:AIGC>", 1)


def _header(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def _raw_png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")


def _ztxt(key: bytes, size: int) -> bytes:
    return chunk(b"zTXt", key + b"\0\0" + zlib.compress(bytes(size), 9))


PNG: tuple[Made, ...] = (
    lambda: png_with(*[chunk(b"tEXt", b"AIGC\0" + LABEL)] * 9000),
    lambda: png_with(*[_ztxt(b"AIGC", 15 << 20)] * 40),
    lambda: png_with(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + _deep_xml(100_000))),
    lambda: _raw_png(_header(0x7FFFFFFF, 0x7FFFFFFF), chunk(b"IDAT", zlib.compress(bytes(1 << 20)))),
    lambda: _raw_png(_header(1, 100_000_000), chunk(b"IDAT", zlib.compress(bytes(1 << 20)))),
    lambda: _raw_png(_header(11_000, 11_000), *[chunk(b"IDAT", b"")] * 150_000),
    lambda: png_with(chunk(b"tEXt", b"AIGC\0" + b'{"AIGC":' * 50_000 + b"}" * 50_000)),
    lambda: png_with(chunk(b"tEXt", b"AIGC\0" + b'"' + b"\\u0041" * 100_000 + b'"')),
    lambda: png_with(chunk(b"eXIf", files.exif(b"a\0" * 30_000, LABEL * 200))),
    lambda: png_with(chunk(b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(b"\nxmp\n" + b"9" * 30_000 + b"\n00"))),
)
JPEG: tuple[Made, ...] = (
    lambda: jpeg_with(*[segment(0xFE, LABEL)] * 9000),
    lambda: jpeg_with(*[segment(0xE1, HEADER + PACKET)] * 900),
    lambda: jpeg_with(*[segment(0xE1, b"Exif\0\0" + files.exif(b"a\0", LABEL))] * 900),
    lambda: jpeg_with(segment(0xE1, HEADER + _deep_xml(15_000))),
    lambda: jpeg_with(*[segment(0xEB, b"JP\0\1" + struct.pack(">II", n, 0xFFFFFFFF) + b"jumb") for n in range(9000)]),
    lambda: picture("JPEG")[:2] + b"\xff" * 2_000_000 + picture("JPEG")[2:],
    lambda: picture("JPEG", progressive=True).replace(b"\xff\xd9", b"") + b"\xff\xda\0\x08\1\1\0\0?\0" * 20_000,
    lambda: jpeg_with(*[segment(0xE2, b"MPF\0II*\0\x08\0\0\0" + b"\xff" * 400)] * 2000),
    lambda: jpeg_with(*[segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + struct.pack(
        ">II", 0xFFFFFFFF, n * 100) + bytes(100)) for n in range(5000)]),
    lambda: jpeg_with(segment(0xFE, b"AIGC=" * 13_000)),
)


def _tiff(count: int, entry: bytes, next_at: int = 0) -> bytes:
    return b"II*\0\x08\0\0\0" + struct.pack("<H", count & 0xFFFF) + entry * count + struct.pack("<I", next_at)


def _gif(body: bytes) -> bytes:
    return picture("GIF")[:-1] + body + b";"


PICTURES: tuple[Made, ...] = (
    lambda: _tiff(60_000, struct.pack("<HHII", 700, 1, 0xFFFFFFFF, 8)),
    lambda: _tiff(60_000, struct.pack("<HHII", 700, 1, 100_000, 8)),
    lambda: _tiff(1, struct.pack("<HHII", 330, 4, 1, 8), 8),
    lambda: b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0" + struct.pack("<Q", 1 << 40) + bytes(1000),
    lambda: _gif(b"\x21\xfe\1x\0" * 400_000),
    lambda: _gif(b"\x2c\0\0\0\0\xff\xff\xff\xff\0\2\0" * 20_000),
    lambda: _gif(b"\x21\xff\x0bXMP DataXMP" + PACKET * 400 + bytes(range(255, -1, -1)) + b"\0"),
    lambda: riff_with(picture("WEBP"), *[(b"XMP ", PACKET)] * 3000),
    lambda: riff_with(picture("WEBP"), *[(b"ANMF", b"\0" * 24)] * 50_000),
    lambda: b'<svg xmlns="http://www.w3.org/2000/svg">' + b"<g>" * 200_000 + b"</g>" * 200_000 + b"</svg>",
)


def _bmp(width: int, height: int, depth: int, packing: int) -> bytes:
    return b"BM" + struct.pack("<IIIIiiHHIIIIII", 1 << 30, 0, 54, 40, width, height, 1, depth, packing, 0, 0, 0, 0, 0)


SIMPLE: tuple[Made, ...] = (
    lambda: _bmp(100_000, 100_000, 24, 0),
    lambda: _bmp(30_000, -30_000, 8, 1) + b"\xff\1" * 999,
    lambda: struct.pack("<HHH", 0, 1, 65_535) + struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, 22, 22) * 65_535,
    lambda: struct.pack("<HHH", 0, 1, 256) + b"".join(struct.pack(
        "<BBBBHHII", 0, 0, 0, 0, 1, 32, 1 << 20, 6 + 16 * 256 + n) for n in range(256)) + picture("PNG") * 2000,
    lambda: struct.pack("<HHH", 0, 1, 1) + struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, 0xFFFFFFFF, 22) + PNG[1](),
    lambda: b"P6 " + b"#" + b"a" * 300 + b"\n9 9\n" + b"#x\n" * 20_000 + b"255\n" + bytes(243),
    lambda: b"P5 100000 100000 255\n" + bytes(1000),
    lambda: b"P1 9000 9000 " + b"1 " * 1_000_000,
    lambda: b"\xff\0\x0a" + bytes(9) + struct.pack("<HHBB", 65_535, 65_535, 24, 0) + b"\xff\0\0\0" * 50_000,
    lambda: picture("TGA")[:-26] + struct.pack("<II", 0xFFFFFFFF, 0xFFFFFFFF) + b"TRUEVISION-XFILE.\0",
)


def _id3(*frames: bytes, unsynchronised: bool = False) -> bytes:
    body = b"".join(frames)
    return b"ID3\3\0" + (b"\x80" if unsynchronised else b"\0") + bytes(
        len(body) >> shift & 127 for shift in (21, 14, 7, 0)) + body + sound("MP3")


def _frame(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4) + b"\0\0" + body


def _xml_in_wav(body: bytes) -> bytes:
    return riff_with(sound("WAV"), (b"iXML", body))


SOUNDS: tuple[Made, ...] = (
    lambda: riff_with(sound("WAV"), *[(b"LIST", b"INFO" + b"ICMT\2\0\0\0a\0" * 5000)] * 30),
    lambda: _xml_in_wav(b"<A>" * 300_000),
    lambda: _xml_in_wav(b"<A><![CDATA[" * 100_000),
    lambda: _xml_in_wav(b"<AIGC " + b"x" * 2_000_000),
    lambda: riff_with(sound("WAV"), (b"LIST", b"adtl" + b"note\xff\xff\xff\x7f" * 20_000)),
    lambda: _id3(*[_frame(b"TXXX", b"\0AIGC\0" + LABEL)] * 5000),
    lambda: _id3(_frame(b"TIT2", b"\1" + b"\xff\xfe{\0" * 200_000), unsynchronised=True),
    lambda: b"fLaC" + b"\4\0\0\x08" + struct.pack("<II", 0, 0xFFFFFFFF) + sound("FLAC")[4:],
    lambda: b"OggS\0\2" + bytes(20) + b"\xff" + b"\0" * 255 + sound("OGG", "VORBIS") * 30,
    lambda: struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, 65_535, 0xFFFFFFFF, 1, 1, 1,
                        b"data", 0xFFFFFFFF) + bytes(100_000),
)


def _keys(count: int, claimed: int) -> bytes:
    return box(b"keys", struct.pack(">II", 0, claimed), *[box(b"mdta", b"AIGC")] * count)


def _item(value: bytes = LABEL) -> bytes:
    return box(struct.pack(">I", 1), box(b"data", UTF8, value))


def _nested(kind: bytes, depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        body = box(kind, body)
    return body


def _ebml(name: bytes, body: bytes) -> bytes:
    return name + (1 << 56 | len(body)).to_bytes(8) + body


def _mkv(body: bytes) -> bytes:
    head = _ebml(b"\x1a\x45\xdf\xa3", _ebml(b"\x42\x82", b"matroska"))
    return head + _ebml(b"\x18\x53\x80\x67", body)


def _tag(value: bytes) -> bytes:
    return _ebml(b"\x12\x54\xc3\x67", _ebml(b"\x73\x73", _ebml(b"\x67\xc8", _ebml(b"\x45\xa3", b"AIGC") + _ebml(
        b"\x44\x87", value))))


FILMS: tuple[Made, ...] = (
    lambda: film((box(b"udta", *[box(b"meta", bytes(4), handler(b"mdta"), _keys(1, 1), box(
        b"ilst", _item()))] * 900),)),
    lambda: film((box(b"udta", box(b"meta", bytes(4), handler(b"mdta"), _keys(9000, 0xFFFFFFFF), box(
        b"ilst", *[_item(b"x")] * 9000))),)),
    lambda: film((box(b"udta", box(b"meta", bytes(4), *[_keys(1, 1), box(b"ilst", _item(b"x"))] * 4000)),)),
    lambda: film((_nested(b"udta", 2000),)),
    lambda: film(top=(box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac"), PACKET),) * 900),
    lambda: film((box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", box(
        b"stco", bytes(4), struct.pack(">I", 0xFFFFFFFF)))))),)),
    lambda: _mkv(_tag(LABEL) * 3000),
    lambda: _mkv(b"\x1f\x43\xb6\x75\xff" * 100_000),
    lambda: _mkv(_nested_tags(3000)),
    lambda: b"FLV\1\5\0\0\0\x09\0\0\0\0" + b"\x12\0\0\x0b\0\0\0\0\0\0\0\2\0\x08AMFfake\0\0\0\x16" * 50_000,
)


def _nested_tags(depth: int) -> bytes:
    body = _ebml(b"\x44\x87", LABEL)
    for _ in range(depth):
        body = _ebml(b"\x67\xc8", body)
    return _ebml(b"\x12\x54\xc3\x67", _ebml(b"\x73\x73", body))


def _zip(*members: tuple[str, bytes], packed_as: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packed_as) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


DOCUMENTS: tuple[Made, ...] = (
    lambda: document("<Properties>" + "<property>" * 100_000),
    lambda: document("<!DOCTYPE a [<!ENTITY a '" + "x" * 9999 + "'>]><Properties>" + "&a;" * 9999 + "</Properties>"),
    lambda: document(more={"word/big.xml": bytes(200 << 20)}),
    lambda: _zip(*[(f"word/{number}.xml", b"") for number in range(20_000)], ("[Content_Types].xml", b"<a/>")),
    lambda: plain(b"<< /Title " + b"(" * 100_000 + b">>"),
    lambda: plain(b"<< " + b"/A << " * 50_000),
    lambda: packed(b"<< /AIGC <" + b"41" * 500_000 + b"> >>"),
    lambda: plain(b"<< /AIGC (x) >>", trailer=b"/Prev 0 " * 20_000),
    lambda: b"<!DOCTYPE html><html><head>" + b"<meta name=AIGC content='{'>" * 9000 + b"</head></html>",
    lambda: b"---\n" + b"AIGC: {\n" * 50_000 + b"---\n",
)


FAMILIES = {"png": PNG, "jpeg": JPEG, "other pictures": PICTURES, "bmp, ico, pnm, tga": SIMPLE, "sound": SOUNDS,
            "films": FILMS, "documents": DOCUMENTS}


def in_child(work: Callable[[], str]) -> tuple[str, os.struct_rusage]:
    """What `work` says in a process of its own, and what it cost."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        try:
            said = work()
        except LabelkitError as error:
            said = type(error).__name__
        except BaseException as error:
            said = f"CRASH {type(error).__name__}"
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    said = os.read(read, 200).decode()
    os.close(read)
    _, status, usage = os.wait4(child, 0)
    return said if status == 0 else f"CRASH {status}", usage


def cost(path: str) -> tuple[str, float, int]:
    """(What came of it, seconds of CPU, bytes of memory above what a process has) of `verify`."""
    said, usage = in_child(lambda: labelkit.verify(path, effort="fast").verdict.value)
    with open("/proc/self/statm") as file:
        before = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return said, usage.ru_utime + usage.ru_stime, max(0, (usage.ru_maxrss << 10) - before)


def rows(family: str) -> Iterator[tuple[str, bool]]:
    """A line of the table for each file of a family, and whether it keeps within the bounds."""
    for number, make in enumerate(FAMILIES[family], 1):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "hostile")
            made, _ = in_child(lambda make=make, path=path: str(Path(path).write_bytes(make())))  # so this stays small
            most = SECONDS_A_MB * max(1.0, int(made) / 1e6)
            said, seconds, memory = cost(path)
            if seconds > most:
                said, seconds, memory = cost(path)
        good = not said.startswith("CRASH") and seconds <= most and memory <= MOST_BYTES
        yield (f"| {family} {number} | {int(made) / 1e3:,.0f} | {said} | {seconds:.2f} | {memory / 1e6:.0f} | "
               f"{'' if good else 'OVER'} |", good)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--family", choices=FAMILIES)
    given = parser.parse_args()
    labelkit.verify(Reader.of(picture("PNG")).whole(), effort="fast")  # what is loaded once is not counted
    print("# Hostile files\n\n`python -m benchmarks.hostile`: `verify` at effort fast, one process each; what takes "
          "too long is tried once more.\nBounds: no crash, 2 s of CPU a MB (2 s for less), 500 MB of memory.\n\n"
          "| file | kB | said | CPU s | MB | |\n|---|---|---|---|---|---|", flush=True)
    fine = True
    for family in [given.family] if given.family else FAMILIES:
        for line, good in rows(family):
            print(line, flush=True)
            fine &= good
    sys.exit(not fine)


if __name__ == "__main__":
    main()
