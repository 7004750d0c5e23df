# SPDX-License-Identifier: Apache-2.0
"""The messages in the code and their Chinese translations: which there are, and in which file each belongs.

    python -m tests.twins       # sort the translations into their files; list what is missing and what is unused

A translation belongs in labelkit/locale/zh_CN/<room>.json: the room is the folder of the code that says it. Messages
of several rooms, and of modules outside the folders, belong in core.json. Each file follows the order of the code.
"""

from __future__ import annotations

import ast
import functools
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import labelkit
from labelkit import errors

ROOT = Path(labelkit.__file__).parent
FOLDER = ROOT / "locale" / "zh_CN"
ERRORS = {name for name, value in vars(errors).items()
          if isinstance(value, type) and issubclass(value, errors.LabelkitError)}
ARGPARSE = ["usage: ", "options", "positional arguments", "the following arguments are required: %s",
            "unrecognized arguments: %s", "expected one argument", "argument %(argument_name)s: %(message)s",
            "invalid choice: %(value)r (choose from %(choices)s)", "invalid %(type)s value: %(value)r",
            "not allowed with argument %s", "one of the arguments %s is required"]
"""What argparse says, through the command line."""


def _literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def templates(path: Path) -> Iterator[tuple[str, int, bool]]:
    """(template, line, whether it is a hint) of each Message, error, hint and argparse text in a file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        said = [(node.args[0], False)] if name in ERRORS | {"Message", "_"} and node.args else []
        if name in ERRORS:
            said += [(keyword.value, True) for keyword in node.keywords if keyword.arg == "hint"]
        for text, is_hint in said:
            if (template := _literal(text)) is not None:
                yield template, text.lineno, is_hint


def places(*, hints: bool | None = None) -> dict[str, list[str]]:
    """Each template, and where the code says it ("cli/embed.py:12"), in the order of the code.

    hints   only hints, or only messages that are none
    """
    found: dict[str, list[str]] = {} if hints else {template: ["cli/argparse"] for template in ARGPARSE}
    for template, place, is_hint in _scanned():
        if hints in (None, is_hint):
            found.setdefault(template, []).append(place)
    return found


@functools.cache
def _scanned() -> list[tuple[str, str, bool]]:
    return [(template, f"{path.relative_to(ROOT).as_posix()}:{line}", is_hint) for path in sorted(ROOT.rglob("*.py"))
            for template, line, is_hint in sorted(templates(path), key=lambda one: one[1])]


def room(where: list[str]) -> str:
    """The file that a translation belongs in, by the places that say its template."""
    folders = {place.partition("/")[0] if "/" in place else "core" for place in where}
    return folders.pop() if len(folders) == 1 else "core"


def catalogue() -> dict[str, dict[str, str]]:
    """The translations of each file, by its name without .json."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def arranged() -> dict[str, dict[str, str]]:
    """The translations of all templates in the code, each in the file where it belongs."""
    known = {template: twin for twins in catalogue().values() for template, twin in twins.items()}
    files: dict[str, dict[str, str]] = {}
    for template, where in places().items():
        if template in known:
            files.setdefault(room(where), {})[template] = known[template]
    return files


def main() -> int:
    """Rewrite the files; returns 1 if a translation is missing or unused."""
    before, after, said = catalogue(), arranged(), places()
    known = {template for twins in before.values() for template in twins}
    missing = [f"missing {where[0]}: {template}" for template, where in said.items() if template not in known]
    unused = {template: twin for twins in before.values() for template, twin in twins.items() if template not in said}
    print("\n".join(missing + [f"unused: {template}: {twin}" for template, twin in unused.items()]))
    for name in before.keys() | after.keys():
        kept = {template: twin for template, twin in before.get(name, {}).items() if template in unused}
        path, twins = FOLDER / f"{name}.json", {**after.get(name, {}), **kept}  # the unused ones for a second look
        if twins:
            path.write_text(json.dumps(twins, ensure_ascii=False, indent=1) + "\n", "utf-8")
        else:
            path.unlink()
    return 1 if missing or unused else 0


if __name__ == "__main__":
    sys.exit(main())
