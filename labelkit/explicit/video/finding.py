# SPDX-License-Identifier: Apache-2.0
"""Finds the explicit label in the opening of a film, and in its sound track."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from labelkit.codec.samples import ImageSamples, VideoSamples
from labelkit.evidence import ExplicitEvidence
from labelkit.explicit.audio import finding as audio
from labelkit.explicit.image import finding as image
from labelkit.explicit.image.raster import UInt8
from labelkit.explicit.video import soundtrack
from labelkit.explicit.video.drawing import MIN_SECONDS, displayed_active
from labelkit.messages import Message
from labelkit.plan import MIN_HEIGHT_SHARE
from labelkit.report import Finding, Layer, Status


def find(samples: VideoSamples, expected_text: str | None = None, *, read_text: bool = False,
         languages: Collection[str] = ()) -> Finding:
    """VALID where the label is seen in the first frame and for two seconds, or to the end of a shorter film.

    expected_text   a text that another layer names, searched for beside the usual ones
    read_text       where it is not there, read the text of these frames too (the extra `ocr`)
    languages       as for pictures

    The evidence is that of pictures, and `heard` as for sound where the sound track carries its label.
    """
    seen = _find_in_frames(samples, expected_text, languages, read_text=read_text)
    heard = soundtrack.find(samples, languages)
    if not heard:
        return seen
    evidence = replace(_evidence(seen), heard=tuple(heard))
    if seen.status is not Status.ABSENT:
        summary = Message("{picture}; in the sound track {sound}", picture=seen.summary, sound=audio.summary(heard))
        return replace(seen, summary=summary, evidence=evidence)
    return Finding(Layer.EXPLICIT, Status.INVALID, Message(
        "only heard, and GB 45438-2025 5.4 wants it seen: {sound}", sound=audio.summary(heard)), evidence=evidence)


def _find_in_frames(samples: VideoSamples, expected_text: str | None, languages: Collection[str], *,
                    read_text: bool) -> Finding:
    frames = ImageSamples(tuple(_opening(samples)))
    found = image.find(frames, expected_text, languages=languages)
    if found.status is Status.ABSENT and samples.format.active:
        x, y, width, height = displayed_active(samples.format)
        inside = ImageSamples(tuple(frame[y:y + height, x:x + width] for frame in frames.frames))
        found = image.find(inside, expected_text, languages=languages)
        share = (_evidence(found).height_share or 1) * min(height, width) / min(frames.frames[0].shape)
        law = _evidence(found).language is None  # no law gives the height of words in other languages
        if law and found.status is Status.VALID and share < MIN_HEIGHT_SHARE * (1 - image.MEASURING_ERROR):
            return Finding(Layer.EXPLICIT, Status.INVALID, Message(
                "the label is {share} % of the short side of the whole picture, where GB 45438-2025 5.4 wants 5 %",
                share=f"{100 * share:.1f}"), evidence=found.evidence)
    return image.read(frames) if found.status is Status.ABSENT and read_text else found


def _evidence(found: Finding) -> ExplicitEvidence:
    return found.evidence if isinstance(found.evidence, ExplicitEvidence) else ExplicitEvidence()


def _opening(samples: VideoSamples) -> list[UInt8]:
    """The first frame, one near half of the legal time and the last in it: grey, as displayed."""
    until = min(MIN_SECONDS, samples.seconds or MIN_SECONDS)
    first = middle = last = None
    for frame in samples.frames(0.0, until):
        first = first if first is not None else frame.grey().copy()
        if middle is None and frame.seconds >= until / 2:
            middle = frame.grey().copy()
        last = frame
    kept = [first, middle, last.grey().copy() if last is not None else None]
    return [grey for grey in kept if grey is not None]
