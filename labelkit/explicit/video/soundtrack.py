# SPDX-License-Identifier: Apache-2.0
"""The audible label in the sound track of a film: draw, confirm and find. GB 45438-2025 5.4 leaves it to the maker.

Sound put in before that of a film would take it out of step with the picture. So here the label lies over the
programme, which is made softer under it; otherwise it is the label of `labelkit.explicit.audio`.
"""

from __future__ import annotations

import collections
import functools
import itertools
from collections.abc import Collection
from dataclasses import replace

import numpy as np

from labelkit.codec.samples import AudioSamples, VideoSamples, Weights
from labelkit.errors import HostTooSmall, InvalidArgument, OutputFailed
from labelkit.evidence import DrawnSound, HeardLabel
from labelkit.explicit.audio import drawing as audio, finding, loudness
from labelkit.explicit.audio.spectrogram import RATE, Float32
from labelkit.plan import Explicit

UNDER_DB = 18.0  # the programme under the label: a tone stands out of it, and speech is understood
_RAMP_S = 0.25
_MEASURED_S = 10.0  # of the programme, whose loudness the label follows
_SPARE_S = 0.25  # by which a sound track may end before its film
_SEARCHED_S = 10.0
_CONFIRMED, _AROUND_S = 3, 2.0  # how many labels are confirmed, and seconds searched on either side of each
_MAX_REPEATS = 20_000
_MAX_STARTS = 100  # that the evidence names


def draw(samples: VideoSamples, explicit: Explicit) -> tuple[VideoSamples, DrawnSound | None]:
    """The film with the label over its sound, and where it stands.

    None where there is no sound; encode reports that. Raises HostTooSmall for sound that is shorter than the label,
    InvalidArgument and UnsupportedFormat as for sound.
    """
    if samples.sound is None:
        return samples.map_sound(functools.partial(Overlay, explicit, ())), None
    rate = samples.sound.rate
    label = audio.render_label(explicit, rate)
    length = min((known for known in (samples.sound.seconds, samples.seconds) if known), default=None)
    needed = audio.with_margins(label, rate, at_start=True).size / rate
    starts = _starts(explicit, max(0.0, -samples.sound.begin), length, needed)
    in_film = [round(samples.sound.begin + start + audio.LEAD_S, 3) for start in starts[:_MAX_STARTS]]
    return (samples.map_sound(functools.partial(Overlay, explicit, tuple(starts), weights=samples.sound.weights)),
            audio.drawn_sound(explicit, in_film, len(label) / rate))


def draw_whole(sound: Float32, rate: int, explicit: Explicit) -> tuple[Float32, DrawnSound]:
    """A film's whole sound with the label over it, as long as it was, and where the label stands.

    sound  float32 [frames, channels], full scale +-1
    Raises HostTooSmall, and InvalidArgument and UnsupportedFormat as for sound.
    """
    label = audio.render_label(explicit, rate)
    needed = audio.with_margins(label, rate, at_start=True).size / rate
    starts = _starts(explicit, 0.0, len(sound) / rate, needed)
    overlay = Overlay(explicit, tuple(starts), rate, sound.shape[1])
    drawn = audio.drawn_sound(explicit, [round(start + audio.LEAD_S, 3) for start in starts[:_MAX_STARTS]],
                              len(label) / rate)
    return np.concatenate([overlay.push(sound), overlay.finish()]), drawn


def _starts(explicit: Explicit, first: float, length: float | None, needed: float) -> list[float]:
    """Where labels start, in seconds of the sound; labels that would overlap an earlier one are left out.

    first   where the picture begins
    length  None where it is not known
    needed  seconds that a label takes with its margins
    """
    if length is None and (explicit.place != "start" or explicit.repeat_s):
        raise InvalidArgument("the length of the film is not known, its label of sound can only stand at the start")
    last = (length or np.inf) - needed - _SPARE_S
    if length is not None and last < first:
        raise HostTooSmall("{length:.2f} s are too short for the label of a film's sound, which takes {needed:.2f} s",
                           length=length - first, needed=needed + _SPARE_S, hint="set soundtrack=False")
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
    """Lays the label over sound as it streams. Holds the first ten seconds back to measure their loudness."""

    def __init__(self, explicit: Explicit, starts: tuple[float, ...], rate: int, channels: int,
                 weights: Weights | None = None) -> None:
        self._explicit, self._rate, self._channels, self._weights = explicit, rate, channels, weights
        self._plays_on = (loudness.channel_weights(channels, weights) > 0).astype(np.float32)
        self._starts = collections.deque(round(start * rate) for start in starts)  # of labels that have not ended
        self._last = self._starts[-1]
        self._held: list[Float32] | None = []
        self._label = np.empty(0, np.float32)  # with its margins
        self._position = 0

    def push(self, chunk: Float32) -> Float32:
        """See `SoundChange`."""
        if self._held is None:
            return self._mixed(chunk)
        self._held.append(chunk)
        if sum(map(len, self._held)) < _MEASURED_S * self._rate:
            return chunk[:0]
        return self._released(self._held)

    def finish(self) -> Float32:
        """See `SoundChange`; raises HostTooSmall where the sound ended before its last label did."""
        rest = np.empty((0, self._channels), np.float32) if self._held is None else self._released(self._held)
        needed = len(self._label) - round(audio.GAP_S * self._rate)
        if self._position < self._last + needed:
            raise HostTooSmall("the sound track ends after {length:.1f} s, before the label of it does",
                               length=self._position / self._rate, hint="set soundtrack=False")
        return rest

    def _released(self, held: list[Float32]) -> Float32:
        """The opening, which was held back, with a label that suits its loudness."""
        opening = np.concatenate([np.empty((0, self._channels), np.float32), *held])
        self._held = None
        label = audio.render_label(self._explicit, self._rate, opening[:round(_MEASURED_S * self._rate)],
                                   self._weights)
        self._label = audio.with_margins(label, self._rate, at_start=True)
        return self._mixed(opening)

    def _mixed(self, chunk: Float32) -> Float32:
        first, stop = self._position, self._position + len(chunk)
        self._position = stop
        ramp = round(_RAMP_S * self._rate)
        out = chunk
        while self._starts and first >= self._starts[0] + len(self._label) + ramp:
            self._starts.popleft()
        for start in itertools.takewhile(lambda start: start - ramp < stop, self._starts):
            end = start + len(self._label)
            edges = [start - ramp, start, end, end + ramp]
            softer_db = np.interp(np.arange(first, stop), edges, [0, UNDER_DB, UNDER_DB, 0])
            out = out * (10 ** (-softer_db[:, None] / 20)).astype(np.float32)
            a, b = max(first, start), min(stop, end)
            if a < b:
                out[a - first : b - first] += self._label[a - start : b - start, None] * self._plays_on
        return out


def confirm(samples: VideoSamples, explicit: Explicit, drawn: DrawnSound) -> None:
    """Raises OutputFailed unless the first few labels that `drawn` names are heard in the labelled film."""
    for start in drawn.starts_s[:_CONFIRMED]:
        first = max(0.0, start - _AROUND_S)
        near = _heard(samples, first, start + drawn.seconds + _AROUND_S)
        if explicit.sound != "rhythm":
            finding.confirm(near, explicit, replace(drawn, starts_s=(start - first,)))
        elif not finding.find_labels(near):
            raise OutputFailed("the rhythm at {start:.1f} s is not heard in the labelled film", start=start,
                               hint="set sound=\"speech\", or soundtrack=False")


def find(samples: VideoSamples, languages: Collection[str] = ()) -> list[HeardLabel]:
    """The labels heard at the start of the film, else in its middle or at its end, in order of time."""
    if samples.sound is None:
        return []
    last = max(0.0, (samples.seconds or 0.0) - _SEARCHED_S)
    for start in sorted({0.0, last / 2, last}):
        labels = finding.find_labels(_heard(samples, start, start + _SEARCHED_S), languages)
        if labels:
            return [replace(label, start_s=round(label.start_s + start, 2)) for label in labels]
    return []


def _heard(samples: VideoSamples, start: float, stop: float) -> AudioSamples:
    """The sound track between two times in seconds; empty where there is none."""
    rate, channels = (samples.sound.rate, samples.sound.channels) if samples.sound else (RATE, 1)
    chunks = [np.empty((0, channels), np.float32), *samples.heard(start, stop)]
    return AudioSamples(np.concatenate(chunks), rate)
