# SPDX-License-Identifier: Apache-2.0
"""The style sheets that stand in a page, as far as they decide which words are seen (CSS 2.2, 4 to 6; Selectors 3).

Read: rules of tags, classes and ids, one inside another, with ::before and ::after; of their declarations what hides an
element, its colours, and `content`. Rules with other selectors do not apply here, nor do those for print alone.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from labelkit.errors import LimitExceeded

_MAX_RULES, _MAX_BYTES = 3000, 512 << 10  # of all sheets of a page; what is beyond does not apply
_MAX_KNOWN, _MAX_VALUE = 4096, 500  # styles; characters of a value, which each element looks through
_MAX_TRIED = 1_000_000  # rules times elements, a microsecond each
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)|<!--|-->", re.DOTALL)
_STRING = r"\"(?:[^\"\\\n]|\\.)*+\"|'(?:[^'\\\n]|\\.)*+'"
_PIECE = re.compile(rf"(?:[^\"'{{}};\\]|\\.|{_STRING}|[\"'])*+", re.DOTALL)
_COMPOUND = re.compile(r"(?P<tag>\*|[a-zA-Z][\w-]*)?(?P<rest>(?:[.#][\w-]+)*)(?P<pseudo>::?(?:before|after))?")
_PART = re.compile(r"[.#][\w-]+")
_CONTENT = re.compile(rf"({_STRING})|attr\(\s*([\w-]+)\s*\)|(?:counter|url|image-set)\([^)]*\)|[\w-]+|/.*", re.DOTALL)
_ALWAYS = re.compile(r"@(?:supports|layer)\b|@media\s+(?:only\s+)?(?:screen|all)\s*\Z", re.IGNORECASE)
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})[ \t\r\n\f]?|(\r?\n)|(.))", re.DOTALL)
_KEPT = re.compile(r"display|visibility|opacity|font-size|left|right|top|bottom|text-indent|clip|clip-path|color|"
                   r"background|background-color|background-image|content|animation|animation-name|transition")
_HEX = re.compile(r"#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})\b")
_RGB = re.compile(r"rgba?\(\s*([\d.]+)(%?)[\s,]+([\d.]+)%?[\s,]+([\d.]+)%?(?:\s*[,/]\s*([\d.]+)(%?))?\s*\)")
_NAMED = {"white": (255, 255, 255), "black": (0, 0, 0), "snow": (255, 250, 250), "ivory": (255, 255, 240),
          "ghostwhite": (248, 248, 255), "floralwhite": (255, 250, 240), "whitesmoke": (245, 245, 245),
          "red": (255, 0, 0), "gray": (128, 128, 128), "grey": (128, 128, 128), "navy": (0, 0, 128),
          "blue": (0, 0, 255), "green": (0, 128, 0), "yellow": (255, 255, 0), "silver": (192, 192, 192),
          "lightgray": (211, 211, 211), "lightgrey": (211, 211, 211), "darkblue": (0, 0, 139)}
_UNSEEN = 1.15  # contrast (WCAG 2.1) below which letters are not told from their ground

Colour = tuple[int, int, int]
Style = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Compound:
    """A tag, "" for any, and the classes and ids (with their signs) that an element must have."""

    tag: str
    names: frozenset[str]

    def fits(self, tag: str, names: frozenset[str]) -> bool:
        """Whether it selects an element."""
        return self.tag in ("", tag) and self.names <= names


@dataclass(frozen=True, slots=True)
class _Rule:
    """Compounds from the outermost to the element's own, its declarations, and what decides between rules."""

    compounds: tuple[_Compound, ...]
    style: Style
    weight: tuple[int, int, int, int]


Element = tuple[str, frozenset[str]]
"""The tag of an element, and its classes and id with their signs."""


@dataclass(slots=True)
class Sheet:
    """The rules of a page, by the class, id or tag that they select and by the pseudo-element, "" for the element."""

    rules: dict[tuple[str, str], list[_Rule]] = field(default_factory=dict)
    count: int = 0
    size: int = 0
    tried: int = 0
    known: dict[tuple[Element, str], Style] = field(default_factory=dict)  # of elements that alone decide
    generates: bool = False  # there are rules of pseudo-elements
    nests: bool = False  # there are rules that ask for what is around
    is_sure: bool = True  # no ground of the page is set where it is not read

    def add(self, text: str) -> None:
        """Take the rules of one more style element."""
        self.size += len(text)
        if self.size > _MAX_BYTES or "@import" in text:
            self.is_sure = False
        if self.size > _MAX_BYTES:
            return
        for selectors, style in _rules(_COMMENT.sub(" ", text)):
            for selector in selectors.split(","):
                self.count += 1
                if self.count > _MAX_RULES or not self._add(selector.strip(), style):
                    self.is_sure = self.is_sure and not any(name.startswith("background") for name in style)

    def _add(self, selector: str, style: Style) -> bool:
        """Take a rule; whether its selector is one that is read."""
        compounds: list[_Compound] = []
        pseudo, ids, names, tags = "", 0, 0, 0
        for part in re.split(r"\s*>\s*|\s+", selector):
            found = _COMPOUND.fullmatch(part)
            if found is None or not part or pseudo:
                return False
            own = _PART.findall(found["rest"])
            tag = (found["tag"] or "").lower().replace("*", "")
            pseudo = (found["pseudo"] or "").lstrip(":")
            compounds.append(_Compound(tag, frozenset(own)))
            ids, names, tags = ids + found["rest"].count("#"), names + found["rest"].count("."), tags + bool(tag)
        last = compounds[-1]
        key = min(last.names, default=last.tag)
        self.generates = self.generates or bool(pseudo)
        self.nests = self.nests or len(compounds) > 1
        self.rules.setdefault((key, pseudo), []).append(_Rule(tuple(compounds), style, (ids, names, tags, self.count)))
        return True

    def style_of(self, element: Element, above: Callable[[], Sequence[Element]], pseudo: str = "") -> Style:
        """What the rules say of an element or its pseudo-element; `above` gives those around it, the outermost first.

        Raises LimitExceeded for too many rules and elements.
        """
        known = self.known.get((element, pseudo))
        if known is not None:
            return known
        tag, names = element
        tried = [rule for key in (*names, tag, "") for rule in self.rules.get((key, pseudo), ())]
        self.tried += len(tried)
        if self.tried > _MAX_TRIED:
            raise LimitExceeded("a page of so many rules of style for so many elements that not all were applied")
        is_own = all(len(rule.compounds) == 1 for rule in tried)
        path = [element] if is_own else [*above(), element]
        style: dict[str, str] = {}
        for rule in sorted((rule for rule in tried if _fits(rule, path)), key=lambda rule: rule.weight):
            style.update(rule.style)
        if is_own and len(self.known) < _MAX_KNOWN:
            self.known[element, pseudo] = style
        return style


def _fits(rule: _Rule, path: Sequence[Element]) -> bool:
    """Whether a rule selects the last element of a path; an element between is as good as none."""
    if not rule.compounds[-1].fits(*path[-1]):
        return False
    at = len(path) - 2
    for compound in reversed(rule.compounds[:-1]):
        while at >= 0 and not compound.fits(*path[at]):
            at -= 1
        at -= 1
        if at < -1:
            return False
    return True


def _rules(text: str) -> Iterator[tuple[str, Style]]:
    """(selectors, declarations) of each rule, those of @media for screens, @supports and @layer among them."""
    at, skipped, depth = 0, 0, 0  # the depth at which a part is passed over, 0 for none
    while at < len(text):
        found = _PIECE.match(text, at)
        piece = found[0].strip() if found else ""
        at = found.end() if found else at
        sign = text[at:at + 1]
        at += 1
        if sign == "{":
            depth += 1
            if piece.startswith("@") and not skipped:
                skipped = 0 if _ALWAYS.match(piece) else depth
            elif not piece.startswith("@"):
                stop = _end_of(text, at)
                if not skipped:
                    yield piece, declarations(text[at:stop])
                at, depth = stop + 1, depth - 1
        elif sign == "}":
            skipped = 0 if depth <= skipped else skipped
            depth = max(depth - 1, 0)


def _end_of(text: str, at: int) -> int:
    """Where the declarations that start there end."""
    while at < len(text):
        found = _PIECE.match(text, at)
        at = found.end() if found else at
        if text[at:at + 1] in ("}", ""):
            break
        at += 1
    return at


def declarations(text: str) -> dict[str, str]:
    """The declarations that are read here, the last of each name."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        stop = piece.end() if piece else at
        name, colon, value = text[at:stop].partition(":")
        name = name.strip().lower()
        if colon and _KEPT.fullmatch(name):
            found[name] = value.strip()[:_MAX_VALUE]
        at = stop + 1
    return found


def text_of(content: str, attributes: Mapping[str, str]) -> str:
    """The words of a `content`; "" for none, and for what is a picture or a counter."""
    return "".join(_unescaped(found[1][1:-1]) if found[1] else attributes.get(found[2].lower(), "") if found[2] else ""
                   for found in _CONTENT.finditer(content))


def _unescaped(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        code = int(found[1], 16) if found[1] else 0
        if found[1]:
            return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"
        return found[3] or ""
    return _ESCAPE.sub(one, text)


@functools.lru_cache(1024)
def colour(text: str) -> Colour | str | None:
    """A colour; "transparent"; "unknown" for a picture, a gradient and what is not known; None for no colour."""
    text = text.lower().replace("!important", "").strip()
    found = _HEX.search(text)
    if found:
        digits = found[1] if len(found[1]) > 4 else "".join(2 * one for one in found[1])
        if digits[6:] and int(digits[6:], 16) < 13:
            return "transparent"
        return "unknown" if digits[6:] not in ("", "ff") else _three(int(digits[at:at + 2], 16) for at in (0, 2, 4))
    rgb = _RGB.search(text)
    if rgb:
        alpha = float(rgb[5]) / (100 if rgb[6] else 1) if rgb[5] else 1
        scale = 2.55 if rgb[2] else 1
        if alpha < 1:
            return "transparent" if alpha < 0.05 else "unknown"
        return _three(min(255, round(float(rgb[at]) * scale)) for at in (1, 3, 4))
    if "url(" in text or "gradient(" in text or "var(" in text:
        return "unknown"
    words = text.split()
    if {"transparent", "none"} & set(words) or text == "initial":
        return "transparent"
    return next((_NAMED[word] for word in words if word in _NAMED), None if text in ("", "inherit") else "unknown")


def _three(values: Iterator[int]) -> Colour:
    red, green, blue = values
    return red, green, blue


@functools.lru_cache(1024)
def are_alike(one: Colour, other: Colour) -> bool:
    """Whether letters of a colour are not seen on a ground of the other."""
    first, second = sorted((_luminance(one), _luminance(other)))
    return (second + 0.05) / (first + 0.05) < _UNSEEN and max(map(abs, map(int.__sub__, one, other))) < 48


def _luminance(of: Colour) -> float:
    linear = [value / 255 / 12.92 if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4 for value in of]
    return sum(map(lambda pair: pair[0] * pair[1], zip((0.2126, 0.7152, 0.0722), linear, strict=True)))
