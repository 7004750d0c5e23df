# SPDX-License-Identifier: Apache-2.0
"""The programs of others that the verify page runs on: fetched once, pinned, and believed by their SHA-256 alone."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tarfile
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelkit.errors import LimitExceeded, OutputFailed, cannot_write
from labelkit.messages import Message

_PINS = Path(__file__).parent / "runtime.json"
_TIMEOUT_S = 60
_MAX_BYTES = 256 << 20  # of a download; the largest known has 77 MB


@dataclass(frozen=True, slots=True)
class File:
    """One file of the runtime; `sources` are (address, member of the archive there, "" for the whole)."""

    name: str
    bytes: int
    sha256: str
    sources: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A program of others."""

    name: str
    version: str
    licence: str
    home: str


def files() -> list[File]:
    """The files of the runtime."""
    return [File(one["name"], one["bytes"], one["sha256"], tuple((url, member) for url, member in one["sources"]))
            for one in _pins()["files"]]


def parts() -> list[Part]:
    """The programs that they are of."""
    return [Part(**one) for one in _pins()["parts"]]


def _pins() -> dict[str, list[dict[str, Any]]]:
    pins: dict[str, list[dict[str, Any]]] = json.loads(_PINS.read_text("utf-8"))
    return pins


def cache_folder() -> Path:
    """Where files are kept under their hashes: $XDG_CACHE_HOME/labelkit or ~/.cache/labelkit."""
    home = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "labelkit"


def fetched(cache: Path) -> Iterator[tuple[File, bytes]]:
    """Every file with its bytes, from the cache or else the network.

    Raises OutputFailed where a file can be had nowhere or not be kept, and for bytes of another hash.
    """
    archives: dict[str, bytes] = {}
    for file in files():
        kept = cache / file.sha256
        data = kept.read_bytes() if kept.is_file() else b""
        if hashlib.sha256(data).hexdigest() != file.sha256:
            data = _from_network(file, archives)
            _keep(kept, data)
        yield file, data


def _from_network(file: File, archives: dict[str, bytes]) -> bytes:
    reason = Message("{reason}", reason="")
    for url, member in file.sources:
        try:
            if url not in archives:
                archives[url] = _download(url)
            data = _member(archives[url], member)
        except (OSError, KeyError, tarfile.TarError, zipfile.BadZipFile, LimitExceeded) as error:
            reason = Message("{reason}", reason=" ".join(str(error).split()) or type(error).__name__)
            continue
        if hashlib.sha256(data).hexdigest() == file.sha256:
            return data
        reason = Message("what {url} holds has another hash than the one that is pinned", url=url)
    raise OutputFailed("the page needs {file}, which could not be fetched: {reason}", file=file.name, reason=reason)


def _download(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
        data: bytes = answer.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise LimitExceeded("{url}: more than {limit} bytes", url=url, limit=_MAX_BYTES)
    return data


def _member(archive: bytes, name: str) -> bytes:
    if not name:
        return archive
    if archive[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(archive)) as wheel:
            return wheel.read(name)
    with tarfile.open(fileobj=io.BytesIO(archive)) as package:
        held = package.extractfile(name)
        if held is None:
            raise KeyError(name)
        return held.read()


def _keep(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}")
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
