# SPDX-License-Identifier: Apache-2.0
"""Pictures come back as they were: format, quality, colour, orientation, frames, metadata."""

import io
import shutil
import struct
import subprocess
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, JpegImagePlugin, PngImagePlugin

from labelkit import codec
from labelkit.codec import image as image_codec, png
from labelkit.errors import LimitExceeded, MalformedFile, TruncatedFile, UnsupportedFormat
from tests import files


def picture(height: int = 48, width: int = 64, channels: int = 3, bits: int = 8) -> np.ndarray:
    """Smooth ground with detail, different in every corner and channel."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [96 + 80 * np.sin(x / (9 + 4 * c)) * np.cos(y / (11 + 2 * c)) + x * 40 / width for c in range(channels)]
    top = 255 if bits == 8 else 65535
    array = np.clip(np.stack(planes, axis=-1) * (top / 255) + (37 if bits == 16 else 0), 0, top)
    array = array.astype(np.uint8 if bits == 8 else np.uint16)
    return array[..., 0] if channels == 1 else array


def run(name: str, *arguments: object) -> bytes:
    """What an installed program writes; skips the test where it is not installed."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return subprocess.run([path, *map(str, arguments)], capture_output=True, timeout=600, check=True).stdout


def saved(array: np.ndarray | Image.Image, format: str, **options: object) -> bytes:
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def decoded(data: bytes, format: str) -> codec.ImageSamples:
    """By the codec alone: which formats can hold a label is another room's business."""
    return image_codec.decode(data, format.lower(), "picture", codec.MAX_PIXELS)


def reopened(data: bytes, format: str = "JPEG") -> Image.Image:
    return Image.open(io.BytesIO(codec.encode(decoded(data, format))))


def exif_with(turn: int, size: tuple[int, int] = (64, 48)) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = turn
    exif[0x010E] = "a note that stays"
    exif.get_ifd(0x8769).update({0xA002: size[0], 0xA003: size[1]})
    return exif


ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_lossless_formats_keep_every_sample(format, channels):
    if (format, channels) == ("BMP", 4):
        channels = 3  # Pillow writes no BMP with alpha that it reads back as such
    array = picture(channels=channels)
    assert np.array_equal(decoded(saved(array, format), format).frames[0], array)
    assert np.array_equal(np.asarray(reopened(saved(array, format), format)), array)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_turned_pictures_are_decoded_and_written_upright(turn, format):
    array = picture()
    options = {"lossless": True} if format == "WEBP" else {"quality": 95} if format == "JPEG" else {}
    data = saved(array, format, exif=exif_with(turn), **options)
    shown = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    samples = decoded(data, format)
    assert np.array_equal(samples.frames[0], shown)
    again = Image.open(io.BytesIO(codec.encode(samples)))
    assert again.getexif().get(0x0112, 1) == 1, "a viewer would turn it a second time"
    assert again.size == shown.shape[1::-1]
    assert np.abs(np.asarray(again).astype(int) - shown).max() <= (12 if format == "JPEG" else 0)


def test_exif_keeps_its_other_fields_and_learns_the_new_size():
    again = reopened(saved(picture(), "JPEG", exif=exif_with(6)))
    exif = again.getexif()
    assert exif[0x010E] == "a note that stays"
    assert (exif.get_ifd(0x8769)[0xA002], exif.get_ifd(0x8769)[0xA003]) == (48, 64) == again.size


def test_exif_thumbnail_of_the_unlabelled_picture_goes(tmp_path):
    thumbnail = saved(picture(16, 16), "JPEG")
    exif = exif_with(1).tobytes().removeprefix(b"Exif\0\0")
    link = 8 + 2 + 12 * struct.unpack_from(">H", exif, 8)[0]
    assert exif[:2] == b"MM" and struct.unpack_from(">I", exif, link)[0] == 0
    second = struct.pack(">HHHIIHHIII", 2, 0x0201, 4, 1, len(exif) + 30, 0x0202, 4, 1, len(thumbnail), 0)
    exif = exif[:link] + struct.pack(">I", len(exif)) + exif[link + 4:] + second + thumbnail
    data = saved(picture(), "JPEG", exif=b"Exif\0\0" + exif)
    path = tmp_path / "x.jpg"
    path.write_bytes(data)
    assert run("exiftool", "-b", "-ThumbnailImage", path) == thumbnail, "the source has one"
    path.write_bytes(codec.encode(codec.decode(data)))
    assert run("exiftool", "-b", "-ThumbnailImage", path) == b""


@pytest.mark.parametrize("quality", [35, 75, 93])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_keeps_tables_subsampling_and_progression(quality, subsampling, progressive):
    data = saved(picture(), "JPEG", quality=quality, subsampling=subsampling, progressive=progressive)
    before, after = Image.open(io.BytesIO(data)), reopened(data)
    assert before.quantization == after.quantization
    assert JpegImagePlugin.get_sampling(after) == subsampling
    assert bool(after.info.get("progressive")) == progressive


@pytest.mark.parametrize("optimize", [False, True])
def test_jpeg_does_not_grow_by_being_coded_again(optimize):
    data = saved(picture(256, 256), "JPEG", quality=75, optimize=optimize)
    assert abs(len(codec.encode(codec.decode(data))) - len(data)) < 0.01 * len(data)


def test_grey_and_plain_rgb_jpegs_stay_what_they_are():
    assert reopened(saved(picture(channels=1), "JPEG")).mode == "L"
    plain = reopened(saved(picture(), "JPEG", keep_rgb=True, subsampling=0))
    assert plain.info["adobe_transform"] == 0


def test_jpeg_keeps_foreign_segments_and_density():
    data = saved(picture(), "JPEG", dpi=(300, 300), comment=b"made by hand", icc_profile=ICC)
    data = data[:2] + files.segment(0xE7, b"vendor data") + data[2:]
    encoded = codec.encode(codec.decode(data))
    again = Image.open(io.BytesIO(encoded))
    assert (again.info["dpi"], again.info["comment"], again.info["icc_profile"]) == ((300, 300), b"made by hand", ICC)
    assert encoded.count(b"vendor data") == 1 and encoded.count(b"JFIF\0") == 1


def test_jpeg_drops_what_the_new_pixels_make_wrong():
    data = saved(picture(), "JPEG")
    data = data[:2] + files.segment(0xE2, b"MPF\0II*\0offsets") + files.segment(0xEB, b"JP\0\1 manifest") + data[2:]
    encoded = codec.encode(codec.decode(data))
    assert b"MPF" not in encoded and b"manifest" not in encoded


def test_png_keeps_texts_profile_and_density():
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "somebody")
    info.add_itxt("Title", "山水", zip=True)
    again = reopened(saved(picture(), "PNG", pnginfo=info, dpi=(144, 144), icc_profile=ICC), "PNG")
    assert again.text["Author"] == "somebody" and again.text["Title"] == "山水"
    assert again.info["icc_profile"] == ICC and round(again.info["dpi"][0]) == 144


def test_png_of_ours_is_read_by_another_decoder(tmp_path):
    path = tmp_path / "x.png"
    for array in (picture(channels=1), picture(), picture(channels=4), picture(bits=16), picture(channels=1, bits=16)):
        path.write_bytes(png.encode(array))
        rgb = array if array.ndim == 3 else np.stack([array] * 3, axis=-1)
        layout = ("rgba" if rgb.shape[2] == 4 else "rgb24") if array.dtype == np.uint8 else "rgb48le"
        raw = run("ffmpeg", "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", layout, "-")
        assert np.array_equal(np.frombuffer(raw, array.dtype).reshape(rgb.shape), rgb)


@pytest.mark.parametrize("make", [
    lambda: Image.fromarray(picture()).quantize(16),
    lambda: Image.fromarray(picture(channels=4)).quantize(16),
    lambda: Image.fromarray(picture(channels=1)).convert("1"),
    lambda: Image.fromarray(picture(channels=4)).convert("LA")], ids=["palette", "palette+alpha", "bilevel", "LA"])
def test_other_modes_are_shown_the_same(make):
    image = make()
    again = reopened(saved(image, "PNG"), "PNG")
    assert np.array_equal(np.asarray(image.convert("RGBA")), np.asarray(again.convert("RGBA")))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("filter", range(5))
def test_16_bit_png_keeps_16_bits_whatever_its_filters(channels, filter):
    array = picture(19, 23, channels, bits=16)
    data = filtered_png(array, filter)
    samples = codec.decode(data)
    assert samples.frames[0].dtype == np.uint16 and np.array_equal(samples.frames[0], array)
    assert np.array_equal(codec.decode(codec.encode(samples)).frames[0], array)


def filtered_png(array: np.ndarray, kind: int) -> bytes:
    """A 16-bit PNG with one filter for all rows, written sample by sample as the specification says."""
    height, width = array.shape[:2]
    channels = 1 if array.ndim == 2 else array.shape[2]
    raw, step = array.astype(">u2").tobytes(), 2 * channels
    stride, rows = width * step, []
    for y in range(height):
        row = bytearray([kind])
        for x in range(stride):
            at = y * stride + x
            left = raw[at - step] if x >= step else 0
            above = raw[at - stride] if y else 0
            corner = raw[at - stride - step] if y and x >= step else 0
            guess = left + above - corner
            nearest = min((left, above, corner), key=lambda value, guess=guess: abs(guess - value))
            row.append((raw[at] - (0, left, above, (left + above) // 2, nearest)[kind]) % 256)
        rows.append(bytes(row))
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    return (png.SIGNATURE + png.chunk(b"IHDR", header) + png.chunk(b"IDAT", zlib.compress(b"".join(rows)))
            + png.chunk(b"IEND", b""))


def test_16_bit_animations_are_refused_rather_than_cut():
    still, control = png.encode(picture(bits=16)), struct.pack(">IIIIIHHBB", 0, 64, 48, 0, 0, 1, 10, 0, 0)
    data = still[:33] + png.chunk(b"acTL", struct.pack(">II", 2, 0)) + png.chunk(b"fcTL", control) + still[33:]
    with pytest.raises(UnsupportedFormat, match="animations of 16 bits"):
        codec.decode(data)


def test_16_bit_interlaced_png_is_read(tmp_path):
    array = picture(37, 29, bits=16)
    path, out = tmp_path / "x.png", tmp_path / "y.png"
    path.write_bytes(png.encode(array))
    run("ffmpeg", "-v", "error", "-i", path, "-pix_fmt", "rgb48be", "-flags", "+ildct", out)
    assert out.read_bytes()[28] == 1, "not interlaced"
    assert np.array_equal(codec.decode(out.read_bytes()).frames[0], array)


@pytest.mark.parametrize("format,options", [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})])
def test_animations_keep_frames_durations_and_loop(format, options):
    frames = [Image.fromarray(np.roll(picture(), 8 * i, axis=1)).quantize(32).convert("RGB") for i in range(4)]
    data = saved(frames[0], format, save_all=True, append_images=frames[1:], duration=[50, 100, 200, 400], loop=3,
                 **options)
    samples = decoded(data, format)
    assert len(samples.frames) == 4
    again = Image.open(io.BytesIO(codec.encode(samples)))
    assert again.n_frames == 4 and again.info["loop"] == 3
    durations = []
    for index, frame in enumerate(samples.frames):
        again.seek(index)
        again.load()
        durations.append(int(again.info["duration"]))
        tolerance = 40 if format == "GIF" else 0
        assert np.abs(np.asarray(again.convert("RGB")).astype(int) - frame[..., :3]).max() <= tolerance
    assert durations == [50, 100, 200, 400]


def test_webp_stays_lossless_or_keeps_its_quality():
    array = picture(256, 256)
    assert b"VP8L" in codec.encode(codec.decode(saved(array, "WEBP", lossless=True)))
    for quality in (60, 75, 90, 97):
        data = saved(array, "WEBP", quality=quality)
        encoded = codec.encode(codec.decode(data))
        assert b"VP8L" not in encoded
        assert abs(codec.decode(encoded).source.options["quality"] - quality) <= 8


def test_webp_metadata_is_kept():
    data = saved(picture(), "WEBP", exif=exif_with(1).tobytes(), icc_profile=ICC, xmp=files.XMP_PACKET)
    again = reopened(data, "WEBP")
    assert again.info["icc_profile"] == ICC and again.info["xmp"] == files.XMP_PACKET
    assert again.getexif()[0x010E] == "a note that stays"


def test_cmyk_is_read_and_refused_for_writing():
    samples = codec.decode(saved(Image.fromarray(picture()).convert("CMYK"), "JPEG", quality=95))
    assert np.abs(samples.frames[0].astype(int) - picture()).mean() < 6
    with pytest.raises(UnsupportedFormat, match="CMYK"):
        codec.encode(samples)


def test_a_bomb_is_refused_before_it_is_decoded():
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    data = png.SIGNATURE + png.chunk(b"IHDR", header) + png.chunk(b"IDAT", zlib.compress(b"\0" * 99)) \
        + png.chunk(b"IEND", b"")
    with pytest.raises(LimitExceeded, match="60000x60000"):
        codec.decode(data)


def test_the_bound_counts_all_frames():
    frames = [Image.fromarray(np.roll(picture(), i, axis=1)) for i in range(5)]
    data = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert len(codec.decode(data, max_pixels=5 * 64 * 48).frames) == 5
    with pytest.raises(LimitExceeded):
        codec.decode(data, max_pixels=5 * 64 * 48 - 1)


def test_a_jpeg_of_many_scans_is_refused():
    data = saved(picture(), "JPEG", progressive=True)
    scan = data.index(b"\xff\xda")
    with pytest.raises(LimitExceeded, match="scans"):
        codec.decode(data[:-2] + data[scan:-2] * 100 + data[-2:])


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_cut_files_are_errors_of_ours(format):
    data = saved(picture(), format)
    for stop in (len(data) // 2, len(data) * 3 // 4):
        with pytest.raises((MalformedFile, TruncatedFile, UnsupportedFormat)):
            decoded(data[:stop], format)


def test_serving_level_is_near_the_size_of_pillows_default():
    """The other half of the bargain, the time, is a benchmark."""
    noise = np.random.default_rng(1).normal(0, 3, (256, 256, 1))
    photo = np.clip(picture(256, 256) + noise, 0, 255).astype(np.uint8)
    assert len(png.encode(photo)) < 1.25 * len(saved(photo, "PNG"))


def test_orientation_is_what_a_browser_shows(tmp_path):
    """Chromium, which turns by EXIF, shows source and output alike."""
    data = saved(np.kron(np.array([[250, 20], [90, 160]], np.uint8), np.ones((40, 60), np.uint8)), "JPEG",
                 exif=exif_with(6), quality=95)
    shots = []
    for name, content in (("source", data), ("output", codec.encode(codec.decode(data)))):
        (tmp_path / f"{name}.jpg").write_bytes(content)
        (tmp_path / f"{name}.html").write_text(f'<body style="margin:0;background:#000"><img src="{name}.jpg">')
        shot = tmp_path / f"{name}.png"
        run("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                  "--disable-background-networking", "--disable-component-update", "--disable-sync",
                  f"--user-data-dir={tmp_path / 'profile'}", "--window-size=200,200", f"--screenshot={shot}",
                  (tmp_path / f"{name}.html").as_uri())
        shots.append(np.asarray(Image.open(shot).convert("L")).astype(int))
    assert np.abs(shots[0] - shots[1]).max() <= 12
    assert shots[0][:80, :60].mean() > 30, "the picture is on the screenshot"


def test_a_flat_picture_is_as_small_as_it_can_be_and_one_that_claims_more_is_refused():
    flat = np.zeros((3000, 3000, 3), np.uint8)
    data = saved(flat, "PNG", compress_level=9)
    assert len(data) < flat.size / 900 and np.array_equal(codec.decode(data).frames[0], flat)
    claims = data[:8] + png.chunk(b"IHDR", struct.pack(">II", 9000, 9000) + data[24:29]) + data[33:]
    with pytest.raises(TruncatedFile, match="9000x9000 cannot be whole"):
        codec.decode(claims)


def luma_of(data: bytes) -> np.ndarray:
    return codec.decode(data, luma=True).frames[0]


@pytest.mark.parametrize("options", [{"subsampling": 0}, {"subsampling": 2}, {"progressive": True}, {"keep_rgb": True},
                                     {"quality": 20}])
def test_the_luma_of_a_jpeg_is_that_of_its_colours(options):
    data = saved(picture(97, 131), "JPEG", **{"quality": 90, **options})
    colours = codec.decode(data).frames[0]
    luma = luma_of(data)
    assert luma.shape == (97, 131) and luma.dtype == np.uint8 and colours.shape == (97, 131, 3)
    assert np.abs(colours @ (0.299, 0.587, 0.114) - luma).max() < (3 if options.get("subsampling") == 0 else 24)
    assert np.abs(colours @ (0.299, 0.587, 0.114) - luma).mean() < 1


@pytest.mark.parametrize("turn", [3, 6])
def test_luma_is_upright_too(turn):
    data = saved(picture(48, 64), "JPEG", exif=exif_with(turn))
    colours = codec.decode(data).frames[0]
    assert luma_of(data).shape == colours.shape[:2] == ((64, 48) if turn == 6 else (48, 64))
    assert np.abs(colours @ (0.299, 0.587, 0.114) - luma_of(data)).mean() < 1


@pytest.mark.parametrize("make", [lambda: saved(picture(channels=4), "PNG"), lambda: saved(picture(), "WEBP"),
                                  lambda: saved(picture(channels=1), "JPEG"),
                                  lambda: saved(Image.new("CMYK", (64, 48), (9, 99, 30, 4)), "JPEG")])
def test_other_pictures_come_as_ever_though_their_luma_would_do(make):
    data = make()
    assert np.array_equal(luma_of(data), codec.decode(data).frames[0])


def test_a_cut_jpeg_is_an_error_in_luma_too():
    data = saved(picture(200, 200), "JPEG")
    with pytest.raises(TruncatedFile):
        codec.decode(data[:len(data) // 2], luma=True)
    with pytest.raises(LimitExceeded):
        codec.decode(data, max_pixels=1000, luma=True)
