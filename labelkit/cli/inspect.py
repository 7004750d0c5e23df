# SPDX-License-Identifier: Apache-2.0
"""`labelkit inspect`: all metadata, labels and manifests in a file, with offsets."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from labelkit import metadata, pipeline
from labelkit.cli.files import Item, attempt, collect, source_of
from labelkit.cli.outcome import OK, UNANSWERED, note_skipped, show_result
from labelkit.cli.text import name_of, one_line
from labelkit.container import Source
from labelkit.errors import LabelkitError
from labelkit.report import Finding


def run(options: argparse.Namespace) -> int:
    """Show the named files; returns the exit code."""
    code = OK
    selection = collect(options, each=True)
    for item in selection.items:
        result = attempt(_inspect, item, options.lang)
        if isinstance(result, LabelkitError):
            code = UNANSWERED
        _say(item, result, options)
    note_skipped(selection.skipped, options)
    return code


def _say(item: Item, result: Mapping[str, object] | LabelkitError, options: argparse.Namespace) -> None:
    show_result(item.path, result, options, dict,
                lambda found: "\n".join([f"{name_of(item.path)}:", *_lines(found)]))


def _inspect(item: Item, language: str) -> Mapping[str, object]:
    with source_of(item) as source:
        found = metadata.inspect(source)
        manifest = attempt(_manifest, source)
    return {**found, "provenance": {"error": manifest.text(language)} if isinstance(manifest, LabelkitError) else
            manifest.to_dict(language)}


def _manifest(source: Source) -> Finding:
    room = pipeline.provenance()
    found: Finding = room.validate(source, trust=room.TrustList.c2pa())
    return found


def _lines(value: Mapping[str, object] | list[object], indent: int = 2) -> list[str]:
    """Nested JSON values as an indented list of names and values, without empty values."""
    blank = " " * indent
    if isinstance(value, Mapping):
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
