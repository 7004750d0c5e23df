# SPDX-License-Identifier: Apache-2.0
"""Key files: read up to a limit, and written without overwriting another file."""

from __future__ import annotations

import os

from labelkit.errors import InvalidArgument, cannot_open, cannot_write


def read(path: str | os.PathLike[str], limit: int) -> bytes:
    """At most `limit` bytes of a file; raises InvalidArgument if it cannot be opened."""
    try:
        with open(path, "rb") as file:
            return file.read(limit)
    except (OSError, ValueError) as error:
        raise cannot_open(path, error) from error


def write_new(path: str | os.PathLike[str], data: bytes, mode: int) -> None:
    """Write a new file with this mode; raises InvalidArgument if the file exists, else OutputFailed."""
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
    except FileExistsError as error:
        raise InvalidArgument("{where} exists; keys are never overwritten", where=os.fspath(path)) from error
    except OSError as error:
        raise cannot_write(path, error) from error
