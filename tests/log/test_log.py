# SPDX-License-Identifier: Apache-2.0
"""The label log: what it finds, what tampering it reveals, and what it refuses."""

from __future__ import annotations

import datetime
import io
import json
import multiprocessing
import os
import pickle
import stat
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from labelkit.errors import InvalidArgument, MalformedFile, OutputFailed
from labelkit.log import Head, LabelLog, Record, Waiver, audit_lines
from labelkit.payload import Payload
from labelkit.plan import Plan
from tests.log.conftest import NOW, entry

WAIVED = Plan(explicit=None)


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


def test_payloads_are_those_of_all_records_that_have_one(log, sql):
    assert log.payloads().tolist() == []
    trap = Waiver("user", '"payload":"0123456789abcdef"')
    entries = [entry(1), entry(2, payload=None), entry(3, waiver=trap, plan=WAIVED, payload=Payload(2, 3, 4)), entry(4)]
    log.record(*entries)
    found = log.payloads()
    assert found.dtype == np.int64
    assert sorted(found.tolist()) == sorted(int(one.payload) for one in entries if one.payload)
    for wrong in ("no number at all", "0123"):
        sql(f"""UPDATE labelkit_records SET body = '{{"payload":"{wrong}"}}' WHERE number = 1""")
        with pytest.raises(MalformedFile):
            log.payloads()


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
    ("UPDATE labelkit_records SET body = replace(body, 'id-5', 'id-6') WHERE number = 5", "record 5 was changed"),
    ("UPDATE labelkit_records SET time = time + 1 WHERE number = 5", "the search columns of record 5"),
    ("UPDATE labelkit_records SET mark = NULL WHERE number = 5", "the search columns of record 5"),
    ("UPDATE labelkit_records SET sha256_after = sha256_before WHERE number = 5", "the search columns of record 5"),
    ("UPDATE labelkit_records SET body = 'x' WHERE number = 5", "record 5 of the log is malformed"),
    ("UPDATE labelkit_records SET body = '{\"time\":1,\"payload\":[]}' WHERE number = 5", "record 5"),
    ("DELETE FROM labelkit_records WHERE number = 5", "record 6 follows record 4"),
    ("DELETE FROM labelkit_records WHERE number < 5", "records 1 to 4 are missing"),
    ("DELETE FROM labelkit_records WHERE number > 5", "record 9 with hash"),
    ("DELETE FROM labelkit_records", "record 9 with hash"),
    ("INSERT INTO labelkit_records SELECT 10, hash, body, time, mark, produce_id, sha256_before, sha256_after, "
     "fingerprint FROM labelkit_records WHERE number = 9", "record 10 was changed"),
])
def test_every_kind_of_tampering_is_found(tampering, named, log, sql):
    log.record(*(entry(number) for number in range(1, 10)))
    head = log.head()
    sql(tampering)
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


@pytest.mark.parametrize("statement", ["UPDATE labelkit_records SET body = 'x'", "DELETE FROM labelkit_records"])
def test_database_itself_refuses_changes_and_early_removal(statement, log, sql):
    log.record(entry(1), entry(2))
    with pytest.raises(Exception, match="records of the label log"):
        sql(statement, triggers=True)
    assert log.verify(head=log.head()).intact


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


def test_log_is_reopened_after_close_and_pickling(log, target):
    log.record(entry(1))
    log.close()
    assert log.find(produce_id="id-1")
    with LabelLog(target) as other, pickle.loads(pickle.dumps(log)) as copy:
        assert copy.head() == other.head() == log.head()


def test_text_of_every_kind_survives(log):
    odd = Waiver("工作室 \u0000 \ud800 'quoted\" %s ?", "条款\n二")
    log.record(entry(plan=WAIVED, waiver=odd))
    assert log.find(produce_id="id-1")[0].waiver == odd
    assert log.verify(head=log.head()).intact


def test_failed_batch_leaves_nothing(log, sql):
    log.record(entry(1))
    sql("CREATE UNIQUE INDEX one_each ON labelkit_records (produce_id)")
    with pytest.raises(OutputFailed, match="cannot be used"):
        log.record(entry(2), entry(1))
    assert log.find(produce_id="id-2") == []
    assert log.head().number == 1


def test_log_in_a_file_is_readable_by_its_owner_only(tmp_path):
    if os.name == "nt":
        pytest.skip("no modes on this system")
    with LabelLog(tmp_path / "labels.db"):
        assert stat.S_IMODE((tmp_path / "labels.db").stat().st_mode) == 0o600


def test_file_that_is_no_log_is_refused_and_left_alone(tmp_path):
    other = tmp_path / "letter.txt"
    other.write_bytes(b"dear sir or madam, " * 100)
    with pytest.raises(MalformedFile, match="not a label log"):
        LabelLog(other)
    assert other.read_bytes() == b"dear sir or madam, " * 100
    with pytest.raises(OutputFailed):
        LabelLog(tmp_path / "nowhere" / "labels.db")
    with pytest.raises(InvalidArgument, match="path or a postgresql"):
        LabelLog(7)


def test_server_that_is_not_there_is_named_without_the_password():
    pytest.importorskip("psycopg")
    with pytest.raises(OutputFailed, match="postgresql://127.0.0.1/labels") as caught:
        LabelLog("postgresql://user:secret@127.0.0.1:9/labels")
    assert "secret" not in str(caught.value)


def test_missing_driver_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InvalidArgument, match="psycopg"):
        LabelLog("postgresql://127.0.0.1/labels")


@pytest.mark.parametrize("facts", ['{"time":1,"waiver":{"who":"x"}}', '{"time":1,"waiver":7}',
                                   '{"time":1,"payload":"xy"}', '{"time":1,"payload":3}', '{"time":1,"payload":"00"}',
                                   '{"time":1,"expired":{"number":"1","hash":"","time":0}}',
                                   '{"time":99999999999999999999}', '{"time":1,"label":[3]}', "[]"])
def test_a_record_of_any_bytes_raises_our_errors_alone(facts):
    record = Record(1, "", facts)
    raised = 0
    for name in ("waiver", "payload", "expiry", "time", "columns"):
        try:
            value = getattr(record, name)
            value() if name == "columns" else value
        except MalformedFile:
            raised += 1
    assert raised


def test_a_record_gives_back_what_was_entered():
    record = Record(1, "", entry(3, plan=WAIVED, waiver=Waiver("acme", "v1")).body())
    assert (record.waiver, record.payload, record.time, record.expiry) == (
        Waiver("acme", "v1"), entry(3).payload, NOW, None)
