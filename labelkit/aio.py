# SPDX-License-Identifier: Apache-2.0
"""embed and verify for asyncio: on a few threads, so that the event loop goes on.

    report = await labelkit.aio.verify(data)
    made = await labelkit.aio.embed(data, label=label)

At most as many calls work at a time as the process has cores; the others wait for their turn. A call that is cancelled
before its turn is dropped. One that works already goes on in its thread until the end, a film until its next frame, and
its result is dropped: a target that is a path is then written whole or not at all.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, Unpack

from labelkit import pipeline, threads
from labelkit.label import Label
from labelkit.many import Checks, EachSettings
from labelkit.report import Report

if TYPE_CHECKING:
    from labelkit.arrays import Held
    from labelkit.codec.transcode import Progress
    from labelkit.container import Source
    from labelkit.tensors import Tensor

Result = TypeVar("Result")


async def embed(source: Source | Held | Tensor, target: str | os.PathLike[str] | BinaryIO | None = None,
                label: Label | None = None,
                **settings: Unpack[EachSettings]) -> bytes | str | Path | None | Held | Tensor:
    """What `labelkit.embed` returns, of the same arguments; raises what it raises."""
    ended, told = threading.Event(), settings.get("on_progress")

    def on_progress(progress: Progress) -> None:
        if ended.is_set():
            raise asyncio.CancelledError
        if told:
            told(progress)

    settings["on_progress"] = on_progress
    try:
        return await in_thread(lambda: _embedded(source, target, label, settings))
    finally:
        ended.set()


async def verify(source: Source | Held | Tensor, **checks: Unpack[Checks]) -> Report:
    """What `labelkit.verify` returns, of the same arguments; raises what it raises."""
    return await in_thread(lambda: pipeline.verify(source, **checks))


async def in_thread(work: Callable[[], Result]) -> Result:
    """The result of `work`, on one of the few threads."""
    return await asyncio.get_running_loop().run_in_executor(_pool(), work)


def _embedded(source: Any, target: Any, label: Label | None,
              settings: EachSettings) -> bytes | str | Path | None | Held | Tensor:
    made: bytes | str | Path | None | Held | Tensor = pipeline.embed(source, target, label, **settings)
    return made


@threads.OneAProcess
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads.cores(), thread_name_prefix="labelkit-aio")
