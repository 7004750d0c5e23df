# SPDX-License-Identifier: Apache-2.0
"""Candidates: payloads of which one is expected, so that a decision counts these and not all 2^64.

    candidates = Candidates.of(log.payloads())            # a million, from a label log
    found = image.detect(pixels, key, candidates=candidates)

A blind read of a picture has to exclude 2^64 payloads and needs 12.2 deviations. A million candidates need 9.6, and 8.1
where the picture was not moved. So marks that can no longer be read are found among candidates. That says less than a
read: that of these payloads it is this one. docs/design/decision.md has the mathematics.

Soft bits are compared with the code words of all candidates in two steps. The bits that matter most, as 0 and 1, are
compared with all: that keeps nine tenths of the amplitude, and takes an instruction or two for 64 bits. The few nearest
are then correlated with the soft values.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labelkit import kernels
from labelkit.errors import InvalidArgument
from labelkit.payload import Payload
from labelkit.watermark import ecc

MAX_CANDIDATES = 1 << 24
"""More are refused: a search would take minutes, and gain little over a blind read."""
TRIED_BY_OTHERS = 1 << 20
"""As many as which words count that a file itself names: whoever wrote the file may have tried a million of them."""
MAX_CONFUSED = 1e-6
"""The bar that the coded bits alone have to pass: the chance that a mark of another payload, with its synchronisation
pattern, gives one of the candidates."""
BUDGET = 16_384_000_000  # code bits that a search compares: 16 observations of 1,024 with a million candidates
_ALL_ONES = (1 << 64) - 1
_CHUNK = 1 << 16  # candidates that are compared at a time
_KEPT = 64  # candidates that are expected to be near enough to noise for the second step


class Candidates:
    """Payloads of which one is expected in a mark.

    words    int64 [count], distinct: the 64 bits of each as a signed number
    counted  as how many payloads they count in a false-positive rate: never fewer than there are
    named    the file itself names them
    """

    __slots__ = ("counted", "named", "words")

    def __init__(self, words: npt.NDArray[np.int64], *, counted: int = 0, named: bool = False) -> None:
        ordered = np.sort(words)  # several times as fast as np.unique
        self.words = ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered
        if len(self.words) > MAX_CANDIDATES:
            raise InvalidArgument("{count} candidates are too many, {limit} are possible", count=len(self.words),
                                  limit=MAX_CANDIDATES)
        self.counted, self.named = max(len(self.words), counted), named

    @classmethod
    def of(cls, payloads: AnyCandidates | None) -> Candidates | None:
        """What `detect` is given as `candidates`: itself, payloads, or int64 or uint64 [count] of their bits; None for
        none, and for an empty list. Raises InvalidArgument."""
        if payloads is None or isinstance(payloads, Candidates):
            return payloads
        if isinstance(payloads, np.ndarray):
            if payloads.ndim != 1 or payloads.dtype not in (np.int64, np.uint64):
                raise InvalidArgument("candidates in an array are int64 or uint64 [count], got {dtype} {shape}",
                                      dtype=str(payloads.dtype), shape=str(payloads.shape))
            return cls(payloads.view(np.int64)) if payloads.size else None
        listed = [payloads] if isinstance(payloads, Payload) else list(payloads)
        for one in listed:
            if not isinstance(one, Payload):
                raise InvalidArgument("candidates must be Payloads, got {got}", got=type(one).__name__)
        words = np.array([int(one) for one in listed], np.uint64).view(np.int64)
        return cls(words) if len(words) else None

    @classmethod
    def named_by_file(cls, payloads: Iterable[Payload], *, key_is_public: bool) -> Candidates | None:
        """Those that the file's own label names, None for none.

        Whoever wrote the file chose them. With a private key they could not look: they count as a million tries. With
        the public key they could decode an unmarked picture and write into its label the word that suits it best; so
        they count as all 2^64, and help only where a mark stands out that the decoder cannot read.
        """
        found = cls.of(payloads)
        counted = 1 << 64 if key_is_public else TRIED_BY_OTHERS
        return found and cls(found.words, counted=counted, named=True)

    def __len__(self) -> int:
        return len(self.words)

    @property
    def log_counted(self) -> float:
        """The natural log of `counted`."""
        return math.log(self.counted)

    def tells_apart(self, code_score: float) -> bool:
        """Whether coded bits, in standard deviations, leave one candidate alone even in a file that carries a mark.

        The rate of a decision is about unmarked media. A mark of another payload brings the whole synchronisation
        pattern, and the candidate that suits its coded bits best must not be taken for it.
        """
        words = TRIED_BY_OTHERS if self.named else len(self)
        return words * 0.5 * math.erfc(code_score / math.sqrt(2)) <= MAX_CONFUSED

    def observations(self, most: int, n: int) -> int:
        """How many observations of n code bits a search may compare with all candidates, 1 to `most`."""
        return max(1, min(most, BUDGET // (n * len(self))))

    def nearest(self, soft: npt.NDArray[np.floating], count: int) -> list[Nearest]:
        """For each observation the `count` candidates with the highest correlation, the best first.

        soft  float [observations, n], as for `ecc.decode`
        """
        return [_ranked(one, words, count) for one, words in zip(soft, self._near(soft, count), strict=True)]

    def _near(self, soft: npt.NDArray[np.floating], count: int) -> list[npt.NDArray[np.int64]]:
        """For each observation the candidates that hold most of its strongest bits: about _KEPT, at least `count`."""
        if len(self) <= max(_KEPT, count):
            return [self.words] * len(soft)
        mask = np.stack([_strongest(one) for one in np.abs(soft)])
        hard, table = ecc.packed(soft < 0), ecc.code_table(soft.shape[1])
        distance = np.empty((len(soft), len(self)), np.uint16)
        for start in range(0, len(self), _CHUNK):
            words = self.words[start : start + _CHUNK]
            part = np.empty((len(soft), len(words)), np.uint16)
            kernels.code_distance(words, table, hard, ecc.packed(mask), part)
            distance[:, start : start + _CHUNK] = part
        bits = mask.sum(1)
        limit = bits / 2 - NormalDist().inv_cdf(1 - _KEPT / len(self)) * np.sqrt(bits) / 2
        near = [np.flatnonzero(row <= most) for row, most in zip(distance, limit, strict=True)]
        return [self.words[one] if len(one) >= count else self.words[np.argpartition(row, count)[:count]]
                for one, row in zip(near, distance, strict=True)]


Nearest: TypeAlias = list[tuple[int, float]]
"""Candidates, 0 to 2^64 - 1, and the correlation of each with the soft values."""

AnyCandidates: TypeAlias = Candidates | Payload | Iterable[Payload] | npt.NDArray[np.int64] | npt.NDArray[np.uint64]
"""What `detect` takes as `candidates`."""


def _ranked(soft: npt.NDArray[np.floating], words: npt.NDArray[np.int64], count: int) -> Nearest:
    sums = (1.0 - 2.0 * ecc.encode_all(words, len(soft))) @ soft
    return [(int(words[one]) & _ALL_ONES, float(sums[one])) for one in np.argsort(-sums, kind="stable")[:count]]


def _strongest(size: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """bool [n]: the values that together stand out most when each counts the same: sum / sqrt(count) is highest."""
    order = np.argsort(-size, kind="stable")
    best = int(np.argmax(np.cumsum(size[order]) / np.sqrt(np.arange(1, len(size) + 1))))
    chosen = np.zeros(len(size), np.bool_)
    chosen[order[: best + 1]] = True
    return chosen
