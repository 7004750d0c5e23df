# SPDX-License-Identifier: Apache-2.0
"""Paper, screens and cameras, imitated: print and scan, a screenshot, a camera before a screen, blurred faces.

Each is a chain of what the process does to a picture, with moderate values: a stand-in for the test with real devices,
which nobody can run on another's machine. Pictures are uint8 [height, width, 3] in and out.
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from labelkit.trials.table import Picture, Random

_FACE_SHARE = 0.22  # height of a face, as a share of the shortest side
_BICUBIC = Image.Resampling.BICUBIC


def array(picture: Image.Image) -> Picture:
    """The pixels of a picture."""
    return np.array(picture.convert("RGB"))


def clipped(values: npt.NDArray[np.float64 | np.float32]) -> Picture:
    """Rounded to uint8."""
    out: Picture = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return out


def coded(rgb: Picture, format: str, quality: int) -> Picture:
    """Through a lossy encoder of Pillow and back."""
    out = io.BytesIO()
    options = {"speed": 8} if format == "AVIF" else {}
    Image.fromarray(rgb).save(out, format, quality=quality, **options)
    out.seek(0)
    return array(Image.open(out))


def screenshot(rgb: Picture, random: Random) -> Picture:
    """Shown smaller, a little cut at the edges, saved as JPEG 80."""
    height, width = rgb.shape[:2]
    shown = Image.fromarray(rgb).resize((max(8, round(width * 0.77)), max(8, round(height * 0.77))),
                                        Image.Resampling.BILINEAR)
    x, y = max(1, round(shown.width * 0.01)), max(1, round(shown.height * 0.01))
    return coded(array(shown.crop((x, y, shown.width - x, shown.height - y))), "JPEG", 80)


def print_and_scan(rgb: Picture, random: Random) -> Picture:
    """Printed with a screen of dots and fewer colours, laid askew by 0.7 degrees, scanned with blur and noise."""
    height, width = rgb.shape[:2]
    printed = Image.fromarray(rgb).resize((2 * width, 2 * height), _BICUBIC)
    ink = np.asarray(printed, np.float32) / 255
    y, x = np.arange(2 * height, dtype=np.float32)[:, None], np.arange(2 * width, dtype=np.float32)
    dots = ink.copy()
    for channel, angle in enumerate(np.radians((15.0, 45.0, 75.0)).astype(np.float32)):
        across, down = 1.9 * np.cos(angle), 1.9 * np.sin(angle)
        screen = np.sin(x * across + y * down) * np.sin(y * across - x * down)
        dots[..., channel] += 0.72 * screen * ink[..., channel] * (1 - ink[..., channel])
    paper = np.array([0.965, 0.955, 0.93], np.float32)
    reflected = 0.07 + (paper - 0.07) * np.clip(dots, 0, 1) ** 1.12
    sheet = Image.fromarray(clipped(255 * reflected)).filter(ImageFilter.GaussianBlur(1.3))
    laid = sheet.rotate(0.7, _BICUBIC, fillcolor=(246, 243, 237))
    scanned = np.asarray(laid.resize((width, height), Image.Resampling.BOX), np.float64)
    return coded(clipped(scanned + random.normal(0, 2.5, scanned.shape)), "JPEG", 85)


def _moire(height: int, width: int) -> npt.NDArray[np.float64]:
    """The beat of a screen's pixels with those of a camera, +-1."""
    y, x = np.mgrid[0:height, 0:width]
    return np.asarray(np.sin(0.21 * x + 0.034 * y) + np.sin(0.19 * y - 0.027 * x)) / 2


def camcorder(rgb: Picture, random: Random) -> Picture:
    """A screen filmed from a little aside: keystone, blur, uneven light, moire, noise of the sensor, JPEG 80."""
    height, width = rgb.shape[:2]
    quad = (0.012 * width, 0.008 * height, -0.008 * width, 1.006 * height, 1.01 * width, 0.99 * height,
            0.994 * width, 0.014 * height)  # corners from the upper left, against the clock
    seen = Image.fromarray(rgb).transform((width, height), Image.Transform.QUAD, quad, _BICUBIC,
                                          fillcolor=(12, 12, 14)).filter(ImageFilter.GaussianBlur(0.9))
    light = 0.88 + 0.12 * np.linspace(1, 0, width)[None, :, None] - 0.08 * np.linspace(0, 1, height)[:, None, None]
    values = 255 * (np.asarray(seen, np.float64) / 255) ** 0.92
    values = values * light + 3.0 * _moire(height, width)[..., None] + 6
    return coded(clipped(values + random.normal(0, 3.0, values.shape)), "JPEG", 80)


def blurred_faces(rgb: Picture, random: Random) -> Picture:
    """Three ovals of the size of faces are blurred beyond recognition, wherever chance puts them."""
    height, width = rgb.shape[:2]
    tall = max(8, round(_FACE_SHARE * min(height, width)))
    blurred = np.asarray(Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(tall / 8)))
    y, x = np.mgrid[0:height, 0:width]
    inside = np.zeros((height, width), bool)
    for _ in range(3):
        cy, cx = random.uniform(0.15, 0.85, 2) * (height, width)
        inside |= ((y - cy) / (tall / 2)) ** 2 + ((x - cx) / (tall * 0.38)) ** 2 <= 1
    out: Picture = np.where(inside[..., None], blurred, rgb)
    return out
