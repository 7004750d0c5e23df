# SPDX-License-Identifier: Apache-2.0
"""`labelkit verify`: report what files say about being AI-generated."""

from __future__ import annotations

import argparse
import itertools

from labelkit.batch import datasets
from labelkit.cli import isolated, journal, shards
from labelkit.cli.files import Item, Selection, collect, run as run_files, source_of
from labelkit.cli.isolated import verifier
from labelkit.cli.options import checks
from labelkit.cli.outcome import OK, SHORT, UNANSWERED, note, note_skipped, nothing_found, show_result
from labelkit.cli.show import report_text
from labelkit.cli.text import name_of
from labelkit.errors import InvalidArgument, LabelkitError
from labelkit.messages import Message
from labelkit.report import Layer, Report


def run(options: argparse.Namespace) -> int:
    """Verify the named files; returns the exit code."""
    settings, layers = checks(options), [Layer(name) for name in options.layers]
    required = [Layer(name) for name in options.require]
    if not set(required) <= set(layers):
        raise InvalidArgument("{layers} cannot be required, because --layers leaves them out",
                              hint="name in --require only layers that are checked",
                              layers=", ".join(layer.value for layer in required if layer not in layers))

    codes = []
    selection = collect(options, each=True, shards=True)
    files, rest = shards.divided(selection.items)
    with verifier(selection.items, options, settings, layers) as verify, journal.kept(options):

        def verified(item: Item) -> Report:
            with source_of(item) as source:
                return verify(source)

        apart = isolated.wanted(selection.items, options)
        results = itertools.chain(
            ((item.path, result) for item, result in run_files(verified, files, options.jobs, fork=not apart)),
            shards.looked_at(lambda medium: verify(datasets.as_source(medium.data)), rest, options, fork=not apart))
        for name, result in results:
            _say(name, result, required, options)
            codes.append(_code(result, required))
    return _summary(codes, selection, required, options)


def _code(result: Report | LabelkitError, required: list[Layer]) -> int:
    if isinstance(result, LabelkitError) or result.unanswered(*required):
        return UNANSWERED
    return SHORT if result.shortcomings(*required) else OK


def _say(name: str, result: Report | LabelkitError, required: list[Layer], options: argparse.Namespace) -> None:
    show_result(name, result, options,
                lambda report: {**report.to_dict(options.lang), "required": [layer.value for layer in required],
                                "shortcomings": report.shortcomings(*required)},
                lambda report: report_text(report, name_of(name), options.lang))


def _summary(codes: list[int], selection: Selection, required: list[Layer], options: argparse.Namespace) -> int:
    note_skipped(selection.skipped, options)
    if not codes and not selection.items:
        return nothing_found(selection.elsewhere, Message("nothing to verify was found"), options)
    names = ", ".join(layer.value for layer in required)
    note(Message("required {layers}: {good} of {total} files meet it, {short} do not, {open} could not be checked",
                 layers=names, good=codes.count(OK), total=len(codes), short=codes.count(SHORT),
                 open=codes.count(UNANSWERED)), options)
    return max(codes, default=OK)  # of an empty shard
