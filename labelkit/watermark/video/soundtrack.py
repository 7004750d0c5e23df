# SPDX-License-Identifier: Apache-2.0
"""The watermark in the sound track of a film: that of `labelkit.watermark.audio`, detected in a few stretches.

    fast    the first 12 seconds
    normal  up to three stretches of 12 seconds, at the start, in the middle and at the end, until one holds a mark
    deep    the whole
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import cast

from labelkit.choices import ROBUSTNESS
from labelkit.codec.samples import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, Sound, SoundChange, VideoSamples
from labelkit.evidence import AudioGeometry, Geometry
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark.audio.detector import AudioDetector
from labelkit.watermark.audio.embedder import AudioMarker
from labelkit.watermark.candidates import AnyCandidates, Candidates
from labelkit.watermark.detection import Detection

STRETCH_S = 12.0
_MAX_STRETCHES = 3
_MAX_FALSE_POSITIVE_RATE = 1e-12  # far below the bar of one decision, so that picture and sound together stay within it


def embed(samples: VideoSamples, payload: Payload | None, key: Key | None = None, *, strength: float = 1.0,
          robustness: str = ROBUSTNESS[0]) -> VideoSamples:
    """The film with `payload` in its sound track, where it has one, when it is encoded.

    payload     None: presence alone
    key         None is the public key
    strength    0.25 to 4
    robustness  "everyday" or "hard", as for `AudioMarker`
    The sound is not checked: it may be too quiet or too short to carry its payload. Raises InvalidArgument.
    """
    return samples.map_sound(marker(payload, key, strength=strength, robustness=robustness))


def marker(payload: Payload | None, key: Key | None = None, *, strength: float = 1.0,
           robustness: str = ROBUSTNESS[0]) -> Callable[[int, int], SoundChange]:
    """What gives, for a rate and a number of channels, the change that marks a sound track; arguments as of `embed`."""
    return functools.partial(_marker, payload, key, strength, robustness)


def _marker(payload: Payload | None, key: Key | None, strength: float, robustness: str, rate: int,
            channels: int) -> SoundChange:
    marker = AudioMarker(rate, channels, payload, key, strength=strength, robustness=robustness)
    return cast("SoundChange", marker)  # it takes int16 too, and gives float32 for the float32 of a sound track


def detect(samples: VideoSamples, key: Key | None = None, *, effort: str = "normal",
           candidates: AnyCandidates | None = None) -> Detection | None:
    """Whether a mark of `key` is in the sound track; None without sound, or at a rate that the watermark cannot have.

    key, effort, candidates  as for `AudioDetector`
    `geometry` is an `AudioGeometry` with its times those of the film; `heard` states what was searched, in seconds.
    """
    sound = samples.sound
    if sound is None or not MIN_SAMPLE_RATE <= sound.rate <= MAX_SAMPLE_RATE:
        return None
    expected = Candidates.of(candidates)
    heard: list[tuple[float, float]] = []
    best: Detection | None = None
    for start, stop in _stretches(samples.seconds, effort):
        found, end = _detect_between(samples, sound, start, stop, key, effort, expected)
        heard.append((round(start, 3), round(end, 3)))
        rate = min(1.0, found.false_positive_rate * len(heard))
        if found.found and rate <= _MAX_FALSE_POSITIVE_RATE:
            geometry = dataclasses.replace(_in_film(found.geometry, start), heard=tuple(heard))
            return dataclasses.replace(found, false_positive_rate=rate, geometry=geometry)
        best = found if best is None or found.score > best.score else best
    assert best is not None, "there is at least one stretch"
    return dataclasses.replace(best, found=False, payload=None, false_positive_rate=1.0,
                               geometry=AudioGeometry(heard=tuple(heard)))


def _detect_between(samples: VideoSamples, sound: Sound, start: float, stop: float | None, key: Key | None,
                    effort: str, candidates: Candidates | None) -> tuple[Detection, float]:
    """The decision on a stretch, in its own times, and where the stretch ended, in seconds of the film."""
    detector = AudioDetector(sound.rate, sound.channels, key, effort=effort, candidates=candidates)
    frames = 0
    for chunk in samples.heard(start, stop):
        detector.push(chunk)
        frames += len(chunk)
    return detector.finish(), start + frames / sound.rate


def _stretches(seconds: float | None, effort: str) -> list[tuple[float, float | None]]:
    """(start, stop) in seconds of what is searched in a sound track of so many seconds; stop None is its end."""
    if effort == "deep":
        return [(0.0, None)]
    last = max(0.0, (seconds or 0.0) - STRETCH_S)
    count = 1 if effort == "fast" else min(_MAX_STRETCHES, 1 + math.ceil(last / STRETCH_S))
    return [(last * i / max(count - 1, 1), last * i / max(count - 1, 1) + STRETCH_S) for i in range(count)]


def _in_film(geometry: Geometry, start: float) -> AudioGeometry:
    """The geometry of a stretch that begins at `start` seconds, in the times of the film."""
    if not isinstance(geometry, AudioGeometry) or geometry.start_s is None or geometry.end_s is None:
        return AudioGeometry()
    segments = tuple(dataclasses.replace(one, start_s=round(one.start_s + start, 3), end_s=round(one.end_s + start, 3))
                     for one in geometry.segments or ())
    return dataclasses.replace(geometry, start_s=round(geometry.start_s + start, 3),
                               end_s=round(geometry.end_s + start, 3), segments=segments)
