# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes come in, only LabelkitError comes out: mutated files of every container, the same ones every run.

LABELKIT_MUTATIONS=2000 makes twice as many.
"""

import os
import random
import zlib

import pytest

from labelkit import metadata
from labelkit.errors import LabelkitError
from labelkit.metadata import xmp
from tests import files
from tests.container import test_jpegxmp as jpegxmp
from tests.cost import within
from tests.explicit.test_office import epub, odp, ods, odt, pptx
from tests.explicit.test_sheets import sheet, xlsx
from tests.files import LABEL, OTHER
from tests.metadata.test_formats import jxl
from tests.metadata.test_gltf import glb, gltf
from tests.metadata.test_ofd import ofd, xmind
from tests.metadata.test_ooxml import document, wide
from tests.metadata.test_pdf import TITLE_INFO, packed, plain
from tests.metadata.test_usdz import scene as usdz_scene

MUTATIONS = int(os.environ.get("LABELKIT_MUTATIONS", "1000"))
SLOWEST_SECONDS = 2.0


def rich_jpeg() -> bytes:
    parts = [files.segment(0xE1, b"Exif\0\0" + files.exif(b"a cat\0", b"ASCII\0\0\0" + OTHER.to_json().encode())),
             files.segment(0xEB, b"JP\0\1\0\0\0\1\0\0\0\x28jumb"),
             files.segment(0xFE, b"AIGC" + OTHER.to_json().encode())]
    return metadata.write(files.jpeg_with(*parts, quality=50), LABEL, resign=True)


def extended_jpeg() -> bytes:
    rest = jpegxmp.extension(f'<a:AIGC xmlns:a="{xmp.NAMESPACE}">{OTHER.to_json()}</a:AIGC>')
    return jpegxmp.picture(jpegxmp.packet("<dc:format>x</dc:format>", jpegxmp.note(jpegxmp.digest_of(rest)), 99),
                           *jpegxmp.pieces(rest, size=300))


def rich_png() -> bytes:
    parts = [files.chunk(b"zTXt", b"AIGC\0\0" + zlib.compress(OTHER.to_json().encode())),
             files.chunk(b"iTXt", b"parameters\0\0\0\0\0Steps: 20, Sampler: x"),
             files.chunk(b"eXIf", files.exif(b"a cat\0", order=">"))]
    return files.png_with(*parts, files.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + files.XMP_PACKET))


WRAPPED = OTHER.to_json(wrapped=True).encode()


def id3_tag() -> bytes:
    frames = (b"TIT2\0\0\0\7\0\0\0a song", b"PRIV\0\0\0\x08\0\0XMP\0<a/>",
              b"TXXX\0\0\0\x0d\0\0\1\xff\xfea\0\0\0\xff\xfeb\0", b"TXXX\0\0\0\x0a\0\0\0AIGC\0{}  ")
    body = b"".join(frames) + bytes(64)
    return b"ID3\4\0\0\0\0\1" + bytes([len(body) - 128]) + body


HOSTS = {
    "jpeg": rich_jpeg,
    "jpeg extended": extended_jpeg,
    "png": rich_png,
    "wav": lambda: files.riff_with(b"RIFF\4\0\0\0WAVE", (b"fmt ", bytes(16)), (b"data", bytes(900)),
                                   (b"LIST", b"INFOISFT\4\0\0\0abcd"), (b"id3 ", id3_tag()),
                                   (b"AIGC", OTHER.to_json().encode())),
    "rf64": lambda: metadata.write(files.sound("RF64"), LABEL),
    "flac": lambda: id3_tag() + metadata.write(files.sound("FLAC"), LABEL),
    "ogg": lambda: metadata.write(files.sound("OGG", "VORBIS"), LABEL),
    "opus": lambda: metadata.write(files.sound("OGG", "OPUS"), LABEL),
    "ogg flac": lambda: metadata.write(files.movie("ogg", video="", audio="flac"), LABEL),
    "mp3": lambda: id3_tag() + files.sound("MP3")[:3000],
    "mp4": lambda: metadata.write(files.movie("mp4", (("movflags", "faststart+use_metadata_tags"),),
                                              metadata=(("place", "here"),)), LABEL),
    "mp4 fragmented": lambda: metadata.write(files.movie("mp4", (("movflags", "dash+frag_keyframe"),)), LABEL),
    "mkv": lambda: metadata.write(files.movie("matroska", metadata=(("place", "here"),)), LABEL),
    "webm": lambda: metadata.write(files.movie("webm", (("live", "1"),), video="libvpx", audio=""), LABEL),
    "avi": lambda: metadata.write(files.movie("avi", audio="", metadata=(("title", "here"),)), LABEL),
    "flv": lambda: metadata.write(files.movie("flv", (("flvflags", "add_keyframe_index"),), video="flv", audio=""),
                                  LABEL),
    "mov": lambda: metadata.write(files.movie("mov"), LABEL),
    "gif": lambda: metadata.write(files.picture("GIF", comment=WRAPPED), LABEL),
    "tiff": lambda: metadata.write(files.picture("TIFF", tiffinfo={270: "a cat", 700: files.XMP_PACKET}), LABEL),
    "bigtiff": lambda: metadata.write(files.picture("TIFF", big_tiff=True), LABEL),
    "avif": lambda: metadata.write(files.picture("AVIF", exif=b"Exif\0\0" + files.exif(b"a cat, asleep\0")), LABEL),
    "svg": lambda: metadata.write(b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><path/></svg>', LABEL),
    "jp2": lambda: metadata.write(files.picture("JPEG2000"), LABEL),
    "jxl": lambda: metadata.write(jxl(), LABEL),
    "aiff": lambda: metadata.write(files.sound("AIFF", "FLOAT"), LABEL),
    "aac": lambda: metadata.write(files.movie("adts", video=""), LABEL),
    "docx": lambda: metadata.write(document(), LABEL),
    "docx zip64": lambda: wide(document()),
    "pdf": lambda: metadata.write(plain(TITLE_INFO, files.XMP_PACKET), LABEL),
    "pdf packed": lambda: metadata.write(packed(TITLE_INFO, files.XMP_PACKET), LABEL),
    "html": lambda: metadata.write(b'<!DOCTYPE html><html><head><meta charset="utf-8"><title>t</title></head></html>',
                                   LABEL),
    "gltf": lambda: metadata.write(gltf(), LABEL),
    "glb": lambda: metadata.write(glb(), LABEL),
    "caf": lambda: metadata.write(files.sound("CAF"), LABEL),
    "usdz": lambda: metadata.write(usdz_scene(), LABEL),
    "ofd": lambda: metadata.write(ofd(), LABEL),
    "xmind": lambda: metadata.write(xmind(), LABEL),
    "odt": lambda: metadata.write(odt("a", "b"), LABEL),
    "ods": lambda: metadata.write(ods("a", "b"), LABEL),
    "odp": lambda: metadata.write(odp("a", "b"), LABEL),
    "pptx": lambda: metadata.write(pptx("a|b", "c"), LABEL),
    "xlsx": lambda: metadata.write(xlsx(sheet([["a", 1], ["b", 2]])), LABEL),
    "epub": lambda: metadata.write(epub("<p>a</p>"), LABEL),
    "markdown": lambda: metadata.write(b"---\ntitle: x\nAIGC: {}\n---\n\n# text\n", LABEL),
    "webp": lambda: metadata.write(files.picture("WEBP", quality=50, exif=b"Exif\0\0" + files.exif(b"a cat\0")), LABEL),
}


def mutations(data: bytes, seed: str, count: int):
    """Flipped, cut, repeated, inserted and zeroed bytes, mostly near the structures at the start and end."""
    source = random.Random(seed)
    for _ in range(count):
        out = bytearray(data)
        for _ in range(source.choice((1, 1, 2, 8))):
            at = source.randrange(len(out)) if source.random() < 0.5 else source.randrange(min(len(out), 1500))
            act = source.randrange(7)
            if act == 0:
                out[at] = source.randrange(256)
            elif act == 1:
                out[at:at + 4] = source.choice((b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\1", b"\1\0\0\0"))
            elif act == 2:
                del out[at:at + source.randrange(1, 40)]
            elif act == 3:
                out[at:at] = out[at:at + source.randrange(1, 400)]
            elif act == 4:
                out[at] ^= 1 << source.randrange(8)
            elif act == 5:
                del out[max(at, 16):]
            else:
                other = source.randrange(len(out))
                out[at:at + 8] = out[other:other + 8]
            if len(out) < 17:
                break
        yield bytes(out)


@pytest.mark.parametrize("kind", HOSTS)
def test_mutated_files_give_a_finding_or_a_labelkit_error(kind):
    host = HOSTS[kind]()
    outcomes = {"read": 0, "written": 0, "refused": 0}

    def once(data: bytes) -> list[str]:
        seen = []
        try:
            metadata.inspect(data)
            seen.append("read")
            out = metadata.write(data, OTHER, resign=True)
            assert metadata.read(out).label == OTHER
            seen.append("written")
        except LabelkitError as error:
            assert str(error) and error.text("zh-CN")
            seen.append("refused")
        return seen
    for data in mutations(host, kind, MUTATIONS):
        last: list[list[str]] = []
        assert within(lambda data=data, last=last: last.append(once(data)), SLOWEST_SECONDS)
        for name in last[-1]:
            outcomes[name] += 1
    assert min(outcomes.values()) > MUTATIONS // 50, outcomes
