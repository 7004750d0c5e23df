# SPDX-License-Identifier: Apache-2.0
"""What a killed run leaves is removed by the next one; what a run at work uses is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labelkit.container import Transaction, workfolder
from labelkit.container.workfolder import WorkFolder, remove_abandoned

_WORK = """
import sys
from labelkit.container import Transaction
with Transaction(sys.argv[1]) as new:
    new.stage("half").write_bytes(b"half")
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def at_work(tmp_path):
    """A process that holds a transaction for tmp_path/film.mkv."""
    process = subprocess.Popen([sys.executable, "-c", _WORK, str(tmp_path / "film.mkv")], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, cwd=Path(workfolder.__file__).parents[2])
    assert process.stdout.readline().strip() == b"ready"
    yield process
    process.kill()
    process.communicate()


def test_a_folder_in_use_stays_and_that_of_a_killed_process_goes(at_work, tmp_path):
    left, = tmp_path.iterdir()
    assert remove_abandoned([tmp_path]) == 0 and (left / "half").exists()
    at_work.kill()
    at_work.wait()
    assert (left / "half").exists(), "a killed process removes nothing itself"
    assert remove_abandoned([tmp_path, str(tmp_path)]) == 1 and list(tmp_path.iterdir()) == []


def test_a_process_that_ends_leaves_nothing(at_work, tmp_path):
    at_work.communicate(b"")
    assert at_work.returncode == 0 and list(tmp_path.iterdir()) == []


def test_age_decides_nothing(at_work, tmp_path):
    left, = tmp_path.iterdir()
    os.utime(left, (0, 0))
    os.utime(left / "lock", (0, 0))
    assert remove_abandoned([tmp_path]) == 0 and left.exists()


def test_a_folder_whose_process_died_before_it_made_the_lock_goes_too(tmp_path):
    (tmp_path / ".labelkit-a1b2c3d4").mkdir()
    assert remove_abandoned([tmp_path]) == 1 and list(tmp_path.iterdir()) == []


def test_nothing_else_is_touched(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").write_text("x")
    (tmp_path / ".labelkit-a1b2c3d4").symlink_to(tmp_path / "elsewhere")
    (tmp_path / ".labelkit-b1b2c3d4").write_text("a file")
    for name in (".labelkit-settings", ".labelkit-", ".labelkit-A1B2C3D4", "labelkit-a1b2c3d4"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "precious").write_text("x")
    before = sorted(tmp_path.rglob("*"))
    assert remove_abandoned([tmp_path, tmp_path / "none"]) == 0 and sorted(tmp_path.rglob("*")) == before


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / ".labelkit-a1b2c3d4").mkdir()
    (tmp_path / ".labelkit-a1b2c3d4" / "lock").symlink_to(tmp_path / "made")
    assert remove_abandoned([tmp_path]) == 0 and not (tmp_path / "made").exists()


def test_a_new_folder_that_another_run_removes_is_made_again(tmp_path, monkeypatch):
    """Between making and locking it, another run may take a folder for abandoned."""
    make, made = workfolder.tempfile.mkdtemp, []

    def removed_once(**named):
        made.append(make(**named))
        if len(made) == 1:
            assert remove_abandoned([tmp_path]) == 1
        return made[-1]
    monkeypatch.setattr(workfolder.tempfile, "mkdtemp", removed_once)
    folder = WorkFolder(tmp_path)
    assert len(made) == 2 and folder.path.is_dir()
    folder.close()
    assert list(tmp_path.iterdir()) == []


def test_where_there_are_no_locks_work_goes_on_and_nothing_is_removed(tmp_path, monkeypatch):
    def refuse(descriptor):
        raise OSError(95, "Operation not supported")
    monkeypatch.setattr(workfolder, "_lock", refuse)
    with Transaction(tmp_path / "x") as new:
        new.stage("half").write_bytes(b"half")
        assert remove_abandoned([tmp_path]) == 0 and new.stage("half").exists()
    assert list(tmp_path.iterdir()) == []
