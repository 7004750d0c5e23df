# SPDX-License-Identifier: Apache-2.0
"""What happens to a picture between labelling and verification: one table, swept by benchmarks, sampled by tests.

Every attack takes uint8 [height, width, 3] and a numpy Generator and returns a picture, perhaps of another size. A
module in this style can be given to `image_robustness.py` instead: `names() -> list`, `group_of(name) -> str`,
`apply(name, rgb, seed) -> rgb`.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

Attack = Callable[[np.ndarray, np.random.Generator], np.ndarray]
ATTACKS: dict[str, tuple[str, Attack]] = {}


def names(group: str | None = None) -> list[str]:
    """The attacks of a group, or all."""
    return [name for name, (of, _) in ATTACKS.items() if group in (None, of)]


def group_of(name: str) -> str:
    """The class an attack belongs to."""
    return ATTACKS[name][0]


def apply(name: str, rgb: np.ndarray, seed: int = 0) -> np.ndarray:
    """One attack; the same seed gives the same picture."""
    return np.ascontiguousarray(ATTACKS[name][1](rgb, np.random.default_rng([seed, zlib.crc32(name.encode())])))


def _picture(rgb: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(rgb))


def _array(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"))


def _through(change: Callable[[Image.Image], Image.Image]) -> Attack:
    return lambda rgb, random: _array(change(_picture(rgb)))


def _coded(format: str, **options: object) -> Attack:
    def attack(rgb: np.ndarray, random: np.random.Generator) -> np.ndarray:
        out = io.BytesIO()
        _picture(rgb).save(out, format, **options)
        return _array(Image.open(out))
    return attack


def _scaled(across: float, down: float | None = None, how: Image.Resampling = Image.Resampling.LANCZOS) -> Attack:
    def change(picture: Image.Image) -> Image.Image:
        return picture.resize((max(1, round(picture.width * across)),
                               max(1, round(picture.height * (across if down is None else down)))), how)
    return _through(change)


def _fitted(longest: int) -> Attack:
    def change(picture: Image.Image) -> Image.Image:
        picture = picture.copy()
        picture.thumbnail((longest, longest), Image.Resampling.BICUBIC)
        return picture
    return _through(change)


def _cropped(area: float) -> Attack:
    def attack(rgb: np.ndarray, random: np.random.Generator) -> np.ndarray:
        height, width = (max(8, round(side * area**0.5)) for side in rgb.shape[:2])
        y, x = random.integers(0, rgb.shape[0] - height + 1), random.integers(0, rgb.shape[1] - width + 1)
        return rgb[y : y + height, x : x + width]
    return attack


def _cut_aside(share: float) -> Attack:
    """Without a share of the left and of the top."""
    return lambda rgb, random: rgb[round(rgb.shape[0] * share) :, round(rgb.shape[1] * share) :]


def _turned(degrees: float, inside: bool) -> Attack:
    """Turned on a canvas that holds all of it, or cut to a box without corners."""
    def attack(rgb: np.ndarray, random: np.random.Generator) -> np.ndarray:
        picture = _picture(rgb).rotate(degrees, Image.Resampling.BICUBIC, expand=not inside)
        if not inside:
            return _array(picture)
        angle, (width, height) = np.radians(degrees), picture.size
        share = min(width, height) / (width * abs(np.sin(angle)) + height * abs(np.cos(angle)))
        share = min(share, min(width, height) / (height * abs(np.sin(angle)) + width * abs(np.cos(angle))))
        x, y = round(width * (1 - share) / 2), round(height * (1 - share) / 2)
        return _array(picture.crop((x, y, width - x, height - y)))
    return attack


def _seen_aslant(amount: float) -> Attack:
    """Corners pulled in by up to `amount` of the sides, stretched back."""
    def attack(rgb: np.ndarray, random: np.random.Generator) -> np.ndarray:
        picture = _picture(rgb)
        x, y = (random.uniform(0.3, 1, 4) * amount * side for side in picture.size)
        w, h = picture.size
        quad = (x[0], y[0], x[1], h - y[1], w - x[2], h - y[2], w - x[3], y[3])
        return _array(picture.transform(picture.size, Image.Transform.QUAD, quad, Image.Resampling.BICUBIC))
    return attack


def _noise(sigma: float) -> Attack:
    return lambda rgb, random: np.clip(np.rint(rgb + random.normal(0, sigma, rgb.shape)), 0, 255).astype(np.uint8)


def _curve(function: Callable[[np.ndarray], np.ndarray]) -> Attack:
    table = np.clip(np.rint(255 * function(np.arange(256) / 255)), 0, 255).astype(np.uint8)
    return lambda rgb, random: table[rgb]


def _hue(degrees: float) -> Attack:
    def change(picture: Image.Image) -> Image.Image:
        h, s, v = picture.convert("HSV").split()
        return Image.merge("HSV", (h.point(lambda value: (value + round(degrees * 256 / 360)) % 256), s, v))
    return _through(change)


def _captioned(share: float) -> Attack:
    def change(picture: Image.Image) -> Image.Image:
        picture, top = picture.copy(), round(picture.height * (1 - share))
        ImageDraw.Draw(picture).rectangle((0, top, picture.width, picture.height), fill=(15, 15, 20))
        return picture
    return _through(change)


def _covered(area: float) -> Attack:
    def attack(rgb: np.ndarray, random: np.random.Generator) -> np.ndarray:
        out = rgb.copy()
        height, width = (round(side * area**0.5) for side in rgb.shape[:2])
        y, x = random.integers(0, rgb.shape[0] - height + 1), random.integers(0, rgb.shape[1] - width + 1)
        out[y : y + height, x : x + width] = random.integers(0, 256, 3)
        return out
    return attack


def _framed(border: int) -> Attack:
    return _through(lambda picture: ImageOps.expand(picture, border, (24, 24, 28)))


def _chain(*attacks: Attack) -> Attack:
    def attack(rgb: np.ndarray, random: np.random.Generator) -> np.ndarray:
        for step in attacks:
            rgb = step(rgb, random)
        return rgb
    return attack


def _add(group: str, **attacks: Attack) -> None:
    ATTACKS.update({name: (group, attack) for name, attack in attacks.items()})


_add("none", none=lambda rgb, random: rgb)
_add("codec", jpeg_85=_coded("JPEG", quality=85), jpeg_60=_coded("JPEG", quality=60),
     jpeg_50=_coded("JPEG", quality=50), webp_80=_coded("WEBP", quality=80),
     avif_60=_coded("AVIF", quality=60, speed=8))
_add("hard codec", jpeg_30=_coded("JPEG", quality=30), jpeg_20=_coded("JPEG", quality=20),
     webp_50=_coded("WEBP", quality=50))
_add("colour", darker=_curve(lambda x: 0.65 * x), brighter=_curve(lambda x: 1.35 * x),
     flatter=_curve(lambda x: 0.5 + 0.6 * (x - 0.5)), harder=_curve(lambda x: 0.5 + 1.4 * (x - 0.5)),
     gamma_0_75=_curve(lambda x: x**0.75), gamma_1_35=_curve(lambda x: x**1.35), hue_25=_hue(25),
     grey=_through(ImageOps.grayscale),
     vivid=_through(lambda p: ImageEnhance.Color(p).enhance(1.5)), equalised=_through(ImageOps.equalize),
     palette_256=_through(lambda p: p.quantize(256)), inverted=_through(ImageOps.invert))
_add("hard colour", palette_16=_through(lambda p: p.quantize(16)))
_add("filter", noise_8=_noise(8), blur_1=_through(lambda p: p.filter(ImageFilter.GaussianBlur(1))),
     median_3=_through(lambda p: p.filter(ImageFilter.MedianFilter(3))),
     sharpened=_through(lambda p: p.filter(ImageFilter.UnsharpMask(2, 120, 2))))
_add("hard filter", noise_20=_noise(20), blur_2=_through(lambda p: p.filter(ImageFilter.GaussianBlur(2))))
_add("overlay", caption_15=_captioned(0.15), covered_20=_covered(0.2))
_add("orthogonal", mirror=lambda rgb, random: rgb[:, ::-1], quarter_turn=lambda rgb, random: np.rot90(rgb),
     half_turn=lambda rgb, random: rgb[::-1, ::-1])
_add("scale", scale_1_5=_scaled(1.5), scale_0_8=_scaled(0.8, how=Image.Resampling.BILINEAR), scale_0_6=_scaled(0.6),
     scale_0_4=_scaled(0.4, how=Image.Resampling.BICUBIC), aspect_0_85=_scaled(0.85, 1.0), framed=_framed(40))
_add("crop", crop_70=_cropped(0.7), crop_45=_cropped(0.45), crop_25=_cropped(0.25))
_add("turn", turn_2=_turned(2, False), turn_7_inside=_turned(7, True), turn_20=_turned(20, False),
     turn_33_inside=_turned(33, True), aslant_2=_seen_aslant(0.02))
_add("pipeline",
     screenshot=_chain(_scaled(0.77, how=Image.Resampling.BILINEAR), _cropped(0.98), _coded("JPEG", quality=80)),
     feed_1080=_chain(_fitted(1080), _coded("JPEG", quality=70)),
     feed_720=_chain(_fitted(720), _coded("JPEG", quality=75)),
     feed_twice=_chain(_fitted(1080), _coded("JPEG", quality=72), _fitted(960), _coded("WEBP", quality=75)),
     repost=_chain(_cut_aside(0.125), _scaled(0.71), _coded("JPEG", quality=60)))
_add("extreme", jpeg_10=_coded("JPEG", quality=10), crop_10=_cropped(0.1), scale_0_25=_scaled(0.25),
     turn_7_jpeg_60=_chain(_turned(7, True), _coded("JPEG", quality=60)),
     crop_scale_jpeg=_chain(_cropped(0.5), _scaled(0.7), _coded("JPEG", quality=60)))
