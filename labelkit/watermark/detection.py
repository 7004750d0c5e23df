# SPDX-License-Identifier: Apache-2.0
"""Detection: a detector's decision at a stated risk."""

from __future__ import annotations

from dataclasses import dataclass

from labelkit.evidence import AudioGeometry, Geometry, NoGeometry
from labelkit.payload import Payload


@dataclass(frozen=True, slots=True)
class Detection:
    """What one carrier's detector decided.

    found                whether a mark is there: the false-positive rate is within MAX_FALSE_POSITIVE_RATE
    payload              its 64 bits; None where nothing was found, where a mark is there whose bits cannot be decoded,
                         and where it carries presence alone (`presence_only`)
    score                the detector's statistic, in standard deviations above unmarked media
    false_positive_rate  probability that unmarked media give this or a stronger answer, with every candidate that was
                         tried counted in; 1.0 where nothing was found
    geometry             how the mark lies in the samples: an `ImageGeometry` in pictures, a `FilmGeometry` in films,
                         an `AudioGeometry` in sound; `NoGeometry` where no bits were decoded
    effort               "fast", "normal" or "deep": how far the search went
    candidates           how many payloads were counted, where this one was found among candidates; None where it was
                         read blind
    """

    found: bool
    payload: Payload | None
    score: float
    false_positive_rate: float
    geometry: Geometry = NoGeometry()
    effort: str = "normal"
    candidates: int | None = None

    @property
    def presence_only(self) -> bool:
        """Whether the mark is one of sound that carries no id."""
        return isinstance(self.geometry, AudioGeometry) and bool(self.geometry.presence_only)


MAX_FALSE_POSITIVE_RATE = 1e-9
"""The bar of a decision: at most one false answer in a thousand million unmarked files."""
