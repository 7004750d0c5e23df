# SPDX-License-Identifier: Apache-2.0
"""Manifests of sound that an ASGI app streams: signed when the stream has ended, and told from its start.

A manifest signs the end too, so it cannot stand in what has left by then. C2PA lets a response name one that is kept
elsewhere: `Link: <...>; rel="c2pa-manifest"`, a relation of IANA's registry (RFC 8288).
"""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, BinaryIO, cast

from labelkit import aio, pipeline, watermark
from labelkit.errors import InvalidArgument
from labelkit.label import Label
from labelkit.plan import Plan

_NAME = re.compile("[0-9a-f]{32}")
_SPOOLED = 4 << 20  # bytes of a stream that are kept in memory until it is signed, the rest in a temporary file


class StreamManifests:
    """Keeps the manifests of sound that was streamed in a folder, and answers who asks for them.

    folder  gets NAME.c2pa for each stream that came to its end, with a random name; what is old is for its owner to
            remove
    path    where they are asked for, such as "/manifests/": the middleware answers there, not the app
    Raises InvalidArgument.
    """

    def __init__(self, folder: str | os.PathLike[str], path: str = "/manifests/") -> None:
        if not Path(folder).is_dir() or not path.startswith("/") or not path.endswith("/") or not path.isascii():
            raise InvalidArgument("a folder that exists and a path such as /manifests/ are wanted, got {folder} and "
                                  "{path}", folder=repr(os.fspath(folder)), path=repr(path))
        self._folder, self.path = Path(folder), path

    def new(self, label: Label, plan: Plan, mime: str) -> StreamManifest:
        """What signs one stream of a media type."""
        return StreamManifest(self._folder, self.path, label, plan, mime)

    async def answer(self, scope: MutableMapping[str, Any],
                     send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
        """A manifest, or 404 where there is none of that name, or not yet."""
        name = str(scope["path"])[len(self.path):].removesuffix(".c2pa")
        kept = self._folder / f"{name}.c2pa"
        is_there = _NAME.fullmatch(name) and kept.is_file()  # nothing else is looked for
        body = await aio.in_thread(kept.read_bytes) if is_there else None
        kind = b"application/c2pa" if body is not None else b"text/plain"
        await send({"type": "http.response.start", "status": 404 if body is None else 200, "headers": [
            (b"content-type", kind), (b"content-length", b"%d" % len(body or b"")),
            (b"cache-control", b"no-store" if body is None else b"public, max-age=31536000, immutable"),
            (b"access-control-allow-origin", b"*")]})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body or b""})


class StreamManifest:
    """Gathers what leaves of one stream, and signs it at its end."""

    def __init__(self, folder: Path, path: str, label: Label, plan: Plan, mime: str) -> None:
        self._label, self._plan, self._mime = label, plan, mime
        name = secrets.token_hex(16)
        self._target = folder / f"{name}.c2pa"
        self.header = b"link", f'<{path}{name}.c2pa>; rel="c2pa-manifest"'.encode()
        self._left = cast(BinaryIO, tempfile.SpooledTemporaryFile(_SPOOLED))  # noqa: SIM115 - closed when it is signed

    def add(self, made: bytes) -> None:
        """What leaves next."""
        self._left.write(made)

    def sign(self) -> None:
        """Put the manifest in its place; raises SigningFailed, OSError."""
        room = pipeline.provenance()
        claim = room.Claim(self._label, watermark.payload_of(self._label, self._plan), generator=self._plan.generator)
        with self._left as left:
            store = room.sign_sidecar(left, claim, self._plan.provenance, mime=self._mime)
        part = self._target.with_suffix(".part")
        part.write_bytes(store)
        part.replace(self._target)
