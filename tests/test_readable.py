# SPDX-License-Identifier: Apache-2.0
"""Formats without a place for a label: what is in their samples is found, and nothing is written to them."""

import io
import random
import struct
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from imagecodecs import jpegxl_encode
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import labelkit as lk
from labelkit import container, metadata
from labelkit.errors import LabelkitError, UnsupportedFormat
from tests import sounds
from tests.explicit import test_office as office
from tests.films import film
from tests.media import LABEL, photo
from tests.metadata.test_ooxml import document
from tests.metadata.test_pdf import packed as packed_pages, plain as plain_pages

SIGNAL = lk.Layer.EXPLICIT, lk.Layer.WATERMARK
RATE = 44_100


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return lk.embed(photo(), label=LABEL)


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return lk.embed(sounds.music(12), label=LABEL, rate=RATE)


@pytest.fixture(scope="module")
def moving(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    source = film(folder / "film.mp4", count=60, size=(640, 360), sound=("aac",))
    return lk.embed(source, folder / "labelled.mp4", LABEL)


def saved(pixels: np.ndarray, kind: str, mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(out, kind, **options)
    return out.getvalue()


PICTURES: dict[str, tuple[str, Callable[[np.ndarray], bytes]]] = {
    "BMP": ("bmp", lambda x: saved(x, "BMP")), "ICO": ("ico", lambda x: saved(x, "ICO", sizes=[(256, 192)])),
    "PPM": ("ppm", lambda x: saved(x, "PPM")), "PGM": ("ppm", lambda x: saved(x, "PPM", "L")),
    "TGA": ("tga", lambda x: saved(x, "TGA")), "packed TGA": ("tga", lambda x: saved(x, "TGA", compression="tga_rle")),
    "old TGA": ("tga", lambda x: saved(x, "TGA")[:-26]),
    "JPEG 2000": ("jp2", lambda x: saved(x, "JPEG2000")),
    "JPEG 2000 without boxes": ("jp2", lambda x: saved(x, "JPEG2000", no_jp2=True)),
    "JPEG XL": ("jxl", jpegxl_encode), "lossy JPEG XL": ("jxl", lambda x: jpegxl_encode(x, level=85)),
    "JPEG XL in boxes": ("jxl", lambda x: jpegxl_encode(x, usecontainer=True)),
}
SEARCHED = ("bmp", "ico", "ppm", "tga")  # for what they can hold although it is no place for a label
SOUNDS = {"AIFF": ("aiff", "AIFF", "PCM_16"), "AU": ("au", "AU", "PCM_16"),
          "Wave64": ("w64", "W64", "PCM_24")}
ENCODED = {"AAC": ("aac", "adts", "aac"), "AC-3": ("ac3", "ac3", "ac3"), "E-AC-3": ("eac3", "eac3", "eac3"),
           "WMA": ("wma", "asf", "wmav2")}
FILMS = {"MPEG-TS": ("ts", "mpegts", None), "MPEG-PS": ("mpg", "mpeg", "mpeg2video"), "WMV": ("wmv", "asf", "wmv2")}


def plain_sound(x: np.ndarray, kind: str, subtype: str) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, x, RATE, format=kind, subtype=subtype)
    return out.getvalue()


def remade(source: Path, muxer: str, codec: str | None) -> bytes:
    """The pictures of a film in another container: copied, or encoded anew."""
    av = pytest.importorskip("av")
    out = io.BytesIO()
    with av.open(str(source)) as file, av.open(out, "w", format=muxer) as target:
        pictures = file.streams.video[0]
        if codec is None:
            copy = target.add_stream_from_template(pictures)
            for packet in file.demux(pictures):
                if packet.dts is not None:
                    packet.stream = copy
                    target.mux(packet)
            return out.getvalue()
        stream = target.add_stream(codec, rate=25, options={"qmin": "2", "qmax": "4"})
        stream.width, stream.height, stream.pix_fmt = pictures.width, pictures.height, "yuv420p"
        for number, frame in enumerate(file.decode(pictures)):
            frame.pts, frame.time_base, frame.pict_type = number, Fraction(1, 25), 0
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return out.getvalue()


def check(data: bytes, name: str) -> None:
    """The signal layers are found, the metadata say that there are none or why nobody looked; nothing is written where
    there is no place for it."""
    assert container.sniff(data).name == name
    report = lk.verify(data)
    assert [report[layer].status for layer in SIGNAL] == [lk.Status.VALID] * 2
    assert report[lk.Layer.WATERMARK].payload == lk.Payload.of(LABEL)
    if container.sniff(data).writable:
        assert report[lk.Layer.METADATA].status is lk.Status.ABSENT
        assert metadata.read(metadata.write(data, LABEL)).label == LABEL
        return
    assert report[lk.Layer.METADATA].status is (lk.Status.ABSENT if name in SEARCHED else lk.Status.UNCHECKED)
    assert "has no place" in str(report[lk.Layer.METADATA].summary)
    refuses(data)


def refuses(data: bytes) -> None:
    for act in (lambda: lk.embed(data, label=LABEL), lambda: lk.embed(data, label=LABEL, replace=True),
                lambda: metadata.write(data, LABEL), lambda: container.scan(data)):
        with pytest.raises(UnsupportedFormat, match="has no place that a standard or guide gives to a label"):
            act()


@pytest.mark.parametrize("name", PICTURES)
def test_pictures(name, picture):
    kind, make = PICTURES[name]
    if kind == "ico":  # holds no more than 256 pixels a side
        picture = lk.embed(np.asarray(Image.fromarray(photo()).resize((256, 192))), label=LABEL)
    check(make(picture), kind)
    bare = lk.verify(make(photo()))
    assert [bare[layer].status for layer in SIGNAL] == [lk.Status.ABSENT] * 2


@pytest.mark.parametrize("name", [name for name in PICTURES if PICTURES[name][0] in SEARCHED])
def test_a_clean_picture_that_can_hold_no_label_gets_the_all_clear(name):
    report = lk.verify(PICTURES[name][1](photo()), effort="fast")
    assert report.verdict is lk.Verdict.NONE and not report.unseen
    assert str(report[lk.Layer.METADATA].summary) == "no AIGC label: the format has no place for one"


def test_one_that_can_hold_a_label_and_was_not_looked_through_does_not():
    report = lk.verify(PICTURES["JPEG 2000 without boxes"][1](photo()), effort="fast")
    assert report.verdict is lk.Verdict.UNDETERMINED and "metadata could not be checked" in str(report.unseen[0])


def texts_of(text: str) -> dict[str, bytes]:
    """A text in each place that these formats have for one."""
    small = np.ascontiguousarray(photo()[:48, :64])
    pnm, tga = saved(small, "PPM"), saved(small, "TGA")
    notes = PngInfo()
    notes.add_itxt("Comment", text)
    extension = struct.pack("<H41s324s128x", 495, b"", text.encode())
    place = (len(tga) - 26).to_bytes(4, "little")
    return {
        "PPM": pnm[:3] + f"# {text}\n".encode() + pnm[3:],
        "PPM, last": pnm.replace(b"255\n", f"#{text}\r255\n".encode(), 1),
        "ICO": icon(saved(small, "PNG"), saved(small, "PNG", pnginfo=notes)),
        "TGA, identification": bytes([len(text)]) + tga[1:18] + text.encode() + tga[18:],
        "TGA, comments": tga[:-26] + extension.ljust(495, b"\0") + place + tga[-22:],
    }


def icon(*pictures: bytes) -> bytes:
    rows, at = b"", 6 + 16 * len(pictures)
    for one in pictures:
        rows += struct.pack("<BBBBHHII", 64, 48, 0, 0, 1, 32, len(one), at)
        at += len(one)
    return struct.pack("<HHH", 0, 1, len(pictures)) + rows + b"".join(pictures)


def test_a_label_in_a_text_of_such_a_picture_is_read():
    short = lk.Label(lk.Kind.GENERATED, "acme", "7")
    for name, data in texts_of("AIGC=" + short.to_json()).items():
        found = metadata.read(data)
        carrier, = found.evidence.carriers
        assert (found.status, found.label, carrier.home) == (lk.Status.VALID, short, False), name
        assert b"AIGC" in data[carrier.offset_bytes:carrier.offset_bytes + carrier.length_bytes], name
        refuses(data)
    for name, data in texts_of("a cat").items():
        assert metadata.read(data).status is lk.Status.ABSENT, name


def test_what_of_such_a_picture_was_not_read_is_named():
    small = np.ascontiguousarray(photo()[:48, :64])
    tga, png = bytearray(saved(small, "TGA")), saved(small, "PNG")
    tga[-22:-18] = (18).to_bytes(4, "little")
    for data, what in ((bytes(tga), "developer area"), (icon(png, png[:-20])[:-1], "claims"),
                       (b"P6 2 2 #" + bytes(1 << 17) + b"\n255 " + bytes(12), "beyond byte")):
        found = metadata.read(data)
        assert found.status is lk.Status.UNCHECKED and what in str(found.summary)


MARKDOWN = b"---\ntitle: a cat\n---\n# A cat\n\n![a cat](%s)\n"
HTML = b"<!DOCTYPE html><html><head><title>a cat</title></head><body><img src='%s'></body></html>"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><image href='%s'/></svg>"
INSIDE = b"data:image/png;base64,iVBORw0KGgo="


def with_member(data: bytes, name: str) -> bytes:
    """An archive with one more member."""
    file = io.BytesIO(data)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(name, "x")
    return file.getvalue()


PAGES_WITH_PICTURE = plain_pages(b"<< /Picture << /Subtype /Image /Width 1 /Height 1 >> >>")


@pytest.mark.parametrize(("with_picture", "without"), [
    (lambda: MARKDOWN % INSIDE, lambda: MARKDOWN % b"cat.png"), (lambda: HTML % INSIDE, lambda: HTML % b"cat.png"),
    (lambda: SVG % INSIDE, lambda: SVG % b"cat.png"),
    (lambda: document(more={"word/media/image1.png": b"x"}), document),
    (lambda: with_member(office.odt("a"), "Pictures/1.png"), lambda: with_member(office.odt("a"), "styles.xml")),
    (lambda: with_member(office.epub("<p>a</p>"), "O/1.jpg"), lambda: with_member(office.epub("<p>a</p>"), "O/1.css")),
    (lambda: with_member(office.odt("a"), "Media/1.mp4"), lambda: with_member(office.odt("a"), "Other/1")),
    (lambda: with_member(office.epub("<p>a</p>"), "O/1.opus"), lambda: with_member(office.epub("<p>a</p>"), "O/1.otf")),
    (lambda: PAGES_WITH_PICTURE, plain_pages), (lambda: PAGES_WITH_PICTURE, packed_pages),
], ids=["markdown", "html", "svg", "docx", "odt", "epub", "film in odt", "sound in epub", "pdf", "packed pdf"])
def test_a_file_without_samples_has_no_watermark_but_what_it_holds_may(with_picture, without):
    plain, rich = (lk.verify(make())[lk.Layer.WATERMARK] for make in (without, with_picture))
    assert plain.status is rich.status is lk.Status.ABSENT and "not made of samples" in str(plain.summary)
    assert not plain.missed and not plain.is_open and rich.is_open
    assert [str(what) for what in rich.missed] == ["the pictures, sound or films that the document holds"]


@pytest.mark.parametrize("name", SOUNDS)
def test_sound_of_libsndfile(name, sound):
    kind, *how = SOUNDS[name]
    check(plain_sound(sound, *how), kind)


@pytest.mark.parametrize("name", ENCODED)
def test_encoded_sound(name, sound):
    kind, *how = ENCODED[name]
    check(sounds.encoded(sound, RATE, *how), kind)


@pytest.mark.parametrize("name", FILMS)
def test_films(name, moving):
    kind, *how = FILMS[name]
    check(remade(moving, *how), kind)


def test_films_of_broadcast_packets(moving):
    plain = remade(moving, "mpegts", None)
    packets = b"".join(bytes(4) + plain[at:at + 188] for at in range(0, len(plain), 188))  # as on discs
    check(packets, "ts")


def test_unlabelled_sound_has_nothing():
    report = lk.verify(plain_sound(sounds.music(12), "AIFF", "PCM_16"))
    assert [report[layer].status for layer in SIGNAL] == [lk.Status.ABSENT] * 2


@pytest.mark.parametrize("data", [b"8BPS\0\1" + bytes(100), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
def test_what_cannot_be_decoded_is_refused_by_verify_too(data):
    refuses(data)
    with pytest.raises(UnsupportedFormat, match="has no place"):
        lk.verify(data)


@pytest.mark.parametrize("data", [b"P6 is not a picture", b"P7 1 1 ", b"G" + bytes(187), bytes(400),
                                  b"\0\0\2\0\0\0\0\0\0\0\0\0\x10\0\x10\0\x18\0" + bytes(9)])
def test_what_only_begins_like_one_is_of_no_known_format(data):
    with pytest.raises(UnsupportedFormat, match="not known"):
        container.sniff(data)


@pytest.mark.parametrize("name", [*PICTURES, *SOUNDS, "AAC", "MPEG-TS"])
def test_broken_ones_give_errors_of_our_own(name, moving):
    small = np.ascontiguousarray(photo()[:192, :256])
    data = (PICTURES[name][1](small) if name in PICTURES else plain_sound(sounds.music(1), *SOUNDS[name][1:])
            if name in SOUNDS else sounds.encoded(sounds.music(1), RATE, *ENCODED[name][1:]) if name in ENCODED else
            remade(moving, *FILMS[name][1:])[:60_000])
    draw = random.Random(name)
    for number in range(12):
        broken = bytearray(data[:draw.randrange(len(data))] if number % 3 == 0 else data)
        for _ in range(draw.randrange(1, 8) if broken else 0):
            broken[draw.randrange(min(len(broken), 400))] = draw.randrange(256)
        try:
            lk.verify(bytes(broken), effort="fast")
        except LabelkitError:
            continue
