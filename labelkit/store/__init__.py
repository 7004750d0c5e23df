# SPDX-License-Identifier: Apache-2.0
"""Objects in S3, Google Cloud Storage and Azure, named by URL, through obstore (extra `store`).

An object is downloaded to a temporary folder, processed under its own name, and the result is uploaded. Stores show an
object only when it is complete. Credentials, region and endpoint are taken from the environment (AWS_ACCESS_KEY_ID,
AWS_ENDPOINT_URL, GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT_NAME, ...). An endpoint may be plain HTTP if its
URL says so. The metadata address of a cloud is asked for credentials only if the environment names it.
"""

from __future__ import annotations

import functools
import io
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from labelkit import container
from labelkit.container.workfolder import WorkFolder
from labelkit.distribution import install_hint
from labelkit.errors import InvalidArgument, LabelkitError, OutputFailed, cannot_open, cannot_write
from labelkit.messages import Message
from labelkit.store import refusals, s3_list

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from obstore.store import ObjectStore, RetryConfig

SCHEMES = ("s3", "gs", "az")
_CREDENTIALS = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
           "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_METADATA_ENDPOINT", "AWS_SKIP_SIGNATURE"),
    "gs": ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH",
           "GOOGLE_SERVICE_ACCOUNT_KEY", "GOOGLE_SKIP_SIGNATURE"),
    "az": ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_SAS_TOKEN",
           "AZURE_STORAGE_TOKEN", "AZURE_CLIENT_SECRET", "AZURE_STORAGE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE",
           "AZURE_MSI_ENDPOINT", "AZURE_IDENTITY_ENDPOINT", "IDENTITY_ENDPOINT", "AZURE_USE_AZURE_CLI",
           "AZURE_STORAGE_USE_EMULATOR", "AZURE_SKIP_SIGNATURE")}
"""One of these says where credentials come from; without any, object_store asks a metadata address of the cloud."""
_ENDPOINTS = {"s3": s3_list.ENDPOINTS, "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"), "gs": ("GOOGLE_BASE_URL",)}
# S3, Google Cloud Storage, Azure ($root, $web): without user, port, query and fragment, which would be of no effect
_BUCKET = re.compile(r"\$?[A-Za-z0-9](?:[._-]?[A-Za-z0-9])*(?:--[A-Za-z0-9-]*[A-Za-z0-9])?", re.ASCII)
_BLOCK = 1 << 16  # bytes of a ranged read
_PART = 8 << 20  # bytes of a downloaded object in memory at a time
_RETRIES: RetryConfig = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}


def is_url(name: str) -> bool:
    """Whether a name is the URL of an object or of a prefix."""
    scheme, found, _ = name.partition("://")
    return bool(found) and scheme in SCHEMES


def objects(url: str) -> list[str]:
    """The URL of the object at `url`, or of the objects below it in order of name, except hidden and empty ones.

    Raises InvalidArgument if the store cannot be read.
    """
    store, key = _opened(url)
    with _readable(url):
        names = [key] if key and not url.endswith("/") and _is_object(store, key) else sorted(_below(url, store, key))
    return [f"{_split(url)[0]}/{name}" for name in names]


def is_tidy(key: str) -> bool:
    """Whether the client can name an object so: it has no empty part, `.` and `..`."""
    return not {"", ".", ".."} & set(key.split("/"))


def exists(url: str) -> bool:
    """Whether there is an object at `url`. Raises InvalidArgument if the store cannot be read."""
    store, key = _opened(url)
    with _readable(url):
        return _is_object(store, key)


def _below(url: str, store: ObjectStore, prefix: str) -> Iterator[str]:
    try:
        found = list(_listed(store, prefix))
    except _invalid_path():  # one such name hides all
        if not url.startswith("s3://") or not s3_list.can_ask():
            raise
        found = list(s3_list.names(_split(url)[0].removeprefix("s3://"), prefix and prefix + "/"))
    for name, size in found:
        parts = name.removeprefix(prefix).split("/")
        if size and not any(part[:1] == "." and part not in (".", "..") for part in parts):
            yield name


def _listed(store: ObjectStore, prefix: str) -> Iterator[tuple[str, int]]:
    """(name, bytes) of every object below a prefix."""
    import obstore
    for page in obstore.list(store, prefix or None, chunk_size=1000):
        for entry in page:
            yield entry["path"], entry["size"]


def _is_object(store: ObjectStore, key: str) -> bool:
    import obstore
    try:
        obstore.head(store, key)
    except FileNotFoundError:
        return False
    return True


def sniff(url: str) -> container.Format:
    """The format of an object, found by reading only its first bytes. Raises what `container.sniff` raises."""
    with _readable(url):
        file = _Ranges(*_opened(url), url)
    return container.sniff(io.BufferedReader(file, _BLOCK))


class _Ranges(io.RawIOBase):
    """An object as a seekable file that downloads only what is read."""

    def __init__(self, store: ObjectStore, key: str, name: str) -> None:
        import obstore
        self.store, self.key, self.name, self.position = store, key, name, 0
        self.size = obstore.head(store, key)["size"]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}[whence]
        self.position = max(0, start + offset)
        return self.position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        import obstore
        into = memoryview(buffer)
        count = min(len(into), self.size - self.position)
        if count <= 0:
            return 0
        with _readable(self.key):
            into[:count] = memoryview(obstore.get_range(self.store, self.key, start=self.position, length=count))
        self.position += count
        return count


@contextmanager
def fetched(url: str) -> Iterator[str]:
    """The path of a local copy of an object, with its sidecar beside it; both are removed afterwards."""
    with _local_file(url) as (store, key, path):
        with _readable(url):
            _fetch(store, key, path)
        if not _holds_manifests(path):
            with _readable(url + container.SIDECAR), suppress(FileNotFoundError):  # it may have none
                _fetch(store, key + container.SIDECAR, Path(f"{path}{container.SIDECAR}"))
        yield str(path)


def _fetch(store: ObjectStore, key: str, path: Path) -> None:
    import obstore
    parts = obstore.get(store, key).stream(min_chunk_size=_PART)
    with open(path, "wb") as file:
        for part in parts:
            file.write(part)


def _holds_manifests(path: Path) -> bool:
    from labelkit import pipeline

    try:
        return bool(pipeline.provenance().has_place(path))
    except LabelkitError:  # reported when it is processed
        return True


@contextmanager
def placed(url: str) -> Iterator[str]:
    """A path to write to. The file there is uploaded to `url` at the end, its sidecar first; no file, no upload."""
    with _local_file(url) as (store, key, path):
        yield str(path)
        if not path.exists():
            return
        import obstore
        sidecar = Path(f"{path}{container.SIDECAR}")
        try:
            if sidecar.exists():
                obstore.put(store, key + container.SIDECAR, sidecar, attributes={"Content-Type": "application/c2pa"})
            obstore.put(store, key, path, attributes={"Content-Type": _mime(path)})
        except (OSError, _errors()) as error:
            reason, hint = refusals.explained(error)
            raise OutputFailed("{where} cannot be written: {reason}", where=url, reason=reason, hint=hint) from error


def _mime(path: Path) -> str:
    """The media type of a labelled file; a shard of a dataset has none of ours."""
    try:
        return container.sniff(path).mime
    except LabelkitError:
        return "application/octet-stream"


@contextmanager
def readable(source: bytes | str) -> Iterator[bytes | str]:
    """A source as `labelkit.embed` takes it: of the URL of an object the path of a local copy, all else as it is."""
    if isinstance(source, str) and is_url(source):
        with fetched(source) as path:
            yield path
    else:
        yield source


@contextmanager
def writable(place: str | None) -> Iterator[str | None]:
    """A path to write to: of the URL of an object one that is uploaded at the end, of a path itself, in a folder that
    is made. Raises OutputFailed.
    """
    if place is not None and is_url(place):
        with placed(place) as path:
            yield path
        return
    if place is not None:
        try:
            Path(place).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(Path(place).parent, error) from error
    yield place


def inner_path(name: str) -> str:
    """The path of a file below its bucket or root, without `.` parts; raises InvalidArgument if it leads out of it."""
    inner = (name.partition("://")[2].partition("/")[2] if is_url(name) else
             os.path.splitdrive(os.path.normpath(name))[1].lstrip(os.sep))
    if ".." in Path(inner).parts:
        raise InvalidArgument("{where} is outside the folder of the run", where=name)
    return inner


@contextmanager
def stream(source: str) -> Iterator[BinaryIO]:
    """A local file or an object, to be read from its beginning to its end. Raises InvalidArgument."""
    if not is_url(source):
        with seekable(source) as file:
            yield file
        return
    import obstore
    store, key = _opened(source)
    with _readable(source):
        parts = obstore.get(store, key).stream(min_chunk_size=_PART)
    yield cast(BinaryIO, io.BufferedReader(_Parts(parts, source), _BLOCK))


class _Parts(io.RawIOBase):
    """The parts of an object as a file."""

    def __init__(self, parts: Iterable[Any], name: str) -> None:
        self._parts, self._name, self._part = iter(parts), name, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        while not self._part:
            with _readable(self._name):
                part = next(self._parts, None)
            if part is None:
                return 0
            self._part = memoryview(bytes(part))
        into = memoryview(buffer)
        count = min(len(into), len(self._part))
        into[:count], self._part = self._part[:count], self._part[count:]
        return count


@contextmanager
def seekable(source: str) -> Iterator[BinaryIO]:
    """A local file or an object, of which only what is read is downloaded. Raises InvalidArgument."""
    if is_url(source):
        with _readable(source):
            file = _Ranges(*_opened(source), source)
        yield cast(BinaryIO, io.BufferedReader(file, _BLOCK))
        return
    try:
        opened = open(source, "rb")
    except (OSError, ValueError) as error:
        raise cannot_open(source, error) from error
    with opened:
        yield opened


@contextmanager
def _local_file(url: str) -> Iterator[tuple[ObjectStore, str, Path]]:
    """The store and key of an object, and a path of the same name in a temporary folder."""
    try:
        made = WorkFolder()
        folder = made.path / "object"  # beside the lock, whatever the object is called
        folder.mkdir()
    except OSError as error:
        raise cannot_write("a temporary file", error) from error
    try:
        store, key = _opened(url)
        yield store, key, folder / PurePosixPath(key).name
    finally:
        made.close()


def _opened(url: str) -> tuple[ObjectStore, str]:
    """The store of a URL and the key in it."""
    root, key = _split(url)
    if key and not is_tidy(key):
        raise _refused_name(url, Message("it has an empty part, . or .."))
    with _readable(url):
        return _store(root), key


def _split(url: str) -> tuple[str, str]:
    """The root of a store and the key in it, unchanged."""
    scheme, _, rest = url.partition("://")
    parts = rest.split("/")
    depth = 2 if scheme == "az" else 1  # az://account/container/key
    if not all(parts[:depth]) or len(parts) < depth:
        raise InvalidArgument("{where} cannot be opened: {reason}", where=url,
                              reason=Message("the URL names no bucket"))
    if not all(map(_BUCKET.fullmatch, parts[:depth])):  # the client would pass over what is none of a name
        raise InvalidArgument("{where} cannot be opened: {reason}", where=re.sub("://[^/]*@", "://***@", url),
                              reason=Message("the name of a bucket has letters, digits, and . - _ between them"),
                              hint="credentials, endpoint and region come from the environment, not from a URL")
    return f"{scheme}://{'/'.join(parts[:depth])}", "/".join(parts[depth:]).strip("/")


@functools.cache
def _store(root: str) -> ObjectStore:
    from obstore.store import from_url
    scheme = root.partition("://")[0]
    _check_credentials(scheme, root)
    _check_endpoint(scheme)
    plain = any(os.environ.get(name, "").lower().startswith("http://") for name in _ENDPOINTS[scheme])
    return from_url(root, retry_config=_RETRIES, client_options={"allow_http": True} if plain else None)


def _check_credentials(scheme: str, root: str) -> None:
    """Raise InvalidArgument if nothing says where credentials come from."""
    names = _CREDENTIALS[scheme]
    own = Path("~/.config/gcloud/application_default_credentials.json").expanduser()
    if not any(os.environ.get(name) for name in names) and not (scheme == "gs" and own.is_file()):
        raise InvalidArgument("{where} cannot be opened: {reason}", where=root,
                              reason=Message("the environment has no credentials"), name=names[0], public=names[-1],
                              hint="set {name}, or {public}=true for a public bucket")


def _check_endpoint(scheme: str) -> None:
    """Raise InvalidArgument for an endpoint that is no URL: the client would end with a panic."""
    for name in _ENDPOINTS[scheme]:
        value = os.environ.get(name, "")
        if value and not value.lower().startswith(("http://", "https://")):  # not shown: it may hold a password
            raise InvalidArgument("{name} is no URL: it begins with neither http:// nor https://", name=name,
                                  hint="such as http://127.0.0.1:9000")


@contextmanager
def _readable(where: str) -> Iterator[None]:
    """Translate errors of a store into InvalidArgument."""
    try:
        yield
    except ImportError as error:
        raise InvalidArgument("{where}: object stores need obstore, which is not installed", where=where,
                              hint=install_hint("store")) from error
    except _invalid_path() as error:
        raise _refused_name(where, _reason(error)) from error
    except (OSError, _errors()) as error:
        reason, hint = refusals.explained(error)
        raise InvalidArgument("{where} cannot be opened: {reason}", where=where, reason=reason, hint=hint) from error


def _refused_name(where: str, why: Message | str) -> InvalidArgument:
    return InvalidArgument("{where} cannot be opened: {reason}", where=where, reason=why,
                           hint="names of objects must not contain // or .. ; rename it")


def _errors() -> type[Exception]:
    from obstore.exceptions import BaseError
    return BaseError


def _invalid_path() -> type[Exception]:
    from obstore.exceptions import InvalidPathError
    return InvalidPathError


def _reason(error: Exception) -> str:
    """The first line; the others are for developers of the client."""
    return str(error).partition("\n")[0]
