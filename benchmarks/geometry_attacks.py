# SPDX-License-Identifier: Apache-2.0
"""Changes of geometry beyond turning and scaling, for `image_robustness.py --attacks benchmarks/geometry_attacks.py`.

Tests sample the same table. A plane that is looked at aslant is seen by a camera whose focal length is the picture's
longest side (a field of view of 53 degrees).
"""

from __future__ import annotations

import zlib

import numpy as np
from PIL import Image, ImageFilter

from benchmarks.image_attacks import Attack, _array, _chain, _coded, _cropped, _picture, _turned

_BORDER = (20, 20, 24)


def names() -> list[str]:
    """All attacks."""
    return list(ATTACKS)


def group_of(name: str) -> str:
    """The class an attack belongs to."""
    return ATTACKS[name][0]


def apply(name: str, rgb: np.ndarray, seed: int = 0) -> np.ndarray:
    """One attack; the same seed gives the same picture."""
    return np.ascontiguousarray(ATTACKS[name][1](rgb, np.random.default_rng([seed, zlib.crc32(name.encode())])))


def _warped(picture: Image.Image, source_of: np.ndarray, size: tuple[int, int] | None = None) -> Image.Image:
    """The picture seen through a map from places in the result to places in the picture, float [3, 3]."""
    rows = (source_of / source_of[2, 2]).ravel()[:8]
    return picture.transform(size or picture.size, Image.Transform.PERSPECTIVE, tuple(rows), Image.Resampling.BICUBIC,
                             fillcolor=_BORDER)


def _about(centre: tuple[float, float], change: np.ndarray) -> np.ndarray:
    shift = np.array([[1, 0, centre[0]], [0, 1, centre[1]], [0, 0, 1.0]])
    return shift @ change @ np.linalg.inv(shift)


def _sheared(degrees: float, down: bool = False) -> Attack:
    def attack(rgb: np.ndarray, random: np.random.Generator) -> np.ndarray:
        change = np.eye(3)
        change[(1, 0) if down else (0, 1)] = np.tan(np.radians(degrees))
        height, width = rgb.shape[:2]
        return _array(_warped(_picture(rgb), _about((width / 2, height / 2), change)))
    return attack


def tilted(size: tuple[int, int], degrees: float, axis: float) -> np.ndarray:
    """float [3, 3]: from a picture of this size (width, height), turned about a line in its plane, to what is seen.

    axis  of the turn, in degrees from the x axis; it goes through the middle
    """
    t, a = np.radians([degrees, axis])
    across, along = np.array([-np.sin(a), np.cos(a)]), np.array([np.cos(a), np.sin(a)])
    seen = np.eye(3)
    seen[:2, :2] = np.outer(along, along) + np.cos(t) * np.outer(across, across)
    seen[2, :2] = np.sin(t) * across / max(size)
    return _about((size[0] / 2, size[1] / 2), seen)


def _aslant(degrees: float) -> Attack:
    def attack(rgb: np.ndarray, random: np.random.Generator) -> np.ndarray:
        picture = _picture(rgb)
        return _array(_warped(picture, np.linalg.inv(tilted(picture.size, degrees, random.uniform(0, 360)))))
    return attack


def _sampled(rgb: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The picture at fractional places [height, width], bilinear, its border repeated."""
    height, width = rgb.shape[:2]
    x, y = np.clip(x, 0, width - 1.001), np.clip(y, 0, height - 1.001)
    left, top = x.astype(np.int64), y.astype(np.int64)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    upper = rgb[top, left] * (1 - fx) + rgb[top, left + 1] * fx
    lower = rgb[top + 1, left] * (1 - fx) + rgb[top + 1, left + 1] * fx
    return np.rint(upper * (1 - fy) + lower * fy).astype(np.uint8)


def _waved(pixels: float, waves: float) -> Attack:
    """Every row and column moves by a sine of `pixels`, `waves` of them along the longest side."""
    def attack(rgb: np.ndarray, random: np.random.Generator) -> np.ndarray:
        y, x = np.mgrid[: rgb.shape[0], : rgb.shape[1]].astype(np.float64)
        k, (a, b) = 2 * np.pi * waves / max(rgb.shape), random.uniform(0, 2 * np.pi, 2)
        return _sampled(rgb, x + pixels * np.sin(k * y + a), y + pixels * np.sin(k * x + b))
    return attack


def _bulged(share: float) -> Attack:
    """Barrel (below 0) or pincushion distortion that moves the corners by a `share` of their distance."""
    def attack(rgb: np.ndarray, random: np.random.Generator) -> np.ndarray:
        height, width = rgb.shape[:2]
        y, x = np.mgrid[:height, :width].astype(np.float64)
        u, v, half = x - width / 2, y - height / 2, np.hypot(width, height) / 2
        factor = 1 + share * (u * u + v * v) / half**2
        return _sampled(rgb, width / 2 + u * factor, height / 2 + v * factor)
    return attack


def _photographed(degrees: float) -> Attack:
    """A screen photographed by a phone that is tilted: stripes of the screen's colours, a dark frame, the lens's blur,
    1.25 pixels of the camera to one of the screen, shading towards the corners, noise, another gamma, JPEG 85."""
    def attack(rgb: np.ndarray, random: np.random.Generator) -> np.ndarray:
        screen = np.repeat(np.repeat(rgb, 3, 0), 3, 1).astype(np.float32) / 255
        stripes = np.full((3, 3, 3), 0.35, np.float32)
        stripes[:2, range(3), range(3)] = 1
        light = screen**2.2 * np.tile(stripes, (*rgb.shape[:2], 1))
        light = np.pad(light, ((120, 120), (120, 120), (0, 0)), constant_values=0.02)
        lit = Image.fromarray(np.rint(255 * light ** (1 / 2.2)).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.5))
        size = tuple(round(1.4 * side / 3) for side in lit.size)
        seen = tilted(lit.size, degrees, random.uniform(0, 360))
        angle, scale = np.radians(random.uniform(-3, 3)), 1.25 / 3
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1 / scale]])
        back = np.linalg.inv(_about((size[0] / 2, size[1] / 2), turn / turn[2, 2])
                             @ np.array([[1, 0, (size[0] - lit.size[0]) / 2], [0, 1, (size[1] - lit.size[1]) / 2],
                                         [0, 0, 1]]) @ seen)
        photo = np.asarray(_warped(lit, back, size), np.float32) / 255
        light = photo**2.2 / np.percentile(photo**2.2, 99.7) * 0.95
        y, x = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
        light *= (1 - 0.12 * (x * x + y * y))[..., None]
        light += random.normal(0, 1, light.shape) * np.sqrt(np.maximum(light, 0) * 2e-4 + 1e-5)
        photo = np.rint(255 * np.clip(light, 0, 1) ** (1 / 2.1)).astype(np.uint8)
        return _coded("JPEG", quality=85)(photo, random)
    return attack


_SHEAR = "shear"
ATTACKS: dict[str, tuple[str, Attack]] = {
    "shear_3": (_SHEAR, _sheared(3)), "shear_6_down": (_SHEAR, _sheared(6, down=True)),
    "shear_10": (_SHEAR, _sheared(10)),
    "turn_33_shear_10_jpeg_80": (_SHEAR, _chain(_turned(33, False), _sheared(10), _coded("JPEG", quality=80))),
    "shear_6_crop_60_jpeg_80": (_SHEAR, _chain(_sheared(6), _cropped(0.6), _coded("JPEG", quality=80))),
    "aslant_10": ("perspective", _aslant(10)),
    "aslant_10_jpeg_80": ("perspective", _chain(_aslant(10), _coded("JPEG", quality=80))),
    "photographed_10": ("photographed", _photographed(10)),
    "barrel_10": ("lens", _bulged(-0.1)), "pincushion_10": ("lens", _bulged(0.1)),
    "waves_4": ("waves", _waved(4, 3)),
}
