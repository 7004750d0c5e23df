# SPDX-License-Identifier: Apache-2.0
"""The mark that moves with the camera: followed, cheap, read from any stretch; none where there is none."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import labelkit as lk
from benchmarks.video_attacks import read, write, x264
from labelkit import codec, container, kernels
from labelkit.codec.frame import Frame, FrameFormat
from labelkit.errors import InvalidArgument
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import video
from labelkit.watermark.image import gain, tile
from labelkit.watermark.video.camera import ORIGIN, Camera, Placement
from labelkit.watermark.video.moved import WholePixels
from tests.films import film, scene

PAYLOAD = Payload(kind=1, producer=0xABCDEF, content=0x123456789)
OTHER = Key(b"another key, just as long")
SIZE, COUNT = (640, 360), 60
CODED = {"crf": "18", "preset": "veryfast"}


def zoom(count: int = COUNT, per_frame: float = 0.0015, pan: float = 0.5) -> list[np.ndarray]:
    """uint8 [360, 640] frames of a slow zoom into a soft landscape, with a pan."""
    random = np.random.default_rng(3)
    layers = [np.asarray(Image.fromarray(random.normal(size=(900 // cell, 1400 // cell)).astype(np.float32))
                         .resize((1400, 900), Image.Resampling.BICUBIC)) * weight
              for cell, weight in ((100, 40), (30, 14), (8, 4), (3, 1.5))]
    picture = Image.fromarray(np.clip(120 + sum(layers), 16, 235).astype(np.uint8))
    frames = []
    for index in range(count):
        share = (1 - per_frame) ** index
        left, top = 100 + pan * index + 640 * (1 - share), 90 + 360 * (1 - share)
        box = (left, top, left + 1280 * share, top + 720 * share)
        frames.append(np.asarray(picture.resize(SIZE, Image.Resampling.BICUBIC, box)))
    return frames


def marked(frames: list[np.ndarray], robustness: str) -> list[np.ndarray]:
    return list(video.mark_frames(frames, PAYLOAD, robustness=robustness))


def detected(path: Path, key: Key | None = None):
    with container.opened(path) as reader:
        return video.detect(codec.decode(reader), key)


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> dict[str, Path]:
    """The zoom without a mark and in both classes, at the same quality."""
    folder, frames = tmp_path_factory.mktemp("zoom"), zoom()
    made = {"plain": frames, **{name: marked(frames, name) for name in ("everyday", "hard")}}
    return {name: film(folder / f"{name}.mp4", size=SIZE, luma=iter(luma), options=CODED)
            for name, luma in made.items()}


def test_a_mark_that_moves_with_the_camera_costs_a_fraction(films):
    sizes = {name: path.stat().st_size for name, path in films.items()}
    growth = {name: sizes[name] / sizes["plain"] - 1 for name in ("everyday", "hard")}
    assert growth["everyday"] < 0.12 and growth["hard"] > 2.5 * growth["everyday"]


@pytest.mark.parametrize("robustness", ["everyday", "hard"])
def test_marks_that_move_and_marks_that_stand_still_are_read_and_located(films, robustness):
    found = detected(films[robustness])
    assert found.payload == PAYLOAD and found.geometry.spans == ((0.0, COUNT / 25),)
    assert not detected(films[robustness], OTHER).found


def test_a_stretch_cut_from_its_middle_is_read_after_scaling_and_crf_28(films, tmp_path):
    for name, payload in (("everyday", PAYLOAD), ("plain", None)):
        attacked = tmp_path / f"{name}.mkv"
        write(x264(28, "scale=-2:480", "veryfast"), *read(films[name], 1.0, 2.0), attacked)
        assert detected(attacked).payload == payload
    found = detected(tmp_path / "everyday.mkv")
    assert np.abs(np.array(found.geometry.spans) - [0, (COUNT - 25) / 25]).max() < 0.3
    assert not detected(tmp_path / "everyday.mkv", OTHER).found


def followed(frames: list[np.ndarray], keys: tuple[int, ...] = ()) -> list:
    camera = Camera(8)
    height, width = (side // 8 for side in frames[0].shape)
    cells = [rows.reshape(height, 8, width, 8).sum((1, 3)).astype(np.uint16) for rows in frames]
    return [camera.follow(sums, 64.0, index in keys) for index, sums in enumerate(cells)]


def test_a_zoom_is_followed_to_a_fraction_of_a_pixel():
    x = np.array([0, 639])
    for index, placement in enumerate(followed(zoom())):
        if index in (20, 40, 59):
            wanted = 0.9985**index * x + 0.25 * index + 320 * (1 - 0.9985**index)
            assert np.abs(placement.zoom * x + placement.left - wanted).max() < 0.8


def test_a_large_frame_is_followed_as_a_small_one_is():
    frames = zoom(12)
    small, large = (followed([rows.repeat(times, 0).repeat(times, 1) for rows in frames])[-1] for times in (1, 2))
    assert small != ORIGIN and abs(large.zoom - small.zoom) < 1e-4
    assert np.abs(np.subtract((large.left, large.top), (2 * small.left, 2 * small.top))).max() < 0.1


def test_a_pan_keeps_its_size_and_a_zoom_does_not():
    placement = followed(zoom(40, per_frame=0.0))[-1]
    assert placement.zoom == 1 and abs(placement.left - 0.25 * 39) < 0.5
    assert followed(zoom(40))[-1].zoom < 0.96


def soft(count: int, pan: float, zoom: float = 0.0) -> list[np.ndarray]:
    """uint8 [360, 640] frames of ground without detail under a camera that moves by so much in each."""
    y, x = np.mgrid[0:360, 0:640]
    return [np.rint(120 + 40 * np.sin((x * (1 - zoom * index) + pan * index) / 70) + 30 * np.sin(y / 50))
            .astype(np.uint8) for index in range(count)]


def marks_on_soft_ground(count: int, pan: float, zoom: float = 0.0) -> list[np.ndarray]:
    """What marking adds to them."""
    frames = soft(count, pan, zoom)
    return [copy.astype(np.int16) - host for host, copy in zip(frames, marked(frames, "everyday"), strict=True)]


@pytest.mark.parametrize("pan", [0.6, 0.25])
def test_on_smooth_ground_the_mark_of_a_pan_moves_by_whole_pixels(pan):
    added = marks_on_soft_ground(12, pan)
    near = int(11 * pan), int(11 * pan) + 1
    assert added[0].any()
    assert max(np.mean(added[0][:, shift:] == added[11][:, :-shift]) for shift in near) > 0.97


def test_that_of_a_zoom_does_not():
    added = marks_on_soft_ground(12, 0.0, 0.004)
    assert np.mean(added[0] == added[11]) < 0.9


def test_a_place_that_jitters_about_the_middle_of_two_pixels_stays_on_one():
    pixels = WholePixels()
    assert {pixels.at(Placement(1.0, 3.5 + jitter, jitter)) for jitter in (0.06, -0.06, 0.04, -0.08)} == {(4, 0)}


def test_one_that_moves_on_takes_the_pixels_with_it():
    pixels = WholePixels()
    places = [pixels.at(Placement(1.0, 0.4 * index, -0.4 * index)) for index in range(40)]
    assert all(left == -top and abs(left - 0.4 * index) <= 0.6 for index, (left, top) in enumerate(places))
    assert pixels.at(ORIGIN) == (0, 0)


def test_a_zoom_is_followed_past_a_quarter_and_begins_anew_past_two_fifths():
    last = followed(zoom(60, per_frame=0.005, pan=0.0))[-1].zoom
    assert 0.995**59 - 0.01 < last < 0.995**59 + 0.01 < 0.8
    assert followed(zoom(60, per_frame=0.007, pan=0.0))[-1].zoom > 0.8


def test_a_still_camera_stays_exactly_still_and_cuts_and_keys_begin_anew():
    rows, random = zoom(1)[0], np.random.default_rng(1)
    grainy = [np.clip(rows + random.normal(0, 2, rows.shape), 0, 255).astype(np.uint8) for _ in range(30)]
    assert set(followed(grainy)) == {ORIGIN}
    moving = zoom(20)
    assert followed(moving)[-1] != ORIGIN
    assert followed([*moving, moving[0][::-1, ::-1]])[-1] == ORIGIN
    assert followed(moving, keys=(19,))[-1] == ORIGIN


def test_flat_art_keeps_its_mark_still():
    frames = []
    for index in range(12):
        rows = np.full((360, 640), 200, np.uint8)
        rows[100:220, 60 + 3 * index:200 + 3 * index] = 90
        frames.append(rows)
    assert set(followed(frames)) == {ORIGIN}


def test_hard_is_the_still_mark_at_full_amplitude():
    rows = next(scene(*SIZE, 1))
    flat, textured = tile.patterns(Key.public(), int(PAYLOAD), tile.period(*SIZE), 1.0, bands=tile.FILM)
    grid = np.empty((45, 80), np.uint8)
    kernels.film_gain(np.ascontiguousarray(rows)[..., None], np.zeros((45, 80), np.uint16), np.full(64, 128, np.uint8),
                      grid, gain.BASE_GAIN, gain.GAIN_SLOPE, gain.GAIN_TOP)
    wanted = np.array(rows)[..., None]
    tile.add(wanted, wanted, grid, flat, textured)
    assert np.array_equal(marked([rows], "hard")[0], wanted[..., 0])
    gentle = marked([rows], "everyday")[0].astype(float) - rows
    assert gentle.std() < 0.9 * (wanted[..., 0].astype(float) - rows).std()


def test_a_live_stream_is_marked_as_a_film_is():
    plan = lk.Plan(explicit=None)
    label = lk.Label(lk.Kind.GENERATED, "001191440300708461136T1XGW3", "live-1")
    labeller = lk.Labeller(label, *SIZE, plan=plan)
    marker = video.Marker(*SIZE, Payload.of(label))
    for index, rows in enumerate(zoom(8)):
        one, two = (Frame(FrameFormat(*SIZE, halved=None), rows.copy(), index=index) for _ in range(2))
        marker.mark(one)
        assert np.array_equal(labeller(two).luma, one.luma)


@pytest.mark.parametrize("greys", [zoom(6, per_frame=0.004), soft(6, 1.2)], ids=["zoom", "pan"])
def test_colour_frames_move_their_mark_alike_in_every_channel(greys):
    frames = [np.repeat(rows[..., None], 3, 2) for rows in greys]
    last = marked(frames, "everyday")[-1]
    assert np.array_equal(last[..., 0], last[..., 2])
    assert np.array_equal(last[..., 0], marked([frame[..., 0] for frame in frames], "everyday")[-1])


def test_an_unknown_class_is_named():
    with pytest.raises(InvalidArgument):
        video.Marker(*SIZE, PAYLOAD, robustness="harder")
