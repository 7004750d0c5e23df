# SPDX-License-Identifier: Apache-2.0
"""The files of jobs in an object store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest
from obstore.store import MemoryStore

from labelkit import service, store
from labelkit.cli import main as cli
from labelkit.errors import InvalidArgument, OutputFailed
from labelkit.service.front import Figures
from labelkit.service.gate import Gate
from labelkit.service.job_store import Store
from labelkit.service.jobs import Jobs
from labelkit.service.upload import Upload
from labelkit.service.verbs import Answer
from labelkit.store.blobs import Blobs


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """A bucket "b" in memory, which has a file of somebody else below the prefix."""
    inside = MemoryStore()
    monkeypatch.setattr(store, "_store", {"s3://b": inside}.__getitem__)
    obstore.put(inside, "jobs/theirs.in", b"not ours")
    return inside


def there(inside: MemoryStore) -> list[str]:
    return sorted(entry["path"] for page in obstore.list(inside) for entry in page)


@pytest.fixture
def jobs(bucket: MemoryStore, tmp_path: Path) -> Iterator[Jobs]:
    settings = service.Settings(jobs=str(tmp_path / "jobs"), job_files="s3://b/jobs/")
    made = Jobs(settings, Figures(Gate(settings.limits)), beat_seconds=0.0)
    made.verbs.of["check"] = lambda upload, asked, on_share: Answer(
        {"file": upload.name}, upload.data[::-1], "text/plain")
    yield made
    made.stop()


def test_files_of_jobs_are_objects_until_their_jobs_end(jobs, bucket, tmp_path):
    name, _ = jobs.accept("check", Upload(b"a file", "a.txt", ()), "")
    place = there(bucket)[0].split("/")[1]
    assert there(bucket) == [f"jobs/{place}/{name}.in", "jobs/theirs.in"]
    assert not list((tmp_path / "jobs" / "files").iterdir())
    message = jobs._store.receive()
    jobs._attempt(name, int(message.split()[1]))
    state = jobs.state(name)
    assert state.state == "done" and jobs.answer(state.outcome).file == b"elif a"
    jobs.remove(name)
    jobs.look()
    assert there(bucket) == ["jobs/theirs.in"]


def test_services_of_one_database_share_the_files_and_others_do_not(bucket, tmp_path, empty_redis):
    one, other = (Store(empty_redis, "s3://b/jobs") for _ in range(2))
    apart = Store(str(tmp_path / "jobs"), "s3://b/jobs")
    one.files.put("a.in", b"data")
    assert other.files.get("a.in") == b"data" and other.files.names() == ["a.in"]
    assert apart.files.get("a.in") is None and apart.files.names() == []
    apart.files.remove("a.in")
    other.files.remove("a.in")
    assert one.files.get("a.in") is None
    for opened in (one, other, apart):
        opened.close()


@pytest.mark.parametrize("place", ["", "..", "0123456789abcdef/x"])
def test_without_a_place_of_its_own_no_service_starts(bucket, tmp_path, place):
    store = Store(str(tmp_path / "jobs"))
    store.put("place", place.encode())
    store.close()
    with pytest.raises(OutputFailed, match="does not say where the files are"):
        Store(str(tmp_path / "jobs"), "s3://b/jobs")
    Store(str(tmp_path / "others"), "s3://b/jobs").close()


def test_what_was_left_behind_is_removed_and_nothing_else(jobs, bucket):
    jobs._store.files.put("gone.1.file", b"of a job that is no more")
    jobs.look()
    assert there(bucket) == ["jobs/theirs.in"]
    assert jobs._store.get("place")


def test_a_store_that_cannot_be_used_is_said(monkeypatch, bucket, tmp_path, capsys):
    def fails(*arguments: object, **named: object) -> None:
        raise PermissionError("access denied")
    blobs = Blobs("s3://b/jobs")
    with monkeypatch.context() as denied:
        for name in ("put", "get", "delete", "list"):
            denied.setattr(obstore, name, fails)
        for use in (lambda: blobs.put("a", b""), lambda: blobs.get("a"), lambda: blobs.remove("a"), blobs.names,
                    lambda: Store(str(tmp_path / "jobs"), "s3://b/jobs")):
            with pytest.raises(OutputFailed, match="s3://b/jobs.*cannot be used: access denied"):
                use()
    with pytest.raises(InvalidArgument, match="names no bucket"):
        Blobs("s3://")
    assert cli.main(["serve", "--open", "verify", "--job-files", "s3://b/jobs"]) == 2
    assert "--job-files needs --job-store" in capsys.readouterr().err
