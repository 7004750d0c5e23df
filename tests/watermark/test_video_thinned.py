# SPDX-License-Identifier: Apache-2.0
"""The thinned tile of films and the cells that go without it: cheap on flat art, read as before; aligned sums."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.video_attacks import read, write, x264
from labelkit import codec, container
from labelkit.key import Key
from labelkit.payload import Payload
from labelkit.watermark import image, video
from labelkit.watermark.image import tile
from labelkit.watermark.video import thinned
from labelkit.watermark.video.changes import ChangedCells
from labelkit.watermark.video.sums import AlignedSum, PlaneSum
from tests.films import film

PAYLOAD = Payload(kind=1, producer=0xABCDEF, content=0x123456789)
OTHER = Key(b"another key, just as long")
SIZE, COUNT = (640, 360), 50
FLOOR = 4.8


def coefficients(plane: np.ndarray, side: int) -> np.ndarray:
    """The cosine transforms of the blocks of a plane, by sums of products alone."""
    x = np.arange(side)
    waves = [np.cos(np.pi * (2 * x + 1) * k / (2 * side)) * np.sqrt((1 if k == 0 else 2) / side) for k in range(side)]
    blocks = plane.reshape(len(plane) // side, side, -1, side)
    return np.einsum("iyjx,ky,lx->ijkl", blocks, waves, waves)


@pytest.mark.parametrize("p,side", [(168, 8), (135, 9), (150, 10)])
def test_only_strong_coefficients_are_kept_and_they_are_those_of_the_tile(p, side):
    thin, _ = thinned.patterns(Key.public(), int(PAYLOAD), p, 1.0, FLOOR)
    whole, _ = tile.patterns(Key.public(), int(PAYLOAD), p, 1.0, bands=tile.FILM)
    kept, before = (coefficients(plane / tile.FLAT_UNIT, side) for plane in (thin, whole))
    strong = np.abs(kept) > 0.5
    assert 0.005 < strong.mean() < 0.06
    assert np.abs(kept - before)[strong].max() < 0.2
    assert 0.3 < np.square(kept).sum() / np.square(before).sum() < 0.9


def test_without_a_floor_it_is_the_whole_tile():
    for thin, whole in zip(thinned.patterns(Key.public(), int(PAYLOAD), 168, 0.8, 0.0),
                           tile.patterns(Key.public(), int(PAYLOAD), 168, 0.8, bands=tile.FILM), strict=True):
        assert np.array_equal(thin, whole)


@pytest.mark.parametrize("p", [120, 135])
def test_the_finer_tile_goes_through_the_same_samples(p):
    for fine, coarse in zip(thinned.patterns(Key.public(), int(PAYLOAD), p, 1.0, FLOOR, 3, fine=4),
                            thinned.patterns(Key.public(), int(PAYLOAD), p, 1.0, FLOOR, 3), strict=True):
        assert np.abs(fine.reshape(4 * p, 4 * p, 3)[::4, ::4] - coarse.reshape(p, p, 3).astype(int)).max() <= 1


def test_one_flat_frame_is_read_as_a_picture():
    y, x = np.mgrid[0:360, 0:640]
    rows = (100 + x / 16 + y / 24).astype(np.uint8)
    marked = next(video.mark_frames([rows], PAYLOAD))
    assert image.detect(marked).payload == PAYLOAD
    assert not image.detect(marked, OTHER).found and not image.detect(rows).found


def followed(grids: list[np.ndarray], restarts: tuple[int, ...] = ()) -> list[np.ndarray]:
    cells = ChangedCells(32.0)
    return [cells.lost((32 * grid).astype(np.uint16), index in restarts).copy() for index, grid in enumerate(grids)]


def passing(count: int) -> list[np.ndarray]:
    """Brightness of 20 x 40 cells over which a bar of four passes, one a frame."""
    grids = [np.full((20, 40), 100.0) for _ in range(count)]
    for index, grid in enumerate(grids):
        grid[5:9, index:index + 4] = 40
    return grids


def test_cells_that_something_passes_over_go_without_a_mark_until_the_film_begins_anew():
    lost = followed(passing(35))
    assert not lost[0].any()
    assert lost[30][5:9, :34].all()
    assert not lost[30][:5].any() and not lost[30][9:].any() and not lost[30][5:9, 35:].any()
    assert not followed(passing(35), restarts=(30,))[30].any()


def test_a_film_that_is_faded_or_in_which_all_moves_keeps_its_mark():
    random = np.random.default_rng(1)
    for grids in ([np.full((20, 40), 100.0 + index) for index in range(30)],
                  [random.uniform(0, 200, (20, 40)) for _ in range(30)]):
        assert not any(lost.any() for lost in followed(grids))


def shapes() -> list[np.ndarray]:
    """uint8 [360, 640] luma of flat art: discs glide over a flat ground."""
    y, x = np.mgrid[0:360, 0:640].astype(np.float32)
    frames = []
    for index in range(COUNT):
        rows = np.full((360, 640), 200, np.float32)
        for number in range(5):
            cover = np.clip(30 + 6 * number - np.hypot(x - 120 * number - (2 + number) * index,
                                                       y - 60 - 55 * number) + 0.5, 0, 1)
            rows += cover * (60 + 30 * number - rows)
        frames.append(np.rint(rows).astype(np.uint8))
    return frames


def test_flat_art_grows_by_a_fraction_and_a_stretch_of_it_is_read_after_crf_28(tmp_path: Path):
    frames = shapes()
    films = {name: film(tmp_path / f"{name}.mp4", size=SIZE, luma=iter(luma), options={"crf": "18"})
             for name, luma in {"plain": frames, **{name: list(video.mark_frames(frames, PAYLOAD, robustness=name))
                                                    for name in ("everyday", "hard")}}.items()}
    plain, everyday, hard = (films[name].stat().st_size for name in ("plain", "everyday", "hard"))
    assert everyday - plain < 0.5 * (hard - plain)
    for name, payload in (("everyday", PAYLOAD), ("plain", None)):
        attacked = tmp_path / "attacked.mkv"
        write(x264(28, preset="veryfast"), *read(films[name], 0.8, 2.0), attacked)
        with container.opened(attacked) as reader:
            assert video.detect(codec.decode(reader)).payload == payload


def pan(count: int) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """A picture that moves by two pixels a frame: uint8 luma, int8 planes of a pattern that moves with it under noise
    of each frame's own, and the pattern on the first frame."""
    random = np.random.default_rng(4)
    y, x = np.mgrid[0:240, 0:400]
    ground = 120 + 50 * np.sin(x / 23) * np.cos(y / 31) + 20 * np.sin((x + 2 * y) / 11)
    pattern = random.normal(0, 10, ground.shape)
    luma = [ground[:, 2 * k:2 * k + 320].astype(np.uint8) for k in range(count)]
    planes = [np.clip(pattern[:, 2 * k:2 * k + 320] + random.normal(0, 30, (240, 320)), -127, 127).astype(np.int8)
              for k in range(count)]
    return luma, planes, pattern[:, :320]


def alike(plane: np.ndarray, pattern: np.ndarray) -> float:
    return float(np.corrcoef(plane[:, :280].ravel(), pattern[:, :280].ravel())[0, 1])


def test_frames_add_up_where_the_camera_took_them_from():
    luma, planes, pattern = pan(9)
    aligned, plain = AlignedSum(1), PlaneSum()
    for rows, plane in zip(luma, planes, strict=True):
        aligned.add(rows, plane, plane, False)
        plain.add(plane, False)
    assert aligned.is_moved and aligned.whole.count == 9
    assert alike(aligned.whole.plane, pattern) > 2 * alike(plain.plane, pattern)
    assert np.array_equal(aligned.whole.plane, aligned.shrunk.plane)
    other = np.random.default_rng(5).integers(0, 256, (6, 8)).repeat(40, 0).repeat(40, 1).astype(np.uint8)
    aligned.add(other, planes[0], planes[0], False)
    assert not aligned.is_moved and aligned.whole.count == 1


def test_where_the_camera_stands_still_frames_add_up_as_they_lie():
    luma, planes, _ = pan(5)
    aligned, plain = AlignedSum(1), PlaneSum()
    for plane in planes:
        aligned.add(luma[0], plane, plane, False)
        plain.add(plane, False)
    assert not aligned.is_moved and np.array_equal(aligned.whole.plane, plain.plane)
