# SPDX-License-Identifier: Apache-2.0
"""Folders are read in processes of their own, single files in this one, unless it is said otherwise."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from labelkit import isolation
from labelkit.cli import isolated
from tests.cli.conftest import PRODUCER, write

WANTED = isolated.wanted


@pytest.fixture(autouse=True)
def default_of_the_program(plain_world, monkeypatch):
    """What the program does unasked, which other tests of the command line change."""
    monkeypatch.setattr(isolated, "wanted", WANTED)


@pytest.fixture
def dying(monkeypatch):
    """Processes that end before they have read a file: what is read is then not isolated."""
    monkeypatch.setattr(isolation, "_WORKER", [sys.executable, "-c", "pass"])


def test_a_folder_is_isolated_and_a_file_is_not(run, dying):
    write("in/a.jpg")
    write("in/b.jpg")
    code, out, err = run("verify", "in")
    assert code == 2 and out == "" and err.count("the process that read it came to an end") == 2
    assert run("verify", "in", "--no-isolate")[0] == 1 == run("verify", "in/a.jpg")[0]
    assert run("verify", "in/a.jpg", "--isolate")[0] == 2 == run("check", "in")[0]
    assert run("verify", "in/a.jpg", "--isolate", "--no-isolate")[0] == 1, "the last one counts"


def test_isolated_runs_say_what_others_say(run):
    write("cat.jpg")
    write("in/plain.jpg")
    assert run("embed", "cat.jpg", "-o", "in/labelled.jpg", *PRODUCER)[0] == 0
    for command in (("verify", "in"), ("check", "in", "--profile", "eu")):
        isolated, here = (run(*command, "--json", how) for how in ("--isolate", "--no-isolate"))
        assert (isolated[0], isolated[2]) == (here[0], here[2])
        assert [json.loads(line) for line in isolated[1].splitlines()] == [
            json.loads(line) for line in here[1].splitlines()]


def test_a_page_of_an_isolated_file_has_no_picture_that_was_decoded_here(run):
    write("cat.jpg")
    for how, shown in (("--no-isolate", True), ("--isolate", False)):
        run("check", "cat.jpg", "--html", "page.html", how)
        with open("page.html", encoding="utf-8") as page:
            assert ('class="preview"' in page.read()) is shown


@pytest.mark.parametrize(("how", "loaded"), [("--isolate", []), ("--no-isolate", ["labelkit.pipeline", "numpy"])])
def test_what_only_the_processes_need_is_not_loaded_here(how, loaded):
    write("in/a.jpg")
    program = ("import sys; from labelkit.cli.main import main; code = main(sys.argv[1:]); "
               "print(code, *sorted({'numpy', 'labelkit.pipeline'} & set(sys.modules)))")
    said = subprocess.run([sys.executable, "-c", program, "verify", "in", "--quiet", how], capture_output=True,
                          text=True, timeout=120).stdout.split("\n")
    assert said[-2].split() == ["1", *loaded]
