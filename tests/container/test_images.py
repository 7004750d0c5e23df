# SPDX-License-Identifier: Apache-2.0
"""JPEG, PNG and WebP as structures: what is kept, what is found, what is refused."""

import io
import struct
import zlib

import pytest

from labelkit import container, metadata
from labelkit.errors import LimitExceeded, MalformedFile, TruncatedFile, UnsupportedFormat
from tests import files

HOSTS = {
    "jpeg": files.picture("JPEG", quality=90),
    "jpeg with comment": files.jpeg_with(files.segment(0xFE, b"comment")),
    "png": files.picture("PNG"),
    "webp lossy": files.picture("WEBP", quality=80),
    "webp lossless": files.picture("WEBP", "RGBA", lossless=True),
}


def put(data: bytes, body: bytes = files.XMP_PACKET) -> bytes:
    """The file with one more XMP packet."""
    with container.opened(data) as reader:
        layout = container.scan(reader)
        return container.join(reader, container.edit(reader, layout, {}, body))


def slots(data: bytes) -> list[tuple[str, str, bytes]]:
    with container.opened(data) as reader:
        return [(slot.kind, slot.key, slot.load()) for slot in container.slots(reader)]


@pytest.mark.parametrize("name", HOSTS)
def test_a_new_packet_is_found_again_and_pixels_stay(name):
    out = put(HOSTS[name])
    assert [body for kind, _, body in slots(out) if kind == "xmp"] == [files.XMP_PACKET]
    assert (files.decoded(out) == files.decoded(HOSTS[name])).all()


@pytest.mark.parametrize("name", HOSTS)
def test_a_plain_file_has_no_packet(name):
    assert [kind for kind, _, _ in slots(HOSTS[name]) if kind in ("xmp", "c2pa")] == []


@pytest.mark.parametrize("name", HOSTS)
def test_offsets_point_at_the_unit(name):
    out = put(HOSTS[name])
    slot = next(slot for slot in container.slots(out) if slot.kind == "xmp")
    unit = out[slot.offset_bytes:slot.offset_bytes + slot.length_bytes]
    assert files.XMP_PACKET in unit
    assert files.XMP_PACKET not in unit[:-len(files.XMP_PACKET)]


@pytest.mark.parametrize("name", HOSTS)
def test_taking_the_packet_out_gives_the_pixels_back(name):
    data = put(HOSTS[name])
    with container.opened(data) as reader:
        layout = container.scan(reader)
        packet = next(slot for slot in layout.slots if slot.kind == "xmp")
        out = container.join(reader, container.edit(reader, layout, {packet: None}))
    assert files.XMP_PACKET not in out
    assert (files.decoded(out) == files.decoded(HOSTS[name])).all()


def test_jpeg_packet_goes_behind_jfif_and_exif_and_other_segments_stay():
    app1 = files.segment(0xE1, b"Exif\0\0" + files.exif(description=b"a picture\0"))
    other = files.segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(200))
    data = files.jpeg_with(app1, other)
    before, after = files.jpeg_segments(data), files.jpeg_segments(put(data))
    assert after[:2] == before[:2]
    assert after[2].startswith(b"\xff\xe1") and b"http://ns.adobe.com/xap/1.0/\0" in after[2][:40]
    assert after[3:] == before[2:]


def test_png_packet_goes_behind_ihdr_and_other_chunks_stay():
    data = files.png_with(files.chunk(b"gAMA", struct.pack(">I", 45455)), files.chunk(b"tEXt", b"Title\0x"))
    before, after = files.png_chunks(data), files.png_chunks(put(data))
    assert after[0] == before[0] and after[2:] == before[1:]
    assert after[1][4:8] == b"iTXt"


def test_png_label_behind_the_pixels_is_seen():
    data = files.png_with(files.chunk(b"tEXt", b"AIGC\0x"), at_end=True)
    assert ("text", "AIGC", b"x") in slots(data)


def test_animated_png_keeps_its_frames():
    frames = [files.pixels(), files.pixels().rotate(180)]
    out = io.BytesIO()
    frames[0].save(out, "PNG", save_all=True, append_images=frames[1:], duration=40)
    labelled = put(out.getvalue())
    assert files.decoded(labelled).shape[0] == 2
    assert (files.decoded(labelled) == files.decoded(out.getvalue())).all()


def test_animated_webp_keeps_its_frames():
    out = io.BytesIO()
    files.pixels().save(out, "WEBP", save_all=True, append_images=[files.pixels().rotate(180)], duration=40)
    labelled = put(out.getvalue())
    assert (files.decoded(labelled) == files.decoded(out.getvalue())).all()
    assert files.decoded(labelled).shape[0] == 2


@pytest.mark.parametrize(("mode", "alpha"), [("RGB", 0), ("RGBA", 0x10)])
def test_webp_header_is_made_with_size_and_alpha(mode, alpha):
    out = put(files.picture("WEBP", mode, lossless=True))
    header = files.riff_chunks(out)[0]
    assert header[:4] == b"VP8X"
    assert header[8] == 0x04 | alpha
    assert int.from_bytes(header[12:15], "little") + 1 == 64
    assert int.from_bytes(header[15:18], "little") + 1 == 48


def test_webp_flag_follows_the_packet_and_other_chunks_stay():
    data = files.picture("WEBP", quality=80, exif=b"Exif\0\0" + files.exif(b"text of a picture\0"))
    before, after = files.riff_chunks(data), files.riff_chunks(put(data))
    assert before[0][:4] == b"VP8X" and not before[0][8] & 4
    assert after[0][8] == before[0][8] | 4
    assert after[1:-1] == before[1:]


def test_webp_without_its_last_padding_byte_is_mended():
    picture = next(part for part in files.riff_chunks(files.picture("WEBP", quality=80)))
    body = picture[8:] + b"\0" * (1 - len(picture) % 2)
    data = b"RIFF" + struct.pack("<I", 12 + len(body)) + b"WEBP" + picture[:4] + struct.pack("<I", len(body)) + body
    assert len(data) % 2 == 1
    out = put(data)
    assert [part[:4] for part in files.riff_chunks(out)] == [b"VP8X", b"VP8 ", b"XMP "]


def test_jpeg_fill_bytes_and_lone_markers_are_read_over():
    data = files.picture("JPEG")
    data = data[:20] + b"\xff\xff\xff" + data[20:]
    assert put(data).endswith(data[20:])


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_compressed_text_is_unpacked(kind):
    middle = b"\0" if kind == b"zTXt" else b"\1\0zh\0\0"
    data = files.png_with(files.chunk(kind, b"AIGC\0" + middle + zlib.compress(b"text" * 9)))
    assert ("text", "AIGC", b"text" * 9) in slots(data)


def test_a_text_bomb_is_bounded():
    bomb = zlib.compress(bytes(64 << 20), 9)
    data = files.png_with(files.chunk(b"zTXt", b"AIGC\0\0" + bomb))
    with pytest.raises(LimitExceeded):
        slots(data)


def test_broken_compression_is_an_error():
    data = files.png_with(files.chunk(b"zTXt", b"AIGC\0\0" + b"no deflate"))
    with pytest.raises(MalformedFile):
        slots(data)


def test_a_body_above_64_kb_is_refused_in_jpeg():
    with pytest.raises(LimitExceeded, match="JPEG segment"):
        put(files.picture("JPEG"), bytes(65_536))


@pytest.mark.parametrize("name", HOSTS)
def test_cut_files_are_refused(name):
    for length in (13, 15, 18):
        with pytest.raises(MalformedFile):
            put(HOSTS[name][:length])


def test_a_chunk_longer_than_the_file_says_where():
    data = files.png_with(struct.pack(">I4s", 4096, b"iTXt"))[:60]
    with pytest.raises(TruncatedFile, match="iTXt at byte 33 claims 4096 bytes"):
        container.scan(data)


def test_an_empty_file_is_called_empty():
    with pytest.raises(UnsupportedFormat, match="empty"):
        container.sniff(b"")


@pytest.mark.parametrize("data", [b"\0", b"GIF", b"text" * 100, b"RIFF\0\0\0\0ABCD"])
def test_unknown_formats_name_those_that_can_be_written(data):
    with pytest.raises(UnsupportedFormat, match="png"):
        container.sniff(data)


@pytest.mark.parametrize(("data", "name", "other"), [
    (files.picture("BMP"), "BMP", "PNG"), (b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(200), "AAC", "M4A"),
    (b".snd\0\0\0\x18" + bytes(40), "AU", "WAV"), ((b"G" + bytes(187)) * 3, "MPEG-TS", "MP4"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "DOC", "DOCX")])
def test_formats_without_a_place_for_a_label_name_one_that_has_it(data, name, other):
    with pytest.raises(UnsupportedFormat, match=name) as caught:
        metadata.write(data, files.LABEL)
    assert other in str(caught.value.hint) and other in caught.value.hint.text("zh-CN")


@pytest.mark.parametrize(("name", "mime"), [("jpeg", "image/jpeg"), ("png", "image/png"), ("webp lossy", "image/webp")])
def test_formats_are_told_by_content(name, mime, tmp_path):
    path = tmp_path / "picture.mp3"
    path.write_bytes(HOSTS[name])
    assert container.sniff(path).mime == mime
