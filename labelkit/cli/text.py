# SPDX-License-Identifier: Apache-2.0
"""Text on a terminal: safe on one line, and aligned where Chinese takes two columns."""

from __future__ import annotations

import argparse
import re
import textwrap
import unicodedata

_OPEN, _CLOSE, _WIDE = "（《“【", "”、。》】！），：；？", "\u2e80-\u9fff\uff00-\uffef"
_PIECES = re.compile(rf"[{_OPEN}]*(?:[{_WIDE}]|[^\s{_OPEN}{_CLOSE}{_WIDE}]+)?[{_CLOSE}]*\s*")


def wide(text: str, columns: int) -> str:
    """The text and blanks up to a column; Chinese characters take two."""
    return text + " " * max(1, columns - taken(text))


def taken(text: str) -> int:
    """The columns that a text takes."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def wrapped(text: str, columns: int) -> list[str]:
    """The text in lines of so many columns; Chinese breaks anywhere but inside punctuation."""
    if text.isascii():
        return textwrap.wrap(text, columns)
    lines = [""]
    for piece in _PIECES.findall(" ".join(text.split())):
        if lines[-1] and taken((lines[-1] + piece).rstrip()) > columns:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def name_of(path: str) -> str:
    """A file name that can be printed on one line, whatever it holds."""
    return "stdin" if path == "-" else one_line(path)


def one_line(text: str) -> str:
    """The text with control characters, which could forge other lines, shown as escapes."""
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    if 0xDC80 <= ord(character) <= 0xDCFF:  # a byte of a file name that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape", "backslashreplace").decode()


class HelpFormatter(argparse.HelpFormatter):
    """Help of one width, options with their arguments once."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=27, width=110)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrapped(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in wrapped(text, width - len(indent)))

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        return f"{', '.join(action.option_strings)} {self._format_args(action, action.dest.upper())}"
