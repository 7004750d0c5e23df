# SPDX-License-Identifier: Apache-2.0
"""Which frames of a film the detector reads: a few first, evenly spaced over the whole, neighbours in groups."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from labelkit.codec.frame import Frame
from labelkit.codec.samples import VideoSamples
from labelkit.watermark.image.pixels import check_array, eight_bits, luma_of

FEW, MANY = 4, 16  # frames at effort fast and normal
GROUP = 8
WINDOW_SECONDS = 2.0  # of a group at effort deep
WINDOW_FRAMES = 16
_MAX_GAP = 0.5  # seconds between frames of a film that has hardly any others than interpolated ones
_INDEX_ERROR = 0.1  # seconds by which an index may state a key frame too early
_LAST_FRAME = 0.1  # seconds, at least, that the last frame which was not interpolated is shown
_SHORT_SECONDS = 12.0  # of a film that is decoded in one go
AnyFrame: TypeAlias = Frame | npt.NDArray[np.uint8 | np.uint16 | np.float32]
T = TypeVar("T")


class SampledFrame(NamedTuple):
    """One frame that the detector reads.

    seconds  its time in the film
    luma     uint8 [height, width], without black bars
    key      whether the codec coded it alone
    """

    seconds: float
    luma: npt.NDArray[np.uint8]
    key: bool = False


class FrameSampler(Protocol):
    """Reads frames of a film; `seconds` is its length, None where it is not known."""

    seconds: float | None

    def groups(self, effort: str) -> Iterator[Iterable[SampledFrame]]:
        """Groups of frames, each of neighbours in time."""

    def between(self, start: float, stop: float) -> Iterator[SampledFrame]:
        """Frames from `start` to before `stop` seconds, in order."""

    def evenly_spaced(self, count: int) -> Iterator[SampledFrame]:
        """About `count` frames over the whole length, the first and the last among them."""

    def key_times(self, start: float, stop: float) -> list[float]:
        """The times between `start` and `stop` seconds at which `key_frame_at` needs to decode one frame only."""

    def key_frame_at(self, seconds: float) -> SampledFrame | None:
        """The last frame at or before a time that can be decoded alone."""


class FilmSampler:
    """Reads the frames of a film in a file."""

    def __init__(self, samples: VideoSamples) -> None:
        self._samples = samples
        self.seconds = samples.seconds

    @functools.cached_property
    def _keys(self) -> list[float]:
        return self._samples.key_seconds()

    def groups(self, effort: str) -> Iterator[Iterable[SampledFrame]]:
        """Key frames, evenly spaced; where they are few, stretches of consecutive frames."""
        if effort == "deep":
            yield from _windows(self.between(0.0, float("inf")))
            return
        wanted = FEW if effort == "fast" else MANY
        keys = self._keys
        short = (self.seconds or 0.0) <= _SHORT_SECONDS
        if len(keys) >= wanted or not short:
            yield from _grouped(self._key_frames(evenly_spaced(keys, wanted)))
        else:
            stop = WINDOW_SECONDS if effort == "fast" else _SHORT_SECONDS
            rate = 12.0 * wanted / MANY
            step = max(1 / rate, min(stop, self.seconds or stop) / wanted)
            yield from _grouped(thinned(self.between(0.0, stop), step))
        if effort == "normal" and not short and len(keys) < wanted:
            middle = keys[len(keys) // 2] + _INDEX_ERROR
            yield thinned(self.between(middle, middle + WINDOW_SECONDS), WINDOW_SECONDS / WINDOW_FRAMES)

    def between(self, start: float, stop: float) -> Iterator[SampledFrame]:
        """Frames from `start` to before `stop` seconds, without those that the codec interpolated.

        Where the picture moves, an interpolated frame shows its neighbours' marks moved along: they would cancel.
        """
        last = -1.0
        for frame in self._samples.frames(start, stop):
            if frame.anchor or frame.seconds - last >= _MAX_GAP:
                last = frame.seconds
                yield sampled(frame)

    def evenly_spaced(self, count: int) -> Iterator[SampledFrame]:
        """About `count` key frames, or frames of a short film at equal distances."""
        if len(self._keys) >= count or (self.seconds or 0.0) > _SHORT_SECONDS:
            return self._key_frames(evenly_spaced(self._keys, count))
        step = max(0.0, (self.seconds or 1.0) - _LAST_FRAME) / max(1, count - 1)
        return thinned(self.between(0.0, _SHORT_SECONDS), step)

    def key_times(self, start: float, stop: float) -> list[float]:
        """The times of key frames between `start` and `stop` seconds."""
        return [time for time in self._keys if start < time < stop]

    def key_frame_at(self, seconds: float) -> SampledFrame | None:
        """The last key frame at or before a time."""
        return next(self._key_frames([seconds]), None)

    def _key_frames(self, seconds: Iterable[float]) -> Iterator[SampledFrame]:
        return map(sampled, self._samples.keys(seconds))


class StreamSampler:
    """Reads frames from an iterator, once, from its start.

    rate  frames a second
    """

    def __init__(self, frames: Iterable[AnyFrame], rate: float) -> None:
        self._frames, self._rate = frames, rate
        self.seconds: float | None = None

    def groups(self, effort: str) -> Iterator[Iterable[SampledFrame]]:
        """The frames in order."""
        frames = (_sampled_at(index, frame, self._rate) for index, frame in enumerate(self._frames))
        yield from _windows(frames) if effort == "deep" else _grouped(thinned(frames, 2.5 / self._rate))

    def between(self, start: float, stop: float) -> Iterator[SampledFrame]:
        """Nothing: what was read is gone."""
        return iter(())

    def evenly_spaced(self, count: int) -> Iterator[SampledFrame]:
        """Nothing: what was read is gone."""
        return iter(())

    def key_times(self, start: float, stop: float) -> list[float]:
        """Nothing: what was read is gone."""
        return []

    def key_frame_at(self, seconds: float) -> SampledFrame | None:
        """None: what was read is gone."""
        return None


class SequenceSampler:
    """Reads frames of a sequence, in any order.

    rate  frames a second
    """

    def __init__(self, frames: Sequence[AnyFrame], rate: float) -> None:
        self._frames, self._rate = frames, rate
        self.seconds: float | None = len(frames) / rate

    def groups(self, effort: str) -> Iterator[Iterable[SampledFrame]]:
        """A few frames, evenly spaced; at effort "deep" all in order."""
        if effort == "deep":
            yield from _windows(self._at(range(len(self._frames))))
        else:
            yield from _grouped(self.evenly_spaced(FEW if effort == "fast" else MANY))

    def between(self, start: float, stop: float) -> Iterator[SampledFrame]:
        """Frames from `start` to before `stop` seconds, in order."""
        return self._at(range(max(0, round(start * self._rate)), min(len(self._frames), round(stop * self._rate))))

    def evenly_spaced(self, count: int) -> Iterator[SampledFrame]:
        """Up to `count` frames over the whole length, the first and the last among them."""
        return self._at(evenly_spaced(range(len(self._frames)), count))

    def key_times(self, start: float, stop: float) -> list[float]:
        """Nothing: no frame is faster to read than another."""
        return []

    def key_frame_at(self, seconds: float) -> SampledFrame | None:
        """The frame at a time."""
        return next(self.between(seconds, seconds + 1 / self._rate), None)

    def _at(self, indices: Iterable[int]) -> Iterator[SampledFrame]:
        return (_sampled_at(index, self._frames[index], self._rate) for index in indices)


def _sampled_at(index: int, frame: AnyFrame, rate: float) -> SampledFrame:
    if isinstance(frame, Frame):
        return sampled(frame)
    check_array(frame)
    return SampledFrame(index / rate, luma_of(eight_bits(frame if frame.ndim == 3 else frame[..., None])))


def sampled(frame: Frame) -> SampledFrame:
    """The luma of a frame without the film's black bars, as 8 bits."""
    x, y, width, height = frame.format.active or (0, 0, frame.format.width, frame.format.height)
    luma = np.ascontiguousarray(frame.eight_bits()[y:y + height, x:x + width])
    return SampledFrame(frame.seconds, luma, frame.key)


def evenly_spaced(items: Sequence[T], count: int) -> list[T]:
    """Up to `count` items at equal distances, the first and the last among them."""
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def _grouped(frames: Iterable[SampledFrame]) -> Iterator[Iterable[SampledFrame]]:
    """Groups of GROUP frames, each frame read when it is asked for, so that an early decision costs little."""
    frames = iter(frames)
    for first in frames:
        yield itertools.chain((first,), itertools.islice(frames, GROUP - 1))


def thinned(frames: Iterable[SampledFrame], step: float) -> Iterator[SampledFrame]:
    """Frames at least `step` seconds apart."""
    due = -1.0
    for frame in frames:
        if frame.seconds >= due - 1e-6:
            due = frame.seconds + step
            yield frame


def _windows(frames: Iterable[SampledFrame]) -> Iterator[list[SampledFrame]]:
    """Groups of WINDOW_FRAMES over WINDOW_SECONDS each; every window repeats the second half of the one before."""
    window: list[SampledFrame] = []
    for frame in thinned(frames, WINDOW_SECONDS / WINDOW_FRAMES):
        window.append(frame)
        if len(window) == WINDOW_FRAMES:
            yield window
            window = window[WINDOW_FRAMES // 2:]
    if window:
        yield window
