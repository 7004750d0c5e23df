# SPDX-License-Identifier: Apache-2.0
"""Real signals while films are labelled: nothing is left behind, and nobody waits for the end of a film."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import labelkit
from tests.films import film

ROOT = Path(labelkit.__file__).parents[1]


def spawn(*words: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "labelkit", "embed", "--producer", "acme", "--preset", "slower", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env={**os.environ, "PYTHONPATH": str(ROOT)})


def under_way(folder: Path, count: int, process: subprocess.Popen) -> None:
    """Waits until so many films are being written."""
    deadline = time.monotonic() + 600
    while len(list(folder.glob(".labelkit-*/encoded*"))) < count:
        assert process.poll() is None and time.monotonic() < deadline, "it ended before it could be stopped"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A film that takes a while."""
    return film(tmp_path_factory.mktemp("in") / "film.mkv", size=(640, 360), count=600, sound=["aac"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("existing", [True, False])
def test_a_stopped_film_leaves_what_was_there(number, existing, source):
    folder = Path.cwd()
    target = folder / "out.mkv"
    if existing:
        target.write_bytes(b"what was there")
    with spawn(str(source), "-o", str(target), "--soundtrack", "explicit") as process:
        under_way(folder, 1, process)
        process.send_signal(number)
        _, err = process.communicate(timeout=600)
    assert process.returncode == 130 and err.decode() == "stopped; no file was left half written\n"
    assert [path.name for path in folder.iterdir()] == (["out.mkv"] if existing else [])
    assert not existing or target.read_bytes() == b"what was there"


def test_several_films_at_a_time_are_given_up_at_once(source, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "abcd":
        (folder / f"{name}.mkv").symlink_to(source)
    out = tmp_path / "out"
    out.mkdir()
    with spawn(*(str(folder / f"{name}.mkv") for name in "abcd"), "-o", str(out), "--jobs", "2") as process:
        under_way(out, 2, process)
        finished = set(out.glob("*.mkv"))  # a busy machine may begin one long after another
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=600)
    assert process.returncode == 130 and "stopped" in err.decode()
    assert set(out.iterdir()) == finished and len(finished) < 3


def test_left_alone_the_same_film_is_labelled(source):
    with spawn(str(source), "-o", "out.mkv", "--no-check", "--preset", "ultrafast") as process:
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0 and err == b""
    assert [path.name for path in Path.cwd().iterdir()] == ["out.mkv"] and b"labelled" in out
