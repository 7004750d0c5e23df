# SPDX-License-Identifier: Apache-2.0
"""Words that are in a document and that nobody sees are no label; those that look alike in its code are one."""

from __future__ import annotations

import pytest

import labelkit as lk
from labelkit.container import Reader
from tests.explicit import test_office as office, test_pdf as pdf
from tests.explicit.test_office import explicit

PAGE = "<!doctype html><body><p style=\"{}\">AI-generated</p><p>The ferry leaves at nine.</p>"
DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 600">{}</svg>'
RUN = "<w:p><w:r><w:rPr>{}</w:rPr><w:t>AI-generated</w:t></w:r></w:p>"


def in_text(name: str, text: str) -> bool:
    return lk.verify(Reader.of(text.encode(), name), layers=[lk.Layer.EXPLICIT])[
        lk.Layer.EXPLICIT].status is lk.Status.VALID


@pytest.mark.parametrize("style, is_seen", [
    ("position:absolute;left:-9999px", False), ("text-indent: -9999px", False), ("margin-left:-1200px", True),
    ("left:-40px", True), ("clip: rect(0,0,0,0);position:absolute", False), ("clip:rect(1px, 1px, 1px, 1px)", False),
    ("clip:rect(10px,900px,900px,10px)", True), ("clip-path: inset(50%)", False), ("clip-path:inset(5%)", True),
    ("font-size:1px", False), ("font-size:2pt", False), ("font-size:14px", True), ("font-size:1.2em", True),
    ("font-size:0.8rem", True), ("font-size:0", False)])
def test_in_a_page(style, is_seen):
    assert in_text("a.html", PAGE.format(style)) is is_seen


@pytest.mark.parametrize("properties, is_seen", [
    ('<w:sz w:val="2"/>', False), ('<w:sz w:val="5"/>', False), ('<w:sz w:val="6"/>', True),
    ('<w:sz w:val="24"/>', True), ("<w:vanish/>", False), ("", True),
    ('<w:color w:val="FFFFFF"/>', False), ('<w:color w:val="333333"/>', True),
    ('<w:color w:val="FFFFFF"/><w:highlight w:val="black"/>', True),
    ('<w:color w:val="FFFFFF"/><w:shd w:val="clear" w:fill="FFFFFF"/>', False),
    ('<w:color w:val="FFFFFF"/><w:shd w:val="clear" w:fill="1F3864"/>', True)])
def test_in_docx(properties, is_seen):
    found = explicit(office.docx(RUN.format(properties), "The ferry leaves at nine."))
    assert (found.status is lk.Status.VALID) is is_seen


@pytest.mark.parametrize("around, is_seen", [
    ("<w:p>{}</w:p>", False), ('<w:p><w:pPr><w:shd w:fill="000000"/></w:pPr>{}</w:p>', True),
    ('<w:p><w:pPr><w:shd w:fill="auto"/></w:pPr>{}</w:p>', False),
    ("<w:p><w:r><w:pict><v:textbox xmlns:v='urn:v'><w:txbxContent><w:p>{}</w:p></w:txbxContent></v:textbox></w:pict>"
     "</w:r></w:p>", True)])
def test_white_letters_of_docx_on_a_ground(around, is_seen):
    run = '<w:r><w:rPr><w:color w:val="FFFFFF"/></w:rPr><w:t>AI-generated</w:t></w:r>'
    found = explicit(office.docx(around.format(run), "The ferry leaves at nine."))
    assert (found.status is lk.Status.VALID) is is_seen


@pytest.mark.parametrize("properties, more, is_seen", [
    ('fo:color="#ffffff"', "", False), ('fo:color="#333333"', "", True), ('fo:font-size="1pt"', "", False),
    ('text:display="none"', "", False), ('fo:color="#ffffff" fo:background-color="#000000"', "", True),
    ('fo:color="#ffffff"', '<style:paragraph-properties fo:background-color="#000000"/>', True)])
def test_in_odt(properties, more, is_seen):
    text = ('<office:document-content xmlns:office="{0}office:1.0" xmlns:text="{0}text:1.0" xmlns:style="{0}style:1.0" '
            'xmlns:fo="{0}xsl-fo-compatible:1.0"><office:automatic-styles><style:style style:name="P1">'
            f"{more}<style:text-properties {properties}/></style:style></office:automatic-styles><office:body>"
            '<office:text><text:p text:style-name="P1">AI-generated</text:p><text:p>The ferry leaves.</text:p>'
            "</office:text></office:body></office:document-content>")
    found = explicit(office.odt("x", more={"content.xml": text.replace("{0}", office.ODF)}))
    assert (found.status is lk.Status.VALID) is is_seen


@pytest.mark.parametrize("text, is_seen", [
    ('<text x="20" y="590">AI-generated</text>', True), ('<text x="-2000" y="590">AI-generated</text>', False),
    ('<text x="2000" y="590">AI-generated</text>', False), ('<text x="20" y="-900">AI-generated</text>', False),
    ('<text x="20" y="590" font-size="1">AI-generated</text>', False),
    ('<text x="20" y="590" font-size="2em">AI-generated</text>', True),
    ('<g transform="translate(2000)"><text x="-1990" y="590">AI-generated</text></g>', True),
    ('<g><text x="-1990" y="590">AI-generated</text></g>', False),
    ('<text transform="translate(20 590)">AI-generated</text>', True),
    ('<text transform="translate(20 300)">AI-generated</text>', False),  # in the middle it is a part of the drawing
    ('<text transform="translate(20 -2000)">AI-generated</text>', False),
    ('<text transform="rotate(-90) translate(-500 20)">AI-generated</text>', True),
    ('<text x="20" y="500" transform="rotate(-90 20 500)">AI-generated</text>', True),
    ('<text x="880" y="300" transform="rotate(90 880 300)">AI-generated</text>', True),
    ('<text x="450" y="300" transform="rotate(90 450 300)">AI-generated</text>', False),
    ('<text transform="matrix(1 0 0 1 20 590)">AI-generated</text>', True),
    ('<g transform="scale(0.01)"><text x="2000" y="59000" font-size="16">AI-generated</text></g>', False),
    ('<g transform="scale(10)"><text x="2" y="59" font-size="2">AI-generated</text></g>', True),
    ('<text><tspan x="20" y="590">AI-generated</tspan></text>', True),
    ('<text><tspan x="20" y="300">AI-generated</tspan></text>', False)])
def test_in_a_drawing(text, is_seen):
    assert in_text("a.svg", DRAWING.format(text)) is is_seen


@pytest.mark.parametrize("ends, is_seen", [("02,500", True), ("01,000", False), ("00,500", False)])
def test_in_subtitles(ends, is_seen):
    cues = f"1\n00:00:01,000 --> 00:00:{ends}\nAI-generated\n\n2\n00:00:03,000 --> 00:00:05,000\nHi\n"
    assert in_text("a.srt", cues) is is_seen
    line = "Dialogue: 0,0:00:{},0:00:{},a,{}\n"
    script = ("[Script Info]\n\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
              + line.format("01.00", ends.replace(",", ".")[:5], "AI-generated") + line.format("03.00", "05.00", "Hi"))
    assert in_text("a.ass", script) is is_seen


def test_behind_many_pages_of_pdf_that_speak_of_ai():
    about = [pdf.lines("A page about AI and art", *pdf.BODY)] * 14
    label = pdf.lines("AI-generated", top=800, left=480)
    for content, is_seen in ((b"1 g\n" + label + b"0 g\n", False), (label, True)):
        found = explicit(pdf.pages(*about, content + pdf.lines(*pdf.BODY), *about))
        assert (found.status is lk.Status.VALID) is is_seen
