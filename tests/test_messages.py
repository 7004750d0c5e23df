# SPDX-License-Identifier: Apache-2.0
"""Every text that labelkit says has a Chinese twin with the same facts."""

import ast
import json
import string
from pathlib import Path

import pytest

import labelkit
from labelkit import errors
from labelkit.messages import Message

ROOT = Path(labelkit.__file__).parent
ERRORS = {name for name, value in vars(errors).items()
          if isinstance(value, type) and issubclass(value, errors.LabelkitError)}
ARGPARSE = ["usage: ", "options", "positional arguments", "the following arguments are required: %s",
            "unrecognized arguments: %s", "expected one argument", "argument %(argument_name)s: %(message)s",
            "invalid choice: %(value)r (choose from %(choices)s)", "invalid %(type)s value: %(value)r",
            "not allowed with argument %s", "one of the arguments %s is required"]


def _literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _templates(path: Path) -> list[tuple[str, str]]:
    """(template, where) of each Message, error, hint and argparse text in a file."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        where = f"{path.relative_to(ROOT)}:{node.lineno}"
        if name in ERRORS | {"Message", "_"} and node.args:
            found.append((_literal(node.args[0]), where))
        if name in ERRORS:
            found += [(_literal(keyword.value), where) for keyword in node.keywords if keyword.arg == "hint"]
    return found


def _all() -> dict[str, str]:
    found = dict.fromkeys(ARGPARSE, "argparse")
    for path in sorted(ROOT.rglob("*.py")):
        for template, where in _templates(path):
            if template is not None:
                found[template] = where
    return found


def _catalogue() -> dict[str, str]:
    merged = {}
    for path in sorted((ROOT / "locale" / "zh_CN").glob("*.json")):
        merged |= json.loads(path.read_text("utf-8"))
    return merged


def _facts(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def test_every_template_has_a_chinese_twin():
    catalogue = _catalogue()
    missing = [f"{where}: {template}" for template, where in _all().items() if template not in catalogue]
    assert not missing, "\n".join(missing)


def test_twins_hold_the_same_facts():
    wrong = [english for english, chinese in _catalogue().items()
             if "%" not in english and _facts(english) != _facts(chinese)]
    assert not wrong


def test_no_twin_is_without_its_english():
    """A twin whose English was reworded would never be shown."""
    known = _all()
    orphans = [english for english in _catalogue() if english not in known]
    assert not orphans, "\n".join(orphans)


def test_scan_sees_what_it_must(tmp_path):
    """The negative twin: a template without a twin is found, in each of the four ways of saying something."""
    source = ROOT / "errors.py"
    module = tmp_path / "x.py"
    module.write_text('raise InvalidArgument("one {a}", a=1, hint="two")\nMessage("three")\nargparse._("four")\n')
    try:
        globals()["ROOT"] = tmp_path
        found = [template for template, _ in _templates(module)]
    finally:
        globals()["ROOT"] = source.parent
    assert found == ["one {a}", "two", "three", "four"]


def test_no_twin_means_english():
    assert Message("no such template {x}", x=1).text("zh-CN") == "no such template 1"


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_facts_may_be_messages(language):
    inner = Message("no manifest")
    assert inner.text(language) in Message("{reason}", reason=inner).text(language)
