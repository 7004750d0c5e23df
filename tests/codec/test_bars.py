# SPDX-License-Identifier: Apache-2.0
"""Black bars are told from black openings, fades, titles and logos."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import labelkit
from labelkit import codec, container
from tests.films import film, scene
from tests.media import LABEL

SIZE = (320, 240)
ONE_KEY = {"g": "999", "sc_threshold": "0"}


def title(width: int = SIZE[0], height: int = SIZE[1]) -> np.ndarray:
    """Light words on black: blocks with gaps, in three lines."""
    rows = np.full((height, width), 16, np.uint8)
    for line in range(3):
        for word in range(4):
            at = width // 5 + word * width // 6
            rows[height // 3 + line * height // 9:][:height // 20, at:at + width // 9] = 220
    return rows


def barred(rows: np.ndarray, top: int = 40, bottom: int = 40, across: int = 0) -> np.ndarray:
    rows = rows.copy()
    rows[:top] = rows[len(rows) - bottom:] = 16
    rows[:, :across] = rows[:, rows.shape[1] - across:] = 16
    return rows


def mixed(one: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    return np.rint(one * (1 - share) + other * share).astype(np.uint8)


BLACK = np.full(SIZE[::-1], 16, np.uint8)


def opening(first: np.ndarray, hold: int, fade: int, count: int = 60, of: Callable = lambda rows: rows) -> Iterator:
    """A still that fades into a scene."""
    for index, rows in enumerate(scene(*SIZE, count)):
        yield mixed(first, of(rows), min(1.0, max(0.0, (index - hold) / fade)))


FULL = {
    "a fade from black": lambda: opening(BLACK, 1, 12),
    "a title that fades into the scene": lambda: opening(title(), 15, 20),
    "black for half of it": lambda: opening(BLACK, 30, 1),
    "a title all through": lambda: iter([title()] * 60),
    "black all through": lambda: iter([BLACK] * 60),
    "a logo on black": lambda: iter([mixed(BLACK, np.full_like(BLACK, 200), 1.0) * disc() + BLACK * ~disc()] * 60),
}
BARS = {
    "a fade from black": lambda: opening(BLACK, 1, 12, of=barred),
    "black for half of it": lambda: opening(BLACK, 30, 1, of=barred),
    "a title in the picture": lambda: opening(barred(title()), 15, 20, of=barred),
    "from the start": lambda: opening(BLACK, -1, 1, of=barred),
}


def disc() -> np.ndarray:
    y, x = np.mgrid[0:SIZE[1], 0:SIZE[0]]
    return np.hypot(y - SIZE[1] / 2, x - SIZE[0] / 2) < 80


def active(path: Path) -> tuple[int, ...] | None:
    with container.opened(path) as reader:
        return codec.decode(reader).format.active


@pytest.mark.parametrize("options", [ONE_KEY, {"g": "10"}], ids=["one key frame", "many"])
@pytest.mark.parametrize("name", FULL)
def test_what_is_black_for_a_while_has_no_bars(name, options, tmp_path):
    assert active(film(tmp_path / "film.mp4", luma=FULL[name](), options=options)) is None


@pytest.mark.parametrize("options", [ONE_KEY, {"g": "10"}], ids=["one key frame", "many"])
@pytest.mark.parametrize("name", BARS)
def test_bars_are_seen_once_the_picture_is_bright(name, options, tmp_path):
    x, y, width, height = active(film(tmp_path / "film.mp4", luma=BARS[name](), options=options))
    assert (x, width) == (0, 320) and abs(y - 40) <= 2 and abs(height - 160) <= 4


def test_a_film_of_one_bright_frame_is_believed(tmp_path):
    path = film(tmp_path / "film.mp4", luma=iter([barred(next(scene(*SIZE, 1)))]))
    assert active(path) == (0, 40, 320, 160)


@pytest.mark.parametrize("size", [(360, 640), (480, 480)], ids=["portrait", "square"])
def test_a_clip_that_fades_in_from_black_is_labelled(size, tmp_path):
    def clip() -> Iterator[np.ndarray]:
        black = np.full(size[::-1], 16, np.uint8)
        for index, rows in enumerate(scene(*size, 72)):
            yield mixed(black, rows, min(1.0, index / 12))
    path = film(tmp_path / "film.mp4", luma=clip(), size=size, rate=24, options=ONE_KEY)
    out = labelkit.embed(path, tmp_path / "labelled.mp4", LABEL)
    report = labelkit.verify(out)
    assert all(report[layer].status is labelkit.Status.VALID for layer in
               (labelkit.Layer.EXPLICIT, labelkit.Layer.WATERMARK, labelkit.Layer.METADATA))
    x, y, _, height = report[labelkit.Layer.EXPLICIT].evidence.box
    assert x > size[0] / 2 and y + height > 0.9 * size[1]  # in the corner, not in mid-picture


def test_the_result_is_read_back_with_the_area_of_its_source(tmp_path):
    source = film(tmp_path / "film.mp4", luma=BARS["from the start"](), options=ONE_KEY)
    dark = film(tmp_path / "dark.mp4", luma=iter([BLACK] * 30), options=ONE_KEY)
    with container.opened(source) as first, container.opened(dark) as second:
        area = codec.decode(first).format.active
        assert area and codec.decode(second, like=codec.decode(first)).format.active == area
        assert codec.decode(second).format.active is None
