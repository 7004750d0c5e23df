# SPDX-License-Identifier: Apache-2.0
"""Segments of MP4 whose boxes are many."""

import struct

from labelkit.container import fragments
from labelkit.container.base import Reader
from tests.cost import within


def test_a_segment_of_many_boxes_takes_time_that_grows_with_their_number():
    many = struct.pack(">I4s", 8, b"free") * 50_000
    assert within(lambda: fragments.with_samples(Reader.of(many), iter(())), 10)
    assert fragments.with_samples(Reader.of(many[:80]), iter(())) == many[:80]
