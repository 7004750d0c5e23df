# SPDX-License-Identifier: Apache-2.0
"""The trials of films: those of pictures on each frame alike, and those of codecs and time. Wants PyAV."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from labelkit.messages import Message
from labelkit.trials import pictures
from labelkit.trials.media import Film
from labelkit.trials.table import Group, Picture, PictureTrial

PUBLISHED_CRF = 18  # what labelkit writes films with


@dataclass(frozen=True, slots=True)
class FilmTrial:
    """What happens to a film: a change of its frames, then an encoder."""

    name: str
    group: Group
    says: Message
    change: Callable[[Film], Film]
    codec: str = "libx264"
    crf: int = 23
    is_simulated: bool = False


_OF_PICTURES = ("noise-8", "blur", "sharpen", "brighter", "screenshot", "mirror", "crop-70", "crop-40", "scale-50",
                "turn-2", "turn-90", "aspect-90", "camcorder", "faces", "denoise", "jitter", "bottleneck")


def _same(film: Film) -> Film:
    return film


def _halved(film: Film) -> Film:
    return Film(film.frames[::2], film.rate / 2)


def _faster(film: Film) -> Film:
    return Film(film.frames, film.rate * Fraction(11, 10))


def _cut(film: Film) -> Film:
    """The middle 60 % of the length."""
    skip = len(film.frames) // 5
    return Film(film.frames[skip : len(film.frames) - skip], film.rate)


def _barred(film: Film) -> Film:
    """A square picture with black bars."""
    height, width = film.frames[0].shape[:2]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2

    def frame(rgb: Picture) -> Picture:
        out = np.zeros((side, side, 3), np.uint8)
        out[top : top + height, left : left + width] = rgb
        return out
    return Film(tuple(map(frame, film.frames)), film.rate)


def _each(trial: PictureTrial) -> FilmTrial:
    """A trial of pictures on every frame; chance is the same in all, but noise."""
    def change(film: Film) -> Film:
        seeds = range(len(film.frames)) if trial.group is Group.NOISE else [0] * len(film.frames)
        return Film(tuple(pictures.apply(trial, rgb, seed) for rgb, seed in zip(film.frames, seeds, strict=True)),
                    film.rate)
    return FilmTrial(trial.name, trial.group, trial.says, change, is_simulated=trial.is_simulated)


@functools.cache
def trials() -> tuple[FilmTrial, ...]:
    """All of them, in the order of the report."""
    of_pictures = {one.name: one for one in pictures.trials()}
    codecs = (
        FilmTrial("unchanged", Group.UNCHANGED, Message("as it was marked"), _same, crf=PUBLISHED_CRF),
        FilmTrial("h264-28", Group.RECOMPRESSION, Message("H.264, CRF 28"), _same, crf=28),
        FilmTrial("h264-34", Group.RECOMPRESSION, Message("H.264, CRF 34"), _same, crf=34),
        FilmTrial("h265-30", Group.RECOMPRESSION, Message("H.265, CRF 30"), _same, "libx265", 30))
    time = (
        FilmTrial("half-rate", Group.STRETCH, Message("every second frame"), _halved),
        FilmTrial("speed-110", Group.STRETCH, Message("10 % faster"), _faster),
        FilmTrial("cut-60", Group.CROP, Message("60 % of the length"), _cut),
        FilmTrial("bars", Group.ASPECT, Message("black bars, to a square"), _barred))
    return (*codecs, *(_each(of_pictures[name]) for name in _OF_PICTURES), *time)


def encoded(film: Film, codec: str = "libx264", crf: int = PUBLISHED_CRF) -> bytes:
    """The film as Matroska; an odd column or row is left out."""
    import av

    height, width = (side // 2 * 2 for side in film.frames[0].shape[:2])
    data = io.BytesIO()
    options = {"crf": str(crf), "preset": "veryfast", **({"x265-params": "log-level=error"} if "265" in codec else {})}
    with av.open(data, "w", format="matroska") as out:
        stream = out.add_stream(codec, rate=film.rate, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.thread_type = "AUTO"  # frames whole, as ffmpeg has them; else x264 cuts each into slices
        for index, rgb in enumerate(film.frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb[:height, :width]), format="rgb24")
            frame.pts, frame.time_base = index, 1 / film.rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return data.getvalue()


def apply(trial: FilmTrial, film: Film) -> bytes:
    """The file that the trial makes of a film; the same at every call."""
    return encoded(trial.change(film), trial.codec, trial.crf)
