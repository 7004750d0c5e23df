# SPDX-License-Identifier: Apache-2.0
"""JSON whose members are found and changed where they stand: every other character stays (RFC 8259)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


class NoObject(ValueError):
    """The text is no JSON object there."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object: where its name starts, and where its value starts and stops."""

    start: int
    value_at: int
    stop: int
    value: object


@dataclass(frozen=True, slots=True)
class Object:
    """An object: its members by name, the last where several have one, and where it opens and closes."""

    members: dict[str, Member]
    opens: int
    closes: int

    def adding(self, name: str, value: object) -> tuple[int, int, str]:
        """The change that adds a member."""
        written = f"{written_string(name)}:{json.dumps(value, ensure_ascii=False)}"
        if not self.members:
            return self.closes, self.closes, written
        stop = max(one.stop for one in self.members.values())
        return stop, stop, "," + written

    def edited(self, text: str, values: Mapping[str, str | None]) -> str:
        """The text in which these members have other strings as values, or are gone (None)."""
        kept = [(one, text[one.start:one.value_at] + (
            text[one.value_at:one.stop] if name not in values else written_string(values[name] or "")))
            for name, one in self.members.items() if name not in values or values[name] is not None]
        if len(kept) == len(self.members):
            return changed(text, [(one.start, one.stop, new) for one, new in kept])
        return changed(text, [(self.opens, self.closes + 1, "{" + ",".join(new for _, new in kept) + "}")])


def object_at(text: str, at: int = 0) -> Object:
    """The object that starts at a character, or behind the spaces there; raises NoObject."""
    try:
        return _object(text, _past(text, at))
    except (ValueError, RecursionError, IndexError) as error:
        raise NoObject from error


def items_at(text: str, at: int = 0) -> list[int]:
    """Where the values of the array start that starts at a character, or behind the spaces there; raises NoObject."""
    try:
        at, found = _past(text, at), list[int]()
        if text[at] != "[":
            raise NoObject
        at = _past(text, at + 1)
        while text[at] != "]":
            found.append(at)
            at = _past(text, _DECODER.raw_decode(text, at)[1])
            if text[at] not in ",]":
                raise NoObject
            at = _past(text, at + 1) if text[at] == "," else at
        return found
    except (ValueError, RecursionError, IndexError) as error:
        raise NoObject from error


def written_string(text: str) -> str:
    """A text as a JSON string."""
    return json.dumps(text, ensure_ascii=False)


def changed(text: str, changes: Iterable[tuple[int, int, str]]) -> str:
    """The text with (start, stop, new) in characters."""
    for start, stop, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[stop:]
    return text


def _object(text: str, at: int) -> Object:
    members: dict[str, Member] = {}
    if text[at] != "{":
        raise NoObject
    opens, at = at, _past(text, at + 1)
    while text[at] != "}":
        name, stop = _DECODER.raw_decode(text, at)
        colon = _past(text, stop)
        if not isinstance(name, str) or text[colon] != ":":
            raise NoObject
        value_at = _past(text, colon + 1)
        value, stop = _DECODER.raw_decode(text, value_at)
        members[name] = Member(at, value_at, stop, value)
        at = _past(text, stop)
        if text[at] == ",":
            at = _past(text, at + 1)
            if text[at] == "}":
                raise NoObject
        elif text[at] != "}":
            raise NoObject
    return Object(members, opens, at)


def _past(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
