# SPDX-License-Identifier: Apache-2.0
"""XMind: the label is a floating topic above the first map, below the last, or above one between.

Sheets of XMind 2020 and later are JSON, those of XMind 8 XML. No guide says where words stand in a map (TC260-PG-20258A
names the format alone); a floating topic is what a person sees without opening anything.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from xml.sax.saxutils import escape

from labelkit.codec.samples import Block, Words
from labelkit.container import archive, join, jsontext, markup, xmind
from labelkit.container.base import Reader, splice
from labelkit.container.markup import Element
from labelkit.errors import HostTooSmall, MalformedFile

_MAX_TOPICS, _MAX_SHEETS = 50_000, 500
_TOPIC_PX, _GAP_PX = 50, 120  # a map grows by about so much with each topic at its end; and what is left free


class _Sheet(Protocol):
    """A sheet: its texts, and the change of its member that gives it floating topics."""

    blocks: list[Block]

    def adding(self, words: Sequence[Words]) -> Any:
        """(start, stop, new), in bytes of XML and characters of JSON."""


@dataclass(slots=True)
class _JsonSheet:
    """A sheet of XMind 2020: its member as text, and where its root topic starts."""

    text: str
    root_at: int
    blocks: list[Block]
    ends: int

    def adding(self, words: Sequence[Words]) -> tuple[int, int, str]:
        topics = [{"id": str(_name(self.root_at, one)), "class": "topic", "title": _title(one),
                   "position": {"x": 0, "y": _away(self.ends, one)}} for one in words]
        root = jsontext.object_at(self.text, self.root_at)
        held = root.members.get("children")
        if held is None or not isinstance(held.value, dict):
            return _put(root, "children", {"detached": topics})
        children = jsontext.object_at(self.text, held.value_at)
        detached = children.members.get("detached")
        if detached is None or not isinstance(detached.value, list):
            return _put(children, "detached", topics)
        at = detached.stop - 1
        written = json.dumps(topics, ensure_ascii=False, separators=(",", ":"))[1:-1]
        return at, at, ("," if detached.value else "") + written


@dataclass(slots=True)
class _XmlSheet:
    """A sheet of XMind 8: its member, its root topic, and the elements that hold topics in it."""

    data: bytes
    root: Element
    children: Element | None
    detached: Element | None
    blocks: list[Block]
    ends: int

    def adding(self, words: Sequence[Words]) -> tuple[int, int, bytes]:
        topic = "".join(
            f'<topic id="{_name(self.root.start, one).hex[:26]}" timestamp="0"><title>{escape(_title(one))}</title>'
            f'<position xmlns:svg="http://www.w3.org/2000/svg" svg:x="0" svg:y="{_away(self.ends, one)}"/></topic>'
            for one in words).encode()
        if self.detached:
            return markup.append_to(self.data, self.detached, topic)
        topics = b'<topics type="detached">' + topic + b"</topics>"
        if self.children:
            return markup.append_to(self.data, self.children, topics)
        return markup.append_to(self.data, self.root, b"<children>" + topics + b"</children>")


@dataclass(slots=True)
class _Maps:
    """An archive, the member that holds its sheets, and these."""

    reader: Reader
    archive: archive.Archive
    part: str
    data: bytes
    sheets: Sequence[_Sheet]

    def labelled(self, words: Sequence[Words]) -> bytes:
        """See `TextSource`; raises HostTooSmall for the middle of fewer than three sheets."""
        if not words:
            return self.reader.whole()
        added: dict[int, list[Words]] = {}
        for one in words:
            if one.place == "middle" and len(self.sheets) < 3:
                raise HostTooSmall("fewer than three maps have no middle for a label",
                                   hint="put the label at the start or the end")
            number = {"start": 0, "end": len(self.sheets) - 1}.get(one.place, len(self.sheets) // 2)
            added.setdefault(number, []).append(one)
        changes = [self.sheets[number].adding(ones) for number, ones in added.items()]
        new = (markup.changed(self.data, changes) if self.part.endswith(".xml") else
               jsontext.changed(self.data.decode(), changes).encode())
        return join(self.reader, splice(self.reader.size, archive.replaced(self.reader, self.archive,
                                                                           {self.part: new})))


def read(data: bytes, name: str) -> tuple[Sequence[Block], _Maps]:
    """The texts of the topics, map by map: floating ones as boxes; raises MalformedFile, LimitExceeded."""
    reader = Reader.of(data, name)
    found = archive.read(reader)
    part = xmind.sheets_of(found)
    whole = archive.unpacked(reader, found, part)
    sheets: Sequence[_Sheet] = list((_xml_sheets if part.endswith(".xml") else _json_sheets)(reader, whole, part))
    if not sheets:
        raise MalformedFile("{where}: there is no map in it", where=name)
    return [block for sheet in sheets for block in sheet.blocks], _Maps(reader, found, part, whole, sheets)


def _json_sheets(reader: Reader, data: bytes, part: str) -> Iterator[_JsonSheet]:
    try:
        text = data.decode("utf-8")
        sheets = jsontext.items_at(text, 1 if text.startswith("\ufeff") else 0)
        if len(sheets) > _MAX_SHEETS:
            raise reader.too_many("map", _MAX_SHEETS)
        for at in sheets:
            root = jsontext.object_at(text, at).members.get("rootTopic")
            if root is not None and isinstance(root.value, dict):
                floating, ends = _json_topics(reader, root.value)
                yield _JsonSheet(text, root.value_at, _in_order(floating), ends)
    except (UnicodeDecodeError, jsontext.NoObject) as error:
        raise MalformedFile("{where}: {part} holds no maps", where=reader.name, part=part) from error


def _json_topics(reader: Reader, root: dict[str, Any]) -> tuple[list[tuple[float, Block]], int]:
    """(height, text) of the topics, and how many stand at the end of a branch."""
    found, ends = list[tuple[float, Block]](), 0
    waiting: list[tuple[Any, str, float]] = [(root, "heading", 0.0)]
    while waiting:
        topic, role, y = waiting.pop()
        if not isinstance(topic, dict):
            continue
        title, children = topic.get("title"), topic.get("children")
        if isinstance(title, str) and title.strip():
            found.append((y, _block(title, role)))
        groups = children if isinstance(children, dict) else {}
        attached, detached = (one if isinstance(one, list) else [] for one in (groups.get("attached"),
                                                                               groups.get("detached")))
        ends += not attached
        waiting += [(one, "item", y) for one in reversed(attached)]
        waiting += [(one, "box", _height(one)) for one in reversed(detached)]
        _bound(reader, len(found) + len(waiting))
    return found, ends


def _height(topic: Any) -> float:
    position = topic.get("position") if isinstance(topic, dict) else None
    y = position.get("y") if isinstance(position, dict) else None
    return float(y) if isinstance(y, int | float) and abs(y) < 1e9 else 0.0


def _xml_sheets(reader: Reader, data: bytes, part: str) -> Iterator[_XmlSheet]:
    elements = markup.parse(data, part)
    within: dict[int, list[Element]] = {}
    for one in elements:
        if one.parent:
            within.setdefault(one.parent.index, []).append(one)
    roots = [one for one in elements if one.local == "topic" and one.parent and one.parent.local == "sheet"]
    _bound(reader, sum(one.local == "topic" for one in elements))
    if len(roots) > _MAX_SHEETS:
        raise reader.too_many("map", _MAX_SHEETS)
    for root in roots:
        found, ends = _xml_topics(root, within)
        children = _child(within, root, "children")
        detached = children and next((one for one in within.get(children.index, ()) if one.local == "topics"
                                      and one.attributes.get("type") == "detached"), None)
        yield _XmlSheet(data, root, children, detached, _in_order(found), ends)


def _xml_topics(root: Element, within: dict[int, list[Element]]) -> tuple[list[tuple[float, Block]], int]:
    """(height, text) of the topics, and how many stand at the end of a branch."""
    found, ends = list[tuple[float, Block]](), 0
    waiting = [(root, "heading")]
    while waiting:
        topic, role = waiting.pop()
        title, position, children = (_child(within, topic, name) for name in ("title", "position", "children"))
        text = "".join(title.texts).strip() if title else ""
        y = next((value for key, value in position.attributes.items() if key.endswith("y")), "") if position else ""
        if text:
            found.append((float(y) if role == "box" and _is_number(y) else 0.0, _block(text, role)))
        groups = [one for one in within.get(children.index, ()) if one.local == "topics"] if children else []
        held = [(one, "box" if group.attributes.get("type") == "detached" else "item") for group in groups
                for one in within.get(group.index, ()) if one.local == "topic"]
        ends += not any(kind == "item" for _, kind in held)
        waiting += reversed(held)
    return found, ends


def _child(within: dict[int, list[Element]], element: Element, name: str) -> Element | None:
    return next((one for one in within.get(element.index, ()) if one.local == name), None)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?[0-9]{1,9}(?:\.[0-9]{0,9})?", text) is not None


def _block(text: str, role: str) -> Block:
    is_mark = role == "box" and text.strip("[]【】 ").upper() == "AI"
    return Block(text.strip(), "mark" if is_mark else role)


def _in_order(found: list[tuple[float, Block]]) -> list[Block]:
    """The floating topics above the map, the map, and those below."""
    floats = [one for one in found if one[1].role in ("box", "mark")]
    own = [block for _, block in found if block.role not in ("box", "mark")]
    above = [block for y, block in sorted(floats, key=lambda one: one[0]) if y < 0]
    below = [block for y, block in sorted(floats, key=lambda one: one[0]) if y >= 0]
    return [*above, *own, *below]


def _put(holder: jsontext.Object, name: str, value: object) -> tuple[int, int, str]:
    """The change that gives a member of an object a value, in the place of one that is no list or object."""
    if name not in holder.members:
        return holder.adding(name, value)
    member = holder.members[name]
    return member.value_at, member.stop, json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _title(words: Words) -> str:
    return "AI" if words.mark else words.text


def _name(at: int, words: Words) -> uuid.UUID:
    """A name for a topic that no other has, and the same for the same file."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"AIGC {at} {words.place} {words.text}")


def _away(ends: int, words: Words) -> int:
    """How far above or below the middle of a map nothing of it stands."""
    distance = _GAP_PX + ends * _TOPIC_PX // 2
    return distance if words.place == "end" else -distance


def _bound(reader: Reader, count: int) -> None:
    if count > _MAX_TOPICS:
        raise reader.too_many("topic", _MAX_TOPICS)
