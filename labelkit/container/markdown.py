# SPDX-License-Identifier: Apache-2.0
"""Markdown: the label is the mapping AIGC in YAML front matter at the head of the file (TC260-PG-20258A, 6.5).

Hugo's front matter in TOML, between lines of +++, holds it as a string or a table called AIGC; no guide names that.
Of YAML this reads what labels are written in: block mappings of scalars, one-line mappings in JSON, quoted scalars.
Text without front matter is taken for Markdown only where the file's name says so, because nothing else can.
"""

from __future__ import annotations

import bisect
import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from labelkit.container import textblock
from labelkit.container.base import C2PA, MAX_BODY, TEXT, Changes, Format, Layout, Patch, Reader, Slot
from labelkit.messages import Message

FORMATS = (Format("markdown", "text/markdown", "document", TEXT),)

_LOOKED_AT = 256 << 10  # bytes in which front matter must end
_MAX_JUDGED = 16  # entries of TOML that are told from what looks like one; more are a doubt anyway
_NAMES, _NOT_NAMES = (".md", ".markdown", ".mdown", ".mkd"), (".yaml", ".yml")
_FENCE = re.compile(rb"(?:\xef\xbb\xbf)?---[ \t]*\r?\n")
_TOML_FENCE = re.compile(rb"(?:\xef\xbb\xbf)?\+\+\+[ \t]*\r?\n")
_TOML_CLOSING = re.compile(rb"^\+\+\+[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_TOML_ENTRY = re.compile(rb"""^(?:(?P<key>["']?\w*AIGC\w*["']?)[ \t]*=[^\r\n]*(?:\r?\n|\Z)|"""
                         rb"""\[(?P<table>\w*AIGC\w*)\][ \t]*(?:\r?\n|\Z)(?:(?!\[)[^\r\n]*(?:\r?\n|\Z))*)""",
                         re.MULTILINE | re.IGNORECASE)
_TOML_TABLE = re.compile(rb"^\[", re.MULTILINE)
_CLOSING = re.compile(rb"^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_GAP = re.compile(rb"(?:[ \t]*\r?\n)*")
_ENTRY = re.compile(rb"""^(?P<quote>["']?)(?=\w*?AIGC)(?P<key>\w++)(?P=quote)[ \t]*:(?P<value>[^\r\n]*)(?:\r?\n|\Z)"""
                    rb"(?P<more>(?:[ \t]+[^\r\n]*(?:\r?\n|\Z)|[ \t]*\r?\n(?=[ \t]+\S))*)", re.MULTILINE | re.IGNORECASE)
_FLOW = re.compile(rb"""^[^\s#'"{\[][^:\r\n]*+:[ \t]+(?=[{\["'])""", re.MULTILINE)
_FLOW_TOKEN = re.compile(rb"""(?P<text>"(?:\\.|[^"\\])*+"|'(?:''|[^'])*+')|(?P<open>[{\[])|(?P<close>[}\]])|"""
                         rb"""\s#[^\r\n]*+|(?P<broken>["'])|[^"'{}\[\]\s]++|\s""", re.DOTALL)
_INDENTED = re.compile(rb"(?:[ \t]*\r?\n)*[ \t]+\S")
_PAIR = re.compile(r"""[ \t]+["']?(\w+)["']?[ \t]*:[ \t]*(.*)""")


@dataclass(frozen=True, slots=True)
class _Block:
    """One front matter: where it starts with its fence, where its lines start and stop, where it ends; YAML or TOML."""

    start: int
    lines: int
    stop: int
    end: int
    toml: bool = False


_WHOLE = _Block(0, 0, 0, 0)  # what is of no front matter
_State = tuple[bytes, list[_Block]]  # the head of the text, and the front matter in it


def sniff(reader: Reader, head: bytes) -> Format | None:
    """Text that starts with closed front matter, or any UTF-8 text in a file that is named as Markdown."""
    name = reader.name.lower()
    if name.endswith(_NOT_NAMES) or not (_FENCE.match(head) or _TOML_FENCE.match(head) or name.endswith(_NAMES)):
        return None
    text = reader.head(_LOOKED_AT)
    if b"\0" in text or not _is_utf8(text) or (_TOML_FENCE.match(text) and not next(_blocks(text), None)):
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
    fence = _TOML_FENCE.match(text)
    if fence:
        closing = _TOML_CLOSING.search(text, fence.end())
        if closing:
            yield _Block(0, fence.end(), closing.start(), closing.end(), toml=True)
        return
    start = 0
    while (fence := _FENCE.match(text, start)) and (closing := _CLOSING.search(text, fence.end())):
        block = _Block(start, fence.end(), closing.start(), closing.end())
        if start and not _ENTRY.search(text, block.lines, block.stop):
            return  # a rule of the text
        yield block
        gap = _GAP.match(text, block.end)
        start = gap.end() if gap else block.end


def scan(reader: Reader, found: Format) -> Layout[_State, _Block]:
    """The AIGC entries of the front matter; `state` is its blocks and the head of the text."""
    text = reader.head(_LOOKED_AT)
    blocks = list(_blocks(text))
    layout: Layout[_State, _Block] = Layout(found, [], (text, blocks))
    for held in textblock.find(reader.whole()) if reader.size <= MAX_BODY else ():
        layout.slots.append(Slot(C2PA, "text", held.start, held.stop - held.start, functools.partial(bytes, held.store),
                                 _WHOLE, home=False))
    for block in blocks:
        if block.toml:
            layout.slots += _toml_slots(reader, text, block)
            continue
        flows = list(_flows(text, block.lines, block.stop))
        for entry in _ENTRY.finditer(text, block.lines, block.stop):
            around = bisect.bisect_left(flows, (entry.start(), 0)) - 1
            if around >= 0 and entry.start() < flows[around][1]:
                break  # it belongs to a mapping or a text over several lines, as all that follows may
            layout.slots.append(Slot(TEXT, "front matter", entry.start(), entry.end() - entry.start(),
                                     functools.partial(_body, entry), block, entry["key"].decode("ascii", "replace")))
    return layout


def _flows(text: bytes, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Start and stop of each mapping in braces, list and quoted text of YAML; what does not end goes up to `stop`."""
    while flow := _FLOW.search(text, start, stop):
        depth, start = 0, flow.end()
        while token := _FLOW_TOKEN.match(text, start, stop):
            start = token.end()
            depth += bool(token["open"]) - bool(token["close"])
            if token["broken"]:
                yield flow.start(), stop
                return
            if depth <= 0 and (token["text"] or token["close"]):
                yield flow.start(), start
                break
        else:
            yield flow.start(), stop
            return


def _toml_slots(reader: Reader, text: bytes, block: _Block) -> Iterator[Slot[_Block]]:
    """The AIGC entries of TOML; one that is a table or stands in one is at no home: what follows belongs to it."""
    table = _TOML_TABLE.search(text, block.lines, block.stop)
    entries = list(_TOML_ENTRY.finditer(text, block.lines, block.stop))
    stated = _stated(text[block.lines:block.stop]) if entries else None
    for number, entry in enumerate(entries):
        key = (entry["key"] or entry["table"]).strip(b"\"'").decode("ascii", "replace")
        without = text[block.lines:entry.start()] + text[entry.end():block.stop]
        if stated is not None and number < _MAX_JUDGED and _stated(without) == stated:
            continue  # a line of something else
        yield Slot(TEXT, "TOML front matter", entry.start(), entry.end() - entry.start(),
                   functools.partial(_toml_body, reader, entry), block, key,
                   home=table is None or entry.start() < table.start())


def _stated(block: bytes) -> set[tuple[str, str]] | None:
    """The keys that TOML states of the page: its own, and those of its params. None for what is no TOML.

    A line of a text in three quotes is none, nor is what stands in a table of anything else, such as an example.
    """
    import tomllib

    try:
        found = tomllib.loads(block.decode())
    except (ValueError, RecursionError):
        return None
    params = found.get("params")
    return {*(("", key) for key in found), *(("params", key) for key in (params if isinstance(params, dict) else ()))}


def _body(entry: re.Match[bytes]) -> bytes:
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


def _toml_body(reader: Reader, entry: re.Match[bytes]) -> bytes:
    """The value as JSON text: a string as it stands, a table as an object; raises MalformedFile."""
    import tomllib  # 5 ms that few files need

    try:
        value = next(iter(tomllib.loads(entry[0].decode()).values()))
    except (ValueError, StopIteration, RecursionError) as error:
        raise reader.malformed("front matter", entry.start(), Message("it is no TOML: {reason}",
                                                                      reason=str(error)[:200])) from error
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)).encode()


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


def patches(reader: Reader, layout: Layout[_State, _Block], changes: Changes[_Block],
            fresh: bytes | None) -> list[Patch]:
    """The patches for new entries; front matter that loses its only entry goes, and text without any gets some. A
    manifest goes: it would not hold."""
    text, blocks = layout.state
    line_end = b"\r\n" if b"\r\n" in text[:1000] else b"\n"
    is_signed = any(slot.kind == C2PA for slot in layout.slots)
    done: list[Patch] = [(*place, b"") for place in (textblock.places(reader.whole()) if is_signed else ())]
    for block in blocks:
        inside = {slot: body for slot, body in changes.items() if slot.state is block}
        rest = text[block.lines:block.stop]
        for slot in inside:
            rest = rest.replace(text[slot.offset_bytes:slot.offset_bytes + slot.length_bytes], b"")
        if inside and not rest.strip() and block is not blocks[0] and not any(inside.values()):
            done.append((block.start, block.end, b""))
        else:
            done += [(slot.offset_bytes, slot.offset_bytes + slot.length_bytes,
                      b"" if body is None else _entry(reader, body, line_end, toml=block.toml))
                     for slot, body in inside.items()]
    if fresh is not None and blocks and not blocks[0].toml and _INDENTED.match(text, blocks[0].lines, blocks[0].stop):
        # behind a mapping of ours these lines would belong to it
        raise reader.malformed("front matter", blocks[0].lines, Message("its first line is indented"))
    if fresh is not None and blocks:
        done.append((blocks[0].lines, blocks[0].lines, _entry(reader, fresh, line_end, toml=blocks[0].toml)))
    elif fresh is not None:
        start = 3 if text.startswith(b"\xef\xbb\xbf") else 0
        done.append((start, start, b"---" + line_end + _entry(reader, fresh, line_end) + b"---" + line_end + line_end))
    return done


def _entry(reader: Reader, body: bytes, line_end: bytes, *, toml: bool = False) -> bytes:
    """The mapping AIGC with single-quoted values; in TOML a string that holds it as JSON, before any table."""
    if toml:
        quoted = b"'" + body + b"'" if b"'" not in body else json.dumps(body.decode()).encode()
        return b"AIGC = " + quoted + line_end
    try:
        members = json.loads(body)
        rows = [f"  {name}: '" + value.replace("'", "''") + "'" for name, value in members.items()]
    except (ValueError, AttributeError) as error:
        raise reader.malformed("front matter", 0, Message("a flat object of texts is wanted")) from error
    return line_end.join([b"AIGC:", *(row.encode() for row in rows), b""])
