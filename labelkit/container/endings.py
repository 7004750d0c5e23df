# SPDX-License-Identifier: Apache-2.0
"""What the ending of a file's name says of its format."""

from __future__ import annotations

import mimetypes
from pathlib import Path

_TYPES = {".avif": "image/avif", ".heic": "image/heic", ".heif": "image/heic", ".webp": "image/webp",
          ".caf": "audio/caf", ".flac": "audio/flac", ".m4a": "audio/mp4", ".m4b": "audio/mp4", ".oga": "audio/ogg",
          ".ogg": "audio/ogg", ".opus": "audio/ogg", ".flv": "video/flv", ".m4v": "video/mp4", ".mkv": "video/matroska"}
"""Endings that Python does not know on every system, or knows by other names."""


def media_type(name: str) -> str | None:
    """The media type of a picture, sound or film by the ending of its name, such as image/png; else None."""
    found = _TYPES.get(Path(name).suffix.lower()) or mimetypes.guess_type(name)[0] or ""
    return found.replace("/x-", "/") if found.startswith(("image/", "audio/", "video/")) else None
