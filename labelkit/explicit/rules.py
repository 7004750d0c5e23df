# SPDX-License-Identifier: Apache-2.0
"""What GB 45438-2025 asks of an explicit label, as checks. Where its text leaves a choice, they are strict."""

from __future__ import annotations

import math

from labelkit.errors import InvalidArgument, InvalidLabel
from labelkit.explicit.wording import is_negated
from labelkit.languages import CHINESE
from labelkit.plan import MIN_HEIGHT_SHARE, Explicit

AI_ELEMENTS = ("人工智能", "AI")
GENERATION_ELEMENTS = ("生成", "合成")

# The standard sets no size in pixels; it wants text that is clearly legible (5.2). Below 10 pixels
# the strokes of 智 and 能 merge, so a picture too small for that is refused.
MIN_INK_PX = 10

# WCAG 2.1, 1.4.3, level AA. The 3:1 allowed for large text is not enough: pictures are also seen as
# thumbnails, where a label of 5 % of the short side is small text.
MIN_CONTRAST = 4.5

# Text without a plate has to stand on its own after recompression and shrinking: level AAA (1.4.6).
MIN_PLAIN_CONTRAST = 7.0

# Reference white of SDR graphics in HDR, as shares of full scale: Rec. ITU-R BT.2408, table 1
WHITE = {"sdr": 1.0, "hlg": 0.75, "pq": 0.58}

MAX_CHARACTERS = 64  # a label is a line or two; bounds the time and memory of rasterising


def check_text(text: object) -> None:
    """Raises InvalidLabel, naming the clause, for a label text without both elements (GB 45438-2025 5.2-5.6)."""
    text = _checked(text)
    if is_negated(text):
        raise InvalidLabel("GB 45438-2025 5.2: the label text says that the content is generated, {text} says that it "
                           "is not", text=repr(text), hint="write for example AI生成")
    if not any(element in text for element in AI_ELEMENTS):
        raise InvalidLabel("GB 45438-2025 5.2: the label text must hold 人工智能 or AI, got {text}",
                           text=repr(text), hint="write for example AI生成, or name the language of a label that "
                           "is not made for China")
    if not any(element in text for element in GENERATION_ELEMENTS):
        raise InvalidLabel("GB 45438-2025 5.2: the label text must hold 生成 or 合成, got {text}",
                           text=repr(text), hint="write for example AI生成, or name the language of a label that "
                           "is not made for China")


def has_elements(text: str) -> bool:
    """Whether a text holds both elements of GB 45438-2025."""
    return any(one in text for one in AI_ELEMENTS) and any(one in text for one in GENERATION_ELEMENTS)


def _checked(text: object) -> str:
    if not isinstance(text, str):
        raise InvalidArgument("the label text is a string, got {got}", got=type(text).__name__)
    if len(text) > MAX_CHARACTERS:
        raise InvalidArgument("the label text may have {most} characters, got {count}",
                              most=MAX_CHARACTERS, count=len(text))
    return text


def check_words(text: str) -> None:
    """Raises InvalidLabel for a label text in another language that holds no letter, what is not printed, or a
    negation; InvalidArgument for one that is too long. What it says is its writer's affair."""
    _checked(text)
    if not any(character.isalpha() for character in text) or not text.replace("\u200c", "").replace(
            "\u200d", "").isprintable():
        raise InvalidLabel("a label is made of printed letters, got {text}", text=repr(text))
    if is_negated(text):
        raise InvalidLabel("the label text says that the content is generated, {text} says that it is not",
                           text=repr(text))


def check_label(explicit: Explicit) -> None:
    """Raises InvalidLabel for a label whose text has not both elements, unless its words are those of an EU icon, or of
    another language: GB 45438-2025 asks for Chinese."""
    if explicit.words is None and explicit.language in (None, CHINESE):
        check_text(explicit.text)
    elif explicit.words is None:
        check_words(explicit.text)


def element_characters(text: str) -> str:
    """The characters of `text` whose height counts: those of the elements that the standard asks for, in order.

    "Text height" is not defined (em, capital, ink). Measuring the ink of the lowest of these characters,
    capitals A and I included, satisfies every reading. Other words may hold low characters such as 一.
    """
    return "".join(element for element in AI_ELEMENTS + GENERATION_ELEMENTS if element in text)


def floor_px(height: int, width: int, share: float = MIN_HEIGHT_SHARE) -> int:
    """Lowest permitted ink height in pixels for a picture of `height` x `width` pixels (GB 45438-2025 5.2, 5.4)."""
    # without the epsilon, 0.07 * 100 = 7.000000000000001 would be rounded up to 8
    return max(MIN_INK_PX, math.ceil(share * min(height, width) - 1e-9))


def _linear(value: float) -> float:
    value /= 255
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


LINEAR = tuple(_linear(value) for value in range(256))
"""sRGB code value 0-255 to linear light 0-1 (IEC 61966-2-1)."""


def luminance(colour: tuple[float, float, float]) -> float:
    """Relative luminance 0-1 of an sRGB colour of 0-255 per channel, rounded as pixels are (WCAG 2.1)."""
    red, green, blue = colour
    return 0.2126 * LINEAR[round(red)] + 0.7152 * LINEAR[round(green)] + 0.0722 * LINEAR[round(blue)]


def contrast(first: tuple[float, float, float], second: tuple[float, float, float]) -> float:
    """Contrast ratio 1-21 of two sRGB colours of 0-255 per channel (WCAG 2.1)."""
    one, other = luminance(first) + 0.05, luminance(second) + 0.05
    return one / other if one > other else other / one
