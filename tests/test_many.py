# SPDX-License-Identifier: Apache-2.0
"""verify_many: reports in order, a file's error in its place, and only a little ahead."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

import labelkit as lk
from labelkit import isolation, pipeline, threads
from labelkit.errors import InvalidArgument, LimitExceeded, UnsupportedFormat
from labelkit.unforeseen import UnforeseenError
from tests.media import LABEL, photo, saved

PLAIN = saved(photo(96, 128), "PNG")
FILE_SIDE = (lk.Layer.METADATA, lk.Layer.PROVENANCE)


@pytest.fixture(scope="module")
def labelled() -> bytes:
    return lk.embed(PLAIN, label=LABEL, plan=lk.Plan(explicit=None, watermark=None))


@pytest.mark.parametrize("jobs", [None, 1, 2, 16])
def test_reports_come_in_order_and_are_those_of_verify(labelled, jobs):
    sources = [labelled, PLAIN] * 5
    reports = list(lk.verify_many(sources, jobs=jobs, layers=FILE_SIDE))
    assert [report.to_json() for report in reports] == [lk.verify(one, layers=FILE_SIDE).to_json() for one in sources]
    assert [report.verdict for report in reports[:2]] == [lk.Verdict.CONFIRMED, lk.Verdict.NONE]


def test_paths_arrays_and_bytes_are_taken(tmp_path, labelled):
    (tmp_path / "a.png").write_bytes(labelled)
    path, array, file = lk.verify_many([str(tmp_path / "a.png"), photo(96, 128), labelled], effort="fast")
    assert path.source.endswith("a.png") and array.source == "samples" and file.verdict is lk.Verdict.CONFIRMED


def test_isolated_files_are_read_in_processes_and_samples_here(monkeypatch, tmp_path, labelled):
    (tmp_path / "a.png").write_bytes(labelled)
    path = str(tmp_path / "a.png")
    sources = [path, PLAIN, b"no media", io.BytesIO(labelled), bytearray(labelled), 7, photo(96, 128)]
    apart = lk.verify(path, layers=FILE_SIDE)
    here = []
    whole = pipeline.verify
    monkeypatch.setattr(pipeline, "verify", lambda source, **checks: here.append(source) or whole(source, **checks))
    first, second, third, file, held, wrong, array = lk.verify_many(sources, jobs=2, isolate=True, effort="fast",
                                                                    layers=(*FILE_SIDE, lk.Layer.WATERMARK))
    assert [type(one) for one in here] == [int, np.ndarray], "files are not read in this process"
    assert first.source == path and first.label == apart.label == LABEL
    assert second.verdict is lk.Verdict.NONE and isinstance(third, UnsupportedFormat) and array.source == "samples"
    assert file.verdict is held.verdict is first.verdict is lk.Verdict.CONFIRMED and isinstance(wrong, lk.LabelkitError)


def test_isolated_files_have_the_limits_that_are_given(labelled):
    late, = lk.verify_many([labelled], isolate=isolation.Limits(seconds=1e-9, seconds_per_megabyte=0))
    assert isinstance(late, LimitExceeded)
    in_time, = lk.verify_many([labelled], isolate=isolation.Limits(), layers=FILE_SIDE)
    assert in_time.verdict is lk.Verdict.CONFIRMED


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_bad_file_is_an_error_in_its_place_and_ends_nothing(labelled, jobs):
    sources = [labelled, b"no media", "/no/such/file.png", 7, PLAIN]
    first, unknown, missing, wrong, last = lk.verify_many(sources, jobs=jobs, layers=FILE_SIDE)
    assert isinstance(first, lk.Report) and isinstance(last, lk.Report)
    assert isinstance(unknown, UnsupportedFormat)
    assert all(isinstance(one, lk.LabelkitError) for one in (missing, wrong))


def test_a_defect_is_an_error_in_its_place_too(monkeypatch, labelled):
    whole = pipeline.verify

    def verify(source: bytes, **checks: object) -> lk.Report:
        if source == b"defect":
            raise ZeroDivisionError("a defect")
        return whole(source, **checks)

    monkeypatch.setattr(pipeline, "verify", verify)
    broken, report = lk.verify_many([b"defect", labelled], layers=FILE_SIDE)
    assert isinstance(broken, UnforeseenError) and isinstance(report, lk.Report)


@pytest.mark.parametrize("settings", [{"effort": "most"}, {"layers": []}, {"layers": ["colour"]}, {"jobs": 0},
                                      {"jobs": True}, {"jobs": 1.5}, {"pins": [b"x"]}, {"trust": "roots.pem"},
                                      {"key": "secret"}, {"isolate": "yes"}])
def test_wrong_settings_are_refused_before_the_first_file(settings):
    with pytest.raises(InvalidArgument):
        lk.verify_many([PLAIN], **settings)


def test_unknown_settings_and_one_file_are_refused():
    with pytest.raises(TypeError, match="colour"):
        lk.verify_many([PLAIN], colour=True)
    for single in ("cat.png", PLAIN, 7):
        with pytest.raises(InvalidArgument, match="sources"):
            lk.verify_many(single)


@pytest.mark.parametrize("jobs", [1, 2])
def test_sources_are_taken_a_few_ahead(jobs, labelled):
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield labelled

    reports = lk.verify_many(endless(), jobs=jobs, layers=FILE_SIDE)
    assert taken == 0, "nothing is begun before the first report is asked for"
    for _ in range(3):
        next(reports)
    assert 3 <= taken <= 3 + 4 * jobs
    reports.close()
    assert taken <= 3 + 4 * jobs


def test_what_the_sources_raise_is_raised(labelled):
    def broken() -> Iterator[bytes]:
        yield labelled
        raise RuntimeError("the list is broken")

    reports = lk.verify_many(broken(), jobs=2, layers=FILE_SIDE)
    with pytest.raises(RuntimeError):
        list(reports)


def test_work_goes_on_side_by_side():
    """Each item waits for the other, so that one at a time would never end; with one job none waits."""
    both = threading.Barrier(2, timeout=600)
    assert [result for _, result in threads.in_order(lambda _: both.wait() >= 0, range(4), 2)] == [True] * 4
    names = [name for _, name in threads.in_order(lambda _: threading.current_thread().name, range(2), 1)]
    assert names == [threading.current_thread().name] * 2


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_end_is_told_before_running_work_is_waited_for(jobs):
    stop = threading.Event()

    def work(item: int) -> int:
        if item and jobs > 1:
            assert stop.wait(30)
        return item

    results = threads.in_order(work, range(100), jobs, ending=stop.set)
    assert next(results) == (0, 0) and not stop.is_set()
    results.close()
    assert stop.is_set()


SIGNALLED = """
import signal, sys, threading, time
from labelkit import threads

stop, told, main = threading.Event(), [], threading.get_ident()

def work(item):
    if item == 0 and sys.argv[1] == "signal":
        while sys._current_frames()[main].f_code.co_name != "wait":
            time.sleep(0.01)
        time.sleep(0.3)  # until it waits indeed
        signal.raise_signal(signal.SIGINT)  # this thread takes it, and nothing wakes the other one
    told.append(stop.wait(30 if sys.argv[1] == "signal" else 1))

try:
    list(threads.in_order(work, range(2), 2, ending=stop.set))
except KeyboardInterrupt:
    print("stopped", end=" ")
print(told)
"""


@pytest.mark.parametrize(("sent", "said"), [("signal", "stopped [True, True]"), ("none", "[False, False]")])
def test_a_signal_that_another_thread_takes_ends_a_run(sent, said):
    done = subprocess.run([sys.executable, "-c", SIGNALLED, sent], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == said, done.stderr


def test_libraries_keep_to_one_thread_unless_told_otherwise(monkeypatch):
    monkeypatch.setattr(os, "environ", {"OMP_NUM_THREADS": "3"})
    threads.keep_libraries_single()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1" and os.environ["OMP_NUM_THREADS"] == "3"


def test_the_cores_are_those_of_the_machine_at_most():
    assert 1 <= threads.cores() <= (os.cpu_count() or 1)
