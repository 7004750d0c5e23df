# SPDX-License-Identifier: Apache-2.0
"""On Linux the processes of a pool after the first are forks of one that has read no file."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

import labelkit as lk
from labelkit import isolation
from labelkit.errors import LimitExceeded, NoProcess
from labelkit.isolation import Limits, Pool, processes, wire
from labelkit.isolation.processes import Starter
from tests.media import LABEL, photo, saved

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks")
PATIENT = Limits(seconds=600)
RAIN = processes.Job("verify", "a.md", 600, None, {"changed": {}, "tells": False})
WORKER = f"""import os, sys, time
sys.path.append({isolation._PACKAGES!r})
from labelkit.isolation import worker
answer = worker._answer
def odd(job, *rest):
    if "tell" in job.name:
        return [worker.wire.write_error(worker.LabelkitError("{{where}}", where=%s))]
    if "die" in job.name:
        os.abort()
    while "hang" in job.name:
        time.sleep(9)
    return answer(job, *rest)
worker._answer = odd
worker.serve()"""


@pytest.fixture
def told(monkeypatch):
    """A pool of one whose process dies at a file called "die", hangs at "hang", and tells at "tell" what is asked."""
    def pool(expression: str = "os.getpid()", seconds: float = 600, **settings: object) -> Pool:
        monkeypatch.setattr(isolation, "_WORKER", [sys.executable, "-P", "-c", WORKER % expression])
        monkeypatch.setattr(wire, "_error", lambda found: lk.LabelkitError(str(found["message"][1]["where"])))
        return Pool(1, Limits(seconds=seconds), **{"layers": [lk.Layer.METADATA], **settings})
    return pool


def tell(pool: Pool) -> str:
    with pytest.raises(lk.LabelkitError) as said:
        pool.verify(b"x", name="tell")
    return str(said.value)


def parent(process: int) -> int:
    """The number of what forked a living process."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def forked(pool: Pool) -> int:
    """The number of a fork: the first process, which is a new program, has died."""
    with pytest.raises(LimitExceeded, match="came to an end"):
        pool.verify(b"x", name="die")
    return int(tell(pool))


def test_what_takes_the_place_of_a_process_is_a_fork_of_one_that_reads_no_file(told):
    with told() as pool:
        first = int(tell(pool))
        second = forked(pool)
        stands_by = parent(second)
        third = forked(pool)
        assert len({first, second, third, stands_by}) == 4
        assert parent(third) == stands_by != os.getpid()
        assert pool.verify(saved(photo(64, 64), "PNG"))[lk.Layer.METADATA].status is lk.Status.ABSENT


def test_where_text_is_read_the_recogniser_is_loaded_after_the_fork(told):
    """It starts threads, after which a process is not forked."""
    pytest.importorskip("rapidocr")
    with told("len(os.listdir('/proc/self/task'))", ocr=True, layers=[lk.Layer.EXPLICIT]) as pool:
        assert forked(pool) == 1
        pool.verify(saved(photo(320, 320), "PNG"))
        assert int(tell(pool)) > 1, "it was read"
    with told(ocr=True, layers=[lk.Layer.EXPLICIT]) as pool:
        assert parent(forked(pool)) != os.getpid()


def test_a_fork_that_does_not_answer_in_time_is_ended_and_replaced(told):
    with told() as pool:
        fork = forked(pool)
        pool._limits = Limits(seconds=0.1)
        with pytest.raises(LimitExceeded, match="took more than"):
            pool.verify(b"x", name="hang")
        pool._limits = PATIENT
        assert int(tell(pool)) != fork
        assert not Path(f"/proc/{fork}").exists(), "it was ended, and waited for, before the next was forked"


def test_an_answer_that_comes_as_the_process_is_ended_is_late_and_the_next_file_is_read(told, monkeypatch):
    with told() as pool:
        tell(pool)
        process, stop = pool._idle.queue[0], processes._Clock.stop

        def late(clock: processes._Clock, one: processes.Process) -> None:
            stop(clock, one)
            if one is process:
                one.is_late = True
                one.kill()
        monkeypatch.setattr(processes._Clock, "stop", late)
        with pytest.raises(LimitExceeded, match="took more than"):
            pool.verify(b"x", name="tell")
        assert tell(pool)


@pytest.mark.parametrize("end", ["close", "stop"])
def test_nothing_of_a_pool_lives_on(told, end):
    pool = told()
    fork = forked(pool)
    stands_by = parent(fork)
    getattr(pool, end)()
    assert not Path(f"/proc/{fork}").exists()
    while Path(f"/proc/{stands_by}/exe").exists():  # it ends last: not so if this never ends
        time.sleep(0.01)


def test_a_stopped_pool_gives_up_what_a_fork_works_on(told):
    pool, raised = told(), []
    forked(pool)

    def work() -> None:
        with pytest.raises(LimitExceeded) as error:
            pool.verify(b"x", name="hang")
        raised.append(str(error.value))
    thread = threading.Thread(target=work)
    thread.start()
    while not pool._busy:
        time.sleep(0.01)
    pool.stop()
    thread.join()
    assert "came to an end" in raised[0]


def test_forks_have_the_limits_of_a_process_and_what_stands_by_has_none_of_the_files(told):
    import resource

    with told("[resource.getrlimit(what) for what in (resource.RLIMIT_DATA, resource.RLIMIT_CORE,"
              " resource.RLIMIT_FSIZE)] if (resource := __import__('resource')) else 0") as pool:
        first = tell(pool)
        with pytest.raises(LimitExceeded):
            pool.verify(b"x", name="die")
        fork = tell(pool)
    assert first == fork and f"({4 << 30}, {4 << 30})" in fork
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY, "the negative twin: this process"


def test_a_fork_gets_none_of_the_secrets_of_the_environment_and_only_its_own_ways(told, monkeypatch):
    monkeypatch.setenv("LABELKIT_SIGNER_PASSWORD", "secret")
    with told("[sorted(os.environ), sorted(os.readlink(f'/proc/self/fd/{n}').split(':')[0] for n in "
              "os.listdir('/proc/self/fd') if int(n) > 2 and os.path.exists(f'/proc/self/fd/{n}'))]") as pool:
        with pytest.raises(LimitExceeded):
            pool.verify(b"x", name="die")
        forked_says = tell(pool)
    assert "SIGNER" not in forked_says and "PATH" in forked_says
    assert forked_says.count("'socket'") == 1 and "'pipe'" not in forked_says, "it could read or answer for others"


def test_a_folder_for_temporary_files_goes_with_its_fork(monkeypatch, tmp_path):
    made = []
    monkeypatch.setattr(processes, "_own_folder",
                        lambda: made.append(tempfile.TemporaryDirectory(dir=tmp_path)) or made[-1])
    starter = Starter(({}, Limits(seconds=600, written_bytes=1000)), 1, writes=True)
    try:
        first = starter.start(isolation._WORKER)
        first.ask(RAIN, b"# Rain", 1 << 20)
        fork = starter.start(isolation._WORKER)
        assert b"findings" in fork.ask(RAIN, b"# Rain", 1 << 20) and not hasattr(fork, "_process")
        assert len(made) == 2 == len(list(tmp_path.iterdir()))
        for process in (first, fork):
            process.end()
    finally:
        starter.close()
    assert list(tmp_path.iterdir()) == []


def test_a_fork_that_is_ended_as_it_writes_leaves_no_folder(monkeypatch, tmp_path):
    busy = WORKER.replace("time.sleep(9)", "[open(os.path.join(os.environ['TMPDIR'], str(time.monotonic_ns())), 'w')"
                                           ".close() for _ in range(500)]") % "0"
    monkeypatch.setattr(processes, "_own_folder",
                        lambda: tempfile.TemporaryDirectory(dir=tmp_path, ignore_cleanup_errors=True))
    starter = Starter(({}, Limits(seconds=600, written_bytes=1000)), 1, writes=True)
    try:
        first = starter.start([sys.executable, "-P", "-c", busy])
        first.ask(RAIN, b"# Rain", 1 << 20)
        for _ in range(4):
            fork = starter.start(isolation._WORKER)
            with pytest.raises(LimitExceeded, match="took more than"):
                fork.ask(RAIN._replace(name="hang", seconds=0.2), b"# Rain", 1 << 20)
            fork.end()
        assert len(list(tmp_path.iterdir())) == 1, "the folder of the first, which lives"
        first.end()
    finally:
        starter.close()


def test_forks_end_with_what_stands_by_and_another_takes_its_place(told):
    with told() as pool:
        fork = forked(pool)
        assert Path(f"/proc/{fork}").exists()
        os.kill(parent(fork), signal.SIGSTOP)  # the negative twin: it lives as long as that does
        assert int(tell(pool)) == fork
        os.kill(parent(fork), signal.SIGKILL)
        while Path(f"/proc/{fork}/exe").exists():  # nobody asks it to end: not so if this never ends
            time.sleep(0.01)
        with pytest.raises(LimitExceeded, match="came to an end"):
            pool.verify(b"x", name="tell")
        assert int(tell(pool)) != fork


def test_a_fork_that_fails_ends_no_other(monkeypatch):
    once = WORKER.replace("worker.serve()", """
fork, count = os.fork, []
def failing():
    count.append(1)
    if len(count) == 3:  # after that which stands by and one more
        raise BlockingIOError(11, "no more processes")
    return fork()
os.fork = failing
worker.serve()""") % "os.getpid()"
    starter = Starter(({}, PATIENT), 1, writes=False)
    try:
        first = starter.start([sys.executable, "-P", "-c", once])
        first.ask(RAIN, b"# Rain", 1 << 20)
        fork, failed = starter.start(isolation._WORKER), starter.start(isolation._WORKER)
        with pytest.raises(processes.CameToAnEnd):
            failed.ask(RAIN, b"# Rain", 1 << 20)
        assert b"findings" in fork.ask(RAIN, b"# Rain", 1 << 20)
        last = starter.start(isolation._WORKER)
        assert b"findings" in last.ask(RAIN, b"# Rain", 1 << 20) and not hasattr(last, "_process")
        for process in (first, fork, failed, last):
            process.end()
    finally:
        starter.close()


@pytest.mark.parametrize("is_first", [True, False])
def test_where_the_system_gives_no_socket_there_is_no_process(told, monkeypatch, is_first):
    def none(*_: object) -> None:
        raise OSError(24, "Too many open files")
    with told() as pool:
        if not is_first:
            forked(pool)
            with pytest.raises(LimitExceeded, match="came to an end"):
                pool.verify(b"x", name="die")
        with monkeypatch.context() as full:
            full.setattr(processes.socket, "socketpair", none)
            with pytest.raises(NoProcess, match="Too many open files"):
                pool.verify(b"x", name="tell")
        assert tell(pool)


def test_no_process_writes_modules_that_a_limit_may_cut_off(told):
    with told("[sys.dont_write_bytecode, os.environ.get('PYTHONDONTWRITEBYTECODE')]") as pool:
        first = tell(pool)
        with pytest.raises(LimitExceeded, match="came to an end"):
            pool.verify(b"x", name="die")
        assert first == tell(pool) == "[True, None]", "they were told so by nobody"


def test_no_process_that_reads_files_can_trace_what_stands_by_or_its_forks(told):
    with told("__import__('ctypes').CDLL(None).prctl(3, 0, 0, 0, 0)") as pool:  # PR_GET_DUMPABLE
        assert tell(pool) == "1", "the negative twin: the first process"
        with pytest.raises(LimitExceeded, match="came to an end"):
            pool.verify(b"x", name="die")
        assert tell(pool) == "0", "forks have it from what stands by"


def test_where_threads_run_nothing_is_forked_and_files_are_read(monkeypatch):
    program = WORKER % "os.getpid()"
    alone = program.replace("worker.serve()", "import threading; threading.Thread(target=time.sleep, args=(600,),"
                                              " daemon=True).start(); worker.serve()")
    monkeypatch.setattr(isolation, "_WORKER", [sys.executable, "-P", "-c", alone])
    data = lk.embed(saved(photo(64, 64), "PNG"), label=LABEL, plan=lk.Plan(explicit=None, watermark=None))
    with Pool(1, PATIENT, layers=[lk.Layer.METADATA]) as pool:
        assert pool.verify(data).verdict is lk.Verdict.CONFIRMED
        with pytest.raises(LimitExceeded, match="came to an end"):
            pool.verify(b"x", name="die")
        assert pool.verify(data).verdict is lk.Verdict.CONFIRMED
        assert hasattr(pool._idle.queue[0], "_process"), "a new program"
