# SPDX-License-Identifier: Apache-2.0
"""HTML: the label is a paragraph of the body, shown by every browser and read aloud by screen readers.

The pages of others are walked by their tags; scripts, styles, comments and what is not displayed are no text.
"""

from __future__ import annotations

import functools
import html
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from labelkit.codec.samples import Block, Words
from labelkit.codec.text.encoding import EncodedText
from labelkit.errors import HostTooSmall, LimitExceeded, UnsupportedFormat

# dark on light by at least 13 : 1 whatever the page looks like, at the size of its text
_STYLE = "margin:.5em 0;padding:.2em .5em;border:1px solid #333;color:#111;background:#f2f2f2"
_MARK_STYLE = "float:right;margin:0 0 .5em .5em;padding:0 .4em;border:1px solid #333;color:#111;background:#f2f2f2"

_TOKEN = re.compile(r"<!--.*?(?:--!?>|\Z)|<(?P<close>/?)(?P<name>[A-Za-z][^\s/>]*)"
                    r"(?P<rest>(?:[^>\"']|\"[^\"]*+\"|'[^']*+')*+)>|<[!?][^>]*>", re.DOTALL)
_MAX_TAGS = 500_000
_TAG = re.compile(r"</?[A-Za-z]|<[!?]")
_ATTRIBUTE = re.compile(r"([^\s=/\"'>]++)(?:\s*+=\s*+(\"[^\"]*+\"|'[^']*+'|[^\s\"'>]++))?")
_RAW = {"script", "style", "textarea", "title", "noscript", "template", "iframe", "noembed", "noframes", "xmp", "svg",
        "math", "select", "object", "video", "audio", "canvas"}
_HEAD = {"head", "title", "meta", "link", "style", "script", "base", "noscript", "template"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_OF_HEAD = {"html", *_HEAD}
_INLINE = {"a", "abbr", "b", "bdi", "bdo", "cite", "code", "em", "font", "i", "img", "kbd", "mark", "q", "s", "samp",
           "small", "span", "strong", "sub", "sup", "time", "u", "var", "wbr", "ruby", "rt", "rp"}
_ROLES = {**dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "heading"),
          **dict.fromkeys(("li", "td", "th", "dt", "dd", "button", "option", "label", "legend", "nav", "a"),
                         "item"),
          **dict.fromkeys(("pre", "code", "samp", "kbd", "q"), "code")}
_HOLDERS = {"html", "body", "main", "article", "section", "div"}
_PLACES = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article", "figure", "blockquote", "ul", "ol", "table"}
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0*)?\s*(?:[;!]|$)|"
                     r"font-size\s*:\s*(?:0(?:\.0*)?(?:px|em|pt|rem|%)?|[1-4](?:\.\d*)?px|[12](?:\.\d*)?pt)\s*(?:[;!]|$)|"
                     r"(?<![\w-])(?:left|right|top|bottom|text-indent)\s*:\s*-(?:\d{4,}|999)|clip\s*:\s*rect\(\s*[01](?:px)?\b|"
                     r"clip-path\s*:\s*inset\(\s*(?:50|100)%", re.IGNORECASE)
_MARKED = re.compile(r"aigc|\bai[-_ ]?(?:label|mark|badge|generated|notice|disclosure)", re.IGNORECASE)


@dataclass(slots=True)
class Page:
    """A page, where its content starts and ends in characters, and where a paragraph may be put between."""

    encoded: EncodedText
    start: int = 0
    end: int = 0
    boundaries: list[int] = field(default_factory=list)

    def labelled(self, words: Sequence[Words]) -> bytes:
        """See `TextSource`; raises HostTooSmall for a page without a place in the middle."""
        return self.encoded.changed(self.change(one) for one in words)

    def change(self, words: Words) -> tuple[int, int, str]:
        at = self.start if words.place == "start" else self.end
        if words.place == "middle":
            if not self.boundaries:
                raise HostTooSmall("a page without paragraphs has no middle for a label",
                                   hint="put the label at the start or the end")
            at = min(self.boundaries, key=lambda one: abs(2 * one - self.start - self.end))
        return at, at, paragraph(words)


def paragraph(words: Words) -> str:
    """The label as an element that is shown, legible on any ground, and read aloud; in ASCII."""
    shown = _shown("AI" if words.mark else words.text)
    style = _MARK_STYLE if words.mark else _STYLE
    about = " aria-label=\"" + _shown("AI生成") + "\"" if words.mark else ""
    return f'<p class="aigc-label" role="note"{about} style="{style}">{shown}</p>'


def _shown(text: str) -> str:
    """A text as it stands in a page of any encoding: references for all that is not ASCII."""
    return html.escape(text).encode("ascii", "xmlcharrefreplace").decode()


def read(data: bytes, name: str) -> tuple[Sequence[Block], Page]:
    """The text of a page as a browser shows it."""
    encoded = _encoded(data, name)
    walk = _Walk(encoded.text)
    walk.run()
    if walk.framed:
        raise UnsupportedFormat("{where}: a page of frames has no text of its own", where=name)
    start = walk.body if walk.body is not None else walk.head
    end = walk.end if walk.end is not None else len(encoded.text)
    end = max(start, end)
    return walk.blocks, Page(encoded, start, end, [at for at in walk.boundaries if start < at < end])


def _encoded(data: bytes, name: str) -> EncodedText:
    """The characters; a page in another encoding is read byte by byte, which leaves its tags as they are."""
    try:
        return EncodedText.of(data, name)
    except UnsupportedFormat:
        text = data.decode("latin-1")
        return EncodedText(data, text, "latin-1", b"", "\r\n" if "\r\n" in text else "\n")


@dataclass(frozen=True, slots=True)
class _Open:
    """An open element: its role and whether it is hidden, those around it included; whether paragraphs may be put in.
    """

    name: str
    role: str
    hidden: bool
    holds: bool


_opened = functools.lru_cache(256)(_Open)
_NOTHING = _Open("", "text", hidden=False, holds=True)


@dataclass(slots=True)
class _Walk:
    """One pass over the tags of a page."""

    text: str
    head: int = 0
    body: int | None = None
    end: int | None = None
    framed: bool = False
    tags: int = 0
    in_head: bool = True
    open: list[_Open] = field(default_factory=lambda: [_NOTHING])
    names: Counter[str] = field(default_factory=Counter)  # of open elements
    pieces: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    boundaries: list[int] = field(default_factory=list)

    def run(self) -> None:
        """Walk to the end."""
        at = done = 0
        while (at := self.text.find("<", at)) >= 0:
            token = _TOKEN.match(self.text, at)
            if token is None and _TAG.match(self.text, at):
                self._words(done, at)  # a tag that never ends
                done = len(self.text)
                break
            if token is None:
                at += 1
                continue
            self.tags += 1
            if self.tags > _MAX_TAGS:
                raise LimitExceeded("a page of more than {limit} tags", limit=_MAX_TAGS)
            self._words(done, at)
            at = token.end()
            name = (token["name"] or "").lower()
            if not name:
                self._declaration(token)
            elif token["close"]:
                self._close(name, token.start())
            else:
                at = self._open(name, token)
            done = at
        self._words(done, len(self.text))
        self._flush()

    def _declaration(self, token: re.Match[str]) -> None:
        if self.in_head and token[0][:2] == "<!" and token[0][:4] != "<!--":
            self.head = token.end()

    def _words(self, start: int, stop: int) -> None:
        if start == stop:
            return
        words = html.unescape(self.text[start:stop])
        if not words.strip():
            self.pieces.append(" " if words and self.pieces else "")
            return
        self.in_head = False
        if not self.open[-1].hidden:
            self.pieces.append(words)

    def _open(self, name: str, token: re.Match[str]) -> int:
        """Take a start tag; returns where to go on."""
        at, stop = token.start(), token.end()
        if name == "body":
            self.body, self.in_head = stop, False
        elif name == "frameset":
            self.framed = True
        elif name in _OF_HEAD:
            stop = self._raw_end(name, stop) if name in _RAW else stop
            self.head = stop if self.in_head else self.head
            return stop
        self.in_head = False
        if name in _RAW:
            return self._raw_end(name, stop)
        rest = token["rest"]
        attributes = {key.lower(): value.strip("\"'") for key, value in _ATTRIBUTE.findall(rest)} if rest else {}
        if name not in _INLINE:
            self._flush()
            if self.open[-1].name == "p":  # which its end tag may leave out
                self.names["p"] -= 1
                self.open.pop()
            if name in _PLACES and self.open[-1].holds and self.blocks:
                self.boundaries.append(at)
        if name in _VOID or rest.endswith("/"):
            return stop
        marked = bool(attributes) and any(_MARKED.search(attributes.get(key, ""))
                                          for key in ("class", "id", "aria-label", "title"))
        around, role = self.open[-1], "mark" if marked else _ROLES.get(name, "")
        if role == "code" and name != "pre":
            self.pieces.append("`")
        hidden = bool(attributes) and ("hidden" in attributes or bool(_HIDDEN.search(attributes.get("style", ""))))
        self.open.append(_opened(name, role or around.role, around.hidden or hidden, around.holds and name in _HOLDERS))
        self.names[name] += 1
        return stop

    def _raw_end(self, name: str, at: int) -> int:
        """Where an element whose content is no text of the page ends."""
        closing = re.compile(f"</{name}", re.IGNORECASE).search(self.text, at)
        if closing is None:
            return len(self.text)
        stop = self.text.find(">", closing.end())
        return stop + 1 if stop >= 0 else len(self.text)

    def _close(self, name: str, at: int) -> None:
        if name in ("body", "html"):
            self._flush()
            self.end = at if self.end is None else self.end
            return
        if name == "head":
            self.head = self.text.index(">", at) + 1
            return
        if name not in _INLINE:
            self._flush()
        while self.names[name]:
            closed = self.open.pop()
            self.names[closed.name] -= 1
            if closed.name == name:
                if _ROLES.get(name) == "code" and name != "pre":
                    self.pieces.append("`")
                break

    def _flush(self) -> None:
        if not self.pieces:
            return
        text, role = " ".join("".join(self.pieces).split()), self.open[-1].role
        self.pieces = []
        if not text or role == "code":
            return
        is_mark = role == "mark" and text.strip("[]【】()（） ").upper() in ("AI", "AIGC")
        self.blocks.append(Block(text, "mark" if is_mark else "text" if role == "mark" else role))
