# SPDX-License-Identifier: Apache-2.0
"""Prefetching: order, errors, and that the thread ends with whoever used it."""

import threading
from contextlib import closing

import pytest

from labelkit.codec.prefetch import prefetch


def threads() -> int:
    return sum(thread.name == "labelkit-prefetch" for thread in threading.enumerate())


def test_items_come_in_order_and_the_thread_ends():
    assert list(prefetch(iter(range(100)), 3)) == list(range(100))
    assert list(prefetch(iter(()), 3)) == []
    assert threads() == 0


def test_no_more_is_made_than_asked_for():
    made = []
    items = prefetch((made.append(number) or number for number in range(100)), 3)
    for _ in range(10):
        next(items)
    items.close()
    assert 10 <= len(made) <= 15 and threads() == 0


def test_errors_of_the_thread_are_raised_where_the_items_are_used():
    def items():
        yield 1
        raise KeyError("lost")

    taken = []
    with pytest.raises(KeyError, match="lost"):
        for item in prefetch(items(), 3):
            taken.append(item)
    assert taken == [1] and threads() == 0


def test_an_error_of_the_user_stops_the_thread():
    with pytest.raises(KeyboardInterrupt), closing(prefetch(iter(range(10**9)), 2)) as items:
        for item in items:
            if item == 5:
                raise KeyboardInterrupt
    assert threads() == 0
