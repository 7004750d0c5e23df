# SPDX-License-Identifier: Apache-2.0
"""embed with a label log: no output without its record, and no waiver that Article 9 does not give."""

from __future__ import annotations

import datetime
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import labelkit as lk
from labelkit import metadata
from labelkit.errors import InvalidArgument, OutputFailed
from labelkit.log import LabelLog, Waiver
from tests.media import LABEL, photo, saved

NOW = datetime.datetime(2026, 11, 24, 9, 30, tzinfo=datetime.UTC)
WAIVER = Waiver("customer-77", "terms 2026-03")
QUIET = lk.Plan(explicit=None)
FILE_SIDE = lk.Plan(explicit=None, watermark=None)


@pytest.fixture
def log(tmp_path: Path) -> LabelLog:
    return LabelLog(tmp_path / "labels.db")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "picture.jpg"
    path.write_bytes(saved(photo(), "JPEG", quality=92))
    return path


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("plan", [lk.Plan(), QUIET, FILE_SIDE], ids=["all", "no explicit", "file side"])
@pytest.mark.parametrize("target", ["path", "bytes", "file"])
def test_every_output_has_its_record(plan, target, source, tmp_path, log):
    out = {"path": tmp_path / "out.jpg", "bytes": None, "file": io.BytesIO()}[target]
    given = lk.embed(source, out, LABEL, plan=plan, audit=lk.Audit(log, NOW))
    made = {"path": lambda: out.read_bytes(), "bytes": lambda: given, "file": lambda: out.getvalue()}[target]()
    assert given == {"path": out, "bytes": made, "file": None}[target]
    found, = log.find(sha256=sha256(made))
    assert (found.label, found.time, found.waiver) == (LABEL, NOW, None)
    assert found.facts["sha256_before"] == sha256(source.read_bytes())
    assert (found.facts["fingerprint"] is None) == (plan is FILE_SIDE)
    assert found.payload == (lk.Payload.of(LABEL) if plan.watermark else None)
    assert log.verify().intact and [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_file_is_the_same_with_a_log_and_without(source, tmp_path, log):
    plain, logged = tmp_path / "a.jpg", tmp_path / "b.jpg"
    logged.touch(mode=0o640)
    lk.embed(source, plain, LABEL)
    lk.embed(source, logged, LABEL, audit=lk.Audit(log, NOW))
    assert plain.read_bytes() == logged.read_bytes()
    assert logged.stat().st_mode & 0o777 == 0o640


def test_samples_are_recorded_by_their_fingerprint(log):
    marked = lk.embed(photo(), label=LABEL, audit=lk.Audit(log, NOW))
    smaller = np.asarray(Image.fromarray(marked).resize((300, 225)))
    from labelkit.log import fingerprint
    (_, found), = log.near(fingerprint(smaller))
    assert found.label == LABEL
    assert isinstance(lk.embed(Image.fromarray(photo()), label=LABEL, audit=lk.Audit(log, NOW)), Image.Image)


def test_a_failed_labelling_leaves_no_record_and_no_file(source, tmp_path, log):
    source.write_bytes(source.read_bytes()[:500])
    with pytest.raises(lk.LabelkitError):
        lk.embed(source, tmp_path / "out.jpg", LABEL, audit=lk.Audit(log, NOW))
    assert log.head().number == 0 and not (tmp_path / "out.jpg").exists()


@pytest.mark.parametrize("target", ["path", "bytes", "file"])
def test_without_its_record_nothing_comes_out(target, source, tmp_path, log, monkeypatch):
    def broken(self, *entries):
        raise OutputFailed("{where} cannot be written: {reason}", where="labels.db", reason="full")
    monkeypatch.setattr(LabelLog, "record", broken)
    out = {"path": tmp_path / "out.jpg", "bytes": None, "file": io.BytesIO()}[target]
    with pytest.raises(OutputFailed, match="full"):
        lk.embed(source, out, LABEL, audit=lk.Audit(log, NOW))
    assert target != "path" or not out.exists()
    assert target != "file" or out.getvalue() == b""


def test_a_record_states_its_time(source, log):
    with pytest.raises(InvalidArgument, match="states its time"):
        lk.embed(source, None, LABEL, audit=lk.Audit(log))
    with pytest.raises(InvalidArgument, match="time zone"):
        lk.embed(source, None, LABEL, audit=lk.Audit(log, datetime.datetime(2026, 11, 24)))


def test_a_waiver_is_on_record_and_keeps_the_implicit_label(source, tmp_path, log):
    out = tmp_path / "out.jpg"
    lk.embed(source, out, LABEL, plan=QUIET, audit=lk.Audit(log, NOW, WAIVER))
    report = lk.verify(out)
    assert metadata.read(out).label == LABEL and report[lk.Layer.EXPLICIT].status is lk.Status.ABSENT
    found, = log.find(payload=report[lk.Layer.WATERMARK].payload)
    assert found.waiver == WAIVER


@pytest.mark.parametrize("plan", [lk.Plan(), lk.Plan(explicit=None, metadata=False)], ids=["explicit", "no metadata"])
def test_a_waiver_of_anything_else_is_refused(plan, source, tmp_path, log):
    with pytest.raises(InvalidArgument):
        lk.embed(source, tmp_path / "out.jpg", LABEL, plan=plan, audit=lk.Audit(log, NOW, WAIVER))
    assert log.head().number == 0 and not (tmp_path / "out.jpg").exists()


def test_a_waiver_without_a_log_or_for_samples_is_refused(source, log):
    with pytest.raises(InvalidArgument, match="only on record"):
        lk.embed(source, None, LABEL, plan=QUIET, audit=lk.Audit(None, NOW, WAIVER))
    with pytest.raises(InvalidArgument, match="samples in memory cannot carry the implicit one"):
        lk.embed(photo(), label=LABEL, plan=QUIET, audit=lk.Audit(log, NOW, WAIVER))
    assert log.head().number == 0


def test_in_place_with_a_log(source, log):
    with pytest.raises(InvalidArgument, match="same file"):
        lk.embed(source, source, LABEL, audit=lk.Audit(log, NOW))
    lk.embed(source, source, LABEL, audit=lk.Audit(log, NOW), in_place=True)
    assert log.find(sha256=sha256(source.read_bytes()))


@pytest.mark.parametrize("plan", [lk.Plan(), FILE_SIDE], ids=["all", "file side"])
def test_what_cannot_be_written_leaves_no_record(plan, source, tmp_path, log):
    target = tmp_path / "no such folder" / "out.jpg"
    with pytest.raises(OutputFailed, match="out.jpg cannot be written"):
        lk.embed(source, target, LABEL, plan=plan, audit=lk.Audit(log, NOW))
    assert log.head().number == 0
