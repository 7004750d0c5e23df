# SPDX-License-Identifier: Apache-2.0
"""Decoded media: the samples that the signal layers work on, and what encode needs to write them like the source."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from labelkit.codec.frame import Frame, FrameFormat
from labelkit.errors import LabelkitError
from labelkit.messages import Message

Pixels = npt.NDArray[np.uint8 | np.uint16]
"""[height, width], [height, width, 3] RGB or [height, width, 4] RGB and straight alpha."""
Waveform = npt.NDArray[np.float32]
"""[frames, channels], full scale +-1."""

MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 8_000, 192_000
"""The sampling rates in Hz that the watermark works at."""
LEAST_DECODED_RATE, MOST_DECODED_RATE = 1_000, 768_000
"""The sampling rates in Hz of sound that is decoded at all: below is no voice, and what is made grows with the rate."""


@dataclass(frozen=True, slots=True)
class ImageSamples:
    """A picture or an animation as a viewer shows it: upright, frames fully composed.

    frames    uint8 or uint16 arrays [height, width], [height, width, 3] RGB or [height, width, 4] RGB + straight
              alpha; may be read-only; the pages of a TIFF may differ in size
    source    what the codec remembers of the encoded file; its business alone
    transfer  "sdr", "pq" or "hlg" (Rec. ITU-R BT.2100)
    """

    frames: tuple[Pixels, ...]
    source: object = field(default=None, repr=False)
    transfer: str = "sdr"

    def map(self, change: Callable[[Pixels], Pixels]) -> ImageSamples:
        """The same file with `change` applied to every frame."""
        return replace(self, frames=tuple(change(frame) for frame in self.frames))


Weights = tuple[float, ...]
"""How much each channel counts for loudness (BS.1770-4, table 3); 0 for one of low-frequency effects."""


Inserted = tuple[tuple[float, float], ...]
"""(moment in the source, length) of each piece that was put into sound, in seconds, in order."""


HELD = 1 << 24
"""Samples of all channels that are held as an array, 64 MiB: three minutes of stereo at 48 kHz."""
BLOCK = 1 << 16
"""Frames of sound that are worked on at a time, so that they stay in the cache."""
Blocks = Callable[[], Iterator[Waveform]]
"""Gives sound block by block from its start, at each call anew."""
Span = tuple[int, int]
"""First frame and last + 1."""


@dataclass(frozen=True, slots=True)
class AudioSamples:
    """A clip of sound in memory.

    samples  float32 [frames, channels], full scale +-1
    rate     frames per second, Hz
    source   what the codec remembers of the encoded file; its business alone
    weights  of the channels, where their order is not that of WAV
    inserted what was put into the sound of the source
    """

    samples: Waveform
    rate: int
    source: object = field(default=None, repr=False)
    weights: Weights | None = None
    inserted: Inserted = ()

    @property
    def frames(self) -> int:
        """How many there are."""
        return len(self.samples)

    @property
    def channels(self) -> int:
        """How many there are."""
        channels: int = self.samples.shape[1]
        return channels

    def blocks(self) -> Iterator[Waveform]:
        """The sound in pieces of BLOCK frames, views of the samples."""
        return (self.samples[at : at + BLOCK] for at in range(0, len(self.samples), BLOCK))

    def stretches(self, spans: Iterable[Span]) -> Iterator[Waveform]:
        """The samples of each span, as far as there are any."""
        return (self.samples[max(0, start) : max(0, stop)] for start, stop in spans)

    def rebuilt(self, change: Callable[[Blocks], Iterator[Waveform]], frames: int, inserted: Inserted) -> AudioSamples:
        """The clip that `change` makes of the blocks, `frames` long; see AudioStream."""
        made = np.empty((frames, self.channels), np.float32)
        done = 0
        for block in change(self.blocks):
            made[done : done + len(block)] = block
            done += len(block)
        return replace(self, samples=made, inserted=inserted)

    def whole(self) -> AudioSamples:
        """The same: it is in memory."""
        return self


@dataclass(frozen=True, slots=True)
class AudioStream:
    """A clip of sound that is decoded anew at each pass, so that memory does not grow with its length.

    blocks   gives it from the start: float32 [frames, channels], full scale +-1; raises where the file breaks off
    rate     frames per second, Hz
    channels how many
    frames   how many the file states; a broken file has fewer
    The rest is as for AudioSamples. The file must stay open as long.
    """

    blocks: Blocks
    rate: int
    channels: int
    frames: int
    source: object = field(default=None, repr=False)
    weights: Weights | None = None
    inserted: Inserted = ()

    def stretches(self, spans: Iterable[Span]) -> Iterator[Waveform]:
        """The samples of each span, as far as there are any, from one pass that ends with the last of them.

        spans  starts and stops ascend
        """
        blocks = self.blocks()
        held, first = np.empty((0, self.channels), np.float32), 0  # `held` begins with frame `first`
        for start, stop in spans:
            parts, end = [held], first + len(held)
            while end < stop and (block := next(blocks, None)) is not None:
                end += len(block)
                parts, first = ([*parts, block], first) if end > start else ([], end)
            held = np.concatenate(parts) if parts else held[:0]
            before = min(max(start - first, 0), len(held))
            held, first = held[before:], first + before
            yield held[: max(0, stop - first)]

    def rebuilt(self, change: Callable[[Blocks], Iterator[Waveform]], frames: int, inserted: Inserted) -> AudioStream:
        """The clip that `change` makes of the blocks at each pass, `frames` long.

        change    takes what gives the blocks, which it may call more than once
        inserted  what it is said to have had put in
        """
        return replace(self, blocks=functools.partial(change, self.blocks), frames=frames, inserted=inserted)

    def whole(self) -> AudioSamples:
        """The clip in memory."""
        samples = np.concatenate([np.empty((0, self.channels), np.float32), *self.blocks()])
        return AudioSamples(samples, self.rate, self.source, self.weights, self.inserted)


Audio = AudioSamples | AudioStream
"""Sound, whether it is held or decoded as it is asked for."""


@dataclass(frozen=True, slots=True)
class Sound:
    """The sound track of a film that a player plays unasked.

    rate      Hz
    channels  how many
    begin     when it begins, in seconds after the first frame
    seconds   its own length, None where it is not known
    weights   of the channels, None where they are not known
    """

    rate: int
    channels: int
    begin: float = 0.0
    seconds: float | None = None
    weights: Weights | None = None


class SoundChange(Protocol):
    """Changes sound as it streams: what `push` and `finish` return, put together, is as long as what was pushed."""

    def push(self, chunk: Waveform) -> Waveform:
        """The samples that are ready, of float32 [frames, channels]; perhaps none."""

    def finish(self) -> Waveform:
        """The rest."""


@runtime_checkable
class Remembering(Protocol):
    """A change of frames that remembers those before, and begins anew at key frames."""

    def __call__(self, frame: Frame) -> None:
        """Change a frame in place."""

    def anew(self) -> Callable[[Frame], None]:
        """The same change before its first frame."""


class FrameSource(Protocol):
    """Where the frames of a film come from, as often as they are asked for."""

    def frames(self, start: float, stop: float | None) -> Iterator[Frame]:
        """See `VideoSamples.frames`."""

    def keys(self, seconds: Iterable[float]) -> Iterator[Frame]:
        """See `VideoSamples.keys`."""

    def key_seconds(self) -> list[float]:
        """See `VideoSamples.key_seconds`."""

    def heard(self, start: float, stop: float | None) -> Iterator[Waveform]:
        """See `VideoSamples.heard`."""


@dataclass(frozen=True, slots=True)
class VideoSamples:
    """A film. Its frames are decoded when they are asked for, and never held together.

    format           what all frames share
    seconds        its length, None where it is not known
    source         gives frames and sound, and remembers what encode needs
    sound          the sound track, None where there is none that can be decoded
    changes        what encode does to each frame, in this order; each may edit the planes in place
    sound_changes  each makes, of rate and channels, what changes the sound track; without any it is copied
    grained        whether the changes add grain to smooth ground, which encoders are told
    """

    format: FrameFormat
    seconds: float | None
    source: FrameSource = field(repr=False)
    sound: Sound | None = None
    changes: tuple[Callable[[Frame], None], ...] = ()
    sound_changes: tuple[Callable[[int, int], SoundChange], ...] = ()
    grained: bool = False

    def map(self, change: Callable[[Frame], None]) -> VideoSamples:
        """The same film with `change` applied to every frame, after the changes that it has."""
        return replace(self, changes=(*self.changes, change))

    def anew(self) -> VideoSamples:
        """The same film with changes that remember no frame, to be worked on at the same time."""
        return replace(self, changes=tuple(change.anew() if isinstance(change, Remembering) else change
                                           for change in self.changes))

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

    def heard(self, start: float = 0.0, stop: float | None = None) -> Iterator[Waveform]:
        """The sound track from `start` to `stop` seconds, unchanged: chunks of float32 [frames, channels].

        What is missing is silence, but for the end. Nothing where there is no sound track.
        """
        return self.source.heard(start, stop)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of text that a reader sees as one: a paragraph, a cue, a message.

    text   line breaks only where the file has them
    role   "text", "heading", "item" (of a list or table), "mark" (a corner mark), "box" (a
           text of its own in a corner of a page), "other" (not the content's own words)
    part   number of the message or record that it belongs to, where a file holds several
    """

    text: str
    role: str = "text"
    part: int = 0


@dataclass(frozen=True, slots=True)
class Typeface:
    """A font file to draw words with: its name, its bytes, and which face of a collection."""

    name: str
    data: bytes = field(repr=False)
    face: int = 0


@dataclass(frozen=True, slots=True)
class Words:
    """An explicit label to put into a text: at the "start", "middle" or "end"; `mark` if it is the corner mark alone.

    font    where the words are drawn on pages (`TextSamples.is_drawn`)
    shaped  whether their glyphs depend on their neighbours
    """

    text: str
    place: str
    mark: bool = False
    font: Typeface | None = None
    shaped: bool = False


class TextSource(Protocol):
    """What a codec of texts remembers of a file."""

    def labelled(self, words: Sequence[Words]) -> bytes:
        """The file with these words in it and every other byte as it was."""


@runtime_checkable
class Pictured(Protocol):
    """A document whose pictures can be all that a reader sees: a scan, a scene."""

    def pictures(self) -> Iterator[npt.NDArray[np.uint8]]:
        """What is shown without being text, grey [height, width], as far as it is looked at."""


@runtime_checkable
class PartlyRead(Protocol):
    """A document that may have been read in part."""

    @property
    def missed(self) -> tuple[Message, ...]:
        """What of it was not read; nothing where all of it was."""


@runtime_checkable
class Described(Protocol):
    """A document with pictures in its text, of which it says what they show."""

    @property
    def described(self) -> tuple[str, ...]:
        """What is said, for people who do not see them."""


@dataclass(frozen=True, slots=True)
class TextSamples:
    """The text of a document, as far as a reader sees it: `blocks` in reading order.

    source       writes the file with words in it
    words        what encode puts in
    is_drawn     whether words are drawn on pages, with a font
    can_shape    whether words are drawn there that must be shaped
    is_outlined  whether their outlines are drawn where a font has them, and the viewer's fonts where it has not
    pictures     gives the pictures in which a label may stand, where there are any
    missed       what of the document was not read
    described    what its pictures are said to show, which only who does not see them reads
    """

    blocks: tuple[Block, ...]
    source: TextSource = field(repr=False)
    words: tuple[Words, ...] = ()
    is_drawn: bool = False
    can_shape: bool = False
    is_outlined: bool = False
    pictures: Callable[[], Iterator[npt.NDArray[np.uint8]]] | None = field(default=None, repr=False)
    missed: tuple[Message, ...] = ()
    described: tuple[str, ...] = ()


Samples = ImageSamples | AudioSamples | AudioStream | VideoSamples | TextSamples


class Once:
    """Calls a function at most once, whether it returns or raises."""

    def __init__(self, function: Callable[[], Samples]) -> None:
        self._function = function
        self._value: Samples | None = None
        self._error: LabelkitError | None = None

    def __call__(self) -> Samples:
        if self._error:
            raise self._error
        if self._value is None:
            try:
                self._value = self._function()
            except LabelkitError as error:
                self._error = error
                raise
        return self._value
