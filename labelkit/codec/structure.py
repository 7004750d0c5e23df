# SPDX-License-Identifier: Apache-2.0
"""Where the packets of a film lie: its key frames, those that can be cut at, and the fragments of an MP4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from labelkit.errors import LimitExceeded

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

Int64: TypeAlias = npt.NDArray[np.int64]
_MAX_PACKETS = 1 << 24  # three days at 60 frames a second
_SLACK_US = 1000  # by which lengths in other units may be off


@dataclass(frozen=True, slots=True)
class Structure:
    """The packets of the main stream of a film, in the order in which they are stored and decoded.

    decoded, shown  int64 [packets], when, in units of `time_base`
    places          int64 [packets], offset of each in the file, -1 where it is not known
    keys            bool [packets], whether decoding can begin at it
    last_length     for how long the last is shown, as the file states for it; 0 where it does not
    """

    decoded: Int64
    shown: Int64
    places: Int64
    keys: npt.NDArray[np.bool_]
    time_base: Fraction
    last_length: int = 0

    @classmethod
    def of(cls, container: InputContainer, stream: VideoStream, time_base: Fraction, name: str) -> Structure:
        """Of an opened film, which is read once and not decoded. Raises LimitExceeded."""
        rows: list[tuple[int, int, int, bool]] = []
        last = (0, 0)  # when it is shown, and for how long
        for packet in container.demux(stream):
            if packet.size:
                shown = packet.pts if packet.pts is not None else packet.dts or 0
                rows.append((packet.dts if packet.dts is not None else shown, shown,
                             -1 if packet.pos is None else packet.pos, packet.is_keyframe))
                last = max(last, (shown, packet.duration or 0))
            if len(rows) > _MAX_PACKETS:
                raise LimitExceeded("{where}: more than {limit} frames", where=name, limit=_MAX_PACKETS)
        decoded, shown_at, places, keys = zip(*rows, strict=True) if rows else ((), (), (), ())
        return cls(np.array(decoded, np.int64), np.array(shown_at, np.int64), np.array(places, np.int64),
                   np.array(keys, np.bool_), time_base, last[1])

    def cuts(self) -> Int64:
        """When the key frames are shown before which nothing is shown later, and after which nothing earlier."""
        if not len(self.shown):
            return self.shown
        before = np.concatenate([[np.iinfo(np.int64).min], np.maximum.accumulate(self.shown)[:-1]])
        least = np.minimum.accumulate(self.shown[::-1])[::-1]
        return self.shown[self.keys & (before < self.shown) & (least >= self.shown)]

    def delay(self) -> int:
        """How many frames later than it is decoded the first one is shown, for those that are stored before it."""
        if len(self.decoded) < 2:
            return 0
        step = max(1, int(np.median(np.diff(self.decoded))))
        return max(0, round(int(self.shown[0] - self.decoded[0]) / step))

    def fragment_options(self, fragments: Sequence[int]) -> dict[str, str]:
        """What FFmpeg's muxer of MP4 is told so that fragments begin where they do, as far as it can be told.

        fragments  the offsets of the boxes moof in the file, ascending
        Fragments at key frames stay; others stay where they are of one length, or nearly.
        """
        numbers = np.searchsorted(np.asarray(fragments, np.int64), self.places, "right")
        firsts = np.flatnonzero(np.diff(numbers, prepend=0)) if len(numbers) else np.empty(0, np.int64)
        firsts = firsts[numbers[firsts] > 0]
        if len(firsts) < 2:
            return {"movflags": "frag_custom"}
        lengths = np.diff(self.decoded[firsts])
        if not self.keys[firsts].all():
            return {"movflags": "frag_keyframe", "frag_duration": str(self._microseconds(int(lengths.max())))}
        if len(firsts) < self.keys.sum():
            return {"movflags": "frag_keyframe", "min_frag_duration": str(self._microseconds(int(lengths.min())))}
        return {"movflags": "frag_keyframe"}

    def _microseconds(self, length: int) -> int:
        return max(1, round(length * self.time_base * 1_000_000) - _SLACK_US)
