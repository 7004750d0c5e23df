# SPDX-License-Identifier: Apache-2.0
"""Pieces of HTML: escaped text, messages in both languages, lists, chips, and the document around a page."""

from __future__ import annotations

import base64
import functools
import html
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from labelkit.messages import LANGUAGES, Message, one_line

Media: TypeAlias = tuple[str, bytes]  # media type, bytes

_CHINESE_FONTS = ("PingFang SC", "PingFangSC-Regular", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC",
                  "Source Han Sans SC", "HarmonyOS Sans SC")
"""Full names of the fonts that systems have for Chinese; where there is none of them, the page's own is used."""
FONT = "LabelKitPages.woff"
_FOLDER = Path(__file__).parent
MAX_VALUE = 600  # characters of a value that are shown


def escaped(value: object) -> str:
    """The text as HTML on one line, for an element or an attribute."""
    return html.escape(one_line(str(value)))


def bilingual(message: Message) -> str:
    """The message in both languages; the page's switch hides one."""
    return "".join(f'<span lang="{code}">{escaped(message.text(code))}</span>' for code in LANGUAGES)


def bilingual_attribute(message: Message, name: str = "") -> str:
    """The message in both languages for an attribute, which the switch cannot reach; `name` of a file after it."""
    return escaped(" / ".join(message.text(code) for code in LANGUAGES) + (f": {name}" if name else ""))


def chip(style: str, text: Message, sign: str = "") -> str:
    """A short word in a coloured shape; `sign` before it is for the eye alone."""
    shown = f'<span aria-hidden="true">{sign} </span>' if sign else ""
    return f'<span class="chip {style}">{shown}{bilingual(text)}</span>'


def bullet_list(items: Iterable[str]) -> str:
    """A list of pieces of HTML."""
    return f'<ul class="plain">{"".join(f"<li>{item}</li>" for item in items)}</ul>'


def row(key: str | Message, value: object) -> str:
    """One entry of a <dl>."""
    return f"<dt>{_cell(key)}</dt><dd>{_cell(value)}</dd>"


def _cell(value: object) -> str:
    if isinstance(value, Message):
        return bilingual(value)
    text = str(value)
    if len(text) > MAX_VALUE:
        text = f"{text[:MAX_VALUE]}… ({len(text)})"
    return escaped(text) or "–"


def table(caption: Message, head: Iterable[str], rows: Iterable[str], style: str = "") -> str:
    """A table that scrolls sideways by itself where the page is narrow."""
    classes = f"table {style}" if style else "table"
    return (f'<div class="{classes}" role="region" tabindex="0" aria-label="{bilingual_attribute(caption)}">'
            f'<table><thead><tr>{"".join(head)}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>\n')


def data_uri(media: Media) -> str:
    """RFC 2397."""
    media_type, data = media
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def language_switch(language: str) -> tuple[str, str]:
    """Two radio buttons, which stand before all else in <body>, and their labels; `language` is chosen."""
    switches = "".join(f'<input class="switch" type="radio" name="language" id="{short}" aria-label="{name}"'
                       f'{" checked" if language == code else ""}>'
                       for short, code, name in (("en", "en", "English"), ("zh", "zh-CN", "中文")))
    labels = '<nav aria-label="Language / 语言"><label for="en">English</label><label for="zh">中文</label></nav>'
    return switches, labels


def document(title: Message, intro: str, body: str, language: str) -> str:
    """A whole page; `language` is shown first. The switch is two radio buttons, because no script may run."""
    switches, labels = language_switch(language)
    closing = bilingual(Message("Made by labelkit; the page is complete in itself and loads nothing."))
    return (f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            # nothing but the content of this file may be shown, and no script may run
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
            'media-src data:; font-src data:; style-src \'unsafe-inline\'">\n'
            f"<title>{escaped(title.text(language))}</title>\n<style>\n{_style()}</style>\n</head>\n"
            f"<body>\n{switches}\n"
            f"<header><div><h1>{bilingual(title)}</h1>{intro}</div>{labels}</header>\n<main>\n{body}</main>\n"
            f"<footer><p>{closing}</p></footer>\n</body>\n</html>\n")


@functools.cache
def _style() -> str:
    return style(data_uri(("font/woff", (_FOLDER / FONT).read_bytes())))


def style(font: str) -> str:
    """The style sheet of every page; `font` is the address of FONT."""
    own = ", ".join(f'local("{name}")' for name in _CHINESE_FONTS)
    return (f'@font-face {{ font-family: "LabelKit Pages"; src: {own}, url({font}) format("woff"); '
            "unicode-range: U+2E80-9FFF, U+FF00-FFEF; }\n" + (_FOLDER / "style.css").read_text("utf-8"))
