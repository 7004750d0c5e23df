# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server for tests and benchmarks, on a socket in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _program(name: str) -> str | None:
    return shutil.which(name) or next(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None)


def postgresql_is_installed() -> bool:
    """Whether its programs are there."""
    return bool(_program("initdb") and _program("pg_ctl"))


@contextmanager
def postgresql_server() -> Iterator[str]:
    """The DSN of a server that lasts as long as the block."""
    user = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}  # it does not run as root
    folder = tempfile.mkdtemp(prefix="labelkit-postgresql-")
    if user:
        shutil.chown(folder, user["user"], user["group"])
    data = f"{folder}/data"
    quiet = {"check": True, "capture_output": True, "timeout": 600, "cwd": folder, **user}
    try:
        subprocess.run([_program("initdb"), "-D", data, "-U", "labelkit", "-A", "trust", "-N"], **quiet)
        options = f"-F -c listen_addresses= -c unix_socket_directories={folder}"
        subprocess.run([_program("pg_ctl"), "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start"],
                       **{**quiet, "capture_output": False, "stdout": subprocess.DEVNULL})
        try:
            yield f"postgresql://labelkit@/postgres?host={folder}"
        finally:
            subprocess.run([_program("pg_ctl"), "-D", data, "-m", "immediate", "stop"], **quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
