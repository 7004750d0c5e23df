# SPDX-License-Identifier: Apache-2.0
"""A file that keeps, kills or fools the process that reads it is one error, and the next file is read."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import labelkit as lk
from labelkit import isolation
from labelkit.errors import InvalidArgument, LimitExceeded, MalformedFile, UnsupportedFormat
from labelkit.isolation import Limits, Pool
from labelkit.key import Key
from tests.films import film
from tests.media import LABEL, photo, saved

PATIENT = Limits(seconds=600)
POSIX = pytest.mark.skipif(os.name != "posix", reason="a system without what this needs")


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    lk.embed(saved(photo(), "PNG"), path, LABEL, key=Key(bytes(32)))
    return path


def test_a_pool_verifies_as_verify_does(labelled, anchors, tmp_path):
    settings = {"key": Key(bytes(32)), "trust": anchors, "effort": "fast"}
    plain = tmp_path / "plain.md"
    plain.write_text("# Nothing")
    with Pool(1, PATIENT, **settings) as pool:
        for source in (labelled, str(labelled), labelled.read_bytes(), plain):
            assert pool.verify(source).to_dict("zh-CN") == lk.verify(source, **settings).to_dict("zh-CN")
        assert pool.verify(io.BytesIO(labelled.read_bytes())).verdict is lk.Verdict.CONFIRMED
        assert pool.verify(labelled)[lk.Layer.WATERMARK].status is lk.Status.VALID, "by the private key"


def test_how_far_the_search_through_a_film_is_comes_before_the_report(tmp_path):
    shares, made = [], film(tmp_path / "f.mp4", count=60, sound=("aac",))
    with Pool(1) as pool:
        told = pool.verify(made, on_share=shares.append)
        assert told == pool.verify(made) and shares and all(0 <= share < 1 for share in shares)
        with pytest.raises(ZeroDivisionError):  # what it raises ends the process, and another takes its place
            pool.verify(made, on_share=lambda share: 1 / 0)
        assert pool.verify(made) == told


def test_errors_of_files_are_those_of_verify_and_cost_no_process(labelled, tmp_path):
    odd = tmp_path / "odd.png"
    odd.write_bytes(b"no picture")
    with Pool(1, PATIENT) as pool:
        for path, kind in ((odd, UnsupportedFormat), (tmp_path / "missing.png", InvalidArgument)):
            with pytest.raises(kind) as isolated:
                pool.verify(path)
            process = pool._idle.queue[0]
            with pytest.raises(kind) as here:
                lk.verify(path)
            assert (str(isolated.value), str(isolated.value.hint)) == (str(here.value), str(here.value.hint))
        assert pool.verify(labelled) and pool._idle.queue[0] is process


@POSIX
def test_a_process_that_does_not_answer_in_time_is_ended_and_replaced(labelled, tmp_path):
    endless = tmp_path / "endless.png"
    os.mkfifo(endless)  # nobody ever writes into it
    with Pool(1, PATIENT) as pool:
        assert pool.verify(labelled)
        before = pool._idle.queue[0]._process
        pool._limits = Limits(seconds=0.5)
        with pytest.raises(LimitExceeded, match="endless.png: reading it took more than 0 s, so its process was ended"):
            pool.verify(endless)
        assert before.poll() is not None
        pool._limits = PATIENT
        assert pool.verify(labelled)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits this kind of memory")
def test_memory_is_limited(labelled, tmp_path):
    large = tmp_path / "large.png"
    from PIL import Image
    Image.fromarray(np.tile(photo(500, 500), (20, 20, 1))).save(large, compress_level=1)
    with Pool(1, Limits(seconds=600, memory_bytes=320 << 20), layers=[lk.Layer.WATERMARK], effort="fast") as pool:
        with pytest.raises(LimitExceeded, match="memory"):
            pool.verify(large)
        assert pool.verify(saved(photo(64, 64), "PNG"))[lk.Layer.WATERMARK].status is lk.Status.ABSENT


def fake(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """In the place of the process that reads files."""
    monkeypatch.setattr(isolation, "_WORKER", [sys.executable, "-c", program])


ANSWER = "import sys, struct; sys.stdout.buffer.write({}); sys.stdout.flush(); sys.stdin.buffer.read()"


@pytest.mark.parametrize(("program", "kind"), [
    ("pass", LimitExceeded), ("import os; os.abort()", LimitExceeded), ("print('hello')", LimitExceeded),
    (ANSWER.format("struct.pack('<Q', 1 << 60)"), MalformedFile),
    (ANSWER.format("struct.pack('<Q', 9) + b'not  JSON'"), MalformedFile),
    ("import sys, struct; sys.stdout.buffer.write(struct.pack('<Q', 100) + b'cut')", LimitExceeded)])
def test_a_process_that_ends_or_raves_is_one_error(program, kind, monkeypatch, labelled):
    with Pool(1, PATIENT) as pool:
        with monkeypatch.context() as patch:
            fake(patch, program)
            for _ in range(2):
                with pytest.raises(kind, match="the process that read it"):
                    pool.verify(labelled)
        assert pool.verify(labelled), "the next file gets another process"


def test_a_process_that_cannot_start_is_said(monkeypatch, labelled):
    monkeypatch.setattr(isolation, "_WORKER", ["/no/such/program"])
    with Pool(1) as pool:
        for _ in range(2):
            with pytest.raises(LimitExceeded, match="no process could be started"):
                pool.verify(labelled)


def test_the_process_gets_no_secrets_of_the_environment(monkeypatch, labelled, tmp_path):
    for name in ("AWS_SECRET_ACCESS_KEY", "LABELKIT_SIGNER_PASSWORD", "HTTP_PROXY"):
        monkeypatch.setenv(name, "secret")
    told = tmp_path / "environment.json"
    fake(monkeypatch, f"import json, os; json.dump(dict(os.environ), open({str(told)!r}, 'w'))")
    with Pool(1) as pool, pytest.raises(LimitExceeded):
        pool.verify(labelled)
    assert "secret" not in told.read_text() and "PATH" in json.loads(told.read_text())


def test_the_process_takes_no_code_from_the_folder_that_is_worked_on(monkeypatch, labelled, tmp_path):
    (tmp_path / "labelkit").mkdir()
    for name in ("labelkit/__init__.py", "numpy.py", "struct.py"):
        (tmp_path / name).write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    with Pool(1, PATIENT, layers=[lk.Layer.METADATA]) as pool:
        assert pool.verify(labelled).verdict is lk.Verdict.CONFIRMED


def test_nothing_is_unpickled_from_a_process():
    for module in (isolation, isolation.wire):
        assert "pickle.load" not in Path(module.__file__).read_text("utf-8")


def test_a_pool_is_shared_by_threads_and_ends_its_processes(labelled):
    with Pool(2, PATIENT, layers=[lk.Layer.METADATA]) as pool, ThreadPoolExecutor(4) as threads:
        assert [report.verdict for report in threads.map(pool.verify, [labelled] * 12)] == [lk.Verdict.CONFIRMED] * 12
        assert 1 <= len([one for one in pool._idle.queue if one]) <= 2
        started = [one._process for one in pool._idle.queue if hasattr(one, "_process")]
    assert all(process.poll() is not None for process in started)
    while [thread for thread in threading.enumerate() if thread.name == "labelkit-clock"]:
        time.sleep(0.01)  # it ends by itself: not so if this never ends


def test_a_pool_without_processes_is_refused():
    with pytest.raises(InvalidArgument, match="at least one process"):
        Pool(0)
