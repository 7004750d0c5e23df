# SPDX-License-Identifier: Apache-2.0
"""Films: marking beside a copy of the plane, labelling beside the same transcode without it, detection beside
decoding."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.conftest import peak_megabytes, ratio
from labelkit import codec, container, explicit, watermark
from labelkit.codec import transcode
from labelkit.codec.frame import Frame, FrameFormat
from labelkit.payload import Payload
from labelkit.plan import Explicit, Quality
from labelkit.watermark import video

PAYLOAD = Payload(kind=1, producer=0xABCDEF, content=0x123456789)
SIZE = (1920, 1080)
SAMPLE = Path(__file__).parents[1] / "samples" / "lantern-river.mp4"


def scene(count: int) -> Iterable[av.VideoFrame]:
    """Frames of the sample film, enlarged to 1080p."""
    with av.open(str(SAMPLE)) as source:
        for frame in itertools.islice(source.decode(video=0), count):
            yield frame.reformat(*SIZE)


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.thread_type = "AUTO"  # as ffmpeg does
        for index, frame in enumerate(scene(75)):
            frame.pts, frame.time_base, frame.pict_type = index, Fraction(1, 25), 0
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def test_the_mark_beside_a_copy(benchmark, figure):
    planes = [frame.to_ndarray()[:SIZE[1]].copy() for frame in scene(16)]
    copies = [np.empty_like(plane) for plane in planes]
    marker, turn = video.Marker(*SIZE, PAYLOAD, robustness="hard"), iter(range(10**9))
    frames = [Frame(FrameFormat(*SIZE, halved=None), plane) for plane in planes]
    benchmark(lambda: marker.mark(frames[next(turn) % 16]))
    figure("watermark a 1080p plane", benchmark.stats["median"] * 1e3, most=1.2, unit="ms", conditions="one thread")
    figure("watermark a 1080p plane, to a copy of it",
           ratio(lambda: marker.mark(frames[next(turn) % 16]),
                 lambda: np.copyto(copies[next(turn) % 16], planes[next(turn) % 16]), clock=time.perf_counter),
           most=12, conditions="one thread, planes of 16 frames in turn, a still mark")


def test_a_mark_that_moves_with_the_camera(benchmark, figure):
    planes = [frame.to_ndarray()[:SIZE[1]].copy() for frame in scene(16)]
    there_and_back = itertools.cycle([*range(16), *range(14, 0, -1)])
    marker, turn = video.Marker(*SIZE, PAYLOAD), iter(there_and_back)
    benchmark(lambda: marker.mark(Frame(FrameFormat(*SIZE, halved=None), planes[next(turn)].copy())))
    figure("watermark a 1080p plane, the camera moving", benchmark.stats["median"] * 1e3, most=9.0, unit="ms",
           conditions="one thread, with a copy of the plane")


@pytest.mark.parametrize("preset,least", [("veryfast", 0.93), ("medium", 0.97)])
def test_labelling_beside_the_same_transcode(preset, least, film, tmp_path, figure):
    def run(labelled: bool) -> float:
        with container.opened(film) as reader:
            samples = codec.decode(reader)
            if labelled:
                samples, _ = explicit.draw(samples, Explicit())
                samples = watermark.embed(samples, PAYLOAD)
            start = time.perf_counter()
            transcode.encode(samples, tmp_path / "out.mp4", Quality(preset=preset))
            return time.perf_counter() - start

    times = [(run(False), run(True)) for _ in range(3)]
    plain, labelled = (min(column) for column in zip(*times, strict=True))
    figure(f"labelled to plain frame rate, x264 {preset}", plain / labelled, least=least,
           conditions="the sample at 1080p, 75 frames, crf 18, explicit label and watermark, best of 3")


def lengthened(path: Path, times: int) -> Path:
    """The film over and over, its packets copied."""
    target = path.with_stem(f"{path.stem}-long")
    with av.open(str(path)) as source, av.open(str(target), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        length = sum(packet.duration for packet in packets)
        for turn in range(times):
            for packet in packets:
                copy = av.Packet(bytes(packet))
                copy.pts, copy.dts = packet.pts + turn * length, packet.dts + turn * length
                copy.time_base, copy.is_keyframe, copy.stream = packet.time_base, packet.is_keyframe, stream
                out.mux(copy)
    return target


def test_detection_beside_decoding(film, tmp_path, figure):
    marked = tmp_path / "marked.mp4"
    with container.opened(film) as reader:
        transcode.encode(watermark.embed(codec.decode(reader), PAYLOAD), marked, Quality(preset="veryfast"))

    def decode(seconds: float) -> None:
        with container.opened(film) as reader:
            assert sum(1 for _ in codec.decode(reader).frames(0, seconds))

    def detect(path: Path) -> bool:
        with container.opened(path) as reader:
            return watermark.detect(codec.decode(reader)).found

    marked, film = lengthened(marked, 20), lengthened(film, 20)
    assert detect(marked) and not detect(film)
    figure("detect a mark, to decoding 2 s", ratio(lambda: detect(marked), lambda: decode(2.0), 5), most=1.0,
           conditions="1080p, 60 s, normal effort, CPU time")
    figure("find none, to decoding 10 s", ratio(lambda: detect(film), lambda: decode(10.0), 5), most=1.0,
           conditions="1080p, 60 s, normal effort, CPU time")


def test_memory_of_a_long_film(film, tmp_path, figure):
    peak = peak_megabytes(f"import labelkit as lk\nlk.embed({str(film)!r}, {str(tmp_path / 'out.mp4')!r}, "
                          "lk.Label(lk.Kind.GENERATED, 'bench', '1'))\n")
    figure("peak memory of labelling 1080p H.264", peak, most=400, unit="MB",
           conditions="whole process, preset medium; it does not grow with the length")
