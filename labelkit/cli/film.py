# SPDX-License-Identifier: Apache-2.0
"""Progress of a film on stderr, and afterwards its broken frames and what was left out."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from typing import TYPE_CHECKING

from labelkit.cli.outcome import say
from labelkit.cli.text import name_of
from labelkit.messages import Message

if TYPE_CHECKING:
    from labelkit.codec.transcode import Progress

_EVERY_SECONDS = 0.5
_MAX_TIMES = 8  # of broken frames that are listed


class FilmProgress:
    """A line with frames, speed and time left, if stderr is a terminal and the film is the only file.

    stop  once set, the next frame ends the film; None for a run that is not stopped so
    """

    def __init__(self, path: str, options: argparse.Namespace, *, alone: bool, stop: threading.Event | None) -> None:
        self._name, self._language, self._stop = name_of(path), options.lang, stop
        self._shown = alone and sys.stderr.isatty() and not options.quiet
        self._started = self._updated = time.monotonic()
        self._last: Progress | None = None
        self._left_out: list[Message] = []

    def step(self, progress: Progress) -> None:
        """Note one more frame; raises KeyboardInterrupt if the run was stopped."""
        if self._stop and self._stop.is_set():
            raise KeyboardInterrupt
        self._last = progress
        now = time.monotonic()
        if self._shown and now - self._updated >= _EVERY_SECONDS:
            self._updated = now
            sys.stderr.write("\r\x1b[K" + self._line(progress, now - self._started))
            sys.stderr.flush()

    def note(self, message: Message) -> None:
        """Note what was left out, of a playlist."""
        self._left_out.append(message)

    def _line(self, progress: Progress, spent: float) -> str:
        facts = {"frames": progress.frames, "rate": f"{progress.frames / spent:.1f}"}
        if not progress.total_seconds or not progress.seconds:
            return Message("{frames} frames, {rate} a second", **facts).text(self._language)
        left = max(0.0, spent * (progress.total_seconds / progress.seconds - 1))
        return Message("{frames} frames, {rate} a second, {share} %, {left} s left", **facts, left=f"{left:.0f}",
                       share=f"{min(100.0, 100 * progress.seconds / progress.total_seconds):.0f}").text(self._language)

    def __enter__(self) -> FilmProgress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown and self._last:
            sys.stderr.write("\r\x1b[K")
        damaged = self._last.damaged if self._last else []
        if damaged:
            times = ", ".join(f"{seconds:.2f}" for seconds in damaged[:_MAX_TIMES])
            say(Message("{file}: {count} frames were broken, at {times} s", file=self._name, count=len(damaged),
                        times=times + (" ..." if len(damaged) > _MAX_TIMES else "")), self._language)
        for message in [*(self._last.left_out if self._last else ()), *self._left_out]:
            say(Message("{file}: {what}", file=self._name, what=message), self._language)
