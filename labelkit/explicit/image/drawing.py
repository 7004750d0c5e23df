# SPDX-License-Identifier: Apache-2.0
"""Draws the explicit label on pictures (GB 45438-2025 5.2): text at a corner or an edge, legible on any ground."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from labelkit.codec.samples import ImageSamples
from labelkit.errors import HostTooSmall, InvalidArgument
from labelkit.evidence import DrawnText
from labelkit.explicit import rules
from labelkit.explicit.image.raster import Rendering, bounds, break_lines, render, width_em
from labelkit.plan import Explicit

Pixels: TypeAlias = npt.NDArray[np.uint8 | np.uint16]
Colour: TypeAlias = tuple[float, float, float]  # 0 to 255
_Weights: TypeAlias = npt.NDArray[np.uint16 | np.uint32]

LIGHT, DARK = 255, 20  # ink and plate, or plate and ink; neutral, so that grey pictures can have them
_OUTLIERS = 0.01  # share of the ground's pixels left out at both ends when its extremes are measured
_GROUND_SAMPLES = 512
_MAX_LINES = 8
_CACHED = 64


@dataclass(frozen=True, slots=True)
class Treatment:
    """How the label stands out: light or dark ink, and the opacity 0-1 of the plate of the other tone behind it.

    white  the light tone as a share of full scale
    """

    light_ink: bool
    plate: float
    white: float = 1.0

    @property
    def tones(self) -> tuple[float, float]:
        """Grey of ink and plate, 0 to 255."""
        light = LIGHT * self.white
        return (light, DARK) if self.light_ink else (DARK, light)


_PLAIN = (Treatment(light_ink=True, plate=0.0), Treatment(light_ink=False, plate=0.0))
OPAQUE_PLATE = Treatment(light_ink=True, plate=1.0)
"""White on an opaque dark plate: legible on every ground, so that it does not flicker through an animation."""


def draw(pixels: Pixels, explicit: Explicit, *, treatment: Treatment | None = None,
         in_place: bool = False, transfer: str = "sdr") -> tuple[Pixels, DrawnText]:
    """The picture with its explicit label, and where the label is.

    pixels     uint8 or uint16 [height, width], [height, width, 3] or [height, width, 4] (straight alpha), any strides
    treatment  None chooses one for the pixels under the label; the contrast is checked in both cases
    in_place   edit `pixels` and return it; else they are not changed and a new array is returned
    transfer   "sdr", "pq" or "hlg": what is white in the last two would dazzle, so the label is reference white there

    Where the picture is transparent the label gets an opaque plate and the alpha is raised under it.
    Raises InvalidLabel for a text without the two elements, HostTooSmall where the text does not fit at the
    legal height even in several lines, MissingGlyph for characters that the font lacks.
    """
    check_pixels(pixels)
    rules.check_label(explicit)
    if explicit.border:
        if in_place:
            raise InvalidArgument("a border makes the picture larger; it cannot be drawn in place")
        return _draw_border(pixels, explicit, transfer)
    if in_place and not pixels.flags.writeable:
        raise InvalidArgument("the pixels are read-only; they cannot be edited in place")
    fitted = fit(*_size(pixels), explicit)
    out = pixels if in_place else pixels.copy()
    height, width = fitted.rendering.size
    view = out[fitted.y:fitted.y + height, fitted.x:fitted.x + width]
    white = rules.WHITE[transfer]
    translucent = view.ndim == 3 and view.shape[2] == 4 and int(view[..., 3].min()) < _full(view)
    ground = _ground(view)
    if translucent:  # it may be shown on any page
        treatment, ground = Treatment(ground.mean < 0.5, 1.0, white), _Ground((0.0,) * 3, ground.mean, (255.0,) * 3)
    if treatment:
        treatment = replace(treatment, white=white)
        treatment, ratio = _legible(treatment, _contrast(treatment, ground, explicit.opacity), ground, explicit.opacity)
    else:
        treatment, ratio = _legible(*_plain(ground, explicit.opacity, white), ground, explicit.opacity)
    (_composite_alpha if translucent else _composite)(view, fitted.rendering, treatment, explicit.opacity)
    return out, placement(fitted, _size(out), explicit.corner, ratio, "plate" if treatment.plate else "plain")


def draw_frames(samples: ImageSamples, explicit: Explicit, *,
                in_place: bool = False) -> tuple[ImageSamples, DrawnText]:
    """`samples` with the label in every frame, and how it was drawn in the first; raises as `draw` does.

    in_place  draw on the frames that can be written; those of a border become larger and are new all the same
    """
    treatment = OPAQUE_PLATE if len(samples.frames) > 1 else None
    drawn = [draw(frame, explicit, treatment=treatment,
                  in_place=in_place and frame.flags.writeable and not explicit.border, transfer=samples.transfer)
             for frame in samples.frames]
    return (replace(samples, frames=tuple(frame for frame, _ in drawn)),
            replace(drawn[0][1].rounded(), frames=len(drawn)))


def check_pixels(pixels: object) -> None:
    """Raises InvalidArgument for anything but a picture of the kinds that `draw` names."""
    if not isinstance(pixels, np.ndarray) or pixels.dtype not in (np.uint8, np.uint16):
        raise InvalidArgument("pixels are a uint8 or uint16 array, got {got}",
                              got=str(getattr(pixels, "dtype", type(pixels).__name__)))
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))) or not pixels.size:
        raise InvalidArgument("pixels are [height, width], [height, width, 3] or [height, width, 4] and not empty, "
                              "got {shape}", shape=list(pixels.shape))


def _size(pixels: Pixels) -> tuple[int, int]:
    """(height, width)."""
    return pixels.shape[0], pixels.shape[1]


def _full(pixels: Pixels) -> int:
    return 255 if pixels.dtype == np.uint8 else 65535


# Where it goes


class Fitted(NamedTuple):
    """A label laid out in a picture: its lines, their rendering, the top left corner of that in pixels, its text."""

    lines: tuple[str, ...]
    rendering: Rendering
    x: int
    y: int
    text: str


@functools.lru_cache(maxsize=_CACHED)
def fit(height: int, width: int, explicit: Explicit) -> Fitted:
    """The label in a picture of a size, in as few lines as fit, with its margin where that fits.

    Raises HostTooSmall where the text does not fit at the legal height.
    """
    short = min(height, width)
    ink_px = rules.floor_px(height, width, explicit.height)
    for margin in dict.fromkeys((round(explicit.margin * short), 0)):
        fitting = _fewest_lines(explicit, ink_px, width - 2 * margin, height - 2 * margin)
        if fitting:
            lines, rendering = fitting
            x = _along(explicit.corner, ("left", "right"), width - rendering.size[1], margin)
            y = _along(explicit.corner, ("top", "bottom"), height - rendering.size[0], margin)
            return Fitted(lines, rendering, x, y, explicit.text)
    wanted_height, wanted_width = _wanted_size(explicit, ink_px)
    raise HostTooSmall("{width} x {height} pixels cannot hold {text} with an ink height of {ink} pixels; it takes "
                       "about {wanted_width} x {wanted_height}", width=width, height=height, text=explicit.text,
                       ink=ink_px, wanted_width=wanted_width, wanted_height=wanted_height,
                       hint="enlarge the picture, shorten the text or lower the height in the plan")


def _wanted_size(explicit: Explicit, ink_px: int) -> tuple[int, int]:
    """(height, width) that the text takes about, broken as compactly as possible; for the error message."""
    breaks = (break_lines(explicit.text, count, explicit.font) for count in range(1, _MAX_LINES + 1))
    sizes = [_min_size(explicit, lines, ink_px) for lines in breaks if lines]
    height, width = min(sizes, key=max)
    badge = 2.4 * ink_px if explicit.style == "icon" else 0
    return round(1.8 * height + ink_px), round(1.3 * width + 1.3 * ink_px + badge)


def likely_lines(height: int, width: int, text: str) -> set[tuple[str, ...]]:
    """The ways `text` may be broken into lines in a picture of `height` x `width` pixels."""
    breaks = {(text,), break_lines(text, 2, None) or (text,)}
    if width_em(text, None) * 2 * rules.floor_px(height, width) > width:  # an em is under 2 ink heights
        try:
            breaks.add(fit(height, width, Explicit(text)).lines)
        except HostTooSmall:
            pass
    return breaks


def _along(corner: str, ends: tuple[str, str], free: int, margin: int) -> int:
    low, high = (end in corner.split("-") for end in ends)
    return margin if low else free - margin if high else free // 2


def _fewest_lines(explicit: Explicit, ink_px: int, width: int, height: int) -> tuple[tuple[str, ...], Rendering] | None:
    """The label in as few lines as fit into `width` x `height` pixels, or None."""
    for count in range(1, _MAX_LINES + 1):
        lines = (explicit.text,) if count == 1 else break_lines(explicit.text, count, explicit.font)
        if lines is None:
            return None
        min_height, min_width = _min_size(explicit, lines, ink_px)
        if min_height <= height and min_width <= width:
            rendering = render(lines, ink_px, explicit.style, explicit.font)
            if rendering.size[0] <= height and rendering.size[1] <= width:
                return lines, rendering
    return None


def _min_size(explicit: Explicit, lines: tuple[str, ...], ink_px: int) -> tuple[int, int]:
    """A lower bound of (height, width) in pixels, so that nothing far larger than the picture is rasterised."""
    widest = max(width_em(line, explicit.font) for line in lines)
    return len(lines) * ink_px, round(widest * ink_px)


def placement(fitted: Fitted, size: tuple[int, int], position: str, contrast: float, treatment: str) -> DrawnText:
    """Where a label stands that was laid out in a picture of `size` (height, width), and how."""
    left, top, right, bottom = bounds(fitted.rendering.glyphs)
    box = (fitted.x + left, fitted.y + top, right - left, bottom - top)
    ink_px = fitted.rendering.ink_height_px
    return DrawnText(text=fitted.text, lines=fitted.lines, position=position, box=box, ink_height_px=ink_px,
                     height_share=ink_px / min(size), contrast=contrast, treatment=treatment)


# How it stands out


@functools.lru_cache(maxsize=_CACHED)
def _sample_points(height: int, width: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    # Roberts' R2 sequence: even cover without the period of a grid, which would see one colour of a checkerboard
    i = np.arange(1, _GROUND_SAMPLES + 1)
    return ((i * 0.7548776662466927 % 1 * height).astype(np.intp), (i * 0.5698402909980532 % 1 * width).astype(np.intp))


_LINEAR = np.array(rules.LINEAR)
_WEIGHTS = np.array((0.2126, 0.7152, 0.0722))


class _Ground(NamedTuple):
    """The pixels under the label: the 1 % darkest and brightest colour, and the mean luminance 0-1."""

    dark: Colour
    mean: float
    bright: Colour


def _ground(view: Pixels) -> _Ground:
    colours = view[_sample_points(*_size(view))]
    if colours.dtype == np.uint16:
        colours = (colours >> 8).astype(np.uint8)
    light = _LINEAR[colours] if colours.ndim == 1 else _LINEAR[colours[:, :3]] @ _WEIGHTS
    outliers = int(_OUTLIERS * len(light))
    ends = outliers, len(light) - 1 - outliers
    order = np.argpartition(light, ends)
    dark, bright = (_colour(colours[order[end]]) for end in ends)
    return _Ground(dark, float(light.mean()), bright)


def _colour(pixel: Pixels) -> Colour:
    red, green, blue = (pixel,) * 3 if pixel.ndim == 0 else pixel[:3]
    return float(red), float(green), float(blue)


def _blend(top: float, opacity: float, ground: Colour) -> Colour:
    if not opacity:
        return ground
    tone, rest = top * opacity, 1 - opacity
    return tone + ground[0] * rest, tone + ground[1] * rest, tone + ground[2] * rest


def _contrast(treatment: Treatment, ground: _Ground, opacity: float) -> float:
    """Contrast of the blended ink to the blended ground, at whichever end of the ground is worse."""
    ink, plate = treatment.tones
    dark, bright = _blend(plate, treatment.plate, ground.dark), _blend(plate, treatment.plate, ground.bright)
    return min(rules.contrast(_blend(ink, opacity, dark), dark), rules.contrast(_blend(ink, opacity, bright), bright))


def _plain(ground: _Ground, opacity: float, white: float) -> tuple[Treatment, float]:
    """Light or dark ink without a plate, whichever has more contrast, and that."""
    plain = tuple(replace(treatment, white=white) for treatment in _PLAIN)
    light, dark = (_contrast(treatment, ground, opacity) for treatment in plain)
    return (plain[0], light) if light >= dark else (plain[1], dark)


def _legible(treatment: Treatment, ratio: float, ground: _Ground, opacity: float) -> tuple[Treatment, float]:
    """`treatment` if its contrast is enough, else a plate of the opacity asked for, or more where that is too weak."""
    if ratio >= (rules.MIN_CONTRAST if treatment.plate else rules.MIN_PLAIN_CONTRAST):
        return treatment, ratio
    light_ink = ground.mean < 0.35
    for plate in (opacity, *(step / 20 for step in range(round(opacity * 20) + 1, 20)), 1.0):
        treatment = Treatment(light_ink, plate, treatment.white)
        ratio = _contrast(treatment, ground, opacity)
        if ratio >= rules.MIN_CONTRAST:
            break
    return treatment, ratio


# Laying it over the pixels


@functools.lru_cache(maxsize=_CACHED)
def _overlay(rendering: Rendering, treatment: Treatment, opacity: float, channels: int,
             bits: int) -> tuple[_Weights, _Weights]:
    """(keep, add) so that the labelled pixels are (pixels * keep + add) >> bits, in unsigned integers of 2 * bits."""
    ink, plate = treatment.tones
    ink_cover, plate_cover = rendering.ink * (opacity / 255), rendering.plate * (treatment.plate / 255)
    through = (1 - plate_cover) * (1 - ink_cover)
    colour = plate * plate_cover * (1 - ink_cover) + ink * ink_cover
    kind = np.uint16 if bits == 8 else np.uint32
    scale = 2**bits
    keep: _Weights = np.floor(through * scale).astype(kind)
    add: _Weights = np.floor(colour * ((scale - 1) / 255 * scale) + scale / 2).astype(kind)
    if channels > 1:
        keep, add = (np.repeat(part[..., None], channels, axis=2) for part in (keep, add))
    for part in (keep, add):
        part.flags.writeable = False
    return keep, add


def _composite(view: Pixels, rendering: Rendering, treatment: Treatment, opacity: float) -> None:
    if view.ndim == 3:
        view = view[..., :3]
    bits = 8 * view.itemsize
    keep, add = _overlay(rendering, treatment, opacity, 1 if view.ndim == 2 else 3, bits)
    mixed = view * keep
    mixed += add
    mixed >>= bits
    view[...] = mixed


def _composite_alpha(view: Pixels, rendering: Rendering, treatment: Treatment, opacity: float) -> None:
    """Straight-alpha "over" (Porter and Duff 1984): what lies under the plate may shine through at its rim only."""
    full = _full(view)
    ink, plate = treatment.tones
    ink_cover = rendering.ink[..., None] * (opacity / 255)
    plate_cover = rendering.plate[..., None] * (treatment.plate / 255)
    below = view[..., 3:] / full * (1 - plate_cover) * (1 - ink_cover)
    colour = (plate * plate_cover * (1 - ink_cover) + ink * ink_cover) * (full / 255)
    alpha = below + 1 - (1 - plate_cover) * (1 - ink_cover)
    with np.errstate(invalid="ignore", divide="ignore"):
        mixed = np.where(alpha > 0, (view[..., :3] * below + colour) / alpha, view[..., :3])
    view[..., :3] = np.rint(mixed)
    view[..., 3:] = np.rint(alpha * full)


# The strip outside the picture


def _draw_border(pixels: Pixels, explicit: Explicit, transfer: str) -> tuple[Pixels, DrawnText]:
    height, width = _size(pixels)
    lines, rendering, strip = _fit_strip(height, width, explicit)
    above = explicit.corner.startswith("top")
    out = np.empty((height + strip, *pixels.shape[1:]), pixels.dtype)
    out[strip if above else 0:][:height] = pixels
    beside = pixels[:max(1, height // 8)] if above else pixels[-max(1, height // 8):]
    treatment = Treatment(_ground(beside).mean < 0.35, 0.0, rules.WHITE[transfer])
    area = out[:strip] if above else out[height:]
    tone = treatment.tones[1]
    area[...] = round(tone * (_full(out) // 255))
    if area.ndim == 3 and area.shape[2] == 4:
        area[..., 3] = _full(out)
    x = _along(explicit.corner, ("left", "right"), width - rendering.size[1], 0)
    _composite(area[:, x:x + rendering.size[1]], rendering, treatment, explicit.opacity)
    colour = (float(tone),) * 3
    ratio = _contrast(treatment, _Ground(colour, 0.0, colour), explicit.opacity)
    fitted = Fitted(lines, rendering, x, 0 if above else height, explicit.text)
    return out, placement(fitted, _size(out), explicit.corner, ratio, "border")


@functools.lru_cache(maxsize=_CACHED)
def _fit_strip(height: int, width: int, explicit: Explicit) -> tuple[tuple[str, ...], Rendering, int]:
    """Lines, rendering and strip height; the strip counts as part of the picture, so the legal height grows with it."""
    strip = 0
    for _ in range(64):
        ink_px = rules.floor_px(height + strip, width, explicit.height)
        fitting = _fewest_lines(explicit, ink_px, width, max(height, width))
        if not fitting:
            break
        lines, rendering = fitting
        if rendering.size[0] <= strip or rendering.ink_height_px >= rules.floor_px(
                height + rendering.size[0], width, explicit.height):
            return lines, rendering, rendering.size[0]
        strip = rendering.size[0]
    raise HostTooSmall("a strip {width} pixels wide cannot hold {text} at the legal height",
                       width=width, text=explicit.text, hint="enlarge the picture or shorten the text")
