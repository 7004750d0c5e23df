# SPDX-License-Identifier: Apache-2.0
"""Ten hostile files of each format of text: what they cost, and that a report or an error of ours comes of them."""

from __future__ import annotations

import pytest

import labelkit as lk
from labelkit.container import Reader
from labelkit.errors import LabelkitError
from tests.cost import within

MOST = 1 << 17
LAYERS = lk.Layer.EXPLICIT, lk.Layer.METADATA
LABELLED = {
    "a.txt": "AI生成\n\nIt rains.\n",
    "a.md": "AI生成\n\n# It rains\n\n- a\n\n> b\n\n| c |\n|---|\n\n[d](e) ![f](g) *h*\n",
    "a.html": "<!doctype html><style>.a{color:red}</style><body><p>AI生成</p><p class=a style='top:0'>It rains.</p>",
    "a.srt": "1\n00:00:01,000 --> 00:00:02,500\nAI生成\n\n2\n00:00:03,000 --> 00:00:04,000\nbye\n\n",
    "a.vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\nAI生成\n\n00:03.000 --> 00:04.000\n<v Bob>bye\n\n",
    "a.ass": "[Script Info]\nTitle: x\n\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
             "Dialogue: 0,0:00:01.00,0:00:02.00,Top,AI生成\nDialogue: 0,0:00:03.00,0:00:04.00,Top,{\\i1}you\n",
    "a.json": '{"messages": [{"role": "assistant", "content": "AI生成\\n\\nIt rains."}], "n": [1.5, null]}',
    "a.jsonl": '{"prompt": "q", "response": "AI生成\\n\\nIt rains.", "done": true}\n',
}


def times(text: str, count: int = 1 << 17) -> str:
    return text * max(1, min(count, MOST // max(1, len(text.encode()))))


RECIPES = {
    "itself over and over": lambda text: times(text),
    "its last sign over and over": lambda text: text + times(text.strip()[-1]),
    "what opens": lambda text: text + times("".join(one for one in text if one in "<[{(\"'*_-#|>") or "["),
    "every sign of its own": lambda text: text + times("\n".join(text)),
    "line ends": lambda text: text + times("\r\n\r"),
    "one line without end": lambda text: text.replace("\n", " ") + times("AI "),
    "labels": lambda text: text.replace("AI生成", times("AI生成\n\n")),
    "labels almost": lambda text: text.replace("AI生成", times("AI生成AI\u200b生 成")),
    "backwards": lambda text: times(text[::-1]),
    "cut off, with a sign that is none": lambda text: text[:-2] + times("\\ud800\\u0000&#0;&#xd800;\ufeff\u202e"),
}


def verdict(name: str, data: bytes) -> object:
    try:
        return lk.verify(Reader.of(data, name), layers=LAYERS, effort="fast").verdict
    except LabelkitError as error:
        return type(error)


@pytest.mark.parametrize("name", LABELLED)
def test_hostile_texts_cost_little_and_end_in_a_report_or_our_error(name):
    text = LABELLED[name]
    assert verdict(name, text.encode()) is lk.Verdict.SUSPECTED
    said = set()
    for what, recipe in RECIPES.items():
        data = recipe(text).encode("utf-8", "surrogatepass")[:2 * MOST]
        assert within(lambda data=data: said.add(verdict(name, data)), 2.0), what
    assert lk.Verdict.SUSPECTED in said and len(said) > 1, "some of them keep their label, and not all"


STYLES = {
    "quotes": "p{content:" + times("\"'", 50_000), "braces": times("{", 99_000) + times("}", 99_000),
    "comments": times("/*", 99_000), "selectors": times("p ", 50_000) + "{display:none}",
    "commas": times("p,", 50_000) + "{display:none}", "rules": times(".a{color:#fff}", 9000),
    "media": times("@media screen{", 9000), "escapes": "p::before{content:'" + times("\\ud800 ", 20_000) + "'}",
    "colours": "p{color:" + times("rgb(", 20_000) + "}", "declarations": "p{" + times("color:red;", 20_000) + "}",
}


@pytest.mark.parametrize("name", STYLES)
def test_hostile_style_sheets_cost_little(name):
    page = f"<!doctype html><style>{STYLES[name]}</style><body><p>AI-generated</p>" + "<p class=a>x</p>" * 2000
    assert within(lambda: verdict("a.html", page.encode()), 2.0)
