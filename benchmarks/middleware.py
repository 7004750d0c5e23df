# SPDX-License-Identifier: Apache-2.0
"""What the ASGI middleware adds to the labelling that it does: a JPEG of 1024 x 1024 as the answer of an app.

    python -m benchmarks.middleware [TURNS]

In each turn, one after the other: the app labels its JPEG itself and answers it; it answers it unlabelled through
`LabelResponses`; and Pillow encodes the pixels. Least CPU and least wall times, and the median of the ratios of a turn.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

import labelkit as lk
from labelkit import aio
from labelkit.integrations.asgi import LabelResponses
from tests.media import photo, saved

PICTURE = saved(photo(1024, 1024), "JPEG", quality=92)
LABEL = lk.Label(lk.Kind.GENERATED, "acme", "1")
SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": []}


def app(labels: bool) -> Callable:
    """Answers the picture, which it labels itself or not."""
    async def answer(scope, receive, send) -> None:
        body = await aio.embed(PICTURE, label=LABEL) if labels else PICTURE
        await send({"type": "http.response.start", "status": 200, "headers": [
            (b"content-type", b"image/jpeg"), (b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})
    return answer


async def asked(server: Callable) -> bytes:
    """The body of an answer."""
    parts: list[bytes] = []

    async def send(event) -> None:
        parts.append(event.get("body", b""))

    await server(SCOPE, None, send)
    return b"".join(parts)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """(CPU, wall) in milliseconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return 1000 * (time.process_time() - cpu), 1000 * (time.perf_counter() - wall)


def main(turns: int) -> None:
    """Print the table."""
    with asyncio.Runner() as runner:
        own, through = app(labels=True), LabelResponses(app(labels=False), label=lambda scope: LABEL)
        pixels = np.array(photo(1024, 1024))
        jobs = {"labelled by the app": lambda: runner.run(asked(own)),
                "by the middleware": lambda: runner.run(asked(through)),
                "encoded by Pillow": lambda: saved(pixels, "JPEG", quality=92)}
        for job in jobs.values():
            job()
        assert lk.verify(runner.run(asked(through))).verdict is lk.Verdict.CONFIRMED
        assert lk.verify(runner.run(asked(app(labels=False)))).verdict is lk.Verdict.NONE
        times = {name: [] for name in jobs}
        for _ in range(turns):
            for name, job in jobs.items():
                times[name].append(timed(job))
    for name, taken in times.items():
        cpu, wall = (min(column) for column in zip(*taken, strict=True))
        print(f"{name:20s} {cpu:7.1f} ms CPU {wall:7.1f} ms")
    first, second = list(times.values())[:2]
    ratios = [two[0] / one[0] for one, two in zip(first, second, strict=True)]
    print(f"middleware to app    {statistics.median(ratios):7.3f} (median of {turns} turns, CPU)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
