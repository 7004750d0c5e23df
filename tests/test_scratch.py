# SPDX-License-Identifier: Apache-2.0
"""Memory is lent to one user at a time, kept within a bound, and never shared between threads."""

from __future__ import annotations

import gc
import pickle
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


def test_memory_of_results_is_taken_again_when_nobody_holds_them() -> None:
    results = scratch.Results()
    first = results.array((2, 5, 4), np.dtype(np.float32))
    assert first.shape == (2, 5, 4) and first.dtype == np.float32 and first.flags.writeable and first.flags.aligned
    first[...] = 7
    place, view = first.ctypes.data, first[1, ::2]
    del first
    second = results.array((2, 5, 4), np.dtype(np.float32))
    second[...] = 8
    assert not np.shares_memory(second, view) and (view == 7).all(), "a view holds it"
    del view
    gc.collect()
    assert results.array((4, 10), np.dtype(np.float32)).ctypes.data == place
    assert not np.shares_memory(results.array((3,), np.dtype(np.uint8)), second), "of another size it is new"


def test_results_that_are_copied_share_no_memory() -> None:
    results = scratch.Results()
    place = results.array((5000,), np.dtype(np.uint8)).ctypes.data
    other = pickle.loads(pickle.dumps(results)).array((5000,), np.dtype(np.uint8))
    assert other.ctypes.data != place == results.array((5000,), np.dtype(np.uint8)).ctypes.data
