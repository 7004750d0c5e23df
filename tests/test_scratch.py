# SPDX-License-Identifier: Apache-2.0
"""Memory is lent to one user at a time, kept within a bound, and never shared between threads."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from labelkit import scratch


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "_kept", scratch._Kept())


def test_it_is_kept_for_the_next_call() -> None:
    with scratch.lent(5000) as first:
        assert first.shape == (5000,) and first.dtype == np.uint8 and first.flags.writeable
        place = first.ctypes.data
    with scratch.lent(3000) as second:
        assert second.shape == (3000,) and second.ctypes.data == place


def test_two_at_once_lie_apart() -> None:
    with scratch.lent(1000) as one, scratch.lent(1000) as other:
        assert not np.shares_memory(one, other)


def test_an_error_gives_it_back() -> None:
    with pytest.raises(KeyError), scratch.lent(1000) as first:
        place = first.ctypes.data
        raise KeyError
    with scratch.lent(1000) as second:
        assert second.ctypes.data == place


def test_what_is_kept_is_bounded() -> None:
    with scratch.lent(scratch.MAX_KEPT + 1):
        pass
    assert not scratch._kept.blocks
    with scratch.lent(scratch.MAX_KEPT // 2 + 1), scratch.lent(scratch.MAX_KEPT // 2 + 1):
        pass
    assert sum(block.size for block in scratch._kept.blocks) <= scratch.MAX_KEPT


def test_a_larger_one_replaces_a_smaller() -> None:
    for count in range(1000, 10_000, 1000):
        with scratch.lent(count):
            pass
    assert len(scratch._kept.blocks) == 1


def test_threads_share_nothing() -> None:
    with scratch.lent(1000) as ours:
        pass
    places: list[int] = []

    def borrow() -> None:
        with scratch.lent(1000) as theirs:
            places.append(theirs.ctypes.data)

    thread = threading.Thread(target=borrow)
    thread.start()
    thread.join()
    assert places != [ours.ctypes.data]
