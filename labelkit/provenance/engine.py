# SPDX-License-Identifier: Apache-2.0
"""Configure c2pa-python: build its settings and contexts, and turn its errors into one line of text.

Importing c2pa takes 0.1 s, so every function that needs it imports it. c2pa silently accepts unknown settings, so they
are built only here.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from c2pa import Context

PURPOSES = ("1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.62558.2.1")
"""Extended key usages of claim signing: emailProtection, documentSigning (RFC 9336), C2PA's own."""

RF64 = (b"RF64", b"BW64")
"""First bytes of a WAV file with 64-bit sizes, which c2pa-rs 0.91.3 cannot read."""

_USER_INFO = re.compile(r"://[^/\s?#]*@")
_QUERY = re.compile(r"(https?://[^\s?#)'\"]*)[?#][^\s)'\"]*")
_MAX_REASON = 300  # characters of an error message of the library
_MAX_MANIFEST_MB = 32  # of a compressed manifest after decompression
_LONGEST_EDGE = 512  # pixels of a thumbnail
_MEMORY_MB = 16  # larger files are signed through the disk: 0.45 GB of memory for an MP4 of 0.9 GB, not 2 GB

Settings = Mapping[str, object]
"""Settings of c2pa, as JSON values."""


def context(settings: Settings) -> Context:
    """The c2pa context for `settings`, cached per process: a context does not survive a fork."""
    return _context(os.getpid(), json.dumps(settings, sort_keys=True))


@functools.lru_cache(maxsize=16)
def _context(process: int, settings: str) -> Context:
    from c2pa import Context

    return Context.from_dict(json.loads(settings))


def signing_settings(purposes: tuple[str, ...], *, written: bool = True, thumbnails: bool = False) -> Settings:
    """Settings to sign with a certificate for `purposes` (OIDs): no network, validate afterwards.

    A thumbnail takes 60 ms per megapixel; validating in the same call takes 0.7 ms, half of a separate validation.
    `written` says that c2pa writes the file itself, so that it can check the hash of the file too.
    """
    small = {"enabled": thumbnails, **({"long_edge": _LONGEST_EDGE, "format": "jpeg"} if thumbnails else {})}
    return {"builder": {"thumbnail": small},
            "core": {"allowed_network_hosts": [], "backing_store_memory_threshold_in_mb": _MEMORY_MB},
            "trust": {"trust_config": "\n".join(purposes)},
            "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": False,
                       "verify_after_sign": True, "verify_after_sign_hash": written}}


def reading_settings(anchors: str, time_stamp_anchors: str, purposes: tuple[str, ...]) -> Settings:
    """Settings to validate with these anchors (PEM text), without network access."""
    trust: dict[str, object] = {"trust_config": "\n".join(purposes)}
    if anchors:
        trust["user_anchors"] = anchors
    if time_stamp_anchors:
        trust["anchors"] = [{"trust_anchors": time_stamp_anchors, "trust_kind": "tsa"}]
    return {"core": {"allowed_network_hosts": [], "max_decompressed_manifest_size_in_mb": _MAX_MANIFEST_MB},
            "trust": trust,
            "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True,
                       "verify_timestamp_trust": True}}


def reason(error: BaseException) -> str:
    """The error message of the library, as one line of at most 300 characters, without secrets of URLs in it."""
    return printable(without_secrets(" ".join((str(error) or type(error).__name__).split())), _MAX_REASON)


def without_secrets(text: str) -> str:
    """A text without the user information and the queries of the URLs in it, which may hold passwords and tokens."""
    return _QUERY.sub(r"\1", _USER_INFO.sub("://", text))


def is_of_time_stamp(error: Exception) -> bool:
    """Whether a signature with a time-stamp failed at the server: no answer, or one that the library cannot read."""
    return "http resolver" in str(error) or str(error).startswith("Signature: internal error")


def printable(text: str, limit: int) -> str:
    """At most `limit` characters of a text from a file; control characters and surrogates are replaced."""
    text = text[:limit]
    return text if text.isprintable() else "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def is_remote(error: Exception) -> bool:
    """Whether the file embeds no manifest but names the URL of one, which was not fetched."""
    return str(error).startswith("Remote:")


def is_unsupported(error: Exception) -> bool:
    """Whether the library does not know the file format."""
    from c2pa import C2paError

    return isinstance(error, C2paError.NotSupported)  # type: ignore[attr-defined]  # set after the class is made
