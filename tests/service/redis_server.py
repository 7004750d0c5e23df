# SPDX-License-Identifier: Apache-2.0
"""A Redis server for tests and benchmarks, on a socket in a folder of its own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis

SAFE = ("--appendonly", "yes", "--appendfsync", "always")  # what jobs ask of it


@contextmanager
def redis_server(*settings: str) -> Iterator[str]:
    """The address of a server that lasts as long as the block, with the settings SAFE by default."""
    folder = tempfile.mkdtemp(prefix="labelkit-redis-")
    program = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", f"{folder}/socket", "--dir", folder,
                                "--save", "", *(settings or SAFE)], stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(unix_socket_path=f"{folder}/socket") as client:
            while not _answers(client):
                assert program.poll() is None, "the server did not start"
                time.sleep(0.02)
        yield f"unix://{folder}/socket"
    finally:
        program.terminate()
        program.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
