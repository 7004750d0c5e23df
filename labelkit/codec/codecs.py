# SPDX-License-Identifier: Apache-2.0
"""The names by which playlists and manifests call codecs (RFC 6381; ISO/IEC 14496-15, annex E)."""

from __future__ import annotations

_SPS = 7  # nal_unit_type of a sequence parameter set (H.264, 7.4.1)


def name_of(codec: str, settings: bytes) -> str:
    """The name of the pictures of a film; "" where it is not known.

    codec     FFmpeg's name: "h264" or "hevc"
    settings  those of the decoder, as in the box avcC or hvcC, or H.264 as a stream of bytes
    """
    if codec == "h264":
        start = 1 if settings[:1] == b"\1" else _behind_sps(settings)
        return f"avc1.{settings[start:start + 3].hex()}" if start and len(settings) >= start + 3 else ""
    if codec == "hevc" and settings[:1] == b"\1" and len(settings) >= 13:
        return _hevc(settings)
    return ""


def _behind_sps(settings: bytes) -> int:
    """Where the profile of the first sequence parameter set stands; 0 where there is none."""
    at = settings.find(b"\0\0\1")
    while 0 <= at < len(settings) - 4:
        if settings[at + 3] & 0x1F == _SPS:
            return at + 4
        at = settings.find(b"\0\0\1", at + 3)
    return 0


def _hevc(settings: bytes) -> str:
    """From hvcC: profile, its compatibility flags backwards, tier and level, constraints without trailing zeros."""
    space, tier, profile = settings[1] >> 6, settings[1] >> 5 & 1, settings[1] & 0x1F
    flags = int(f"{int.from_bytes(settings[2:6], 'big'):032b}"[::-1], 2)
    constraints = settings[6:12].rstrip(b"\0")
    parts = [f"hvc1.{['', 'A', 'B', 'C'][space]}{profile}", f"{flags:X}", f"{'LH'[tier]}{settings[12]}",
             *(f"{byte:X}" for byte in constraints)]
    return ".".join(parts)
