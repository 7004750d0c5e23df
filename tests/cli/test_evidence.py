# SPDX-License-Identifier: Apache-2.0
"""`labelkit evidence`, and `labelkit result` on what it signed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labelkit.trials import subject
from labelkit.watermark.detection import Detection
from tests.media import photo, saved


@pytest.fixture
def media(tmp_path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    (folder / "a.png").write_bytes(saved(photo(224, 256), "PNG"))
    (folder / "notes.txt").write_text("a text has no watermark")
    return folder


def test_a_report_is_written_signed_and_checked(run, media):
    assert run("keygen", "keys", "--organisation", "Acme", "--results")[0] == 0
    code, out, err = run("evidence", "out", media, "--key", "keys/watermark.key", "--sign-result", "keys/result.pem",
                         "--effort", "fast")
    assert code == 0 and err == ""
    assert "pictures: id read in" in out and "false findings: 0 in 7 tests of unmarked media, 0 with a wrong key" in out
    assert out.splitlines()[-3:] == ["out/evidence.json", "out/evidence.html", "out/evidence.jws"]
    whole = json.loads(Path("out/evidence.json").read_text("utf-8"))
    assert whole["media"][0]["name"] == "a.png" and not whole["conditions"]["key_is_public"]
    check = "result", "out/evidence.jws", "--jwks", "keys/result.jwks.json"
    code, out, _ = run(*check, "--content", "out/evidence.html")
    assert code == 0 and "that of out/evidence.html" in out and "evidence.html, evidence.json" in out
    assert run(*check, "--content", media / "a.png")[0] == 1
    Path("out/evidence.html").write_text("another")
    assert run(*check, "--content", "out/evidence.html")[0] == 1
    found = json.loads(run(*check, "--json")[1])
    assert found["valid"] and found["files"].keys() == {"evidence.json", "evidence.html"}

    code, out, _ = run("evidence", "out", media, "--key", "keys/watermark.key", "--effort", "fast", "--json", "--lang",
                       "zh-CN")  # measured already, and not signed this time
    assert code == 0 and json.loads(out)["trials"] == whole["trials"]
    assert not Path("out/evidence.jws").exists()
    assert '<html lang="zh-CN">' in Path("out/evidence.html").read_text("utf-8")


def test_a_detector_that_finds_what_is_not_there_ends_with_1(run, media, monkeypatch):
    monkeypatch.setattr(subject, "detected", lambda *_: Detection(True, None, 9.0, 1e-12))
    code, out, _ = run("evidence", "out", media)
    assert code == 1 and "false findings: 7 in 7 tests of unmarked media, 1 with a wrong key" in out


def test_nothing_to_try_ends_with_2_and_writes_nothing(run, tmp_path):
    (tmp_path / "notes.txt").write_text("a text has no watermark")
    code, out, err = run("evidence", "out", tmp_path / "notes.txt")
    assert code == 2 and out == "" and "no picture, sound or film to try was found" in err
    assert not Path("out").exists()
    assert run("evidence", "out", tmp_path / "no-such.png")[0] == 2
    assert run("evidence", "out", "-")[0] == 2 and not Path("out").exists()
    assert run("evidence", "out", "--strength", 9)[0] == 2
