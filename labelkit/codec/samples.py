# SPDX-License-Identifier: Apache-2.0
"""Decoded media: the samples that the signal layers work on, and what encode needs to write them like the source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from labelkit.codec.frame import Form, Frame


@dataclass(frozen=True, slots=True)
class ImageSamples:
    """A picture or an animation as a viewer shows it: upright, frames fully composed.

    frames  uint8 or uint16 arrays [height, width], [height, width, 3] RGB or [height, width, 4] RGB + straight
            alpha; may be read-only; the pages of a TIFF may differ in size
    source  what the codec remembers of the encoded file; its business alone
    """

    frames: tuple[np.ndarray, ...]
    source: object = field(default=None, repr=False)

    def map(self, change: Callable[[np.ndarray], np.ndarray]) -> ImageSamples:
        """The same file with `change` applied to every frame."""
        return replace(self, frames=tuple(change(frame) for frame in self.frames))


@dataclass(frozen=True, slots=True)
class AudioSamples:
    """A clip of sound.

    samples  float32 [frames, channels], full scale +-1
    rate     frames per second, Hz
    source   what the codec remembers of the encoded file; its business alone
    """

    samples: np.ndarray
    rate: int
    source: object = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Sound:
    """The sound track of a film that a player plays unasked.

    rate      Hz
    channels  how many
    begin     when it begins, in seconds after the first frame
    seconds   its own length, None where it is not known
    """

    rate: int
    channels: int
    begin: float = 0.0
    seconds: float | None = None


class SoundChange(Protocol):
    """Changes sound as it streams: what `push` and `finish` return, put together, is as long as what was pushed."""

    def push(self, chunk: np.ndarray) -> np.ndarray:
        """The samples that are ready, of float32 [frames, channels]; perhaps none."""

    def finish(self) -> np.ndarray:
        """The rest."""


class FrameSource(Protocol):
    """Where the frames of a film come from, as often as they are asked for."""

    def frames(self, start: float, stop: float | None) -> Iterator[Frame]:
        """See `VideoSamples.frames`."""

    def keys(self, seconds: Iterable[float]) -> Iterator[Frame]:
        """See `VideoSamples.keys`."""

    def key_seconds(self) -> list[float]:
        """See `VideoSamples.key_seconds`."""

    def heard(self, start: float, stop: float | None) -> Iterator[np.ndarray]:
        """See `VideoSamples.heard`."""


@dataclass(frozen=True, slots=True)
class VideoSamples:
    """A film. Its frames are decoded when they are asked for, and never held together.

    form           what all frames share
    seconds        its length, None where it is not known
    source         gives frames and sound, and remembers what encode needs
    sound          the sound track, None where there is none that can be decoded
    changes        what encode does to each frame, in this order; each may edit the planes in place
    sound_changes  each makes, of rate and channels, what changes the sound track, if there is one; without any it is
                   copied
    """

    form: Form
    seconds: float | None
    source: FrameSource = field(repr=False)
    sound: Sound | None = None
    changes: tuple[Callable[[Frame], None], ...] = ()
    sound_changes: tuple[Callable[[int, int], SoundChange], ...] = ()

    def map(self, change: Callable[[Frame], None]) -> VideoSamples:
        """The same film with `change` applied to every frame, after the changes that it has."""
        return replace(self, changes=(*self.changes, change))

    def map_sound(self, make: Callable[[int, int], SoundChange]) -> VideoSamples:
        """The same film with its sound track changed by what `make` gives, after the changes that it has.

        Without a sound track it is the same film, and encode says so.
        """
        return replace(self, sound_changes=(*self.sound_changes, make))

    def frames(self, start: float = 0.0, stop: float | None = None) -> Iterator[Frame]:
        """The frames of the source from `start` to before `stop` seconds, without the changes."""
        return self.source.frames(start, stop)

    def keys(self, seconds: Iterable[float]) -> Iterator[Frame]:
        """For each time the frame at or before it that can be decoded alone; one that comes again is left out."""
        return self.source.keys(seconds)

    def key_seconds(self) -> list[float]:
        """The times of such frames as far as the file's index tells them, ascending; up to a few frames too early."""
        return self.source.key_seconds()

    def heard(self, start: float = 0.0, stop: float | None = None) -> Iterator[np.ndarray]:
        """The sound track from `start` to `stop` seconds, unchanged: chunks of float32 [frames, channels].

        What is missing is silence, but for the end. Nothing where there is no sound track.
        """
        return self.source.heard(start, stop)


Samples = ImageSamples | AudioSamples | VideoSamples
