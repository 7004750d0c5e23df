# SPDX-License-Identifier: Apache-2.0
"""The table at the end of a run, and its page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from labelkit.batch.tally import MAX_LISTED, Facts, Tally
from labelkit.cli import summary
from labelkit.errors import HostTooSmall, MalformedFile
from labelkit.page import run as run_page
from tests.batch.test_datasets import members, packed
from tests.cli.conftest import PRODUCER, write

FAST = [*PRODUCER, "--layers", "metadata", "--explicit-present"]


def tally() -> Tally:
    made = Tally()
    for number in range(8):
        made.add(f"{number}.jpg", Facts("jpeg", 1000, 1030, number == 3), 0.5 * number)
    made.add("9.png", Facts("png", 2_000_000, 2_000_000), 4.5)
    made.add("-", Facts("wav", 10, None), 4.6)
    for number in range(2):
        made.add(f"<b>{number}", MalformedFile("{where}: broken", where=f"<b>{number}"), 5.0)
    made.add("small.png", HostTooSmall("too small"), 8.0)
    return made


def test_the_table_counts_what_it_was_given():
    lines = summary.lines(tally(), "en")
    assert [line.split() for line in lines[:4]] == [
        ["format", "files", "before", "after", "growth"], ["jpeg", "8", "8", "kB", "8.24", "kB", "+3.0", "%"],
        ["png", "1", "2", "MB", "2", "MB", "+0.0", "%"], ["wav", "1", "-", "-", "-"]]
    assert len({len(line) for line in lines[:3]}) == 1, "columns stand below each other"
    assert [line.strip() for line in lines[4:]] == [
        "2 failed: MalformedFile, such as <b>0: broken", "1 failed: HostTooSmall, such as small.png: too small",
        "grew most: 7.jpg, +3.0 %",
        "1 watermarks were made stronger, because the file's own encoding took them away",
        "13 files in 8.0 s, 1.6 a second"]
    assert "格式" in summary.lines(tally(), "zh-CN")[0] and summary.lines(Tally(), "en") == []


def test_sizes():
    assert [summary.size(count) for count in (0, 999, 1000, 999_600, 12_345_678, 5e15)] == [
        "0 B", "999 B", "1 kB", "1 MB", "12.3 MB", "5e+03 TB"]


def test_a_run_of_any_length_takes_bounded_memory():
    made = Tally()
    for number in range(MAX_LISTED + 100):
        made.add(str(number), MalformedFile("broken"), 10.0 * number)
    assert len(made.listed) == MAX_LISTED and made.failed == MAX_LISTED + 100
    assert len(made.bins) <= 120 and sum(made.bins) == made.failed
    assert "100 more are in the journal" in run_page.page(made)


def test_the_page_shows_all_and_escapes_what_files_say():
    page = run_page.page(tally(), language="zh-CN")
    assert "<b>" not in page and "&lt;b&gt;0" in page
    assert "<script" not in page and "http" not in page.split("</style>")[1]
    assert "10 labelled, 3 failed" in page and "已添加标识 10 个，失败 3 个" in page and "MalformedFile" in page
    assert "Nothing failed" in run_page.page(Tally()) and "Nothing failed" not in page


def test_a_run_ends_with_its_table_and_page(run):
    packed(members(9), Path("in/a.tar"))
    write("in/b.jpg")
    Path("in/c.jpg").write_bytes(b"broken")
    code, _, err = run("embed", "in", "-o", "out", *FAST, "--report", "run.html")
    assert code == 1 and re.search("^  jpeg +10 ", err, re.MULTILINE)
    assert "1 failed: UnsupportedFormat, such as in/c.jpg: the format is not known" in err, "one name of the file"
    assert err.splitlines()[-1] == "10 labelled, 1 failed, 0 skipped as not media"
    assert "10 labelled, 1 failed" in Path("run.html").read_text()
    code, _, err = run("embed", "in", "-o", "out2", *FAST, "--quiet")
    assert "jpeg  " not in err and not Path("out2/run.html").exists()
    assert "jpeg  " not in run("embed", "in/b.jpg", "-o", "one.jpg", *FAST)[2], "one file needs no table"


@pytest.mark.parametrize("place,why", [("no/such/run.html", "No such file or directory"), (".", "Is a directory")])
def test_a_page_that_could_not_be_written_is_refused_before_the_first_file(place, why, run):
    write("a.jpg")
    code, _, err = run("embed", "a.jpg", "-o", "b.jpg", *FAST, "--report", place)
    assert (code, err) == (2, f"{place} cannot be written: {why}\n") and not Path("b.jpg").exists()
    for option in ("--report", "--html"):
        code, out, err = run("check", "a.jpg", "a.jpg", option, place)
        assert code == 2 and not out and f"cannot be written: {why}" in err


def test_what_of_a_shard_was_made_counts_only_when_it_is_in_place(run):
    source = packed(members(3), Path("a.tar"))
    source.write_bytes(source.read_bytes()[:-9000])
    code, out, err = run("embed", "a.tar", "-o", "b.tar", *FAST, "--json", "--journal", "j")
    assert code == 1 and [json.loads(line)["file"] for line in out.splitlines()] == ["a.tar"]
    assert [json.loads(line)["file"] for line in Path("j").read_text().splitlines()] == ["a.tar"]
    code, out, _ = run("embed", "a.tar", "-o", "b.tar", *FAST, "--json", "--keep-truncated")
    assert code == 1 and len(out.splitlines()) == 1 + len([one for one in out.splitlines() if "::" in one]) > 1


def test_a_watermark_that_is_made_stronger_is_counted(run):
    packed(members(10), Path("in/a.tar"))  # whose ids follow from the content, so that each run does the same
    assert re.search(r"\d watermarks were made stronger", run("embed", "in", "-o", "out", *PRODUCER)[2])
    assert "made stronger" not in run("embed", "in", "-o", "out2", *FAST)[2]


def test_a_journal_tells_the_same_later(run):
    packed(members(9), Path("in/a.tar"))
    Path("in/c.jpg").write_bytes(b"broken")
    _, _, err = run("embed", "in", "-o", "out", *FAST, "--journal", "run.jsonl")
    code, out, _ = run("summary", "run.jsonl", "--report", "run.html")
    told = [line.removeprefix("  ") for line in err.splitlines() if line.startswith("  ")]
    assert code == 1 and out.splitlines()[:-1] == told[:-1], "all but the rate, of which the journal has thousandths"
    page = Path("run.html").read_text()
    assert "9 labelled, 1 failed" in page and "in/a.tar::0000.jpg" in page and "What grew most" in page
    write("in/c.jpg")
    assert run("embed", "in", "-o", "out", *FAST, "--retry-failed", "run.jsonl", "--journal", "run.jsonl")[0] == 0
    code, out, _ = run("summary", "run.jsonl")
    assert code == 0 and "failed" not in out and "\n10 files in " in out


@pytest.mark.parametrize("text, problem", [
    ("", "no file is in this journal"), ('{"file": "a.jpg", "verdict": "none"}\n', "no file is in this journal"),
    ("no journal\n", "line 1 is not that of a journal"),
    ('{"file": "a", "facts": {"format": "jpeg", "bytes_before": "1", "bytes_after": 2, "stronger": false, '
     '"seconds": 1}}\n', "no file is in this journal"),
    ('{"file": "a", "facts": {"format": "jpeg", "bytes_before": 1' + "0" * 400 + ', "bytes_after": 2, '
     '"stronger": false}}\n', "no file is in this journal"),
])
def test_what_is_no_journal_of_labelled_files_is_an_error(text, problem, run):
    Path("run.jsonl").write_text(text)
    code, out, err = run("summary", "run.jsonl", "--report", "run.html")
    assert (code, out) == (2, "") and problem in err and not Path("run.html").exists()


def test_runs_in_a_journal_follow_each_other_whatever_the_order_of_their_files(tmp_path):
    facts = {"format": "jpeg", "bytes_before": 100, "bytes_after": 101, "stronger": False}
    times = [("a", 5), ("a", 3), ("a", 6.5), ("b", 1), ("b", 0.5), ("b", 1e300), ("b", "x")]
    (tmp_path / "run.jsonl").write_text("".join(json.dumps({"file": f"{number}.jpg", "facts": {
        **facts, "run": run, "seconds": seconds}}) + "\n" for number, (run, seconds) in enumerate(times)))
    made = summary.of_journal(str(tmp_path / "run.jsonl"))
    assert made.labelled == 7 and made.seconds == 7.5
    assert made.bins == [0, 0, 0, 1, 0, 1, 1, 4]


def test_what_grew_most_is_kept_in_bounded_memory():
    made = Tally()
    for number in range(1000):
        made.add(str(number), Facts("jpeg", 1000, 1000 + number * 7 % 1000), 1.0)
    assert [one.bytes_out for one in made.grown] == list(range(1999, 1989, -1))


def test_a_journal_sends_nothing_to_the_terminal(tmp_path, run):
    facts = {"format": "p\x1b[31mng", "bytes_before": 10, "bytes_after": 20, "stronger": False, "seconds": 1}
    (tmp_path / "run.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in (
        {"file": "a.png", "facts": facts}, {"file": "b.png", "error": {"type": "E\x1b[2J", "message": "broken"}})))
    _, said, _ = run("summary", str(tmp_path / "run.jsonl"))
    assert "\x1b" not in said and "p\\x1b[31mng" in said and "such as b.png: broken" in said
