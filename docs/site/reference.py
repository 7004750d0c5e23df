# SPDX-License-Identifier: Apache-2.0
"""What the pages of docs/reference take from the code each time they are built.

`<!-- from the code: options -->` stands for a table that is made here, `<!-- labelkit.embed -->` for a name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import labelkit
from docs.site import api, parsers
from labelkit import container, errors
from labelkit.cli import parser, settings
from labelkit.service import parameters

_TABLE = re.compile(r"^<!-- from the code: (\w+) -->$", re.MULTILINE)
_NAME = re.compile(r"^<!-- (labelkit(?:\.\w+)*) -->$", re.MULTILINE)
_SCHEMA = Path(labelkit.__file__).with_name("report.schema.json")
_HOMES = {container.XMP: "an XMP packet", container.TEXT: "a text under the key AIGC", "": "no place: words alone"}


def filled(text: str) -> str:
    """A page with what is made from the code in the place of its marks; raises KeyError for a mark of no table."""
    text = _TABLE.sub(lambda found: _TABLES[found[1]](), text)
    return _NAME.sub(lambda found: api.described(found[1]), text)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def _code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _options(rows: Sequence[tuple[str, str]]) -> str:
    return _table(("option", "what it does"), [(_code(name), _cell(said)) for name, said in rows])


def common() -> str:
    """The options that every command takes."""
    return _options([row for _, rows in parsers.root().groups for row in rows])


def commands() -> str:
    """Every command with its own options."""
    shared = {row for _, rows in parsers.root().groups for row in rows}
    text = ""
    for command in parsers.commands():
        text += f"## labelkit {command.name}\n\n```text\n{command.usage.removeprefix('usage: ')}\n```\n\n"
        text += f"{_cell(command.description)}\n\n"
        for title, rows in command.groups:
            title = {"positional arguments": "arguments"}.get(title, title)
            own = [row for row in rows if row not in shared]
            text += f"**{title}**\n\n{_options(own)}\n" if own else ""
    return text


def exceptions() -> str:
    """Every exception and warning of labelkit.errors."""
    classes = [one for one in vars(errors).values() if isinstance(one, type)
               and issubclass(one, errors.LabelkitError | errors.LabelkitWarning)]
    rows = [(_code(one.__name__), _cell((one.__doc__ or "").split("\n\n")[0]), _code(one.__base__.__name__))
            for one in classes if one.__base__]
    return _table(("class", "when", "is a"), rows)


def report_keys() -> str:
    """The keys of a report."""
    properties = json.loads(_SCHEMA.read_text("utf-8"))["properties"]
    return _table(("key", "value"), [(_code(name), _kind(part)) for name, part in properties.items()])


def _kind(part: dict[str, Any]) -> str:
    if "const" in part:
        return _code(part["const"])
    if "enum" in part:
        return "one of " + ", ".join(map(_code, part["enum"]))
    if part.get("type") == "array":
        return f"array of {part['items'].get('type', 'value')}s"
    if part.get("type") == "object":
        return "object: " + ", ".join(map(_code, part.get("properties", {})))
    return _cell(str(part.get("type", "see the schema")))


def schema() -> str:
    """The JSON Schema of a report."""
    return f"```json\n{_SCHEMA.read_text('utf-8').strip()}\n```"


def keys() -> str:
    """Every key of a settings file, with its variable and the commands that it is of."""
    used: dict[str, list[str]] = {}
    for command, built in settings._commands(parser.build()).items():
        for name in settings._options(built):
            used.setdefault(name, []).append(command)
    return _table(("key", "variable", "commands"),
                  [(_code(name), _code(settings._variable(name)), ", ".join(of)) for name, of in sorted(used.items())])


def decisive() -> str:
    """The keys that a file in a folder of the run must not set."""
    return ", ".join(map(_code, sorted(settings._DECISIVE)))


def formats() -> str:
    """The formats whose metadata are read and written."""
    rows = [(_code(known.name), known.family, _HOMES[known.home], _cell((module.__doc__ or "").split("\n\n")[0]))
            for module in container._MODULES for known in module.FORMATS]
    return _table(("format", "kind", "the label is stored in", "structure, and its sources"), rows)


def routes() -> str:
    """The parameters of the service, route by route; first those of every route."""
    shared = [one for one in next(iter(parameters.OF_ROUTES.values()))
              if all(one in own for own in parameters.OF_ROUTES.values())]
    groups = {"each": (parameters.NAME, parameters.URL, *shared)} | {
        _code(f"/v1/{verb}"): [one for one in own if one not in shared] for verb, own in parameters.OF_ROUTES.items()}
    rows = [("" if number else route, _code(one.name), _cell(one.text), _values(one))
            for route, own in groups.items() for number, one in enumerate(own)]
    return _table(("route", "parameter", "what it is", "values"), rows)


def _values(parameter: parameters.Parameter) -> str:
    if parameter.count:
        return f"1 to {parameters.MAX_COUNT}"
    choices = ("1", "0") if parameter.flag else parameter.choices
    return ("some of " if parameter.several else "") + ", ".join(map(_code, choices))


_TABLES = {make.__name__: make
           for make in (common, commands, exceptions, report_keys, schema, keys, decisive, formats, routes)}
