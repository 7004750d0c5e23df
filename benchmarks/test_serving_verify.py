# SPDX-License-Identifier: Apache-2.0
"""What verifying costs a service: the whole call, 1024 x 1024, beside Pillow's JPEG q90 of the same picture; on
threads, and on the command line with one job, two and sixteen.

Figures of threads and jobs are wall-clock ratios of runs in turn: they want a machine of two cores that does nothing
else.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import labelkit as lk
from benchmarks.conftest import ratio

SAMPLE = Path(__file__).parents[1] / "samples" / "valley.jpg"
LABEL = lk.Label(lk.Kind.GENERATED, "001191440300708461136T1XGW3", "2026-000017")
CONDITIONS = "1024x1024 JPEG q90, processor time"
FILES, MANY, ROUNDS = 60, 300, 3
ELSEWHERE = lk.Plan(explicit=lk.Explicit(corner="top-left", height=0.08))


def to_jpeg(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=90)
    return out.getvalue()


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.asarray(Image.open(SAMPLE).convert("RGB").resize((1024, 1024)))


@pytest.fixture(scope="module")
def jpegs(pixels) -> dict[str, bytes]:
    plain = to_jpeg(pixels)
    return {"unmarked": plain, "labelled": lk.embed(plain, label=LABEL),
            "labelled elsewhere": lk.embed(plain, label=LABEL, plan=ELSEWHERE)}


@pytest.mark.parametrize("kind,most", [("labelled", 5), ("labelled elsewhere", None), ("unmarked", 60)])
def test_verifying(pixels, jpegs, figure, kind, most):
    data = jpegs[kind]
    report = lk.verify(data)
    assert (report.verdict is lk.Verdict.NONE) is (kind == "unmarked")
    figure(f"verify {kind}, to Pillow's JPEG q90", ratio(lambda: lk.verify(data), lambda: to_jpeg(pixels)), most=most,
           conditions=CONDITIONS)


@pytest.mark.parametrize("isolate", [False, True], ids=["threads", "isolated processes"])
@pytest.mark.parametrize("kind,files", [("labelled", 200), ("unmarked", 24)])
def test_verifying_many_at_a_time(jpegs, figure, kind, files, isolate):
    """Without the first file, with which processes start."""
    def wall(jobs: int) -> float:
        reports = lk.verify_many([jpegs[kind]] * files, jobs=jobs, isolate=isolate)
        next(reports)
        start = time.perf_counter()
        assert len(list(reports)) == files - 1
        return time.perf_counter() - start

    what = f"verify_many {kind}, two {'isolated processes' if isolate else 'threads'} to one"
    figure(what, min(wall(1) for _ in range(3)) / min(wall(2) for _ in range(3)), least=1.85,
           conditions=f"{files} files, wall clock")


@pytest.fixture(scope="module")
def folder(jpegs, tmp_path_factory) -> Path:
    made: Path = tmp_path_factory.mktemp("files")
    for name, kinds, files in (("bare", ["unmarked"], FILES), ("mixed", ["labelled", "unmarked"], FILES),
                               ("many", ["unmarked"], MANY)):
        for place, count in ((made / name, files), (made / "one" / name, 1)):
            place.mkdir(parents=True)
            for i in range(count):
                (place / f"{i:03}.jpg").write_bytes(jpegs[kinds[i % len(kinds)]])
    return made


COMMANDS: dict[str, Callable[[Path], list[str]]] = {
    "embed": lambda folder: ["embed", str(folder / "many"), "-o", str(folder / "out"), "--producer", "p1"],
    "verify": lambda folder: ["verify", str(folder / "mixed")],
    "check": lambda folder: ["check", str(folder / "mixed")],
    "propagate": lambda folder: ["propagate", str(folder / "bare"), "-o", str(folder / "out"), "--propagator", "p1",
                                 "--declared"]}


@pytest.mark.parametrize("command", COMMANDS)
def test_jobs(folder, figure, command):
    """The time of a run less that of a run over a folder of one file, which is spent on starting."""
    def run(jobs: int, words: list[str]) -> float:
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "labelkit", *words, "--jobs", str(jobs)], capture_output=True,
                              env={**os.environ, "LABELKIT_LANG": "en"})
        assert done.returncode in (0, 1, 2), done.stderr.decode()
        return time.perf_counter() - start

    words = COMMANDS[command](folder)
    one = COMMANDS[command](folder / "one")
    times: dict[int, list[float]] = {0: [], 1: [], 2: [], 16: []}
    for _ in range(ROUNDS):
        times[0].append(run(1, one))
        for jobs in (1, 2, 16):
            times[jobs].append(run(jobs, words))
    start, single, two, many = (min(spent) for spent in times.values())
    files = MANY if command == "embed" else FILES
    conditions = f"{files} files of 1024x1024, wall clock without the start of {start:.2f} s"
    figure(f"{command}: --jobs 1 to --jobs 2", (single - start) / (two - start), least=1.8, conditions=conditions)
    figure(f"{command}: --jobs 16 to --jobs 2", (many - start) / (two - start), most=1.05, conditions=conditions)
    figure(f"{command}: files a second with --jobs 2", files / two, conditions=conditions)
