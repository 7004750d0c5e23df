# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime
import io
import json
import multiprocessing
import os
import pickle
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from labelkit.errors import InvalidArgument, MalformedFile, OutputFailed
from labelkit.label import Kind, Label
from labelkit.log import KEEP_DAYS, Entry, Head, LabelLog, Waiver, audit_lines
from labelkit.plan import Plan
from labelkit.watermark.payload import Payload

NOW = datetime.datetime(2026, 11, 24, 8, 0, tzinfo=datetime.UTC)
WAIVED = Plan(explicit=None)


def entry(number: int = 1, **others: object) -> Entry:
    label = Label(Kind.GENERATED, "001191440300708461136T1XGW3", f"id-{number}")
    values = {"time": NOW, "label": label, "payload": Payload.of(label), "plan": Plan(), "sha256_before": f"{0:064x}",
              "sha256_after": f"{number:064x}", "fingerprint": (1 << 63) + number}
    return Entry(**{**values, **others})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "labels.db"


@pytest.fixture
def log(path):
    with LabelLog(path) as log:
        yield log


def sql(path, *statements: str) -> None:
    """What somebody with the file and no scruples does."""
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER IF EXISTS append_only")
        connection.execute("DROP TRIGGER IF EXISTS kept_six_months")
        for statement in statements:
            connection.execute(statement)


def test_payload_of_a_stripped_file_leads_back_to_its_label(log):
    log.record(*(entry(number) for number in range(1, 50)))
    wanted = entry(7)
    found, = log.find(payload=wanted.payload)
    assert (found.number, found.label, found.payload, found.time) == (7, wanted.label, wanted.payload, NOW)
    assert found.facts["plan"]["explicit"]["text"] == "AI生成"
    assert log.find(payload=entry(99).payload) == []


def test_payload_whose_kind_was_raised_is_still_found(log):
    log.record(entry())
    raised = Payload(kind=2, producer=entry().payload.producer, content=entry().payload.content)
    assert [record.number for record in log.find(payload=raised)] == [1]


def test_digest_and_produce_id_lead_to_records_newest_first(log):
    log.record(entry(1), entry(2), entry(1))
    assert [record.number for record in log.find(produce_id="id-1")] == [3, 1]
    assert [record.number for record in log.find(sha256=f"{2:064x}")] == [2]
    assert len(log.find(sha256=f"{0:064x}")) == 3
    for wrong in ({}, {"produce_id": "x", "sha256": "y"}):
        with pytest.raises(InvalidArgument):
            log.find(**wrong)


def test_near_fingerprints_are_found_and_far_ones_are_not(log):
    log.record(entry(1, fingerprint=0xFFFF000000000000), entry(2, fingerprint=0x0000FFFF00000000),
               entry(3, fingerprint=None))
    assert [(bits, record.number) for bits, record in log.near(0xFFFF000000000007)] == [(3, 1)]
    assert [record.number for _, record in log.near(0xFFFF000000000007, within=64)] == [1, 2]
    assert log.near(0x00000000FFFFFFFF) == []


def test_waiver_is_recorded_with_recipient_and_agreement(log):
    record, = log.record(entry(plan=WAIVED, waiver=Waiver("studio 12", "terms 2026-09")))
    assert log.find(produce_id="id-1")[0].waiver == record.waiver == Waiver("studio 12", "terms 2026-09")
    assert log.record(entry(2))[0].waiver is None


@pytest.mark.parametrize("wrong", [{"recipient": ""}, {"agreement": "  "}, {"recipient": 7}, {"agreement": "x" * 2000}])
def test_waiver_without_recipient_or_agreement_is_refused(wrong):
    with pytest.raises(InvalidArgument):
        Waiver(**{"recipient": "studio 12", "agreement": "terms", **wrong})


@pytest.mark.parametrize("plan", [None, Plan(), Plan(explicit=None, metadata=False)])
def test_waiver_never_covers_the_implicit_label_nor_a_plan_that_labels(plan):
    with pytest.raises(InvalidArgument):
        entry(plan=plan, waiver=Waiver("studio 12", "terms"))


@pytest.mark.parametrize("wrong", [{"time": datetime.datetime(2026, 1, 1)}, {"time": 5}, {"label": "x"},
                                   {"sha256_after": "ABC"}, {"fingerprint": 1 << 64}, {"fingerprint": -1}])
def test_entries_are_checked(wrong):
    with pytest.raises(InvalidArgument):
        entry(**wrong)


def test_nothing_recorded_is_an_error(log):
    for wrong in ((), (None,)):
        with pytest.raises(InvalidArgument):
            log.record(*wrong)


def test_untouched_log_is_intact_and_knows_its_heads(log):
    assert log.verify(head=log.head()).intact
    first, second = log.record(entry(1)), log.record(entry(2), entry(3))
    for record in (*first, *second):
        assert log.verify(head=Head(record.number, record.hash)).intact
    assert log.verify() == log.verify()
    assert (log.verify().records, log.verify().head) == (3, log.head())


@pytest.mark.parametrize(("tampering", "named"), [
    ("UPDATE records SET body = replace(body, 'id-5', 'id-6') WHERE number = 5", "record 5 was changed"),
    ("UPDATE records SET time = time + 1 WHERE number = 5", "record 5 is filed"),
    ("UPDATE records SET mark = NULL WHERE number = 5", "record 5 is filed"),
    ("UPDATE records SET sha256_after = sha256_before WHERE number = 5", "record 5 is filed"),
    ("UPDATE records SET body = 'x' WHERE number = 5", "record 5 of the log is not one"),
    ("UPDATE records SET body = '{\"time\":1,\"payload\":[]}' WHERE number = 5", "record 5"),
    ("DELETE FROM records WHERE number = 5", "record 6 follows record 4"),
    ("DELETE FROM records WHERE number < 5", "records 1 to 4 are missing"),
    ("DELETE FROM records WHERE number > 5", "record 9 with hash"),
    ("DELETE FROM records", "record 9 with hash"),
    ("INSERT INTO records SELECT 10, hash, body, time, mark, produce_id, sha256_before, sha256_after, fingerprint "
     "FROM records WHERE number = 9", "record 10 was changed"),
])
def test_every_kind_of_tampering_is_found(tampering, named, log, path):
    log.record(*(entry(number) for number in range(1, 10)))
    head = log.head()
    sql(path, tampering)
    audit = log.verify(head=head)
    assert not audit.intact
    assert any(str(problem).startswith(named) for problem in audit.problems), list(map(str, audit.problems))
    assert all(problem.text("zh-CN") != str(problem) for problem in audit.problems)


def test_log_made_anew_is_found_by_a_kept_head(log, tmp_path):
    log.record(entry(1), entry(2))
    with LabelLog(tmp_path / "forged.db") as forged:
        forged.record(entry(1), entry(3))
        assert forged.verify().intact
        assert not forged.verify(head=log.head()).intact


def test_database_itself_refuses_changes_and_early_removal(log, path):
    log.record(entry(1), entry(2))
    with sqlite3.connect(path) as connection:
        for statement in ("UPDATE records SET body = 'x'", "DELETE FROM records"):
            with pytest.raises(sqlite3.IntegrityError, match="label log"):
                connection.execute(statement)
    assert log.verify().intact


def test_records_are_kept_for_six_months(log):
    log.record(*(entry(number, time=NOW + datetime.timedelta(days=number)) for number in range(1, 11)))
    kept = log.head()
    assert log.expire(now=NOW + datetime.timedelta(days=KEEP_DAYS + 1)) == 1
    assert log.expire(now=NOW + datetime.timedelta(days=KEEP_DAYS + 5)) == 4
    assert log.find(produce_id="id-5") == [] and log.find(produce_id="id-6")
    assert log.verify(head=kept).intact and log.verify(head=log.head()).intact
    assert log.expire(now=NOW + datetime.timedelta(days=KEEP_DAYS + 5)) == 0
    for days in (KEEP_DAYS - 1, 0, "200"):
        with pytest.raises(InvalidArgument, match="six months"):
            log.expire(now=NOW, keep_days=days)


def test_whole_log_may_expire_and_goes_on(log):
    log.record(entry(1), entry(2))
    assert log.expire(now=NOW + datetime.timedelta(days=400)) == 2
    log.record(entry(3, time=NOW + datetime.timedelta(days=401)))
    audit = log.verify()
    assert (audit.intact, audit.records, audit.head.number) == (True, 2, 4)


def test_removal_disguised_as_expiry_is_found(log, path):
    log.record(*(entry(number) for number in range(1, 6)))
    log.expire(now=NOW + datetime.timedelta(days=400))
    log.record(*(entry(number, time=NOW + datetime.timedelta(days=401)) for number in range(7, 10)))
    assert log.verify().intact
    sql(path, "DELETE FROM records WHERE number = 6")
    assert not log.verify().intact


def test_export_is_audited_without_the_database(log):
    log.record(*(entry(number) for number in range(1, 5)))
    out = io.StringIO()
    assert log.export(out) == 4
    lines = out.getvalue().splitlines()
    assert json.loads(json.loads(lines[0])["body"])["label"]["ProduceID"] == "id-1"
    assert audit_lines(lines, head=log.head()).intact
    assert not audit_lines([line.replace("id-2", "id-9") for line in lines]).intact
    assert not audit_lines(lines[:-1], head=log.head()).intact
    for wrong in ("x", "[]", "{}", '{"number":"1","hash":"","body":""}', "[" * 100_000):
        with pytest.raises(MalformedFile):
            audit_lines([wrong])


def test_many_threads_append_one_chain(log):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: log.record(entry(number))[0], range(80)))
    assert sorted(record.number for record in found) == list(range(1, 81))
    assert log.verify(head=log.head()).intact


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_child_processes_append_to_the_same_chain(start, log):
    log.record(entry(0))
    with multiprocessing.get_context(start).Pool(2) as pool:
        pool.map(log.record, [entry(number) for number in range(1, 9)])
    log.record(entry(9))
    audit = log.verify(head=log.head())
    assert (audit.intact, audit.records) == (True, 10)


def test_log_is_reopened_after_close_and_pickling(log, path):
    log.record(entry(1))
    log.close()
    assert log.find(produce_id="id-1")
    assert pickle.loads(pickle.dumps(log)).head() == LabelLog(path).head()


@pytest.mark.skipif(os.name == "nt", reason="no modes on this system")
def test_log_is_readable_by_its_owner_only(log, path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_file_that_is_no_log_is_refused_and_left_alone(tmp_path):
    other = tmp_path / "letter.txt"
    other.write_bytes(b"dear sir or madam, " * 100)
    with pytest.raises(MalformedFile, match="not a label log"):
        LabelLog(other)
    assert other.read_bytes() == b"dear sir or madam, " * 100
    with pytest.raises(OutputFailed):
        LabelLog(tmp_path / "nowhere" / "labels.db")


def test_failed_batch_leaves_nothing(log, path):
    log.record(entry(1))
    sql(path, "CREATE TRIGGER full BEFORE INSERT ON records WHEN NEW.number = 3 BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(OutputFailed, match="full"):
        log.record(entry(2), entry(3))
    assert (log.head().number, log.verify().intact) == (1, True)
