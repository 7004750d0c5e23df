# SPDX-License-Identifier: Apache-2.0
"""From single decisions to rates, with the range in which the true rate lies."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from labelkit.evidence import Json
from labelkit.messages import Message
from labelkit.trials import sounds
from labelkit.trials.subject import Decision, trials_of
from labelkit.trials.table import Group, Trial

CONFIDENCE = 0.95
ATTACKS = {"average": Message("the average of many marks of the key subtracted"),
           "another-mark": Message("marked once more, with somebody else's key"),
           "lifted": Message("the tile of a marked picture added to another picture")}


@dataclass(frozen=True, slots=True)
class Rate:
    """So many of so many, and the 95 % interval of Clopper and Pearson (1934)."""

    count: int
    of: int
    low: float
    high: float

    @classmethod
    def over(cls, decisions: Sequence[Decision], holds: Callable[[Decision], bool]) -> Rate:
        """How many decisions it holds for."""
        count, of = sum(map(holds, decisions)), len(decisions)
        return cls(count, of, *interval(count, of))

    def to_dict(self) -> dict[str, Json]:
        """As JSON values."""
        return {"count": self.count, "of": self.of, "low": round(self.low, 5), "high": round(self.high, 5)}


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one trial on all media of a kind.

    found  a mark of the key was found;  right  its payload was read;  wrong  another payload was
    """

    kind: str
    trial: str
    group: Group
    says: Message
    is_simulated: bool
    found: Rate
    right: Rate
    wrong: Rate


def interval(count: int, of: int) -> tuple[float, float]:
    """The bounds of a share, by bisection of the binomial distribution; (0, 1) where nothing was tried."""
    tail = (1 - CONFIDENCE) / 2
    low = 0.0 if count == 0 else _root(lambda p: 1 - _below(count, of, p) - tail)
    high = 1.0 if count == of else _root(lambda p: tail - _below(count + 1, of, p))
    return low, high


def _below(count: int, of: int, p: float) -> float:
    """The chance of fewer than `count`."""
    if p in (0.0, 1.0):
        return float(p == 0.0 or count > of)
    logs = (math.lgamma(of + 1) - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * math.log(p)
            + (of - k) * math.log1p(-p) for k in range(count))
    return min(1.0, math.fsum(map(math.exp, logs)))


def _root(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def described(kind: str, trial: str) -> tuple[Message, bool]:
    """What a trial does, and whether it only simulates it."""
    if trial in ATTACKS:
        return ATTACKS[trial], False
    known: Sequence[Trial] = sounds.all_trials() if kind == "audio" else trials_of(kind)
    return next((one.says, one.is_simulated) for one in known if one.name == trial)


def rows(decisions: Iterable[Decision]) -> list[Row]:
    """By kind, and in the order of `Group`."""
    grouped: dict[tuple[str, str, str], list[Decision]] = {}
    for one in decisions:
        if one.step in ("trial", "change"):
            grouped.setdefault((one.kind, one.trial, one.group), []).append(one)
    out = []
    for (kind, trial, group), some in grouped.items():
        says, is_simulated = described(kind, trial)
        out.append(Row(kind, trial, Group(group), says, is_simulated, Rate.over(some, lambda one: one.found),
                       Rate.over(some, lambda one: one.right), Rate.over(some, lambda one: one.wrong)))
    kinds, groups = ("image", "audio", "video"), list(Group)
    return sorted(out, key=lambda row: (kinds.index(row.kind), groups.index(row.group)))


def of_step(decisions: Iterable[Decision], step: str) -> list[Decision]:
    """The decisions of one step."""
    return [one for one in decisions if one.step == step]
