# SPDX-License-Identifier: Apache-2.0
"""The only file that configures c2pa-python: typed settings in, contexts out, errors as one line of text.

c2pa takes 0.1 s to import and is imported when first used. It accepts unknown settings in silence, so
they are built here and nowhere else.
"""

from __future__ import annotations

import functools
import json
import os
from types import ModuleType

PURPOSES = ("1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.62558.2.1")
"""Extended key usages of claim signing: emailProtection, documentSigning (RFC 9336), C2PA's own."""

RF64 = (b"RF64", b"BW64")
"""How a WAV of 64-bit sizes starts, which c2pa-rs 0.91.3 does not read."""

_MAX_REASON = 300  # characters of the library's words that are passed on
_MAX_MANIFEST_MB = 32  # of a compressed manifest, unpacked
_MEMORY_MB = 16  # a larger file is signed through the disk: 0.45 GB of memory for an MP4 of 0.9 GB, not 2 GB


def library() -> ModuleType:
    """The c2pa package."""
    import c2pa

    return c2pa


def context(settings: dict[str, object]) -> object:
    """The c2pa context for `settings`; made once for each process, because one made before a fork is dead after it."""
    return _context(os.getpid(), json.dumps(settings, sort_keys=True))


@functools.lru_cache(maxsize=16)
def _context(process: int, settings: str) -> object:
    return library().Context.from_dict(json.loads(settings))


def signing_settings(purposes: tuple[str, ...], *, written: bool = True) -> dict[str, object]:
    """Settings of a signer whose certificate is for `purposes` (OIDs): no thumbnails, no network, checked afterwards.

    A thumbnail costs 60 ms a megapixel; the check afterwards 0.7 ms, half of a separate validation. `written` says
    that the file itself is written, so that its hash can be checked too.
    """
    return {"builder": {"thumbnail": {"enabled": False}},
            "core": {"allowed_network_hosts": [], "backing_store_memory_threshold_in_mb": _MEMORY_MB},
            "trust": {"trust_config": "\n".join(purposes)},
            "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": False,
                       "verify_after_sign": True, "verify_after_sign_hash": written}}


def reading_settings(anchors: str, time_stamp_anchors: str, purposes: tuple[str, ...]) -> dict[str, object]:
    """Settings of a verifier: the anchors as PEM text, no network whatever the file names."""
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
    """What the library says went wrong: one line of at most 300 characters."""
    return printable(" ".join((str(error) or type(error).__name__).split()), _MAX_REASON)


def printable(text: str, limit: int) -> str:
    """At most `limit` characters of a text out of a file, none of which can steer a terminal or break an encoder."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text[:limit])


def is_remote(error: Exception) -> bool:
    """Whether the file has no manifest of its own and names one at a URL, which was not fetched."""
    return str(error).startswith("Remote:")
