# SPDX-License-Identifier: Apache-2.0
"""What is done with the text of a page before it is built, and what else is made of it."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[1]

_BLOCKS = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_LINK = re.compile(r"(?<!!)\[([^\]\n]*)\]\((\.\./[^)\s]*)\)")
_CHINESE, _LETTER = r"[\u3000-\u9fff\uff00-\uffef]", r"[\u4e00-\u9fff]"
_BROKEN = re.compile(rf"(?:(?<={_CHINESE})|(?<={_LETTER}\*\*)|(?<=\)))\n *(?=\[?{_CHINESE}|\*\*{_LETTER})")


def description(text: str) -> str:
    """What a page is about: its own `description`, or its first sentence."""
    front = _FRONT.match(text)
    said = re.search(r"^description: (.+)$", front[1], re.MULTILINE) if front else None
    if said:
        return said[1]
    first = re.search(r"^# .+\n+((?:(?!#|```).+\n)+)", _FRONT.sub("", text), re.MULTILINE)
    return re.split(r"(?<=[.。]) ?", " ".join(first[1].split()), maxsplit=1)[0] if first else ""


def prepared(text: str, name: str) -> str:
    """The text as Sphinx gets it: lines of Chinese are joined without a blank, also where a link or bold words begin or
    end, and a link to what is in the repository but not in docs/, such as a folder or README.md, names it.

    name  of the page, without its ending
    """
    parts = [part if part.startswith("```") else _prepared(part, name) for part in _BLOCKS.split(text)]
    return "".join(parts)


def _prepared(part: str, name: str) -> str:
    def named(link: re.Match[str]) -> str:
        path = (DOCS / name).parent.joinpath(link[2].partition("#")[0]).resolve()
        if path.is_relative_to(DOCS):
            return link[0]
        return f"{link[1]} (`{path.relative_to(DOCS.parent).as_posix()}`)"

    part = _LINK.sub(named, part)
    return _BROKEN.sub("", part) if name.startswith("zh/") else part
