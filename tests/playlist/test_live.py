# SPDX-License-Identifier: Apache-2.0
"""A live film: its metadata stand at its beginning, and each fragment is verified behind them alone."""

from __future__ import annotations

import io

import numpy as np
import pytest

import labelkit
from labelkit import Key, Layer, Plan, Status
from labelkit.errors import InvalidArgument
from labelkit.payload import Payload
from labelkit.playlist import LiveFilm
from tests.films import scene
from tests.media import LABEL

av = pytest.importorskip("av")
LAYERS = [Layer.EXPLICIT, Layer.WATERMARK, Layer.METADATA]


def rgb(count: int) -> list[np.ndarray]:
    return [np.repeat(luma[..., None], 3, 2) for luma in scene(320, 240, count)]


@pytest.fixture(scope="module")
def film() -> tuple[bytes, list[bytes]]:
    """What goes before, and four fragments of a second."""
    live = LiveFilm(LABEL, 320, 240, rate=25, fragment_s=1)
    parts = [*(live(frame) for frame in rgb(100)), live.finish()]
    assert live.finish() == b""
    return live.initialisation, [part for part in parts if part]


def test_the_finished_stream_carries_every_layer(film):
    data = film[0] + b"".join(film[1])
    report = labelkit.verify(data, layers=LAYERS, effort="fast")
    assert [report[layer].status for layer in LAYERS] == [Status.VALID] * 3
    assert report[Layer.METADATA].label == LABEL and report[Layer.WATERMARK].payload == Payload.of(LABEL)
    with av.open(io.BytesIO(data)) as file:
        packets = [packet for packet in file.demux(video=0) if packet.size]
    assert [round(float(packet.pts * packet.time_base) * 25) for packet in packets] == list(range(100))
    assert [number for number, packet in enumerate(packets) if packet.is_keyframe] == [0, 25, 50, 75]
    assert b"aq=1:0.80" in data, "x264 is told of the mark"


def test_every_fragment_is_verified_alone_and_comes_before_the_next_but_one(film):
    head, parts = film
    assert len(parts) == 4 and all(part[4:8] == b"moof" for part in parts)
    for part in parts:
        report = labelkit.verify(head + part, layers=[Layer.WATERMARK, Layer.METADATA], effort="fast")
        assert report[Layer.WATERMARK].payload == Payload.of(LABEL) and report[Layer.METADATA].label == LABEL
    wrong = labelkit.verify(head + parts[1], layers=[Layer.WATERMARK], effort="fast", key=Key(b"another key, as long"))
    assert wrong[Layer.WATERMARK].status is Status.ABSENT


def test_a_plan_without_layers_leaves_frames_unmarked():
    live = LiveFilm(LABEL, 320, 240, plan=Plan(explicit=None, watermark=None))
    data = live.initialisation + b"".join(map(live, rgb(30))) + live.finish()
    report = labelkit.verify(data, layers=LAYERS, effort="fast")
    assert report[Layer.WATERMARK].status is Status.ABSENT and report[Layer.METADATA].label == LABEL
    assert b"aq=1:1.00" in data


def test_frames_may_tell_their_times():
    live = LiveFilm(LABEL, 320, 240, rate=30)
    data = b"".join(live(frame, 1000 + at) for frame, at in zip(rgb(4), (0, 0.5, 0.75, 2.5), strict=True))
    with av.open(io.BytesIO(live.initialisation + data + live.finish())) as file:
        found = [(float(packet.pts * packet.time_base), packet.is_keyframe) for packet in file.demux(video=0)
                 if packet.size]
    assert found == [(0, True), (0.5, False), (0.75, False), (2.5, True)]


def test_what_is_no_frame_is_refused():
    live = LiveFilm(LABEL, 320, 240)
    for frame in (np.zeros((240, 320), np.uint8), np.zeros((240, 322, 3), np.uint8), np.zeros((240, 320, 3)), None):
        with pytest.raises(InvalidArgument, match="uint8 array"):
            live(frame)
    live.finish()
    with pytest.raises(InvalidArgument, match="open film"):
        live(np.zeros((240, 320, 3), np.uint8))
    for settings in ({"width": 321}, {"fragment_s": 0}):
        with pytest.raises(InvalidArgument):
            LiveFilm(LABEL, **{"width": 320, "height": 240, **settings})
