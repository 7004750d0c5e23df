# SPDX-License-Identifier: Apache-2.0
"""The files of a run in forked processes: the same results in the same order, and what happens when one dies."""

from __future__ import annotations

import fcntl
import os
import pickle
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from labelkit.batch.samples import Medium
from labelkit.cli import files, processes
from labelkit.errors import InvalidArgument, LimitExceeded
from tests.cli.conftest import PRODUCER, write
from tests.cli.test_commands import spawn

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")


@pytest.fixture(autouse=True)
def at_two_cores(monkeypatch):
    monkeypatch.setattr("labelkit.threads.cores", lambda: 2)


def in_order(work, count, jobs=2):
    return list(processes.in_order(work, list(range(count)), jobs, lambda item: f"file {item}"))


def children() -> set[int]:
    return {int(number) for task in Path("/proc/self/task").iterdir()
            for number in (task / "children").read_text().split()}


def test_results_come_in_order_from_several_processes():
    before = children()
    found = in_order(lambda item: (item * item, os.getpid()), 40)
    assert [item for item, _ in found] == list(range(40)) and [square for _, (square, _) in found] == [
        item * item for item in range(40)]
    assert os.getpid() not in {process for _, (_, process) in found}
    assert children() == before, "they have all ended"


def test_kept_processes_work_on_after_a_call_that_came_to_no_end():
    before = children()
    with processes.Kept(lambda number: os.kill(os.getpid(), signal.SIGKILL) if number == 3 else 2 * number, 2) as kept:
        broken = kept.in_order(range(100), str)
        assert next(broken) == (0, 0)
        broken.close()
        again = dict(kept.in_order(range(6), str))
        assert isinstance(again.pop(3), LimitExceeded) and again == {number: 2 * number for number in (0, 1, 2, 4, 5)}
        assert list(kept.in_order([], str)) == []
    assert children() == before


def test_an_error_of_a_file_arrives_as_it_was():
    error = InvalidArgument("{where} is a folder, not a file", where="a", hint="name a file")
    found = in_order(lambda item: error if item == 3 else item, 12)
    assert str(found[3][1]) == str(error) and str(found[3][1].hint) == "name a file"
    assert [result for item, result in found if item != 3] == [item for item in range(12) if item != 3]


def test_a_process_that_dies_costs_its_own_file_alone():
    found = in_order(lambda item: os.kill(os.getpid(), signal.SIGKILL) if item in (2, 5, 11) else item, 12)
    died = [item for item, result in found if isinstance(result, LimitExceeded)]
    assert died == [2, 5, 11] and str(found[2][1]).startswith("file 2: the process that read it came to an end")
    assert all(result == item for item, result in found if item not in died)


def test_a_process_that_dies_while_it_sends_costs_its_own_file_alone():
    class Half:
        """Of which the other end sees the beginning alone."""

        def __reduce__(self):
            replies = max(int(name) for name in os.listdir("/proc/self/fd"))
            ends = [number for number in range(3, replies + 1) if is_writable_pipe(number)]
            os.write(ends[-1], struct.pack("<qq", 1, 100) + b"half")
            os.kill(os.getpid(), signal.SIGKILL)

    found = in_order(lambda item: Half() if item == 2 else item, 5)
    assert isinstance(found[2][1], LimitExceeded) and "file 2" in str(found[2][1])
    assert [result for item, result in found if item != 2] == [0, 1, 3, 4]


def is_writable_pipe(number: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{number}").startswith("pipe:") and bool(
            fcntl.fcntl(number, fcntl.F_GETFL) & os.O_WRONLY)
    except OSError:
        return False


def test_bytes_that_a_pickle_refers_to_arrive_as_they_were():
    medium = Medium("a.jpg", bytes(range(256)) * 5000)
    for _, result in in_order(lambda item: [medium, Medium("b.jpg", Path("b.jpg")), item], 12):
        assert result[:2] == [medium, Medium("b.jpg", Path("b.jpg"))] and type(result[0].data) is bytes
    assert pickle.loads(pickle.dumps(medium)) == medium, "in one piece too"


def test_a_result_that_cannot_be_sent_is_an_error():
    found = in_order(lambda item: (lambda: item) if item == 4 else item, 9)
    assert "pickle" in str(found[4][1]).lower() and found[5][1] == 5


def test_a_run_that_ends_early_stops_what_has_begun():
    stop = threading.Event()

    def work(item):
        return item if item == 0 else stop.wait(60)
    started, before = time.monotonic(), children()
    run = processes.in_order(work, list(range(9)), 2, str, stop)
    assert next(run) == (0, 0)
    run.close()
    assert children() == before and time.monotonic() - started < 50 and not stop.is_set()


def processes_of(count, **settings):
    items = [files.Item.at(f"{index}", f"{index}") for index in range(count)]
    return {result for _, result in files.run(lambda item: os.getpid(), items, 2, **settings)}


def test_many_files_are_worked_on_in_forks_and_few_are_not(monkeypatch):
    assert processes_of(processes.LEAST - 1) == processes_of(20, fork=False) == {os.getpid()}
    monkeypatch.setattr(processes, "are_possible", lambda: True)
    assert os.getpid() not in processes_of(20)
    monkeypatch.setattr(processes, "are_possible", lambda: False)
    assert processes_of(20) == {os.getpid()}


def test_a_process_with_other_threads_is_not_forked():
    code = ("import threading; from labelkit.cli import processes; print(processes.are_possible()); "
            "end = threading.Event(); threading.Thread(target=end.wait).start(); "
            "print(processes.are_possible()); end.set()")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["True", "False"]


def test_jobs_give_the_same_results(run):
    for index in range(12):
        write(f"in/{index:02}.jpg", index)
    Path("in/03.jpg").write_bytes(b"\xff\xd8\xff no picture")
    said = {}
    for jobs in ("1", "2"):
        with spawn("embed", "in", "-o", f"out{jobs}", *PRODUCER, "--json", "--jobs", jobs) as process:
            out, err = process.communicate(timeout=120)
        # the time, and sizes: each label has a number of its own, and so a watermark
        err = re.sub(rb".* a second\n|  grew most: .*\n|[\d.]+ kB +\+[\d.]+ %", b"", err)
        said[jobs] = process.returncode, [line.split(b'"label"')[0].replace(b"out2", b"out1") for line in
                                          out.splitlines()], err.replace(b"out2", b"out1")
    assert said["1"] == said["2"] and said["1"][0] == 1
    assert len(list(Path("out2").iterdir())) == 11
    assert run("verify", "out2", "--no-isolate")[0] == 0


def test_forks_end_with_a_run_that_is_killed():
    one = write("in/0.jpg")
    for index in range(1, 600):
        os.link(one, f"in/{index}.jpg")
    with spawn("embed", "in", "-o", "out", *PRODUCER, "--jobs", "2") as process:
        deadline = time.monotonic() + 60
        forks = []
        while len(forks) < 2 and time.monotonic() < deadline:
            forks = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.kill()
        process.communicate()
    while any(Path(f"/proc/{number}").exists() for number in forks) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(forks) == 2 and not any(Path(f"/proc/{number}").exists() for number in forks)
