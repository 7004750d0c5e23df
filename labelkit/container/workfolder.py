# SPDX-License-Identifier: Apache-2.0
"""Hidden folders for unfinished files, each with a lock that tells a run at work from a dead one.

The lock belongs to the process, and the system drops it when the process ends, however it ends. So what a killed run
left is removed by the next one, without a guess from its age, and a folder in use is never touched.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # the module is missing there

PREFIX = ".labelkit-"
_LOCK = "lock"
_NAME = re.compile(r"\.labelkit-[a-z0-9_]{8}")  # as tempfile.mkdtemp makes them
_ATTEMPTS = 100


class WorkFolder:
    """A new folder with a lock that is held until `close`, which removes the folder."""

    def __init__(self, parent: Path | None = None) -> None:
        """Make it in `parent`, or in the system's folder for temporary files. Raises OSError."""
        self._lock: int | None = None
        for _ in range(_ATTEMPTS):
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            try:
                self._lock = _locked(self.path)
            except OSError:  # the file system has no locks: what a killed run leaves here stays
                return
            if self._lock is not None:
                return
        raise FileExistsError(0, "another run removes every new folder", str(self.path))

    def close(self) -> None:
        """Remove the folder and what is in it."""
        lock, self._lock = self._lock, None
        _remove(self.path, lock)


def remove_abandoned(folders: Iterable[Path | str]) -> int:
    """Remove the work folders that dead runs of this user left in the given folders; returns how many there were."""
    return sum(_removed(Path(entry.path)) for folder in set(map(Path, folders)) for entry in _candidates(folder))


def _candidates(folder: Path) -> list[os.DirEntry[str]]:
    user = os.geteuid() if hasattr(os, "geteuid") else None
    with suppress(OSError), os.scandir(folder) as entries:
        return [entry for entry in entries if _NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
                and (user is None or entry.stat(follow_symlinks=False).st_uid == user) and _is_ours(Path(entry.path))]
    return []


def _is_ours(folder: Path) -> bool:
    """Whether a folder has a lock, or its process was killed before it made one: then it is empty."""
    return (folder / _LOCK).is_file() or not any(folder.iterdir())


def _removed(path: Path) -> bool:
    try:
        lock = _locked(path)
    except OSError:
        return False
    if lock is None:
        return False
    _remove(path, lock)
    return not path.exists()


def _remove(path: Path, lock: int | None) -> None:
    if os.name == "nt" and lock is not None:  # Windows removes no open file
        os.close(lock)
    shutil.rmtree(path, ignore_errors=True)
    if os.name != "nt" and lock is not None:
        os.close(lock)


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the lock of a folder; None if somebody else holds it or has removed the folder.

    Between making a folder and locking it, another run may take it for abandoned and remove it: then the lock is on a
    file without a name, or cannot be made at all, and the caller makes another folder. Raises OSError where there are
    no locks.
    """
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except FileNotFoundError:
        return None
    held = False
    try:
        _lock(lock)
        held = os.fstat(lock).st_nlink > 0
    except (BlockingIOError, PermissionError):
        pass  # held by another process
    finally:
        if not held:
            os.close(lock)
    return lock if held else None


def _lock(descriptor: int) -> None:
    """Lock a file or raise OSError at once."""
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        import msvcrt
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]  # only on Windows
