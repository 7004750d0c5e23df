# SPDX-License-Identifier: Apache-2.0
"""Grounds to draw on, made here."""

import numpy as np


def ground(name: str, height: int = 300, width: int = 400) -> np.ndarray:
    """uint8 [height, width, 3] of one of GROUNDS."""
    random = np.random.default_rng(7)
    y, x = np.indices((height, width))
    plane = {
        "white": lambda: np.full((height, width), 255),
        "black": lambda: np.zeros((height, width)),
        "mid grey": lambda: np.full((height, width), 118),
        "checkerboard": lambda: (x // 2 + y // 2) % 2 * 255,
        "gradient": lambda: x * 255 / width,
        "waves": lambda: 128 + 90 * np.sin(x / 9) * np.cos(y / 13),
    }.get(name)
    if plane:
        return np.repeat(plane().astype(np.uint8)[..., None], 3, axis=2)
    return random.integers(0, 256, (height, width, 3), dtype=np.uint8)


GROUNDS = ("white", "black", "mid grey", "checkerboard", "gradient", "waves", "noise")

