# SPDX-License-Identifier: Apache-2.0
"""Presentations of HTTP Live Streaming and DASH: labelled and verified segment by segment; and films made live.

    playlist.embed("film/main.m3u8", "labelled/main.m3u8", label)
    for segment, report in playlist.verify("labelled/main.m3u8"):
        print(segment, report.verdict)

A manifest of DASH (main.mpd) goes in the same way. Files are read in the folder of the playlist and below, by relative
paths; nothing is fetched.
"""

from labelkit.playlist.labelling import embed
from labelkit.playlist.live import LiveFilm
from labelkit.playlist.names import is_manifest, is_playlist
from labelkit.playlist.verifying import Joined, counts, joined, of_segment, verify

__all__ = ["Joined", "LiveFilm", "counts", "embed", "is_manifest", "is_playlist", "joined", "of_segment", "verify"]
