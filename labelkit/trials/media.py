# SPDX-License-Identifier: Apache-2.0
"""The media that are tried: files of the operator, or those that `made` makes."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image

from labelkit import codec, container
from labelkit.codec.frame import Frame
from labelkit.codec.samples import AudioSamples, AudioStream, ImageSamples, VideoSamples
from labelkit.errors import HostTooSmall, LabelkitError, UnsupportedFormat
from labelkit.log_recorder import sha256
from labelkit.trials import made
from labelkit.trials.table import Picture, Wave

KINDS = ("image", "audio", "video")
MAX_PIXELS = 4_000_000  # of a picture; a larger one is scaled to it
MAX_FILM_PIXELS = 1280 * 720
MAX_SOUND_S, MAX_FILM_S = 20.0, 3.0
MAX_FRAMES = 180  # of a film, whatever its rate
_LANCZOS = Image.Resampling.LANCZOS


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples and their rate in Hz."""

    samples: Wave
    rate: int


@dataclass(frozen=True, slots=True)
class Film:
    """Frames of one size, and how many there are in a second."""

    frames: tuple[Picture, ...]
    rate: Fraction


Content: TypeAlias = Picture | Sound | Film


@dataclass(frozen=True, slots=True)
class Medium:
    """One medium; `load` decodes it anew at each call.

    kind    one of KINDS
    sha256  of the file, or of the samples where code made them
    """

    name: str
    kind: str
    sha256: str
    load: Callable[[], Content]


def of_files(paths: Iterable[str | Path], count: int) -> tuple[list[Medium], list[tuple[str, LabelkitError]]]:
    """The first `count` files of each kind, and those that cannot be decoded, each with the reason."""
    media: list[Medium] = []
    refused: list[tuple[str, LabelkitError]] = []
    names: dict[str, int] = {}
    for path in map(Path, paths):
        try:
            with container.opened(path) as reader:
                family = container.sniff(reader).family
                if family not in KINDS or sum(one.kind == family for one in media) >= count:
                    continue
                medium = Medium(_unique(path.name, names), family, sha256(reader), _loader(path))
            medium.load()
        except LabelkitError as error:
            refused.append((path.name, error))
            continue
        media.append(medium)
    return media, refused


def _unique(name: str, names: dict[str, int]) -> str:
    """Two files of one name in two folders are told apart."""
    names[name] = names.get(name, 0) + 1
    return name if names[name] == 1 else f"{name} ({names[name]})"


def of_code() -> list[Medium]:
    """Those that `made` makes; the film only where films can be encoded."""
    media = [_made(name, "image", pixels.tobytes(), pixels) for name, pixels in made.pictures()]
    media += [_made(name, "audio", samples.tobytes(), Sound(samples, made.RATE)) for name, samples in made.sounds()]
    if importlib.util.find_spec("av") is not None:
        frames = tuple(made.film())
        media.append(_made("made-film.mkv", "video", b"".join(one.tobytes() for one in frames),
                           Film(frames, made.FILM_RATE)))
    return media


def _made(name: str, kind: str, raw: bytes, content: Content) -> Medium:
    return Medium(name, kind, hashlib.sha256(raw).hexdigest(), lambda: content)


def _loader(path: Path) -> Callable[[], Content]:
    return lambda: _load(path)


def _load(path: Path) -> Content:
    with container.opened(path) as reader:
        samples = codec.decode(reader)
        if isinstance(samples, ImageSamples):
            return _bounded(rgb_of(samples.frames[0]), MAX_PIXELS)
        if isinstance(samples, AudioSamples | AudioStream):
            return _sound(samples)
        if isinstance(samples, VideoSamples):
            return _film(samples, path.name)
    raise UnsupportedFormat("{where}: a text has no pixels and no sound", where=path.name)


def rgb_of(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8 | np.uint16]]) -> Picture:
    """8 bits, three channels; what is transparent lies on white."""
    eight = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
    if eight.ndim == 2:
        return np.repeat(eight[..., None], 3, axis=2)
    if eight.shape[2] == 3:
        return np.array(eight)
    alpha = eight[..., 3:].astype(np.float32) / 255
    out: Picture = np.rint(eight[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return out


def _bounded(rgb: Picture, pixels: int) -> Picture:
    """Scaled down to so many pixels at most."""
    height, width = rgb.shape[:2]
    if height * width <= pixels:
        return rgb
    share = (pixels / (height * width)) ** 0.5
    return np.array(Image.fromarray(rgb).resize((max(1, int(width * share)), max(1, int(height * share))), _LANCZOS))


def _sound(samples: AudioSamples | AudioStream) -> Sound:
    wanted, parts = round(MAX_SOUND_S * samples.rate), []
    for block in samples.blocks():
        parts.append(np.array(block[:wanted]))
        wanted -= len(parts[-1])
        if wanted <= 0:
            break
    return Sound(np.concatenate(parts) if parts else np.zeros((0, samples.channels), np.float32), samples.rate)


def _film(samples: VideoSamples, name: str) -> Film:
    frames, times = [], []
    for frame in samples.frames(0.0, MAX_FILM_S):
        frames.append(_even(_bounded(_rgb_of_frame(frame), MAX_FILM_PIXELS)))
        times.append(frame.seconds)
        if len(frames) == MAX_FRAMES:
            break
    if len(frames) < 2 or times[-1] <= times[0]:
        raise HostTooSmall("{where}: a film of one frame cannot be tried", where=name)
    return Film(tuple(frames), Fraction((len(times) - 1) / (times[-1] - times[0])).limit_denominator(1001))


def _even(rgb: Picture) -> Picture:
    """Sides of even length, as encoders of films want them."""
    return np.ascontiguousarray(rgb[: rgb.shape[0] // 2 * 2, : rgb.shape[1] // 2 * 2])


def _rgb_of_frame(frame: Frame) -> Picture:
    """As it is displayed, but for stretched pixels; by the matrix of BT.709, whatever the film says."""
    down = frame.format.bits - 8
    planes = [frame.luma, *frame.chroma]
    y, *chroma = [np.asarray(plane >> down if down else plane, np.float32) for plane in planes]
    if not frame.format.full_range:
        y = (y - 16) * (255 / 219)
    if frame.format.halved and chroma:
        across, along = frame.format.halved
        chroma = [np.repeat(np.repeat(plane, 1 << along, 0), 1 << across, 1)[: y.shape[0], : y.shape[1]] - 128
                  for plane in chroma]
        u, v = [plane * (1 if frame.format.full_range else 255 / 224) for plane in chroma]
        rgb = np.stack([y + 1.5748 * v, y - 0.1873 * u - 0.4681 * v, y + 1.8556 * u], axis=2)
    else:
        rgb = np.repeat(y[..., None], 3, axis=2)
    turned, pixels = frame.format.orientation, np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    pixels = np.swapaxes(pixels, 0, 1) if turned.swap else pixels
    return np.ascontiguousarray(pixels[::-1 if turned.flip_y else 1, ::-1 if turned.flip_x else 1])


def of_kind(media: Iterable[Medium], kind: str) -> Iterator[Medium]:
    """Those of one kind."""
    return (one for one in media if one.kind == kind)
