# SPDX-License-Identifier: Apache-2.0
"""One file's failure, of whatever kind, is one line, and the run goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labelkit import container, metadata, pipeline, unforeseen
from labelkit.cli import main as cli, outcome
from labelkit.errors import InvalidArgument
from tests.cli.conftest import PRODUCER, write


class Panic(BaseException):
    """As the panics of Rust libraries: no Exception."""


@pytest.fixture
def defect(monkeypatch):
    """Makes the verb fail for files whose name holds "bad"."""
    def install(verb: str, error: BaseException) -> None:
        right = getattr(pipeline, verb)

        def wrong(source, *arguments, **named):
            if "bad" in str(source):
                raise error
            return right(source, *arguments, **named)
        monkeypatch.setattr(pipeline, verb, wrong)
    return install


@pytest.mark.parametrize("error", [ValueError("range() arg 3\nmust not be zero"), AttributeError("x"), Panic("index"),
                                   RecursionError("deep"), AssertionError()])
def test_an_unforeseen_error_is_one_line_and_the_run_goes_on(error, run, defect):
    for name in ("a", "bad", "c"):
        write(f"in/{name}.jpg")
    defect("embed", error)
    code, out, err = run("embed", "in", "-o", "out", *PRODUCER, "--jobs", "1")
    assert code == 2 and sorted(path.name for path in Path("out").iterdir()) == ["a.jpg", "c.jpg"]
    lines = err.splitlines()
    assert len(lines) == 3 and lines[0].startswith(f"in/bad.jpg: {type(error).__name__} in cli/embed.py:")
    assert "labelkit 0." in lines[0] and lines[1].startswith("hint: this is a defect of labelkit: please report it")
    assert lines[2] == "2 labelled, 1 failed, 0 skipped as not media"


@pytest.mark.parametrize("command", ["verify", "check", "propagate"])
def test_every_command_goes_on(command, run, defect):
    for name in ("a", "bad", "c"):
        write(f"in/{name}.jpg")
    defect("verify", ZeroDivisionError("division by zero"))
    words = ("-o", "out", "--propagator", "p") if command == "propagate" else ()
    code, out, err = run(command, "in", *words, "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert code == 2 and [Path(one["file"]).name for one in found] == ["a.jpg", "bad.jpg", "c.jpg"]
    error = found[1]["error"]
    assert error["type"] == "UnforeseenError" and "ZeroDivisionError in cli/" in error["message"]
    assert "error" not in found[0] and "error" not in found[2]


def test_what_was_foreseen_keeps_its_exit_code(run, defect):
    """The negative twin."""
    write("bad.jpg")
    defect("embed", InvalidArgument("no"))
    code, _, err = run("embed", "bad.jpg", "-o", "out.jpg", *PRODUCER)
    assert (code, err) == (1, "bad.jpg: no\n")


@pytest.mark.parametrize(("error", "said"), [(MemoryError(), "the memory of the machine is not sufficient"),
                                             (OSError(5, "Input/output error"), "the system refused: Input/output")])
def test_what_the_machine_lacks_is_no_defect(error, said, run, defect):
    write("bad.jpg")
    defect("embed", error)
    code, _, err = run("embed", "bad.jpg", "-o", "out.jpg", *PRODUCER)
    assert code == 1 and err.startswith(f"bad.jpg: {said}") and "defect" not in err


def test_ctrl_c_still_ends_the_run(run, defect):
    write("bad.jpg")
    defect("embed", KeyboardInterrupt())
    assert run("embed", "bad.jpg", "-o", "out.jpg", *PRODUCER)[0] == 130


def test_an_error_outside_of_the_files_is_a_line_too(run, monkeypatch):
    write("a.jpg")
    monkeypatch.setattr(metadata.sm2, "load_pins", lambda path: 1 // 0)
    monkeypatch.setattr("labelkit.metadata.sm2.load_pins", lambda path: 1 // 0)
    code, _, err = run("verify", "a.jpg", "--sm2-pin", "x")
    assert code == 2 and err.startswith("ZeroDivisionError in cli/options.py:") and err.count("\n") == 2


def test_a_format_that_cannot_be_told_is_reported_with_its_file(run, monkeypatch):
    write("in/a.jpg")
    write("in/bad.jpg")
    right = container.sniff

    def wrong(source):
        if "bad" in str(getattr(source, "name", source)):
            raise IndexError("x")
        return right(source)
    monkeypatch.setattr(container, "sniff", wrong)
    code, out, err = run("embed", "in", "-o", "out", *PRODUCER)
    assert code == 2 and "in/bad.jpg: IndexError in " in err and out.startswith("in/a.jpg -> out/a.jpg")


def test_the_traceback_is_shown_only_when_asked(capsys, monkeypatch):
    def fails() -> None:
        raise ValueError("zero")
    for debug in ("", "1"):
        monkeypatch.setenv(unforeseen.DEBUG, debug)
        try:
            fails()
        except ValueError as error:
            outcome.say_error(unforeseen.translated(error), "en")
        assert ("Traceback" in capsys.readouterr().err) == bool(debug)
    assert cli.UNANSWERED == 2
