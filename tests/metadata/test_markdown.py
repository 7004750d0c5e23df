# SPDX-License-Identifier: Apache-2.0
"""The label in the front matter of Markdown, YAML or TOML: lines of others stay."""

import json
import tomllib

import pytest

from labelkit import container, metadata
from labelkit.errors import MalformedFile, UnsupportedFormat
from labelkit.label import FIELDS, Kind, Label
from labelkit.report import Status
from tests.files import LABEL, OTHER, one_label


def front(*lines: str) -> str:
    return "---\n" + "".join(line + "\n" for line in lines) + "---\n"


BLOCK = ["AIGC:", *(f"    {name}: '{value}'" for name, value in reversed(OTHER.fields().items()))]
TEXT = "\n# 标题\n\n---\n\ntext: 'x'\n"
NOTES = {
    "front matter": front("title: 山", "tags: [a, b]") + TEXT,
    "block": front(*BLOCK) + TEXT,
    "one line": front("AIGC: " + OTHER.to_json()) + TEXT,
    "quoted line": front("AIGC: '" + OTHER.to_json(wrapped=True) + "'") + TEXT,
    "folded": front("AIGC: |", "  " + OTHER.to_json()) + TEXT,
    "among others": front("title: 山", *BLOCK, "tags: [a, b]") + TEXT,
    "stacked": front(*BLOCK) + "\n" + front(*BLOCK) + front("AIGC: " + OTHER.to_json()) + TEXT,
    "mark": "\ufeff" + front(*BLOCK) + TEXT,
    "dots": "---\n" + "\n".join(BLOCK) + "\n...\n" + TEXT,
}
LABELLED_NOTES = [name for name in NOTES if name != "front matter"]


@pytest.mark.parametrize("name", NOTES)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_markdown_has_one_label_and_its_text_stays(name, line_end):
    note = NOTES[name].replace("\n", line_end)
    out = metadata.write(note.encode(), LABEL)
    assert one_label(out) and metadata.write(out, LABEL) == out
    assert out.decode().endswith(TEXT.replace("\n", line_end))
    assert OTHER.produce_id.encode() not in out
    for kept in ("title: 山" + line_end, "tags: [a, b]" + line_end):
        assert (kept in out.decode()) == (kept in note)
    assert out.decode().replace("\r\n", "").count("\n") == (0 if line_end == "\r\n" else out.count(b"\n"))


@pytest.mark.parametrize("name", LABELLED_NOTES)
def test_a_label_of_others_in_markdown_is_read(name):
    assert metadata.read(NOTES[name].encode()).label == OTHER


def test_the_label_stands_in_front_matter_as_the_guide_shows_it():
    out = metadata.write(NOTES["front matter"].encode(), LABEL).decode()
    lines = out.splitlines()
    assert lines[:2] == ["---", "AIGC:"]
    assert [line.split(":")[0].strip() for line in lines[2:9]] == list(FIELDS)
    assert lines[2] == "  Label: '1'"


def test_quotes_and_signed_data_survive_the_way_through_yaml():
    label = Label(Kind.GENERATED, "it's", "2", json.dumps({"SecurityData": "it's"}, separators=(",", ":")))
    assert metadata.read(metadata.write(NOTES["block"].encode(), label)).label == label


def test_text_is_markdown_where_its_name_says_so(tmp_path):
    for name, works in (("a.md", True), ("a.MARKDOWN", True), ("a.txt", False), ("a", False)):
        path = tmp_path / name
        path.write_text("# plain text, 文字\n", "utf-8")
        if works:
            metadata.write_file(path, path, LABEL)
            assert metadata.read(path).label == LABEL and path.read_text("utf-8").endswith("\n\n# plain text, 文字\n")
        else:
            with pytest.raises(UnsupportedFormat):
                metadata.write_file(path, path, LABEL)


@pytest.mark.parametrize("note", [b"---\nnot closed\n", b"---\n\0\n---\n", b"---\n\xff\xfe\n---\n",
                                  b"text\n---\nx\n---\n"])
def test_text_without_front_matter_is_not_told(note):
    with pytest.raises(UnsupportedFormat):
        container.sniff(note)


@pytest.mark.parametrize("first", ["  title: x", "\n\tContentPropagator: '1'", " \r\n  Label: '2'"])
def test_front_matter_that_would_run_into_the_label_is_refused(first):
    with pytest.raises(MalformedFile, match="indented"):
        metadata.write(front(first, "tags: x").encode(), LABEL)
    assert one_label(metadata.write(front("tags: x", first).encode(), LABEL))


def test_a_rule_behind_front_matter_is_text():
    note = front("title: x") + front("text: y")
    out = metadata.write(note.encode(), LABEL).decode()
    assert out.endswith(front("text: y"))


def hugo(*lines: str) -> bytes:
    return ("+++\n" + "".join(f"{line}\n" for line in lines) + "+++\n\n# Title\n").encode()


TOML = {
    "plain": hugo('title = "山水"', "draft = false"),
    "empty": hugo(),
    "tables": hugo('title = "x"', "[params]", 'author = "a"'),
    "string": hugo(f"AIGC = '{OTHER.to_json()}'", "[params]", "a = 1"),
    "table": hugo('title = "x"', "[AIGC]", *(f"{name} = '{value}'" for name, value in OTHER.fields().items()),
                  "[params]", "a = 1"),
    "inline table": hugo("AIGC = {" + ", ".join(f"{name} = '{value}'" for name, value in OTHER.fields().items()) + "}"),
    "in another table": hugo("[params]", f"AIGC = '{OTHER.to_json()}'", "a = 1"),
}


@pytest.mark.parametrize("name", TOML)
def test_front_matter_of_hugo_holds_the_label(name, tmp_path):
    path = tmp_path / "post.md"
    path.write_bytes(TOML[name])
    assert container.sniff(path).name == "markdown"
    found = metadata.read(path)
    assert found.label == (None if name in ("plain", "empty", "tables") else OTHER)
    metadata.write_file(path, path, LABEL)
    text = path.read_text("utf-8")
    before = tomllib.loads(TOML[name].decode().split("+++")[1])
    after = tomllib.loads(text.split("+++")[1])
    assert json.loads(after.pop("AIGC")) == LABEL.fields()
    before.pop("AIGC", None)
    before.get("params", {}).pop("AIGC", None)
    assert after == before and text.endswith("+++\n\n# Title\n")
    assert one_label(path.read_bytes())


def test_toml_that_is_none_is_said_to_be_broken(tmp_path):
    path = tmp_path / "post.md"
    path.write_bytes(hugo("AIGC = not toml"))
    found = metadata.read(path)
    assert found.status is Status.INVALID and "TOML" in str(found.summary)
    path.write_bytes(b"+++\nAIGC = 1\n\nnever closed\n")
    with pytest.raises(UnsupportedFormat):
        metadata.read(path)


@pytest.mark.parametrize("block, is_label", [
    ("title = 'x'\nAIGC = '{}'\n", True), ("[params]\nAIGC = '{}'\n", True), ("[params.example]\nAIGC = '{}'\n", False),
    ('title = """\nAIGC = \'{}\'\n"""\n', False), ("[[menus]]\nAIGC = '{}'\n", False), ("# AIGC = '{}'\n", False)])
def test_a_label_in_toml_is_what_it_states_of_the_page(block, is_label):
    data = ("+++\n" + block.replace("{}", LABEL.to_json()) + "+++\ntext\n").encode()
    assert metadata.read(data).label == (LABEL if is_label else None)
    assert metadata.read(metadata.write(data, OTHER)).label == OTHER
