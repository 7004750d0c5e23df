# SPDX-License-Identifier: Apache-2.0
"""The label in sound files: chunks, tags and comments of others, damaged sizes, tags of every version."""

import struct
import zlib

import pytest

from labelkit import container, metadata
from labelkit.container import ogg
from labelkit.errors import LimitExceeded, MalformedFile, UnsupportedFormat
from labelkit.label import Kind, Label
from labelkit.metadata import xmp
from labelkit.report import Status
from tests import files
from tests.files import LABEL, OTHER

OLD = OTHER.to_json().encode()


def one_label(data: bytes) -> bool:
    """Whether the label is there, once, and nothing of the other one is left."""
    finding = metadata.read(data)
    return (finding.label == LABEL and len(finding.evidence.carriers) == 1
            and OTHER.produce_id.encode() not in data.replace(b"\0", b""))


# WAV

def info(*texts: tuple[bytes, bytes]) -> bytes:
    return b"INFO" + b"".join(kind + struct.pack("<I", len(text)) + text + b"\0" * (len(text) % 2)
                              for kind, text in texts)


def wav_with(*chunks: tuple[bytes, bytes]) -> bytes:
    return files.riff_with(files.sound("WAV"), *chunks)


def streamed(riff: int, data: int) -> bytes:
    """A WAV as a program writes it that cannot go back to fill in the sizes."""
    plain = files.sound("WAV")
    at = plain.index(b"data") + 4
    return plain[:4] + struct.pack("<I", riff) + plain[8:at] + struct.pack("<I", data) + plain[at + 4:]


WAVS = {
    "chunk": wav_with((b"AIGC", OLD)),
    "wrapped": wav_with((b"AIGC", OTHER.to_json(wrapped=True).encode())),
    "info": wav_with((b"LIST", info((b"ISFT", b"Editor 1\0"), (b"AIGC", OLD)))),
    "id3": wav_with((b"id3 ", b"")),
    "xmp": wav_with((b"_PMX", xmp.fresh(OTHER.to_json()))),
}


def tag(version: int, *frames: bytes, flags: int = 0, padding: int = 0, extended: bytes = b"") -> bytes:
    body = extended + b"".join(frames) + bytes(padding)
    return b"ID3" + bytes([version, 0, flags]) + safe(len(body)) + body


def safe(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def frame(version: int, kind: bytes, body: bytes, flags: int = 0, plain: bool = False) -> bytes:
    if version == 2:
        return kind + len(body).to_bytes(3, "big") + body
    size = safe(len(body)) if version == 4 and not plain else struct.pack(">I", len(body))
    return kind + size + struct.pack(">H", flags) + body


TEXT = b"\0AIGC\0" + OLD
WIDE = b"\1" + "\ufeffAIGC\0\ufeff".encode("utf-16-le") + OTHER.to_json().encode("utf-16-le")
TITLE = {2: frame(2, b"TT2", b"\0a song"), 3: frame(3, b"TIT2", b"\0a song"), 4: frame(4, b"TIT2", b"\3a song")}
WAVS["id3"] = wav_with((b"id3 ", tag(3, TITLE[3], frame(3, b"TXXX", TEXT))))


@pytest.mark.parametrize("name", WAVS)
def test_a_label_of_others_in_wav_gives_way(name):
    finding = metadata.read(WAVS[name])
    assert (finding.status, finding.label) == (Status.VALID, OTHER)
    out = metadata.write(WAVS[name], LABEL)
    assert one_label(out)
    assert files.packets(out) == files.packets(WAVS[name])
    assert files.riff_chunks(out)[-1] == b"AIGC" + struct.pack("<I", len(LABEL.to_json())) + LABEL.to_json().encode()


def test_other_chunks_of_wav_stay_byte_for_byte():
    data = wav_with((b"LIST", info((b"INAM", b"odd"))), (b"bext", bytes(31)), (b"smpl", b"\1" * 36))
    assert files.riff_chunks(metadata.write(data, LABEL))[:-1] == files.riff_chunks(data)


def test_id3_in_wav_keeps_its_other_frames_and_its_length():
    out = metadata.write(WAVS["id3"], LABEL)
    assert b"a song" in out
    before, after = ([part for part in files.riff_chunks(data) if part[:4] == b"id3 "] for data in (WAVS["id3"], out))
    assert len(before[0]) == len(after[0])


@pytest.mark.parametrize("sizes", [(0xFFFFFFFF, 0xFFFFFFFF), (0, 0), (0xFFFFFFFF, 0)])
def test_a_streamed_wav_gets_the_label_before_the_sound(sizes):
    data = streamed(*sizes)
    out = metadata.write(data, LABEL)
    assert metadata.read(out).label == LABEL
    assert out.index(b"AIGC") < out.index(b"data")
    assert out[out.index(b"data"):] == data[data.index(b"data"):]


def test_a_size_that_counts_its_header_is_mended():
    plain = files.sound("WAV")
    data = plain[:4] + struct.pack("<I", len(plain)) + plain[8:]
    assert metadata.read(metadata.write(data, LABEL)).label == LABEL
    files.riff_chunks(metadata.write(data, LABEL))


def test_rf64_counts_in_64_bits():
    out = metadata.write(files.sound("RF64"), LABEL)
    assert out[:4] == b"RF64" and out[4:8] == b"\xff" * 4
    assert struct.unpack("<Q", out[20:28]) == (len(out) - 8,)


def wide(kind: bytes, *rows: tuple[bytes, int], claims: int | None = None) -> bytes:
    """The head of a file of 64-bit sizes: an extra chunk of 5 GB named in the table of ds64, then 6 GB of sound."""
    table = struct.pack("<I", len(rows) if claims is None else claims) + b"".join(
        name + struct.pack("<Q", size) for name, size in rows)
    ds64 = struct.pack("<QQQ", (11 << 30) + 60 + 24 + len(table), 6 << 30, 0) + table
    return (kind + b"\xff" * 4 + b"WAVEds64" + struct.pack("<I", len(ds64)) + ds64 + b"fmt " + struct.pack(
        "<IHHIIHH", 16, 1, 1, 48_000, 96_000, 2, 16) + b"axml" + b"\xff" * 4)


@pytest.mark.parametrize("kind", [b"RF64", b"BW64"])
def test_chunks_past_4_gb_are_stepped_over(kind, tmp_path):
    path = tmp_path / "a.wav"
    with open(path, "wb") as file:  # what lies in the chunks are holes
        file.write(wide(kind, (b"axml", 5 << 30)))
        file.seek(5 << 30, 1)
        file.write(b"data" + b"\xff" * 4)
        file.truncate(file.tell() + (6 << 30))
    before = path.stat().st_size
    metadata.write_file(path, path, LABEL)
    assert metadata.read(path).label == LABEL
    with open(path, "rb") as file:
        assert struct.unpack("<Q", file.read(28)[20:]) == (path.stat().st_size - 8,)
        file.seek(before)
        assert file.read(4) == b"AIGC"
    metadata.write_file(path, path, OTHER)
    assert metadata.read(path).label == OTHER and path.stat().st_size < before + 500


def test_a_table_of_sizes_that_claims_too_much_is_refused():
    for data in (wide(b"RF64", (b"axml", 9), claims=2), wide(b"RF64", claims=0xFFFFFFFF)):
        with pytest.raises(MalformedFile, match="table of sizes"):
            metadata.read(data)


def test_a_chunk_past_the_end_is_refused():
    with pytest.raises(MalformedFile):
        metadata.read(files.sound("WAV")[:-40])


# MP3

MP3 = "MP3"
TAGS = {
    "2.2": tag(2, TITLE[2], frame(2, b"TXX", TEXT)),
    "2.3": tag(3, TITLE[3], frame(3, b"TXXX", TEXT)),
    "2.3 wide": tag(3, TITLE[3], frame(3, b"TXXX", WIDE)),
    "2.3 padded": tag(3, TITLE[3], frame(3, b"TXXX", TEXT), padding=2048),
    "2.3 unsynchronised": tag(3, TITLE[3], frame(3, b"TXXX", WIDE).replace(b"\xff\xfe", b"\xff\0\xfe"), flags=0x80),
    "2.3 extended": tag(3, TITLE[3], frame(3, b"TXXX", TEXT), flags=0x40, extended=struct.pack(">IHI", 6, 0, 0)),
    "2.3 compressed": tag(3, TITLE[3], frame(3, b"TXXX", struct.pack(">I", len(TEXT)) + zlib.compress(TEXT), 0x80)),
    "2.4": tag(4, TITLE[4], frame(4, b"TXXX", b"\3AIGC\0" + OLD)),
    "2.4 plain sizes": tag(4, TITLE[4], frame(4, b"TXXX", b"\3AIGC\0" + OLD, plain=True)),
    "2.4 unsynchronised": tag(4, TITLE[4], frame(4, b"TXXX", WIDE.replace(b"\xff\xfe", b"\xff\0\xfe"), 0x02),
                              flags=0x80),
    "2.4 length": tag(4, TITLE[4], frame(4, b"TXXX", safe(len(TEXT)) + TEXT, 0x01)),
    "2.4 extended": tag(4, TITLE[4], frame(4, b"TXXX", TEXT), flags=0x40, extended=b"\0\0\0\6\1\0"),
    "2.4 footer": tag(4, TITLE[4], frame(4, b"TXXX", TEXT), flags=0x10) + b"3DI" + bytes(7),
    "two tags": tag(4, TITLE[4]) + tag(3, frame(3, b"TXXX", TEXT)),
    "comment": tag(3, TITLE[3], frame(3, b"COMM", b"\0eng\0" + OTHER.to_json(wrapped=True).encode())),
    "xmp": tag(3, TITLE[3], frame(3, b"PRIV", b"XMP\0" + xmp.fresh(OTHER.to_json()))),
    "lower case": tag(3, TITLE[3], frame(3, b"TXXX", b"\0aigc\0" + OLD)),
}


@pytest.mark.parametrize("name", TAGS)
def test_a_label_of_others_in_mp3_gives_way(name, tmp_path):
    sound = files.sound(MP3)
    data = TAGS[name] + sound
    finding = metadata.read(data)
    assert (finding.status, finding.label) == (Status.VALID, OTHER)
    out = metadata.write(data, LABEL)
    assert one_label(out)
    assert out.endswith(sound) and b"a song" in out
    assert files.ffprobe_labels(out, ".mp3", tmp_path)[0] == LABEL.to_json()


def test_padding_takes_the_label_in():
    data = tag(3, TITLE[3], padding=2048) + files.sound(MP3)
    assert len(metadata.write(data, LABEL)) == len(data)


def test_a_text_outside_latin_is_written_wide():
    label = Label.as_found(Kind.GENERATED, {**LABEL.fields(), "ContentProducer": "某公司"})
    for version in (2, 3, 4):
        data = metadata.write(tag(version, TITLE[version]) + files.sound(MP3), label)
        assert metadata.read(data).label == label


@pytest.mark.parametrize("broken", [tag(5), tag(3, TITLE[3])[:-1], b"ID3\3\0\0\x80\0\0\0" + bytes(40)])
def test_broken_tags_are_refused(broken):
    with pytest.raises((MalformedFile, UnsupportedFormat)):
        metadata.read(broken)


def test_raw_aac_is_refused_by_name():
    with pytest.raises(UnsupportedFormat):
        metadata.write(b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(200), LABEL)


def test_noise_that_starts_like_mp3_is_not_one():
    with pytest.raises(UnsupportedFormat):
        container.sniff(b"\xff\xfb\x90\x64" + bytes(4000))


# FLAC

def block(kind: int, body: bytes, last: bool = False) -> bytes:
    return bytes([kind | (0x80 if last else 0)]) + len(body).to_bytes(3, "big") + body


def comments(*entries: bytes) -> bytes:
    return struct.pack("<I", 6) + b"vendor" + struct.pack("<I", len(entries)) + b"".join(
        struct.pack("<I", len(entry)) + entry for entry in entries)


def flac_parts() -> tuple[bytes, bytes]:
    """STREAMINFO's body, and the frames."""
    data, at = files.sound("FLAC"), 4
    info = data[8:42]
    while True:
        last, length = data[at] & 0x80, int.from_bytes(data[at + 1:at + 4], "big")
        at += 4 + length
        if last:
            return info, data[at:]


def test_flac_without_comments_gets_them_behind_streaminfo():
    info, frames = flac_parts()
    data = b"fLaC" + block(0, info, last=True) + frames
    out = metadata.write(data, LABEL)
    assert out[4:8] == b"\0\0\0\x22" and out[42] == 0x84 and out.endswith(frames)
    assert metadata.read(out).label == LABEL and files.packets(out) == files.packets(data)


def test_flac_comments_of_others_are_replaced_and_the_rest_kept():
    info, frames = flac_parts()
    entries = (b"TITLE=\xe5\xb1\xb1", b"aigc=" + OLD, b"DESCRIPTION=" + OTHER.to_json(wrapped=True).encode())
    data = b"fLaC" + block(0, info) + block(4, comments(*entries)) + block(1, bytes(99), last=True) + frames
    assert metadata.read(data).evidence.duplicates == 1
    out = metadata.write(data, LABEL)
    assert one_label(out)
    assert out.endswith(block(1, bytes(99), last=True) + frames)
    assert entries[0] in out


def test_flac_behind_an_id3_tag_has_one_label_in_its_comments():
    data = tag(3, TITLE[3], frame(3, b"TXXX", TEXT)) + files.sound("FLAC")
    assert container.sniff(data).name == "flac"
    out = metadata.write(data, LABEL)
    assert one_label(out) and b"a song" in out
    assert metadata.read(out).evidence.carriers[0].slot == "VORBIS_COMMENT AIGC"


def test_comments_that_claim_too_much_are_refused():
    info, frames = flac_parts()
    data = b"fLaC" + block(0, info) + block(4, struct.pack("<III", 0, 0xFFFFFFFF, 9), last=True) + frames
    with pytest.raises(MalformedFile):
        metadata.read(data)


# Ogg

def ogg_pages(data: bytes) -> list[bytes]:
    """The pages; a wrong checksum is an error."""
    pages, at = [], 0
    while at < len(data):
        count = data[at + 26]
        stop = at + 27 + count + sum(data[at + 27:at + 27 + count])
        page = data[at:stop]
        assert page[:4] == b"OggS"
        assert ogg.checksum(page[:22] + bytes(4) + page[26:]) == int.from_bytes(page[22:26], "little")
        pages.append(page)
        at = stop
    return pages


def test_the_checksum_is_that_of_the_encoder():
    assert len(ogg_pages(files.sound("OGG", "VORBIS"))) > 2


@pytest.mark.parametrize("codec", ["VORBIS", "OPUS"])
def test_ogg_pages_behind_the_comments_stay_byte_for_byte(codec):
    before, after = ogg_pages(files.sound("OGG", codec)), ogg_pages(metadata.write(files.sound("OGG", codec), LABEL))
    assert len(before) == len(after)
    assert after[0] == before[0] and after[2:] == before[2:]
    assert [int.from_bytes(page[18:22], "little") for page in after] == list(range(len(after)))


@pytest.mark.parametrize("codec", ["VORBIS", "OPUS"])
def test_comments_that_need_more_pages_renumber_the_rest(codec):
    host = files.sound("OGG", codec)
    with container.opened(host) as reader:
        layout = container.scan(reader)
        big = container.join(reader, container.edit(reader, layout, {}, b"x" * 200_000))
    pages = ogg_pages(big)
    assert len(pages) == len(ogg_pages(host)) + 3
    assert [int.from_bytes(page[18:22], "little") for page in pages] == list(range(len(pages)))
    assert files.packets(big) == files.packets(host)
    small = metadata.write(big, LABEL)  # fewer bytes on as many pages
    ogg_pages(small)
    assert one_label(small) and files.packets(small) == files.packets(host)


def test_ogg_without_a_known_codec_is_refused():
    data = bytearray(files.sound("OGG", "VORBIS"))
    data[28:35] = b"\x01speex!"
    with pytest.raises(UnsupportedFormat):
        metadata.write(bytes(data), LABEL)


def test_ogg_that_breaks_off_in_its_headers_is_refused():
    with pytest.raises((MalformedFile, LimitExceeded)):
        metadata.write(files.sound("OGG", "OPUS")[:100], LABEL)
