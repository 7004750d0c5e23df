# SPDX-License-Identifier: Apache-2.0
"""Messages to users, in English and Chinese.

The English template is a literal in the code that says it. Its Chinese translation is in
`labelkit/locale/zh_CN/<room>.json`, keyed by the English text. A test collects every template
in the code and fails when a translation is missing.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path

LANGUAGES = ("en", "zh-CN")


class Message:
    """An English template with named fields, and the values of those fields."""

    __slots__ = ("template", "facts")

    def __init__(self, template: str, **facts: object) -> None:
        self.template = template
        self.facts: Mapping[str, object] = facts

    def text(self, language: str = "en") -> str:
        """The message in `language`; a template without a translation stays English."""
        template = self.template
        if language == "zh-CN":
            template = _catalogue().get(template, template)
        if not self.facts:
            return template
        facts = {name: value.text(language) if isinstance(value, Message) else value
                 for name, value in self.facts.items()}
        return template.format(**facts)

    def __str__(self) -> str:
        return self.text("en")

    def __repr__(self) -> str:
        return f"Message({self.text('en')!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and (self.template, self.facts) == (other.template, other.facts)

    def __hash__(self) -> int:
        return hash(self.text("en"))


def one_line(text: str) -> str:
    """The text on one line: control characters, which could forge other lines, are shown as escapes."""
    return text if text.isprintable() else "".join(
        character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    if 0xDC80 <= ord(character) <= 0xDCFF:  # a byte of a file name that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape", "backslashreplace").decode()


@functools.cache
def templates() -> frozenset[str]:
    """Every English template of labelkit's."""
    return frozenset(_catalogue())


@functools.cache
def _catalogue() -> dict[str, str]:
    merged: dict[str, str] = {}
    for path in sorted((Path(__file__).parent / "locale" / "zh_CN").glob("*.json")):
        merged.update(json.loads(path.read_text("utf-8")))
    return merged
