# SPDX-License-Identifier: Apache-2.0
"""Detection: a detector's decision at a stated risk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from labelkit.watermark.payload import Payload


@dataclass(frozen=True, slots=True)
class Detection:
    """What one carrier's detector decided.

    found                whether a mark is there: the p-value passed the bar below
    payload              its 64 bits; None where nothing was found, or where a mark is there and cannot be read, or
                         carries presence alone (geometry's `presence_only`)
    score                the detector's statistic, in standard deviations above unmarked media
    false_positive_rate  chance that unmarked media give this or a stronger answer, with every
                         candidate that was tried counted in; 1.0 where nothing was found
    geometry             how the carrier lay in the samples: for pictures scale, angle in degrees,
                         mirrored, offset; for sound start and end in seconds, speed
    effort               "fast", "normal" or "deep": how far the search went
    """

    found: bool
    payload: Payload | None
    score: float
    false_positive_rate: float
    geometry: Mapping[str, object] = field(default_factory=dict)
    effort: str = "normal"


MAX_FALSE_POSITIVE_RATE = 1e-9
"""The bar of a decision: one false answer in a thousand million unmarked files at most."""
