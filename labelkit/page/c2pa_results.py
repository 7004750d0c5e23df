# SPDX-License-Identifier: Apache-2.0
"""A module `c2pa` for a browser: it hands out what the C2PA library read there, which only answers asynchronously.

The page's worker reads the manifest with c2pa-wasm, which is the same c2pa-rs, before it calls Python; `install` puts
the result where `labelkit.provenance` looks for c2pa-python.
"""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any, BinaryIO

_FAILED = re.compile(r'C2pa\((\w+)(?:\((.*)\))?\)$', re.DOTALL)  # how c2pa-wasm writes an error of c2pa-rs
_OF_SYSTEM = re.compile(r'message: "([^"]*)"')
_KINDS = {"IoError": "Io: {}", "InvalidAsset": "Other: asset could not be parsed: {}",
          "RemoteManifestUrl": "Remote: {}", "RemoteManifestFetch": "Remote: {}"}  # as c2pa-python writes them


class C2paError(Exception):
    """What the library said."""

    class NotSupported(Exception):
        """The library does not know the format."""


class Context:
    """Settings, which the worker has given to the library already."""

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Context:
        """A context; the settings have been used."""
        return cls()


class Reader:
    """What the library read of one file: its report and the store of manifests, as JSON."""

    result: dict[str, str] | None = None  # of the file that is being verified

    def __init__(self, result: dict[str, str]) -> None:
        self._result = result

    @classmethod
    def try_create(cls, mime: str | None, file: BinaryIO, sidecar: bytes | None = None, *,
                   context: Context) -> Reader | None:
        """The result; None for a file without a manifest. Raises what the library said where it failed."""
        if cls.result is None:
            raise C2paError("Other: the manifest was not read")
        error = cls.result.get("error")
        if error is None:
            return cls(cls.result)
        found = _FAILED.match(error)
        kind, detail = (found[1], found[2] or "") if found else ("", error)
        if kind == "JumbfNotFound":
            return None
        if kind == "UnsupportedType":
            raise C2paError.NotSupported(error)
        inner = _OF_SYSTEM.search(detail)
        raise C2paError(_KINDS.get(kind, "Other: {}").format(inner[1] if inner else detail.strip('"')))

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def json(self) -> str:
        """The library's report."""
        return self._result["json"]

    def crjson(self) -> str:
        """Every manifest with its certificate."""
        return self._result["crjson"]


def install() -> None:
    """Make this the module `c2pa`."""
    module = ModuleType("c2pa")
    vars(module).update(C2paError=C2paError, Context=Context, Reader=Reader)
    sys.modules["c2pa"] = module
