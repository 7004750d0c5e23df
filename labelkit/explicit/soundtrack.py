# SPDX-License-Identifier: Apache-2.0
"""The label that people hear, in the sound track of a film, where GB 45438-2025 5.4 leaves it to the maker.

What is put before the sound of a film would part it from the picture. So here the label lies over the programme, which
is made softer under it; otherwise it is that of `labelkit.explicit.audio`.
"""

from __future__ import annotations

import collections
import functools
import itertools
from collections.abc import Mapping

import numpy as np

from labelkit.codec.samples import AudioSamples, VideoSamples
from labelkit.errors import HostTooSmall, InvalidArgument, OutputFailed
from labelkit.explicit import audio
from labelkit.plan import Explicit

UNDER_DB = 18.0  # the programme under the label: a tone stands out of it, and speech is understood
_RAMP_S = 0.25
_MEASURED_S = 10.0  # of the programme, whose loudness the label follows
_SPARE_S = 0.25  # by which a sound track may end before its film
_LISTENED_S = 10.0
_CONFIRMED, _AROUND_S = 3, 2.0  # labels that are listened for again, and seconds on either side of each
_MAX_REPEATS = 20_000
_MAX_TOLD = 100  # starts that the evidence names


def draw(samples: VideoSamples, explicit: Explicit) -> tuple[VideoSamples, dict[str, object] | None]:
    """The film with the label over its sound, and as evidence: sound, text, place, starts_s, seconds.

    Where there is no sound the evidence is None, and encode says so. Raises HostTooSmall for sound that is shorter than
    the label, InvalidArgument and UnsupportedFormat as for sound.
    """
    if samples.sound is None:
        return samples.map_sound(functools.partial(Overlay, explicit, ())), None
    rate = samples.sound.rate
    label = audio.label(explicit, rate)
    length = min((known for known in (samples.sound.seconds, samples.seconds) if known), default=None)
    needed = audio.framed(label, rate, first=True, last=True).size / rate
    starts = _starts(explicit, max(0.0, -samples.sound.begin), length, needed)
    evidence = {"sound": explicit.sound, "text": audio.text(explicit), "place": explicit.place,
                "starts_s": [round(samples.sound.begin + start + audio.LEAD_S, 3) for start in starts[:_MAX_TOLD]],
                "seconds": round(len(label) / rate, 3)}
    return samples.map_sound(functools.partial(Overlay, explicit, tuple(starts))), evidence


def _starts(explicit: Explicit, first: float, length: float | None, needed: float) -> list[float]:
    """Where labels go, in seconds of the sound, from where the picture begins; those that would meet are left out."""
    if length is None and (explicit.place != "start" or explicit.repeat_s):
        raise InvalidArgument("the length of the film is not known, its label of sound can only stand at the start")
    last = (length or np.inf) - needed - _SPARE_S
    if last < first:
        raise HostTooSmall("{length:.2f} s are too short for the label of a film's sound, which takes {needed:.2f} s",
                           length=length - first, needed=needed + _SPARE_S, hint="leave it to the picture")
    middle = (first + last) / 2
    places = {"start": [first], "end": [last], "both": [first, last], "middle": [middle]}[explicit.place]
    if places[-1] - places[0] < needed:
        places = places[:1]
    if explicit.repeat_s:
        step = max(explicit.repeat_s, needed)
        again = (first + step * (i + 1) for i in range(int(min((last - first) / step, _MAX_REPEATS))))
        places += [start for start in again if all(abs(start - other) >= needed for other in places[:2])]
    return sorted(places)


class Overlay:
    """Lays the label over sound as it streams. Holds the first ten seconds back, to know how loud they are."""

    def __init__(self, explicit: Explicit, starts: tuple[float, ...], rate: int, channels: int) -> None:
        self._explicit, self._rate, self._channels = explicit, rate, channels
        self._starts = collections.deque(round(start * rate) for start in starts)  # those that are not over
        self._last = self._starts[-1]
        self._held: list[np.ndarray] | None = []
        self._label = self._piece = np.empty(0, np.float32)
        self._place = 0

    def push(self, chunk: np.ndarray) -> np.ndarray:
        """See `SoundChange`."""
        if self._held is None:
            return self._mixed(chunk)
        self._held.append(chunk)
        if sum(map(len, self._held)) < _MEASURED_S * self._rate:
            return chunk[:0]
        return self._begun()

    def finish(self) -> np.ndarray:
        """See `SoundChange`; raises HostTooSmall where the sound ended before its last label did."""
        rest = np.empty((0, self._channels), np.float32) if self._held is None else self._begun()
        spoken = len(self._piece) - round(audio.GAP_S * self._rate)
        if self._place < self._last + spoken:
            raise HostTooSmall("the sound track ends after {length:.1f} s, before the label of it does",
                               length=self._place / self._rate, hint="leave it to the picture")
        return rest

    def _begun(self) -> np.ndarray:
        opening = np.concatenate([np.empty((0, self._channels), np.float32), *self._held])
        self._held = None
        label = audio.label(self._explicit, self._rate, opening[:round(_MEASURED_S * self._rate)])
        self._piece = audio.framed(label, self._rate, first=True, last=True)
        return self._mixed(opening)

    def _mixed(self, chunk: np.ndarray) -> np.ndarray:
        first, stop = self._place, self._place + len(chunk)
        self._place = stop
        ramp = round(_RAMP_S * self._rate)
        out = chunk
        while self._starts and first >= self._starts[0] + len(self._piece) + ramp:
            self._starts.popleft()
        for start in itertools.takewhile(lambda start: start - ramp < stop, self._starts):
            end = start + len(self._piece)
            edges = [start - ramp, start, end, end + ramp]
            softer = np.interp(np.arange(first, stop), edges, [0, UNDER_DB, UNDER_DB, 0])
            out = out * (10 ** (-softer[:, None] / 20)).astype(np.float32)
            a, b = max(first, start), min(stop, end)
            if a < b:
                out[a - first : b - first] += self._piece[a - start : b - start, None]
        return out


def confirm(samples: VideoSamples, explicit: Explicit, drawn: Mapping[str, object]) -> None:
    """Raise OutputFailed unless the labels of evidence `drawn` are heard in the labelled film; a few of many are."""
    for start in drawn["starts_s"][:_CONFIRMED]:
        first = max(0.0, start - _AROUND_S)
        rows = np.concatenate([*samples.heard(first, start + drawn["seconds"] + _AROUND_S)])
        near = AudioSamples(rows, samples.sound.rate)
        if explicit.sound != "rhythm":
            audio.confirm(near, explicit, {**drawn, "starts_s": [start - first]})
        elif not audio.heard(near):
            raise OutputFailed("the rhythm at {start:.1f} s is not heard in the labelled film", start=start,
                               hint="say --sound speech, or leave it to the picture")


def find(samples: VideoSamples) -> list[dict[str, object]]:
    """The labels heard at the start of the film, else in its middle or at its end, as `audio.heard` gives them."""
    if samples.sound is None:
        return []
    last = max(0.0, (samples.seconds or 0.0) - _LISTENED_S)
    for start in sorted({0.0, last / 2, last}):
        chunks = list(samples.heard(start, start + _LISTENED_S))
        heard = audio.heard(AudioSamples(np.concatenate(chunks), samples.sound.rate)) if chunks else []
        if heard:
            return [{**one, "start_s": round(one["start_s"] + start, 2)} for one in heard]
    return []
