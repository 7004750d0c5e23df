# SPDX-License-Identifier: Apache-2.0
"""Samples in memory instead of a file: arrays and Pillow images to samples, and the labelled samples back."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from labelkit import codec, kernels, scratch
from labelkit.codec import arrow, exif, image
from labelkit.codec.samples import BLOCK, HELD, AudioStream, ImageSamples, Pixels, Samples, Waveform
from labelkit.errors import InvalidArgument, LimitExceeded

if TYPE_CHECKING:
    from PIL import Image
    from typing_extensions import TypeIs

    Held: TypeAlias = npt.NDArray[Any] | Image.Image
    """uint8, uint16 or float (0 to 1, worked on as 8 bits) [height, width], [height, width, 3] RGB or
    [height, width, 4] RGBA, or a Pillow image; with a rate, float (full scale +-1, worked on as float32) or int16,
    [frames] or [frames, channels]."""

_SAMPLES_PER_PIXEL = 4  # of sound, as `codec.audio` bounds files
_DEEP = ("I;16", "I;16L", "I;16B", "I;16N")
_ENDINGS = {"jpg": "jpeg", "jpe": "jpeg", "tif": "tiff", "oga": "ogg"}


def is_held(source: object) -> TypeIs[Held]:
    """Whether `source` is an array or a Pillow image."""
    return isinstance(source, np.ndarray) or hasattr(source, "getbands")


def samples_of(held: Held, rate: int | None, max_pixels: int = codec.MAX_PIXELS) -> Samples:
    """What the layers work on: sound where there is a rate in Hz, else a picture.

    max_pixels  bound of a picture, as for files
    Raises InvalidArgument, and LimitExceeded for more samples than are worked on: an array may claim any number of
    them, by views of a single one.
    """
    if isinstance(held, np.ndarray):
        held = _plain(held, max_pixels if rate is None else _SAMPLES_PER_PIXEL * max_pixels)
    elif rate is None and held.width * held.height > max_pixels:
        raise _too_many([held.height, held.width], max_pixels)
    if rate is not None:
        return _sound(held, rate)
    if isinstance(held, np.ndarray):
        if held.ndim == 1:
            raise InvalidArgument("an array of one dimension is sound, which needs its rate",
                                  hint="give rate, the sampling rate in Hz")
        if held.dtype.kind == "f":
            return ImageSamples((_quantised(held, np.empty(held.shape, np.uint8)),))
        pixels = held.view()
        pixels.flags.writeable = False  # the layers may change writable frames in place
        return ImageSamples((pixels,))
    return _picture(held)


@contextmanager
def lent(held: Held, rate: int | None, max_pixels: int = codec.MAX_PIXELS,
         out: npt.NDArray[Any] | None = None) -> Iterator[Callable[[], Samples]]:
    """What gives `samples_of` anew at each call, in memory that is lent where that can be.

    out  of the type and shape of `held`: their memory, where they are no floats
    The layers may change them in place, and nothing of them may be used after the `with` block.
    """
    if rate is None and not isinstance(held, np.ndarray) and held.mode == "RGB":
        with _lent_rgb(held, max_pixels) as made:
            yield made
        return
    if rate is not None or not isinstance(held, np.ndarray) or not _can_be_lent(held):
        yield lambda: samples_of(held, rate, max_pixels)
        return
    held = _plain(held, max_pixels)  # before memory is taken for as many samples as it claims
    with _lent(held, out) as fresh:
        yield lambda: ImageSamples((fresh(),))


@contextmanager
def _lent_rgb(held: Image.Image, max_pixels: int) -> Iterator[Callable[[], Samples]]:
    """What gives the samples of a Pillow image anew at each call, straight from its memory where they lie there."""
    if held.width * held.height > max_pixels:  # before the file of such an image is decoded
        raise _too_many([held.height, held.width], max_pixels)
    pixels = arrow.pixels_of(held) if _is_as_shown(held) else None
    if pixels is None:
        samples = cast(ImageSamples, samples_of(held, None, max_pixels))
        with _lent(samples.frames[0]) as fresh:
            yield lambda: dataclasses.replace(samples, frames=(fresh(),))
        return
    height, width, _ = pixels.shape
    with scratch.lent(3 * height * width) as memory:
        frame = memory.reshape(height, width, 3)

        def colours() -> Samples:
            kernels.image_colours(pixels, frame)
            return ImageSamples((frame,), held.info.get("icc_profile"))
        yield colours


def _is_as_shown(held: Image.Image) -> bool:
    """Whether a viewer shows the pixels of an RGB image as they lie."""
    is_one = getattr(held, "n_frames", 1) == 1 and not held.has_transparency_data
    return is_one and exif.orientation(held.info.get("exif") or b"") == 1


@contextmanager
def _lent(held: npt.NDArray[Any], out: npt.NDArray[Any] | None = None) -> Iterator[Callable[[], Pixels]]:
    """What gives the pixels of an array anew at each call, in `out` or in memory that is lent."""
    is_float = held.dtype.kind == "f"
    kind = np.dtype(np.uint8) if is_float else held.dtype
    with scratch.lent(held.size * kind.itemsize if out is None or is_float else 0) as memory:
        frame: npt.NDArray[Any] = memory.view(kind).reshape(held.shape) if out is None or is_float else out

        def fresh() -> Pixels:
            if is_float:
                _quantised(held, frame)
            else:
                np.copyto(frame, held)
            return frame
        yield fresh


def labelled(held: Held, rate: int | None, max_pixels: int, change: Callable[[Samples], Samples],
             out: npt.NDArray[Any] | None = None) -> Held:
    """What `change`, which may work in place, makes of samples, as what they came as.

    out  of the type and shape of `held`, a picture in an array: gets the result, and is returned
    Raises as `samples_of` does, and InvalidArgument where `out` is too small for what is made.
    """
    if out is None and (rate is not None or not _is_copied(held)):
        return like(held, change(samples_of(held, rate, max_pixels)))
    with lent(held, rate, max_pixels, out) as samples:
        made = change(samples())
        if out is None:
            return like(held, made)
        frame = cast(ImageSamples, made).frames[0]
        if frame.shape != out.shape:
            raise InvalidArgument("what is made is {shape}, and the array given for it {got}", shape=str(frame.shape),
                                  got=str(out.shape), hint="a border outside the picture makes it larger")
        if not np.may_share_memory(frame, out):
            _write_like(frame, out)
    return out


def _is_copied(held: Held) -> bool:
    """Whether `like` copies the samples, so that these may lie in memory that is lent."""
    return held.dtype.kind == "f" if isinstance(held, np.ndarray) else held.mode == "RGB"


def _can_be_lent(held: npt.NDArray[Any]) -> bool:
    is_picture = held.ndim == 2 or held.ndim == 3 and 1 <= held.shape[2] <= 4
    return is_picture and (held.dtype.kind == "f" or held.dtype.name in ("uint8", "uint16"))


def _picture(held: Image.Image) -> ImageSamples:
    """A Pillow image as a viewer shows it: upright, in 8 or 16 bits."""
    frames = getattr(held, "n_frames", 1)
    if frames > 1:
        raise InvalidArgument("a Pillow image of {frames} frames or pictures, of which one would be labelled",
                              frames=frames, hint="hand in the file, or a copy of one of them")
    turn = exif.orientation(held.info.get("exif") or b"")
    if held.mode in _DEEP:
        return ImageSamples((exif.upright(np.asarray(held).astype(np.uint16), turn),), held.info.get("icc_profile"))
    if held.mode not in image.PLAIN:
        raise InvalidArgument("Pillow images of mode {mode} are not taken", mode=held.mode,
                              hint="convert it to 8 or 16 bits a sample")
    mode = "RGBA" if held.has_transparency_data else image.PLAIN[held.mode]
    profile = held.info.get("icc_profile") if (held.mode in ("L", "1")) == (mode == "L") else None
    return ImageSamples((exif.upright(np.asarray(held if held.mode == mode else held.convert(mode)), turn),), profile)


def refuse_loss(held: Held) -> None:
    """Raise InvalidArgument for a picture that can be read, but not labelled without changing its colours."""
    if getattr(held, "mode", None) == "CMYK":
        raise InvalidArgument("a CMYK picture cannot be labelled in its pixels without changing its colours",
                              hint="convert it to RGB")


def _plain(array: npt.NDArray[Any], limit: int) -> npt.NDArray[Any]:
    """The array without the arithmetic of its own type (`numpy.matrix`), if it has at most so many samples."""
    if isinstance(array, np.ma.MaskedArray):
        raise InvalidArgument("a masked array has samples that are not there", hint="give array.filled(VALUE)")
    if math.prod(array.shape[:2]) > limit:
        raise _too_many(list(array.shape), limit)
    return np.asarray(array)


def _too_many(shape: list[int], limit: int) -> LimitExceeded:
    return LimitExceeded("samples in memory of the shape {shape}; at most {limit} are worked on at once",
                         shape=shape, limit=f"{limit:,}")


def _quantised(picture: npt.NDArray[np.floating], out: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """`out` with the uint8 pixels of floats in [0, 1]."""
    outside = np.zeros(1, np.int64)
    rows = _of_three_axes(picture)
    if rows is not None:
        kernels.floats_quantise(rows, out, outside)
    elif picture.size:
        outside[0] = not (picture.min() >= 0 and picture.max() <= 1)  # a NaN fails too
    if outside[0]:
        raise InvalidArgument("a picture of {kind} has samples from 0 to 1, got {low} to {high}",
                              kind=picture.dtype.name, low=picture.min(), high=picture.max(),
                              hint="of samples from -1 to 1 give (samples + 1) / 2, of those up to 255 samples / 255")
    if rows is None:
        out[...] = np.rint(picture * np.float32(255))
    return out


def _of_three_axes(picture: npt.NDArray[Any]) -> npt.NDArray[np.float32] | None:
    """A view [height, width, channels] that the kernels of floats take; None of what they do not."""
    if picture.dtype != np.float32 or not picture.flags.aligned or not picture.size or min(picture.strides) < 0:
        return None
    return picture[..., None] if picture.ndim == 2 else picture if picture.ndim == 3 and picture.shape[2] <= 4 else None


def _write_like(pixels: Pixels, out: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """`out`, of floats or of the type of `pixels`, with these."""
    rows = _of_three_axes(out)
    if rows is not None and pixels.dtype == np.uint8:
        eight = cast("npt.NDArray[np.uint8]", np.ascontiguousarray(pixels))
        kernels.floats_expand(eight.reshape(rows.shape), rows)
    else:
        out[...] = pixels / np.float32(255) if out.dtype.kind == "f" else pixels
    return out


def _sound(held: Held, rate: int) -> AudioStream:
    """Sound in memory as a stream of blocks, so that nothing but the result is as large as it."""
    from labelkit.watermark.audio.inputs import channels_of, check_rate  # loads the whole wing: for sound only

    check_rate(rate)
    samples = cast("npt.NDArray[np.float32 | np.int16]", held)
    if isinstance(samples, np.ndarray) and samples.dtype.name in ("float16", "float64"):
        with np.errstate(over="ignore"):  # what is infinite is refused
            samples = samples.astype(np.float32)
    channels = channels_of(samples)  # refuses everything else
    rows = samples.reshape(len(samples), channels)
    return AudioStream(functools.partial(_blocks, rows), rate, channels, len(rows))


def _blocks(samples: npt.NDArray[np.float32 | np.int16]) -> Iterator[Waveform]:
    """float32 at full scale +-1, of [frames, channels]."""
    for at in range(0, len(samples), BLOCK):
        block = samples[at : at + BLOCK].astype(np.float32, copy=False)
        yield block / np.float32(32768) if samples.dtype == np.int16 else block


def is_long(held: Held, rate: int | None) -> bool:
    """Whether it is sound of more samples than the codec holds."""
    return rate is not None and isinstance(held, np.ndarray) and held.size > HELD


def like(held: Held, samples: Samples) -> Held:
    """The labelled samples as what they came as: an array of the same type and dimensions, or a Pillow image."""
    if isinstance(samples, AudioStream):
        return _sound_like(cast("npt.NDArray[np.float32 | np.int16]", held), samples)
    if not isinstance(samples, ImageSamples):
        raise TypeError("what came in memory is a picture or a stream")
    pixels = samples.frames[0]
    if isinstance(held, np.ndarray):
        return _write_like(pixels, np.empty(pixels.shape, held.dtype)) if held.dtype.kind == "f" else pixels
    made = arrow.image_of(pixels)
    made.info = dict(held.info)
    if made.info.get("exif"):
        made.info["exif"] = exif.describe_upright(made.info["exif"], *made.size)
    if isinstance(made.info.get("xmp"), bytes):
        made.info["xmp"] = exif.xmp_upright(made.info["xmp"])
    return made


def _sound_like(held: npt.NDArray[np.float32 | np.int16], samples: AudioStream) -> npt.NDArray[np.float32 | np.int16]:
    made = np.empty((samples.frames, samples.channels), held.dtype)
    done = 0
    for block in samples.blocks():
        part = made[done : done + len(block)]
        part[:] = np.clip(np.rint(block * np.float32(32768)), -32768, 32767) if held.dtype == np.int16 else block
        done += len(block)
    return made if held.ndim == 2 else made[:, 0]


def format_of(source: object, rate: int | None, format: str | None, target: object) -> str | None:
    """The format that samples are encoded to: the one named, else that of the target's suffix; None for no encoding.

    target  a path, a file, or for a picture in an array another one of the same type and shape
    Raises InvalidArgument for a format that labelkit does not encode, and for a rate or format given with a file.
    """
    if isinstance(target, np.ndarray) and rate is None and format is None and isinstance(source, np.ndarray):
        _check_place(source, target)
        return None
    if not is_held(source):
        if rate is not None or format is not None:
            raise InvalidArgument("rate and format are of samples in memory; a file keeps its own")
        return None
    ending = Path(target).suffix.lstrip(".") if isinstance(target, str | os.PathLike) else None
    name = format if format is not None else ending
    if name is None:
        if target is not None:
            raise InvalidArgument("samples in memory go to a binary file in a format that must be named",
                                  hint="give format, such as \"png\"")
        return None
    known = _ENDINGS.get(str(name).lower(), str(name).lower())
    if known not in codec.NEW:
        raise InvalidArgument("samples are encoded to {formats}, got {got}", formats=", ".join(codec.NEW),
                              got=repr(name))
    if rate is None and known in codec.SOUND:
        raise InvalidArgument("{format} holds sound, which needs its rate", format=known,
                              hint="give rate, the sampling rate in Hz")
    return known


def _check_place(source: npt.NDArray[Any], target: npt.NDArray[Any]) -> None:
    """Raise InvalidArgument where `target` cannot take the labelled samples of `source`."""
    if target.dtype != source.dtype or target.shape != source.shape or not target.flags.writeable:
        raise InvalidArgument("the array to write into must be writable and like the source, {wanted}; got {got}",
                              wanted=f"{source.dtype} {source.shape}", got=f"{target.dtype} {target.shape}")
    if np.may_share_memory(source, target):
        raise InvalidArgument("the array to write into shares memory with the source")
