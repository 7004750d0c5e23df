# SPDX-License-Identifier: Apache-2.0
"""Pictures and animations, through Pillow: what was read is written back in the same format and quality.

JPEG    the source's own quantisation tables, subsampling and progression, Huffman tables of its own where it had
        such; grey stays grey
PNG     8 and 16 bits, see `labelkit.codec.png`; palettes become true colour; APNG keeps its frames
WebP    lossless stays lossless; lossy at the quality that the source's quantiser stands for
GIF     frames composed, each with its own palette of 256
TIFF    compression and pages kept, JPEG inside it at quality 92; BMP as it is
AVIF    at quality 85; more than 8 bits a sample, HDR and gain maps are refused
HEIC    depth, gain map and all else kept (`heic`, by extras)
CMYK pictures can be read, and are refused when they would be written: labelling would change their colours. ICO, PPM,
TGA, JPEG 2000 and JPEG XL (`jxl`) are read only.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from labelkit.codec import ancillary, avif, exif, gif, heic, jpeg, jxl, png, webp
from labelkit.codec.backends import PICTURE, translated
from labelkit.codec.samples import ImageSamples, Pixels
from labelkit.errors import LimitExceeded, TruncatedFile, UnsupportedFormat

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageFile import ImageFile

_PLUGINS = {"jpeg": "Jpeg", "png": "Png", "webp": "WebP", "gif": "Gif", "tiff": "Tiff", "bmp": "Bmp", "avif": "Avif",
            "ico": "Ico", "ppm": "Ppm", "tga": "Tga", "jp2": "Jpeg2K"}
_MAX_FRAMES = 10_000
_JPEG_PIXELS_A_BYTE = 350  # a block of 64 pixels has a DC code of at least a bit in each of 1.5 planes
_LARGE_SHARE, _PIXELS_A_BYTE = 4, 48  # of the bound on pixels; beyond it: 0.17 bits a pixel, less than flat art takes
_DEFLATE_MOST = 1032  # bytes that one byte can stand for (zlib's technical details)
_MAX_SCANS = 100  # real progressive JPEGs have about 10; each scan costs a pass over the whole picture
PLAIN = {"L": "L", "1": "L", "RGB": "RGB", "RGBA": "RGBA", "P": "RGB", "LA": "RGBA", "PA": "RGBA", "La": "RGBA",
          "RGBa": "RGBA", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB", "RGBX": "RGB"}
_AVIF_QUALITY, _TIFF_JPEG_QUALITY = 85, 92
_NEW: dict[str, dict[str, int | str]] = {
    "jpeg": {"quality": 92}, "png": {}, "webp": {"quality": 90}, "avif": {"quality": _AVIF_QUALITY},
    "tiff": {"compression": "tiff_adobe_deflate"}}



@dataclass(frozen=True, slots=True)
class _Source:
    format: str
    data: bytes
    mode: str
    options: dict[str, Any]  # what Pillow takes, and what it found
    info: dict[str | tuple[int, int], Any]
    durations: tuple[int, ...]


def decode(data: bytes, format: str, name: str, max_pixels: int, luma: bool = False) -> ImageSamples:
    """The picture in `data`, of a colour JPEG the luma alone if that is enough.

    Raises UnsupportedFormat, MalformedFile, TruncatedFile or LimitExceeded.
    """
    if format == "jxl":
        return ImageSamples(jxl.decode(data, name, min(max_pixels, _most_pixels(data, max_pixels))))
    if format == "heic":
        frames, transfer = heic.decode(data, name, min(max_pixels, _most_pixels(data, max_pixels)))
        return ImageSamples(frames, _Source(format, data, "RGB", {}, {}, ()), transfer)
    if format not in _PLUGINS:
        raise UnsupportedFormat("{where}: {format} pictures cannot be decoded", where=name, format=format,
                                other="PNG",
                                hint="convert it to {other}, or leave the signal layers out of the plan")
    with translated(name, PICTURE):
        image = _open(gif.prepared(data, name, _MAX_FRAMES) if format == "gif" else data, format)
        if format == "jpeg":
            _check_jpeg(image, data, name)
            if luma:
                image.draft("L", image.size)  # without chroma: libjpeg then neither decodes it nor converts colours
        elif format == "png" and image.size[0] * image.size[1] <= max_pixels:
            _check_png(data, name)
        _check_size(image, data, name, max_pixels)
        found, durations = [], []
        for frame in _frames(image, name, max_pixels):
            found.append(_pixels(frame, data, name))
            durations.append(int(frame.info.get("duration") or 0))
        source = _Source(format, data, image.mode, _options(image, format, data), dict(image.info), tuple(durations))
    return ImageSamples(tuple(found), source, png.transfer(data) if format == "png" else "sdr")


def luma_of_own(data: bytes) -> ImageSamples | None:
    """The luma, uint8 [height, width], of a JPEG that was encoded here: upright, whole, and within every bound."""
    pixels = jpeg.decode(data, "L", None)
    if pixels is None:
        with translated("bytes", PICTURE):
            image = _open(data, "jpeg")
            if image.mode not in ("RGB", "L") or image.info.get("adobe_transform") == 0:
                return None
            image.draft("L", image.size)
            pixels = np.frombuffer(image.tobytes(), np.uint8).reshape(image.size[::-1])
    return ImageSamples((pixels,))


def encode(samples: ImageSamples) -> bytes:
    """The file that `samples` came from, with these pixels; raises UnsupportedFormat, MalformedFile."""
    source = samples.source
    if not isinstance(source, _Source):
        raise TypeError("samples that came from a picture file are wanted")
    if source.mode == "CMYK":
        raise UnsupportedFormat("a CMYK picture cannot be labelled in its pixels without changing its colours",
                                other="RGB",
                                hint="convert it to {other}, or leave the signal layers out of the plan")
    if source.format not in _WRITERS:
        raise UnsupportedFormat("a picture cannot be encoded to {format}", format=source.format, other="PNG",
                                hint="convert it to {other}, or leave the signal layers out of the plan")
    with translated(source.format, PICTURE):
        return _WRITERS[source.format](samples.frames, source)


def encode_new(samples: ImageSamples, format: str, percent: int | None) -> bytes:
    """A new file of one picture; `samples.source` is its ICC profile or None. Raises UnsupportedFormat.

    percent  quality of lossy formats, 1 to 100; by default JPEG 92, WebP 90, AVIF 85. PNG and TIFF are lossless
    """
    frame = samples.frames[0]
    profile = samples.source if isinstance(samples.source, bytes) else None
    if frame.dtype == np.uint16 and format != "png":
        raise UnsupportedFormat("{format} pictures of 16 bits a sample are not made", format=format,
                                hint="encode them to PNG, or convert them to 8 bits")
    if format == "jpeg" and frame.ndim == 3 and frame.shape[2] == 4:
        raise UnsupportedFormat("JPEG holds no transparency", hint="encode it to PNG or WebP, or drop the alpha")
    if format not in _NEW:
        raise UnsupportedFormat("a picture cannot be encoded to {format}", format=format)
    with translated(format, PICTURE):
        if format == "png":
            encoded = png.encode(frame)
            return png.with_profile(encoded, profile) if profile else encoded
        options = {**_NEW[format]}
        if percent is not None and "quality" in options:
            options["quality"] = percent
        made = jpeg.encode(frame, {"icc_profile": profile, **options}) if format == "jpeg" else None
        return made or _save((frame,), format.upper(), icc_profile=profile, **options)


def _open(data: bytes, format: str) -> ImageFile:
    # the plugin itself, not Image.open: only the format that was sniffed is tried, and the bound is ours
    plugin = _PLUGINS[format]
    module = importlib.import_module(f"PIL.{plugin}ImagePlugin")
    image: ImageFile = getattr(module, f"{plugin}ImageFile")(io.BytesIO(data))
    return image


def _check_size(image: Image.Image, data: bytes, name: str, max_pixels: int) -> None:
    """Refuses a picture that is far larger than its bytes: a few of them would keep every layer busy for seconds."""
    width, height = image.size
    if width * height > _most_pixels(data, max_pixels):
        raise LimitExceeded("{where}: a picture of {width}x{height} in {size} bytes is not decoded", where=name,
                            width=width, height=height, size=len(data))


def _most_pixels(data: bytes, max_pixels: int) -> int:
    return max_pixels // _LARGE_SHARE + _PIXELS_A_BYTE * len(data)


def _check_jpeg(image: Image.Image, data: bytes, name: str) -> None:
    """Refuses what libjpeg would fill with grey, or go over without end, before it takes the memory for it."""
    width, height = image.size
    if width * height > _JPEG_PIXELS_A_BYTE * len(data):
        raise TruncatedFile("{where}: a JPEG of {width}x{height} cannot be whole in {size} bytes", where=name,
                            width=width, height=height, size=len(data))
    scans = data.count(b"\xff\xda")
    if scans > _MAX_SCANS:
        raise LimitExceeded("{where}: {scans} scans in a JPEG, at most {limit} are decoded", where=name, scans=scans,
                            limit=_MAX_SCANS)


def _check_png(data: bytes, name: str) -> None:
    """Refuses what Pillow would take the memory for, and then find to end too early."""
    if png.least_bytes(data) > _DEFLATE_MOST * len(data):
        width, height, *_ = png.header(data)
        raise TruncatedFile("{where}: a PNG of {width}x{height} cannot be whole in {size} bytes", where=name,
                            width=width, height=height, size=len(data))


def _frames(image: Image.Image, name: str, max_pixels: int) -> Iterator[Image.Image]:
    count = getattr(image, "n_frames", 1)
    total = 0
    for index in range(count):
        image.seek(index)
        total += image.size[0] * image.size[1]
        if total > max_pixels or count > _MAX_FRAMES or image.size[0] * image.size[1] * count > max_pixels:
            raise LimitExceeded("{where}: {frames} frames of {width}x{height}, at most {limit} megapixels in all are "
                                "decoded", where=name, frames=count, width=image.size[0], height=image.size[1],
                                limit=max_pixels // 1_000_000)
        if image.format != "JPEG":  # which is all in its header
            image.load()
        yield image


def _pixels(image: Image.Image, data: bytes, name: str) -> Pixels:
    turn = exif.orientation(image.info.get("exif") or b"")
    if image.format == "PNG" and data[24] == 16 and data[25] in (2, 4, 6):  # Pillow would cut these to 8 bits
        if getattr(image, "n_frames", 1) > 1:
            raise UnsupportedFormat("{where}: animations of 16 bits a sample cannot be decoded", where=name,
                                    hint="convert it to 8 bits a sample")
        return exif.upright(png.decode16(data), turn)
    pixels = jpeg.decode(data, image.mode, image.size) if image.format == "JPEG" else None
    if pixels is not None:
        return exif.upright(pixels, turn)
    if image.mode.startswith("I;16"):
        return exif.upright(np.asarray(image).astype(np.uint16), turn)
    if image.mode not in PLAIN:
        raise UnsupportedFormat("{where}: pictures of mode {mode} cannot be decoded", where=name, mode=image.mode,
                                hint="convert it to 8 or 16 bits a sample")
    mode = "RGBA" if image.has_transparency_data else PLAIN[image.mode]
    return exif.upright(np.asarray(image if image.mode == mode else image.convert(mode)), turn)


def _options(image: Image.Image, format: str, data: bytes) -> dict[str, Any]:
    """The settings with which Pillow writes a file like this one."""
    info = image.info
    kept = {key: info[key] for key in ("icc_profile", "xmp", "loop") if info.get(key) is not None}
    if info.get("exif"):
        kept["exif"] = info["exif"]
    if format == "jpeg":
        return _jpeg_options(image, data)
    if format == "webp":
        return kept | webp.settings(data)
    if format == "avif":
        return kept | {"quality": _AVIF_QUALITY}
    if format == "tiff":
        quality = {"quality": _TIFF_JPEG_QUALITY} if info.get("compression") == "jpeg" else {}
        return {"compression": info.get("compression"), "dpi": info.get("dpi")} | quality | kept
    return {key: kept[key] for key in ("loop",) if key in kept}


def _jpeg_options(image: Image.Image, data: bytes) -> dict[str, Any]:
    from PIL.JpegImagePlugin import JpegImageFile, get_sampling
    if not isinstance(image, JpegImageFile):
        raise TypeError("the plugin for JPEG gave another picture")
    tables = [image.quantization[key] for key in sorted(image.quantization)]
    sampling = get_sampling(image) if image.mode != "L" else 0
    return {"qtables": tables[:len(image.getbands())], "subsampling": max(sampling, 0),  # -1: an unusual one, so 4:4:4
            "progressive": bool(image.info.get("progressive")), "optimize": ancillary.has_own_codes(data),
            "keep_rgb": image.mode == "RGB" and image.info.get("adobe_transform") == 0}


def _save(frames: tuple[Pixels, ...], format: str, **options: object) -> bytes:
    from PIL import Image
    first, *others = (Image.fromarray(np.ascontiguousarray(frame)) for frame in frames)
    out = io.BytesIO()
    more = {"save_all": True, "append_images": others} if others else {}
    first.save(out, format, **more, **{key: value for key, value in options.items() if value is not None})
    return out.getvalue()


def _timing(source: _Source) -> dict[str, object]:
    return {"duration": list(source.durations)} if len(source.durations) > 1 else {}


def _same_colour(source: _Source, frame: Pixels) -> bool:
    return (source.mode in ("L", "1", "LA", "La") or source.mode.startswith("I")) == (frame.ndim == 2)


def _write_jpeg(frames: tuple[Pixels, ...], source: _Source) -> bytes:
    frame = frames[0]
    encoded = jpeg.encode(frame, source.options) or _save(frames[:1], "JPEG", **source.options)
    return ancillary.jpeg(source.data, encoded, frame.shape[1], frame.shape[0], same_colour=_same_colour(source, frame))


def _write_png(frames: tuple[Pixels, ...], source: _Source) -> bytes:
    frame = frames[0]
    encoded = (png.encode(frame) if len(frames) == 1 else
               _save(frames, "PNG", compress_level=1, **source.options, **_timing(source)))
    return ancillary.png_chunks(source.data, encoded, frame.shape[1], frame.shape[0],
                            same_colour=_same_colour(source, frame))


def _write_webp(frames: tuple[Pixels, ...], source: _Source) -> bytes:
    return _save(frames, "WEBP", **_upright_options(source, frames[0]), **_timing(source))


def _write_gif(frames: tuple[Pixels, ...], source: _Source) -> bytes:
    gif.check_comments(source.data)
    opaque = all(frame.ndim == 2 or frame.shape[2] == 3 or frame[..., 3].min() == 255 for frame in frames)
    flat = tuple(frame[..., :3] if opaque and frame.ndim == 3 else frame for frame in frames)
    return _save(flat, "GIF", disposal=1 if opaque else 2, comment=source.info.get("comment"),
                 **source.options, **_timing(source))


def _write_plainly(frames: tuple[Pixels, ...], source: _Source) -> bytes:
    return _save(frames, source.format.upper(), **_upright_options(source, frames[0]), **_timing(source))


def _write_avif(frames: tuple[Pixels, ...], source: _Source) -> bytes:
    found = avif.check(source.data)
    encoded = _write_plainly(frames, source)
    return avif.described(encoded, found) if _same_colour(source, frames[0]) else encoded


def _write_heic(frames: tuple[Pixels, ...], source: _Source) -> bytes:
    return heic.encode(source.data, frames, source.format)


def _upright_options(source: _Source, frame: Pixels) -> dict[str, object]:
    options = dict(source.options)
    if "exif" in options:
        options["exif"] = exif.describe_upright(options["exif"], frame.shape[1], frame.shape[0])
    if "xmp" in options:
        options["xmp"] = exif.xmp_upright(options["xmp"])
    if not _same_colour(source, frame):
        options.pop("icc_profile", None)
    return options


_WRITERS: dict[str, Callable[[tuple[Pixels, ...], _Source], bytes]] = {
    "jpeg": _write_jpeg, "png": _write_png, "webp": _write_webp, "gif": _write_gif,
    "tiff": _write_plainly, "avif": _write_avif, "bmp": _write_plainly, "heic": _write_heic}
