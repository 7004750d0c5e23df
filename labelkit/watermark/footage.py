# SPDX-License-Identifier: Apache-2.0
"""Which frames of a film the detector looks at: few first, spread over the whole, neighbours in groups."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from labelkit.codec.frame import Frame
from labelkit.codec.samples import VideoSamples

FEW, MANY = 4, 16  # frames at effort fast and normal
GROUP = 8
WINDOW_SECONDS = 2.0  # of a group at effort deep
WINDOW_FRAMES = 16
_MOST_APART = 0.5  # seconds between frames of a film that has hardly any others than interpolated ones
_DELAY = 0.1  # seconds by which an index may place a key frame too early
_SHORT_SECONDS = 12.0  # of a film that is decoded in one go


class Look(NamedTuple):
    """One frame: its time in seconds, its luma, uint8 [height, width], without black bars, if it was coded alone."""

    seconds: float
    luma: np.ndarray
    key: bool = False


class Footage(Protocol):
    """Frames to look at."""

    seconds: float | None

    def groups(self, effort: str) -> Iterator[Iterable[Look]]:
        """Groups of looks, each of neighbours in time."""

    def between(self, start: float, stop: float) -> Iterator[Look]:
        """Frames from `start` to before `stop` seconds, in order."""

    def spread(self, count: int) -> Iterator[Look]:
        """About `count` frames over the whole length, the ends among them."""

    def keys_between(self, start: float, stop: float) -> list[float]:
        """The times inside a stretch at which `at` is quick."""

    def at(self, seconds: float) -> Look | None:
        """The frame at or before a time that can be decoded alone."""


class FilmFootage:
    """The frames of a film in a file."""

    def __init__(self, samples: VideoSamples) -> None:
        self._samples = samples
        self.seconds = samples.seconds

    @functools.cached_property
    def _keys(self) -> list[float]:
        return self._samples.key_seconds()

    def groups(self, effort: str) -> Iterator[Iterable[Look]]:
        """Frames that can be decoded alone, at even distances; where they are few, stretches decoded whole."""
        if effort == "deep":
            yield from _windows(self.between(0.0, float("inf")))
            return
        wanted = FEW if effort == "fast" else MANY
        keys = self._keys
        short = (self.seconds or 0.0) <= _SHORT_SECONDS
        if len(keys) >= wanted or not short:
            yield from _grouped(self._looks(self._samples.keys(_spread(keys, wanted))))
        else:
            stop = WINDOW_SECONDS if effort == "fast" else _SHORT_SECONDS
            rate = 12.0 * wanted / MANY
            step = max(1 / rate, min(stop, self.seconds or stop) / wanted)
            yield from _grouped(thinned(self.between(0.0, stop), step))
        if effort == "normal" and not short and len(keys) < wanted:
            middle = keys[len(keys) // 2] + _DELAY
            yield thinned(self.between(middle, middle + WINDOW_SECONDS), WINDOW_SECONDS / WINDOW_FRAMES)

    def between(self, start: float, stop: float) -> Iterator[Look]:
        """The frames of a stretch, without those that the codec interpolated.

        Where the picture moves, these show the mark of their neighbours moved along with it: it would cancel itself.
        """
        last = -1.0
        for frame in self._samples.frames(start, stop):
            if frame.anchor or frame.seconds - last >= _MOST_APART:
                last = frame.seconds
                yield look_at(frame)

    def spread(self, count: int) -> Iterator[Look]:
        """Frames that can be decoded alone, or of a short film every so many seconds."""
        if len(self._keys) >= count or (self.seconds or 0.0) > _SHORT_SECONDS:
            return self._looks(self._samples.keys(_spread(self._keys, count)))
        return thinned(self.between(0.0, _SHORT_SECONDS), (self.seconds or 1.0) / count)

    def keys_between(self, start: float, stop: float) -> list[float]:
        """The times inside a stretch at which a frame can be decoded alone."""
        return [time for time in self._keys if start < time < stop]

    def at(self, seconds: float) -> Look | None:
        """The frame at or before a time that can be decoded alone."""
        return next(self._looks(self._samples.keys([seconds])), None)

    def _looks(self, frames: Iterable[Frame]) -> Iterator[Look]:
        for frame in frames:
            yield look_at(frame)


class ListFootage:
    """Frames in memory: a list is looked at in any order, anything else once, from its start."""

    def __init__(self, frames: Iterable[np.ndarray | Frame], rate: float) -> None:
        self._frames, self._rate = frames, rate
        self._is_list = isinstance(frames, Sequence)
        self.seconds = len(frames) / rate if self._is_list else None

    def groups(self, effort: str) -> Iterator[Iterable[Look]]:
        """A few frames of a list, spread over it; of an iterator the frames in order."""
        if not self._is_list or effort == "deep":
            looks = (self._look(i, frame) for i, frame in enumerate(self._frames))
            yield from _windows(looks) if effort == "deep" else _grouped(thinned(looks, 2.5 / self._rate))
            return
        places = _spread(range(len(self._frames)), FEW if effort == "fast" else MANY)
        yield from _grouped(self._look(i, self._frames[i]) for i in places)

    def between(self, start: float, stop: float) -> Iterator[Look]:
        """The frames of a stretch; none of an iterator, which is gone."""
        if self._is_list:
            for i in range(max(0, round(start * self._rate)), min(len(self._frames), round(stop * self._rate))):
                yield self._look(i, self._frames[i])

    def spread(self, count: int) -> Iterator[Look]:
        """Frames of a list at even distances; none of an iterator."""
        if self._is_list:
            for i in _spread(range(len(self._frames)), count):
                yield self._look(i, self._frames[i])

    def keys_between(self, start: float, stop: float) -> list[float]:
        """None: every frame is as quick as another."""
        return []

    def at(self, seconds: float) -> Look | None:
        """The frame of a list at a time."""
        return next(self.between(seconds, seconds + 1 / self._rate), None)

    def _look(self, index: int, frame: np.ndarray | Frame) -> Look:
        if isinstance(frame, Frame):
            return look_at(frame)
        from labelkit.watermark import image
        image.check_array(frame)
        return Look(index / self._rate, image.luma_of(frame if frame.ndim == 3 else frame[..., None]))


def look_at(frame: Frame) -> Look:
    """The luma of a frame without the film's black bars."""
    x, y, width, height = frame.form.active or (0, 0, frame.form.width, frame.form.height)
    return Look(frame.seconds, np.ascontiguousarray(frame.eight_bits()[y:y + height, x:x + width]), frame.key)


def _spread(items: Sequence, count: int) -> list:
    """Up to `count` items at even distances, the first and the last among them."""
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def _grouped(looks: Iterable[Look]) -> Iterator[Iterable[Look]]:
    """Groups of GROUP; each look is made when it is asked for, so that what decides early costs little."""
    looks = iter(looks)
    for first in looks:
        yield itertools.chain((first,), itertools.islice(looks, GROUP - 1))


def thinned(looks: Iterable[Look], step: float) -> Iterator[Look]:
    """Looks at least `step` seconds apart."""
    due = -1.0
    for look in looks:
        if look.seconds >= due - 1e-6:
            due = look.seconds + step
            yield look


def _windows(looks: Iterable[Look]) -> Iterator[list[Look]]:
    """Groups of WINDOW_FRAMES over WINDOW_SECONDS each, half of them in the next window too."""
    kept: list[Look] = []
    for look in thinned(looks, WINDOW_SECONDS / WINDOW_FRAMES):
        kept.append(look)
        if len(kept) == WINDOW_FRAMES:
            yield kept
            kept = kept[WINDOW_FRAMES // 2:]
    if kept:
        yield kept
