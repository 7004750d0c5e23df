# SPDX-License-Identifier: Apache-2.0
"""PDFium in a process of its own, with limits on time and memory: what a person sees on the pages of a PDF.

A small file can keep any renderer busy for hours (pages that draw each other, streams that unpack without end), and
PDFium is native code and not safe for threads. A process takes 0.15 s.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from labelkit.distribution import install_hint
from labelkit.errors import LimitExceeded, MalformedFile, UnsupportedFormat

_WORKER = Path(__file__).with_name("pdfium_worker.py")
_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
                "SYSTEMROOT", "TEMP", "TMP")
_SECONDS = 120.0  # of waiting
LIMITS = 2048, 40
"""Megabytes of memory, and seconds of computing for one document at most."""
_SHARE = 2.0
"""Seconds of computing for a document of a MB and of less, and for each further MB. A page of 4000 characters takes
0.006, one that is a scan 0.05 to 0.3 and has some 100 kB (28 November 2026, one core of an EPYC)."""
MAX_FILE = 256 << 20
_LEAST = 0.3  # seconds in which a page can be looked at: 0.15 of them start the process
_MAX_ANSWER = 64 << 20
_MAX_PAGES, _MAX_CHARACTERS = 1000, 4_000_000  # of a document that are read
_MAX_SIDE = 1000  # pixels of a page that is looked at


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text: its box in points from the upper left corner of the page as shown, and how high its letters are.
    """

    left: float
    top: float
    right: float
    bottom: float
    size: float
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was read: its number from 0, its size in points, its lines in the order of the file, and whether it
    shows pictures and no text."""

    number: int
    width: float
    height: float
    lines: tuple[Line, ...]
    is_scan: bool = False


class View(NamedTuple):
    """A page as it is shown: its width and height in points, and grey pixels [rows, columns]."""

    width: float
    height: float
    pixels: npt.NDArray[np.uint8]


def pages(data: bytes, name: str) -> tuple[int, list[Page], float]:
    """How many pages a document has, those that were read, of more than 1000 the first and last 500, and the seconds
    of computing that are left to look at some of them.

    Raises UnsupportedFormat where PDFium is not installed or wants a password, MalformedFile, LimitExceeded.
    """
    answer, _ = _answer(_run(data, name, _seconds(data), "text", str(_MAX_PAGES),
                              str(_MAX_CHARACTERS)), name)
    try:
        read = [Page(int(number), _number(width), _number(height), tuple(_line(row) for row in rows),
                     bool(is_scan)) for number, width, height, rows, is_scan in answer["read"]]
        return int(answer["pages"]), read, _seconds(data) - _number(answer["seconds"])
    except (KeyError, TypeError, ValueError) as error:
        raise _failed(name) from error


def look(data: bytes, name: str, numbers: Sequence[int], seconds: float | None = None) -> Iterator[View]:
    """Pages as they are shown; raises LimitExceeded behind those that could be drawn in time.

    seconds  of computing that they may take; None for what the document may take
    """
    allowed = _seconds(data) if seconds is None else seconds
    if allowed < _LEAST:
        raise _failed(name)
    output = _run(data, name, allowed, "look", str(_MAX_SIDE), *map(str, numbers))
    for _ in numbers:
        answer, rest = _answer(output, name)
        try:
            rows, columns = int(answer["rows"]), int(answer["columns"])
            view = View(_number(answer["width"]), _number(answer["height"]),
                        np.frombuffer(rest, np.uint8, rows * columns).reshape(rows, columns))
        except (KeyError, TypeError, ValueError) as error:
            raise _failed(name) from error
        yield view
        output = rest[rows * columns:]


def _seconds(data: bytes) -> float:
    """The seconds of computing that a document may take: what is small and takes long was made to take long."""
    return min(LIMITS[1], _SHARE * max(1.0, len(data) / 1e6))


def _line(row: Any) -> Line:
    left, top, right, bottom, size, text = row
    if not isinstance(text, str):
        raise ValueError("no text")
    return Line(_number(left), _number(top), _number(right), _number(bottom), _number(size), text)


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("no number")
    return number


def _answer(output: bytes, name: str) -> tuple[dict[str, Any], bytes]:
    """The first line of what a process said, and what follows it."""
    head, _, rest = output.partition(b"\n")
    try:
        answer = json.loads(head)
    except ValueError as error:
        raise _failed(name) from error
    if not isinstance(answer, dict):
        raise _failed(name)
    if problem := answer.get("error"):
        if "assword" in str(problem):
            raise UnsupportedFormat("{where}: the document cannot be opened without its password", where=name)
        raise MalformedFile("{where}: PDFium cannot open the document", where=name)
    return answer, rest


def _run(data: bytes, name: str, seconds: float, *arguments: str) -> bytes:
    """What the process said, whole or not."""
    if find_spec("pypdfium2") is None:
        raise UnsupportedFormat("{where}: the pages of a PDF cannot be looked at by this installation", where=name,
                                install=install_hint("pdf"), hint="{install}, or leave the explicit label out")
    if len(data) > MAX_FILE:
        raise LimitExceeded("{where}: a text of {got} bytes; at most {limit} are read", where=name, got=len(data),
                            limit=MAX_FILE)
    # -P keeps the folder of the script, with modules such as html, out of the path
    command = [sys.executable, "-P", str(_WORKER), str(LIMITS[0]), str(seconds), *arguments]
    kept = {key: value for key, value in os.environ.items() if key.upper() in _ENVIRONMENT}
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   env=kept, start_new_session=True)
    except OSError as error:
        raise UnsupportedFormat("{where}: no process could be started to read the pages: {reason}", where=name,
                                reason=error.strerror or str(error)) from error
    timer = threading.Timer(_SECONDS, process.kill)
    timer.daemon = True
    timer.start()
    try:
        with process:
            feeder = threading.Thread(target=_feed, args=(process, data), daemon=True)
            feeder.start()
            output = process.stdout.read(_MAX_ANSWER + 1) if process.stdout else b""
            process.kill()
            feeder.join()
    finally:
        timer.cancel()
    if not output or len(output) > _MAX_ANSWER:
        raise _failed(name)
    return output


def _feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    try:
        if process.stdin:
            process.stdin.write(data)
            process.stdin.close()
    except OSError:  # it ended before it had read everything
        pass


def _failed(name: str) -> LimitExceeded:
    return LimitExceeded("{where}: the process that read it came to an end: it crashed, or needed too much time or "
                         "memory", where=name)
