# SPDX-License-Identifier: Apache-2.0
"""The explicit label on pictures (GB 45438-2025 5.2): text at a corner or an edge, legible on any ground."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

from labelkit.codec.samples import ImageSamples
from labelkit.errors import HostTooSmall, InvalidArgument
from labelkit.explicit import rules
from labelkit.explicit.raster import Rendering, break_lines, render, width_em
from labelkit.plan import Explicit

LIGHT, DARK = 255, 20  # ink and ground of a plate, whichever way round; neutral, so that grey pictures can have them
_CALM_SHARE = 0.01  # plain text when the ground is right for it in all but this share of its pixels, at both ends
_GROUND_SAMPLES = 512
_MAX_LINES = 8
_CACHED = 64


@dataclass(frozen=True, slots=True)
class Look:
    """How the label stands out: light or dark ink, and the opacity 0-1 of the plate of the other tone behind it."""

    light_ink: bool
    plate: float


STEADY = Look(light_ink=True, plate=1.0)
"""White on an opaque dark plate: legible on every ground, so that it does not flicker through an animation."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the label was drawn and how.

    lines           the text as broken into lines
    position        corner or edge, as in the plan; with a border the strip is above or below the picture
    box             (x, y, width, height) of the ink in pixels of the returned picture
    ink_height_px   height of the lowest character of the AI and generation elements
    height_share    that height as a share of the shortest side of the returned picture
    contrast        WCAG contrast ratio of the blended ink to the worst 1 % of the blended ground
    treatment       "plain", "plate" or "border"
    """

    lines: tuple[str, ...]
    position: str
    box: tuple[int, int, int, int]
    ink_height_px: int
    height_share: float
    contrast: float
    treatment: str

    def evidence(self) -> dict[str, object]:
        """The placement as JSON values."""
        return {"text": "".join(self.lines), "lines": list(self.lines), "position": self.position,
                "box": list(self.box), "ink_height_px": self.ink_height_px,
                "height_share": round(self.height_share, 4), "contrast": round(self.contrast, 2),
                "treatment": self.treatment}


def draw(pixels: np.ndarray, explicit: Explicit, *, look: Look | None = None,
         in_place: bool = False) -> tuple[np.ndarray, Placement]:
    """The picture with its explicit label, and where the label is.

    pixels    uint8 or uint16 [height, width], [height, width, 3] or [height, width, 4] (straight alpha), any strides
    look      None chooses from the pixels under the label; the contrast is checked in both cases
    in_place  edit `pixels` and return it; else they stay as they are and a new array is returned

    Where the picture is transparent the label gets an opaque plate and the alpha is raised under it.
    Raises InvalidLabel for a text without the two elements, HostTooSmall where the text does not fit at the
    legal height even in several lines, MissingGlyph for characters that the font lacks.
    """
    check_pixels(pixels)
    rules.check_text(explicit.text)
    if explicit.border:
        if in_place:
            raise InvalidArgument("a border makes the picture larger; it cannot be drawn in place")
        return _draw_border(pixels, explicit)
    if in_place and not pixels.flags.writeable:
        raise InvalidArgument("the pixels are read-only; they cannot be edited in place")
    lines, rendering, x, y = fit(*pixels.shape[:2], explicit)
    out = pixels if in_place else pixels.copy()
    view = out[y:y + rendering.size[0], x:x + rendering.size[1]]
    translucent = view.ndim == 3 and view.shape[2] == 4 and int(view[..., 3].min()) < _full(view)
    dark, mean, bright = _ground(view)
    if translucent:
        look, dark, bright = Look(mean < 0.5, 1.0), (0.0,) * 3, (255.0,) * 3
    look, ratio = _legible(look or _plain(dark, bright, explicit.opacity), dark, mean, bright, explicit.opacity)
    (_lay_over_alpha if translucent else _lay)(view, rendering, look, explicit.opacity)
    return out, placement(lines, rendering, (x, y), out.shape, explicit.corner, ratio,
                           "plate" if look.plate else "plain")


def draw_frames(samples: ImageSamples, explicit: Explicit) -> tuple[ImageSamples, dict[str, object]]:
    """`samples` with the label in every frame, and the evidence of the first as JSON values; raises as `draw` does."""
    look = STEADY if len(samples.frames) > 1 else None
    drawn = [draw(frame, explicit, look=look) for frame in samples.frames]
    evidence = drawn[0][1].evidence() | {"frames": len(drawn)}
    return replace(samples, frames=tuple(frame for frame, _ in drawn)), evidence


def check_pixels(pixels: object) -> None:
    """Raises InvalidArgument for what is not a picture of the kinds that `draw` names."""
    if not isinstance(pixels, np.ndarray) or pixels.dtype not in (np.uint8, np.uint16):
        raise InvalidArgument("pixels are a uint8 or uint16 array, got {got}",
                              got=str(getattr(pixels, "dtype", type(pixels).__name__)))
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))) or not pixels.size:
        raise InvalidArgument("pixels are [height, width], [height, width, 3] or [height, width, 4] and not empty, "
                              "got {shape}", shape=list(pixels.shape))


def _full(pixels: np.ndarray) -> int:
    return 255 if pixels.dtype == np.uint8 else 65535


# Where it goes


@functools.lru_cache(maxsize=_CACHED)
def fit(height: int, width: int, explicit: Explicit) -> tuple[tuple[str, ...], Rendering, int, int]:
    """Lines, rendering, x and y of its top left corner in pixels; tries fewer lines first, then without margin."""
    short = min(height, width)
    ink_px = rules.floor_px(height, width, explicit.height)
    for margin in dict.fromkeys((round(explicit.margin * short), 0)):
        fitting = _largest_lines(explicit, ink_px, width - 2 * margin, height - 2 * margin)
        if fitting:
            lines, rendering = fitting
            x = _along(explicit.corner, ("left", "right"), width - rendering.size[1], margin)
            y = _along(explicit.corner, ("top", "bottom"), height - rendering.size[0], margin)
            return lines, rendering, x, y
    wanted = _wanted(explicit, ink_px)
    raise HostTooSmall("{width} x {height} pixels cannot hold {text} with an ink height of {ink} pixels; it takes "
                       "about {wanted_width} x {wanted_height}", width=width, height=height, text=explicit.text,
                       ink=ink_px, wanted_width=wanted[1], wanted_height=wanted[0],
                       hint="enlarge the picture, shorten the text or lower the height in the plan")


def _wanted(explicit: Explicit, ink_px: int) -> tuple[int, int]:
    """(height, width) of about the most compact form of the text, for the message that refuses it."""
    forms = (break_lines(explicit.text, count, explicit.font) for count in range(1, _MAX_LINES + 1))
    sizes = [_estimate(explicit, lines, ink_px) for lines in forms if lines]
    height, width = min(sizes, key=max)
    badge = 2.4 * ink_px if explicit.style == "icon" else 0
    return round(1.8 * height + ink_px), round(1.3 * width + 1.3 * ink_px + badge)


def likely_lines(height: int, width: int, text: str) -> set[tuple[str, ...]]:
    """The lines that `text` may be broken into in a picture of `height` x `width` pixels: one, two, or as it takes."""
    forms = {(text,), break_lines(text, 2, None) or (text,)}
    if width_em(text, None) * 2 * rules.floor_px(height, width) > width:  # an em is under 2 ink heights
        try:
            forms.add(fit(height, width, Explicit(text))[0])
        except HostTooSmall:
            pass
    return forms


def _along(corner: str, ends: tuple[str, str], free: int, margin: int) -> int:
    low, high = (end in corner.split("-") for end in ends)
    return margin if low else free - margin if high else free // 2


def _largest_lines(explicit: Explicit, ink_px: int, width: int, height: int) -> tuple | None:
    """The label in as few lines as fit into `width` x `height` pixels, or None."""
    for count in range(1, _MAX_LINES + 1):
        lines = (explicit.text,) if count == 1 else break_lines(explicit.text, count, explicit.font)
        if lines is None:
            return None
        low = _estimate(explicit, lines, ink_px)
        if low[0] <= height and low[1] <= width:
            rendering = render(lines, ink_px, explicit.style, explicit.font)
            if rendering.size[0] <= height and rendering.size[1] <= width:
                return lines, rendering
    return None


def _estimate(explicit: Explicit, lines: tuple[str, ...], ink_px: int) -> tuple[int, int]:
    """A lower bound of (height, width) in pixels, so that nothing far larger than the picture is rasterised."""
    widest = max(width_em(line, explicit.font) for line in lines)
    return len(lines) * ink_px, round(widest * ink_px)


def placement(lines, rendering: Rendering, corner_px: tuple[int, int], shape: tuple[int, ...], position: str,
               ratio: float, treatment: str) -> Placement:
    left, top = (min(glyph[i] for glyph in rendering.glyphs) for i in (1, 2))
    right, bottom = (max(glyph[i] + glyph[i + 2] for glyph in rendering.glyphs) for i in (1, 2))
    box = (corner_px[0] + left, corner_px[1] + top, right - left, bottom - top)
    return Placement(lines, position, box, rendering.ink_height_px, rendering.ink_height_px / min(shape[:2]),
                     ratio, treatment)


# How it stands out


@functools.lru_cache(maxsize=_CACHED)
def _sample_points(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    # Roberts' R2 sequence: even cover without the period of a grid, which would see one colour of a checkerboard
    i = np.arange(1, _GROUND_SAMPLES + 1)
    return tuple((i * step % 1 * size).astype(np.intp)
                 for step, size in ((0.7548776662466927, height), (0.5698402909980532, width)))


_LINEAR = np.array(rules.LINEAR)
_WEIGHTS = np.array((0.2126, 0.7152, 0.0722))


def _ground(view: np.ndarray) -> tuple[tuple, float, tuple]:
    """The 1 % darkest and brightest colour under the label as 0-255 RGB, and the mean luminance 0-1 between them."""
    colours = view[_sample_points(*view.shape[:2])]
    if colours.dtype == np.uint16:
        colours = (colours >> 8).astype(np.uint8)
    light = _LINEAR[colours] if colours.ndim == 1 else _LINEAR[colours[:, :3]] @ _WEIGHTS
    ends = int(_CALM_SHARE * len(light)), len(light) - 1 - int(_CALM_SHARE * len(light))
    order = np.argpartition(light, ends)
    dark, bright = ((float(v),) * 3 if colours.ndim == 1 else tuple(map(float, v[:3]))
                    for v in (colours[order[end]] for end in ends))
    return dark, float(light.mean()), bright


def _blend(top: float, opacity: float, ground: tuple) -> tuple:
    return tuple(top * opacity + value * (1 - opacity) for value in ground)


def _contrast(look: Look, dark: tuple, bright: tuple, opacity: float) -> float:
    """Contrast of the blended ink to the blended ground, at whichever end of the ground is worse."""
    ink, plate = (LIGHT, DARK) if look.light_ink else (DARK, LIGHT)
    grounds = [_blend(plate, look.plate, end) for end in (dark, bright)]
    return min(rules.contrast(_blend(ink, opacity, ground), ground) for ground in grounds)


def _plain(dark: tuple, bright: tuple, opacity: float) -> Look:
    looks = (Look(True, 0.0), Look(False, 0.0))
    return max(looks, key=lambda look: _contrast(look, dark, bright, opacity))


def _legible(look: Look, dark: tuple, mean: float, bright: tuple, opacity: float) -> tuple[Look, float]:
    """`look` if its contrast is enough, else a plate as translucent as asked, more opaque where that is too weak."""
    ratio = _contrast(look, dark, bright, opacity)
    if ratio >= (rules.MIN_CONTRAST if look.plate else rules.MIN_PLAIN_CONTRAST):
        return look, ratio
    light_ink = mean < 0.35
    for plate in (opacity, *(step / 20 for step in range(round(opacity * 20) + 1, 20)), 1.0):
        look = Look(light_ink, plate)
        ratio = _contrast(look, dark, bright, opacity)
        if ratio >= rules.MIN_CONTRAST:
            break
    return look, ratio


# Laying it over the pixels


@functools.lru_cache(maxsize=_CACHED)
def _overlay(rendering: Rendering, look: Look, opacity: float, channels: int, bits: int) -> tuple:
    """(keep, add) so that the labelled pixels are (pixels * keep + add) >> bits, in unsigned integers of 2 * bits."""
    ink, plate = (LIGHT, DARK) if look.light_ink else (DARK, LIGHT)
    ink_cover, plate_cover = rendering.ink * (opacity / 255), rendering.plate * (look.plate / 255)
    through = (1 - plate_cover) * (1 - ink_cover)
    colour = plate * plate_cover * (1 - ink_cover) + ink * ink_cover
    kind = np.uint16 if bits == 8 else np.uint32
    scale = 2**bits
    keep = np.floor(through * scale).astype(kind)
    add = np.floor(colour * ((scale - 1) / 255 * scale) + scale / 2).astype(kind)
    if channels > 1:
        keep, add = (np.repeat(part[..., None], channels, axis=2) for part in (keep, add))
    for part in (keep, add):
        part.flags.writeable = False
    return keep, add


def _lay(view: np.ndarray, rendering: Rendering, look: Look, opacity: float) -> None:
    if view.ndim == 3:
        view = view[..., :3]
    bits = 8 * view.itemsize
    keep, add = _overlay(rendering, look, opacity, 1 if view.ndim == 2 else 3, bits)
    mixed = view * keep
    mixed += add
    mixed >>= bits
    view[...] = mixed


def _lay_over_alpha(view: np.ndarray, rendering: Rendering, look: Look, opacity: float) -> None:
    """Straight-alpha "over" (Porter and Duff 1984): what lies under the plate may shine through at its rim only."""
    full = _full(view)
    ink, plate = (LIGHT, DARK) if look.light_ink else (DARK, LIGHT)
    ink_cover, plate_cover = rendering.ink[..., None] * (opacity / 255), rendering.plate[..., None] * (look.plate / 255)
    below = view[..., 3:] / full * (1 - plate_cover) * (1 - ink_cover)
    colour = (plate * plate_cover * (1 - ink_cover) + ink * ink_cover) * (full / 255)
    alpha = below + 1 - (1 - plate_cover) * (1 - ink_cover)
    with np.errstate(invalid="ignore", divide="ignore"):
        mixed = np.where(alpha > 0, (view[..., :3] * below + colour) / alpha, view[..., :3])
    view[..., :3] = np.rint(mixed)
    view[..., 3:] = np.rint(alpha * full)


# The strip outside the picture


def _draw_border(pixels: np.ndarray, explicit: Explicit) -> tuple[np.ndarray, Placement]:
    height, width = pixels.shape[:2]
    lines, rendering, strip = _fit_strip(height, width, explicit)
    above = explicit.corner.startswith("top")
    out = np.empty((height + strip, *pixels.shape[1:]), pixels.dtype)
    out[strip if above else 0:][:height] = pixels
    _, mean, _ = _ground(pixels[:max(1, height // 8)] if above else pixels[-max(1, height // 8):])
    look = Look(mean < 0.35, 0.0)
    area = out[:strip] if above else out[height:]
    tone = DARK if look.light_ink else LIGHT
    area[...] = tone * (_full(out) // 255)
    if area.ndim == 3 and area.shape[2] == 4:
        area[..., 3] = _full(out)
    x = _along(explicit.corner, ("left", "right"), width - rendering.size[1], 0)
    _lay(area[:, x:x + rendering.size[1]], rendering, look, explicit.opacity)
    ratio = _contrast(look, (float(tone),) * 3, (float(tone),) * 3, explicit.opacity)
    return out, placement(lines, rendering, (x, 0 if above else height), out.shape, explicit.corner, ratio, "border")


@functools.lru_cache(maxsize=_CACHED)
def _fit_strip(height: int, width: int, explicit: Explicit) -> tuple[tuple[str, ...], Rendering, int]:
    """Lines, rendering and strip height; the strip counts as part of the picture, so the legal height grows with it."""
    strip = 0
    for _ in range(64):
        ink_px = rules.floor_px(height + strip, width, explicit.height)
        fitting = _largest_lines(explicit, ink_px, width, max(height, width))
        if not fitting:
            break
        lines, rendering = fitting
        if rendering.size[0] <= strip or rendering.ink_height_px >= rules.floor_px(
                height + rendering.size[0], width, explicit.height):
            return lines, rendering, rendering.size[0]
        strip = rendering.size[0]
    raise HostTooSmall("a strip {width} pixels wide cannot hold {text} at the legal height",
                       width=width, text=explicit.text, hint="enlarge the picture or shorten the text")
