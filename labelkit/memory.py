# SPDX-License-Identifier: Apache-2.0
"""Samples in memory in the place of a file: what callers hand in, and how it comes back to them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labelkit import codec
from labelkit.codec.samples import AudioSamples, ImageSamples, Samples
from labelkit.errors import InvalidArgument
from labelkit.watermark.audio_input import channels_of, check_rate

if TYPE_CHECKING:
    from PIL import Image

    Held = np.ndarray | Image.Image
    """uint8, uint16 or float (0 to 1, worked on as 8 bits) [height, width], [height, width, 3] RGB or
    [height, width, 4] RGBA, or a Pillow image; with a rate, float32 (full scale +-1) or int16, [frames] or
    [frames, channels]."""

_ENDINGS = {"jpg": "jpeg", "jpe": "jpeg", "tif": "tiff", "oga": "ogg"}


def is_held(source: object) -> bool:
    """Whether `source` is an array or a Pillow image."""
    return isinstance(source, np.ndarray) or hasattr(source, "getbands")


def samples_of(held: Held, rate: int | None) -> Samples:
    """What the layers work on: sound where there is a rate, else a picture. Raises InvalidArgument."""
    if rate is not None:
        return _sound(held, rate)
    if isinstance(held, np.ndarray):
        if held.ndim == 1:
            raise InvalidArgument("an array of one dimension is sound, which needs its rate",
                                  hint="give rate, the sampling rate in Hz")
        shielded = held.view() if held.dtype.kind != "f" else _quantised(held)
        shielded.flags.writeable = False  # the layers may work in place on what is theirs
        return ImageSamples((shielded,))
    mode = "RGBA" if held.has_transparency_data else "L" if held.mode in ("L", "1") else "RGB"
    profile = held.info.get("icc_profile") if (held.mode in ("L", "1")) == (mode == "L") else None
    return ImageSamples((np.asarray(held if held.mode == mode else held.convert(mode)),), profile)


def _quantised(picture: np.ndarray) -> np.ndarray:
    if picture.size and not (picture.min() >= 0 and picture.max() <= 1):  # a NaN fails too
        raise InvalidArgument("a picture of {kind} has samples from 0 to 1, got {low} to {high}",
                              kind=picture.dtype.name, low=picture.min(), high=picture.max())
    return np.rint(picture * np.float32(255)).astype(np.uint8)


def _sound(held: Held, rate: int) -> AudioSamples:
    check_rate(rate)
    channels_of(held)
    samples = held if held.dtype == np.float32 else held.astype(np.float32) / np.float32(32768)
    return AudioSamples(samples if held.ndim == 2 else samples[:, None], rate)


def like(held: Held, samples: Samples) -> Held:
    """The labelled samples as what they came as."""
    if isinstance(samples, AudioSamples):
        shaped = samples.samples if held.ndim == 2 else samples.samples[:, 0]
        if held.dtype == np.float32:
            return shaped
        return np.clip(np.rint(shaped * np.float32(32768)), -32768, 32767).astype(np.int16)
    if isinstance(held, np.ndarray):
        pixels = samples.frames[0]
        return (pixels / np.float32(255)).astype(held.dtype) if held.dtype.kind == "f" else pixels
    from PIL import Image
    image = Image.fromarray(samples.frames[0])
    image.info = dict(held.info)
    return image


def format_of(source: object, rate: int | None, format: str | None, target: object) -> str | None:
    """The format that samples are encoded to: the one named, else that of the target's ending; None for none.

    Raises InvalidArgument for a format of which nothing new is made, and for files, which have a rate and a format.
    """
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
