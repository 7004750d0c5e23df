# SPDX-License-Identifier: Apache-2.0
"""Objects in S3, Google Cloud Storage and Azure as files: names that are URLs, through obstore (extra `store`).

An object is fetched into a temporary folder, worked on under its own name, and what comes out is put in its place as a
whole: a store shows no object before all of it has arrived. Credentials, region and endpoint are those of the
environment (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT_NAME, ...).
"""

from __future__ import annotations

import functools
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from labelkit import container, pipeline
from labelkit.errors import InvalidArgument, LabelkitError, OutputFailed, cannot_write

SCHEMES = ("s3", "gs", "az")
_BLOCK = 1 << 16  # bytes of a ranged read
_PART = 8 << 20  # bytes of a fetched object that are in memory at a time
_RETRIES = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}


def is_url(name: str) -> bool:
    """Whether a name stands for an object, or for all below a prefix."""
    scheme, found, _ = name.partition("://")
    return bool(found) and scheme in SCHEMES


def objects(url: str) -> list[str]:
    """The URLs of what lies at `url`, or below it in order of name; hidden and empty objects are left out.

    Raises InvalidArgument where the store cannot be read.
    """
    store, key = _opened(url)
    with _readable(url):
        names = [key] if key and not url.endswith("/") and _is_object(store, key) else sorted(_below(store, key))
    return [f"{_split(url)[0]}/{name}" for name in names]


def _below(store: Any, prefix: str) -> Iterator[str]:
    import obstore
    for page in obstore.list(store, prefix or None, chunk_size=1000):
        for entry in page:
            parts = PurePosixPath(entry["path"]).parts[len(PurePosixPath(prefix).parts):]
            if entry["size"] and not any(part.startswith(".") for part in parts):
                yield entry["path"]


def _is_object(store: Any, key: str) -> bool:
    import obstore
    try:
        obstore.head(store, key)
    except FileNotFoundError:
        return False
    return True


def sniff(url: str) -> container.Format:
    """The format of an object, read from as few of its bytes as tell it. Raises as `container.sniff` does."""
    with _readable(url):
        file = _Ranges(*_opened(url))
    file.name = url
    return container.sniff(io.BufferedReader(file, _BLOCK))


class _Ranges(io.RawIOBase):
    """An object as a seekable file; only what is read is fetched."""

    def __init__(self, store: Any, key: str) -> None:
        import obstore
        self.store, self.key, self.position = store, key, 0
        self.size = obstore.head(store, key)["size"]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}[whence]
        self.position = max(0, start + offset)
        return self.position

    def readinto(self, into: memoryview) -> int:
        import obstore
        count = min(len(into), self.size - self.position)
        if count <= 0:
            return 0
        with _readable(self.key):
            into[:count] = memoryview(obstore.get_range(self.store, self.key, start=self.position, length=count))
        self.position += count
        return count


@contextmanager
def fetched(url: str) -> Iterator[str]:
    """The path of a copy of an object, its sidecar beside it; both go afterwards."""
    with _folder() as folder:
        store, key = _opened(url)
        path = folder / PurePosixPath(key).name
        with _readable(url):
            _fetch(store, key, path)
        if not _holds_manifests(path):
            with _readable(url + pipeline.SIDECAR), suppress(FileNotFoundError):  # it may have none
                _fetch(store, key + pipeline.SIDECAR, Path(f"{path}{pipeline.SIDECAR}"))
        yield str(path)


def _fetch(store: Any, key: str, path: Path) -> None:
    import obstore
    parts = obstore.get(store, key).stream(min_chunk_size=_PART)
    with open(path, "wb") as file:
        for part in parts:
            file.write(part)


def _holds_manifests(path: Path) -> bool:
    try:
        return pipeline.provenance().has_place(path)
    except LabelkitError:  # said when it is worked on
        return True


@contextmanager
def placed(url: str) -> Iterator[str]:
    """A path to write to. What is there in the end is put under `url`, its sidecar first; if nothing is, nothing is."""
    with _folder() as folder:
        store, key = _opened(url)
        path = folder / PurePosixPath(key).name
        yield str(path)
        if not path.exists():
            return
        import obstore
        sidecar = Path(f"{path}{pipeline.SIDECAR}")
        try:
            if sidecar.exists():
                obstore.put(store, key + pipeline.SIDECAR, sidecar, attributes={"Content-Type": "application/c2pa"})
            obstore.put(store, key, path, attributes={"Content-Type": container.sniff(path).mime})
        except (OSError, _errors()) as error:
            raise OutputFailed("{where} cannot be written: {reason}", where=url, reason=_reason(error)) from error


@contextmanager
def _folder() -> Iterator[Path]:
    try:
        made = tempfile.TemporaryDirectory(prefix="labelkit-", ignore_cleanup_errors=True)
    except OSError as error:
        raise cannot_write("a temporary file", error) from error
    with made as folder:
        yield Path(folder)


def _opened(url: str) -> tuple[Any, str]:
    """The store of a URL and the key in it."""
    root, key = _split(url)
    with _readable(url):
        return _store(root), key


def _split(url: str) -> tuple[str, str]:
    """The root of a store and the key in it, which is taken as it is typed."""
    scheme, _, rest = url.partition("://")
    parts = rest.split("/")
    depth = 2 if scheme == "az" else 1  # az://account/container/key
    if not all(parts[:depth]) or len(parts) < depth:
        raise InvalidArgument("{where} cannot be opened: {reason}", where=url, reason="it names no bucket")
    return f"{scheme}://{'/'.join(parts[:depth])}", "/".join(parts[depth:]).strip("/")


@functools.cache
def _store(root: str) -> Any:
    from obstore.store import from_url
    return from_url(root, retry_config=_RETRIES)


@contextmanager
def _readable(where: str) -> Iterator[None]:
    """What a store says, in our words."""
    try:
        yield
    except ImportError as error:
        raise InvalidArgument("{where}: object stores need obstore, which is not installed", where=where,
                              hint='pip install "labelkit[store]"') from error
    except (OSError, _errors()) as error:
        raise InvalidArgument("{where} cannot be opened: {reason}", where=where, reason=_reason(error)) from error


def _errors() -> type[Exception]:
    from obstore.exceptions import BaseError
    return BaseError


def _reason(error: Exception) -> str:
    """The first line: what follows is for those who build the client."""
    return str(error).partition("\n")[0]
