# SPDX-License-Identifier: Apache-2.0
"""How far the search through a film or a long sound is, told by what is read of it.

The layers read a film in turns: its pictures for the watermark, its sound track, the opening for the explicit label,
and the sound track again. A long sound is read from its start once for each layer. What is told never falls, and is
below 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from labelkit.codec.frame import Frame
from labelkit.codec.samples import AudioStream, FrameSource, Samples, VideoSamples, Waveform

_FILM, _SILENT, _SOUND = (0.4, 0.25, 0.1, 0.24), (0.8, 0.19), (0.6, 0.39)
"""Of the turns, in their order; what is read later on is taken for part of the last one. A film of two minutes took
0.22, 0.30, 0.16 and 0.30 of the time at effort normal (28 November 2026); at effort deep its pictures take most."""


def watched(samples: Samples, on_share: Callable[[float], object]) -> Samples:
    """The same samples, which call `on_share` with the share of the search that is done, 0 to 1, as they are read.

    Pictures, texts and short sound are searched too quickly for that: they come back as they are. What `on_share`
    raises ends the search.
    """
    if isinstance(samples, VideoSamples) and samples.seconds:
        turns = _Turns(_FILM if samples.sound else _SILENT, on_share)
        rate = samples.sound.rate if samples.sound else 0
        return dataclasses.replace(samples, source=_Film(samples.source, samples.seconds, rate, turns))
    if isinstance(samples, AudioStream) and samples.frames:
        sound = _Sound(samples, _Turns(_SOUND, on_share))
        return dataclasses.replace(samples, blocks=sound.blocks)
    return samples


@dataclass(slots=True)
class _Turns:
    """Which turn it is, and how far that is."""

    shares: tuple[float, ...]
    on_share: Callable[[float], object]
    turn: int = 0
    told: float = 0.0
    kind: object = None

    def begin(self, kind: object) -> None:
        """Something of this kind is read from now on; a turn begins where that was another kind."""
        self.turn += self.kind is not None and kind != self.kind
        self.kind = kind

    def reached(self, position: float) -> None:
        """So much of the turn is done, 0 to 1, or less than it was where something is read once more."""
        turn = min(self.turn, len(self.shares) - 1)
        share = sum(self.shares[:turn]) + self.shares[turn] * min(1.0, max(0.0, position))
        if share > self.told:
            self.told = share
            self.on_share(share)


@dataclass(frozen=True, slots=True)
class _Film:
    """The source of a film; see `FrameSource`. `rate` is that of its sound, in Hz."""

    source: FrameSource
    seconds: float
    rate: int
    turns: _Turns

    def frames(self, start: float, stop: float | None) -> Iterator[Frame]:
        """See `FrameSource`."""
        return self._seen(self.source.frames(start, stop))

    def keys(self, seconds: Iterable[float]) -> Iterator[Frame]:
        """See `FrameSource`."""
        return self._seen(self.source.keys(seconds))

    def key_seconds(self) -> list[float]:
        """See `FrameSource`."""
        return self.source.key_seconds()

    def heard(self, start: float, stop: float | None) -> Iterator[Waveform]:
        """See `FrameSource`."""
        self.turns.begin("sound")
        done = 0
        for chunk in self.source.heard(start, stop):
            done += len(chunk)
            self.turns.reached((start + done / self.rate) / self.seconds)
            yield chunk

    def _seen(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        self.turns.begin("picture")
        for frame in frames:
            self.turns.reached(frame.seconds / self.seconds)
            yield frame


@dataclass(frozen=True, slots=True)
class _Sound:
    """A sound that is read from its start again and again, each time in a turn of its own."""

    sound: AudioStream
    turns: _Turns

    def blocks(self) -> Iterator[Waveform]:
        """See `AudioStream`."""
        self.turns.begin(object())
        done = 0
        for block in self.sound.blocks():
            done += len(block)
            self.turns.reached(done / self.sound.frames)
            yield block
