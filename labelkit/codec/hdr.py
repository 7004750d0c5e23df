# SPDX-License-Identifier: Apache-2.0
"""What frames carry beside their samples: what tells HDR, HDR10's static metadata (SMPTE ST 2086, CTA-861.3), from a
frame into settings of encoders, and how the frame is turned."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import numpy as np

from labelkit.errors import UnsupportedFormat

if TYPE_CHECKING:
    import av
    from av.sidedata.sidedata import SideData
    from av.video.stream import VideoStream

TRANSFERS = {16: "pq", 18: "hlg"}  # Rec. ITU-T H.273, table 3
_ONE = 1 << 16
_TURNS = {90: (0, -_ONE, _ONE, 0), 180: (-_ONE, 0, 0, -_ONE), 270: (0, _ONE, -_ONE, 0)}  # by degrees: a, b, c, d
_PRIMARIES, _LIGHT = 50_000, 10_000  # the units of x264 and x265: 0.00002 and 0.0001 cd/m2


def side_data(frame: av.VideoFrame, stream: VideoStream) -> dict[str, bytes]:
    """What a decoded frame carries beside its samples, by FFmpeg's name."""
    # since PyAV 19 what holds for the whole stream may stand with its decoder alone, and iterating gives types
    found = {kind.name: data for kind, data in getattr(stream.codec_context, "decoded_side_data", {}).items()}
    held = _held(frame)
    if held is None:  # of what is not known HDR may be a part
        return found | ({"DYNAMIC_HDR": b""} if int(frame.color_trc) in TRANSFERS else {})
    every = (held[number] for number in range(len(held)))
    return found | {data.type.name: bytes(data) for data in every}


def display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """The nine integers of the display matrix, where the file has one."""
    held = _held(frame)
    if held is None:
        turn = _TURNS.get(round(frame.rotation) % 360)
        return (*turn[:2], 0, *turn[2:], 0, 0, 0, 1 << 30) if turn else None
    found = cast("Mapping[str, SideData]", held).get("DISPLAYMATRIX")
    return None if found is None else tuple(int(value) for value in np.frombuffer(bytes(found), "<i4")[:9])


def _held(frame: av.VideoFrame) -> Sequence[SideData] | None:
    """The side data; None where PyAV gives none, because a kind is among them that it does not know: it lags behind
    FFmpeg, which since 8.0 finds the Exif in frames of MJPEG, as cameras write it."""
    try:
        return cast("Sequence[SideData]", frame.side_data)  # a mapping by type too
    except ValueError:
        return None


def settings(found: Mapping[str, bytes], encoder: str, where: str) -> list[str] | None:
    """What is added to the parameters of an encoder by FFmpeg's name; None where there are metadata that it drops.

    found  as `side_data` gives it
    Raises UnsupportedFormat for metadata that change from frame to frame.
    """
    if any(name.startswith(("DOVI", "DYNAMIC_HDR")) for name in found):
        raise UnsupportedFormat("{where}: Dolby Vision and HDR10+ would not survive being encoded anew", where=where,
                                hint="leave the signal layers out of the plan")
    mastering, light = found.get("MASTERING_DISPLAY_METADATA"), found.get("CONTENT_LIGHT_LEVEL")
    levels = "{},{}".format(*struct.unpack_from("<2I", light)) if light else None
    if encoder == "libx265":
        options = ["hdr10=1", f"master-display={_display(mastering)}"] if mastering else []
        return options + ([f"max-cll={levels}"] if light else [])
    if encoder == "libx264":
        options = [f"mastering-display={_display(mastering)}"] if mastering else []
        return options + ([f"cll={levels}"] if light else [])
    if encoder == "libsvtav1":
        options = [f"mastering-display={_display(mastering, whole=False)}"] if mastering else []
        return options + ([f"content-light={levels}"] if light else [])
    return None if mastering or light else []


def _display(mastering: bytes, *, whole: bool = True) -> str:
    """The colour volume of the mastering display, in whole units or, for SVT-AV1, in decimals."""
    # libavutil/mastering_display_metadata.h: ten rationals, red, green, blue, white, least and most light
    pairs = struct.unpack_from("<20i", mastering)
    value = [Fraction(a, b or 1) for a, b in zip(pairs[0::2], pairs[1::2], strict=True)]

    def said(part: Fraction, unit: int) -> str:
        return str(round(part * unit)) if whole else f"{float(part):.5f}"

    red, green, blue, white = (f"({said(x, _PRIMARIES)},{said(y, _PRIMARIES)})"
                               for x, y in zip(value[:8:2], value[1:8:2], strict=True))
    least, most = (said(light, _LIGHT) for light in value[8:])
    return f"G{green}B{blue}R{red}WP{white}L({most},{least})"
