# SPDX-License-Identifier: Apache-2.0
"""`--engine` without an engine: what is refused, and what a run makes of the results of an engine that is played here.

tests/engines has the same commands on Ray and Daft themselves.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from labelkit.batch import Labels
from labelkit.cli import engines
from labelkit.integrations import daft, ray
from labelkit.plan import Plan
from tests.batch.test_datasets import members, packed, unpacked
from tests.cli.conftest import PRODUCER, write

FAST = [*PRODUCER, "--layers", "metadata", "--explicit-present"]
ON_RAY = ["--engine", "ray"]


@pytest.fixture
def installed(monkeypatch):
    """Both engines seem to be there."""
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: name)


@pytest.fixture
def played(installed, monkeypatch):
    """An engine that works on one task after the other, the last first. Workers die over what is called "deadly"."""
    seen: list[list[str]] = []

    def each_done(work, tasks, address, jobs):
        work = pickle.loads(pickle.dumps(work))
        while tasks:
            task = tasks.pop()
            seen.append([item.path for item in task])
            if any("deadly" in item.path for item in task):
                yield task, None, True
            else:
                for part in work(task):
                    yield task, pickle.loads(pickle.dumps(part)), False
                yield task, [], True

    monkeypatch.setattr(ray, "each_done", each_done)
    monkeypatch.setattr(daft, "each_done", each_done)
    return seen


@pytest.mark.parametrize("engine, name", [("ray", "Ray"), ("daft", "Daft")])
def test_an_engine_that_is_missing_is_an_error_with_its_extra(run, monkeypatch, engine, name):
    write("a.jpg")
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda wanted: None if wanted == engine else wanted)
    for words in (["embed", "a.jpg", "-o", "out/", *FAST], ["verify", "a.jpg"]):
        code, out, err = run(*words, "--engine", engine)
        assert (code, out) == (2, "") and not Path("out").exists()
        assert err.splitlines() == [f"--engine {engine} needs {name}, which is not installed",
                                    f'hint: pip install "aigc-labelkit[{engine}]"']


def test_daft_needs_ray_on_a_cluster_alone(run, played, monkeypatch):
    write("a.jpg")
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda wanted: None if wanted == "ray" else wanted)
    assert run("embed", "a.jpg", "-o", "out/", *FAST, "--engine", "daft")[0] == 0
    code, _, err = run("embed", "a.jpg", "-o", "out/", *FAST, "--engine", "daft", "--address", "auto")
    assert code == 2 and 'pip install "aigc-labelkit[ray]"' in err


@pytest.mark.parametrize("words, problem", [
    (["embed", "a.jpg", "-o", "out/", *FAST, "--address", "auto"], "no engine is named"),
    (["embed", "a.jpg", "--in-place", *FAST, *ON_RAY], "--in-place does not go with Ray"),
    (["embed", "-", "-o", "out/", *FAST, *ON_RAY], "standard input does not go with Ray"),
    (["embed", "a.jpg", "-o", "-", *FAST, *ON_RAY], "standard output does not go with Ray"),
    (["embed", "a.jpg", "-o", "out/", *FAST, *ON_RAY, "--address", "auto", "--log", "l.db"],
     "cannot share the log l.db"),
    (["embed", "a.jpg", "-o", "out/", *FAST, "--engine", "beam"], "beam"),
    (["verify", "-", *ON_RAY], "standard input does not go with Ray"),
    (["verify", "a.jpg", *ON_RAY, "--address", "127.0.0.1:1"], "Ray cannot be reached at 127.0.0.1:1"),
])
def test_what_does_not_go_with_an_engine_is_refused(run, installed, words, problem):
    before = write("a.jpg").read_bytes()
    code, out, err = run(*words)
    assert (code, out) == (2, "") and problem in err
    assert not Path("out").exists() and Path("a.jpg").read_bytes() == before


def test_results_are_those_of_a_run_here(run, played):
    for number in range(3):
        write(f"in/sub/{number}.jpg", number)
    packed(members(2), Path("in/a.tar"))
    Path("in/bad.jpg").write_bytes(b"no picture")
    code, out, err = run("embed", "in", "-o", "out", *FAST, *ON_RAY, "--json", "--journal", "run.jsonl")
    assert code == 1 and err.splitlines()[-1] == "5 labelled, 1 failed, 0 skipped as not media"
    assert out == Path("run.jsonl").read_text() and len(out.splitlines()) == 6
    labels = Labels("acme", plan=Plan(explicit=None, watermark=None))
    for number in range(3):
        path = Path(f"in/sub/{number}.jpg")
        assert Path(f"out/sub/{number}.jpg").read_bytes() == labels.label(path.read_bytes()).made, "ids are derived"
    assert len(unpacked(Path("out/a.tar"))) == 6
    quick = ["--layers", "metadata", "--json"]
    code, out, _ = run("verify", "out", *ON_RAY, *quick)
    assert code == 0 and sorted(out.splitlines()) == sorted(run("verify", "out", *quick)[1].splitlines())
    assert run("verify", "in/sub", *ON_RAY, *quick)[0] == 1, "the source is as it was"


def test_what_failed_is_labelled_again_and_what_exists_is_kept(run, played):
    write("in/a.jpg")
    Path("in/b.jpg").write_bytes(b"no picture")
    assert run("embed", "in", "-o", "out", *FAST, *ON_RAY, "--journal", "run.jsonl")[0] == 1
    write("in/b.jpg")
    code, out, _ = run("embed", "in", "-o", "out", *FAST, *ON_RAY, "--retry-failed", "run.jsonl")
    assert code == 0 and [line.partition(" ")[0] for line in out.splitlines()] == ["in/b.jpg"]
    code, _, err = run("embed", "in", "-o", "out", *FAST, *ON_RAY, "--resume")
    assert code == 0 and "2 already existed" in err
    code, _, err = run("embed", "in", "-o", "out", *FAST, *ON_RAY, "--no-clobber")
    assert code == 1 and err.count("exists and is kept") >= 2


def test_a_file_that_ends_its_process_fails_alone(run, played, monkeypatch):
    monkeypatch.setattr(engines, "_TASKS", 1)
    for name in ("a", "b", "deadly", "z"):
        write(f"in/{name}.jpg")
    code, out, err = run("embed", "in", "-o", "out", *FAST, *ON_RAY, "--json")
    assert code == 1 and len(played[0]) == 4 and sorted(path.name for path in Path("out").iterdir()) == [
        "a.jpg", "b.jpg", "z.jpg"]
    failed = [json.loads(line) for line in out.splitlines() if "error" in line]
    assert [one["file"] for one in failed] == ["in/deadly.jpg"] and failed[0]["error"]["type"] == "LimitExceeded"


def test_results_of_a_shard_pass_through_the_engine_in_parts(run, played, monkeypatch):
    parts = []
    there = engines._There.__call__
    monkeypatch.setattr(engines, "_ROWS", 2)
    monkeypatch.setattr(engines._There, "__call__", lambda self, task: (
        parts.append(len(part)) or part for part in there(self, task)))
    packed([*members(5), ("9999.jpg", b"no picture")], Path("in/a.tar"))
    code, out, _ = run("embed", "in", "-o", "out", *FAST, *ON_RAY, "--json")
    assert code == 1 and parts == [2, 2, 2]
    lines = [json.loads(line) for line in out.splitlines()]
    assert len({line["file"] for line in lines}) == 6 and sum("error" in line for line in lines) == 1
    code, out, _ = run("verify", "out", *ON_RAY, "--layers", "metadata", "--json")
    assert code == 0 and len(out.splitlines()) == 5 and parts[3:] == [2, 2, 1]


def test_what_a_lost_worker_left_is_removed_at_the_end(run, installed, monkeypatch):
    def each_done(work, tasks, address, jobs):
        left = Path("out/.labelkit-abcd1234")
        left.mkdir(parents=True)
        (left / "lock").touch()
        (left / "half.jpg").write_bytes(b"half")
        yield from ((task, part, False) for task in tasks for part in work(task))

    monkeypatch.setattr(ray, "each_done", each_done)
    write("in/a.jpg")
    assert run("embed", "in", "-o", "out", *FAST, *ON_RAY)[0] == 0
    assert [path.name for path in Path("out").iterdir()] == ["a.jpg"]


def test_a_worker_without_the_folder_says_so(run, installed, monkeypatch):
    def each_done(work, tasks, address, jobs):
        away = engines._There(work.work, "/no/such/folder")
        yield from ((task, part, False) for task in tasks for part in away(task))

    monkeypatch.setattr(ray, "each_done", each_done)
    write("in/a.jpg")
    code, out, err = run("embed", "in", "-o", "out", *FAST, *ON_RAY)
    assert code == 1 and "the folder /no/such/folder is not on the machine of the worker" in err


def test_an_engine_that_fails_ends_the_run_in_one_line(run, installed, monkeypatch):
    def each_done(work, tasks, address, jobs):
        raise RuntimeError("Traceback of a worker\n  line 1\nModuleNotFoundError: no module labelkit\n")
        yield

    monkeypatch.setattr(ray, "each_done", each_done)
    write("in/a.jpg")
    code, out, err = run("embed", "in", "-o", "out", *FAST, *ON_RAY)
    assert code == 2 and err.splitlines()[0] == "Ray ended the run: ModuleNotFoundError: no module labelkit"
