# SPDX-License-Identifier: Apache-2.0
"""Finds audible labels in sound: the rhythm, and the bundled spoken labels."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection
from dataclasses import replace

import numpy as np

from labelkit.codec.samples import Audio
from labelkit.errors import OutputFailed
from labelkit.evidence import DrawnSound, ExplicitEvidence, HeardLabel
from labelkit.explicit.audio import loudness, morse, spectrogram, speech_matching
from labelkit.explicit.audio.recordings import SPOKEN, speech
from labelkit.explicit.audio.spectrogram import Float32
from labelkit.messages import Message
from labelkit.plan import Explicit
from labelkit.report import Finding, Layer, Status

_AROUND_S, _MIN_CORRELATION = 0.5, 0.5  # where, and how well, a spoken label must match its recording when confirmed
_PROGRAMME_S, _EDGE_S = 30.0, 0.3  # how far around a rhythm the programme is measured, and from what distance on
_MOST_LEVELS = 16  # rhythms of which the level is measured
_SAME_S = 0.5  # labels of one kind closer than this are one: blocks overlap


_ALWAYS = ("zh", "en")  # languages whose spoken labels are looked for at every speed


def find(samples: Audio, expected_text: str | None = None, languages: Collection[str] = ()) -> Finding:
    """VALID where the rhythm or a bundled spoken label is heard anywhere.

    expected_text   what another layer says that is spoken
    languages       whose spoken labels are looked for at 0.83 to 1.26 times their speed, as those in Chinese and
                    English always are, and that of `expected_text`; those in other languages at 0.94 to 1.06 times

    The evidence's `heard` lists all of them in order of time; where all of them are spoken in another language than
    Chinese and English, `text`, `language` and `wording` say so.
    """
    asked = {*languages, *(one for one, text in SPOKEN.items() if text == expected_text)}
    labels = find_labels(samples, asked)
    if not labels:
        return Finding(Layer.EXPLICIT, Status.ABSENT, Message(
            "neither the rhythm of AI in Morse code nor a spoken label that labelkit brings with it is heard"))
    evidence = ExplicitEvidence(heard=tuple(labels))
    spoken = {one for label in labels for one, text in SPOKEN.items() if text == label.text}
    if all(label.sound == "speech" for label in labels) and not spoken & {*_ALWAYS}:
        evidence = replace(evidence, text=labels[0].text, language=min(spoken), wording="other")
    return Finding(Layer.EXPLICIT, Status.VALID, summary(labels), evidence=evidence)


def summary(labels: list[HeardLabel]) -> Message:
    """One line about labels that were heard, one or more."""
    rhythms = [label for label in labels if label.sound == "rhythm"]
    spoken = [label for label in labels if label.sound == "speech"]
    parts = []
    if rhythms:
        first = rhythms[0]
        heard = Message("rhythm of AI in Morse code at {start:.1f} s, {count} in all, {wpm} words a minute",
                        start=first.start_s, count=len(rhythms), wpm=round(1.2 / (first.unit_s or math.inf)))
        levels = [label.level_db for label in rhythms if label.level_db is not None]
        parts.append(Message("{rhythm}, {level:+.0f} dB against the programme", rhythm=heard, level=min(levels))
                     if levels else heard)
    if spoken:
        first = spoken[0]
        parts.append(Message("spoken label \"{text}\" heard at {start:.1f} s, {count} in all", text=first.text,
                             start=first.start_s, count=len(spoken)))
    return parts[0] if len(parts) == 1 else Message("{rhythm}; {speech}", rhythm=parts[0], speech=parts[1])


def find_labels(samples: Audio, languages: Collection[str] = ()) -> list[HeardLabel]:
    """The labels that are heard, in order of time; `languages` as for `find`."""
    labels: list[HeardLabel] = []
    for start, power in spectrogram.blocks(samples.blocks(), samples.rate):
        for label in _in_block(start, power, SPOKEN.keys() - {*_ALWAYS, *languages}):
            if all(abs(label.start_s - other.start_s) > _SAME_S for other in labels if other.sound == label.sound):
                labels.append(label)
    return _levelled(samples, sorted(labels, key=lambda label: label.start_s))


def _in_block(start: float, power: Float32, at_own_speed: Collection[str]) -> list[HeardLabel]:
    rhythms = [HeardLabel("rhythm", round(match.start_s + start, 2), unit_s=round(match.unit_s, 3),
                          pitch_hz=round(match.pitch_hz), contrast_db=round(match.contrast_db, 1),
                          loudness_lufs=round(morse.loudness(power, match), 1))
               for match in morse.find(power)]
    spoken = [HeardLabel("speech", round(match.start_s + start, 2), text=SPOKEN[match.name],
                         speed=round(match.speed, 2), likeness=round(match.correlation, 2),
                         least=round(match.min_correlation, 2))
              for match in speech_matching.find(power, _bundled(), at_own_speed)]
    return rhythms + spoken


def _levelled(samples: Audio, labels: list[HeardLabel]) -> list[HeardLabel]:
    """The labels, the first rhythms with their level against half a minute of the programme on either side of each."""
    rhythms = [label for label in labels if label.sound == "rhythm"][:_MOST_LEVELS]
    spans = [(label.start_s - _EDGE_S, label.start_s + morse.UNITS * (label.unit_s or 0) + _EDGE_S)
             for label in rhythms]

    around = [(round((label.start_s - _PROGRAMME_S) * samples.rate),
               round((label.start_s + _PROGRAMME_S) * samples.rate)) for label in rhythms]
    levels = {label: _level(label, near.mean(1, keepdims=True), first, spans, samples.rate)
              for label, (first, _), near in zip(rhythms, around, samples.stretches(around), strict=True)}
    return [replace(label, level_db=levels.get(label)) for label in labels]


def _level(label: HeardLabel, near: Float32, first: int, spans: list[tuple[float, float]], rate: int) -> float | None:
    """The level of a rhythm against float32 [frames, 1] of sound from frame `first` on, without what is in `spans`."""
    low, high = label.start_s - _PROGRAMME_S, label.start_s + _PROGRAMME_S
    cuts = [low, *(edge for span in spans if span[0] < high and span[1] > low for edge in span), high]
    begin = max(0, first)
    pieces = [near[max(0, round(start * rate) - begin) : max(0, round(stop * rate) - begin)]
              for start, stop in zip(cuts[::2], cuts[1::2], strict=True) if stop > start]
    programme = loudness.integrated(np.concatenate(pieces), rate)
    silent = programme <= loudness.SILENT_LUFS or label.loudness_lufs is None
    return None if silent else round((label.loudness_lufs or 0.0) - programme, 1)


@functools.cache
def _bundled() -> dict[str, Float32]:
    return {name: _band_levels(Explicit(language=name)) for name in SPOKEN}


def _band_levels(explicit: Explicit) -> Float32:
    return speech_matching.band_levels(spectrogram.powers(speech(explicit, spectrogram.RATE)))


def confirm(samples: Audio, explicit: Explicit, drawn: DrawnSound) -> None:
    """Raises OutputFailed unless the spoken label is heard where `drawn` says it is.

    It is compared with its own recording, so this works for the user's recordings too.
    """
    label = _band_levels(explicit)
    spans = [(round((start - _AROUND_S) * samples.rate), round((start + drawn.seconds + _AROUND_S) * samples.rate))
             for start in drawn.starts_s]
    for start, near in zip(drawn.starts_s, samples.stretches(spans), strict=True):
        correlation = max(speech_matching.max_correlation(power, label)
                          for _, power in spectrogram.blocks([near], samples.rate))
        if correlation < _MIN_CORRELATION:
            raise OutputFailed("the spoken label at {start:.1f} s is not heard in the labelled file, correlation "
                               "{correlation:.2f}", start=start, correlation=correlation,
                               hint="give a recording of clear speech, or a higher bitrate")
