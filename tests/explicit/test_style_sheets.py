# SPDX-License-Identifier: Apache-2.0
"""Words that a page's own style sheets put in, take away or draw in the colour of their ground."""

from __future__ import annotations

import pytest

import labelkit as lk
from labelkit.codec.text import stylesheet
from labelkit.errors import LimitExceeded
from tests.explicit.test_text import found
from tests.explicit.test_words_nobody_sees import in_text
from tests.media import LABEL

BODY = "<p class=note>AI-generated</p><p>The ferry leaves at nine.</p><p>It is full.</p>"
PAGE = "<!doctype html><html><head><style>{}</style></head><body><main>{}</main></body></html>"
EMPTY = "<div id=top class='a b'></div><p>The ferry leaves at nine.</p><p>It is full.</p><footer></footer>"


@pytest.mark.parametrize("rules, is_seen", [
    ("", True), (".note{display:none}", False), (".note { color: red }", True),
    ("main .note{visibility:hidden}", False),
    ("main > p.note{font-size:0}", False), ("aside .note{display:none}", True), ("#note{display:none}", True),
    (".note{display:none} p.note{display:block}", True), ("p.note{display:block} .note{display:none}", True),
    ("/* .note{display:none} */", True), ("@media print{.note{display:none}}", True),
    ("@media screen{.note{display:none}}", False), ("@media (max-width:600px){.note{display:none}}", True),
    (".note{opacity:0}", False), (".note{opacity:0;animation:fade 1s forwards}", True),
    (".note:not(.x){display:none}", True), (".note{color:#fff}", False), (".note{color:#fff;background:#222}", True),
    ("body{background:#123}.note{color:white}", True), ("main{background:url(x.png)}.note{color:white}", True),
    ("main{background:#fefefe}.note{color:rgb(254, 254, 254)}", False), (".note{color:transparent}", False),
    (".note{color:rgba(0,0,0,0)}", False), (".note{color:#767676}", True),
    ("html{background:#000}.note{color:#FFF}", True),
    (":root{--g:#000;background:var(--g)}.note{color:#fff}", True), ("body{background:black}.note{color:#000}", False),
    (".note{clip-path:inset(50%)}", False), ("p{", True), ("}}}.note{display:none}", False),
    (".x{content:'}.note{display:none}'}", True), ("@import 'dark.css';.note{color:#fff}", True)])
def test_what_a_style_sheet_does_to_a_label(rules, is_seen):
    assert in_text("a.html", PAGE.format(rules, BODY)) is is_seen


@pytest.mark.parametrize("rules, is_seen", [
    ("", False), ("#top::before{content:'AI生成'}", True), (".a:before{content:\"AI\\751F\\6210\"}", True),
    ("footer::after{content:'本文由' '人工智能生成'}", True), ("#top::before{content:'AI生成';display:none}", False),
    ("#top::before{content:none}", False), ("#other::before{content:'AI生成'}", False),
    ("#top{content:'AI生成'}", False), ("#top{display:none}#top::before{content:'AI生成'}", False),
    ("main::before{content:'AI生成'}", True), ("body::after{content:'AI生成';}", True),
    ("#top::before{content:'我们讨论AI生成的内容'}", False), ("#top::before{content:url(AI生成.png)}", False),
    ("#top::before{content:'AI生成';color:#fff}", True), ("@media print{#top::before{content:'AI生成'}}", False)])
def test_words_that_a_style_sheet_puts_in(rules, is_seen):
    assert in_text("a.html", PAGE.format(rules, EMPTY)) is is_seen


def test_words_of_an_attribute_and_sheets_behind_what_they_show():
    page = "<body><div class=n data-l='AI生成'></div><p>a</p><style>.n::after{content:attr(data-l)}</style>"
    assert in_text("a.html", "<!doctype html>" + page)
    assert not in_text("a.html", "<!doctype html>" + page.replace("attr(data-l)", "attr(data-m)"))
    assert not in_text("a.html", "<!doctype html>" + page.replace("<style>", "<style media=print>"))


@pytest.mark.parametrize("text, is_seen", [
    ("<font color=white>AI-generated</font>", False), ("<font color=white size=2>", None),
    ("<center bgcolor='#000000'><font color=#ffffff>AI-generated</font></center>", True),
    ("<div style='background:#000'><p style='color:#fff'>AI-generated</div>", True),
    ("<div style='color:#fff'><p>AI-generated</div>", False),
    ("<div style='color:#fff'><p style='color:#000'>AI-generated</div>", True)])
def test_white_letters(text, is_seen):
    assert in_text("a.html", f"<!doctype html><body>{text}<p>The ferry leaves at nine.") is bool(is_seen)
    if is_seen is False:  # what a sheet of another file makes of the ground is not known
        assert in_text("a.html", "<!doctype html><link rel=stylesheet href=a.css>"
                                 f"<body>{text}<p>The ferry leaves at nine.")


@pytest.mark.parametrize("name, text, is_said", [
    ("a.html", "<!doctype html><body><img src=b.png alt='AI-generated'><p>a", True),
    ("a.html", "<!doctype html><body><img src=b.png alt='AI'><p>a", True),
    ("a.html", "<!doctype html><body><img src=b.png alt='a cat'><p>a", False),
    ("a.html", "<!doctype html><body><div hidden><img src=b.png alt='AI-generated'></div><p>a", False),
    ("a.html", "<!doctype html><body><img alt='How AI-generated pictures changed the market for stock'><p>a", False),
    ("a.md", "# T\n\n![AI生成](badge.svg)\n\nThe ferry leaves at nine.\n", True),
    ("a.md", "# T\n\n![a cat](badge.svg)\n\nThe ferry leaves at nine.\n", False)])
def test_a_badge_is_left_to_a_person_and_said(name, text, is_said):
    finding = found(name, text.encode())
    assert finding.status is lk.Status.ABSENT
    assert ["a picture is said to show" in str(one) for one in finding.missed] == [True] * is_said


def test_rules_without_end_are_refused_in_time():
    rules = "".join(f"main .a{{color:#{one:03d}}}" for one in range(999))
    body = "<p>AI-generated</p>" + "".join(f"<p class='a n{one}'>x</p>" for one in range(2000))
    with pytest.raises(LimitExceeded, match="rules of style"):
        in_text("a.html", PAGE.format(rules, body))
    assert in_text("a.html", PAGE.format(rules.replace(".a", ".b"), body))
    assert in_text("a.html", PAGE.format(rules, "<p>AI-generated</p>" + "<p class=a>x</p>" * 2000)), "they are alike"
    assert not stylesheet.Sheet().rules


@pytest.mark.parametrize("body, is_seen", [
    ("<div><div><p>The ferry leaves.</p></div><p>AI-generated</p></div>", True),
    ("<div><p>The ferry leaves.</p><div><p>AI-generated</p></div></div>", False),
    ("<div><p>The ferry leaves.</p></div><div><p>AI-generated</p></div>", True)])
def test_elements_that_look_alike_have_the_style_of_their_place(body, is_seen):
    assert in_text("a.html", PAGE.format("div div p{display:none}", body)) is is_seen


def test_our_own_label_is_seen_in_every_page():
    for rules in ("p{color:#fff}", "body{background:#000;color:#000}", "p{background:#fff;color:#fff}"):
        out = lk.embed(PAGE.format(rules, EMPTY).encode(), label=LABEL, plan=lk.Plan(watermark=None))
        assert lk.verify(out)[lk.Layer.EXPLICIT].status is lk.Status.VALID
