# SPDX-License-Identifier: Apache-2.0
"""What the command line does with the paths of Windows, asked of Windows' path rules on any machine."""

from __future__ import annotations

import ntpath
import os

import pytest

from labelkit.cli import files
from labelkit.errors import InvalidArgument


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "path", ntpath)
    monkeypatch.setattr(os, "sep", "\\")


@pytest.mark.parametrize("name", ["C:\\pictures\\cat.png", "C:/pictures/cat.png", "\\pictures\\cat.png",
                                  "pictures/cat.png", "\\\\server\\share\\pictures\\cat.png"])
def test_a_listed_file_keeps_its_folders_but_not_its_drive(windows, name):
    """With its drive, the place of its result would be the file itself, whatever folder the results go to."""
    assert files._listed(name).relative == "pictures\\cat.png"


def test_a_listed_name_is_kept_for_reading(windows):
    assert files._listed("C:\\pictures\\cat.png").path == "C:\\pictures\\cat.png"


def test_a_listed_file_below_the_root_keeps_its_folders():
    assert files._listed("/pictures/cat.png").relative == "pictures/cat.png"
    with pytest.raises(InvalidArgument):
        files._listed("../cat.png")
