# SPDX-License-Identifier: Apache-2.0
"""verify's look at the pixels of a picture: is our explicit label there, and is it as the standard wants it?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from labelkit.codec.samples import ImageSamples
from labelkit.errors import LabelkitError
from labelkit.explicit import ocr, rules
from labelkit.explicit.image import check_pixels, likely_lines
from labelkit.explicit.search import Match, ends_and_middle, search
from labelkit.explicit.wording import Wording
from labelkit.messages import Message
from labelkit.plan import MIN_HEIGHT_SHARE
from labelkit.report import Finding, Layer, Status

TEXTS = ("AI生成", "AI合成", "AI生成合成", "人工智能生成", "人工智能合成", "人工智能生成合成",
         "由AI生成", "内容由AI生成", "本内容由AI生成", "图片由AI生成", "由人工智能生成", "内容由人工智能生成")

# The strict writer measures the capitals of AI as well; a reader takes the lowest Chinese character and
# allows for the error of its own measurement, so that nobody's 5.0 % is called too small.
_MEASURING_ERROR = 0.04

_LONG = 24  # of a picture longer than this times its short side only the ends and the middle are searched

PLACES = {"top-left": Message("top left"), "top": Message("top"), "top-right": Message("top right"),
           "left": Message("left"), "": Message("middle"), "right": Message("right"),
           "bottom-left": Message("bottom left"), "bottom": Message("bottom"), "bottom-right": Message("bottom right")}


def find(samples: ImageSamples, expected_text: str | None = None, *, read_text: bool = False) -> Finding:
    """VALID where the label is seen in the first, middle and last frame, INVALID where it is too low or comes and goes.

    expected_text   a text that another layer names, looked for beside TEXTS
    read_text       where our own label is not there, read the text along the edges, in whatever font (labelkit[ocr])

    Without `read_text` only the bundled font is recognised: ABSENT means that no label of that look is at an edge or
    corner. Evidence: text, box, position, height_share, contrast, score, and seen_by, "font" or "reading"; with the
    latter wording ("label" or "english"), and of an ABSENT label unread (lines not made out) and mention.
    Raises UnsupportedFormat where text is to be read and RapidOCR is not installed.
    """
    frames = _looked_at(samples)
    matches = [find_in(frame, expected_text) for frame in frames]
    if any(matches):
        return _judged(matches, frames, _MEASURING_ERROR, {"seen_by": "font"})
    if read_text:
        return read(samples)
    return Finding(Layer.EXPLICIT, Status.ABSENT, Message("no label text found along the edges; only the bundled font "
                   "is recognised, labelkit[ocr] reads others"), evidence={"texts": list(_texts(expected_text))})


def read(samples: ImageSamples) -> Finding:
    """The finding by what is read along the edges: as by the font, less sure of heights; a mention is no label.

    Raises UnsupportedFormat where RapidOCR is not installed, LimitExceeded where it cannot cope with the picture.
    """
    frames = _looked_at(samples)
    readings = [ocr.read(_colour(frame)) if min(frame.shape[:2]) >= rules.MIN_INK_PX else ocr.Reading(None, None, 0)
                for frame in frames]
    found = [one.match if one.wording in (Wording.LABEL, Wording.ENGLISH) else None for one in readings]
    if any(found):
        wording = next(one.wording for one in readings if one.match in found)
        return _judged(found, frames, ocr.MEASURING_ERROR, {"seen_by": "reading", "wording": wording.value})
    unread = sum(one.unread for one in readings)
    evidence: dict[str, object] = {"seen_by": "reading", "unread": unread}
    mention, frame = next(((one.match, frame) for one, frame in zip(readings, frames, strict=True) if one.match),
                          (None, None))
    if mention:
        evidence["mention"] = _evidence(mention, frame)
        summary = Message('"{text}" {place} speaks of AI; whether it is a label, a person must judge',
                          text=mention.text, place=PLACES[evidence["mention"]["position"]])
    elif unread:
        summary = Message("no label text read along the edges, {count} lines there were not made out", count=unread)
    else:
        summary = Message("no label text along the edges, neither in the bundled font nor read in any other")
    return Finding(Layer.EXPLICIT, Status.ABSENT, summary, evidence=evidence)


def _looked_at(samples: ImageSamples) -> list[np.ndarray]:
    return [samples.frames[i] for i in sorted({0, len(samples.frames) // 2, len(samples.frames) - 1})]


def _judged(matches: list[Match | None], frames: list[np.ndarray], error: float, how: dict[str, str]) -> Finding:
    """The finding of a label that is there; `error` is that of the measured height, as a share of it."""
    seen = [(match, frame) for match, frame in zip(matches, frames, strict=True) if match]
    match, frame = min(seen, key=lambda pair: pair[0].glyph_height_px)
    evidence = _evidence(match, frame) | how
    facts = {"text": match.text, "place": PLACES[evidence["position"]],
             "share": f"{100 * match.glyph_height_px / min(frame.shape[:2]):.1f}"}
    if len(seen) < len(frames):
        summary = Message('"{text}" {place} in {seen} of {looked} frames looked at', seen=len(seen),
                          looked=len(frames), **facts)
        return Finding(Layer.EXPLICIT, Status.INVALID, summary, evidence=evidence)
    if match.glyph_height_px < MIN_HEIGHT_SHARE * (1 - error) * min(frame.shape[:2]):
        summary = Message('"{text}" {place}, {share} % of the short side where GB 45438-2025 5.2 wants 5 %', **facts)
        return Finding(Layer.EXPLICIT, Status.INVALID, summary, evidence=evidence)
    return Finding(Layer.EXPLICIT, Status.VALID, Message('"{text}" {place}, {share} % of the short side', **facts),
                   evidence=evidence)


def find_in(pixels: np.ndarray, expected_text: str | None = None) -> Match | None:
    """The label in one picture, uint8 or uint16 [height, width], [height, width, 3] or [height, width, 4], or None."""
    check_pixels(pixels)
    if min(pixels.shape[:2]) < rules.MIN_INK_PX:
        return None
    forms = [likely_lines(*pixels.shape[:2], text) for text in _texts(expected_text)]
    texts = tuple(sorted(set().union(*forms)))
    for left, top, part in ends_and_middle(pixels, _LONG, _LONG // 4):
        found = search(_grey(part), texts)
        if found:
            x, y, width, height = found.box
            return replace(found, box=(left + x, top + y, width, height))
    return None


def _texts(expected: str | None) -> tuple[str, ...]:
    """TEXTS and the expected one, unless that is nothing that we could have drawn: it may come from a hostile file."""
    from labelkit.explicit.font import Font

    try:
        rules.check_text(expected)
        Font.open(None).check(expected)
    except LabelkitError:
        return TEXTS
    return tuple(dict.fromkeys((expected, *TEXTS)))


def _grey(pixels: np.ndarray) -> np.ndarray:
    """uint8 [height, width] as seen on white, where most viewers show what is transparent."""
    from PIL import Image

    seen = _colour(pixels)
    return np.ascontiguousarray(seen) if seen.ndim == 2 else np.asarray(Image.fromarray(seen).convert("L"))


def _colour(pixels: np.ndarray) -> np.ndarray:
    """uint8 [height, width] or [height, width, 3], as seen on white."""
    from PIL import Image

    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return np.ascontiguousarray(pixels)
    if pixels[..., 3].min() == 255:
        return np.ascontiguousarray(pixels[..., :3])
    page = Image.new("RGBA", pixels.shape[1::-1], "white")
    page.alpha_composite(Image.fromarray(np.ascontiguousarray(pixels)))
    return np.asarray(page.convert("RGB"))


def _evidence(match: Match, frame: np.ndarray) -> dict[str, object]:
    height, width = frame.shape[:2]
    x, y, w, h = match.box
    across = ("left", "", "right")[min(2, max(0, int(3 * (x + w / 2) / width)))]
    down = ("top", "", "bottom")[min(2, max(0, int(3 * (y + h / 2) / height)))]
    return {"text": match.text, "box": list(match.box), "position": "-".join(filter(None, (down, across))),
            "height_share": round(match.glyph_height_px / min(height, width), 4),
            "contrast": round(match.contrast, 2), "score": round(abs(match.score), 3)}
