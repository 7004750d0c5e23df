# SPDX-License-Identifier: Apache-2.0
"""The kernels that follow the camera of a film give the bits of their NumPy twins, and the motion that was made."""

from __future__ import annotations

import numpy as np
import pytest

from labelkit.kernels import contract, reference


def ground(rows: int, columns: int, zoom: float = 1.0, left: float = 0.0, top: float = 0.0) -> np.ndarray:
    """float32 [rows, columns] of smooth ground, as a frame that lies so on the first one shows it."""
    y, x = (zoom * np.arange(count) + shift for count, shift in ((rows, top), (columns, left)))
    smooth = 40 * np.sin(x / 7) * np.cos(y[:, None] / 5) + 25 * np.sin(x / 11 + y[:, None] / 6)
    return (110 + smooth).astype(np.float32)


def fitted(module: contract.Kernels, now: np.ndarray, first: np.ndarray, start: tuple[float, ...], steps: int = 3,
           zooms: bool = True) -> np.ndarray:
    rows, columns = now.shape
    found, scratch = np.empty(4), np.empty((2 * rows + 5) * (-(-columns // 16) * 16), np.float32)
    module.camera_fit(now, first, np.array(start), steps, zooms, 1e-3, scratch, found)
    return found


@pytest.mark.parametrize("shape,times", [((45, 80), 1), ((90, 161), 2), ((4, 4), 1), ((37, 70), 3)])
def test_the_grid_of_a_frame(native, shape, times) -> None:
    brightness, made = np.random.default_rng(2).integers(0, 8160, shape).astype(np.uint16), []
    brightness[: shape[0] // 2] = 4000  # plain
    rows, columns = (count // times for count in shape)
    for module in (reference, native):
        grid, facts = np.empty((rows - 2, columns - 2), np.float32), np.empty(2)
        module.camera_grid(brightness, times, 1 / (512 * times**2), 0.2, np.empty(4 * columns, np.float32), grid, facts)
        made.append((grid, facts))
    assert all(np.array_equal(*pair) for pair in zip(*made, strict=True))
    grid, facts = made[1]
    assert np.allclose(facts[0], np.abs(grid - grid.mean()).mean(), rtol=1e-5)
    assert 0.2 < facts[1] < 0.6 or min(shape) == 4


@pytest.mark.parametrize("zooms", [True, False])
@pytest.mark.parametrize("shape,start", [((43, 78), (1.0, 0.0, 0.0)), ((43, 78), (0.98, 0.9, 0.5)),
                                         ((8, 8), (1.0, 0.0, 0.0)), ((20, 33), (1.2, -4.5, -1.5))])
def test_a_fit_has_the_bits_of_its_twin(native, shape, start, zooms) -> None:
    random = np.random.default_rng(3)
    first, now = (ground(*shape, *place) + random.normal(0, 1, shape).astype("f")
                  for place in ((1.0, 0.0, 0.0), (0.98, 0.9, 0.4)))
    for steps in (0, 1, 3, 40):
        both = [fitted(module, now, first, start, steps, zooms) for module in (reference, native)]
        assert both[0].tobytes() == both[1].tobytes()


def test_a_fit_finds_the_motion_and_lowers_the_error(native) -> None:
    first, now = ground(43, 78), ground(43, 78, 0.98, 0.9, 0.4)
    found = fitted(native, now, first, (1.0, 0.0, 0.0), 10)
    assert np.abs(found[:3] - [0.98, 0.9, 0.4]).max() < 0.02
    assert found[3] < 0.1 * fitted(native, now, first, (1.0, 0.0, 0.0), 0)[3]
    pan = fitted(native, now, first, (1.0, 0.0, 0.0), 10, zooms=False)
    assert pan[0] == 1 and pan[3] > found[3]


@pytest.mark.parametrize("start", [(2.5, 0.0, 0.0), (1.0, 75.0, 0.0), (1.0, 0.0, -40.0), (0.4, 0.0, 0.0),
                                   (float("nan"), 0.0, 0.0), (1.0, float("inf"), 0.0), (1.0, 0.0, -1e300)])
def test_where_frames_do_not_meet_nothing_is_found(native, start) -> None:
    for module in (reference, native):
        found = fitted(module, ground(43, 78), ground(43, 78), start)
        assert found[3] == -1 and np.array_equal(found[:3], start, equal_nan=True)


def test_ground_that_tells_nothing_stays_where_it_is(native) -> None:
    for module in (reference, native):
        flat = np.full((20, 40), 90, np.float32)
        assert fitted(module, flat, flat, (1.0, 0.5, 0.5)).tolist() == [1.0, 0.5, 0.5, 0.0]


def test_frames_that_are_too_small_are_refused(native) -> None:
    for module in (reference, native):
        with pytest.raises(ValueError):
            fitted(module, np.zeros((7, 40), np.float32), np.zeros((7, 40), np.float32), (1.0, 0.0, 0.0))
        with pytest.raises(ValueError):
            module.camera_grid(np.zeros((9, 9), np.uint16), 3, 1.0, 0.2, np.zeros(12, np.float32),
                               np.zeros((1, 1), np.float32), np.zeros(2))
