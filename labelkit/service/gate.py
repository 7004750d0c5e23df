# SPDX-License-Identifier: Apache-2.0
"""How much is taken on at a time. What is too much is refused at once, so that a queue never grows."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from labelkit.messages import Message
from labelkit.service.limits import Limits
from labelkit.service.refusal import Refused

_SHORTEST, _LONGEST = 1, 60  # seconds of Retry-After
_SMOOTHING = 0.1  # weight of the newest request in the mean time of one


class Gate:
    """Counts requests, their bytes and those that are worked on; of one event loop.

    admitted  requests that came in and are not answered yet
    working   those of them that a process works on, or will next
    held      bytes of their bodies, and of the files that go back
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._turns = asyncio.Semaphore(limits.processes + 1)  # one more is ready when a process becomes idle
        self._of_callers: Counter[str] = Counter()
        self._mean_s = 1.0
        self.admitted = self.working = self.held = 0

    @property
    def is_full(self) -> bool:
        """Whether the next request is refused."""
        return self.admitted >= self._limits.processes + self._limits.waiting

    @contextmanager
    def enter(self, caller: str) -> Iterator[Ticket]:
        """Take on a request until the block ends. Raises Refused: 429 for a caller with too many, else 503."""
        if self._of_callers[caller] >= self._limits.callers_share:
            raise Refused(429, "TooManyRequests", Message("this caller has {count} requests at work already",
                                                          count=self._of_callers[caller]), self.retry_after())
        if self.is_full:
            raise self._busy()
        self.admitted += 1
        self._of_callers[caller] += 1
        ticket = Ticket(self)
        try:
            yield ticket
        finally:
            self.admitted -= 1
            self.held -= ticket.held
            self._of_callers[caller] -= 1
            if not self._of_callers[caller]:
                del self._of_callers[caller]

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn at the processes, first come first served. Raises Refused (503) when that takes too long."""
        try:
            async with asyncio.timeout(self._limits.wait_seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise self._busy() from None
        started = time.monotonic()
        self.working += 1
        try:
            yield
        finally:
            self.working -= 1
            self._turns.release()
            self._mean_s += _SMOOTHING * (time.monotonic() - started - self._mean_s)

    def hold(self, ticket: Ticket, count: int) -> None:
        """Count bytes that came in; raises Refused (503) where all requests together hold too many."""
        if self.held + count > self._limits.held_bytes:
            raise self._busy()
        self.held += count
        ticket.held += count

    def retry_after(self) -> int:
        """In how many seconds those who wait now may be done."""
        ahead = (self.admitted + 1) / self._limits.processes
        return max(_SHORTEST, min(_LONGEST, math.ceil(self._mean_s * ahead)))

    def _busy(self) -> Refused:
        return Refused(503, "Busy", Message("the service is busy; ask again later"), self.retry_after())


class Ticket:
    """One request that was taken on, and the bytes that it holds."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.held = 0

    def hold(self, count: int) -> None:
        """See `Gate.hold`."""
        self._gate.hold(self, count)

    def keep(self, count: int) -> None:
        """Hold so many bytes in the place of those before; raises Refused as `hold` does."""
        self._gate.held -= self.held
        self.held = 0
        self._gate.hold(self, count)
