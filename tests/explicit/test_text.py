# SPDX-License-Identifier: Apache-2.0
"""The explicit label in texts: put in as words, found again, and every other byte as it was."""

import asyncio
import codecs
import json

import pytest

import labelkit as lk
from labelkit import codec, compliance, container
from labelkit.container import Reader
from labelkit.errors import HostTooSmall, InvalidArgument, InvalidLabel, LabelkitError, UnsupportedFormat
from labelkit.explicit import text as wing

LABEL = lk.Label(lk.Kind.GENERATED, "acme", "1")
WORDS = lk.Plan(metadata=False, watermark=None)
BODIES = {
    "plain.txt": "第一段。\n\n第二段。\n\n第三段",
    "windows.txt": "One.\r\n\r\nTwo.\r\n\r\nThree.\r\n",
    "indented.txt": "\n　　第一段。\n\n　　第二段。\n",
    "notes.md": "---\ntitle: x\n---\n\n# Title\n\nText.\n\n- a\n- b\n\n## More\n\n```\ncode\n\ncode\n```\n\nEnd",
    "hugo.md": "+++\ntitle = 'x'\n+++\nText.\n\nMore.\n",
    "page.html": "<!doctype html>\n<html><head><title>AI生成</title><script>var a='<body><p>';</script></head>"
                 "<body class=a>\n<h1>T</h1><p>One</p><p>Two</p><script>var b='</body>';</script></body></html>\n",
    "fragment.html": "<title>x</title>\n<p>Hello<p>World",
    "subtitles.srt": "1\n00:00:01,000 --> 00:00:02,500\n<i>Hello</i>\n\n2\n00:00:03,000 --> 00:00:04,000\nbye\nnow\n",
    "subtitles.vtt": "WEBVTT\n\nNOTE AI生成\n\nintro\n00:01.000 --> 00:02.000\n<v Bob>Hi\n\n"
                     "00:03.000 --> 00:04.000\nbye",
    "subtitles.ass": "[Script Info]\r\nTitle: x\r\n\r\n[Events]\r\nFormat: Layer, Start, End, Style, Text\r\n"
                     "Dialogue: 0,0:00:01.00,0:00:02.00,Top,Hi {\\i1}you, all\r\n"
                     "Dialogue: 0,0:00:03.00,0:00:04.00,Top,bye\r\n",
    "answer.json": '{"choices": [{"message": {"role": "assistant", "content": "It is \\u0041.\\n\\nBye."}}], '
                   '"n": 1.50}',
    "chats.jsonl": '{"messages":[{"role":"user","content":"AI生成"},{"role":"assistant","content":"回答"}]}\n'
                   '{"prompt":"q","completion":"c"}\n',
}
CHATS = {"answer.json", "chats.jsonl"}


def labelled(name: str, data: bytes, place: str = "start", **explicit: str) -> bytes:
    plan = lk.Plan(explicit=lk.Explicit(place=place, **explicit), metadata=False, watermark=None)
    return lk.embed(named(name, data), label=LABEL, plan=plan)


def named(name: str, data: bytes) -> Reader:
    return Reader.of(data, name)


def found(name: str, data: bytes) -> lk.Finding:
    return lk.verify(named(name, data))[lk.Layer.EXPLICIT]


def added(before: str, after: str) -> str:
    """What was put in at one place; fails where anything else changed."""
    assert len(after) > len(before)
    start = next((at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), len(before))
    for at in range(start, -1, -1):  # equal bytes may stand on both sides
        if before[at:] == after[at + len(after) - len(before):]:
            return after[at:at + len(after) - len(before)]
    raise AssertionError("more than one place changed")


@pytest.mark.parametrize("place", ["start", "middle", "end"])
@pytest.mark.parametrize("name", [name for name in BODIES])
def test_words_are_added_in_one_place_and_found_there(name, place):
    before = BODIES[name].encode()
    if place == "middle" and name in CHATS:
        with pytest.raises(HostTooSmall, match="no middle"):
            labelled(name, before, place)
        return
    assert found(name, before).status is lk.Status.ABSENT
    after = labelled(name, before, place)
    if name == "chats.jsonl":
        assert after.count("AI生成".encode()) == 1 + 2, "each message of the model, beside the user's"
    else:
        assert "AI" in added(before.decode(), after.decode())
    finding = found(name, after)
    assert finding.status is lk.Status.VALID
    assert finding.evidence.text == ("【AI生成】" if place == "middle" else "AI生成")
    assert finding.evidence.seen_by == "text" and finding.evidence.place in ("start", "middle", "end")
    assert labelled(name, after, place) == after, "it stands there already"
    assert labelled(name, before, "both") != after
    assert after.endswith(b"\n") == before.endswith(b"\n"), "the last line end stays as it is"


def test_inside_of_a_long_text_the_words_are_in_brackets():
    before = b"paragraph\n\n" * 20
    assert added(before.decode(), labelled("a.txt", before, "middle").decode()) == "【AI生成】\n\n"
    assert found("a.txt", before.replace(b"h\n\n", "h\n\nAI生成\n\n".encode(), 10)[:-90]).evidence.place == "start"


@pytest.mark.parametrize("name", [name for name in BODIES if not name.endswith((".srt", ".vtt", ".ass"))])
def test_the_corner_mark(name):
    after = labelled(name, BODIES[name].encode(), style="icon")
    finding = found(name, after)
    assert finding.status is lk.Status.VALID and finding.evidence.wording == "mark"
    if name not in CHATS:
        assert "AI" in added(BODIES[name], after.decode())


ENCODINGS = [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
             (b"", "utf-8"), (b"", "gb18030")]


@pytest.mark.parametrize("name", ["a.txt", "a.srt", "a.html"])
@pytest.mark.parametrize(("mark", "encoding"), ENCODINGS)
def test_encoding_mark_and_line_ends_stay(mark, encoding, name):
    bodies = {"a.txt": "春天来了。\r\n\r\n花开了。\r\n", "a.srt": BODIES["subtitles.srt"].replace("Hello", "你好"),
              "a.html": "<!doctype html><body><p>春天来了</p>"}
    before = mark + bodies[name].encode(encoding)
    if name == "a.html" and "16" in encoding:
        return  # HTML is told by ASCII bytes
    after = labelled(name, before)
    assert after.startswith(mark) and "AI" in added(bodies[name], after[len(mark):].decode(encoding))
    assert found(name, after).status is lk.Status.VALID


@pytest.mark.parametrize("data", ["日本語の文章です。".encode("shift-jis") * 9, "繁體中文的文章內容".encode("big5") * 9,
                                  b"caf\xe9 au lait", b"\xff\xfe\x00", b"abc\xff"])
def test_a_text_of_another_encoding_is_refused(data):
    with pytest.raises(UnsupportedFormat, match=r"encoding|not known"):
        labelled("a.txt", data)


@pytest.mark.parametrize("text", ["", "\x00\x01\x02", "%PDF-1.7 no"])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(LabelkitError):
        labelled("a.txt", text.encode()) if "%" not in text else labelled("a.srt", text.encode())


def test_text_is_told_by_its_name_alone():
    with pytest.raises(UnsupportedFormat):
        container.sniff(b"just text\n")
    with pytest.raises(UnsupportedFormat):
        container.sniff(named("package.json", b'{"name": "x", "version": "1"}'))
    assert container.sniff(named("a.txt", b"just text\n")).name == "txt"


@pytest.mark.parametrize("end", ["```\ncode", "~~~\ncode\n", "<!-- comment", "<script>\nx"])
def test_code_is_not_broken_and_hides_no_label(end):
    text = f"Text.\n\n{end}"
    with pytest.raises(HostTooSmall, match="would hide"):
        labelled("a.md", text.encode(), "end")
    assert labelled("a.md", text.encode()).decode() == "AI生成\n\n" + text
    with pytest.raises(HostTooSmall):
        labelled("a.md", f"```\na\n\nb\n\nc\n```\n{'' if end[0] == '<' else ''}".encode(), "middle")


def test_words_with_signs_of_markdown_stand_for_themselves():
    after = labelled("a.md", b"Text.\n", text="*AI* 生成")
    assert b"\\*AI\\*" in after and found("a.md", after).evidence.text == "AI* 生成"


@pytest.mark.parametrize("page", ["<p style='display:none'>AI生成</p><p>x</p>", "<p hidden>AI生成</p><p>x</p>",
                                  "<!-- AI生成 --><p>x</p>", "<script>'AI生成'</script><p>x</p>",
                                  "<div style='visibility: hidden'><p>AI生成</p></div><p>x</p>",
                                  "<ul><li>AI生成</li></ul><p>x</p>", "<h2>AI生成</h2><p>x</p>",
                                  "<pre>AI生成</pre><p>x</p>"])
def test_what_a_browser_hides_is_no_label(page):
    assert found("a.html", b"<!doctype html><body>" + page.encode()).status is lk.Status.ABSENT


@pytest.mark.parametrize("page", ["<p>AI生成</p><p>x</p>", "<div class='ai-badge'>AI</div><p>x</p>",
                                  "<p>x</p><footer>本文由AI生成</footer>", "<p>x</p><p><b>AI</b>生成</p>",
                                  "<p>x</p><p>&#65;&#73;&#29983;&#25104;</p>"])
def test_what_a_browser_shows_is_one(page):
    assert found("a.html", b"<!doctype html><body>" + page.encode()).status is lk.Status.VALID


def test_only_the_model_s_messages_count():
    user = b'{"messages":[{"role":"user","content":"AI\xe7\x94\x9f\xe6\x88\x90"},{"role":"assistant","content":"hi"}]}'
    assert found("a.json", user).status is lk.Status.ABSENT
    both = user.replace(b'"hi"', '"AI生成\\n\\nhi"'.encode())
    assert found("a.json", both).status is lk.Status.VALID


def test_json_is_changed_in_its_strings_alone():
    after = labelled("answer.json", BODIES["answer.json"].encode())
    assert after.isascii(), "as its own escapes are"
    assert json.loads(after)["choices"][0]["message"]["content"] == "AI生成\n\nIt is A.\n\nBye." and b"1.50" in after


def test_words_that_say_more_than_a_label_are_put_in_brackets_or_refused():
    assert "【AI合成·某某工作室】" in labelled("a.txt", b"x\n", text="AI合成·某某工作室").decode()
    with pytest.raises(InvalidLabel):
        labelled("a.txt", b"x\n", text="hello")
    with pytest.raises(InvalidLabel):
        labelled("a.txt", b"x\n", text="非AI生成")


def test_a_watermark_alone_is_refused():
    with pytest.raises(UnsupportedFormat, match="has no place for the layers"):
        lk.embed(named("a.txt", b"x\n"), label=LABEL, plan=lk.Plan(explicit=None, metadata=False))
    with pytest.raises(UnsupportedFormat, match="has no place for the layers"):
        lk.embed(named("a.txt", b"x\n"), label=LABEL, plan=lk.Plan(explicit=None, watermark=None))


def test_strings_come_back_as_strings():
    assert lk.embed("Hi", label=LABEL, format="txt") == "AI生成\n\nHi"
    for format in ("markdown", "html"):
        made = lk.embed("Hi", label=LABEL, format=format)
        report = lk.verify(made, format=format)
        assert isinstance(made, str) and report.verdict is lk.Verdict.CONFIRMED and made.endswith("Hi")
        assert lk.verify("Hi", format=format).verdict is lk.Verdict.NONE
    with pytest.raises(InvalidArgument, match="cannot be opened"):
        lk.embed("Hi", label=LABEL)
    with pytest.raises(InvalidArgument, match="formats"):
        lk.embed("Hi", label=LABEL, format="png")
    with pytest.raises(InvalidArgument, match="surrogate"):
        lk.embed("\ud800", label=LABEL, format="txt")


@pytest.mark.parametrize("format", ["txt", "markdown", "html"])
@pytest.mark.parametrize("place", ["start", "end", "both"])
def test_streams_are_labelled_as_they_come(format, place):
    pieces = ["", "Hel", "lo\n", "\n```\nx"]
    labeller = lk.TextLabeller(lk.Explicit(place=place), format=format)
    out = [labeller(piece) for piece in pieces]
    assert [one.endswith(piece) for one, piece in zip(out, pieces, strict=True)] == [True] * 4 and out[0] == ""
    whole = "".join(out) + labeller.close()
    assert labeller.close() == "" and "Hello\n\n```\nx" in whole
    assert wing.find(codec.decode(named(f"a.{ {'markdown': 'md'}.get(format, format) }", (
        "<!doctype html>" if format == "html" else "").encode() + whole.encode()))).status is lk.Status.VALID
    if format == "txt":
        assert whole.startswith("AI生成\n\nHello") == (place != "end")


def test_an_empty_stream_gets_no_label_and_a_closed_one_takes_no_piece():
    labeller = lk.TextLabeller()
    assert labeller.close() == ""
    with pytest.raises(InvalidArgument):
        labeller("more")
    with pytest.raises(InvalidArgument):
        lk.TextLabeller(lk.Explicit(place="middle"))
    with pytest.raises(InvalidArgument):
        lk.TextLabeller(format="png")


def test_streams_that_are_awaited():
    async def model():
        for piece in ("a", "b"):
            yield piece

    async def whole():
        return [piece async for piece in lk.TextLabeller(lk.Explicit(place="both")).apieces(model())]

    assert asyncio.run(whole()) == ["AI生成\n\na", "b", "\n\nAI生成\n"]


def test_check_judges_clause_5_1():
    def outcome(text: str) -> compliance.Outcome:
        results = compliance.check(lk.verify(named("a.md", text.encode())))
        assert str(results[0].clause) == "GB 45438-2025 5.1"
        return results[0].outcome

    assert outcome("AI生成\n\ntext") is compliance.Outcome.PASS
    assert outcome("[AI]\n\ntext") is compliance.Outcome.PASS
    assert outcome("AI-generated\n\ntext") is compliance.Outcome.CANNOT_TELL
    assert outcome("本文由AI撰写\n\ntext") is compliance.Outcome.FAIL
    assert outcome("just text") is compliance.Outcome.FAIL


def test_bare_text_is_not_failed_for_metadata_that_it_cannot_hold():
    outcomes = {name: {one.rule: one.outcome for one in compliance.check(lk.verify(named(name, b"AI\xe7\x94\x9f"
                       b"\xe6\x88\x90\n\ntext")))}["metadata-label"] for name in ("a.txt", "a.md")}
    assert outcomes == {"a.txt": compliance.Outcome.CANNOT_TELL, "a.md": compliance.Outcome.FAIL}


def test_a_platform_finds_the_words_of_others(tmp_path):
    path = tmp_path / "upload.md"
    path.write_text("本文由人工智能生成\n\n正文。\n", "utf-8")
    decision = lk.propagate(path, tmp_path / "served.md", "PLATFORM", "post-1")
    assert decision.tier is lk.Verdict.SUSPECTED and lk.verify(tmp_path / "served.md").label.kind is lk.Kind.SUSPECTED
    path.write_text("本文非AI生成\n\n正文。\n", "utf-8")
    assert lk.propagate(path, tmp_path / "other.md", "PLATFORM", "post-2").label is None
