# SPDX-License-Identifier: Apache-2.0
"""propagate, check, log, and the record without which no explicit label is left out: exit code, stdout, stderr."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import labelkit as lk
from labelkit import metadata
from labelkit.label import Kind
from labelkit.log import LabelLog
from labelkit.watermark import image
from tests.cli.conftest import PRODUCER
from tests.files import decoys_before_a_label, movie, sound
from tests.log.conftest import entry
from tests.media import LABEL, photo, saved

PLATFORM = ["--propagator", "platform"]
WAIVED = ["--waive-recipient", "user-77", "--waive-agreement", "2026-03"]
NOTICE = "该内容属于人工智能生成合成内容"


def write(name: str, label: lk.Label | None = None, seed: int = 1) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(saved(photo(seed=seed), "JPEG", quality=92))
    if label:
        metadata.write_file(path, path, label)
    return path


# propagate


def test_a_labelled_upload_is_confirmed_and_keeps_its_producer(run):
    write("cat.jpg", LABEL)
    code, out, err = run("propagate", "cat.jpg", "-o", "out.jpg", *PLATFORM, "--propagate-id", "post-9")
    assert (code, err) == (0, "")
    assert out == ("cat.jpg -> out.jpg: CONFIRMED AI-generated\n"
                   f"  notice      {NOTICE}\n"
                   "  written     Label 1, propagator platform, number post-9\n"
                   "  because     the metadata label states Label 1\n")
    assert metadata.read("out.jpg").label == LABEL.propagated_by("platform", "post-9")
    assert np.array_equal(np.asarray(Image.open("cat.jpg")), np.asarray(Image.open("out.jpg")))


def test_a_plain_upload_owes_nothing_unless_it_is_declared(run):
    write("cat.jpg")
    code, out, err = run("propagate", "cat.jpg", "-o", "out.jpg", *PLATFORM)
    assert (code, err) == (0, "") and Path("out.jpg").read_bytes() == Path("cat.jpg").read_bytes()
    assert out.startswith("cat.jpg -> out.jpg: no sign of AI generation\n  written     a copy: no label is required\n")
    assert json.loads(run("propagate", "cat.jpg", "-o", "o.jpg", *PLATFORM, "--json")[1])["output"] == "o.jpg"
    out = run("propagate", "cat.jpg", "--in-place", *PLATFORM)[1]
    assert out.startswith("cat.jpg: no sign of AI generation\n  written     nothing: no label is required\n")
    code, out, _ = run("propagate", "cat.jpg", "-o", "out.jpg", *PLATFORM, "--declared")
    assert code == 0 and "POSSIBLY AI-generated" in out and "可能" in out
    label = metadata.read("out.jpg").label
    assert (label.kind, label.content_producer, label.content_propagator) == (Kind.POSSIBLE, "", "platform")


def test_a_trace_makes_a_suspicion(run):
    path = write("cat.jpg")
    path.write_bytes(lk.embed(path.read_bytes(), label=LABEL, plan=lk.Plan(metadata=False)))
    code, out, _ = run("propagate", "cat.jpg", "-o", "out.jpg", *PLATFORM)
    assert code == 0 and "SUSPECTED" in out and metadata.read("out.jpg").label.kind is Kind.SUSPECTED


def test_a_label_in_doubt_is_reported_and_not_overwritten(run):
    path = write("cat.jpg", LABEL)
    other = lk.Label(Kind.GENERATED, "somebody-else", "9")
    mark_alone = lk.Plan(explicit=None, metadata=False)
    path.write_bytes(lk.embed(path.read_bytes(), label=other, plan=mark_alone, replace=True))
    before = path.read_bytes()
    code, out, err = run("propagate", "cat.jpg", "--in-place", *PLATFORM)
    assert code == 1 and path.read_bytes() == before
    assert "cat.jpg: SUSPECTED" in out and "the layers contradict each other" in out
    assert "  written     nothing: the file's own label is in doubt and needs a person to decide\n" in out
    assert err == ""


def test_unreadable_labels_are_not_overwritten_either(run):
    path = write("cat.jpg", LABEL)
    path.write_bytes(path.read_bytes().replace(b'{"Label"', b'?"Label"'))
    code, out, _ = run("propagate", "cat.jpg", "-o", "out.jpg", *PLATFORM, "--declared")
    assert code == 1 and "POSSIBLY" in out and "cannot be read" in out and not Path("out.jpg").exists()


def test_the_notice_is_owed_where_writing_fails_too(run, keys):
    path = write("cat.jpg")
    signer = lk.Signer.load(keys / "signer.pem")
    path.write_bytes(lk.embed(path.read_bytes(), label=LABEL, plan=lk.Plan(provenance=signer)))
    code, out, err = run("propagate", "cat.jpg", "-o", "out.jpg", *PLATFORM)
    assert code == 1 and NOTICE in out and "  written     nothing, because of an error\n" in out
    assert "would break the signature" in err and "hint: use --signer" in err and not Path("out.jpg").exists()
    code, out, err = run("propagate", "cat.jpg", "-o", "out.jpg", *PLATFORM, "--json")
    one = json.loads(out)
    assert (one["tier"], one["notice"], one["output"]) == ("confirmed", NOTICE, None) and one["error"]["hint"]
    assert run("propagate", "cat.jpg", "-o", "out.jpg", *PLATFORM, "--signer", keys / "signer.pem")[0] == 0
    report = lk.verify("out.jpg", trust=lk.TrustList.load(keys / "anchors.pem"))
    assert report.verdict is lk.Verdict.CONFIRMED and report[lk.Layer.PROVENANCE].evidence.manifests == 2
    assert report.label.content_propagator == "platform" and report[lk.Layer.PROVENANCE].evidence.trusted


def test_propagate_speaks_json_and_chinese(run):
    write("cat.jpg", LABEL)
    code, out, _ = run("propagate", "cat.jpg", "-o", "out.jpg", *PLATFORM, "--json")
    one = json.loads(out)
    assert set(one) == {"file", "output", "tier", "notice", "label", "verified", "reasons", "report"}
    assert one["label"]["ContentPropagator"] == "platform" and one["report"]["verdict"] == one["tier"]
    assert re.fullmatch(r"[0-9a-f-]{36}", one["label"]["PropagateID"])
    code, out, _ = run("propagate", "cat.jpg", "-o", "out.jpg", *PLATFORM, "--lang", "zh-CN")
    assert out.startswith("cat.jpg -> out.jpg: 属于人工智能生成合成内容\n  提示        该内容属于")


def test_an_upload_that_was_not_read_wholly_is_not_said_to_be_plain(run):
    Path("cat.png").write_bytes(decoys_before_a_label())
    code, out, err = run("propagate", "cat.png", "-o", "out.png", *PLATFORM, "--effort", "fast")
    assert code == 2 and not Path("out.png").exists()
    assert out.startswith("cat.png: CANNOT TELL: nothing was found")
    assert "  written     nothing: not all of the file could be looked at\n" in out and "no sign" not in out
    code, out, _ = run("propagate", "cat.png", "-o", "out.png", *PLATFORM, "--effort", "fast", "--declared")
    assert code == 2 and "POSSIBLY" in out and not Path("out.png").exists(), "a second label may stand there"


def test_folders_of_uploads(run):
    write("in/a.jpg", LABEL)
    write("in/b.jpg", seed=2)
    Path("in/bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    code, out, err = run("propagate", "in", "-o", "out", *PLATFORM, "--effort", "fast")
    assert code == 1 and sorted(path.name for path in Path("out").iterdir()) == ["a.jpg", "b.jpg"], "OUT can be served"
    assert Path("out/b.jpg").read_bytes() == Path("in/b.jpg").read_bytes()
    assert err.splitlines()[-1].startswith("1 labelled, 1 need no label, ")


@pytest.mark.parametrize("words,said", [
    (["cat.jpg", "-o", "out.jpg"], "--propagator"), (["cat.jpg", *PLATFORM], "--output"),
    (["cat.jpg", "-o", "out.jpg", "--propagator", "平台"], "Annex E j)"),
    (["cat.jpg", "cat.jpg", "-o", "out/", *PLATFORM, "--propagate-id", "1"], "--propagate-id is the number of one"),
    (["missing.jpg", "-o", "out.jpg", *PLATFORM], "missing.jpg")])
def test_propagate_refuses_before_it_begins(words, said, run):
    write("cat.jpg")
    code, out, err = run("propagate", *words)
    assert (code, out) == (2, "") and said in err


# check


def test_a_file_of_ours_passes_and_a_plain_one_does_not(run):
    write("cat.jpg")
    run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER)
    code, out, err = run("check", "out.jpg")
    assert (code, err) == (0, "") and re.match(r"out.jpg: GB 45438-2025: \d+ pass, 0 fail, 0 cannot tell\n", out)
    assert ("  pass         GB 45438-2025 6.1 c): one metadata label in the file\n"
            "               1: APP1 XMP @ 20\n") in out
    code, out, err = run("check", "cat.jpg")
    assert code == 1 and out.startswith("cat.jpg: GB 45438-2025: 0 pass, 1 fail, 1 cannot tell\n")
    assert "  FAIL         GB 45438-2025 6.1: an implicit label in the file's metadata\n" in out


def test_what_cannot_be_told_is_exit_code_2(run):
    write("cat.jpg", LABEL)
    code, out, _ = run("check", "cat.jpg")
    assert code == 2 and " 0 fail, 1 cannot tell" in out
    Path("text.jpg").write_text("no picture")
    write("plain.jpg", seed=2)
    assert run("check", "text.jpg", "plain.jpg")[0] == 2, "a file that cannot be read is no answer"
    assert run("check", "cat.jpg", "plain.jpg")[0] == 1, "a rule that failed is one"


def test_profiles_and_json(run):
    write("cat.jpg", LABEL)
    for profile, clause in (("eu", "AI Act Art. 50(2)"), ("california", "Cal. Bus. & Prof. Code § 22757.3(a)")):
        code, out, _ = run("check", "cat.jpg", "--profile", profile, "--json")
        one = json.loads(out)
        assert code == 1 and set(one) == {"file", "profile", "outcome", "rules", "report"}
        assert (one["profile"], one["outcome"], one["rules"][0]["clause"]) == (profile, "fail", clause)
    assert run("check", "cat.jpg", "--profile", "mars")[0] == 2


def test_the_page_for_an_auditor(run):
    write("cat.jpg", LABEL)
    run("check", "cat.jpg", "--html", "page.html")
    text = Path("page.html").read_text("utf-8")
    assert "GB 45438-2025 6.1 c)" in text and "文件中只有一个元数据标识" in text and "SHA-256" in text
    for words in (["--html", "no/such/page.html"], ["--report", "no/such.json"]):
        code, out, err = run("check", "cat.jpg", *words)
        assert (code, out) == (2, "") and "cannot be written" in err


# log, and the explicit label that is left out


def test_the_log_leads_back_from_a_stripped_picture(run):
    write("cat.jpg")
    assert run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--produce-id", "n-1", "--log", "labels.db")[0] == 0
    marked = np.asarray(Image.open("out.jpg"))
    Path("stripped.png").write_bytes(saved(marked[40:, 60:], "PNG"))
    code, out, err = run("log", "find", "labels.db", "stripped.png")
    assert (code, err) == (0, "") and re.match(r"record 1, 20\d\d-.*Z: producer acme, id n-1, watermark [0-9a-f]{16}\n"
                                               r"  found       by its watermark\n$", out)
    found = run("log", "find", "labels.db", "out.jpg")[1]
    assert "by the file's SHA-256" in found and "by its produce id" in found
    payload = lk.Payload.of(metadata.read("out.jpg").label).hex
    assert run("log", "find", "labels.db", payload)[0] == run("log", "find", "labels.db", "n-1")[0] == 0
    record = json.loads(run("log", "find", "labels.db", "n-1", "--json")[1])
    assert (record["number"], record["label"]["ProduceID"], record["waiver"]) == (1, "n-1", None)
    write("other.jpg", seed=5)
    assert run("log", "find", "labels.db", "other.jpg") == (1, "", "other.jpg: not in the log\n")
    assert run("log", "find", "labels.db", "n-2")[0] == 1


def test_the_log_finds_a_mark_that_cannot_be_read(run):
    with LabelLog("labels.db") as log, LabelLog("others.db") as others:
        others.record(*map(entry, range(1, 8)))
        log.record(*map(entry, range(1, 8)), entry(8, label=LABEL, payload=lk.Payload.of(LABEL)))
    marked = image.embed(photo(256, 320), lk.Payload.of(LABEL))
    Path("ruined.jpg").write_bytes(saved(marked, "JPEG", quality=10))
    Path("unmarked.jpg").write_bytes(saved(photo(256, 320), "JPEG", quality=10))
    assert "no watermark of the public key" in run("verify", "ruined.jpg")[1]
    code, out, err = run("log", "find", "labels.db", "ruined.jpg")
    assert (code, err) == (0, "") and out.startswith("record 8, ")
    assert out.endswith("by its watermark, which cannot be read, among those of the log\n")
    said = run("verify", "ruined.jpg", "--candidates", "labels.db", "--require", "watermark")
    assert said[0] == 0 and f"matches id {lk.Payload.of(LABEL).hex}, looked for among 8, false-positive" in said[1]
    for log, name in (("others.db", "ruined.jpg"), ("labels.db", "unmarked.jpg")):
        assert run("log", "find", log, name) == (1, "", f"{name}: not in the log\n")
        assert run("verify", name, "--candidates", log, "--require", "watermark")[0] == 1
    code, _, err = run("verify", "ruined.jpg", "--candidates", "none.db")
    assert code == 2 and "no such label log" in err


def test_tampering_with_the_log_is_found(run):
    write("cat.jpg")
    for _ in range(2):
        run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--log", "labels.db")
    head = run("log", "head", "labels.db")[1].strip()
    code, out, _ = run("log", "verify", "labels.db", "--head", head)
    assert code == 0 and out == f"labels.db: intact, 2 records, head {head}\n"
    assert len(run("log", "export", "labels.db")[1].splitlines()) == 2
    import sqlite3
    with sqlite3.connect("labels.db") as connection:
        connection.execute("DROP TRIGGER labelkit_append_only")
        connection.execute("UPDATE labelkit_records SET body = replace(body, 'acme', 'evil') WHERE number = 1")
    connection.close()
    code, out, _ = run("log", "verify", "labels.db")
    assert code == 1 and out.startswith("labels.db: NOT intact, 2 records\n  record 1 was changed")
    assert json.loads(run("log", "verify", "labels.db", "--json")[1])["intact"] is False
    Path("labels.db").unlink()
    LabelLog("labels.db").close()
    assert run("log", "verify", "labels.db", "--head", head)[0] == 1, "made anew"


@pytest.mark.parametrize("words,said", [
    (["verify", "missing.db"], "missing.db: there is no such label log"),
    (["find", "cat.jpg"], "find needs WHAT"), (["head", "cat.jpg", "x"], "find needs WHAT"),
    (["verify", "cat.jpg"], "not a label log"), (["shred", "cat.jpg"], "shred"),
    (["verify", "labels.db", "--head", "1"], "a head is NUMBER:HASH")])
def test_log_refuses_what_it_cannot_answer(words, said, run):
    write("cat.jpg")
    LabelLog("labels.db").close()
    code, out, err = run("log", *words)
    assert (code, out) == (2, "") and said in err
    assert not Path("missing.db").exists()


@pytest.mark.parametrize("words", [[], WAIVED[:2] + ["--log", "labels.db"], WAIVED[2:] + ["--log", "labels.db"], WAIVED,
                                   ["--log", "labels.db"]], ids=["nothing", "who", "what", "no log", "log alone"])
@pytest.mark.parametrize("layers", ["metadata", "watermark,metadata"])
def test_no_explicit_label_is_left_out_without_a_record(words, layers, run):
    write("cat.jpg")
    code, out, err = run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--layers", layers, *words)
    assert code in (1, 2) and out == "" and "--waive-agreement" in err and "--log" in err
    assert not Path("out.jpg").exists()
    assert not Path("labels.db").exists() or LabelLog("labels.db").head().number == 0


@pytest.mark.parametrize("name", ["tone.wav", "clip.mp4"])
def test_sounds_and_films_neither(name, run):
    Path(name).write_bytes(sound("WAV") if name == "tone.wav" else movie("mp4"))
    code, _, err = run("embed", name, "-o", f"out-{name}", *PRODUCER, "--layers", "metadata")
    assert code == 1 and "would get no explicit label" in err
    assert run("embed", name, "-o", f"out-{name}", *PRODUCER, "--layers", "metadata", "--explicit-present")[0] == 0


def test_a_waived_label_is_on_record_and_the_implicit_one_is_there(run):
    write("cat.jpg")
    code, _, err = run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--log", "labels.db", *WAIVED)
    assert (code, err) == (0, "")
    report = lk.verify("out.jpg")
    assert report[lk.Layer.EXPLICIT].status is lk.Status.ABSENT and report.label.content_producer == "acme"
    code, out, _ = run("log", "find", "labels.db", "out.jpg")
    assert code == 0 and out.endswith("  waived      for user-77 under 2026-03\n")


@pytest.mark.parametrize("layers", ["watermark", "explicit,metadata"])
def test_a_waiver_waives_nothing_else(layers, run):
    write("cat.jpg")
    words = [*PRODUCER, "--log", "labels.db", *WAIVED, "--layers", layers]
    code, _, err = run("embed", "cat.jpg", "-o", "out.jpg", *words)
    assert code == 1 and err and not Path("out.jpg").exists() and LabelLog("labels.db").head().number == 0


# the clock


def test_certificates_that_end_soon_are_warned_about_by_the_clock(run):
    write("cat.jpg")
    for days, warned in (("30", True), ("300", False)):
        run("keygen", days, "--organisation", "Acme", "--days", days)
        assert run("embed", "cat.jpg", "-o", f"{days}.jpg", *PRODUCER, "--signer", f"{days}/signer.pem")[0] == 0
        one = json.loads(run("verify", f"{days}.jpg", "--json", "--effort", "fast")[1])
        assert ("certificate-ends-soon" in one["layers"]["provenance"]["evidence"]["warnings"]) is warned


# the standard streams


def test_uploads_from_a_pipe(run, monkeypatch):
    data = write("cat.jpg", LABEL).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    code, out, _ = run("check", "-", "--json")
    assert code == 2 and json.loads(out)["file"] == "-"


def test_an_export_may_be_cut_off_by_its_reader(run, tmp_path):
    """As by `labelkit log export X | head -1`."""
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")
    write("cat.jpg")
    run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--log", "labels.db")
    with LabelLog("labels.db") as log, pytest.raises(BrokenPipeError):
        log.export(Closed())
    process = subprocess.Popen([sys.executable, "-m", "labelkit", "log", "export", "labels.db"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={**os.environ, "PYTHONPATH": str(Path(lk.__file__).parents[1])})
    process.stdout.close()
    assert (process.stderr.read(), process.wait(600)) == (b"", 0)
    process.stderr.close()
