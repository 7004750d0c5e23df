# SPDX-License-Identifier: Apache-2.0
"""Which files are playlists, told by their names: the commands ask it of every file."""

from __future__ import annotations

ENDINGS = (".m3u8", ".mpd")


def is_playlist(path: str) -> bool:
    """Whether a file is named as a playlist of HLS or a manifest of DASH."""
    return path.lower().endswith(ENDINGS)


def is_manifest(path: str) -> bool:
    """Whether a file is named as a manifest of DASH."""
    return path.lower().endswith(ENDINGS[1])
