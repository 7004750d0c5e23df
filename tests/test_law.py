# SPDX-License-Identifier: Apache-2.0
"""docs/law.md is what the table says, and the table names nothing that there is not and leaves no rule out."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from tests import law
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


def test_the_page_is_what_the_table_says():
    text = (TESTS.parent / "docs" / "law.md").read_text("utf-8")
    assert text == "\n".join(law.page()).rstrip() + "\n", "python -m tests.law > docs/law.md"


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
