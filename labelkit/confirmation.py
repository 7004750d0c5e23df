# SPDX-License-Identifier: Apache-2.0
"""Reads a labelled file back: are watermark and spoken label in what was encoded? And which files are read back."""

from __future__ import annotations

import threading
from typing import Literal, TypeAlias

from labelkit import codec, explicit, watermark
from labelkit.codec.samples import Once, Samples
from labelkit.container import Reader
from labelkit.errors import InvalidArgument, OutputFailed
from labelkit.evidence import Drawn
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.plan import Plan

EVERY = 20


class SampledCheck:
    """Reads one output in `every` back, the first among them: the check of a service that labels many alike.

    every    1 or more
    calls    how many outputs it was asked for
    checked  how many of them were read back

    One may be shared by threads; each process has its own. `embed(check="sample")` uses one of its own, one in 20.
    """

    def __init__(self, every: int = EVERY) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise InvalidArgument("every must be a whole number from 1 on, got {got}", got=repr(every)[:80])
        self.every = every
        self.calls = 0
        self._lock = threading.Lock()

    @property
    def checked(self) -> int:
        """How many outputs were read back."""
        return -(-self.calls // self.every)

    def is_due(self) -> bool:
        """Count an output; whether it is to be read back."""
        with self._lock:
            self.calls += 1
            return (self.calls - 1) % self.every == 0

    def __getstate__(self) -> dict[str, int]:
        return {"every": self.every, "calls": self.calls}

    def __setstate__(self, state: dict[str, int]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    def __repr__(self) -> str:
        return f"SampledCheck(every={self.every}, calls={self.calls})"


Check: TypeAlias = bool | Literal["sample"] | SampledCheck
"""Which outputs are read back, as `embed` takes it."""
_SAMPLE = SampledCheck()


def is_due(check: object) -> bool:
    """Whether the output of this call is to be read back; `check` as `embed` takes it. Raises InvalidArgument."""
    if isinstance(check, SampledCheck):
        return check.is_due()
    if check == "sample":
        return _SAMPLE.is_due()
    if isinstance(check, bool):
        return check
    raise InvalidArgument("check is True, False, \"sample\" or a SampledCheck, got {got}", got=repr(check)[:80])


def confirm(result: Reader, plan: Plan, payload: Payload | None, key: Key, drawn: Drawn | None, max_pixels: int,
            encoded: Samples | None = None) -> None:
    """Raise OutputFailed where the watermark, or a label that is heard, does not read back from a labelled file.

    drawn    the explicit label that was drawn
    encoded  what the file was encoded from, of a film
    Of a JPEG luma alone is decoded, and the known mark measured in it; where that leaves a doubt, the detector decides
    on the whole picture, as it will in `verify`.
    """
    decoded = Once(lambda: codec.decode(result, max_pixels=max_pixels, like=encoded))
    explicit.confirm(decoded, plan.explicit, drawn)
    if not plan.watermark:
        return
    if not codec.is_streamed(result):
        if watermark.is_clear(codec.luma_of_own(result) or decoded(), payload, key):
            return
    watermark.confirm(watermark.detect(decoded(), key, effort="fast"), payload, result.name)
    heard = watermark.detect_soundtrack(decoded(), key) if plan.watermark.soundtrack else None
    if heard and heard.payload != payload:
        raise OutputFailed("{where}: the watermark does not read back from the sound track, which is too short or too "
                           "quiet", where=result.name, hint="raise the strength, or leave the sound track out of it")
