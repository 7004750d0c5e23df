# SPDX-License-Identifier: Apache-2.0
"""Text on a terminal: safe on one line, aligned by display width, and argparse in the language of the run."""

from __future__ import annotations

import argparse
import re
import textwrap
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from labelkit.messages import Message, one_line as one_line

_OPEN, _CLOSE, _WIDE = "（《“【", "”、。》】！），：；？", "\u2e80-\u9fff\uff00-\uffef"
_USER_INFO = re.compile(r"(://)[^/?#@\s'\"]*@")
_PIECES = re.compile(rf"[{_OPEN}]*(?:[{_WIDE}]|[^\s{_OPEN}{_CLOSE}{_WIDE}]+)?[{_CLOSE}]*\s*")


def _(text: str) -> str:
    """The text of a parser, its help or its errors in the language of `argparse_in`; English outside of it."""
    translate: Callable[[str], str] = vars(argparse)["_"]
    return translate(text)


@contextmanager
def argparse_in(language: str) -> Iterator[None]:
    """Translate the texts of argparse and `_` in this block: argparse looks its own up through its name `_`."""
    names = vars(argparse)
    before = names["_"]
    names["_"] = lambda text: Message(text).text(language)
    try:
        yield
    finally:
        names["_"] = before


def padded(text: str, columns: int) -> str:
    """The text and blanks up to a column; Chinese characters take two columns."""
    return text + " " * max(1, columns - width(text))


def width(text: str) -> int:
    """The number of columns that a text takes."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def wrapped(text: str, columns: int) -> list[str]:
    """The text in lines of at most so many columns; Chinese may break anywhere but before or after punctuation."""
    if text.isascii():
        return textwrap.wrap(text, columns)
    lines = [""]
    for piece in _PIECES.findall(" ".join(text.split())):
        if lines[-1] and width((lines[-1] + piece).rstrip()) > columns:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def name_of(path: str) -> str:
    """A file name as one printable line; of a URL without names and passwords."""
    return "stdin" if path == "-" else without_user_info(one_line(path))


def without_user_info(text: str) -> str:
    """The text with the names and passwords in its URLs left out."""
    return _USER_INFO.sub(r"\1***@", text)


def printable_json(text: str) -> str:
    """JSON in which control characters and those that change the direction of text are escaped."""
    return "".join(character if character.isprintable() else _json_escaped(character) for character in text)


def _json_escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{int.from_bytes(units[at:at + 2]):04x}" for at in range(0, len(units), 2))


class HelpFormatter(argparse.HelpFormatter):
    """Help of a fixed width that names the argument of an option only once and aligns Chinese."""

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

    def add_argument(self, action: argparse.Action) -> None:
        """As argparse does, but with the width of the column in display columns."""
        super().add_argument(action)
        if action.help is not argparse.SUPPRESS:
            taken = width(self._format_action_invocation(action)) + self._current_indent
            self._action_max_length = max(self._action_max_length, taken)

    def _format_action(self, action: argparse.Action) -> str:
        """As argparse does, but less padding for characters that take two columns."""
        text, head = super()._format_action(action), self._format_action_invocation(action)
        return text.replace(head + " " * (width(head) - len(head)), head, 1)
