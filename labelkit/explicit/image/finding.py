# SPDX-License-Identifier: Apache-2.0
"""Finds the explicit label in the pixels of a picture, and checks it against the standard."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from labelkit import kernels
from labelkit.codec.samples import ImageSamples
from labelkit.distribution import extra
from labelkit.errors import LabelkitError
from labelkit.evidence import ExplicitEvidence, SeenText, StatedPlace
from labelkit.explicit import rules
from labelkit.explicit.image import eu_words, languages as other, ocr
from labelkit.explicit.image.alignment import TextMatch, ink_before
from labelkit.explicit.image.drawing import Pixels, check_pixels, likely_lines
from labelkit.explicit.image.matching import ends_and_middle
from labelkit.explicit.image.raster import UInt8, height_em
from labelkit.explicit.image.template_matching import Place, search
from labelkit.explicit.wording import Wording, is_negated
from labelkit.messages import Message
from labelkit.plan import MIN_HEIGHT_SHARE
from labelkit.report import Finding, Layer, Status

TEXTS = ("AI生成", "AI合成", "AI生成合成", "人工智能生成", "人工智能合成", "人工智能生成合成",
         "由AI生成", "内容由AI生成", "本内容由AI生成", "图片由AI生成", "由人工智能生成", "内容由人工智能生成")

# Drawing measures the capitals of AI as well; finding takes the lowest Chinese character and allows for the error of
# its own measurement, so that no label of exactly 5 % is reported as too small.
MEASURING_ERROR = 0.04
_NO_LEAST = 1.0  # no law gives the height of words in other languages

_INK = 92  # percentile of brightness in the box of a text from which on it is ink: strokes take a quarter of it
_USUAL_MARGIN = 0.05  # of the short side: twice the default plan's margin and more
_LONG = 24  # of a picture longer than this times its short side only the ends and the middle are searched

PLACES = {"top-left": Message("top left"), "top": Message("top"), "top-right": Message("top right"),
           "left": Message("left"), "": Message("middle"), "right": Message("right"),
           "bottom-left": Message("bottom left"), "bottom": Message("bottom"), "bottom-right": Message("bottom right")}


def find(samples: ImageSamples, expected_text: str | None = None, *, read_text: bool = False,
         stated_place: StatedPlace | None = None, languages: Collection[str] = ()) -> Finding:
    """VALID where the label is seen in the first, middle and last frame, INVALID where it is too low or comes and goes.

    expected_text   a text that another layer names, searched for beside TEXTS
    read_text       where our own label is not there, read the text along the edges, in whatever font (the extra `ocr`)
    stated_place    where another layer says that the label is: looked at first, which saves time and decides nothing
    languages       those other than Chinese whose usual words are searched for along all edges, in every size

    Without `read_text` only the bundled font is recognised: ABSENT means that no label in it is at an edge or
    corner. The usual words of other languages are found after those of GB 45438-2025, where `languages` looks for them,
    and then the words of the EU icons, where `eu_words` does: many a label ends with AI.
    Evidence: text, box, position, height_share, contrast, score, and seen_by, "font" or "reading"; with the latter,
    and of other words than the standard's, wording ("label", "english" or "other") and language, and of an ABSENT
    label unread (lines not made out) and mention.
    Raises UnsupportedFormat where text is to be read and RapidOCR is not installed.
    """
    frames = _examined(samples)
    matches = [find_in(frame, expected_text, stated_place) for frame in frames]
    for match, frame in zip(matches, frames, strict=True):
        if match and _is_negated(match, frame, read_text):
            return _mentioned(match, frame, ExplicitEvidence(seen_by="font"))
    if any(matches):
        return _judged(matches, frames, MEASURING_ERROR, seen_by="font")
    matches = [other.find_in(_grey(frame), languages, expected_text, stated_place)
               if min(frame.shape[:2]) >= rules.MIN_INK_PX else None for frame in frames]
    for match, frame in zip(matches, frames, strict=True):
        if match and is_negated(match.text):
            return _mentioned(match, frame, ExplicitEvidence(seen_by="font"))
    if any(matches):
        return _judged(matches, frames, _NO_LEAST, seen_by="font", wording=_wording(matches))
    matches = [eu_words.find_in(_grey(frame), expected_text, stated_place) if min(frame.shape[:2]) >= rules.MIN_INK_PX
               else None for frame in frames]
    if any(matches):
        return _judged(matches, frames, MEASURING_ERROR, seen_by="font", wording=Wording.ENGLISH)
    if read_text:
        return read(samples)
    return Finding(Layer.EXPLICIT, Status.ABSENT, Message("no label text found along the edges; only the bundled font "
                   "is recognised, {extra} reads others", extra=extra("ocr")),
                   evidence=ExplicitEvidence(texts=_texts(expected_text)))


def read(samples: ImageSamples) -> Finding:
    """The finding from text that OCR reads along the edges: heights are less exact; a mention is not a label.

    Raises UnsupportedFormat where RapidOCR is not installed, LimitExceeded where it fails on the picture.
    """
    frames = _examined(samples)
    readings = [ocr.read(_colour(frame)) if min(frame.shape[:2]) >= rules.MIN_INK_PX else ocr.Reading(None, None, 0)
                for frame in frames]
    labels = [one.match if one.wording is not Wording.MENTION else None for one in readings]
    if any(labels):
        wording = next(one.wording for one in readings if one.match in labels)
        error = _NO_LEAST if wording is Wording.OTHER else ocr.MEASURING_ERROR
        return _judged(labels, frames, error, seen_by="reading", wording=wording)
    unread = sum(one.unread for one in readings)
    evidence = ExplicitEvidence(seen_by="reading", unread=unread)
    mention, frame = next(((one.match, frame) for one, frame in zip(readings, frames, strict=True) if one.match),
                          (None, None))
    if mention and frame is not None:
        return _mentioned(mention, frame, evidence)
    if unread:
        summary = Message("no label text read along the edges, {count} lines there were not made out", count=unread)
    else:
        summary = Message("no label text along the edges, neither in the bundled font nor read in any other")
    return Finding(Layer.EXPLICIT, Status.ABSENT, summary, evidence=evidence)


def _wording(matches: list[TextMatch | None]) -> Wording:
    """How the standard sees words in another language: Japanese may have both of its elements."""
    text = next(match.text for match in matches if match)
    if rules.has_elements(text):
        return Wording.LABEL
    return Wording.ENGLISH if other.language_of(text) == "en" else Wording.OTHER


def _mentioned(mention: TextMatch, frame: Pixels, evidence: ExplicitEvidence) -> Finding:
    """The finding of a text that is no label, or may be none."""
    seen = _seen_text(mention, frame)
    facts = {"text": mention.text, "place": PLACES[seen.position]}
    summary = (Message('"{text}" {place} says that the content is not AI-generated: no label', **facts)
               if is_negated(mention.text) else
               Message('"{text}" {place} speaks of AI; whether it is a label, a person must judge', **facts))
    return Finding(Layer.EXPLICIT, Status.ABSENT, summary, evidence=replace(evidence, mention=seen))


def _is_negated(match: TextMatch, frame: Pixels, read_text: bool) -> bool:
    """Whether what stands before a label makes it the opposite: by the font, and where it has not the character by
    reading the line, if something stands there and text may be read."""
    if is_negated(match.text):
        return True
    if not read_text or not ink_before(_grey(frame), match):
        return False
    return is_negated(ocr.line_around(_colour(frame), match.box))


def _examined(samples: ImageSamples) -> list[Pixels]:
    """The first, the middle and the last frame."""
    return [samples.frames[i] for i in sorted({0, len(samples.frames) // 2, len(samples.frames) - 1})]


def _judged(matches: list[TextMatch | None], frames: list[Pixels], error: float, *, seen_by: str,
            wording: Wording | None = None) -> Finding:
    """The finding for a label that is there; `error` is that of the measured height, as a share of it."""
    seen = [(match, frame) for match, frame in zip(matches, frames, strict=True) if match]
    match, frame = min(seen, key=lambda pair: pair[0].glyph_height_px)
    text = _seen_text(match, frame)
    evidence = ExplicitEvidence(text=text.text, box=text.box, position=text.position, height_share=text.height_share,
                                contrast=text.contrast, score=text.score, seen_by=seen_by,
                                wording=wording.value if wording else None, language=other.language_of(text.text))
    facts = {"text": match.text, "place": PLACES[text.position],
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


def find_in(pixels: Pixels, expected_text: str | None = None, stated_place: StatedPlace | None = None,
            ) -> TextMatch | None:
    """The label in one picture, uint8 or uint16 [height, width], [height, width, 3] or [height, width, 4], or None."""
    check_pixels(pixels)
    if min(pixels.shape[:2]) < rules.MIN_INK_PX:
        return None
    height, width = pixels.shape[:2]
    breaks = {lines for text in _texts(expected_text) for lines in likely_lines(height, width, text)}
    for left, top, part in ends_and_middle(pixels, _LONG, _LONG // 4):
        likely = _stated(stated_place, expected_text) if stated_place and part is pixels else _usual(*part.shape[:2])
        found = search(_grey(part), tuple(sorted(breaks)), likely)
        if found:
            x, y, width, height = found.box
            return replace(found, box=(left + x, top + y, width, height))
    return None


def _usual(height: int, width: int) -> Place:
    """Where labels are unless a plan says otherwise: along the lower edge, at the legal height."""
    anchor_px = rules.floor_px(height, width) * _anchor_to_lowest(TEXTS[0])
    return Place((0, height - round(_USUAL_MARGIN * min(height, width) + 3.2 * anchor_px), width, height), anchor_px)


def _stated(place: StatedPlace, text: str | None) -> Place:
    """The place that another layer states, with half the height of a character around it."""
    anchor_px = place.ink_height_px * _anchor_to_lowest(_texts(text)[0])
    (x, y, width, height), around = place.box, round(anchor_px / 2)
    return Place((x - around, y - around, x + width + around, y + height + around), anchor_px)


def _anchor_to_lowest(text: str) -> float:
    """The ink height of 成 by that of the lowest character that the standard counts."""
    return height_em("成", None) / min(height_em(character, None) for character in rules.element_characters(text))


def _texts(expected: str | None) -> tuple[str, ...]:
    """TEXTS and the expected one, unless we could not have drawn that: it may come from a hostile file."""
    from labelkit.explicit.image.font import Font

    if not isinstance(expected, str):
        return TEXTS
    try:
        rules.check_text(expected)
        Font.open(None).check(expected)
    except LabelkitError:
        return TEXTS
    return tuple(dict.fromkeys((expected, *TEXTS)))


def _grey(pixels: Pixels) -> UInt8:
    """uint8 [height, width], transparent parts on white as in most viewers."""
    colour = _colour(pixels)
    if colour.ndim == 2:
        return colour
    luma = np.empty(colour.shape[:2], np.uint8)
    kernels.image_luma(colour, luma)
    return luma


def _colour(pixels: Pixels) -> UInt8:
    """uint8 [height, width] or [height, width, 3], transparent parts on white."""
    from PIL import Image

    shown: UInt8 = (pixels >> 8 if pixels.dtype == np.uint16 else pixels).astype(np.uint8, copy=False)
    if shown.ndim == 2 or shown.shape[2] == 3:
        return np.ascontiguousarray(shown)
    if shown[..., 3].min() == 255:
        return np.ascontiguousarray(shown[..., :3])
    page = Image.new("RGBA", (shown.shape[1], shown.shape[0]), "white")
    page.alpha_composite(Image.fromarray(np.ascontiguousarray(shown)))
    return np.asarray(page.convert("RGB"))


def _seen_text(match: TextMatch, frame: Pixels) -> SeenText:
    height, width = frame.shape[:2]
    x, y, w, h = match.box
    across = ("left", "", "right")[min(2, max(0, int(3 * (x + w / 2) / width)))]
    down = ("top", "", "bottom")[min(2, max(0, int(3 * (y + h / 2) / height)))]
    return SeenText(match.text, match.box, "-".join(filter(None, (down, across))),
                    round(match.glyph_height_px / min(height, width), 4),
                    round(_contrast_in_colour(match, frame) or match.contrast, 2),
                    round(abs(match.score), 3))


def _contrast_in_colour(match: TextMatch, frame: Pixels) -> float | None:
    """WCAG's ratio of the ink's colour to the ground's in the box of a match; None where there is no colour.

    Grey values mislead: red and blue on black have less luminance in them than in colour.
    """
    x, y, width, height = match.box
    colour = _colour(frame)
    part = colour[max(0, y):max(0, y + height), max(0, x):max(0, x + width)]
    if colour.ndim == 2 or not part.size:
        return None
    grey = part @ np.array((0.299, 0.587, 0.114))
    dark, middle, bright = np.percentile(grey, (100 - _INK, 50, _INK))
    ink = grey >= bright if bright - middle > middle - dark else grey <= dark  # most of the box is ground
    ground = grey <= middle if bright - middle > middle - dark else grey >= middle
    first, second = ([float(value) for value in np.median(part[where], axis=0)] for where in (ink, ground))
    return rules.contrast((first[0], first[1], first[2]), (second[0], second[1], second[2]))
