# SPDX-License-Identifier: Apache-2.0
"""A world without the user's settings, and a way to run commands in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labelkit.cli import main as cli
from tests.media import photo, saved

PRODUCER = ["--producer", "acme"]


@pytest.fixture(autouse=True)
def plain_world(monkeypatch, tmp_path):
    """No settings of the machine's user, English, an empty folder to work in, and nobody to read text in pictures.

    Folders are verified in this process unless --isolate says otherwise: starting others takes seconds a test.
    """
    monkeypatch.setattr("labelkit.explicit.image.ocr.available", lambda: False)
    monkeypatch.setattr("labelkit.cli.isolated.wanted", lambda items, options: bool(options.isolate))
    for name in [name for name in os.environ if name.startswith(("LABELKIT_", "LC_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nothing"))
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)


@pytest.fixture
def run(capsys):
    """Runs one command in this process: (exit code, stdout, stderr)."""
    def call(*words: object) -> tuple[int, str, str]:
        try:
            code = cli.main(list(map(str, words)))
        except SystemExit as stop:
            code = stop.code
        out = capsys.readouterr()
        assert "Traceback" not in out.out + out.err
        return code, out.out, out.err
    return call


def write(name: str, seed: int = 1) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(saved(photo(seed=seed), "JPEG", quality=92))
    return path
