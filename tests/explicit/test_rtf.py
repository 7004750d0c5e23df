# SPDX-License-Identifier: Apache-2.0
"""The explicit label in RTF: words of ASCII between the bytes of the document, which stay as they are."""

import re

import pytest

import labelkit as lk
from labelkit import container
from labelkit.codec import text as texts
from labelkit.errors import HostTooSmall, LabelkitError, LimitExceeded, MalformedFile
from tests.explicit.test_office import LABEL, explicit

HEAD = (rb"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fnil Arial;}{\f1\fnil\fcharset134 SimSun;}}" b"\r\n"
        rb"{\colortbl;\red0\green0\blue0;}{\stylesheet{\ql Normal;}{\s1\ql heading 1;}{\*\cs10 AI\u29983?\u25104?;}}"
        rb"{\*\generator x;}{\info{\title AI\u29983?\u25104?}}\uc1" b"\r\n")
SAMPLE = HEAD + (rb"{\header Acme\par}\pard\sl276 {\b One} \'e9 \{x\}\par" b"\r\n" rb"\qc Two\par Three \u-10179?"
                 rb"\u-8704?\par"
                 rb"{\trowd\pard\intbl a\cell b\cell\row}\pard Four\par" b"\r\n" rb"Five\par Six}")
TABLE = HEAD + rb"{\trowd\pard\intbl One\cell Two\cell\row}}"


def rtf(body: bytes) -> bytes:
    return HEAD + body + b"}"


def labelled(data: bytes, **explicit: str) -> bytes:
    return lk.embed(data, label=LABEL, plan=lk.Plan(explicit=lk.Explicit(**explicit)))


def shown(data: bytes) -> str:
    """The paragraphs, as a reader of a few lines finds them: no groups before the body, no words, and UTF-16."""
    groups = r"\{\\(?:\*|fonttbl|colortbl|stylesheet|info|header)(?:[^{}]|\{[^{}]*\})*\}"
    text = re.sub(groups, "", data.decode("latin-1"))
    text = re.sub(r"\\u(-?\d+) ?\?", lambda found: chr(int(found[1]) & 0xFFFF), text).replace(r"\'e9", "é")
    text = re.sub(r"\\(?:par|cell|row)\b ?", "|", text)
    text = re.sub(r"\\[a-z]+-?\d* ?|(?<!\\)[{}]|[\r\n]|\\(?=[{}])", "", text)
    return re.sub(r"\|+", "|", text.encode("utf-16", "surrogatepass").decode("utf-16")).strip("| ")


@pytest.mark.parametrize(("style", "words"), [("text", "AI生成"), ("icon", "[AI]")])
@pytest.mark.parametrize(("place", "wanted"), [
    ("start", "{}|One é {{x}}|Two|Three 😀|a|b|Four|Five|Six"),
    ("middle", "One é {{x}}|Two|Three 😀|{}|a|b|Four|Five|Six"),
    ("end", "One é {{x}}|Two|Three 😀|a|b|Four|Five|Six|{}")])
def test_words_are_added_and_found_and_the_rest_stays(place, wanted, style, words):
    before = SAMPLE
    assert container.sniff(before).name == "rtf" and explicit(before).status is lk.Status.ABSENT
    after = labelled(before, place=place, style=style)
    words = "【AI生成】" if (place, style) == ("middle", "text") else words
    assert after.isascii() and shown(after) == wanted.format(words)
    found = explicit(after)
    assert found.status is lk.Status.VALID and found.evidence.place == place
    assert labelled(after, place=place, style=style) == after, "it stands there already"
    start = next(at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other)
    added = len(after) - len(before)
    assert any(before[:at] + after[at:at + added] + before[at:] == after for at in range(start + 1))


def test_a_table_at_either_end_stays_whole():
    assert shown(labelled(TABLE)) == "AI生成|One|Two" and shown(labelled(TABLE, place="end")) == "One|Two|AI生成"
    assert rb"{\trowd\pard\intbl One\cell Two\cell\row}" in labelled(TABLE, place="both")
    assert shown(labelled(rtf(b""))) == "AI生成"


def test_one_paragraph_has_no_middle():
    with pytest.raises(HostTooSmall, match="no middle"):
        labelled(rtf(rb"\pard text\par"), place="middle")


CHINESE = rb"\'b1\'be\'ce\'c4\'d3\'c9AI\'c9\'fa\'b3\'c9"


@pytest.mark.parametrize("data", [
    rtf(rb"\pard\f1 " + CHINESE + rb"\par text\par"), rtf(rb"\pard text\par\uc2 AI\u29983\'c9\'fa\u25104\'b3\'c9\par"),
    (rtf(rb"\pard " + CHINESE + rb"\par text\par")).replace(b"cpg1252", b"cpg936"),
    rtf(rb"{\footer\pard AI\u29983 ?{\b\u25104 ?}\par}\pard a\par b\par c\par"),
    rtf(rb"{\shp{\*\shpinst{\sp{\sn a}{\sv 1}}{\shptxt\pard AI-generated\par}}}\pard a\par b\par c\par"),
    rtf(rb"\pard This article was written by {\i AI}.\line more\par")])
def test_labels_of_other_hands_are_found(data):
    assert explicit(data).status is lk.Status.VALID


@pytest.mark.parametrize("data", [
    rtf(rb"\pard\s1 AI\u29983?\u25104?\par\pard text\par"), rtf(rb"\pard{\v AI\u29983?\u25104?}\par text\par"),
    rtf(rb"{\trowd\pard\intbl AI\u29983?\u25104?\cell b\cell\row}\pard text\par"),
    rtf(rb"\pard\u-26602?AI\u29983?\u25104?\par"), rtf(rb"\pard{\*\x AI\u29983?\u25104?}text{\pict AI-generated}\par"),
    rtf(rb"\pard{\bin14 }\'AI-generated}text\par"), rtf(rb"\pard " + CHINESE + rb"\par")])
def test_what_is_no_label_is_none(data):
    assert explicit(data).status is lk.Status.ABSENT


def test_broken_and_hostile_documents_raise_nothing_else(monkeypatch):
    for cut in range(0, len(SAMPLE), 5):
        for broken in (SAMPLE[:cut], SAMPLE[:cut] + b"\xff\0}\\u" + SAMPLE[cut + 3:]):
            try:
                texts.encode(texts.decode(broken, "rtf", "x"))
            except LabelkitError:
                pass
    monkeypatch.setattr("labelkit.codec.text.rtf._MAX_TOKENS", 5000)
    for data, error in ((rtf(b"{" * 2000), LimitExceeded), (rtf(rb"\~" * 5001), LimitExceeded),
                        (rtf(rb"\pard text\bin9999999999 "), MalformedFile), (SAMPLE[:-1], MalformedFile),
                        (rb"{\rtf1\bin-99999999 ", MalformedFile)):
        with pytest.raises(error):
            texts.decode(data, "rtf", "x")
