# SPDX-License-Identifier: Apache-2.0
"""What happens to jobs whose service is killed, in a folder, PostgreSQL and Redis: by hand, without processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from labelkit import service
from labelkit.errors import InvalidArgument, LimitExceeded, MalformedFile, OutputFailed
from labelkit.log import LabelLog
from labelkit.messages import Message
from labelkit.service.front import Figures
from labelkit.service.gate import Gate
from labelkit.service.job_store import Store
from labelkit.service.jobs import Jobs
from labelkit.service.limits import Limits
from labelkit.service.refusal import Refused
from labelkit.service.upload import Upload
from labelkit.service.verbs import Answer, Unrecorded
from tests.media import LABEL
from tests.service.redis_server import redis_server

UPLOAD = Upload(b"a file", "a.txt", (("produce_id", "one"),))


@pytest.fixture(params=["folder", "empty_schema", "empty_redis"], ids=["folder", "postgresql", "redis"])
def store(request: pytest.FixtureRequest, tmp_path) -> str:
    """Where jobs can be kept."""
    if request.param == "folder":
        return str(tmp_path / "jobs")
    address: str = request.getfixturevalue(request.param)
    return address


@pytest.fixture
def log(tmp_path) -> LabelLog:
    return LabelLog(tmp_path / "labels.db")


@pytest.fixture
def started(store, log) -> Iterator[Callable[..., Jobs]]:
    """Jobs that nobody does, and which take no file for longer than it takes to send it."""
    made = []

    def new(**limits: object) -> Jobs:
        settings = service.Settings(producer="acme", jobs=store, log=log, limits=Limits(**limits))
        made.append(Jobs(settings, Figures(Gate(settings.limits)), beat_seconds=0.0))
        made[-1].verbs.of["label"] = lambda upload, asked, on_share: Answer(
            {"file": upload.name, "output": upload.name}, b"labelled " + upload.data, "text/plain",
            unrecorded=Unrecorded(LABEL, None, None, False))
        return made[-1]
    yield new
    for jobs in made:
        jobs.stop()


def killed(jobs: Jobs) -> None:
    """What is left of a service that was killed: its lock and its connections are gone, and nothing else."""
    jobs._store.close()
    jobs.stop = lambda: None


def do_all(jobs: Jobs) -> None:
    """Do what waits, as the threads would."""
    while (message := jobs._store.receive()) is not None:
        name, _, attempt = message.partition(" ")
        jobs._attempt(name, int(attempt))


def result(jobs: Jobs, name: str) -> Answer:
    state = jobs.state(name)
    assert state is not None and state.outcome is not None
    return jobs.answer(state.outcome)


def records(log: LabelLog) -> int:
    return len(log.find(produce_id=LABEL.produce_id))


def test_a_job_is_done_and_recorded_once(started, log):
    jobs = started()
    name, state = jobs.accept("label", UPLOAD, "studio")
    assert (state.state, jobs.state(name).state, jobs.state(name).record.owner) == ("waiting", "waiting", "studio")
    do_all(jobs)
    assert jobs.state(name).state == "done" and result(jobs, name).file == b"labelled a file" and records(log) == 1
    for attempt in (1, 2):  # messages that were sent again
        jobs._attempt(name, attempt)
    assert records(log) == 1
    jobs.remove(name)
    jobs.look()
    assert jobs.state(name) is None and not jobs._store.files.names()
    assert set(jobs._store.all()) == {f"alive:{jobs.me}"}


def test_a_message_that_was_lost_is_sent_again(started):
    jobs = started()
    name, _ = jobs.accept("label", UPLOAD, "")
    jobs.look()
    assert jobs._store.receive() == f"{name} 1" and jobs._store.receive() is None  # taken by one that was killed then
    jobs.look()
    do_all(jobs)
    assert jobs.state(name).state == "done"


@pytest.mark.parametrize("when", ["before the work", "before the log", "after the log"])
def test_the_next_service_goes_on_where_one_was_killed(started, log, when):
    first = started()
    name, _ = first.accept("label", UPLOAD, "")
    assert first._store.receive() == f"{name} 1"
    assert first._store.put_first(f"claim:{name}:1", first.me.encode())
    record = first.state(name).record
    if when != "before the work":
        outcome = first._outcome_of(name, record, UPLOAD, 1)
        first._store.put_first(f"outcome:{name}", outcome.json())
        assert first.state(name).outcome is None  # it is not seen before the log has it
        if when == "after the log":
            first.verbs.record(UPLOAD, {}, first.answer(outcome), once=True)
    killed(first)
    second = started()
    second.verbs.of["label"] = _never if when != "before the work" else second.verbs.of["label"]
    second._others[first.me] = b"said long ago", 0.0
    second.look()
    do_all(second)
    assert second.state(name).state == "done" and result(second, name).file == b"labelled a file"
    assert records(log) == 1


def _never(*arguments: object) -> Answer:
    raise AssertionError("the file was labelled already")


def test_a_service_that_lives_keeps_its_job(store, started):
    if "://" not in store:
        return _folder_is_of_one(started)
    first, second = started(), started()
    second._beat_seconds = 3600.0
    name, _ = first.accept("label", UPLOAD, "")
    assert first._store.receive() and first._store.put_first(f"claim:{name}:1", first.me.encode())
    first._store.put(f"alive:{first.me}", b"1")
    second.look()
    assert second._store.receive() is None
    assert not second._store.put_first(f"claim:{name}:1", second.me.encode())
    second._beat_seconds = 0.0  # nothing new is heard of it any more
    second.look()
    assert second._store.receive() == f"{name} 2"


def _folder_is_of_one(started: Callable[..., Jobs]) -> None:
    started()
    with pytest.raises(OutputFailed, match="another service"):
        started()


def test_two_attempts_at_a_time_give_one_file(started, log):
    jobs = started()
    name, _ = jobs.accept("label", UPLOAD, "")
    record = jobs.state(name).record
    slow = jobs._outcome_of(name, record, UPLOAD, 1)
    jobs.verbs.of["label"] = lambda *_: Answer({"output": "b"}, b"the second", "text/plain", unrecorded=Unrecorded(
        LABEL, None, None, False))
    jobs._attempt(name, 2)  # another service took the first for dead
    assert not jobs._store.put_first(f"outcome:{name}", slow.json())
    assert result(jobs, name).file == b"the second" and records(log) == 1


def test_a_job_that_kills_is_given_up(started):
    jobs = started()
    name, _ = jobs.accept("label", UPLOAD, "")
    jobs.verbs.of["label"] = _never
    jobs._attempt(name, 6)
    state = jobs.state(name)
    assert (state.state, state.outcome.status) == ("failed", 413)
    assert "came to an end 5 times" in result(jobs, name).fields["error"]["message"]


@pytest.mark.parametrize(("error", "status"), [
    (MalformedFile("broken"), 422), (LimitExceeded("long"), 413), (RuntimeError("defect"), 500),
    (Refused(400, "BadParameter", Message("wrong")), 400)])
def test_what_the_work_raises_is_the_outcome(started, error, status):
    jobs = started()

    def fails(*arguments: object) -> Answer:
        raise error
    jobs.verbs.of["label"] = fails
    name, _ = jobs.accept("label", UPLOAD, "")
    do_all(jobs)
    assert jobs.state(name).outcome.status == status and jobs.state(name).state == "failed"


def test_a_job_whose_result_cannot_be_kept_is_done_again(started, monkeypatch, log):
    jobs = started()
    name, _ = jobs.accept("label", UPLOAD, "")
    with monkeypatch.context() as full:
        full.setattr(jobs._store.files, "put", _disk_is_full)
        with pytest.raises(OutputFailed):
            do_all(jobs)
    assert jobs.state(name).state == "working" and records(log) == 0
    jobs.look()
    do_all(jobs)
    assert jobs.state(name).state == "done" and records(log) == 1


def test_a_stopped_service_says_nothing_of_a_job(started):
    jobs = started()

    def stopped(*arguments: object) -> Answer:
        jobs._stopping.set()
        raise LimitExceeded("its process was ended")
    jobs.verbs.of["label"] = stopped
    name, _ = jobs.accept("label", UPLOAD, "")
    jobs._attempt(name, 1)
    assert jobs.state(name).state == "working" and jobs.state(name).outcome is None


def test_a_job_that_was_removed_ends_its_work(started, log):
    jobs = started()
    name, _ = jobs.accept("label", UPLOAD, "")
    label = jobs.verbs.of["label"]

    def removed(upload: Upload, asked: object, on_share: Callable[[float], None]) -> Answer:
        on_share(0.25)
        assert jobs.state(name).share == 0.25
        jobs.remove(name)
        on_share.next_s = 0.0
        on_share(0.5)
        return label(upload, asked, on_share)
    jobs.verbs.of["label"] = removed
    do_all(jobs)
    jobs.look()
    assert jobs.state(name) is None and records(log) == 0 and not jobs._store.files.names()


def test_results_that_nobody_fetches_are_removed(started, monkeypatch):
    jobs = started(job_keep_seconds=60.0)
    name, _ = jobs.accept("label", UPLOAD, "")
    do_all(jobs)
    jobs.look()
    assert jobs.state(name).expires - time.time() < 61
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    jobs.look()
    assert jobs.state(name) is None and not jobs._store.files.names()


def test_a_file_that_did_not_come_whole_goes_with_its_service(started):
    first = started()
    first._store.files.put = _disk_is_full
    with pytest.raises(OutputFailed):
        first.accept("label", UPLOAD, "")
    assert sum(key.startswith("job:") for key in first._store.all()) == 1
    first.look()
    assert not any(key.startswith("job:") for key in first._store.all())


def test_a_file_that_has_just_come_whole_stays(started, monkeypatch):
    jobs = started()
    seen = {}
    send = jobs._store.send
    monkeypatch.setattr(jobs._store, "send", lambda message: (seen.update(jobs._store.all()), send(message)))
    name, _ = jobs.accept("label", UPLOAD, "")
    before = {**seen, f"job:{name}": seen[f"job:{name}"].replace(b'"ready": true', b'"ready": false')}
    monkeypatch.setattr(jobs._store, "all", lambda: before)  # what the keeper read while the file came
    jobs.look()
    assert jobs.state(name).state == "waiting"


def _disk_is_full(name: str, data: bytes) -> None:
    raise OutputFailed("the disk is full")


@pytest.mark.parametrize(("limits", "status"), [({"jobs": 2}, 503), ({"callers_jobs": 2}, 429),
                                               ({"job_bytes": 2 * len(UPLOAD.data)}, 503)])
def test_too_many_jobs_are_refused(started, limits, status):
    jobs = started(**limits)
    for _ in range(2):
        jobs.accept("label", UPLOAD, "studio")
    with pytest.raises(Refused) as refused:
        jobs.accept("label", UPLOAD, "studio")
    assert (refused.value.status, refused.value.retry_after) == (status, 30)
    if status == 429:
        jobs.accept("label", UPLOAD, "another")


def test_only_films_and_long_sound_become_jobs(started):
    jobs = started(direct_sound_bytes=100)
    wav, film = b"RIFF\x24\0\0\0WAVEfmt " + bytes(60), b"\0\0\0\x18ftypisom\0\0\0\0isomavc1" + bytes(60)
    for data, verb, prefer, takes in ((wav, "label", "", False), (wav + bytes(60), "label", "", True),
                                      (film, "verify", "", True), (film, "matches/byContent", "respond-async", False),
                                      (b"text", "check", "", False), (b"text", "check", "wait=5, Respond-Async", True),
                                      (b"text", "check", "respond-later", False)):
        assert jobs.takes(verb, Upload(data, "a", ()), prefer) is takes


def test_a_place_for_jobs_that_is_none_is_refused(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputFailed):
        Store(str(tmp_path / "file"))
    for address in ("postgresql://{}127.0.0.1:9/jobs", "redis://{}127.0.0.1:9/0"):
        with pytest.raises(OutputFailed, match=address.format("")) as refused:
            Store(address.format("user:secret@"))
        assert "secret" not in str(refused.value)
    with pytest.raises(InvalidArgument, match="redis://127.0.0.1:port is no address of Redis"):
        Store("redis://user:secret@127.0.0.1:port")
    with pytest.raises(InvalidArgument, match="is no address of Redis"):
        Store("redis://[::1")


@pytest.mark.parametrize("mark", "/?#@")
def test_a_password_that_is_not_escaped_is_not_shown(mark):
    with pytest.raises((InvalidArgument, OutputFailed), match="redis://127.0.0.1:9/0") as refused:
        Store(f"redis://:sec{mark}ret@127.0.0.1:9/0?db=1")
    assert "sec" not in str(refused.value).partition("redis:")[2] and "ret@" not in str(refused.value)


def test_a_redis_that_may_lose_jobs_is_said(redis_address, empty_redis):
    assert Store(empty_redis).doubts == []
    with redis_server("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as address:
        store = Store(address)
        store.close()
    assert len(store.doubts) == 2 and "append-only" in store.doubts[0] and "allkeys-lru" in store.doubts[1]
