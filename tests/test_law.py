# SPDX-License-Identifier: Apache-2.0
"""The pages of the law are what the table says; the table names nothing that there is not, and leaves no rule out."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from tests import law, law_zh
from tests.test_jurisdictions import rules_in_the_code

TESTS = Path(__file__).parent
CLAUSES = [one for clauses in law.LAWS.values() for one in clauses]


def found(dotted: str) -> object:
    """What a dotted name stands for; raises where there is no such thing."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for name in parts[cut:]:
            value = getattr(value, name)
        return value
    raise AttributeError(dotted)


@pytest.mark.parametrize("name", ["law.md", "zh/law.md"])
def test_the_page_is_what_the_table_says(name):
    text, chinese = (TESTS.parent / "docs" / name).read_text("utf-8"), name.startswith("zh")
    assert text == "\n".join(law.page(chinese)).rstrip() + "\n", f"python -m tests.law > docs/{name}"


def test_every_word_of_the_table_has_its_chinese_and_no_other_has():
    words = {one.asks for one in CLAUSES} | {one.why_not for one in CLAUSES if one.why_not}
    assert law_zh.TEXTS.keys() == words and law_zh.LAWS.keys() == law.LAWS.keys()
    named = {one.clause for one in CLAUSES}
    assert law_zh.CLAUSES.keys() <= named
    assert all(re.fullmatch(r"[§ ().A-Z0-9a-z-]{1,18}", one) for one in named - law_zh.CLAUSES.keys())


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda one: one.clause)
def test_each_clause_is_done_and_tested_or_says_why_not(clause):
    assert all(callable(found(name)) for name in clause.functions)
    assert bool(clause.functions) != bool(clause.why_not)
    assert bool(clause.tests) == bool(clause.functions or clause.rules)
    for test in clause.tests:
        path, name = test.split("::")
        tree = ast.parse((TESTS / path).read_text("utf-8"))
        assert name in {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}, test


def test_every_rule_stands_in_the_table_and_no_other():
    assert {rule for one in CLAUSES for rule in one.rules} == rules_in_the_code()


def test_a_name_that_there_is_not_is_noticed():
    with pytest.raises(AttributeError):
        found("labelkit.no_such_function")
