# SPDX-License-Identifier: Apache-2.0
"""Embedding a payload, or presence alone, in sound: a whole clip, or a stream as it comes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from labelkit.choices import ROBUSTNESS
from labelkit.codec.resample import Resampler
from labelkit.codec.samples import BLOCK
from labelkit.errors import HostTooSmall, InvalidArgument
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.plan import check_robustness, check_strength
from labelkit.watermark.audio import margin
from labelkit.watermark.audio.detector import AudioDetector
from labelkit.watermark.audio.difference import HARD, DifferenceMaker
from labelkit.watermark.audio.inputs import (
    Float32,
    Samples,
    by_channel,
    channels_of,
    check_channels,
    check_rate,
    views_of,
)
from labelkit.watermark.audio.listener import UNHEARD, Listener
from labelkit.watermark.audio.pattern import RATE, pattern
from labelkit.watermark.audio.significance import log_false_positive_rate, score
from labelkit.watermark.audio.synchronizer import ROW_S, STARTS, Replay, Spectrum, fold
from labelkit.watermark.detection import MAX_FALSE_POSITIVE_RATE

_CHECK_S, _LONGEST_S, _RECENT_S = 4.0, 32.0, 8.0
_PERIOD_S = 3.0  # a clip shorter than a period lacks a part of the code, whatever the sound
_READABLE, _READABLE_S = 12.0, 2.5  # deviations and seconds from which the code is read in nearly every host
_SLACK = 2**14  # frames: chunks that have no more are written into what is remembered of a stream
_MOST_KEPT = 2**24  # samples of a host that is marked in place: what the pipeline holds as an array
_FOUND, _FOUND_S = 8.5, 1.0  # the same for presence alone


class AudioMarker:
    """Marks a stream: what `push` and `finish` return, put together, is the whole, marked.

    rate        Hz, 8,000 to 192,000
    channels    of the chunks, which are float32 (full scale +-1) or int16, [frames] or [frames, channels]
    payload     or None: the mark carries presence alone
    strength    0.25 to 4, a factor of all depths
    robustness  "everyday" spends what ten seconds like those heard need (listener.py); "hard" spends all, and makes
                the samples that `embed` makes of the whole. Presence alone always gets all

    The output lags by `latency_s`, at most 80 ms; chunks may have any sizes. A stream is marked whether it can carry
    its payload or not, where `embed` raises HostTooSmall: `is_readable` says which it is.
    """

    def __init__(self, rate: int, channels: int, payload: Payload | None, key: Key | None = None, *,
                 strength: float = 1.0, robustness: str = ROBUSTNESS[0]) -> None:
        check_robustness(robustness)
        measured = robustness != "hard" and payload is not None
        self._maker = _maker(rate, channels, payload, key, strength, UNHEARD if measured else HARD)
        self._rate, self._payload, self._key = int(rate), payload, Key.of(key)
        self._listener = Listener(self._rate) if measured else None
        self._recent: _Recent | None = None  # of what was returned; None before the first chunk
        self._channels = channels
        self._is_over = False
        self.latency_s = self._maker.delay / rate

    def push(self, chunk: Samples) -> Samples:
        """The samples that are ready, perhaps none, with the dtype and axes of the chunk."""
        recent = self._recent
        if self._is_over or recent is None or not (isinstance(chunk, np.ndarray) and chunk.dtype is recent.dtype
                                                   and chunk.shape[1:] == recent.axes):
            self._check(chunk)
            recent = recent or _Recent(math.ceil(_RECENT_S * self._rate), _SLACK + self._maker.delay, chunk)
        maker, listener = self._maker, self._listener
        if listener is not None and len(chunk) >= listener.left:
            marked = self._changing(chunk, listener)
            recent.add(marked)
        else:
            most, memory, start = len(chunk) + maker.delay, recent.memory, recent.stop
            if most > recent.slack:
                marked = maker.push(chunk)
                recent.add(marked)
            else:
                if start + most > recent.size:
                    start = recent.turn()
                recent.stop = stop = start + maker.push_into(chunk, memory[start:])
                marked = memory[start:stop].copy()
            if listener is None:
                pass
            elif listener.collects:
                listener.hear(chunk)
            else:
                listener.left -= len(chunk)
        self._recent = recent
        return marked

    def _check(self, chunk: Samples) -> None:
        channels, recent = channels_of(chunk), self._recent
        if channels != self._channels:
            raise InvalidArgument("a chunk of {wanted} channels was expected, got {got}", wanted=self._channels,
                                  got=channels)
        if self._is_over or recent is not None and (chunk.dtype, chunk.shape[1:]) != (recent.dtype, recent.axes):
            raise InvalidArgument("a marker takes one stream, its chunks of one dtype and as many axes each")

    def _changing(self, chunk: Samples, listener: Listener) -> Samples:
        """A chunk in which the amplitude may change."""
        by_channel(chunk, self._channels)  # all is checked before a part is taken in
        parts = []
        while len(chunk) >= listener.left:
            part, chunk = np.split(chunk, [listener.left])
            parts.append(self._maker.push(part))
            listener.hear(part)
            amplitude = listener.look(*self._maker.heard())
            if amplitude is not None:
                self._maker.set_amplitude(amplitude, listener.heard_s)
        listener.hear(chunk)
        return np.concatenate([*parts, self._maker.push(chunk)])

    def finish(self) -> Samples:
        """The rest; the marker cannot be used again."""
        self._is_over = True
        if self._recent is None:
            return np.empty((0, self._channels), np.float32)
        rest = self._maker.finish(self._recent.memory[:0])
        self._recent.add(rest)
        return rest

    def is_readable(self) -> bool:
        """Whether the mark is read back from the last eight seconds that were returned; False while they are too few.

        False for sound that cannot carry a mark, such as silence and a few sustained tones. Takes about 50 ms.
        """
        if self._recent is None:
            return False
        first, recent = self._recent.last()
        row = math.ceil(first / (ROW_S * self._rate))
        start = max(0, round(row * ROW_S * self._rate) - first)
        return any(_read_at(view[None, start:], self._rate, self._payload, self._key, row)[0]
                   for view in views_of(recent))


class _Recent:
    """The last `kept` frames of a stream, or a few more, in memory that is written from its start when it is full.

    slack        how many more
    dtype, axes  of the stream's chunks; axes but that of time
    memory       of `size` frames
    stop         where the next frames go, up to `slack`; whoever moves it calls `turn` first where there is no room
    """

    def __init__(self, kept: int, slack: int, like: Samples) -> None:
        self._kept, self.slack, self.dtype, self.axes = kept, slack, like.dtype, like.shape[1:]
        self.size = kept + slack
        self.memory = np.empty((self.size, *self.axes), self.dtype)
        self.stop = self._older_stop = 0  # what lies between the two is older than what lies before `stop`
        self._start = 0  # of the memory, in frames of the stream

    def turn(self) -> int:
        """Go on at the start of the memory, which is 0."""
        self._start, self._older_stop, self.stop = self._start + self.stop, self.stop, 0
        return 0

    def add(self, marked: Samples) -> None:
        """Keep what was returned."""
        frames = len(marked)
        if frames <= self.slack:
            start = self.turn() if self.stop + frames > self.size else self.stop
            self.stop = start + frames
            self.memory[start : self.stop] = marked
            return
        start, older = self.last()
        last = np.concatenate([older, marked])[-self._kept :]
        self._start = start + len(older) + frames - len(last)
        self._older_stop, self.stop = 0, len(last)
        self.memory[: self.stop] = last

    def last(self) -> tuple[int, Samples]:
        """Its place in the stream, and what is kept."""
        older = self.memory[self.stop : self._older_stop]
        return self._start - len(older), np.concatenate([older, self.memory[: self.stop]])


def embed(samples: Samples, rate: int, payload: Payload | None, key: Key | None = None, *, strength: float = 1.0,
          robustness: str = ROBUSTNESS[0], out: Samples | None = None) -> Samples:
    """Samples with the payload in them.

    samples     float32 (full scale +-1) or int16, [frames] or [frames, channels]; not changed
    rate        Hz, 8,000 to 192,000; only the difference is resampled, never the host
    payload     or None: the mark carries presence alone, for clips of about 1 to 3 s, and `detect` finds it without one
    strength    0.25 to 4, a factor of all depths; "hard" at 1 leaves speech about 26 dB SNR and PESQ 4.6
    robustness  "everyday" spends what this sound needs to be read after everyday transformations (margin.py), "hard"
                all there is; presence alone always gets all
    out         where the result goes, of the dtype and shape of `samples`, which it may be; None makes a new array

    The result has the same dtype and shape, clips only where the host did, and is silent where the host is.
    Raises InvalidArgument; HostTooSmall where the detector could not read the result, with the length that would do.
    """
    check_robustness(robustness)
    maker = _maker(rate, channels_of(samples), payload, key, strength)
    marked = np.empty_like(samples) if out is None else out
    if (marked.dtype, marked.shape) != (samples.dtype, samples.shape):
        raise InvalidArgument("out must be {wanted}, got {got}", wanted=f"{samples.dtype} {list(samples.shape)}",
                              got=f"{marked.dtype} {list(marked.shape)}")
    measured = robustness != "hard" and payload is not None
    parts = margin.sections(len(samples), rate, channels_of(samples)) if measured else [(0, len(samples))]
    in_place = measured and np.may_share_memory(marked, samples)
    host = samples.copy() if in_place and samples.size <= _MOST_KEPT else samples
    done = 0
    for first, stop in parts:
        if measured:
            for at, amplitude in margin.amplitudes(samples[first:stop], rate):
                maker.set_amplitude(amplitude, (first + at) / rate)
        for start in range(first, stop, BLOCK):
            done += _push_into(marked, done, maker, samples[start : min(start + BLOCK, stop)])
    if len(samples):
        marked[done:] = maker.finish(samples)
    middle = _Middle(rate, len(marked), payload, Key.of(key))
    middle.push(marked[middle.start : middle.start + round(_LONGEST_S * rate)], middle.start)
    try:
        middle.check(lambda: (marked[start : start + BLOCK] for start in range(0, len(marked), BLOCK)))
    except HostTooSmall:
        if not measured or in_place and host is samples:
            raise
        return embed(host, rate, payload, key, strength=strength, robustness="hard", out=marked)
    return marked


def embed_in_blocks(blocks: Callable[[], Iterator[Samples]], rate: int, channels: int, frames: int,
                    payload: Payload | None, key: Key | None = None, *, strength: float = 1.0,
                    robustness: str = ROBUSTNESS[0]) -> Iterator[Samples]:
    """What `embed` makes of sound that comes block by block; raises HostTooSmall behind its last block.

    blocks    gives the sound from its start, at each call anew
    frames    its length; it may end earlier
    """
    check_robustness(robustness)

    def marked() -> Iterator[Samples]:
        maker = _maker(rate, channels, payload, key, strength)
        like: Samples = np.empty((0, channels), np.float32)
        if robustness == "hard" or payload is None:
            for like in blocks():
                yield maker.push(like)
        else:
            start = 0
            for section in _cut(blocks(), [stop for _, stop in margin.sections(frames, rate, channels)]):
                for at, amplitude in margin.amplitudes(np.concatenate(section), rate):
                    maker.set_amplitude(amplitude, (start + at) / rate)
                for like in section:
                    yield maker.push(like)
                start += sum(map(len, section))
        yield maker.finish(like)

    middle, done = _Middle(rate, frames, payload, Key.of(key)), 0
    for part in marked():
        middle.push(part, done, stays=False)
        done += len(part)
        yield part
    middle.check(marked)


def _maker(rate: int, channels: int, payload: Payload | None, key: Key | None, strength: float,
           amplitude: float = HARD) -> DifferenceMaker:
    """What marks sound, from arguments that are checked."""
    if not isinstance(payload, Payload | None):
        raise InvalidArgument("payload must be a Payload, got {got}", got=type(payload).__name__)
    return DifferenceMaker(check_rate(rate), check_channels(channels), payload, Key.of(key), check_strength(strength),
                           amplitude, adds=True)


def _cut(blocks: Iterable[Samples], stops: list[int]) -> Iterator[list[Samples]]:
    """The blocks between one stop, in frames, and the next; what comes behind the last goes with it."""
    held: list[Samples] = []
    at = 0
    for block in blocks:
        while stops[1:] and at + len(block) >= stops[0]:
            left = stops.pop(0) - at
            yield [*held, block[:left]]
            held, block, at = [], block[left:], at + left
        held.append(block)
        at += len(block)
    if held:
        yield held


def _push_into(marked: Samples, at: int, maker: DifferenceMaker, chunk: Samples) -> int:
    """Push a chunk, put what is ready into `marked` from a frame on, and return how much it is."""
    to = marked[at : at + maker.ready(len(chunk))]
    if to.flags.c_contiguous and not np.may_share_memory(to, chunk):
        maker.push(chunk, to)
    else:
        to[...] = maker.push(chunk)
    return len(to)


class _Middle:
    """Checks that a mark is read back: from a stretch in the middle, from longer ones there, or else by the detector.

    start  the frame from which on marked sound is wanted, up to half a minute of it
    """

    def __init__(self, rate: int, frames: int, payload: Payload | None, key: Key) -> None:
        self._rate, self._frames, self._payload, self._key = rate, frames, payload, key
        self._lengths = [min(_CHECK_S, frames / rate)]
        while self._lengths[-1] < min(_LONGEST_S, frames / rate):
            self._lengths.append(min(2 * self._lengths[-1], frames / rate))
        self.start = self._span(self._lengths[-1])[1]
        self._stop = self._span(self._lengths[-1])[2]
        self._parts: list[Samples] = []  # of what was pushed

    def _span(self, length_s: float) -> tuple[int, int, int]:
        """The row of the pattern from which so many seconds in the middle count, their first frame and last + 1."""
        row = int((self._frames / self._rate - length_s) / 2 / ROW_S)
        start = round(row * ROW_S * self._rate)
        return row, start, start + round(length_s * self._rate)

    def push(self, marked: Samples, at: int, *, stays: bool = True) -> None:
        """Take in marked sound that begins at a frame; what lies outside the middle is passed over.

        stays  whether it keeps its values until the check
        """
        part = marked[max(0, self.start - at) : max(0, self._stop - at)]
        if len(part):
            self._parts.append(part if stays else part.copy())

    def check(self, marked: Callable[[], Iterable[Samples]]) -> None:
        """Raise HostTooSmall unless the mark is read; `marked` gives all of the sound once more."""
        total_s, deviations = self._frames / self._rate, 0.0
        held = self._parts[0] if len(self._parts) == 1 else np.concatenate(self._parts or [np.empty(0, np.float32)])
        for length_s in self._lengths:
            row, start, stop = self._span(length_s)
            for view in views_of(held[start - self.start : stop - self.start]):
                read, seen = _read_at(view[None], self._rate, self._payload, self._key, row)
                deviations = max(deviations, seen)
                if read and (total_s > _CHECK_S or self._is_detected(marked)):  # few rows hide
                    return
        if total_s <= self._lengths[-1] or not self._is_detected(marked):
            raise _too_short(total_s, deviations, self._payload)

    def _is_detected(self, marked: Callable[[], Iterable[Samples]]) -> bool:
        """Whether the detector reads the payload in the whole, as far as it must listen."""
        detector: AudioDetector | None = None
        for block in marked():
            if detector is None:
                detector = AudioDetector(self._rate, channels_of(block), self._key)
                detector._seeks_replays = False
            detector.push(block)
            if any(mark.payload == (self._payload.hex if self._payload else None) for mark in detector.marks):
                return True
        found = detector.finish() if detector else None
        return found is not None and found.found and found.payload == self._payload


def _too_short(total_s: float, deviations: float, payload: Payload | None) -> HostTooSmall:
    """The error for a host whose mark was seen with so many deviations; it names the length that would do."""
    enough, least_s = (_FOUND, _FOUND_S) if payload is None else (_READABLE, _READABLE_S)
    needed = max(least_s, total_s * max(1.1, (enough / max(deviations, 0.1)) ** 2))
    if total_s < _PERIOD_S:
        needed = min(needed, total_s + least_s)
    needed = math.ceil(2 * needed) / 2  # no finer: it varies with the payload
    if deviations < 3 or total_s > _CHECK_S and needed > 5 * total_s:
        return HostTooSmall("{length:.2f} s hold too little sound, or too quiet for its sample format, to carry a mark",
                            length=total_s, hint="leave the watermark out of the plan")
    if payload is None:
        return HostTooSmall("{length:.2f} s are too short for a mark to be found; sound like this carries one from "
                            "about {needed:.1f} s", length=total_s, needed=needed,
                            hint="mark a longer clip, or raise the strength")
    return HostTooSmall("{length:.2f} s are too short to carry 64 bits; sound like this does from about {needed:.1f} s",
                       length=total_s, needed=needed,
                       hint="mark a longer clip, raise the strength, or set presence_only=True")


def _read_at(mono: Float32, rate: int, payload: Payload | None, key: Key, row: int) -> tuple[bool, float]:
    """Whether payload or presence is read in a stretch that starts with this row of the pattern, and its score."""
    resampler = Resampler(rate, RATE, 1)
    at_rate = resampler.push(np.concatenate([mono, np.zeros((1, resampler.lookahead + 1), np.float32)], axis=1))[0]
    if len(at_rate) < ROW_S * RATE * 2:
        return False, 0.0
    chips = Spectrum.of(at_rate).chips(Replay())
    path = np.full(int(len(at_rate) / RATE / ROW_S), -12 * row % STARTS)
    keyed = pattern(key)
    folded = fold(chips, path)
    signs = keyed.chips(payload)
    deviations = score(folded, signs)
    if payload is None:
        log_rate = log_false_positive_rate(folded, signs, math.log(4 * STARTS))
        return log_rate < math.log(MAX_FALSE_POSITIVE_RATE), deviations
    return keyed.read(folded, 8) == payload, deviations
