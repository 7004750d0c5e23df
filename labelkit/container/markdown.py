# SPDX-License-Identifier: Apache-2.0
"""Markdown: the label is the mapping AIGC in YAML front matter at the head of the file (TC260-PG-20258A, 6.5).

Of YAML this reads what labels are written in: block mappings of scalars, one-line mappings in JSON, quoted scalars.
Text without front matter is taken for Markdown only where the file's name says so, because nothing else can.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from labelkit.container.base import TEXT, Changes, Format, Layout, Patch, Reader, Slot
from labelkit.messages import Message

FORMATS = (Format("markdown", "text/markdown", "document", TEXT),)

_LOOKED_AT = 256 << 10  # bytes in which front matter must end
_NAMES, _NOT_NAMES = (".md", ".markdown", ".mdown", ".mkd"), (".yaml", ".yml")
_FENCE = re.compile(rb"(?:\xef\xbb\xbf)?---[ \t]*\r?\n")
_CLOSING = re.compile(rb"^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_GAP = re.compile(rb"(?:[ \t]*\r?\n)*")
_ENTRY = re.compile(rb"""^(?P<quote>["']?)(?=\w*?AIGC)(?P<key>\w++)(?P=quote)[ \t]*:(?P<value>[^\r\n]*)(?:\r?\n|\Z)"""
                    rb"(?P<more>(?:[ \t]+[^\r\n]*(?:\r?\n|\Z)|[ \t]*\r?\n(?=[ \t]+\S))*)", re.MULTILINE | re.IGNORECASE)
_INDENTED = re.compile(rb"(?:[ \t]*\r?\n)*[ \t]+\S")
_PAIR = re.compile(r"""[ \t]+["']?(\w+)["']?[ \t]*:[ \t]*(.*)""")


@dataclass(frozen=True, slots=True)
class _Block:
    """One front matter: where it starts with its fence, where its lines start and stop, where it ends."""

    start: int
    lines: int
    stop: int
    end: int


def sniff(reader: Reader, head: bytes) -> Format | None:
    """Text that starts with closed front matter, or any UTF-8 text in a file that is named as Markdown."""
    name = reader.name.lower()
    if name.endswith(_NOT_NAMES) or not (_FENCE.match(head) or name.endswith(_NAMES)):
        return None
    text = reader.head(_LOOKED_AT)
    if b"\0" in text or not _is_utf8(text) or (text.startswith(b"+++") and not _FENCE.match(head)):
        return None
    return FORMATS[0] if name.endswith(_NAMES) or next(_blocks(text), None) else None


def _is_utf8(text: bytes) -> bool:
    try:
        text[:-4].decode() if len(text) == _LOOKED_AT else text.decode()
    except UnicodeDecodeError as error:
        return len(text) == _LOOKED_AT and error.start >= len(text) - 8  # cut within a character
    return True


def _blocks(text: bytes) -> Iterator[_Block]:
    """The front matter at the head of the file, and more of it where exports stacked labels on it."""
    start = 0
    while (fence := _FENCE.match(text, start)) and (closing := _CLOSING.search(text, fence.end())):
        block = _Block(start, fence.end(), closing.start(), closing.end())
        if start and not _ENTRY.search(text, block.lines, block.stop):
            return  # a rule of the text
        yield block
        start = _GAP.match(text, block.end).end()


def scan(reader: Reader, found: Format) -> Layout:
    """The AIGC entries of the front matter; `state` is its blocks and the head of the text."""
    text = reader.head(_LOOKED_AT)
    blocks = list(_blocks(text))
    layout = Layout(found, [], state=(text, blocks))
    for block in blocks:
        for entry in _ENTRY.finditer(text, block.lines, block.stop):
            layout.slots.append(Slot(TEXT, "front matter", entry.start(), entry.end() - entry.start(),
                                     lambda entry=entry: _body(entry), entry["key"].decode("ascii", "replace"), block))
    return layout


def _body(entry: re.Match) -> bytes:
    """The value as JSON text: a mapping of scalars as an object, anything else as it stands."""
    value = entry["value"].decode("utf-8", "replace").strip()
    lines = entry["more"].decode("utf-8", "replace").splitlines()
    if value in ("|", ">", "|-", ">-"):
        return "\n".join(line.strip() for line in lines).encode()
    if value and not value.startswith("#"):
        whole = _scalar(" ".join([value, *(line.strip() for line in lines)]).strip())
        return (whole if isinstance(whole, str) else json.dumps(whole)).encode()
    pairs = [(pair[1], _scalar(pair[2].strip())) for line in lines if (pair := _PAIR.fullmatch(line))]
    members = ",".join(f"{json.dumps(name)}:{json.dumps(member, ensure_ascii=False)}" for name, member in pairs)
    return ("{" + members + "}").encode()


def _scalar(text: str) -> object:
    """A YAML scalar: quoted text, null, a number, or plain text."""
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return json.loads(text)
        except ValueError:
            return text[1:-1]
    if not text.startswith("{"):
        text = text.partition(" #")[0].strip()
    if text in ("", "~", "null"):
        return None
    return int(text) if re.fullmatch(r"[1-9]\d{0,17}|0", text) else text


def patches(reader: Reader, layout: Layout, changes: Changes, fresh: bytes | None) -> list[Patch]:
    """The patches for new entries; front matter that loses its only entry goes, and text without any gets some."""
    text, blocks = layout.state
    line_end = b"\r\n" if b"\r\n" in text[:1000] else b"\n"
    done: list[Patch] = []
    for block in blocks:
        inside = {slot: body for slot, body in changes.items() if slot.state is block}
        rest = text[block.lines:block.stop]
        for slot in inside:
            rest = rest.replace(text[slot.offset_bytes:slot.offset_bytes + slot.length_bytes], b"")
        if inside and not rest.strip() and block is not blocks[0] and not any(inside.values()):
            done.append((block.start, block.end, b""))
        else:
            done += [(slot.offset_bytes, slot.offset_bytes + slot.length_bytes,
                      b"" if body is None else _entry(reader, body, line_end)) for slot, body in inside.items()]
    if fresh is not None and blocks and _INDENTED.match(text, blocks[0].lines, blocks[0].stop):
        # behind a mapping of ours these lines would belong to it
        raise reader.malformed("front matter", blocks[0].lines, Message("its first line is indented"))
    if fresh is not None and blocks:
        done.append((blocks[0].lines, blocks[0].lines, _entry(reader, fresh, line_end)))
    elif fresh is not None:
        start = 3 if text.startswith(b"\xef\xbb\xbf") else 0
        done.append((start, start, b"---" + line_end + _entry(reader, fresh, line_end) + b"---" + line_end + line_end))
    return done


def _entry(reader: Reader, body: bytes, line_end: bytes) -> bytes:
    """The mapping AIGC with single-quoted values."""
    try:
        members = json.loads(body)
        rows = [f"  {name}: '" + value.replace("'", "''") + "'" for name, value in members.items()]
    except (ValueError, AttributeError) as error:
        raise reader.malformed("front matter", 0, Message("a flat object of texts is wanted")) from error
    return line_end.join([b"AIGC:", *(row.encode() for row in rows), b""])
