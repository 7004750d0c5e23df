# SPDX-License-Identifier: Apache-2.0
"""Each way to call embed and verify has one type, as pyright (basic) sees it in a user's program."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import labelkit

pytest.importorskip("pyright", reason="pyright is not installed: make .venv/lint")

PROGRAMS = Path(__file__).parent / "typed"


def _errors(program: str, folder: Path) -> dict[int, str]:
    """The errors that pyright finds in a program outside the source tree, by line."""
    shutil.copy(PROGRAMS / program, folder)
    (folder / "pyrightconfig.json").write_text(json.dumps({
        "typeCheckingMode": "basic", "extraPaths": [str(Path(labelkit.__file__).parents[1])], "include": [program]}))
    command = [sys.executable, "-m", "pyright", "-p", folder, "--pythonpath", sys.executable, "--outputjson"]
    offline = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}  # else it asks whether there is a newer version
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=folder, env=offline)
    found = json.loads(done.stdout)
    assert found["summary"]["filesAnalyzed"] == 1, done.stdout
    return {each["range"]["start"]["line"] + 1: each["message"] for each in found["generalDiagnostics"]
            if each["severity"] == "error"}


def test_each_way_to_call_has_the_type_that_it_returns(tmp_path):
    errors = _errors("right.py", tmp_path)
    assert not errors, "\n".join(f"right.py:{line}: {message}" for line, message in errors.items())


def test_wrong_calls_are_refused_and_right_ones_beside_them_are_not(tmp_path):
    lines = (PROGRAMS / "wrong.py").read_text("utf-8").splitlines()
    refused = {number for number, line in enumerate(lines, 1) if "# refused" in line}
    assert len(refused) > 15 and set(_errors("wrong.py", tmp_path)) == refused
