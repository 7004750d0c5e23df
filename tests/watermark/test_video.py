# SPDX-License-Identifier: Apache-2.0
"""The watermark in films: recovered after what platforms do, located in time, absent where there is none."""

from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks import video_attacks, video_films
from labelkit import codec, container, watermark
from labelkit.codec import transcode
from labelkit.codec.frame import Frame, FrameFormat
from labelkit.errors import HostTooSmall, InvalidArgument
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.plan import Quality
from labelkit.watermark import image, video
from labelkit.watermark.image import tile
from labelkit.watermark.image.matcher import Trials
from labelkit.watermark.image.pixels import whiten
from labelkit.watermark.video.accumulator import FilmSearch, PlaneSum, whitened
from tests.films import film, scene

PAYLOAD = Payload(kind=1, producer=0xABCDEF, content=0x123456789)
OTHER = Key(b"another key, just as long")
SIZE = (640, 360)


def detected(path: Path, key: Key | None = None, effort: str = "normal"):
    with container.opened(path) as reader:
        return watermark.detect(codec.decode(reader), key, effort=effort)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    return film(tmp_path_factory.mktemp("films") / "plain.mp4", size=SIZE, count=50)


@pytest.fixture(scope="module")
def marked(plain) -> Path:
    target = plain.with_name("marked.mp4")
    with container.opened(plain) as reader:
        transcode.encode(watermark.embed(codec.decode(reader), PAYLOAD), target, Quality(preset="veryfast"))
    return target


@pytest.mark.parametrize("effort", ["fast", "normal"])
def test_the_payload_is_read_back_and_where_it_lies(marked, effort):
    found = detected(marked, effort=effort)
    assert found.payload == PAYLOAD and found.effort == effort and found.false_positive_rate < 1e-9
    assert (found.geometry.begin_seconds, found.geometry.end_seconds) == (0.0, 2.0)


@pytest.mark.parametrize("attack", ["turn_5", "narrow_0_9"])
def test_a_film_that_was_turned_or_stretched_is_read_by_default(marked, plain, attack, tmp_path):
    for number, source in enumerate((marked, plain)):
        video_attacks.apply(attack, source, tmp_path / f"{number}.mkv")
    found = detected(tmp_path / "0.mkv")
    assert found.payload == PAYLOAD and np.abs(np.array(found.geometry.spans) - [[0, 2]]).max() < 0.1
    assert not detected(tmp_path / "0.mkv", OTHER).found and not detected(tmp_path / "1.mkv").found


@pytest.mark.parametrize("given,read", [(tile.film_period, True), (tile.period, False)])
def test_a_film_of_720_lines_is_read_after_hard_compression_at_360(given, read, tmp_path, monkeypatch):
    """Because its tile is as large as that of 360 lines will be; with the period that pictures have, it is not. At its
    own size it is read with that one too, which films had before."""
    source, copy = video_films.make("sky", tmp_path / "plain.mp4", 24, (1280, 720)), tmp_path / "copy.mkv"
    monkeypatch.setattr(tile, "film_period", given)
    with container.opened(source) as reader:
        transcode.encode(watermark.embed(codec.decode(reader), PAYLOAD), tmp_path / "marked.mp4")
    monkeypatch.undo()
    assert detected(tmp_path / "marked.mp4").payload == PAYLOAD
    monkeypatch.setitem(video_attacks.ATTACKS, "shrunk", ("tests", (video_attacks.x264(32, "scale=-2:360"),)))
    video_attacks.apply("shrunk", tmp_path / "marked.mp4", copy)
    assert detected(copy).payload == (PAYLOAD if read else None)
    assert not detected(copy, OTHER).found and not detected(source).found


@pytest.mark.parametrize("size,period", [((320, 240), 135), ((640, 360), 168), ((854, 480), 216), ((1280, 720), 336),
                                         ((720, 1280), 336), ((1920, 1080), 480), ((3840, 2160), 1008)])
def test_the_tile_of_a_film_grows_as_its_sides(size, period):
    assert tile.film_period(*size) == period
    assert period % 8 == 0 or size == (320, 240), "blocks of codecs divide it, above 640 x 360"
    assert tile.film_period(7680, 4320) == 1008, "the largest that kernels make"
    assert tile.film_period(4096, 256) == tile.period(4096, 256), "a strip has room for no more"


def test_x264_spends_less_on_smooth_ground_that_has_got_a_mark(plain, marked, tmp_path):
    with container.opened(plain) as reader:
        transcode.encode(codec.decode(reader), tmp_path / "same.mp4", Quality(preset="veryfast"))
    assert b"aq=1:0.80" in marked.read_bytes() and b"aq=1:1.00" in (tmp_path / "same.mp4").read_bytes()


@pytest.mark.parametrize("effort", ["fast", "normal", "deep"])
def test_nothing_is_found_without_a_mark_or_with_another_key(plain, marked, effort):
    assert not detected(plain, effort=effort).found
    assert not detected(marked, OTHER, effort).found


@pytest.mark.parametrize("name", ["x264_32", "vp9_36", "scale_360_28", "crop_60_scaled", "half_rate", "speed_1_25",
                                  "mirror", "letterbox_9_16", "overlays", "darker", "two_platforms"])
def test_two_seconds_survive(name, marked, tmp_path):
    video_attacks.apply(name, marked, tmp_path / "attacked.mkv")
    assert detected(tmp_path / "attacked.mkv").payload == PAYLOAD


def test_one_frame_is_verified_as_a_picture(marked):
    from PIL import Image
    with av.open(str(marked)) as source:
        frame = next(source.decode(video=0)).to_image()
    path = marked.with_name("frame.jpg")
    frame.save(path, quality=75)
    assert image.detect(np.asarray(Image.open(path))).payload == PAYLOAD


@pytest.mark.parametrize("size,spans", [(SIZE, [[4.0, 7.0]])])
def test_a_marked_stretch_is_found_and_located(size, spans, tmp_path):
    marker = video.Marker(*size, PAYLOAD)

    def frames():
        for index, rows in enumerate(scene(*size, 275, seed=4)):
            rows = rows.copy()
            if spans[0][0] <= index / 25 < spans[0][1]:
                marker.mark(Frame(FrameFormat(*size, halved=None), rows))
            yield rows

    # an encoder that predicts frames from each other carries a mark on until its next key frame
    found = detected(film(tmp_path / "film.mp4", size=size, luma=frames(), options={"g": "25"}))
    assert found.payload == PAYLOAD
    assert np.abs(np.array(found.geometry.spans) - spans).max() < 1.0


def changes(marker: video.Marker, frames: list[np.ndarray], first: int = 0) -> list[np.ndarray]:
    """What a marker adds to the luma of frames that follow each other."""
    added = []
    for index, rows in enumerate(frames, first):
        copy = rows.copy()
        marker.mark(Frame(FrameFormat(*SIZE, halved=None), copy, index=index))
        added.append(copy.astype(np.int16) - rows)
    return added


def test_still_ground_keeps_its_mark_and_moving_ground_gets_less():
    before, after = list(scene(*SIZE, 5))[::4]
    half = after.copy()
    half[:, 320:] = before[:, 320:]  # only the left half moves
    first, second, third = changes(video.Marker(*SIZE, PAYLOAD, robustness="hard"), [before, before, half])
    assert np.array_equal(first, second)
    assert np.array_equal(first[:, 336:], third[:, 336:])
    alone = changes(video.Marker(*SIZE, PAYLOAD, robustness="hard"), [half])[0]
    assert third[:, :304].std() < 0.9 * alone[:, :304].std()


def test_a_film_that_is_marked_again_comes_out_the_same():
    marker, frames = video.Marker(*SIZE, PAYLOAD), list(scene(*SIZE, 3))
    first, again = changes(marker, frames), changes(marker, frames)
    assert all(np.array_equal(*pair) for pair in zip(first, again, strict=True))
    alone = changes(video.Marker(*SIZE, PAYLOAD), frames[2:])[0]
    assert not np.array_equal(first[2], alone)  # the middle of a film has frames before it


def test_any_ground_keeps_42_db():
    noise = np.random.default_rng(1).integers(0, 256, SIZE[::-1]).astype(np.uint8)
    for rows in (noise, *scene(*SIZE, 1), np.full(SIZE[::-1], 90, np.uint8) + np.arange(640, dtype=np.uint8) // 64):
        error = np.square(changes(video.Marker(*SIZE, PAYLOAD), [rows])[0].astype(float)).mean()
        assert 10 * np.log10(255**2 / error) > 42


def test_a_film_of_more_pixels_is_marked_with_less():
    small = next(iter(scene(*SIZE, 1)))
    errors = []
    for luma, effort in (small, "fast"), (np.tile(small, (2, 2)), "normal"):  # larger, its tile is not a picture's
        marked = next(video.mark_frames([luma], PAYLOAD)).astype(np.int32)
        assert image.detect(marked.astype(np.uint8), effort=effort).payload == PAYLOAD
        assert image.detect(luma, effort=effort).payload is None
        errors.append(np.square(marked - luma).mean())
    assert 0.5 * errors[0] < errors[1] < 0.7 * errors[0]


@pytest.mark.parametrize("grain,noise", [(0.0, 1), (0.5, 1), (1.5, 2), (6.0, 4)])
def test_smooth_ground_counts_the_more_the_less_grain_a_codec_left(grain, noise):
    luma = np.random.default_rng(3).normal(np.linspace(60, 180, 480), grain, (320, 480)).clip(0, 255).astype(np.uint8)
    assert np.array_equal(whitened(luma), whiten(luma, noise))
    assert noise == 1 or not np.array_equal(whitened(luma), whiten(luma, 1))


def test_a_frame_coded_alone_weighs_more():
    total, plane = PlaneSum(), np.random.default_rng(2).integers(-9, 10, (64, 64)).astype(np.int8)
    total.add(plane, key=True)
    total.add(plane.T.copy(), key=False)
    alike = [np.corrcoef(total.plane.ravel(), one.ravel())[0, 1] for one in (plane, plane.T)]
    assert alike[0] > 2 * alike[1] > 0


@pytest.mark.parametrize("key,payload", [(None, PAYLOAD), (OTHER, None)])
def test_a_film_scaled_between_usual_sizes_needs_no_lattice_search(key, payload):
    from PIL import Image
    luma = np.tile(next(iter(scene(*SIZE, 1))), (2, 2))
    frame = next(video.mark_frames([luma], PAYLOAD))
    small = np.asarray(Image.fromarray(frame).resize((960, 540), Image.Resampling.BICUBIC))
    found = FilmSearch(whiten(small), tile.keyed_bins(key or Key.public()), Trials()).usual_scale()
    assert (found and found.payload) == payload


def test_frames_in_memory_go_in_and_out(plain):
    frames = [np.repeat(rows[..., None], 3, 2) for rows in scene(*SIZE, 12)]
    copies = [frame.copy() for frame in frames]
    marked = list(video.mark_frames(iter(frames), PAYLOAD))
    assert all(np.array_equal(a, b) for a, b in zip(frames, copies, strict=True))
    assert video.detect_frames(marked).payload == PAYLOAD
    assert video.detect_frames(iter(marked)).payload == PAYLOAD
    assert not video.detect_frames(frames).found
    with pytest.raises(InvalidArgument):
        video.detect_frames([])


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_frames_of_any_sample_type_are_searched(kind):
    scale = {np.uint8: 1.0, np.uint16: 257.0, np.float32: 1 / 255}[kind]
    plain = next(iter(scene(*SIZE, 1)))
    marked = next(video.mark_frames([plain], PAYLOAD))
    assert video.detect_frames([(marked * scale).astype(kind)], effort="fast").payload == PAYLOAD
    assert not video.detect_frames([(plain * scale).astype(kind)], effort="fast").found
    with pytest.raises(InvalidArgument):
        video.detect_frames([marked.astype(np.float64)])


def test_fidelity_of_every_frame():
    for rows in scene(*SIZE, 3, seed=9):
        marked = next(video.mark_frames([rows], PAYLOAD))
        error = np.square(marked.astype(float) - rows).mean()
        assert 10 * np.log10(255**2 / error) >= 42


@pytest.mark.parametrize("bits", [10, 12])
def test_deeper_samples_carry_the_same_mark(bits):
    form = FrameFormat(*SIZE, bits=bits, halved=None)
    rows = next(scene(*SIZE, 1))
    deep, flat = rows.astype(np.uint16) << bits - 8, rows.copy()
    video.Marker(*SIZE, PAYLOAD).mark(Frame(form, deep))
    video.Marker(*SIZE, PAYLOAD).mark(Frame(FrameFormat(*SIZE, halved=None), flat))
    assert np.array_equal(deep >> bits - 8, flat)
    assert video.detect_frames([Frame(form, deep)]).payload == PAYLOAD


def test_black_frames_and_black_bars_stay_black():
    black = np.full((360, 640), 16, np.uint8)
    video.Marker(*SIZE, PAYLOAD).mark(Frame(FrameFormat(*SIZE), black))
    assert (black == 16).all()
    rows = next(scene(*SIZE, 1)).copy()
    rows[:48], rows[312:] = 16, 16
    before = rows.copy()
    video.Marker(640, 264, PAYLOAD).mark(Frame(FrameFormat(*SIZE, active=(0, 48, 640, 264)), rows))
    assert (rows[:48] == 16).all() and (rows[312:] == 16).all()
    assert (rows[48:312] != before[48:312]).mean() > 0.2


def test_rows_of_any_length_are_marked_in_place():
    buffer = np.zeros((360, 704), np.uint8)
    view = buffer[:, :640]
    view[:] = next(scene(*SIZE, 1))
    video.Marker(*SIZE, PAYLOAD).mark(Frame(FrameFormat(*SIZE), view))
    assert not buffer[:, 640:].any()
    assert video.detect_frames([np.ascontiguousarray(view)]).payload == PAYLOAD


def test_wrong_arguments_are_named():
    with pytest.raises(HostTooSmall):
        video.Marker(64, 64, PAYLOAD)
    with pytest.raises(InvalidArgument):
        video.detect_frames([np.zeros((360, 640), np.uint8)], effort="lazy")
    with pytest.raises(InvalidArgument):
        list(video.mark_frames([np.zeros((360, 640), np.uint8), np.zeros((200, 640), np.uint8)], PAYLOAD))
