# SPDX-License-Identifier: Apache-2.0
"""`labelkit inspect`: everything label-like in a file, with offsets."""

from __future__ import annotations

import argparse
import json

from labelkit import metadata, pipeline
from labelkit.cli.files import Item, attempt, collect, source_of
from labelkit.cli.main import OK, UNANSWERED, say_error
from labelkit.cli.show import error_json
from labelkit.cli.text import name_of, one_line
from labelkit.errors import LabelkitError


def run(options: argparse.Namespace) -> int:
    """Show what was named; returns the exit code."""
    code = OK
    for item in collect(options)[0]:
        found = attempt(lambda item=item: _inspect(item, options.lang))
        shown = name_of(item.path)
        if isinstance(found, LabelkitError):
            code = UNANSWERED
            if not options.json:
                say_error(found, options.lang, shown)
                continue
            found = error_json(item.path, found, options.lang)
        if options.json:
            print(json.dumps({"file": item.path, **found}, ensure_ascii=False))
        else:
            print("\n".join([f"{shown}:", *_lines(found)]))
    return code


def _inspect(item: Item, language: str) -> dict[str, object]:
    with source_of(item) as source:
        found = metadata.inspect(source)
        manifest = attempt(lambda: pipeline.provenance().validate(source).to_dict(language))
    if isinstance(manifest, LabelkitError):
        manifest = {"error": manifest.text(language)}
    return {**found, "provenance": manifest}


def _lines(value: object, indent: int = 2) -> list[str]:
    """Nested values as an indented list: names, then values; nothing for what is empty."""
    blank = " " * indent
    if isinstance(value, dict):
        pairs = [(f"{name}:", inner) for name, inner in value.items() if inner not in (None, "", [], {})]
    else:
        pairs = [("-", inner) for inner in value]
    lines = []
    for name, inner in pairs:
        if isinstance(inner, dict) and "offset_bytes" in inner or isinstance(inner, list) and not _nested(inner):
            lines.append(f"{blank}{one_line(name)} {one_line(_flat(inner))}")
        elif isinstance(inner, dict | list):
            lines += [f"{blank}{one_line(name)}", *_lines(inner, indent + 2)]
        else:
            lines.append(f"{blank}{one_line(name)} {one_line(str(inner))}")
    return lines


def _nested(values: list[object]) -> bool:
    return any(isinstance(value, dict | list) for value in values)


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_flat(inner)}" for name, inner in value.items() if inner not in (None, "", [], {}))
    return ", ".join(map(_flat, value)) if isinstance(value, list) else str(value)
