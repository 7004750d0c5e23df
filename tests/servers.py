# SPDX-License-Identifier: Apache-2.0
"""Servers of other makers on loopback, for the tests that talk to them."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running(command: Sequence[str | Path], address: str, timeout_s: float) -> Iterator[None]:
    """A server that is started, has answered at an address, and is killed at the end.

    timeout_s  for one answer
    """
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            try:
                urllib.request.urlopen(address, timeout=timeout_s).close()
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        process.kill()
