# SPDX-License-Identifier: Apache-2.0
"""The report of check on many files, the table of jurisdictions, and the rule on how long the label log is kept."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest

import labelkit as lk
from labelkit.cli.check_report import SCHEMA
from tests.cli.conftest import PRODUCER, write
from tests.media import LABEL, photo, saved


@pytest.fixture
def folder() -> None:
    Path("in").mkdir()
    write("in/bare.jpg")
    Path("in/good.jpg").write_bytes(lk.embed(saved(photo(), "JPEG", quality=92), label=LABEL))
    Path("in/bad.jpg").write_text("no picture")


def test_a_folder_has_one_report_with_the_worst_files_first(run, folder):
    code, _, _ = run("check", "in", "--html", "page.html", "--report", "report.json")
    found = json.loads(Path("report.json").read_text("utf-8"))
    assert code == 2 and found["schema"] == SCHEMA
    assert [one["file"] for one in found["files"]] == ["in/bad.jpg", "in/bare.jpg", "in/good.jpg"]
    assert found["totals"] == {"files": 3, "pass": 1, "fail": 1, "cannot tell": 0, "unread": 1}
    assert found["overall"].startswith("Not compliant: 1 of 3 files fail a rule")
    bare = found["files"][1]["profiles"]["gb45438"]
    assert bare["fail"] == ["metadata-label"] and bare["cannot tell"] == ["explicit-label"]
    assert all(rule["mend"] for rule in bare["rules"] if rule["outcome"] != "pass")
    text = Path("page.html").read_text("utf-8")
    assert "Not compliant: 1 of 3 files fail a rule" in text and "不合规：3 个文件中 1 个有规则不通过" in text
    assert text.index("in/bad.jpg") < text.index("in/bare.jpg") < text.index("in/good.jpg")
    assert "For a person to judge" in text and text.count('<img class="preview"') == 1, "of the file that failed"


def test_a_folder_that_complies_says_so(run, folder):
    for name in ("bare", "bad"):
        Path(f"in/{name}.jpg").unlink()
    assert run("check", "in", "--html", "page.html", "--report", "report.json")[0] == 0
    assert json.loads(Path("report.json").read_text("utf-8"))["overall"] == "Compliant: all 1 files pass every rule"


def test_names_of_files_are_no_html(run, folder):
    Path("in/bare.jpg").rename("in/<script>alert(1)<b>.jpg")
    run("check", "in", "--html", "page.html")
    assert "<script>" not in Path("page.html").read_text("utf-8")


def test_pictures_are_not_decoded_in_this_process_but_where_asked(run, folder, monkeypatch):
    asked = []
    monkeypatch.setattr("labelkit.page.image_preview.preview",
                        lambda source, box: asked.append(source) or ("image/webp", b""))
    run("check", "in", "--html", "page.html", "--isolate", "--jobs", "1")
    text = Path("page.html").read_text("utf-8")
    assert not asked and "data:image/jpeg;base64," in text, "the file is shown as it is"
    run("check", "in", "--html", "page.html", "--no-isolate", "--jobs", "1")
    assert asked == ["in/bad.jpg", "in/bare.jpg"]


def test_all_jurisdictions_are_one_table(run):
    Path("cat.jpg").write_bytes(lk.embed(saved(photo(), "JPEG", quality=92), label=LABEL))
    code, out, _ = run("check", "cat.jpg", "--all")
    rows = [re.split(r"\s{2,}", line.strip())[:2] for line in out.splitlines()[1:]]
    assert code == 1 and rows == [["GB 45438-2025", "pass"], ["EU Code of Practice", "FAIL"],
                                  ["California SB 942", "FAIL"], ["Korea AI Basic Act", "pass"],
                                  ["India IT Rules", "pass"]]
    assert re.search(r"EU Code.* cannot tell, \d+ advised: signed-metadata, watermark\n", out)
    found = json.loads(run("check", "cat.jpg", "--all", "--json", "--sb1000")[1])["profiles"]
    assert {name: one["outcome"] for name, one in found.items()} == {
        "gb45438": "pass", "eu": "fail", "california": "fail", "korea": "pass", "india": "pass"}
    assert "created-or-altered" in {rule["rule"] for rule in found["california"]["rules"]}
    run("check", "cat.jpg", "--all", "--html", "page.html")
    text = Path("page.html").read_text("utf-8")
    assert all(name in text for name in ("Jurisdictions", "India IT Rules", "meity.gov.in", "eur-lex.europa.eu"))


def test_a_log_that_lost_records_too_early_fails(run):
    write("cat.jpg")
    for number in range(3):
        assert run("embed", "cat.jpg", "-o", f"out{number}.jpg", *PRODUCER, "--log", "labels.db")[0] == 0
    code, out, _ = run("check", "out2.jpg", "--log", "labels.db")
    assert code == 0 and "3 records, none of them changed or removed too early" in out
    with sqlite3.connect("labels.db") as database:
        for name, in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("DELETE FROM labelkit_records WHERE number = 1")
    code, out, _ = run("check", "out2.jpg", "--log", "labels.db")
    assert code == 1 and re.search(r"FAIL +Labeling Measures, Article 9: records .*\n +records 1 to 1 are missing", out)
    assert "log-retention" not in run("check", "out2.jpg", "--json")[1], "no log, nothing to judge"
