# SPDX-License-Identifier: Apache-2.0
"""The audio carrier: 64 bits in the loudness of neighbouring bands, found again wherever the sound goes.

    marked = audio.embed(samples, 48_000, payload)            # the whole clip
    marker = audio.AudioMarker(24_000, 1, payload)            # the same samples from a stream, 78 ms later
    found = audio.detect(marked, 48_000)                      # Detection
"""

from __future__ import annotations

import math

import numpy as np

from labelkit.codec.resample import Resampler
from labelkit.errors import HostTooSmall, InvalidArgument
from labelkit.key import Key
from labelkit.watermark.audio_decision import log_rate, score
from labelkit.watermark.audio_input import by_channel, channels_of, check_channels, check_rate
from labelkit.watermark.audio_mark import DifferenceMaker
from labelkit.watermark.audio_pattern import RATE, pattern
from labelkit.watermark.audio_search import ROW_S, STARTS, Replay, Spectrum, fold
from labelkit.watermark.audio_stream import AudioDetector
from labelkit.watermark.detection import MAX_FALSE_POSITIVE_RATE, Detection
from labelkit.watermark.payload import Payload

_BLOCK = 1 << 16  # samples a channel that are worked on at a time: they stay in the cache
_CHECK_S = 4.0
_PERIOD_S = 3.0  # in which the whole code goes by: what is shorter lacks a part of it, whatever the sound
_READABLE, _READABLE_S = 12.0, 2.5  # deviations and seconds from which the code is read in nearly every host
_FOUND, _FOUND_S = 8.5, 1.0  # the same of presence


class AudioMarker:
    """Marks a stream: what `push` and `finish` return, put together, is what `embed` makes of the whole.

    rate      Hz, 8,000 to 192,000
    channels  of the chunks, which are float32 (full scale +-1) or int16, [frames] or [frames, channels]
    payload   or None: the mark carries presence alone
    strength  0.25 to 4

    The output lags by `latency_s`, at most 80 ms; chunks may have any sizes. Nothing is checked: a stream may end
    before it could carry its payload.
    """

    def __init__(self, rate: int, channels: int, payload: Payload | None, key: Key | None = None, *,
                 strength: float = 1.0) -> None:
        if not isinstance(payload, Payload | None):
            raise InvalidArgument("payload must be a Payload, got {got}", got=type(payload).__name__)
        if isinstance(strength, bool) or not isinstance(strength, int | float) or not 0.25 <= strength <= 4:
            raise InvalidArgument("strength must be a number from 0.25 to 4, got {got}", got=repr(strength))
        self._maker = DifferenceMaker(check_rate(rate), check_channels(channels), payload, Key.of(key), float(strength))
        self._channels = channels
        self._waiting: list[np.ndarray] = []
        self._is_over = False
        self.latency_s = self._maker.delay / rate

    def push(self, chunk: np.ndarray) -> np.ndarray:
        """The samples that are ready, of the chunk's dtype and axes; perhaps none."""
        host = by_channel(chunk, self._channels)
        first = self._waiting[0] if self._waiting else chunk
        if self._is_over or (chunk.dtype, chunk.ndim) != (first.dtype, first.ndim):
            raise InvalidArgument("a marker takes one stream, its chunks of one dtype and as many axes each")
        self._waiting.append(chunk)
        return self._take(self._maker.push(host), chunk)

    def finish(self) -> np.ndarray:
        """The rest; the marker is used up."""
        self._is_over = True
        if not self._waiting:
            return np.empty((0, self._channels), np.float32)
        like = self._waiting[-1]
        left = sum(map(len, self._waiting))
        difference = self._maker.push(np.zeros((self._channels, self._maker.delay), np.float32))
        return self._take(difference[:, :left], like)

    def _take(self, difference: np.ndarray, like: np.ndarray) -> np.ndarray:
        host = np.concatenate(self._waiting) if len(self._waiting) > 1 else self._waiting[0]
        count = difference.shape[1]
        self._waiting = [host[count:]]
        change = difference[0] if like.ndim == 1 else difference.T
        return _add(host[:count], change)


def embed(samples: np.ndarray, rate: int, payload: Payload | None, key: Key | None = None, *,
          strength: float = 1.0) -> np.ndarray:
    """Samples with the payload in them.

    samples   float32 (full scale +-1) or int16, [frames] or [frames, channels]; left as they are
    rate      Hz, 8,000 to 192,000; the host keeps it, only the difference is resampled
    payload   or None: the mark carries presence alone, for clips of about 1 to 3 s, and `detect` finds it without one
    strength  0.25 to 4; at 1 speech has about 26 dB SNR and PESQ 4.6

    The result is of the same dtype and shape, clips nowhere that the host did not, and is silent where the host is.
    Raises InvalidArgument; HostTooSmall where the detector could not read the result, with the length that would do.
    """
    marker = AudioMarker(rate, channels_of(samples), payload, key, strength=strength)
    parts = [marker.push(samples[at : at + _BLOCK]) for at in range(0, len(samples), _BLOCK)]
    marked = np.concatenate([*parts, marker.finish()]) if len(samples) else samples.copy()
    _check_readable(marked, rate, payload, Key.of(key))
    return marked


def detect(samples: np.ndarray, rate: int, key: Key | None = None, *, effort: str = "normal") -> Detection:
    """Whether `key` marked these samples, with what payload, where and how they were replayed.

    samples   float32 or int16, [frames] or [frames, channels]; rate Hz, 8,000 to 192,000
    effort    "fast": as embedded, cut and joined; "normal": one channel alone too, more trials of the code;
              "deep": replay speed 0.8 to 1.25, tempo 0.95 to 1.05 with the pitch kept, both, pitch +-1 semitone too

    geometry: start_s, end_s, speed, tempo and pitch of the strongest mark, and `segments`: one for each stretch of each
    payload (payload as hex, start_s, end_s, score). The rate of false positives holds for any host, as it is
    the chance over keys; see `audio_decision.log_rate`. Raises InvalidArgument.
    """
    detector = AudioDetector(rate, channels_of(samples), key, effort=effort)
    for at in range(0, len(samples), _BLOCK):
        detector.push(samples[at : at + _BLOCK])
    return detector.finish()


def _add(host: np.ndarray, change: np.ndarray) -> np.ndarray:
    if host.dtype == np.int16:
        return np.clip(np.rint(host + change * np.float32(32768)), -32768, 32767).astype(np.int16)
    out = host + change
    if len(out) and max(out.max(), -out.min()) > 1:  # full scale is a wall, unless the host is beyond it already
        top = np.maximum(np.abs(host), np.float32(1))
        np.clip(out, -top, top, out=out)
    return out


def _check_readable(marked: np.ndarray, rate: int, payload: Payload | None, key: Key) -> None:
    """HostTooSmall unless payload or presence is found in a stretch in the middle, or else in ever longer ones."""
    total_s = len(marked) / rate
    length_s, deviations = min(_CHECK_S, total_s), 0.0
    while length_s:
        row = int((total_s - length_s) / 2 / ROW_S)
        start = round(row * ROW_S * rate)
        rows = by_channel(marked[start : start + round(length_s * rate)], channels_of(marked))
        for view in (rows.mean(0, keepdims=True), rows[:1])[: len(rows)]:  # as the detector looks at them
            read, found = _read_known(view, rate, payload, key, row)
            deviations = max(deviations, found)
            if read and (total_s > _CHECK_S or detect(marked, rate, key).payload == payload):  # few rows hide
                return
        length_s = min(2 * length_s, total_s) if length_s < total_s else 0
    enough, least_s = (_FOUND, _FOUND_S) if payload is None else (_READABLE, _READABLE_S)
    needed = max(least_s, total_s * max(1.1, (enough / max(deviations, 0.1)) ** 2))
    if total_s < _PERIOD_S:
        needed = min(needed, total_s + least_s)
    needed = math.ceil(2 * needed) / 2  # no finer: it varies with the payload
    if deviations < 3 or total_s > _CHECK_S and needed > 5 * total_s:
        raise HostTooSmall("{length:.2f} s hold too little sound, or too quiet for its sample format, to carry a mark",
                           length=total_s, hint="leave the watermark out with --layers explicit,metadata")
    if payload is None:
        raise HostTooSmall("{length:.2f} s are too short for a mark to be found; sound like this carries one from "
                           "about {needed:.1f} s", length=total_s, needed=needed,
                           hint="mark a longer clip, or raise the strength")
    raise HostTooSmall("{length:.2f} s are too short to carry 64 bits; sound like this does from about {needed:.1f} s",
                       length=total_s, needed=needed,
                       hint="mark a longer clip, raise the strength, or ask for presence alone (--presence-only)")


def _read_known(mono: np.ndarray, rate: int, payload: Payload | None, key: Key, row: int) -> tuple[bool, float]:
    """Whether payload or presence is found in a stretch that starts with this row of the pattern, and its score."""
    resampler = Resampler(rate, RATE, 1)
    at_rate = resampler.push(np.concatenate([mono, np.zeros((1, resampler.ahead + 1), np.float32)], axis=1))[0]
    if len(at_rate) < ROW_S * RATE * 2:
        return False, 0.0
    chips = Spectrum.of(at_rate).chips(Replay())
    path = np.full(int(len(at_rate) / RATE / ROW_S), -12 * row % STARTS)
    keyed = pattern(key)
    folded = fold(chips, path)
    signs = keyed.chips(payload)
    deviations = score(folded, signs)
    if payload is None:
        return log_rate(folded, signs, math.log(4 * STARTS)) < math.log(MAX_FALSE_POSITIVE_RATE), deviations
    return keyed.read(folded, 8) == payload, deviations
