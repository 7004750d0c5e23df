# SPDX-License-Identifier: Apache-2.0
"""Packets of a film, decoded one at a time, through PyAV."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream, Packet, VideoFrame, VideoStream
    from av.video.codeccontext import VideoCodecContext


def audio_frames(packet: Packet[AudioStream]) -> list[AudioFrame]:
    """The frames that a packet of sound brings; none where it is broken."""
    import av

    try:
        return packet.decode()
    except av.FFmpegError:
        return []


def video_frames(packet: Packet[VideoStream], order: list[int] | None = None,
                 decoder: VideoCodecContext | None = None) -> list[VideoFrame]:
    """The frames that a packet of pictures brings; none where it is broken.

    order    times of decoding whose frames are still to come, kept for a file that tells no times of display: its
             frames get them in ascending order
    decoder  another than that of the packet's stream
    """
    import av

    try:
        frames = decoder.decode(packet) if decoder else packet.decode()
    except av.FFmpegError:
        return []
    if order is not None and packet.size and packet.dts is not None:
        heapq.heappush(order, packet.dts)
    for frame in frames if order else ():
        frame.pts = heapq.heappop(order) if order else frame.pts
    return frames
