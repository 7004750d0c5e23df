# SPDX-License-Identifier: Apache-2.0
"""The folders whose files may be opened: those of the command line, and of these what the client grants."""

from __future__ import annotations

import os
import stat
import urllib.parse
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path

from labelkit.container import SIDECAR
from labelkit.errors import InvalidArgument, OutputFailed, cannot_open
from labelkit.messages import one_line

_MAX_NAME = 4096  # characters of a path, as Linux has them


class Roots:
    """Folders, by their real paths; every name is followed through its symbolic links before it is judged.

    A folder that is renamed while a file in it is opened is not guarded against: who can do that has the file already.
    """

    def __init__(self, folders: Iterable[str | os.PathLike[str]], granted: Iterable[str] | None = None) -> None:
        """The folders that the operator names, and file: URLs that the client grants, None where it grants none.

        With both, a file must be under one of each. Raises InvalidArgument for what is no folder.
        """
        self._own = [_folder(folder) for folder in folders]
        self._granted = None if granted is None else [path for url in granted if (path := _path_of(url))]

    @property
    def folders(self) -> list[str]:
        """Where a relative name is looked for."""
        return self._own if self._granted is None else self._granted

    def existing(self, name: str) -> str:
        """The real path of a plain file that is there, and whose sidecar is one too if there is one.

        Raises InvalidArgument.
        """
        found = self._plain(name)
        if os.path.lexists(found + SIDECAR):  # the file is verified with it
            self._plain(found + SIDECAR)
        return found

    def new(self, name: str) -> str:
        """The path of a file that is not there yet, nor its sidecar, in a folder that is.

        Raises InvalidArgument, and OutputFailed where something is there.
        """
        folder, last = os.path.split(name)
        if last in ("", ".", ".."):
            raise InvalidArgument("{where} names a folder, not a file", where=one_line(name))
        found = os.path.join(self._real(folder or "."), last)
        if os.path.lexists(found) or os.path.lexists(found + SIDECAR):
            raise OutputFailed("{where} exists and is kept", where=one_line(name))
        return found

    def _plain(self, name: str) -> str:
        found = self._real(name)
        try:
            mode = os.stat(found).st_mode
        except (OSError, ValueError) as error:
            raise cannot_open(one_line(name), error) from error
        if not stat.S_ISREG(mode):
            raise InvalidArgument("{where} is no plain file", where=one_line(name))
        return found

    def _real(self, name: str) -> str:
        """Where a name leads to, whether or not something is there."""
        if not name or len(name) > _MAX_NAME or "\0" in name:
            raise InvalidArgument("a path has 1 to {limit} characters", limit=_MAX_NAME)
        if "://" in name:
            raise InvalidArgument("{where} is a URL; give the path of a file", where=one_line(name)[:200])
        if not self.folders:
            raise InvalidArgument("no folder is granted",
                                  hint="name folders on the command line of the server: labelkit mcp FOLDER")
        places = [os.path.realpath(os.path.join(folder, name)) for folder in self.folders]
        held = [place for place in places if self._holds(place)]
        if not held:  # the same answer whether or not there is something
            raise InvalidArgument("{where} is not in a folder that is granted; there are {known}",
                                  where=one_line(name)[:200], known=", ".join(map(one_line, self.folders)))
        return next(filter(os.path.lexists, held), held[0])

    def _holds(self, path: str) -> bool:
        sides = ([self._own] if self._own else []) + ([] if self._granted is None else [self._granted])
        return bool(sides) and all(_is_under(path, side) for side in sides)


def _is_under(path: str, folders: Sequence[str]) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in folders)


def _folder(name: str | os.PathLike[str]) -> str:
    found = os.path.realpath(name)
    if not os.path.isdir(found):
        raise InvalidArgument("{where} is no folder", where=os.fspath(name))
    return found


def _path_of(url: str) -> str | None:
    """The real path that a client's root names, None for what is no file: URL of this machine."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return None
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or "\0" in (
            path := urllib.request.url2pathname(parts.path)):
        return None
    return os.path.realpath(path) if os.path.isabs(path) else None
