# SPDX-License-Identifier: Apache-2.0
"""What a call costs, however busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

_TRIES = 6  # on a busy machine the same work takes up to twice the time of the processor, not every time


def within(call: Callable[[], object], seconds: float) -> bool:
    """Whether a call takes less than so many seconds of the processor. One that takes more is made again: what is
    slow by itself is slow every time. The last exception of the call goes through."""
    for _ in range(_TRIES):
        start = time.process_time()
        call()
        if time.process_time() - start < seconds:
            return True
    return False
