# SPDX-License-Identifier: Apache-2.0
"""Builds the verify page: a folder of static files that verifies files in the browser and sends them nowhere.

labelkit itself runs there, in Pyodide, with its C kernels as WebAssembly; `runtime` fetches the programs of others.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import labelkit
from labelkit.errors import InvalidArgument, cannot_write
from labelkit.page import markup, runtime, shell
from labelkit.page.browser import ANCHORS
from labelkit.provenance import TrustList
from labelkit.results import read_jwks

KERNELS = "_native.abi3.so"
_PACKAGE = Path(labelkit.__file__).parent
_STATIC = Path(__file__).parent / "verify"
_LEFT_OUT = ("cli", "isolation", "integrations", "mcp", "resolve", "service", "trials")  # of no use to a page
_MAX_KERNELS = 4 << 20  # bytes
_ORIGIN = re.compile(r"https://(\*\.)?[a-z0-9]+([.-][a-z0-9]+)*(:\d{1,5})?|http://(localhost|127\.0\.0\.1)(:\d{1,5})?")
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # so that the same sources give the same page


def build(out: Path, *, kernels: Path | None = None, anchors: Path | None = None, cache: Path | None = None,
          language: str = "en", fetch_from: Sequence[str] = (), result_keys: Path | None = None) -> list[str]:
    """Write the page into the folder `out` and return the names of its files.

    kernels   the kernels as WebAssembly, made by native/wasm.py; without them NumPy does their work, several times
              slower
    anchors   PEM bundle of the roots that the page trusts; C2PA's trust list by default
    cache     where fetched files are kept; `runtime.cache_folder()` by default
    language  shown first
    fetch_from  servers beside its own from which the page may fetch a file that ?url= names, on a click and before it
              forbids itself connections: origins such as "https://example.org" or "https://*.example.org"
    result_keys  public keys (JWKS) whose signed results the page believes without being given the set; none by default
    Raises InvalidArgument, and OutputFailed where a file of the runtime cannot be had.
    """
    for origin in fetch_from:
        if not _ORIGIN.fullmatch(origin):
            raise InvalidArgument("fetch_from must hold origins such as https://example.org, got {got}",
                                  got=repr(origin))
    library = _library(kernels, anchors)
    try:
        (out / "runtime").mkdir(parents=True, exist_ok=True)
        loaded = [_put(out, "runtime/labelkit.zip", library)]
        for file, data in runtime.fetched(cache or runtime.cache_folder()):
            loaded.append(_put(out, f"runtime/{file.name}", data))
        loaded.append(_put(out, "runtime/worker.js", (_STATIC / "worker.js").read_bytes()))
        if result_keys is not None:
            loaded.append(_put(out, "runtime/result-keys.json", json.dumps(read_jwks(result_keys)).encode()))
        (out / "licences.txt").write_text(_licences(), "utf-8")
        (out / "style.css").write_text(markup.style(markup.FONT), "utf-8")
        copied = [path for path in _STATIC.iterdir() if path.name not in ("worker.js", "sw.js")]
        copied.append(_STATIC.parent / markup.FONT)
        for path in copied:
            shutil.copyfile(path, out / path.name)
        small = sorted(["licences.txt", "style.css", *(path.name for path in copied)])
        version = _version(shell.page(loaded, small, "", language, fetch_from), [out / name for name in small])
        (out / "index.html").write_text(shell.page(loaded, small, version, language, fetch_from), "utf-8")
        worker = (_STATIC / "sw.js").read_text("utf-8")
        (out / "sw.js").write_text(worker.replace("VERSION", version, 1), "utf-8")
    except OSError as error:
        raise cannot_write(out, error) from error
    return [*(file.name for file in loaded), *small, "index.html", "sw.js"]


def _put(out: Path, name: str, data: bytes) -> shell.Loaded:
    (out / name).write_bytes(data)
    return shell.Loaded(name, len(data), hashlib.sha256(data).digest())


def _version(page: str, small: list[Path]) -> str:
    """Names this version of all files: `page` holds the hashes of those that are loaded by them."""
    hashed = hashlib.sha256(page.encode())
    for path in small:
        hashed.update(hashlib.sha256(path.read_bytes()).digest())
    return hashed.hexdigest()[:16]


def _library(kernels: Path | None, anchors: Path | None) -> bytes:
    """labelkit as a zip file: its Python code and data, with the kernels."""
    more: dict[str, bytes] = {}
    if kernels is not None:
        more[KERNELS] = _kernels(kernels)
    if anchors is not None:
        more[f"page/{ANCHORS}"] = TrustList.load(anchors).anchors.encode()
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(_PACKAGE.rglob("*")):
            relative = path.relative_to(_PACKAGE)
            if path.is_file() and _is_wanted(relative):
                _add(archive, f"labelkit/{relative.as_posix()}", path.read_bytes())
        for name, data in more.items():
            _add(archive, f"labelkit/{name}", data)
    return held.getvalue()


_SUFFIXES = (".py", ".json", ".otf", ".ttf", ".wav", ".ulaw", ".pem", ".css", ".woff")


def _is_wanted(path: Path) -> bool:
    return (path.suffix in _SUFFIXES and path.parts[0] not in _LEFT_OUT
            and path.parts[:2] != ("page", "verify") and "__pycache__" not in path.parts)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _ZIP_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, data)


def _kernels(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidArgument("{where} cannot be opened: {reason}", where=str(path), reason=error.strerror) from error
    if data[:4] != b"\0asm" or len(data) > _MAX_KERNELS:
        raise InvalidArgument("{where} does not hold the kernels as WebAssembly", where=str(path))
    return data


def _licences() -> str:
    lines = ["This page is labelkit, Apache-2.0 (https://www.apache.org/licenses/LICENSE-2.0), and runs on these,",
             "unchanged:", ""]
    lines += [f"{part.name} {part.version}, {part.licence}, {part.home}" for part in runtime.parts()]
    return "\n".join(lines) + "\n"
