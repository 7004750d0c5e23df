# SPDX-License-Identifier: Apache-2.0
"""The trials of pictures: every transformation that measure 3.3 of the Code lists, by NumPy and Pillow alone."""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from labelkit.messages import Message
from labelkit.trials import screens
from labelkit.trials.screens import array, clipped, coded
from labelkit.trials.table import Group, Picture, PictureChange, PictureTrial, Random

_LANCZOS, _BICUBIC = Image.Resampling.LANCZOS, Image.Resampling.BICUBIC


def _coded(format: str, quality: int) -> PictureChange:
    return lambda rgb, random: coded(rgb, format, quality)


def _noise(sigma: float) -> PictureChange:
    return lambda rgb, random: clipped(rgb + random.normal(0, sigma, rgb.shape))


def _filtered(kind: ImageFilter.Filter) -> PictureChange:
    return lambda rgb, random: array(Image.fromarray(rgb).filter(kind))


def _tones(brightness: float, contrast: float, colour: float) -> PictureChange:
    def change(rgb: Picture, random: Random) -> Picture:
        picture = ImageEnhance.Brightness(Image.fromarray(rgb)).enhance(brightness)
        return array(ImageEnhance.Color(ImageEnhance.Contrast(picture).enhance(contrast)).enhance(colour))
    return change


def _scaled(across: float, down: float) -> PictureChange:
    def change(rgb: Picture, random: Random) -> Picture:
        size = max(8, round(rgb.shape[1] * across)), max(8, round(rgb.shape[0] * down))
        return array(Image.fromarray(rgb).resize(size, _LANCZOS))
    return change


def _cropped(area: float) -> PictureChange:
    def change(rgb: Picture, random: Random) -> Picture:
        height, width = (max(8, round(side * area**0.5)) for side in rgb.shape[:2])
        y, x = (int(random.integers(0, whole - part + 1)) for whole, part in ((rgb.shape[0], height),
                                                                              (rgb.shape[1], width)))
        return np.ascontiguousarray(rgb[y : y + height, x : x + width])
    return change


def _turned(degrees: float) -> PictureChange:
    """Turned, and cut to a box of the same form without corners."""
    def change(rgb: Picture, random: Random) -> Picture:
        picture = Image.fromarray(rgb).rotate(degrees, _BICUBIC)
        (width, height), angle = picture.size, np.radians(degrees)
        across = width * np.cos(angle) + height * np.sin(angle)
        share = min(width / across, height / (height * np.cos(angle) + width * np.sin(angle)))
        x, y = round(width * (1 - share) / 2), round(height * (1 - share) / 2)
        return array(picture.crop((x, y, width - x, height - y)))
    return change


def _unmarked_estimate(rgb: Picture, random: Random) -> Picture:
    """A mark is weak noise to whoever does not know it: twice what a median filter takes away is subtracted."""
    smooth = np.asarray(Image.fromarray(rgb).filter(ImageFilter.MedianFilter(5)), np.float64)
    residual = rgb - smooth
    return clipped(rgb - 2 * np.clip(residual, -4, 4))


def _denoised(rgb: Picture, random: Random) -> Picture:
    """Weak detail is taken away and the rest sharpened: the wavelet-like denoising of removal tools."""
    out = rgb.astype(np.float64)
    for radius in (1, 2, 4):
        smooth = np.asarray(Image.fromarray(clipped(out)).filter(ImageFilter.GaussianBlur(radius)), np.float64)
        detail = out - smooth
        out = smooth + np.sign(detail) * np.maximum(np.abs(detail) - 2.5, 0)
    return array(Image.fromarray(clipped(out)).filter(ImageFilter.UnsharpMask(2, 60, 2)))


def _bottleneck(rgb: Picture, random: Random) -> Picture:
    """What an autoencoder with a small latent leaves: half the size, noise, strong compression, and detail made up."""
    height, width = rgb.shape[:2]
    small = np.asarray(Image.fromarray(rgb).resize((max(8, width // 2), max(8, height // 2)), _LANCZOS), np.float64)
    latent = coded(clipped(small + random.normal(0, 4, small.shape)), "JPEG", 60)
    back = Image.fromarray(latent).filter(ImageFilter.MedianFilter(3)).resize((width, height), _BICUBIC)
    return array(back.filter(ImageFilter.UnsharpMask(2, 120, 2)))


def _jittered(rgb: Picture, random: Random) -> Picture:
    """Every part is moved by up to a pixel in another direction: geometry that nobody sees."""
    height, width = rgb.shape[:2]
    step = 48
    picture, pieces = Image.fromarray(rgb), []
    moved = random.uniform(-1.0, 1.0, (height // step + 2, width // step + 2, 2))
    for row in range(-(-height // step)):
        for column in range(-(-width // step)):
            box = (column * step, row * step, min(width, (column + 1) * step), min(height, (row + 1) * step))
            corners = ((0, 0), (1, 0), (1, 1), (0, 1))  # upper left, lower left, lower right, upper right
            quad = tuple(float(value) for down, right in corners
                         for value in (min(max(0, box[2 * right] + moved[row + down, column + right, 0]), width),
                                       min(max(0, box[1 + 2 * down] + moved[row + down, column + right, 1]), height)))
            pieces.append((box, quad))
    return array(picture.transform((width, height), Image.Transform.MESH, pieces, _BICUBIC))


def _trial(name: str, group: Group, says: Message, change: PictureChange, is_simulated: bool = False) -> PictureTrial:
    return PictureTrial(name, group, says, change, is_simulated)


@functools.cache
def trials() -> tuple[PictureTrial, ...]:
    """All of them, in the order of the report."""
    return (
        _trial("unchanged", Group.UNCHANGED, Message("as it was marked"), lambda rgb, random: rgb),
        _trial("noise-8", Group.NOISE, Message("noise of 8 grey levels"), _noise(8)),
        _trial("noise-16", Group.NOISE, Message("noise of 16 grey levels"), _noise(16)),
        _trial("blur", Group.FILTERS, Message("blur, radius 1"), _filtered(ImageFilter.GaussianBlur(1))),
        _trial("median", Group.FILTERS, Message("median of 3 x 3"), _filtered(ImageFilter.MedianFilter(3))),
        _trial("sharpen", Group.FILTERS, Message("sharpened"), _filtered(ImageFilter.UnsharpMask(2, 120, 2))),
        _trial("brighter", Group.FILTERS, Message("brighter, more contrast, more colour"), _tones(1.2, 1.2, 1.3)),
        _trial("grey", Group.FILTERS, Message("darker, without colour"), _tones(0.8, 1.0, 0.0)),
        _trial("jpeg-75", Group.RECOMPRESSION, Message("JPEG, quality 75"), _coded("JPEG", 75)),
        _trial("jpeg-50", Group.RECOMPRESSION, Message("JPEG, quality 50"), _coded("JPEG", 50)),
        _trial("jpeg-30", Group.RECOMPRESSION, Message("JPEG, quality 30"), _coded("JPEG", 30)),
        _trial("webp-75", Group.RECOMPRESSION, Message("WebP, quality 75"), _coded("WEBP", 75)),
        _trial("avif-60", Group.RECOMPRESSION, Message("AVIF, quality 60"), _coded("AVIF", 60)),
        _trial("screenshot", Group.SCREENSHOT, Message("shown at 77 %, cut by 1 % at each edge, JPEG 80"),
               screens.screenshot, True),
        _trial("mirror", Group.MIRROR, Message("mirrored"), lambda rgb, random: np.ascontiguousarray(rgb[:, ::-1])),
        _trial("crop-70", Group.CROP, Message("cut to 70 % of the area"), _cropped(0.7)),
        _trial("crop-40", Group.CROP, Message("cut to 40 % of the area"), _cropped(0.4)),
        _trial("scale-150", Group.SCALE, Message("scaled to 150 %"), _scaled(1.5, 1.5)),
        _trial("scale-50", Group.SCALE, Message("scaled to 50 %"), _scaled(0.5, 0.5)),
        _trial("turn-90", Group.ROTATION, Message("turned by 90 degrees"),
               lambda rgb, random: np.ascontiguousarray(np.rot90(rgb))),
        _trial("turn-2", Group.ROTATION, Message("turned by 2 degrees"), _turned(2)),
        _trial("turn-15", Group.ROTATION, Message("turned by 15 degrees"), _turned(15)),
        _trial("aspect-90", Group.ASPECT, Message("width to 90 %"), _scaled(0.9, 1.0)),
        _trial("print-scan", Group.PRINT, Message("printed in dots, laid askew by 0.7 degrees, scanned"),
               screens.print_and_scan, True),
        _trial("camcorder", Group.CAMCORDING, Message("a screen photographed from a little aside"),
               screens.camcorder, True),
        _trial("faces", Group.FACES, Message("three ovals of the size of faces blurred"), screens.blurred_faces, True),
        _trial("subtract", Group.REMOVAL, Message("twice the residual of a median filter subtracted"),
               _unmarked_estimate),
        _trial("denoise", Group.REMOVAL, Message("denoised at three scales, sharpened"), _denoised),
        _trial("jitter", Group.REMOVAL, Message("each part moved by up to a pixel"), _jittered),
        _trial("bottleneck", Group.REGENERATION, Message("half the size, noise, JPEG 60, scaled back, sharpened"),
               _bottleneck, True))


def apply(trial: PictureTrial, rgb: Picture, seed: int) -> Picture:
    """What the trial makes of a picture; the same seed gives the same."""
    return np.ascontiguousarray(trial.change(rgb, np.random.default_rng([seed, *trial.name.encode()])))
