# SPDX-License-Identifier: Apache-2.0
"""check and what it looks at beside the file's data: text in other fonts, the label log, the generating system."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import labelkit as lk
from labelkit import metadata
from labelkit.log import LabelLog
from tests.cli.conftest import PRODUCER, write
from tests.explicit.lettering import labelled
from tests.media import LABEL, photo, saved

WAIVED = ["--log", "labels.db", "--waive-recipient", "user-77", "--waive-agreement", "2026-03"]


@pytest.fixture
def reading(monkeypatch):
    """Text is read, as it is where the extra `ocr` is installed."""
    pytest.importorskip("rapidocr")
    monkeypatch.setattr("labelkit.explicit.image.ocr.available", lambda: True)


def foreign(name: str, share: float = 0.07) -> None:
    """A picture with a label in a font that is not ours, in words that only reading finds."""
    path = Path(name)
    path.write_bytes(saved(labelled("豆包AI生成", share), "PNG"))
    metadata.write_file(path, path, LABEL)


def test_check_reads_labels_in_other_fonts_where_it_can(run, reading):
    foreign("cat.png")
    code, out, err = run("check", "cat.png")
    assert (code, err) == (0, "") and '               "豆包AI生成"\n' in out
    foreign("low.png", 0.03)
    code, out, _ = run("check", "low.png")
    assert code == 1 and re.search(r"FAIL +GB 45438-2025 5.2: text height .*\n +[23]\.\d %\n", out)
    write("bare.jpg")
    assert run("check", "bare.jpg")[1].startswith("bare.jpg: GB 45438-2025: 0 pass, 2 fail, 0 cannot tell\n")


def test_without_the_extra_it_cannot_tell_and_says_what_would(run):
    foreign("cat.png")
    code, out, _ = run("check", "cat.png")
    assert code == 2 and "aigc-labelkit[ocr]" in out
    code, out, err = run("verify", "cat.png", "--ocr")
    assert (code, out) == (2, "") and 'pip install "aigc-labelkit[ocr]"' in err


def test_verify_reads_only_when_asked(run, reading):
    foreign("cat.png")
    assert run("verify", "cat.png", "--require", "explicit")[0] == 1
    code, out, _ = run("verify", "cat.png", "--require", "explicit", "--ocr")
    assert code == 0 and '  explicit    valid      "豆包AI生成" bottom right, ' in out


def test_a_platform_suspects_what_shows_a_label_in_any_font(run, reading):
    Path("cat.png").write_bytes(saved(labelled("豆包AI生成"), "PNG"))
    words = ["propagate", "cat.png", "--propagator", "platform", "-o", "out.png"]
    assert "no sign of AI" in run(*words)[1]
    assert "SUSPECTED AI-generated" in run(*words, "--ocr")[1]


def test_a_waiver_on_record_passes_and_one_that_is_not_does_not(run):
    write("cat.jpg")
    assert run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, *WAIVED)[0] == 0
    assert run("check", "out.jpg")[0] == 2
    code, out, _ = run("check", "out.jpg", "--log", "labels.db")
    assert code == 0 and "  pass         Labeling Measures, Article 9: an explicit label, or a record" in out
    assert re.search(r"waived for user-77 under 2026-03; record 1 of the log, 20\d\d-", out)
    assert run("check", "out.jpg", "--log", "none.db")[0] == 2 and not Path("none.db").exists()
    assert run("embed", "cat.jpg", "-o", "other.jpg", *PRODUCER, "--log", "labels.db")[0] == 0
    stripped = saved(photo(), "JPEG", quality=92)
    Path("bare.jpg").write_bytes(metadata.write(stripped, metadata.read("other.jpg").label))
    out = run("check", "bare.jpg", "--log", "labels.db")[1]
    assert "waived for" not in out, "that label was not waived"
    assert "Labeling Measures, Article 9: records of labels are kept unchanged for six months" in out


def test_a_waiver_is_found_by_the_label_where_the_file_was_saved_anew(run):
    write("cat.jpg")
    assert run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, *WAIVED)[0] == 0
    label, log = metadata.read("out.jpg").label, LabelLog("labels.db")
    assert log.waived("0" * 64, label).number == 1
    assert log.waived("0" * 64) is None
    assert log.waived("0" * 64, lk.Label(lk.Kind.GENERATED, "somebody", label.produce_id)) is None


def test_the_generating_system_is_what_california_asks_for(run):
    write("cat.jpg")
    run("keygen", "keys", "--organisation", "Acme Imaging")
    signed = [*PRODUCER, "--signer", "keys/signer.pem", "--key", "keys/watermark.key"]
    assert run("embed", "cat.jpg", "-o", "out.jpg", *signed, "--generator", "Night Painter 2.0", "--created",
               "2026-03-04T05:06:07+08:00")[0] == 0
    judge = ["--profile", "california", "--trust", "keys/anchors.pem", "--key", "keys/watermark.key", "--detector",
             "https://acme.example/detector"]
    code, out, _ = run("check", "out.jpg", *judge, "--json")
    found = {rule["rule"]: (rule["outcome"], rule["found"]) for rule in json.loads(out)["rules"]}
    assert code == 0 and {outcome for outcome, _ in found.values()} == {"pass"}
    assert "not visited" in found["detector"][1] and run("check", "out.jpg", *judge[:-2])[0] == 2
    assert found["system"][1] == "Night Painter 2.0" and found["time"][1] == "2026-03-04T05:06:07+08:00"
    run("embed", "cat.jpg", "-o", "plain.jpg", *signed)
    assert run("check", "plain.jpg", "--profile", "california")[0] == 1
    run("embed", "cat.jpg", "-o", "nameless.jpg", *signed, "--generator", "Painter")
    assert run("check", "nameless.jpg", *judge)[0] == 2, "no version that can be told"


@pytest.mark.parametrize("words,says", [
    (["--generator", "Painter 2", "--layers", "explicit"], "neither is asked for"), (["--model", "x"], "--generator"),
    (["--generator", "Painter 2", "--edit", "x"], "needs a signer"), (["--created", "2026-03-04"], "--generator"),
    (["--created", "yesterday", "--generator", "Painter 2"], "date and time")])
def test_a_generator_that_cannot_be_stated_is_refused(words, says, run):
    write("cat.jpg")
    code, out, err = run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, *words)
    assert code == 2 and out == "" and says in err and not Path("out.jpg").exists()


def test_a_pin_on_the_command_line_is_refused(run):
    write("cat.jpg")
    code, _, err = run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--signer", "pkcs11:object=a?pin-value=13579")
    assert code == 2 and "pin-source" in err and "13579" not in err


def test_a_relative_path_in_the_settings_is_no_token(run):
    Path("labelkit.toml").write_text('signer = "pkcs11:object=a?pin-value=13579"\n')
    write("cat.jpg")
    assert "pin-source" in run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--config", "labelkit.toml")[2]


def test_the_page_names_the_file_the_rules_and_the_time_and_shows_the_picture(run):
    Path("cat.jpg").write_bytes(lk.embed(saved(np.array(photo()), "JPEG", quality=92), label=LABEL))
    run("check", "cat.jpg", "--html", "page.html")
    text = Path("page.html").read_text("utf-8")
    assert "<title>Compliance report: GB 45438-2025</title>" in text and "合规报告：GB 45438-2025" in text
    assert '<img class="preview" src="data:image/webp;base64,' in text and re.search(r"20\d\d-\d\d-\d\d .* UTC", text)
    assert re.search(r'class="tally"><li><span class="chip valid">.*</span> \d+</li></ul>', text)
    Path("a.md").write_text("# Title\n")
    run("check", "a.md", "--html", "text.html")
    text = Path("text.html").read_text("utf-8")
    assert '<img class="preview"' not in text and 'class="invalid-row"' in text


def test_a_folder_has_a_total(run):
    Path("in").mkdir()
    write("in/bare.jpg")
    Path("in/good.jpg").write_bytes(lk.embed(saved(photo(), "JPEG", quality=92), label=LABEL))
    Path("in/bad.jpg").write_text("no picture")
    code, _, err = run("check", "in")
    assert code == 2
    assert err.splitlines()[-1] == "3 files: 1 pass every rule, 1 fail one, 0 leave one open, 1 could not be judged"
    assert "files:" not in run("check", "in/good.jpg")[2]


def test_a_place_in_webp_is_named_once(run):
    Path("a.webp").write_bytes(metadata.write(saved(photo(), "WEBP"), LABEL))
    assert re.search(r"\n +1: XMP @ \d+\n", run("check", "a.webp")[1])


def test_chinese_output_is_chinese_throughout(run):
    write("cat.jpg")
    run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER)
    english, chinese = (run("check", "out.jpg", "--lang", language)[1] for language in ("en", "zh-CN"))
    assert "\n               bare\n" in english
    assert "bare" not in chinese and "\n               无外层对象\n" in chinese
