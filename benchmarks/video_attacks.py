# SPDX-License-Identifier: Apache-2.0
"""What happens to a film between labelling and verification: one table, swept by the benchmark, sampled by tests.

An attack is a chain of passes, each a description of filters as ffmpeg writes them, an encoder and its options; frames
go through PyAV. A module in this style can be given to `video_robustness.py` instead: `names() -> list`,
`group_of(name) -> str`, `apply(name, source, target, start, seconds)`, which writes a file from a stretch of another.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


@dataclass(frozen=True, slots=True)
class Pass:
    """One trip through a platform: filters, then an encoder."""

    filters: str = ""
    codec: str = "libx264"
    options: tuple[tuple[str, str], ...] = (("crf", "23"), ("preset", "medium"))
    speed: float = 1.0
    between: float = 0.0  # seconds of other material put before and after


def x264(crf: int, filters: str = "", preset: str = "medium", **more: float) -> Pass:
    return Pass(filters, "libx264", (("crf", str(crf)), ("preset", preset)), **more)


_HEVC = (("crf", "32"), ("preset", "fast"), ("x265-params", "log-level=error"))
_VP9 = (("crf", "36"), ("b", "0"), ("deadline", "realtime"), ("cpu-used", "6"))
_AV1 = (("crf", "40"), ("preset", "10"))
_TO_9_16 = "scale=606:-2,pad=606:1080:0:(oh-ih)/2"
_TO_16_9 = "scale=-2:720,pad=1600:720:(ow-iw)/2:0"
# two lines of subtitles and a logo, as filled boxes
_OVERLAYS = ("drawbox=x=iw*0.2:y=ih*0.8:w=iw*0.6:h=ih*0.055:color=white:t=fill,"
             "drawbox=x=iw*0.3:y=ih*0.88:w=iw*0.4:h=ih*0.055:color=black:t=fill,"
             "drawbox=x=iw*0.04:y=ih*0.05:w=iw*0.14:h=ih*0.12:color=orange:t=fill")

ATTACKS: dict[str, tuple[str, tuple[Pass, ...]]] = {
    "none": ("none", ()),
    "x264_23": ("codec", (x264(23),)), "x264_28": ("codec", (x264(28),)), "x264_32": ("codec", (x264(32),)),
    "x264_28_fast": ("codec", (x264(28, preset="veryfast"),)),
    "hevc_32": ("codec", (Pass("", "libx265", _HEVC),)), "vp9_36": ("codec", (Pass("", "libvpx-vp9", _VP9),)),
    "av1_40": ("codec", (Pass("", "libsvtav1", _AV1),)),
    "x264_36": ("hard codec", (x264(36),)),
    "scale_720": ("scale", (x264(23, "scale=-2:720"),)), "scale_480": ("scale", (x264(23, "scale=-2:480"),)),
    "scale_480_28": ("scale", (x264(28, "scale=-2:480"),)),
    "scale_360": ("hard scale", (x264(23, "scale=-2:360"),)),
    "scale_360_28": ("hard scale", (x264(28, "scale=-2:360"),)),
    "crop_60": ("crop", (x264(23, "crop=trunc(iw*0.775/2)*2:trunc(ih*0.775/2)*2:iw*0.1:ih*0.15"),)),
    "crop_60_scaled": ("crop", (x264(26, "crop=trunc(iw*0.775/2)*2:trunc(ih*0.775/2)*2:iw*0.1:ih*0.15,scale=-2:540"),)),
    "half_rate": ("time", (x264(23, "fps=source_fps/2"),)), "double_rate": ("time", (x264(23, "fps=source_fps*2"),)),
    "speed_1_25": ("time", (x264(23, speed=1.25),)),
    "mirror": ("geometry", (x264(23, "hflip"),)),
    "letterbox_9_16": ("geometry", (x264(23, _TO_9_16),)), "letterbox_16_9": ("geometry", (x264(23, _TO_16_9),)),
    "turn_1": ("turn", (x264(23, "rotate=1*PI/180"),)), "turn_5": ("turn", (x264(23, "rotate=5*PI/180"),)),
    "narrow_0_9": ("aspect", (x264(23, "scale=trunc(iw*0.45)*2:ih"),)),
    "wide_1_1": ("aspect", (x264(23, "scale=trunc(iw*0.55)*2:ih"),)),
    "overlays": ("overlay", (x264(23, _OVERLAYS),)),
    "brighter": ("colour", (x264(23, "lutyuv=y=val+28"),)), "darker": ("colour", (x264(23, "lutyuv=y=val-28"),)),
    "harder": ("colour", (x264(23, "lutyuv=y=(val-126)*1.3+126"),)),
    "flatter": ("colour", (x264(23, "lutyuv=y=(val-126)*0.7+126"),)),
    "gamma_0_8": ("colour", (x264(23, "lutyuv=y=gammaval(0.8)"),)),
    "gamma_1_3": ("colour", (x264(23, "lutyuv=y=gammaval(1.3)"),)),
    "joined": ("time", (x264(23, between=4.0),)),
    "two_platforms": ("pipeline", (x264(26, "scale=-2:720", "veryfast"), x264(28, "scale=-2:540", "veryfast"))),
    "blurred": ("filter", (x264(23, "gblur=0.8"),)), "sharpened": ("filter", (x264(23, "unsharp=5:5:1.0"),)),
}


def names(group: str | None = None) -> list[str]:
    """The attacks of a group, or all."""
    return [name for name, (of, _) in ATTACKS.items() if group in (None, of)]


def group_of(name: str) -> str:
    """The class an attack belongs to."""
    return ATTACKS[name][0]


def apply(name: str, source: Path, target: Path, start: float = 0.0, seconds: float = 2.0) -> None:
    """Write to `target`, a Matroska file, what an attack makes of `seconds` of `source` from `start` on."""
    frames, rate = read(source, start, seconds)
    passes = ATTACKS[name][1] or (Pass(options=(("crf", "0"), ("preset", "ultrafast"))),)
    for number, one in enumerate(passes):
        place = target if number == len(passes) - 1 else target.with_suffix(f".{number}.mkv")
        write(one, frames, rate, place)
        if place != target:
            frames, rate = read(place, 0.0, float("inf"))
            place.unlink()


def read(source: Path, start: float, seconds: float) -> tuple[list[av.VideoFrame], Fraction]:
    """The frames of a stretch, and their rate."""
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        first = (stream.start_time or 0) * stream.time_base
        frames = []
        for frame in container.decode(stream):
            if frame.time - first >= start + seconds - 1e-6:
                break
            if frame.time - first >= start - 1e-6:
                frames.append(frame)
        return frames, stream.average_rate


def write(one: Pass, frames: list[av.VideoFrame], rate: Fraction, target: Path) -> None:
    """Filter and encode."""
    rate = Fraction(rate * Fraction(one.speed)).limit_denominator(1001)
    filtered = list(_filtered(one.filters, _joined(frames, one.between, rate), rate))
    count = len(filtered)
    if "fps=" in one.filters:  # the rate that the filter made
        rate = Fraction(rate * Fraction(count, len(frames))).limit_denominator(1001)
    with av.open(str(target), "w", format="matroska") as out:
        stream = out.add_stream(one.codec, rate=rate, options=dict(one.options))
        stream.width, stream.height, stream.pix_fmt = filtered[0].width, filtered[0].height, "yuv420p"
        stream.thread_type = "AUTO"  # as ffmpeg does
        for index, frame in enumerate(filtered):
            frame.pts, frame.time_base, frame.pict_type = index, 1 / rate, 0
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def _joined(frames: list[av.VideoFrame], between: float, rate: Fraction) -> list[av.VideoFrame]:
    count = round(between * rate)
    if not count:
        return frames
    others = [_other(frames[0].width, frames[0].height, index) for index in range(2 * count)]
    return others[:count] + frames + others[count:]


def _other(width: int, height: int, index: int) -> av.VideoFrame:
    """A frame of other material: waves that move, with grain."""
    y, x = np.mgrid[0:height, 0:width] / np.float32(40)
    waves = 110 + 50 * np.sin(x + index / 9) * np.cos(0.7 * y - index / 14)
    grain = np.random.default_rng(index // 3).normal(0, 5, (height, width))
    picture = np.full((height * 3 // 2, width), 128, np.uint8)
    picture[:height] = np.clip(waves + grain, 16, 235)
    return av.VideoFrame.from_ndarray(picture, "yuv420p")


def _filtered(description: str, frames: list[av.VideoFrame], rate: Fraction):
    first = frames[0].reformat(format="yuv420p")
    graph = av.filter.Graph()
    tail = graph.add_buffer(width=first.width, height=first.height, format="yuv420p", time_base=1 / rate)
    for step in filter(None, description.split(",")):
        name, _, options = step.partition("=")
        if options == "source_fps/2" or options == "source_fps*2":
            options = str(rate / 2 if options.endswith("/2") else rate * 2)
        node = graph.add(name, options)
        tail.link_to(node)
        tail = node
    sink = graph.add("buffersink")
    tail.link_to(sink)
    graph.configure()
    for index, frame in enumerate([*frames, None]):
        if frame is not None:
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = index, 1 / rate
        graph.push(frame)
        while True:
            try:
                yield graph.pull()
            except (BlockingIOError, EOFError):
                break
