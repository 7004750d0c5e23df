# SPDX-License-Identifier: Apache-2.0
"""A whole run: the table, what was not there, going on after a stop, the page, and the signature."""

from __future__ import annotations

import datetime
import json

import numpy as np
import pytest

from labelkit import results
from labelkit.key import Key
from labelkit.page import evidence
from labelkit.trials import forging, measure, signed, subject
from labelkit.trials.measure import JOURNAL, Measured, Run
from labelkit.trials.report import Report
from labelkit.trials.subject import Settings
from tests.trials.conftest import medium, picture, sound

NOW = datetime.datetime(2026, 11, 28, 12, tzinfo=datetime.UTC)
MEDIA = [picture("a.png", 256, 288), picture("b.png", 288, 256), sound(),
         medium("flat.png", "image", np.full((200, 200, 3), 90, np.uint8))]


def _run(folder, settings, on_step=lambda done, total: None, jobs=2) -> Run:
    return Run(MEDIA, settings, folder, jobs, on_step)


@pytest.fixture(scope="module")
def settings(settings) -> Settings:
    """A search that is soon over: what is told of one is what this is about."""
    return Settings(settings.key, settings.plan, "fast")


@pytest.fixture(scope="module")
def made(tmp_path_factory, settings):
    """(folder, report, page) of a run that was stopped once, and went on."""
    folder = tmp_path_factory.mktemp("evidence")

    def stopping(done: int, total: int) -> None:
        if done == 20:
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        _run(folder, settings, stopping, jobs=1).measure()
    before = (folder / JOURNAL).read_text("utf-8")
    assert len([line for line in before.splitlines() if line]) == 19  # one step was refused, and is not kept
    (folder / JOURNAL).write_text(before[:-9])  # within the last line
    whole = Report(_run(folder, settings).measure(), MEDIA, settings, NOW, 12.0)
    assert (folder / JOURNAL).read_text("utf-8").startswith(before[:-9])  # what was measured is kept
    return folder, whole, evidence.page(whole)


def test_the_table_says_what_was_read_and_that_nothing_was_found_where_nothing_is(made):
    rows = {(row.kind, row.trial): row for row in made[1].rows}
    assert rows["image", "jpeg-50"].right.count == rows["image", "jpeg-50"].right.of == 2
    assert rows["audio", "telephone"].right.count == 1
    assert made[1].is_sound and made[1].wrong_key.of == 3 and made[1].unmarked.of == 21
    assert made[1].copied.of == made[1].noticed.of == 2


def test_what_can_carry_no_mark_is_named(made):
    assert list(made[1].measured.refused) == ["flat.png"]
    assert "flat" in made[1].to_dict()["refused"][0]["name"] and "flat.png" in made[2]


def test_a_second_run_measures_nothing_again(made, settings, monkeypatch):
    folder, whole, _ = made
    monkeypatch.setattr(subject, "detected", lambda *_: pytest.fail("it is known"))
    again = _run(folder, settings).measure()
    assert again.decisions == whole.measured.decisions and again.facts == whole.measured.facts


def test_another_key_measures_anew(made, settings):
    other = Settings(Key(b"another key of the same operator"), settings.plan, settings.effort)
    assert other.digest("1") != settings.digest("1") != settings.digest("2")
    run = _run(made[0], other)
    assert run._journal.get(f"{MEDIA[0].sha256} trial unchanged") is None
    assert _run(made[0], settings)._journal.get(f"{MEDIA[0].sha256} trial unchanged") is not None


def test_the_report_is_json_without_numbers_that_json_lacks(made):
    whole = json.loads(json.dumps(made[1].to_dict(), allow_nan=False))
    assert whole["schema"] == "labelkit.evidence/1" and whole["conditions"]["watermark_key"] == made[1].settings.key.id
    assert {one["kind"] for one in whole["trials"]} == {"image", "audio"}
    assert any("neural" in one["en"] for one in whole["not_measured"])
    assert any("films" in one["en"] for one in whole["not_measured"])


def test_the_page_shows_table_plot_and_pictures_in_both_languages(made):
    page = made[2]
    assert page.count("<figure>") >= 30 and "<svg" in page and "data:image/jpeg" in page
    for text in ("What measure 3.3 lists", "措施 3.3 所列项目", "camcording of a screen", "屏幕翻拍",
                 made[1].settings.key.id):
        assert text in page
    assert "<script" not in page and 'src="http' not in page


def test_a_detector_that_finds_too_much_is_shown_up(settings, tmp_path, monkeypatch):
    """The negative twin: a "wrong" key that is the right one, and unmarked media that are marked."""
    monkeypatch.setattr(subject, "_other", lambda key: key)
    one = subject.Subject(picture(), settings)
    one._host = one.marked
    rows = [one.decide("wrong key", "unchanged"), one.decide("unmarked", "unchanged")]
    whole = Report(Measured(rows), MEDIA[:1], settings, NOW, 1.0)
    assert whole.wrong_key.count == whole.unmarked.count == 1 and not whole.is_sound
    assert 'class="chip invalid"' in evidence.page(whole)


def test_averaging_is_measured_on_parts_that_are_large_enough(settings, monkeypatch):
    monkeypatch.setattr(forging, "AVERAGED", 8)
    spoiled = list(forging.averaged([picture().load(), np.zeros((40, 40, 3), np.uint8)], settings.key, settings.plan))
    assert len(spoiled) == 8 and spoiled[0][0].shape == (320, 320, 3)
    assert len({int(payload) for _, payload in spoiled}) == 8
    assert list(forging.averaged([np.zeros((40, 40, 3), np.uint8)], settings.key, settings.plan)) == []


def test_a_signature_is_that_of_the_report_and_of_no_other_kind(made, tmp_path):
    folder, whole, page = made
    (tmp_path / signed.JSON_FILE).write_text(json.dumps(whole.to_dict()))
    (tmp_path / signed.HTML_FILE).write_text(page)
    pem, jwks = results.keygen()
    jws = signed.sign(results.ResultSigner(pem, url="https://acme.example/verify"), tmp_path, NOW)
    found = signed.check(jws, jwks, NOW)
    assert isinstance(found, signed.Evidence)
    assert set(found.files) == {signed.JSON_FILE, signed.HTML_FILE} and found.time == NOW
    assert isinstance(signed.check(jws, results.keygen()[1], NOW), results.NoResult)
    assert isinstance(signed.check(jws[:-6] + "AAAAAA", jwks, NOW), results.NoResult)
    assert isinstance(signed.check(jws, jwks, NOW - datetime.timedelta(days=1)), results.NoResult)
    assert isinstance(results.check(jws, jwks, NOW), results.NoResult)  # no result of `verify`


def test_what_an_installation_cannot_encode_is_said(settings, tmp_path, monkeypatch):
    def lacking(self, step, name):
        raise ValueError("no such encoder")
    monkeypatch.setattr(subject.Subject, "decide", lacking)
    run = measure.Run([sound()], settings, tmp_path, 1, lambda done, total: None)
    whole = Report(run.measure(), [sound()], settings, NOW, 1.0)
    assert whole.measured.failed and "no such encoder" in evidence.page(whole)
    assert "no such encoder" not in (tmp_path / JOURNAL).read_text("utf-8"), "it may be there next time"
