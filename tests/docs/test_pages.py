# SPDX-License-Identifier: Apache-2.0
"""Every block of code and every command of the documentation does what the page says."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest

from labelkit.cli import parser
from tests.docs.pages import DOCS, PAGES, ROOT, blocks, commands, matches, program, run, wrong_imports

RUN = [page for page in PAGES
       if any(block.language in ("python", "console") and block.runs for block in blocks(page))]


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


@pytest.mark.parametrize("page", RUN, ids=map(name_of, RUN))
def test_what_a_page_shows_is_what_happens(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    monkeypatch.chdir(tmp_path)
    if page.is_relative_to(DOCS / "zh"):
        monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    names: dict[str, object] = {"__name__": "page"}
    for block in (block for block in blocks(page) if block.runs):
        if block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), names)
        elif block.language == "console":
            follow(block.text, f"{name_of(page)}:{block.line}")


def follow(text: str, where: str) -> None:
    """Run the commands of a block and compare what they print."""
    code, said = 0, [""]
    steps = commands(text)
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        if step.words == "echo $?":
            assert step.printed == [str(code)], f"{where}: exit code {code} of\n" + "\n".join(said)
            continue
        code, said = run(step.words)
        shown = f"{where}: $ {step.words}\n" + "\n".join(said)
        assert code == 0 or following and following.words == "echo $?", f"{shown}\nexit code {code}"
        assert not step.printed or matches(said, step.printed), shown


def test_every_block_of_python_compiles_and_imports_what_there_is() -> None:
    code = [(block, page) for page in PAGES for block in blocks(page) if block.language == "python"]
    assert len(code) > 30
    for block, page in code:
        assert wrong_imports(block.text) == [], f"{name_of(page)}:{block.line}"


def test_the_negative_twin_a_wrong_import_is_noticed() -> None:
    assert wrong_imports("from labelkit import embed, nothing\nfrom labelkit.nowhere import x") == [
        "nothing", "labelkit.nowhere"]
    with pytest.raises(SyntaxError):
        wrong_imports("def")


def test_the_negative_twin_what_is_not_printed_is_noticed() -> None:
    assert matches(["one 2 three", "four"], ["one … three", "…"]) and matches([], ["…"])
    assert not matches(["one 2 three"], ["one … four"]) and not matches(["one", "two"], ["one"])
    with pytest.raises(AssertionError):
        follow("$ labelkit --version\nlabelkit of another kind\n", "here")
    with pytest.raises(AssertionError):
        follow("$ labelkit verify no-such-file\n", "here")


def test_every_command_that_is_not_run_parses_or_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    built = parser.build()
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for page in PAGES:
        for words in (step.words for block in blocks(page) for step in commands(block.text)):
            parts = shlex.split(words, comments=True)
            if program(words) == "labelkit":
                options = built.parse_args(shlex.split(words.partition(" > ")[0], comments=True)[
                    parts.index("labelkit") + 1 :]) if "--version" not in parts and "--help" not in parts else None
                assert options is None or options.command
            elif parts[0] == "make":
                assert set(parts[1:]) <= targets, f"{name_of(page)}: {words}"
            elif parts[:2] == ["pip", "install"]:
                named = re.findall(r"\[([\w,-]+)\]", words)
                assert all(set(one.split(",")) <= set(extras) for one in named), f"{name_of(page)}: {words}"
            elif parts[:2] == ["python", "-m"] and parts[2].startswith(("benchmarks.", "docs.", "labelkit")):
                place = ROOT.joinpath(*parts[2].split("."))
                assert place.with_suffix(".py").exists() or place.is_dir(), f"{name_of(page)}: {words}"


def test_every_block_of_data_is_well_formed() -> None:
    for page in PAGES:
        for block in blocks(page):
            if block.language == "json":
                json.loads(block.text)
            elif block.language == "toml":
                tomllib.loads(block.text)
