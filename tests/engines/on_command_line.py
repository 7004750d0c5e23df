# SPDX-License-Identifier: Apache-2.0
"""`labelkit embed|verify --engine` on Ray and Daft themselves. Run by `make test-engines`."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path

import pytest

import labelkit as lk
from tests.batch.test_datasets import members, packed, rows
from tests.media import photo, saved

ROOT = Path(lk.__file__).parents[1]
FAST = ["--producer", "acme", "--layers", "metadata", "--explicit-present"]


@pytest.fixture(autouse=True)
def plain_world(monkeypatch, tmp_path):
    for name, value in {"LANG": "C.UTF-8", "XDG_CONFIG_HOME": str(tmp_path / "nothing"), "PYTHONPATH": str(ROOT),
                        "RAY_enable_metrics_collection": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


def begun(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "labelkit", *map(str, words)], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def run(*words: object) -> tuple[int, str, str]:
    process = begun(*words)
    out, err = process.communicate(timeout=240)
    assert "Traceback" not in out + err
    return process.returncode, out, err


def written(folder: str) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def a_folder(count: int) -> None:
    for number in range(count):
        path = Path(f"in/sub/{number:03d}.jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(saved(photo(96, 128, number), "JPEG", quality=90))
    packed(members(4), Path("in/a.tar"))
    rows([("k", members(1)[0][1])], Path("in/c.parquet"))


def undisturbed() -> dict[str, bytes]:
    """What every engine must write: the shards as a run without one does, files as `Labels` does."""
    from labelkit.batch import Labels
    labels = Labels("acme", plan=lk.Plan(explicit=None, watermark=None))
    files = {str(path.relative_to("in")): labels.label(path.read_bytes()).made for path in Path("in").rglob("*.jpg")}
    assert run("embed", "in/a.tar", "in/c.parquet", "-o", "whole", *FAST)[0] == 0
    return {**files, **written("whole")}


@pytest.mark.parametrize("engine", ["daft", "ray"])
def test_a_folder_is_labelled_and_verified(engine):
    a_folder(5)
    Path("in/bad.jpg").write_bytes(b"no picture")
    packed([*members(2), ("9999.jpg", b"no picture")], Path("in/b.tar"))
    code, out, err = run("embed", "in", "-o", "out", *FAST, "--engine", engine, "--json", "--journal", "run.jsonl")
    assert code == 1 and err.splitlines()[-1] == "12 labelled, 2 failed, 0 skipped as not media"
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines == [json.loads(line) for line in Path("run.jsonl").read_text().splitlines()]
    assert {line["file"] for line in lines if "error" in line} == {"in/bad.jpg", "in/b.tar::9999.jpg"}

    Path("in/bad.jpg").write_bytes(saved(photo(96, 128, 9), "JPEG"))
    packed([*members(2), ("9999.jpg", members(1)[0][1])], Path("in/b.tar"))
    code, out, err = run("embed", "in", "-o", "out", *FAST, "--engine", engine, "--retry-failed", "run.jsonl")
    assert code == 0 and len(out.splitlines()) == 2, err
    assert run("embed", "in/b.tar", "-o", "whole/b.tar", *FAST)[0] == 0
    assert written("out") == undisturbed()

    code, out, err = run("verify", "out", "--engine", engine, "--json")
    assert code == 0 and sorted(out.splitlines()) == sorted(run("verify", "out", "--json")[1].splitlines()), err
    code, out, _ = run("verify", "in", "--engine", engine, "--json", "--layers", "metadata", "--no-isolate")
    assert code == 1 and len(out.splitlines()) == 14, "the source is as it was"


@pytest.mark.parametrize("engine", ["daft", "ray"])
def test_a_run_whose_driver_was_killed_goes_on(engine):
    a_folder(60)
    words = ["embed", "in", "-o", "out", *FAST, "--engine", engine, "--resume", "--journal", "run.jsonl"]
    driver = begun(*words)
    while driver.poll() is None and len(written("out")) < 10:
        time.sleep(0.02)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    wanted, half = undisturbed(), written("out")
    whole = {name: data for name, data in half.items() if "/.labelkit-" not in f"/{name}"}  # what it left unfinished
    assert whole.items() <= wanted.items()
    code, out, err = run(*words)
    assert code == 0 and "already existed" in err, err
    assert written("out") == wanted
    for line in Path("run.jsonl").read_text().splitlines():
        assert "error" not in json.loads(line)


def test_a_task_that_ends_its_process_is_lost_alone():
    from labelkit.integrations.ray import each_done
    parts: dict[int, list[object]] = {}
    for task, part, ended in each_done(_dies_of_three, deque(range(6)), jobs=2):
        assert ended is (part in (None, []))
        parts.setdefault(task, []).append(part)
    assert parts == {number: [number, 2 * number, []] if number != 3 else [3, None] for number in range(6)}


def _dies_of_three(number: int) -> Iterator[int]:
    yield number
    if number == 3:
        os._exit(1)
    yield 2 * number


@pytest.mark.parametrize("engine", ["daft", "ray"])
def test_results_come_in_parts_that_are_not_all_held(engine):
    each_done = importlib.import_module(f"labelkit.integrations.{engine}").each_done
    seen = Counter(task for task, part, ended in each_done(_many, deque(range(2)), jobs=1)
                   if not ended and part[0] == "row")
    assert seen == {0: 300, 1: 300}


def _many(number: int) -> Iterator[list[object]]:
    for at in range(300):
        yield ["row", number, at]


def test_ray_that_cannot_be_reached_is_an_error():
    a_folder(1)
    code, out, err = run("embed", "in", "-o", "out", *FAST, "--engine", "ray", "--address", "127.0.0.1:1")
    assert code == 2 and not out and err.startswith("Ray cannot be reached at 127.0.0.1:1: ")
    assert not Path("out").exists()
