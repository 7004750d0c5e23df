# SPDX-License-Identifier: Apache-2.0
"""What one call of `embed` was asked for, as its steps in `pipeline` hand it on."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from labelkit import confirmation, container, watermark
from labelkit.codec.samples import Samples
from labelkit.container import Reader
from labelkit.errors import HostTooSmall, OutputFailed, WatermarkLeftOut
from labelkit.evidence import Drawn
from labelkit.key import Key
from labelkit.label import Label
from labelkit.log_recorder import Recorder
from labelkit.messages import Message
from labelkit.plan import Plan, Watermark
from labelkit.preconditions import fitting
from labelkit.signpost import Signpost, soft_binding

if TYPE_CHECKING:
    from labelkit.codec.transcode import Progress


T = TypeVar("T")


def signpost_of(plan: Plan, made: Reader | Path) -> Signpost | None:
    """What a file states about where to ask: the plan's, with the name of the watermark that is in the file."""
    if not plan.signpost or not plan.watermark:
        return plan.signpost
    with container.opened(made) as reader:
        return dataclasses.replace(plan.signpost, alg=soft_binding(container.sniff(reader).mime))


def with_or_without_watermark(labelled: Callable[[Plan], T], plan: Plan,
                              on_left_out: Callable[[Message], None] | None) -> T:
    """What `labelled` returns for a plan, or for one without a watermark where that cannot be carried and need not be.

    on_left_out  as for `embed`, which calls this
    """
    try:
        return labelled(plan)
    except (HostTooSmall, OutputFailed) as error:
        if not plan.watermark or plan.watermark.required or not (plan.explicit or plan.metadata):
            raise
        reason = Message("labelled without a watermark: {reason}", reason=error.message)
    result = labelled(dataclasses.replace(plan, watermark=None))
    if on_left_out:
        on_left_out(reason)
    else:
        warnings.warn(WatermarkLeftOut(reason), stacklevel=3)
    return result


@dataclass(frozen=True, slots=True)
class Request:
    """What `embed` was asked for."""

    label: Label
    plan: Plan
    key: Key
    check: bool
    max_pixels: int
    on_progress: Callable[[Progress], None] | None
    recorder: Recorder | None
    sidecar: bytes | None = None  # the manifest that lies beside the source
    on_stronger: Callable[[Watermark], None] | None = None

    def claim(self, drawn: Drawn | None, made: Reader | Path) -> object:
        """What a manifest is to state of a file, and of what was drawn in it."""
        from labelkit.provenance import Claim  # here: c2pa takes a tenth of a second to import

        return Claim(self.label, watermark.payload_of(self.label, self.plan), explicit=drawn,
                     generator=self.plan.generator, signpost=signpost_of(self.plan, made))

    def fitting(self, reader: Reader) -> Request:
        """The request with the layers that the format of a file has a place for; see `preconditions.fitting`."""
        plan = fitting(self.plan, reader)
        if plan is self.plan:
            return self
        return dataclasses.replace(self, plan=plan,
                                   recorder=self.recorder and dataclasses.replace(self.recorder, plan=plan))

    def attempts(self) -> Iterator[tuple[Watermark | None, bool]]:
        """The settings of the watermark to try, and whether each is the last."""
        steps: Sequence[Watermark | None] = [None]
        if self.plan.watermark and self.check:
            steps = self.plan.watermark.attempts()
        return ((step, index == len(steps)) for index, step in enumerate(steps, 1))

    def tell_stronger(self, attempt: int, settings: Watermark | None) -> None:
        """Say that the watermark was made stronger than the plan asks, if it was not the first attempt."""
        if attempt and settings and self.on_stronger:
            self.on_stronger(settings)

    def confirm(self, made: Reader, drawn: Drawn | None, encoded: Samples | None = None) -> None:
        """Raise OutputFailed where the signal layers do not read back; see `confirmation.confirm`."""
        confirmation.confirm(made, self.plan, watermark.payload_of(self.label, self.plan), self.key, drawn,
                             self.max_pixels, encoded)

    def confirm_stage(self, made: Path, name: str, drawn: Drawn | None, encoded: Samples | None = None) -> None:
        """`confirm` for a stage; `name` is that of the source: what is refused is no file in a folder that goes."""
        with container.opened(made) as marked:
            marked.name = name
            self.confirm(marked, drawn, encoded)
