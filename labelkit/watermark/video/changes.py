# SPDX-License-Identifier: Apache-2.0
"""Which cells of a film whose mark stands still have changed since their mark was coded.

An encoder skips still ground with its mark. Where something passes over it, the mark would be coded anew each time.
So a cell that has changed goes without one until the film begins anew, or until three quarters of the cells have
changed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# swept 2026-11-28, tables in benchmarks/TUNING.md: CHANGED
_CHANGED = 0.5  # grey levels by which the mean of a cell has changed
_MOST = 0.75  # of the cells may go without a mark; beyond, all are marked anew


class ChangedCells:
    """Follows the brightness of the cells of one film.

    unit  how much of it is a grey level
    """

    def __init__(self, unit: float) -> None:
        self._unit = unit
        self._first: npt.NDArray[np.int32] | None = None  # when all were marked
        self._lost = np.zeros((0, 0), np.bool_)

    def forget(self) -> None:
        """The next frame begins anew."""
        self._first = None

    def lost(self, brightness: npt.NDArray[np.uint16], restart: bool) -> npt.NDArray[np.bool_]:
        """bool of the same shape: the cells of the next frame that go without a mark.

        brightness  uint16 [rows, columns], of cells
        restart     whether the frame begins anew
        """
        now = brightness.astype(np.int32)
        if restart or self._first is None:
            return self._renewed(now)
        self._lost |= np.abs(now - self._first) > _CHANGED * self._unit
        return self._renewed(now) if self._lost.mean() > _MOST else self._lost

    def _renewed(self, now: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        self._first, self._lost = now, np.zeros(now.shape, np.bool_)
        return self._lost
