# SPDX-License-Identifier: Apache-2.0
"""Texts that are longer than what is read of them: what was not read is said, and a label that was seen counts."""

from __future__ import annotations

import pytest

import labelkit as lk
from labelkit.codec.text import encoding, epub, markdown, mindmap, ofd, sheets, slides, subtitles
from labelkit.explicit.text import finding
from tests.explicit import (
    test_mindmap as maps,
    test_ofd_words as ofd_words,
    test_office as office,
    test_sheets as workbooks,
)
from tests.explicit.test_office import explicit

PLAIN = "A line of a report about sales in the third quarter."


@pytest.mark.parametrize("module, name, make", [
    (slides, "_MAX_SLIDES", lambda count: office.pptx(*[PLAIN] * count)),
    (epub, "_MAX_CHAPTERS", lambda count: office.epub(*[f"<p>{PLAIN}</p>"] * count)),
    (sheets, "_MAX_SHEETS", lambda count: workbooks.xlsx(*[workbooks.sheet([[PLAIN]])] * count)),
    (mindmap, "_MAX_SHEETS", lambda count: maps.new_map(*[maps.topic(PLAIN)] * count))])
def test_a_document_of_too_many_parts_is_not_looked_at_and_that_is_said(module, name, make, monkeypatch):
    monkeypatch.setattr(module, name, 3)
    for count, status in ((3, lk.Status.ABSENT), (4, lk.Status.UNCHECKED)):
        report = lk.verify(make(count), layers=[lk.Layer.EXPLICIT, lk.Layer.METADATA])
        assert report[lk.Layer.EXPLICIT].status is status
        assert report.verdict is (lk.Verdict.NONE if count == 3 else lk.Verdict.UNDETERMINED)


def test_pages_of_ofd_that_are_not_read_are_said(monkeypatch):
    monkeypatch.setattr(ofd, "_MAX_PAGES", 4)
    label = ofd_words.text(50, "AI生成", 180, 8)
    for labelled, status in ((2, lk.Status.ABSENT), (4, lk.Status.VALID)):
        made = ofd_words.ofd(*[ofd_words.BODY + label * (page == labelled) for page in range(5)])
        found = explicit(made)
        said = ["of 5 pages, 4 were read"] if status is lk.Status.ABSENT else []
        assert (found.status, [str(what) for what in found.missed]) == (status, said)
    assert not explicit(ofd_words.ofd(*[ofd_words.BODY] * 4)).missed


def test_paragraphs_that_are_not_looked_at_are_said(monkeypatch):
    monkeypatch.setattr(finding, "_LOOKED_AT", 20)
    for count, label, status, said in ((20, 9, lk.Status.VALID, []), (30, 14, lk.Status.ABSENT,
                                       ["of 30 paragraphs, 20 were looked at"]), (30, 29, lk.Status.VALID, [])):
        text = "\n\n".join("（本文由AI生成）" if at == label else PLAIN for at in range(count))
        found = lk.verify(text, format="txt", layers=[lk.Layer.EXPLICIT])[lk.Layer.EXPLICIT]
        assert (found.status, [str(what) for what in found.missed]) == (status, said)


def test_a_slide_that_is_named_again_stands_once():
    made = office.pptx(PLAIN, "AI生成")
    more = '<p:sldId id="9" r:id="r0"/>' * 9000 + "</p:sldIdLst>"
    again = office.packed({name: text.decode().replace("</p:sldIdLst>", more)
                           for name, text in office.members(made).items()})
    assert again.count(b"slide0.xml") == made.count(b"slide0.xml")
    assert [block.text for block in slides.read(again, "x")[0]] == [PLAIN, "AI生成"]


@pytest.mark.parametrize("format", ["txt", "markdown"])
def test_a_text_of_more_paragraphs_than_are_read_is_refused(format, monkeypatch):
    for module in (encoding, markdown):
        monkeypatch.setattr(module, "MAX_PARAGRAPHS", 3)
    for count, status in ((3, lk.Status.ABSENT), (4, lk.Status.UNCHECKED)):
        report = lk.verify("\n\n".join([PLAIN] * count), format=format, layers=[lk.Layer.EXPLICIT, lk.Layer.METADATA])
        assert report[lk.Layer.EXPLICIT].status is status


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_name_of_a_cue_stays_with_it_and_a_line_that_is_too_long_is_none(newline, monkeypatch):
    text = newline.join(["WEBVTT", "", "intro", "00:05.000 --> 00:06.000", "Hi", "", "n", "00:07.000 --> 00:08.000",
                         "Ho"])
    for most, before in ((4096, "intro"), (3, "00:05.000")):
        monkeypatch.setattr(subtitles, "_MAX_NAME", most)
        made = lk.embed(text, label=office.LABEL, format="vtt", plan=lk.Plan(metadata=False, watermark=None))
        assert f"AI生成{newline}{newline}{before}" in made and lk.verify(made, format="vtt").explicit.text == "AI生成"
