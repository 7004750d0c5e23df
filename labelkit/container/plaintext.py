# SPDX-License-Identifier: Apache-2.0
"""Texts in which no standard or guide gives a label a place of its own: they carry it as words, and no metadata.

They are told by their names, and by what text in a file of that name looks like: nothing else tells plain text. Mail
without a name is told by its header, RTF by its first bytes.
"""

from __future__ import annotations

import codecs
import re

from labelkit.container import textblock
from labelkit.container.base import C2PA, MAX_BODY, Changes, Format, Layout, Patch, Reader, Slot
from labelkit.container.textblock import Block
from labelkit.container.textwrapper import Wrapper
from labelkit.errors import UnsupportedFormat

FORMATS = tuple(Format(name, mime, "document", "") for name, mime in (
    ("txt", "text/plain"), ("srt", "application/x-subrip"), ("vtt", "text/vtt"), ("ass", "text/x-ssa"),
    ("json", "application/json"), ("jsonl", "application/jsonl"), ("eml", "message/rfc822"),
    ("rtf", "application/rtf")))

_PROBE = 1 << 16
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_BY_ENDING = {".txt": "txt", ".text": "txt", ".srt": "srt", ".vtt": "vtt", ".ass": "ass", ".ssa": "ass",
              ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".eml": "eml"}
_LOOKS = {"srt": re.compile(rb"-->"), "vtt": re.compile(rb"WEBVTT"),
          "ass": re.compile(rb"\[Script Info\]", re.IGNORECASE),
          "eml": re.compile(rb"^(?:From|Date|Subject|MIME-Version|Content-Type|Received)[ \t]*:",
                            re.IGNORECASE | re.MULTILINE),
          **dict.fromkeys(("json", "jsonl"), re.compile(
              rb'"(?:role|from|sender|author|sender_type)"\s*:\s*(?:\{\s*"role"\s*:\s*)?"(?:assistant|model|ai|bot|gpt|chatgpt)"|'
              rb'"(?:prompt|instruction|question|query|'  # or what stands beside answers alone (codec.text.chat)
              rb'done|finish_reason|conversation_id|is_truncated|completionreason|stop_reason|generated_text|candidates)"\s*:',
              re.IGNORECASE))}
_MAIL = re.compile(rb"(?:[!-9;-~]++:[^\n]*+\n(?:[ \t][^\n]*+\n)*+)++\r?\n")
_OF_MAIL = (re.compile(rb"^From:", re.IGNORECASE | re.MULTILINE),
            re.compile(rb"^(?:Date|Message-ID|MIME-Version|Received|To):", re.IGNORECASE | re.MULTILINE))
_BINARY = frozenset(range(32)) - {9, 10, 12, 13, 27}


def sniff(reader: Reader, head: bytes) -> Format | None:
    """A text, by the ending of its name; not what holds control characters, nor JSON that holds no chat."""
    name = next((name for ending, name in _BY_ENDING.items() if reader.name.lower().endswith(ending)), None)
    probe = reader.head(_PROBE)
    if head.startswith(b"{\\rtf"):
        return FORMATS[-1]
    if name is None and _is_mail(probe):
        name = "eml"
    if name is None or not probe or not probe.startswith(_MARKS) and _BINARY.intersection(probe):
        return None
    if name in _LOOKS and not _LOOKS[name].search(probe.replace(b"\0", b"")):
        return None
    return next(found for found in FORMATS if found.name == name)


def _is_mail(probe: bytes) -> bool:
    """Whether a file starts with the header of a mail (RFC 5322, 3.6)."""
    head = _MAIL.match(probe)
    return head is not None and all(one.search(head[0]) for one in _OF_MAIL)


def scan(reader: Reader, found: Format) -> Layout[None, None]:
    """No slots for a label: there are none. A manifest may stand in a text (`textwrapper`, `textblock`)."""
    data = reader.whole() if found.name in textblock.FORMATS and reader.size <= MAX_BODY else b""
    return Layout(found, [_slot(one) for one in textblock.held(data, found.name)], None)


def _slot(held: Wrapper | Block) -> Slot[None]:
    return Slot(C2PA, "text", held.start, held.stop - held.start, lambda: held.store, None, home=False)


def patches(reader: Reader, layout: Layout[None, None], changes: Changes[None], fresh: bytes | None) -> list[Patch]:
    """None; raises UnsupportedFormat for a label."""
    if changes or fresh is not None:
        raise UnsupportedFormat("{where}: {format} has no place for metadata; it carries its label as words",
                                where=reader.name, format=layout.format.name)
    return []
