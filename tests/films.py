# SPDX-License-Identifier: Apache-2.0
"""Short films for the tests, made here with PyAV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FAST = {"libx264": {"preset": "veryfast", "crf": "20"},
        "libx265": {"preset": "ultrafast", "crf": "22", "x265-params": "log-level=error"},
        "libvpx-vp9": {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "8"},
        "mpeg4": {"qmin": "2", "qmax": "3"}}


def scene(width: int, height: int, count: int, seed: int = 1) -> Iterator[np.ndarray]:
    """uint8 [height, width] luma of frames in which a textured ground moves, with edges and quiet parts."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width + 4 * count] / 48.0
    ground = 110 + 45 * np.sin(x * 1.2 + seed) * np.cos(y * 0.9) + 25 * ((np.sin(2.7 * x) + np.sin(2.1 * y)) > 0.7)
    grain = random.normal(0, 1, ground.shape)
    grain = grain + np.roll(grain, 1, axis=1) + np.roll(grain, 1, axis=0)
    ground = np.clip(ground + 5 * grain, 20, 230).astype(np.uint8)
    for index in range(count):
        yield ground[:, 4 * index:4 * index + width]


def picture(luma: np.ndarray, form: str = "yuv420p") -> av.VideoFrame:
    """A frame of a planar form with this luma and a little colour."""
    frame = av.VideoFrame(luma.shape[1], luma.shape[0], form)
    depth = frame.format.components[0].bits - 8
    for number, plane in enumerate(frame.planes):
        kind = np.uint16 if depth else np.uint8
        rows = np.frombuffer(plane, kind).reshape(plane.height, -1)
        values = luma if number == 0 else np.full((plane.height, plane.width), 120 + 10 * number)
        rows[:, :plane.width] = values.astype(kind) << depth
    return frame


def film(path: Path, *, codec: str = "libx264", size: tuple[int, int] = (320, 240), count: int = 30, rate: int = 25,
         form: str = "yuv420p", times: Sequence[int] | None = None, luma: Iterator[np.ndarray] | None = None,
         rotation: int = 0, aspect: Fraction | None = None, sound: Sequence[str] = (), subtitles: bool = False,
         tags: dict[str, str] | None = None, chapters: bool = False, colour: tuple[int, int, int] | None = None,
         full_range: bool = False, muxer: dict[str, str] | None = None, options: dict[str, str] | None = None,
         heard: np.ndarray | None = None) -> Path:
    """Write a film; `times` are those of the frames in milliseconds, `sound` encoders of sound, one for each track.

    heard   float32 [frames] at 48 kHz for every track; by default a tone as long as the film
    """
    with av.open(str(path), "w", container_options=muxer or {}) as out:
        video = out.add_stream(codec, rate=rate, options={**FAST.get(codec, {}), **(options or {})})
        video.width, video.height, video.pix_fmt = *size, form
        video.thread_type = "AUTO"  # frames whole, as labelkit and ffmpeg have them; else x264 cuts each into slices
        video.time_base = video.codec_context.time_base = Fraction(1, 1000) if times else Fraction(1, rate)
        if rotation:
            video.set_display_rotation(rotation)
        if aspect:
            video.codec_context.sample_aspect_ratio = aspect
        if colour:
            context = video.codec_context
            context.color_primaries, context.color_trc, context.colorspace = colour
        if full_range:
            video.codec_context.color_range = 2
        tracks = [out.add_stream(name, rate=48000, layout="stereo") for name in sound]
        for number, track in enumerate(tracks):
            track.metadata["language"] = ("eng", "chi")[number % 2]
        words = av.open(_words(path)) if subtitles else None
        text = out.add_stream_from_template(words.streams[0]) if words else None
        out.metadata.update(tags or {})
        if chapters:
            out.set_chapters([{"id": n, "start": 500 * n, "end": 500 * (n + 1), "time_base": Fraction(1, 1000),
                               "metadata": {"title": f"part {n}"}} for n in range(2)])
        length = (times[-1] / 1000 if times else count / rate) + 0.1
        for track in tracks:
            _sound(out, track, _tone(length) if heard is None else heard)
        for index, rows in enumerate(luma if luma is not None else scene(*size, count)):
            frame = picture(rows, form)
            frame.pts, frame.time_base = (times[index], Fraction(1, 1000)) if times else (index, Fraction(1, rate))
            if full_range:
                frame.color_range = 2
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for packet in words.demux() if words else ():
            if packet.size:
                packet.stream = text
                out.mux(packet)
    return path


def _tone(length: float) -> np.ndarray:
    return 0.2 * np.sin(np.arange(int(length * 48000)) * 0.05)


def _sound(out, track, wave: np.ndarray) -> None:
    context = track.codec_context
    context.open(strict=False)
    form, step = context.format.name, context.frame_size or 1024
    resampler = av.AudioResampler(format=form, layout="stereo", rate=48000)
    for start in range(0, len(wave), step):
        part = np.pad(wave[start:start + step], (0, max(0, start + step - len(wave))))
        frame = av.AudioFrame.from_ndarray(np.repeat(part[None], 2, 0).astype(np.float32), "fltp", "stereo")
        frame.sample_rate, frame.pts = 48000, start
        for part in resampler.resample(frame):
            out.mux(track.encode(part))
    out.mux(track.encode(None))


def _words(path: Path) -> str:
    """A file of subtitles beside the film."""
    place = path.with_suffix(".srt")
    place.write_text("1\n00:00:00,200 --> 00:00:00,500\nfirst words\n\n2\n00:00:00,700 --> 00:00:01,000\nmore words\n")
    return str(place)
