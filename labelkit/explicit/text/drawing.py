# SPDX-License-Identifier: Apache-2.0
"""Puts the explicit label into a text."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from labelkit.codec.samples import TextSamples, Typeface, Words
from labelkit.errors import InvalidLabel, MissingGlyph, UnsupportedFormat
from labelkit.evidence import DrawnWords
from labelkit.explicit import rules
from labelkit.explicit.image.font import Font, is_shaped
from labelkit.explicit.text import finding, notices
from labelkit.plan import Explicit


def draw(samples: TextSamples, explicit: Explicit) -> tuple[TextSamples, DrawnWords]:
    """The text with the label, and what was put in where.

    A place where these words stand as a label already is left as it is. Raises InvalidLabel for words without both
    elements, and for those that say more than a label: they would not be read as one again.
    """
    words = words_of(explicit)
    there = finding.stands_at(samples, words[0].text)
    added = tuple(one for one in words if one.place not in there)
    if samples.is_drawn and added:
        font = Font.open(explicit.font, words[0].text)
        if is_shaped(words[0].text):
            raise UnsupportedFormat("{text} must be shaped, which is not done on pages of a PDF or OFD",
                                    text=words[0].text,
                                    hint="label it in a language of another script, such as English")
        font.check(words[0].text)
        added = _in(font, added)
    elif samples.is_outlined and added:
        font = Font.open(explicit.font, words[0].text)
        with suppress(MissingGlyph, UnsupportedFormat):  # the viewer's fonts may have what is missing
            font.check(words[0].text)
            added = _in(font, added)
    drawn = DrawnWords(text=words[0].text, places=tuple(one.place for one in words), mark=words[0].mark)
    return replace(samples, words=(*samples.words, *added)), drawn


def _in(font: Font, words: tuple[Words, ...]) -> tuple[Words, ...]:
    return tuple(replace(one, font=Typeface(font.name, font.data, font.face)) for one in words)


def words_of(explicit: Explicit) -> tuple[Words, ...]:
    """What a plan puts into a text, one for each place."""
    mark = explicit.style == "icon" or explicit.words == "eu-ai"
    text = "AI" if mark else " ".join(explicit.text.split())
    if not mark:
        rules.check_label(explicit)
        if not text.isprintable():
            raise InvalidLabel("the label text holds characters that are not printed: {text}", text=repr(text))
        inside = explicit.place == "middle"
        text = text if _reads(text, inside=inside) else f"【{text}】"
        if not _reads(text, inside=inside):
            raise InvalidLabel("{text} would be read as a text about AI and not as a label", text=repr(text),
                               hint="write for example AI生成")
    places = ("start", "end") if explicit.place == "both" else (explicit.place,)
    return tuple(Words(text, place, mark) for place in places)


def _reads(text: str, *, inside: bool) -> bool:
    """Whether words are read as a label where they stand alone, at an end or inside of a text."""
    return any(notice.whole and not (inside and notice.bare) for notice in notices.notices(text))
