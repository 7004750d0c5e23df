# SPDX-License-Identifier: Apache-2.0
"""Finds the explicit label in a text: where a reader finds it, at the start, at the end or between paragraphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labelkit.codec.samples import Block, TextSamples
from labelkit.errors import OutputFailed
from labelkit.evidence import DrawnWords, ExplicitEvidence
from labelkit.explicit.text.notices import Kind, Notice, notices, simplified, speaks_of_ai
from labelkit.languages import CHINESE, LANGUAGES
from labelkit.messages import Message
from labelkit.report import Finding, Layer, Status

PLACES = {"start": Message("at the start"), "middle": Message("in the middle"), "end": Message("at the end")}

_EDGE_BLOCKS = 4  # of the first and last paragraphs: a title, a byline or a signature may stand outside of the label
_NOTICE = 200  # characters of a paragraph in the middle that can be a notice and not running text
_LOOKED_AT = 50_000  # paragraphs; of longer texts those in the middle are left out
_MAX_SHOWN = 80  # characters


@dataclass(frozen=True, slots=True)
class Seen:
    """A label in a text, where it stands, in which part, and whether nothing stands outside of it."""

    notice: Notice
    place: str
    part: int
    is_outermost: bool


def find(samples: TextSamples) -> Finding:
    """VALID where a label is seen, ABSENT where none is.

    What was not read of a text in which none is seen is `missed`. Evidence: text, place ("start", "middle" or "end"),
    seen_by "text", wording ("label", "mark", "english" or "other"), words and text_bytes, and of an ABSENT label
    mentioned.
    """
    seen, (words, text_bytes) = list(_seen(samples.blocks)), _extent(samples.blocks)
    missed = (*samples.missed, *_left_out(samples.blocks), *_badges(samples))
    if not seen:
        mentioned = next((block.text for block in _ends(samples.blocks) if speaks_of_ai(block.text)), None)
        evidence = ExplicitEvidence(seen_by="text", mentioned=mentioned and _shortened(mentioned), words=words,
                                    text_bytes=text_bytes)
        summary = (Message('"{text}" speaks of AI; whether it is a label, a person must judge',
                           text=_shortened(mentioned)) if mentioned else Message("no label in the text"))
        return Finding(Layer.EXPLICIT, Status.ABSENT, summary, evidence=evidence, missed=missed)
    best = min(seen, key=lambda one: (list(Kind).index(one.notice.kind), one.place == "middle"))
    text = _shortened(best.notice.text)
    evidence = ExplicitEvidence(text=text, place=best.place, seen_by="text", wording=best.notice.kind.value,
                                words=words, text_bytes=text_bytes, language=_language(text))
    parts = len({block.part for block in samples.blocks if block.role not in ("other", "title")})
    summary = Message('"{text}" {place}', text=text, place=PLACES[best.place])
    if parts > 1:
        summary = Message('"{text}" {place}, in {seen} of {parts} parts', text=text, place=PLACES[best.place],
                          seen=len({one.part for one in seen}), parts=parts)
    return Finding(Layer.EXPLICIT, Status.VALID, summary, evidence=evidence)


def _language(text: str) -> str | None:
    """The language whose usual label a text is; Chinese goes without saying."""
    key = key_of(text)
    return next((one for one, words in LANGUAGES.items() if key_of(words.text) == key and one != CHINESE), None)


def _extent(blocks: Sequence[Block]) -> tuple[int, int]:
    """(words, bytes as UTF-8) of a text; a language without spaces has one word a paragraph."""
    return (sum(len(block.text.split()) for block in blocks),
            sum(len(block.text.encode("utf-8", "surrogatepass")) for block in blocks))


def confirm(samples: TextSamples, drawn: DrawnWords) -> None:
    """Raise OutputFailed unless the label reads back from every part of the labelled text."""
    wanted = key_of(drawn.text)
    own = [block for block in samples.blocks if block.role not in ("other", "title")]
    seen = {one.part for one in _seen(own) if key_of(one.notice.text) == wanted}
    if not seen or seen != {block.part for block in own}:
        raise OutputFailed("the explicit label {text} does not read back from the text", text=repr(drawn.text))


def stands_at(samples: TextSamples, text: str) -> set[str]:
    """Where a text stands as a label already, in every part: outermost at "start" or "end", or in the "middle"."""
    own = [block for block in samples.blocks if block.role not in ("other", "title")]
    seen = {(one.place if one.is_outermost else "middle", one.part) for one in _seen(own)
            if key_of(one.notice.text) == key_of(text)}
    parts = {block.part for block in own}
    return {place for place in PLACES if parts and all((place, part) in seen for part in parts)}


def key_of(text: str) -> str:
    """What two forms of the same words have in common."""
    return "".join(character for character in simplified(text).casefold() if character.isalnum())


def _seen(blocks: Sequence[Block]) -> Iterator[Seen]:
    own = [block for block in blocks if block.role != "other"]
    for first, stop in _parts(own):
        body = [index for index in range(first, stop) if own[index].role not in ("box", "mark")] or [stop, first - 1]
        for index in _indices(first, stop):
            at_edge = min(index - first, stop - 1 - index) < _EDGE_BLOCKS
            for notice in _labels(own[index]):
                if not _counts(own[index], notice, at_edge):
                    continue
                # what stands alone in a margin or a corner comes before or after what is read
                outer = ("start",) * (index < body[0]) + ("end",) * (index > body[-1])
                for place in outer or _places(index - first, stop - first):
                    yield Seen(notice, place, own[index].part, bool(outer) or index in (first, stop - 1))


def _counts(block: Block, notice: Notice, at_edge: bool) -> bool:
    """Whether what reads like a label is one where it stands."""
    if block.role == "item" and at_edge and not notice.bare:  # a table or a list may begin or end with one
        return True
    if block.role in ("heading", "item", "title"):
        return not (notice.bare or notice.whole)
    return at_edge or block.role == "box" or not notice.bare and (notice.whole or len(block.text) <= _NOTICE)


def _places(index: int, count: int) -> tuple[str, ...]:
    """Where the block `index` of `count` stands."""
    if count == 1:
        return ("start", "end")
    if index == 0 or index < _EDGE_BLOCKS and 3 * index < count - 1:
        return ("start",)
    back = count - 1 - index
    return ("end",) if back == 0 or back < _EDGE_BLOCKS and 3 * back < count - 1 else ("middle",)


def _labels(block: Block) -> Iterator[Notice]:
    if block.role == "mark":
        yield Notice(block.text, Kind.MARK, bare=False, whole=True)
    else:
        yield from notices(block.text)


def _parts(blocks: Sequence[Block]) -> Iterator[tuple[int, int]]:
    """Where each part starts and stops among the blocks."""
    first = 0
    for index in range(1, len(blocks) + 1):
        if index == len(blocks) or blocks[index].part != blocks[first].part:
            yield first, index
            first = index


def _indices(first: int, stop: int) -> Iterator[int]:
    if stop - first <= _LOOKED_AT:
        yield from range(first, stop)
    else:
        yield from range(first, first + _LOOKED_AT // 2)
        yield from range(stop - _LOOKED_AT // 2, stop)


def _left_out(blocks: Sequence[Block]) -> Iterator[Message]:
    """What to say of paragraphs that are not looked at."""
    own = [block for block in blocks if block.role != "other"]
    for first, stop in _parts(own):
        if stop - first > _LOOKED_AT:
            yield Message("of {count} paragraphs, {seen} were looked at", seen=_LOOKED_AT, count=stop - first)


def _badges(samples: TextSamples) -> Iterator[Message]:
    """Pictures that are said to show a label: the words are not read, and so they are none."""
    for text in samples.described:
        is_mark = text.strip("[]【】()（） ").upper() in ("AI", "AIGC")
        if is_mark or any(not one.bare or one.whole for one in notices(text)):
            yield Message('a picture is said to show "{text}"; whether it does, a person must judge',
                          text=_shortened(text))
            return


def _ends(blocks: Sequence[Block]) -> Iterator[Block]:
    own = [block for block in blocks if block.role == "text"]
    yield from own[:_EDGE_BLOCKS]
    yield from own[max(_EDGE_BLOCKS, len(own) - _EDGE_BLOCKS):]


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN - 1] + "…"
