# SPDX-License-Identifier: Apache-2.0
"""`embed` and `detect` on decoded media, whatever their modality: each picks the carrier.

A carrier is imported when it is first used: a plan without a watermark loads none.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import cast

import numpy as np

from labelkit.codec.samples import (
    MAX_SAMPLE_RATE,
    MIN_SAMPLE_RATE,
    Audio,
    AudioSamples,
    AudioStream,
    Blocks,
    ImageSamples,
    Samples,
    TextSamples,
    VideoSamples,
    Waveform,
)
from labelkit.errors import InvalidArgument, OutputFailed, UnsupportedFormat
from labelkit.key import Key
from labelkit.label import Label
from labelkit.messages import Message
from labelkit.payload import Payload
from labelkit.plan import Plan, Watermark
from labelkit.watermark.candidates import AnyCandidates, Candidates
from labelkit.watermark.detection import MAX_FALSE_POSITIVE_RATE, Detection

_FRAMES_TRIED = 4  # of an animation, when nothing is found; every one adds to the false-positive rate


def payload_of(label: Label, plan: Plan) -> Payload | None:
    """The payload of a plan's watermark for a label; None for presence alone, and for a plan without a watermark."""
    return Payload.of(label) if plan.watermark and not plan.watermark.presence_only else None


def embed(samples: Samples, payload: Payload | None, key: Key | None = None, plan: Watermark | None = None) -> Samples:
    """`samples` with `payload` in every frame.

    payload  None marks presence alone, in sound only
    key      None is the public key
    plan     None is the default one
    Writable samples are marked in place: the caller no longer needs them, and a copy costs a tenth of the mark of a
    picture and, for an hour of stereo, more than a gigabyte.
    An AudioStream is marked at each pass, and raises HostTooSmall at its end.
    Raises HostTooSmall; InvalidArgument for presence alone in pictures and films; UnsupportedFormat for texts.
    """
    if isinstance(samples, TextSamples):
        raise UnsupportedFormat("a watermark is in pixels or sound; a text has neither")
    plan = plan or Watermark()
    strength = plan.strength
    if isinstance(samples, AudioSamples):
        from labelkit.watermark import audio
        marked = audio.embed(samples.samples, samples.rate, payload, key, strength=strength,
                             robustness=plan.robustness,
                             out=samples.samples if samples.samples.flags.writeable else None)
        return dataclasses.replace(samples, samples=marked.astype(np.float32, copy=False))
    if isinstance(samples, AudioStream):
        from labelkit.watermark import audio
        change = functools.partial(audio.embed_in_blocks, rate=samples.rate, channels=samples.channels,
                                   frames=samples.frames, payload=payload, key=key, strength=strength,
                                   robustness=plan.robustness)
        return samples.rebuilt(cast("Callable[[Blocks], Iterator[Waveform]]", change), samples.frames,
                               samples.inserted)  # which gives float32 for float32
    if payload is None:
        raise InvalidArgument("presence alone is carried by sound; pictures and films carry an id")
    if isinstance(samples, VideoSamples):
        return _embed_in_film(samples, payload, key, plan)
    from labelkit.watermark import image
    # frames that are measured one by one would flicker
    robustness = plan.robustness if len(samples.frames) == 1 else "hard"
    return samples.map(lambda frame: image.embed(frame, payload, key, strength=strength, robustness=robustness,
                                                 out=frame if frame.flags.writeable else None))


def _embed_in_film(samples: VideoSamples, payload: Payload, key: Key | None, plan: Watermark) -> VideoSamples:
    from labelkit.watermark import video
    samples = video.embed(samples, payload, key, strength=plan.strength, robustness=plan.robustness)
    if not plan.soundtrack:
        return samples
    from labelkit.watermark.video import soundtrack  # which loads all that sound needs
    return soundtrack.embed(samples, payload, key, strength=plan.strength, robustness=plan.robustness)


def detect(samples: Samples, key: Key | None = None, *, effort: str = "normal",
           candidates: AnyCandidates | None = None) -> Detection:
    """The decision on sound, a picture, an animation or the picture of a film.

    key         None is the public key
    effort      "fast", "normal" or "deep"
    candidates  payloads of which one is expected, chosen without a look at the media: where no mark can be read, these
                are looked for, and the false-positive rate counts them in the place of all 2^64
    Of an animation a few frames are tried, each of which counts in the false-positive rate. `detect_soundtrack` decides
    on the sound of a film. Raises InvalidArgument.
    """
    if isinstance(samples, Audio):
        if not MIN_SAMPLE_RATE <= samples.rate <= MAX_SAMPLE_RATE:
            raise UnsupportedFormat("sound of {rate} Hz; marks are found in that of {low} to {high} Hz",
                                    rate=samples.rate, low=MIN_SAMPLE_RATE, high=MAX_SAMPLE_RATE)
        from labelkit.watermark import audio
        detector = audio.AudioDetector(samples.rate, samples.channels, key, effort=effort, candidates=candidates)
        for block in samples.blocks():
            detector.push(block)
        return detector.finish()
    if isinstance(samples, TextSamples):
        raise UnsupportedFormat("a watermark is in pixels or sound; a text has neither")
    if isinstance(samples, VideoSamples):
        from labelkit.watermark import video
        return video.detect(samples, key, effort=effort, candidates=candidates)
    return _detect_in_frames(samples, key, effort, Candidates.of(candidates))


def _detect_in_frames(samples: ImageSamples, key: Key | None, effort: str,
                      candidates: Candidates | None) -> Detection:
    from labelkit.watermark import image
    step = max(1, -(-len(samples.frames) // _FRAMES_TRIED))
    missed = []
    for tried, frame in enumerate(samples.frames[::step], start=1):
        found = image.detect(frame, key, effort=effort, candidates=candidates)
        rate = min(1.0, found.false_positive_rate * tried)
        if found.found and rate <= MAX_FALSE_POSITIVE_RATE:
            return dataclasses.replace(found, false_positive_rate=rate)
        missed.append(found)
    best = max(missed, key=lambda found: found.score)
    return dataclasses.replace(best, found=False, payload=None, false_positive_rate=1.0)


def detect_soundtrack(samples: Samples, key: Key | None = None, *, effort: str = "normal",
                      candidates: AnyCandidates | None = None) -> Detection | None:
    """The decision on the sound track of a film, None where there is none; see `soundtrack.detect`."""
    if not isinstance(samples, VideoSamples):
        return None
    from labelkit.watermark.video import soundtrack
    return soundtrack.detect(samples, key, effort=effort, candidates=candidates)


def is_clear(samples: Samples, payload: Payload | None, key: Key | None = None) -> bool:
    """Whether a picture carries the mark that was put into it so clearly that every detector reads it.

    False says nothing: `detect` then decides, as it does for sound, films and animations.
    """
    if payload is None or not isinstance(samples, ImageSamples) or len(samples.frames) != 1:
        return False
    from labelkit.watermark.image import known
    return known.is_clear(samples.frames[0], payload, Key.of(key))


def confirm(found: Detection, payload: Payload | None, where: str) -> None:
    """Raise OutputFailed unless the mark that was put into a file was found, with its payload.

    where  the name of the file
    """
    if not found.found or found.payload != payload:
        raise OutputFailed("{where}: the watermark does not read back from the labelled file: {got} for {wanted}",
                           where=where, got=found.payload.hex if found.payload else Message("nothing"),
                           wanted=payload.hex if payload else Message("presence"),
                           hint="raise the strength, or start from a file that is compressed less")
