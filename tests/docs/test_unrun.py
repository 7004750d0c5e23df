# SPDX-License-Identifier: Apache-2.0
"""No block of the documentation is silently unrun: its page runs it, or it names the tests that do."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, Block, blocks, unfenced
from tests.docs.test_pages import name_of

PROGRAMS = ("console", "python", "yaml")
"""Languages of blocks that are to be run; JSON and TOML are parsed by test_pages.py."""
OTHERS = {"json", "toml", "html", "text"}


def named_in(path: str) -> set[str]:
    return {node.name for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8")))
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def missing(block: Block) -> list[str]:
    """The tests that a block names and that there are not."""
    wrong = []
    for test in block.tests:
        path, _, name = test.partition("::")
        if not path.startswith("tests/") or not (ROOT / path).is_file() or name not in named_in(path):
            wrong.append(test)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=map(name_of, PAGES))
def test_every_block_is_run_by_its_page_or_by_a_test_that_it_names(page: Path) -> None:
    assert unfenced(page.read_text("utf-8")) == []
    for block in blocks(page):
        where = f"{name_of(page)}:{block.line}"
        assert block.language in PROGRAMS or block.language in OTHERS, where
        assert missing(block) == [], where
        assert block.language != "yaml" or block.tests, where  # no page runs YAML


def test_the_negative_twin_tests_that_are_not_there_and_commands_outside_of_blocks_are_noticed() -> None:
    here = "tests/docs/test_unrun.py"
    assert missing(Block("console", "", 1, (f"{here}::test_of_nothing", "README.md::test_x"))) == [
        f"{here}::test_of_nothing", "README.md::test_x"]
    assert unfenced("Text:\n\n    $ labelkit verify a\n\nMore.\n") == ["$ labelkit verify a"]
    assert not unfenced("- Item:\n\n    goes on.\n\n```console\n\n    $ inside\n```\n")


def test_some_of_each_are_there() -> None:
    every = [block for page in PAGES if not page.is_relative_to(DOCS / "zh") for block in blocks(page)]
    assert sum(block.runs for block in every) > 60 and sum(not block.runs for block in every) > 30
