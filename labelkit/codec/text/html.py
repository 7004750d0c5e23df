# SPDX-License-Identifier: Apache-2.0
"""HTML: the label is a paragraph of the body, shown by every browser and read aloud by screen readers.

The pages of others are walked by their tags; scripts, comments and what is not displayed are no text. Of their own
style sheets is read what shows or hides words (`stylesheet`).
"""

from __future__ import annotations

import functools
import html
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from labelkit.codec.samples import Block, Words
from labelkit.codec.text import stylesheet
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
_STYLED = re.compile(r"<!--|<(script|style|link|textarea|template)\b[^>]*>", re.IGNORECASE)
_ENDS = {"": re.compile("-->"), "link": re.compile(""), **{one: re.compile(f"</{one}", re.IGNORECASE)
                                                         for one in ("script", "style", "textarea", "template")}}
_SHOWING = {"style", "hidden", "color", "bgcolor"}  # attributes
_GROUNDS = ("background", "background-color", "background-image")
_PSEUDO = ("before", "after")
_MAX_PICTURES = 1000
_MAX_SIBLINGS = 1000  # start tags that are known in one element
_MAX_PATH = 64  # elements around one that a style sheet may name
_MOVES = ("animation", "animation-name", "transition")  # letters that fade in are seen
_MARKED = re.compile(r"aigc|\bai[-_ ]?(?:label|mark|badge|generated|notice|disclosure)", re.IGNORECASE)


@dataclass(slots=True)
class Page:
    """A page, where its content starts and ends in characters, and where a paragraph may be put between."""

    encoded: EncodedText
    start: int = 0
    end: int = 0
    boundaries: list[int] = field(default_factory=list)
    described: tuple[str, ...] = ()

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
    return walk.blocks, Page(encoded, start, end, [at for at in walk.boundaries if start < at < end],
                             tuple(walk.described))


def _encoded(data: bytes, name: str) -> EncodedText:
    """The characters; a page in another encoding is read byte by byte, which leaves its tags as they are."""
    try:
        return EncodedText.of(data, name)
    except UnsupportedFormat:
        text = data.decode("latin-1")
        return EncodedText(data, text, "latin-1", b"", "\r\n" if "\r\n" in text else "\n")


@dataclass(frozen=True, slots=True)
class _Open:
    """An open element, with what holds of those around it too.

    role, hidden    what its words are, and whether they are not displayed
    holds           paragraphs may be put in
    colour, ground  of its letters and behind them; None where they are not known
    names           its classes and its id, for style sheets
    after           what a style sheet puts at its end
    blends          its own letters are not told from their ground
    """

    name: str
    role: str
    hidden: bool
    holds: bool
    colour: stylesheet.Colour | None = (0, 0, 0)
    ground: stylesheet.Colour | None = (255, 255, 255)
    names: frozenset[str] = frozenset()
    after: str = ""
    blends: bool = False


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
    described: list[str] = field(default_factory=list)  # what pictures are said to show
    sheet: stylesheet.Sheet = field(default_factory=stylesheet.Sheet)
    around: _Open | None = None
    siblings: dict[tuple[str, str], tuple[_Open, str]] = field(default_factory=dict)  # in `around`, by their start tags

    def run(self) -> None:
        """Walk to the end."""
        self._read_styles()
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
        self._finish()

    def _read_styles(self) -> None:
        """Take the style sheets of the page, wherever they stand: they hold for all of it."""
        at = 0
        while found := _STYLED.search(self.text, at):
            name = found[1].lower() if found[1] else ""
            closing = _ENDS[name].search(self.text, found.end())
            at = closing.end() if closing else len(self.text)
            if name == "style" and "print" not in found[0]:
                self.sheet.add(self.text[found.end():closing.start() if closing else at])
            elif name == "link" and "stylesheet" in found[0].lower():
                self.sheet.is_sure = False
        if not self.sheet.is_sure:
            self.open[0] = replace(_NOTHING, ground=None)

    def _finish(self) -> None:
        """What style sheets put at the end of elements that are still open, the innermost first."""
        for one in reversed(self.open):
            if one.after:
                self.pieces.append(one.after)
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
        if not (self.open[-1].hidden or self.open[-1].blends):
            self.pieces.append(words)

    def _open(self, name: str, token: re.Match[str]) -> int:
        """Take a start tag; returns where to go on."""
        at, stop = token.start(), token.end()
        if name == "body":
            self.body, self.in_head = stop, False
        elif name == "frameset":
            self.framed = True
        elif name in _OF_HEAD:
            if name == "html" and len(self.open) == 1:
                attributes = self._attributes(token["rest"])
                self.open[0], before = self._styled(_NOTHING.name, "text", attributes, True, "html")
                self.pieces += [before] if before else []
            stop = self._raw_end(name, stop) if name in _RAW else stop
            self.head = stop if self.in_head else self.head
            return stop
        self.in_head = False
        if name in _RAW:
            return self._raw_end(name, stop)
        rest = token["rest"]
        attributes = self._attributes(rest) if rest else {}
        if name == "img" and attributes.get("alt") and not self.open[-1].hidden and len(self.described) < _MAX_PICTURES:
            self.described.append(html.unescape(attributes["alt"]))
        if name not in _INLINE:
            if self.open[-1].name == "p" and self.open[-1].after:
                self.pieces.append(self.open[-1].after)
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
        role = "mark" if marked else _ROLES.get(name, "")
        if role == "code" and name != "pre":
            self.pieces.append("`")
        holds = self.open[-1].holds and name in _HOLDERS
        around = self.open[-1]
        if around is not self.around:
            self.around, self.siblings = around, {}
        styled = self.siblings.get((name, rest))
        if styled is None:
            styled = self._styled(name, role, attributes, holds, name)
            if len(self.siblings) < _MAX_SIBLINGS:
                self.siblings[name, rest] = styled
        self.open.append(styled[0])
        if styled[1]:
            self.pieces.append(styled[1])
        self.names[name] += 1
        return stop

    @staticmethod
    def _attributes(rest: str) -> dict[str, str]:
        return {key.lower(): value.strip("\"'") for key, value in _ATTRIBUTE.findall(rest)}

    def _styled(self, name: str, role: str, attributes: dict[str, str], holds: bool, tag: str) -> tuple[_Open, str]:
        """The element that starts, and what a style sheet puts before its words."""
        around = self.open[-1]
        if not self.sheet.rules and not _SHOWING & attributes.keys():
            return _opened(name, role or around.role, around.hidden, holds, around.colour, around.ground,
                           blends=around.blends), ""
        names = frozenset([*("." + one for one in attributes.get("class", "").split()),
                           *("#" + one for one in (attributes.get("id", ""),) if one)])
        own = attributes.get("style", "")
        element = tag, names
        style = self.sheet.style_of(element, self._above) if self.sheet.rules else {}
        if own:
            style = {**style, **stylesheet.declarations(own)}
        hidden = around.hidden or "hidden" in attributes or _is_hidden(style)
        colour, ground = _colours(around, style, attributes)
        blends = bool(colour and ground and stylesheet.are_alike(colour, ground))
        before = after = ""
        if self.sheet.generates and not (hidden or blends):
            before, after = (self._generated(element, one, attributes) for one in _PSEUDO)
        make = _Open if self.sheet.nests else _opened  # then those of one look in two places are not one
        return make(name, role or around.role, hidden, holds, colour, ground, names, after, blends), before

    def _above(self) -> list[stylesheet.Element]:
        return [("html", self.open[0].names), *((one.name, one.names) for one in self.open[1:][-_MAX_PATH:])]

    def _generated(self, element: stylesheet.Element, pseudo: str, attributes: dict[str, str]) -> str:
        """The words that a style sheet puts at the start or the end of an element."""
        style = self.sheet.style_of(element, self._above, pseudo)
        return "" if _is_hidden(style) else stylesheet.text_of(style.get("content", ""), attributes)

    def _raw_end(self, name: str, at: int) -> int:
        """Where an element whose content is no text of the page ends."""
        closing = re.compile(f"</{name}", re.IGNORECASE).search(self.text, at)
        if closing is None:
            return len(self.text)
        stop = self.text.find(">", closing.end())
        return stop + 1 if stop >= 0 else len(self.text)

    def _close(self, name: str, at: int) -> None:
        if name in ("body", "html"):
            if self.end is None:
                self._finish()
                self.open = [replace(one, after="") if one.after else one for one in self.open]
            self.end = at if self.end is None else self.end
            return
        if name == "head":
            self.head = self.text.index(">", at) + 1
            return
        if self.open[-1].name == name and self.open[-1].after:
            self.pieces.append(self.open[-1].after)
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


def _is_hidden(style: stylesheet.Style) -> bool:
    """Whether declarations take the words of an element away."""
    if not style:
        return False
    moves = any(style.get(name, "none") not in ("none", "initial") for name in _MOVES)
    return any(_HIDDEN.search(f"{name}:{value}") for name, value in style.items()
               if name != "content" and not (moves and name in ("opacity", "visibility")))


def _colours(around: _Open, style: stylesheet.Style, attributes: dict[str, str]) -> tuple[
        stylesheet.Colour | None, stylesheet.Colour | None]:
    """The colours of the letters of an element and of its ground."""
    colour: stylesheet.Colour | None = around.colour
    ground: stylesheet.Colour | None = around.ground
    for value in filter(None, (attributes.get("bgcolor"), *map(style.get, _GROUNDS))):
        found = stylesheet.colour(value)
        if found is not None and found != "transparent":
            ground = None if isinstance(found, str) else found
    for value in filter(None, (attributes.get("color"), style.get("color"))):
        found = stylesheet.colour(value)
        if found == "transparent" and ground:
            colour = ground
        elif found is not None:
            colour = None if isinstance(found, str) else found
    return colour, ground
