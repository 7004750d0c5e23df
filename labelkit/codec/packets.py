# SPDX-License-Identifier: Apache-2.0
"""Packets of a film, decoded one at a time, through PyAV."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av


def decoded_frames(packet: av.Packet, order: list[int] | None = None, decoder: av.CodecContext | None = None) -> list:
    """The frames that a packet of pictures or sound brings; none where it is broken.

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
