# SPDX-License-Identifier: Apache-2.0
"""`labelkit verify`: report what files say about being AI-generated."""

from __future__ import annotations

import argparse
import io
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from labelkit import playlist
from labelkit.batch import datasets
from labelkit.cli import isolated, journal, shards
from labelkit.cli.files import Item, Selection, attempt, collect, run as run_files, source_of
from labelkit.cli.isolated import verifier
from labelkit.cli.options import checks, result_signer_of
from labelkit.cli.outcome import OK, SHORT, UNANSWERED, note, note_skipped, nothing_found, show_result
from labelkit.cli.show import report_text, row
from labelkit.cli.text import name_of
from labelkit.errors import InvalidArgument, LabelkitError
from labelkit.key import Key
from labelkit.messages import Message
from labelkit.playlist import Joined, is_playlist
from labelkit.report import Layer, Report
from labelkit.resolve import Client, Recovery, recover
from labelkit.results import Checked, Content
from labelkit.watermark import Candidates

if TYPE_CHECKING:
    from labelkit.cli.options import Checks
    from labelkit.provenance import TrustList


def run(options: argparse.Namespace) -> int:
    """Verify the named files; returns the exit code."""
    settings, layers = checks(options), [Layer(name) for name in options.layers]
    if options.candidates:
        from labelkit.cli.log import existing
        with existing(options.candidates) as log:
            settings["candidates"] = Candidates.of(log.payloads())
    required = [Layer(name) for name in options.require]
    if not set(required) <= set(layers):
        raise InvalidArgument("{layers} cannot be required, because --layers leaves them out",
                              hint="name in --require only layers that are checked",
                              layers=", ".join(layer.value for layer in required if layer not in layers))

    signer, client = result_signer_of(options), Client(options.resolve) if options.resolve else None

    def signed_by(report: Report, source: str | bytes | io.BytesIO, before: object) -> str:
        content = Content.of(source)
        if _state(source) != before:
            raise InvalidArgument("{where} was changed while it was verified", where=report.source)
        assert signer is not None
        return signer.sign(report, content, Checked(settings["effort"], tuple(layers), Key.of(settings["key"]).id),
                           settings["now"], options.lang)

    codes = []
    selection = collect(options, each=True, shards=True)
    files, rest = shards.divided(selection.items)
    playlists = [item for item in files if is_playlist(item.path)]
    files = [item for item in files if not is_playlist(item.path)]
    with verifier(selection.items, options, settings, layers) as verify, journal.kept(options):

        def judged(source: str | bytes | io.BytesIO) -> _Verified:
            before = _state(source)
            report = verify(source)
            recovery = recover(source, report, client, trust=_trust(settings), now=settings["now"]) if client else None
            return _Verified(report, signed_by(report, source, before) if signer else None, recovery)

        def of_segment(one: Joined) -> _Verified:
            made = judged(one.path)
            return replace(made, report=playlist.of_segment(made.report, one))

        def verified(item: Item) -> _Verified:
            with source_of(item) as source:
                return judged(source)

        apart = isolated.wanted(selection.items, options)
        results = itertools.chain(
            ((item.path, result) for item, result in run_files(verified, files, options.jobs, fork=not apart)),
            in_playlists(of_segment, playlists),
            shards.looked_at(lambda medium: judged(datasets.as_source(medium.data)), rest, options, fork=not apart))
        for name, result in results:
            _say(name, result, required, options)
            codes.append(_code(result, required))
    return _summary(codes, selection, required, options)


def in_playlists(work: Callable[[Joined], _Verified],
                 items: Sequence[Item]) -> Iterator[tuple[str, _Verified | LabelkitError]]:
    """(name, result) of each segment, called PLAYLIST::SEGMENT, and of each playlist that could not be read."""
    for item in items:
        segments = playlist.joined(item.path)
        while True:
            one = attempt(next, segments, None)
            if isinstance(one, LabelkitError):
                yield item.path, one
            if one is None or isinstance(one, LabelkitError):
                break
            yield f"{item.path}{shards.SEPARATOR}{one.name}", attempt(work, one)


@dataclass(frozen=True, slots=True)
class _Verified:
    """A report, and where they were asked for the signed result and what a service gave out."""

    report: Report
    signed: str | None = None
    recovery: Recovery | None = None


def _trust(settings: Checks) -> TrustList:
    from labelkit.provenance import TrustList

    return settings["trust"] or TrustList.c2pa()


def _state(source: str | bytes | io.BytesIO) -> object:
    """What changes when a file does."""
    if not isinstance(source, str):
        return None
    found = os.stat(source)
    return found.st_mtime_ns, found.st_size, found.st_ino


def _code(result: _Verified | LabelkitError, required: list[Layer]) -> int:
    if isinstance(result, LabelkitError) or result.report.unanswered(*required):
        return UNANSWERED
    return SHORT if result.report.shortcomings(*required) else OK


def _say(name: str, result: _Verified | LabelkitError, required: list[Layer], options: argparse.Namespace) -> None:
    def fields(made: _Verified) -> dict[str, object]:
        signed = {"signed_result": made.signed} if made.signed else {}
        return {**made.report.to_dict(options.lang), "required": [layer.value for layer in required],
                "shortcomings": made.report.shortcomings(*required), **signed,
                **({"recovered": made.recovery.to_dict(options.lang)} if made.recovery else {})}

    def text(made: _Verified) -> str:
        lines = [report_text(made.report, name_of(name), options.lang)]
        if made.recovery:
            status = Message("fits") if made.recovery.fits else Message("not used")
            lines.append(row(Message("recovered").text(options.lang), status.text(options.lang),
                             made.recovery.summary.text(options.lang)))
        if made.signed:
            lines.append(row(Message("signed").text(options.lang), "", made.signed))
        return "\n".join(lines)

    show_result(name, result, options, fields, text)


def _summary(codes: list[int], selection: Selection, required: list[Layer], options: argparse.Namespace) -> int:
    note_skipped(selection.skipped, options)
    if not codes and not selection.items:
        return nothing_found(selection.elsewhere, Message("nothing to verify was found"), options)
    names = ", ".join(layer.value for layer in required)
    note(Message("required {layers}: {good} of {total} files meet it, {short} do not, {open} could not be checked",
                 layers=names, good=codes.count(OK), total=len(codes), short=codes.count(SHORT),
                 open=codes.count(UNANSWERED)), options)
    return max(codes, default=OK)  # of an empty shard
