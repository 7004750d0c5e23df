# SPDX-License-Identifier: Apache-2.0
"""Presentations of HTTP Live Streaming and DASH: labelled and verified segment by segment; and films made live.

    playlist.embed("film/main.m3u8", "labelled/main.m3u8", label)
    for segment, report in playlist.verify("labelled/main.m3u8"):
        print(segment, report.verdict)

A manifest of DASH (main.mpd) goes in the same way. Files are read in the folder of the playlist and below, by relative
paths; nothing is fetched.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from labelkit.playlist.names import is_manifest, is_playlist

if TYPE_CHECKING:
    from labelkit.playlist.labelling import embed
    from labelkit.playlist.live import LiveFilm
    from labelkit.playlist.verifying import Joined, counts, joined, of_segment, verify

__all__ = ["Joined", "LiveFilm", "counts", "embed", "is_manifest", "is_playlist", "joined", "of_segment", "verify"]

_HOMES = {"embed": "labelling", "LiveFilm": "live", "Joined": "verifying", "counts": "verifying", "joined": "verifying",
          "of_segment": "verifying", "verify": "verifying"}

if not TYPE_CHECKING:  # else a checker takes every name for one of ours
    def __getattr__(name: str) -> object:
        """Public names are loaded when they are first used: the commands ask of every file whether it is a playlist."""
        if name in _HOMES:
            return getattr(importlib.import_module(f"labelkit.playlist.{_HOMES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
