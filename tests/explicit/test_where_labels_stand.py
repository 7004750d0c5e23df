# SPDX-License-Identifier: Apache-2.0
"""Labels where other programs put them and people see them, and the same words where they are none."""

from __future__ import annotations

import pytest

import labelkit as lk
from labelkit.codec import text as texts
from labelkit.container import Reader
from labelkit.errors import MalformedFile, OutputFailed
from tests.explicit import test_office as office, test_pdf as pdf
from tests.explicit.test_office import A, P, explicit
from tests.explicit.test_sheets import sheet, xlsx

WORDS = lk.Plan(metadata=False, watermark=None)
PLAIN = ["The ferry leaves at nine.", "It crosses the bay.", "Dogs travel free."]
STYLES = (f'<office:document-styles xmlns:office="{office.ODF}office:1.0" xmlns:style="{office.ODF}style:1.0" '
          f'xmlns:text="{office.ODF}text:1.0"><office:master-styles><style:master-page style:name="Standard">{{}}'
          '</style:master-page></office:master-styles></office:document-styles>')


def in_text(name: str, text: str) -> lk.Status:
    return lk.verify(Reader.of(text.encode(), name), layers=[lk.Layer.EXPLICIT])[lk.Layer.EXPLICIT].status


@pytest.mark.parametrize("margin, place", [
    ("<style:header><text:p>AI-generated</text:p></style:header>", "start"),
    ("<style:footer><text:p>本文由AI生成</text:p></style:footer>", "end"),
    ("<style:footer-first><text:p>KI-generiert</text:p></style:footer-first>", "end"),
    ("<style:footer style:display='false'><text:p>AI-generated</text:p></style:footer>", None),
    ("<style:footer><text:p>Page 3</text:p></style:footer>", None),
    ("<style:other><text:p>AI-generated</text:p></style:other>", None)])
def test_headers_and_footers_of_opendocument(margin, place):
    found = explicit(office.odt(*PLAIN, more={"styles.xml": STYLES.format(margin)}))
    assert found.status is (lk.Status.VALID if place else lk.Status.ABSENT)
    assert not place or found.evidence.place == place


def presentation(layout: str, master: str = "", shown: str = "") -> bytes:
    """Two slides with a layout and a master behind them, which show these shapes."""
    made = {name: data.decode() for name, data in office.members(office.pptx(*PLAIN[:2])).items()}

    def part(name: str, shapes: str) -> str:
        return (f'<p:{name} xmlns:p="{P}" xmlns:a="{A}" {shown}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld>'
                f"</p:{name}>")

    def relation(kind: str) -> str:
        return (f'<Relationships><Relationship Id="r1" Type="{office.R}/{kind}" Target="../{kind}s/{kind}1.xml"/>'
                "</Relationships>")

    made |= {f"ppt/slides/_rels/slide{one}.xml.rels": relation("slideLayout") for one in (0, 1)}
    made |= {"ppt/slideLayouts/slideLayout1.xml": part("sldLayout", layout),
             "ppt/slideLayouts/_rels/slideLayout1.xml.rels": relation("slideMaster"),
             "ppt/slideMasters/slideMaster1.xml": part("sldMaster", master).replace(shown, "")}
    return office.packed(made)


def shape(text: str, placeholder: str = "") -> str:
    return (f'<p:sp><p:nvSpPr><p:cNvPr id="7" name="b"/><p:cNvSpPr txBox="1"/><p:nvPr>{placeholder}</p:nvPr></p:nvSpPr>'
            '<p:spPr><a:xfrm><a:off x="100000" y="100000"/><a:ext cx="900000" cy="300000"/></a:xfrm></p:spPr><p:txBody>'
            f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>")


@pytest.mark.parametrize("made, is_label", [
    (presentation(shape("AI-generated")), True), (presentation("", shape("AI生成")), True),
    (presentation(shape("AI-generated", '<p:ph type="ftr"/>')), False),  # a prompt, which no slide shows
    (presentation("", shape("AI生成"), 'showMasterSp="0"'), False), (presentation(shape("Acme")), False)])
def test_what_layouts_and_masters_show_on_every_slide(made, is_label):
    assert explicit(made).status is (lk.Status.VALID if is_label else lk.Status.ABSENT)


@pytest.mark.parametrize("rows, is_label", [
    ([["本表由AI生成"], ["名称", "价格"], ["甲", 1]], True),
    ([["Name"], ["a"], ["Note: this workbook was created with AI assistance."]], True),
    ([["Source", "AI-generated"], ["posts", 12]], False), ([["AI生成占比", "12%"], ["人工", "88%"]], False)])
def test_cells_that_say_it_of_their_table(rows, is_label):
    assert explicit(xlsx(sheet(rows))).status is (lk.Status.VALID if is_label else lk.Status.ABSENT)


@pytest.mark.parametrize("text, is_label", [
    ("# The ferry[^1]\n\nIt leaves at nine.\n\n[^1]: This article was written by AI.\n", True),
    ("It leaves at nine[^a].\n\n[^a]: AI生成\n", True),
    ("# Words\n\nText.\n\n[^1]: AI-generated images are cheap.\n", False),
    ("Text.\n\n[^1]: Not AI-generated.\n", False)])
def test_footnotes_of_markdown(text, is_label):
    assert in_text("a.md", text) is (lk.Status.VALID if is_label else lk.Status.ABSENT)


@pytest.mark.parametrize("frame, is_label", [("AI-GENERATED CONTENT", True), ("HOW AI-GENERATED TEXTS SELL", False)])
def test_a_frame_around_words(frame, is_label):
    text = f"+----------------------+\n| {frame} |\n+----------------------+\n\nThe ferry leaves at nine.\n"
    assert in_text("a.txt", text) is (lk.Status.VALID if is_label else lk.Status.ABSENT)


@pytest.mark.parametrize("subject, is_label", [
    ("[AI-generated] Your weekly digest", True), ("=?utf-8?B?44CQQUnnlJ/miJDjgJHmr4/lkajmkZjopoE=?=", True),
    ("=?utf-8?q?=5BAI-generated=5D?= digest", True), ("Re: was that AI-generated?", False), ("AI-generated", False),
    ("=?nothing?B?44CQ?= AI", False), ("=?utf-8?B?4?=", False), ("[sale] on AI-generated art", False)])
def test_the_subject_of_a_mail(subject, is_label):
    made = (f"From: a@b.example\nSubject: {subject}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n"
            "The ferry leaves at nine.\n").encode()
    assert explicit(made).status is (lk.Status.VALID if is_label else lk.Status.ABSENT)
    ours = lk.embed(made, label=office.LABEL, plan=lk.Plan(metadata=False, watermark=None))
    assert ours != made and lk.embed(ours, label=office.LABEL, plan=lk.Plan(metadata=False, watermark=None)) == ours


@pytest.mark.parametrize("page, is_label", [
    ("<form><label><input type=checkbox> AI-generated</label><button>Post</button></form><p>Tick it.</p>", False),
    ("<fieldset><legend>AI-generated</legend><p>Tick it.</p></fieldset>", False),
    ("<form><p>AI-generated</p><p>x</p></form>", True)])
def test_what_can_be_ticked_in_a_page_is_no_label(page, is_label):
    assert in_text("a.html", "<!doctype html><body>" + page) is (lk.Status.VALID if is_label else lk.Status.ABSENT)


STAMP = {40: pdf.stream(b"BT /F1 12 Tf 4 8 Td (AI-GENERATED) Tj ET", b"/Type /XObject /Subtype /Form "
                        b"/BBox [0 0 120 24] /Resources << /Font << /F1 3 0 R >> >>")}


@pytest.mark.parametrize("kind, flags, is_label", [("Stamp", 4, True), ("Widget", 4, True), ("Stamp", 2, False)])
def test_what_annotations_of_pdf_show(kind, flags, is_label):
    page = b" /Annots [<< /Type /Annot /Subtype /%s /Rect [450 800 570 824] /F %d /AP << /N 40 0 R >> >>]" % (
        kind.encode(), flags)
    found = explicit(pdf.pages(pdf.lines(*pdf.BODY), page=pdf.A4 + page, more=STAMP))
    assert found.status is (lk.Status.VALID if is_label else lk.Status.ABSENT)


LABEL = pdf.lines("AI-generated", size=9, top=800, left=480)
COVER = b"1 g 400 780 180 60 re f 0 g\n"
DARK = b"0.1 g 400 780 180 60 re f\n"


@pytest.mark.parametrize("content, is_label", [
    (LABEL, True), (b"1 g\n" + LABEL + b"0 g\n", False), (b"0.97 g\n" + LABEL + b"0 g\n", False),
    (DARK + b"1 g\n" + LABEL + b"0 g\n", True), (LABEL + COVER, False), (COVER + LABEL, True)])
def test_words_of_pdf_that_nobody_sees_are_no_label(content, is_label):
    """White on white, and covered, are none; white on black is one."""
    found = explicit(pdf.pages(content + pdf.lines(*pdf.BODY)))
    assert found.status is (lk.Status.VALID if is_label else lk.Status.ABSENT)


@pytest.mark.parametrize("escape", [r"\ud800\u6ma", r"\q", r"\u12"])
def test_a_chat_with_an_escape_that_is_none_is_refused(escape):
    chat = '{"messages": [{"role": "assistant", "content": "It is %s."}]}'
    assert in_text("a.json", chat % r"\u0041") is lk.Status.ABSENT
    with pytest.raises(MalformedFile, match="no JSON"):
        texts.decode((chat % escape).encode(), "json", "a.json")


def test_words_in_a_page_that_shows_nothing_are_refused():
    """A title that never ends hides all that follows."""
    shown = "<!doctype html><html><head><title>t</title></head><p>x</p>"
    assert lk.embed(shown, label=office.LABEL, format="html", plan=WORDS)
    with pytest.raises(OutputFailed, match="does not read back"):
        lk.embed(shown.replace("</title>", ""), label=office.LABEL, format="html", plan=WORDS)


NOTE = "<text:note><text:note-body><text:p>AI-generated</text:p></text:note-body></text:note>"


@pytest.mark.parametrize("paragraph, is_label", [
    ("AI-<text:span>gener<text:span>at</text:span>ed</text:span>", True), ("<![CDATA[AI-generated]]>", True),
    ("A ferry.<office:annotation><text:p>AI-generated</text:p></office:annotation>", False), ("A ferry." + NOTE, False),
    ("<![CDATA[<text:note>]]>", False)])
def test_the_words_of_a_paragraph_of_opendocument(paragraph, is_label):
    found = explicit(office.odt(f"<text:p>{paragraph}</text:p>", *PLAIN))
    assert found.status is (lk.Status.VALID if is_label else lk.Status.ABSENT)


@pytest.mark.parametrize("note, is_label", [
    ("本文由AI生成", True), ("AI-generated", False), ("See the AI report.", False)])
def test_notes_of_docx(note, is_label):
    """Under a page stands what its text refers to: a bare word there is a source, not a label."""
    notes = (f'<w:footnotes xmlns:w="{office.W}"><w:footnote w:id="2"><w:p><w:r><w:t>{note}</w:t></w:r></w:p>'
             "</w:footnote></w:footnotes>")
    found = explicit(office.docx(*PLAIN, footnotes=notes))
    assert found.status is (lk.Status.VALID if is_label else lk.Status.ABSENT)
