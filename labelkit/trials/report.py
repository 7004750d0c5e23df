# SPDX-License-Identifier: Apache-2.0
"""What was measured, under which conditions, as JSON."""

from __future__ import annotations

import datetime
import math
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelkit import kernels
from labelkit.distribution import DISTRIBUTION, __version__
from labelkit.evidence import Json
from labelkit.messages import LANGUAGES, Message
from labelkit.threads import cores
from labelkit.trials import fidelity, media, sounds, tally
from labelkit.trials.measure import Measured
from labelkit.trials.media import Medium
from labelkit.trials.signed import SCHEMA
from labelkit.trials.subject import Settings
from labelkit.trials.tally import Rate, Row
from labelkit.watermark.detection import MAX_FALSE_POSITIVE_RATE


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run.

    rows      what came of each trial
    unmarked  how often the detector found a mark where there is none
    wrong_key how often with a key that did not mark
    wrong     how often it read a payload that was not put in, over all decisions
    copied, noticed  how often a mark that was copied to another picture was read, and how many of those pictures the
              label log's fingerprint tells apart
    """

    measured: Measured
    media: Sequence[Medium]
    settings: Settings
    now: datetime.datetime
    seconds: float

    @property
    def rows(self) -> list[Row]:
        return tally.rows(self.measured.decisions)

    @property
    def unmarked(self) -> Rate:
        return Rate.over(tally.of_step(self.measured.decisions, "unmarked"), lambda one: one.found)

    @property
    def wrong_key(self) -> Rate:
        return Rate.over(tally.of_step(self.measured.decisions, "wrong key"), lambda one: one.found)

    @property
    def wrong(self) -> Rate:
        return Rate.over(self.measured.decisions, lambda one: one.wrong)

    @property
    def copied(self) -> Rate:
        return Rate.over(tally.of_step(self.measured.decisions, "copy"), lambda one: one.right)

    @property
    def noticed(self) -> Rate:
        return Rate.over(tally.of_step(self.measured.decisions, "copy"), lambda one: bool(one.noticed))

    def read(self, kind: str, *, attacks: bool) -> Rate:
        """How often the payload was read after transformations, or after attacks, of one kind of media."""
        names = {row.trial for row in self.rows if row.kind == kind and row.group.is_attack == attacks}
        some = [one for one in self.measured.decisions
                if one.kind == kind and one.step in ("trial", "change") and one.trial in names]
        return Rate.over(some, lambda one: one.right)

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found that is not there."""
        return not (self.unmarked.count or self.wrong_key.count or self.wrong.count)

    def conditions(self) -> dict[str, Json]:
        """What the figures hold for."""
        plan = self.settings.plan
        return {"software": f"{DISTRIBUTION} {__version__}", "kernels": kernels.backend(),
                "machine": f"{_cpu()}, {cores()} cores, Python {platform.python_version()}, NumPy {np.__version__}, "
                           f"{platform.system()} {platform.machine()}",
                "watermark_key": self.settings.key.id, "key_is_public": self.settings.key.is_public,
                "strength": plan.strength, "robustness": plan.robustness, "effort": self.settings.effort,
                "max_false_positive_rate": MAX_FALSE_POSITIVE_RATE}

    def not_measured(self) -> list[Message]:
        """What the Code lists and this run did not do, or did only in imitation."""
        missing = [name for program, name in fidelity.TOOLS.items() if program not in fidelity.available()]
        out = [Message("{names}: no program for it is on PATH, so fidelity is by PSNR, SSIM and SNR there",
                       names=", ".join(missing))] if missing else []
        absent = [one.says for one in sounds.all_trials() if one not in sounds.trials()]
        if absent:
            out.append(Message("lossy codecs of sound, and films: they want the extra video"))
        kinds = {one.kind for one in self.media}
        out += [Message("{kind}: there was no such medium", kind=KIND_NAMES[kind])
                for kind in media.KINDS if kind not in kinds]
        return [*out, *_ALWAYS]

    def to_dict(self) -> dict[str, Json]:
        """The report as JSON values; texts in both languages."""
        measured = self.measured
        return {
            "schema": SCHEMA, "made_at": f"{self.now:%Y-%m-%dT%H:%M:%SZ}", "seconds": round(self.seconds, 1),
            "conditions": self.conditions(),
            "media": [{"name": one.name, "kind": one.kind, "sha256": one.sha256,
                       "measured": {name: _finite(value) for name, value in measured.facts.get(one.name, {}).items()}}
                      for one in self.media],
            "refused": [{"name": name, "reason": dict(reason)} for name, reason in measured.refused.items()],
            "failed": [{"medium": name, "step": step, "reason": dict(why)} for name, step, why in measured.failed],
            "trials": [{"kind": row.kind, "trial": row.trial, "group": row.group.value, "attack": row.group.is_attack,
                        "what": _both(row.says), "imitated": row.is_simulated, "found": row.found.to_dict(),
                        "right": row.right.to_dict(), "wrong": row.wrong.to_dict()} for row in self.rows],
            "unmarked_found": self.unmarked.to_dict(), "wrong_key_found": self.wrong_key.to_dict(),
            "wrong_payloads": self.wrong.to_dict(),
            "copied": {"read": self.copied.to_dict(), "told_apart_by_the_log": self.noticed.to_dict()},
            "not_measured": [_both(one) for one in self.not_measured()]}


KIND_NAMES = {"image": Message("pictures"), "audio": Message("sound"), "video": Message("films")}
_ALWAYS = (
    Message("regeneration by neural networks: no package is known that brings the weights of such a network with it, "
            "and nothing is downloaded; a bottleneck and a resynthesis stand in for it"),
    Message("real paper, scanners, screens, cameras, loudspeakers and rooms: each is imitated with moderate values"),
    Message("faces: ovals of their size at places of chance, no face is looked for"),
    Message("copies of marks of sound and films"),
    Message("metadata and the manifest: who encodes a file anew can leave them out, so only the watermark is tried"))


def _both(message: Message) -> Json:
    return {language: message.text(language) for language in LANGUAGES}


def _finite(value: float | None) -> Json:
    """A number for JSON, which has none for "equal"."""
    return None if value is None or not math.isfinite(value) else round(value, 4)


def _cpu() -> str:
    """The model of the processor, as far as the system tells it."""
    if sys.platform == "linux":
        try:
            with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
                for line in file:
                    if line.startswith("model name"):
                        return line.partition(":")[2].strip()[:80]
        except OSError:
            pass
    return platform.processor() or platform.machine()
