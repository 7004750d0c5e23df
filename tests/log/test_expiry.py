# SPDX-License-Identifier: Apache-2.0
"""Records expire after six months, and nothing else removes them unnoticed."""

from __future__ import annotations

import datetime
import io
import json

import pytest

from labelkit.errors import InvalidArgument
from labelkit.log import KEEP_DAYS, Head, Record
from labelkit.log.entry import canonical, microseconds, record_hash
from tests.log.conftest import NOW, entry


def days(count: int) -> datetime.timedelta:
    return datetime.timedelta(days=count)


def test_records_are_kept_for_six_months(log):
    log.record(*(entry(number, time=NOW + days(number)) for number in range(1, 11)))
    kept = log.head()
    log.record(entry(11, time=NOW + days(KEEP_DAYS + 5)))
    assert log.expire(now=NOW + days(KEEP_DAYS + 1)) == 1
    assert log.expire(now=NOW + days(KEEP_DAYS + 5)) == 4
    assert log.find(produce_id="id-5") == [] and log.find(produce_id="id-6")
    assert log.verify(head=kept).intact and log.verify(head=log.head()).intact
    assert log.expire(now=NOW + days(KEEP_DAYS + 5)) == 0
    for wrong in (KEEP_DAYS - 1, 0, "200"):
        with pytest.raises(InvalidArgument, match="six months"):
            log.expire(now=NOW, keep_days=wrong)


def test_a_record_of_expiry_states_what_was_removed(log):
    records = log.record(*(entry(number, time=NOW + days(number)) for number in range(1, 6)))
    proof, = log.record(entry(6, time=NOW + days(KEEP_DAYS + 3)))
    assert log.expire(now=NOW + days(500)) == 3
    out = io.StringIO()
    log.export(out)
    expiry = Record(**json.loads(out.getvalue().splitlines()[-1])).expiry
    assert (expiry.first, expiry.number, expiry.removed, expiry.hash) == (1, 3, 3, records[2].hash)
    assert expiry.time == records[2].microseconds
    assert (expiry.proof, expiry.proof.time) == (Head(6, proof.hash), proof.microseconds)


def test_no_date_but_that_of_a_labelling_makes_records_old(log):
    """Whoever asks for an expiry cannot make the records older; an idle log keeps its newest ones."""
    log.record(entry(1), entry(2))
    assert log.expire(now=NOW + days(400)) == 0 and log.find(produce_id="id-1")
    log.record(entry(3, time=NOW + days(KEEP_DAYS - 1)))
    assert log.expire(now=NOW + days(400)) == 0
    log.record(entry(4, time=NOW + days(KEEP_DAYS)))
    assert log.expire(now=NOW + days(400)) == 2, "the negative twin"
    audit = log.verify(head=log.head())
    assert (audit.intact, audit.records, audit.head.number) == (True, 3, 5)


def test_dates_in_the_future_are_refused(log):
    now = datetime.datetime.now(datetime.UTC)
    log.record(entry(1, time=now), entry(2, time=now + datetime.timedelta(hours=20)))
    with pytest.raises(InvalidArgument, match="ahead of the clock"):
        log.record(entry(3), entry(4, time=now + days(2)))
    with pytest.raises(InvalidArgument, match="ahead of the clock"):
        log.expire(now=now + days(400))
    assert log.head().number == 2 and log.verify(head=log.head()).intact
    early = log.verify(now=NOW)
    assert [str(problem).split(":")[0] for problem in early.problems] == [
        "record 1 is dated in the future", "record 2 is dated in the future"]


def forge(log, sql, *, removed: int, time: datetime.datetime, claimed: datetime.datetime | None = None,
          **stated: object) -> None:
    """Delete the oldest records and append what claims that they expired, as who can write the database can."""
    out = io.StringIO()
    log.export(out)
    records = [Record(**json.loads(line)) for line in out.getvalue().splitlines()]
    gone, last = records[removed - 1], records[-1]
    age = microseconds(claimed) if claimed else gone.microseconds
    facts = {"number": gone.number, "hash": gone.hash, "time": age, "keep_days": KEEP_DAYS, **stated}
    body = canonical({"time": microseconds(time), "expired": facts})
    number = last.number + 1
    sql(f"DELETE FROM labelkit_records WHERE number <= {gone.number}")
    sql(f"INSERT INTO labelkit_records (number, hash, body, time) VALUES ({number}, "
        f"'{record_hash(last.hash, number, body)}', '{body}', {microseconds(time)})")


def test_an_expiry_dated_in_the_future_is_found(log, sql):
    """Three records of today, and an expiry 200 days later (in the form of labelkit 0.1)."""
    today = datetime.datetime.now(datetime.UTC)
    log.record(*(entry(number, time=today) for number in range(1, 6)))
    forge(log, sql, removed=3, time=today + days(200))
    assert [str(problem)[:30] for problem in log.verify().problems] == ["record 6 is dated in the futur"]


def test_an_expiry_that_states_another_newest_record_is_found(log, sql):
    log.record(*(entry(number) for number in range(1, 6)))
    later = microseconds(NOW + days(300))
    forge(log, sql, removed=3, time=NOW + days(300), first=1, count=3,
          proof={"number": 5, "hash": log.head().hash, "time": later})
    assert "record 6 names another newest record than the log has" in map(str, log.verify().problems)


@pytest.mark.parametrize("stated", [{"first": 1, "count": 2}, {"first": 2, "count": 3}, {"first": 0, "count": 4}, {}])
def test_an_expiry_must_state_its_range(stated, log, sql):
    log.record(*(entry(number) for number in range(1, 4)), entry(4, time=NOW + days(200)))
    head = log.head()
    forge(log, sql, removed=3, time=NOW + days(200), **stated,
          proof={"number": 4, "hash": head.hash, "time": head.time})
    assert "record 5 does not state which records it removed" in map(str, log.verify().problems)


def test_records_that_were_young_by_their_own_date_are_missed(log, sql):
    log.record(*(entry(number) for number in range(1, 5)))
    newest = log.head()
    forge(log, sql, removed=3, time=NOW, first=1, count=3,
          proof={"number": 4, "hash": newest.hash, "time": newest.time})
    assert "record 5 removed records younger than 184 days" in map(str, log.verify().problems)


def test_a_forged_age_is_found_by_a_head_with_its_time(log, sql):
    """Removed records cannot be read any more: who can write the database can state any age."""
    log.record(entry(1), entry(2))
    kept = log.head()
    log.record(entry(3), entry(4))
    newest = log.head()
    forge(log, sql, removed=3, time=NOW, claimed=NOW - days(300), first=1, count=3,
          proof={"number": 4, "hash": newest.hash, "time": newest.time})
    assert log.verify(head=Head(kept.number, kept.hash)).intact, "nothing that is left contradicts it"
    assert "record 2 was removed before it was 184 days old" in map(str, log.verify(head=kept).problems)


def test_logs_of_earlier_versions_stay_intact(log, sql):
    """They state neither range nor proof, and were wholly expired by the date of the request."""
    log.record(entry(1), entry(2), entry(3))
    kept = log.head()
    forge(log, sql, removed=3, time=NOW + days(400))
    log.record(entry(5, time=NOW + days(401)))
    assert log.verify(head=Head(kept.number, kept.hash)).intact and log.verify(head=kept).intact
    assert log.verify().records == 2


def test_earlier_versions_removed_nothing_too_early_either(log, sql):
    log.record(entry(1), entry(2), entry(3))
    forge(log, sql, removed=2, time=NOW + days(KEEP_DAYS - 1))
    assert "record 4 removed records younger than 184 days" in map(str, log.verify().problems)


def test_removal_disguised_as_expiry_is_found(log, sql):
    log.record(*(entry(number) for number in range(1, 6)))
    log.record(*(entry(number, time=NOW + days(401)) for number in range(6, 10)))
    assert log.expire(now=NOW + days(401)) == 5
    assert log.verify().intact
    sql("DELETE FROM labelkit_records WHERE number = 6")
    assert not log.verify().intact


def test_expiries_that_expired_themselves_leave_an_intact_log(log):
    kept = []
    for step in range(8):
        log.record(*(entry(10 * step + number, time=NOW + days(60 * step)) for number in range(3)))
        kept.append(log.head())
        log.expire(now=NOW + days(60 * step))
        assert log.verify(head=log.head()).intact
    assert log.verify().records < 24 and all(log.verify(head=head).intact for head in kept)
