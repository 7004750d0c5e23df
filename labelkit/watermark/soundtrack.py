# SPDX-License-Identifier: Apache-2.0
"""The watermark in the sound track of a film: that of `labelkit.watermark.audio`, listened for in few stretches.

    fast    the first 12 seconds
    normal  up to three stretches of 12 seconds, at the start, in the middle and at the end, until one holds a mark
    deep    the whole
"""

from __future__ import annotations

import dataclasses
import functools
import math

from labelkit.codec.samples import VideoSamples
from labelkit.key import Key
from labelkit.messages import Message
from labelkit.watermark import audio
from labelkit.watermark.audio_stream import AudioDetector
from labelkit.watermark.detection import Detection
from labelkit.watermark.payload import Payload

STRETCH_S = 12.0
_STRETCHES = 3
_MAX_RATE = 1e-12  # so that picture and sound together stay within the bar of one: marks pass it by far


def embed(samples: VideoSamples, payload: Payload, key: Key | None = None, *, strength: float = 1.0) -> VideoSamples:
    """The film with `payload` in its sound track too, where it has one, when it is encoded.

    Nothing is checked: the sound may be too quiet, or end before it could carry its payload. Raises InvalidArgument.
    """
    return samples.map_sound(functools.partial(_marker, payload, key, strength))


def _marker(payload: Payload, key: Key | None, strength: float, rate: int, channels: int) -> audio.AudioMarker:
    return audio.AudioMarker(rate, channels, payload, key, strength=strength)


def detect(samples: VideoSamples, key: Key | None = None, *, effort: str = "normal") -> Detection | None:
    """Whether a mark of `key` is in the sound track; None where there is no sound, or of no rate that marks have.

    geometry: as for sound, its times those of the film, and heard [[begin, end], ...]: what was listened to.
    """
    if samples.sound is None or not 8_000 <= samples.sound.rate <= 192_000:
        return None
    heard: list[list[float]] = []
    best = None
    for start, stop in _stretches(samples.seconds, effort):
        detector = AudioDetector(samples.sound.rate, samples.sound.channels, key, effort=effort)
        frames = 0
        for chunk in samples.heard(start, stop):
            detector.push(chunk)
            frames += len(chunk)
        heard.append([round(start, 3), round(start + frames / samples.sound.rate, 3)])
        found = detector.finish()
        rate = min(1.0, found.false_positive_rate * len(heard))
        found = dataclasses.replace(found, false_positive_rate=rate, geometry=_moved(found.geometry, start))
        if found.found and rate <= _MAX_RATE:
            return dataclasses.replace(found, geometry={**found.geometry, "heard": heard})
        best = found if best is None or found.score > best.score else best
    return dataclasses.replace(best, found=False, payload=None, false_positive_rate=1.0, geometry={"heard": heard})


def _stretches(seconds: float | None, effort: str) -> list[tuple[float, float | None]]:
    if effort == "deep":
        return [(0.0, None)]
    last = max(0.0, (seconds or 0.0) - STRETCH_S)
    count = 1 if effort == "fast" else min(_STRETCHES, 1 + math.ceil(last / STRETCH_S))
    return [(last * i / max(count - 1, 1), last * i / max(count - 1, 1) + STRETCH_S) for i in range(count)]


def _moved(geometry: dict[str, object], start: float) -> dict[str, object]:
    """The geometry of a stretch in the times of the film."""
    def shifted(facts: dict[str, object]) -> dict[str, object]:
        return {name: round(value + start, 3) if name in ("start_s", "end_s") else value
                for name, value in facts.items()}
    moved = shifted(geometry)
    return {**moved, "segments": [shifted(segment) for segment in moved["segments"]]} if moved else {}


def told(picture: Detection, sound: Detection) -> Message | None:
    """What a mark in the sound track says beside the picture's answer; None where it is unmarked."""
    if not sound.found:
        return None
    if picture.payload is None and picture.found:
        return Message("the sound track carries id {id}, the picture a mark that cannot be read", id=sound.payload.hex)
    if picture.payload is None:
        return Message("the sound track carries id {id} and the picture no mark of the same key: it was replaced, or "
                       "the sound alone was marked", id=sound.payload.hex)
    if picture.payload == sound.payload:
        return Message("the sound track carries the same")
    return Message("the sound track carries id {id}: picture and sound come from different content",
                   id=sound.payload.hex)
