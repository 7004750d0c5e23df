# SPDX-License-Identifier: Apache-2.0
"""embed and verify for asyncio: the same results, the loop goes on, few threads, and calls that are cancelled."""

from __future__ import annotations

import asyncio
import os
import sys
import threading

import pytest

import labelkit as lk
from labelkit import aio, pipeline, threads
from labelkit.errors import InvalidArgument, UnsupportedFormat
from tests.media import LABEL, photo, saved

PLAIN = saved(photo(96, 128), "PNG")
FILE_SIDE = lk.Plan(explicit=None, watermark=None)
CHECKED = (lk.Layer.METADATA,)


def test_results_are_those_of_embed_and_verify(tmp_path):
    async def main() -> None:
        made = await aio.embed(PLAIN, label=LABEL, plan=FILE_SIDE)
        assert made == lk.embed(PLAIN, label=LABEL, plan=FILE_SIDE)
        assert await aio.embed(PLAIN, tmp_path / "a.png", LABEL, plan=FILE_SIDE) == tmp_path / "a.png"
        assert (await aio.verify(made, layers=CHECKED)).to_json() == lk.verify(made, layers=CHECKED).to_json()
        assert (await aio.verify(PLAIN, layers=CHECKED)).verdict is lk.Verdict.NONE
        for wrong, error in ((aio.embed(PLAIN), InvalidArgument), (aio.verify(b"no media"), UnsupportedFormat)):
            with pytest.raises(error):
                await wrong

    asyncio.run(main())


class Gate:
    """Holds every call of `pipeline.embed` until it is opened, and counts them."""

    def __init__(self) -> None:
        self.open, self.lock = threading.Event(), threading.Lock()
        self.began = self.running = self.highest = 0

    def __call__(self, source, target=None, label=None, **settings):
        with self.lock:
            self.began += 1
            self.running += 1
            self.highest = max(self.highest, self.running)
        assert self.open.wait(60)
        with self.lock:
            self.running -= 1
        settings["on_progress"](None)
        return source


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def test_the_loop_goes_on_and_no_more_work_than_there_are_cores(monkeypatch):
    gate = Gate()
    monkeypatch.setattr(pipeline, "embed", gate)

    async def main() -> None:
        calls = [asyncio.create_task(aio.embed(b"%d" % number)) for number in range(4 * threads.cores())]
        await until(lambda: gate.running == threads.cores())
        gate.open.set()
        assert await asyncio.gather(*calls) == [b"%d" % number for number in range(len(calls))]

    asyncio.run(main())
    assert gate.highest == threads.cores()


def test_a_call_that_is_cancelled_before_its_turn_never_begins_and_one_that_works_stops(monkeypatch):
    gate, told = Gate(), []
    monkeypatch.setattr(pipeline, "embed", gate)

    async def main() -> None:
        calls = [asyncio.create_task(aio.embed(b"", on_progress=told.append)) for _ in range(8 * threads.cores())]
        await until(lambda: gate.running == threads.cores())
        for call in calls[:-1]:
            call.cancel()
        done = await asyncio.gather(*calls[:-1], return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError) for one in done), "without waiting for the gate"
        assert not calls[-1].done()
        gate.open.set()
        assert await calls[-1] == b""
        await until(lambda: not gate.running)  # those that were cancelled end on their own threads

    asyncio.run(main())
    assert gate.began == threads.cores() + 1
    assert told == [None], "the next frame of a call that was cancelled is its last"


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_forked_process_has_threads_of_its_own():
    asyncio.run(aio.verify(PLAIN, layers=CHECKED))
    child = os.fork()
    if not child:
        os._exit(0 if asyncio.run(asyncio.wait_for(aio.in_thread(lambda: 7), 60)) == 7 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
