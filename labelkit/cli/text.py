# SPDX-License-Identifier: Apache-2.0
"""Text on a terminal: safe on one line, and aligned where Chinese takes two columns."""

from __future__ import annotations

import unicodedata


def wide(text: str, columns: int) -> str:
    """The text and blanks up to a column; Chinese characters take two."""
    taken = sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
    return text + " " * max(1, columns - taken)


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
