# SPDX-License-Identifier: Apache-2.0
"""`labelkit verify`: report what files say about being AI-generated."""

from __future__ import annotations

import argparse
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from labelkit import playlist
from labelkit.batch import datasets
from labelkit.cli import engines, isolated, journal, shards
from labelkit.cli.files import Item, Selection, attempt, collect, run as run_files, source_of
from labelkit.cli.isolated import verifier
from labelkit.cli.options import checks, result_signer_of
from labelkit.cli.outcome import OK, SHORT, UNANSWERED, note, note_skipped, nothing_found, show_result
from labelkit.cli.show import report_text, row
from labelkit.cli.text import name_of
from labelkit.errors import InvalidArgument, LabelkitError
from labelkit.messages import Message
from labelkit.playlist import is_playlist
from labelkit.report import Layer, Report

if TYPE_CHECKING:
    from labelkit.cli.options import Checks
    from labelkit.playlist import Joined
    from labelkit.resolve import Client, Recovery
    from labelkit.results import ResultSigner


def run(options: argparse.Namespace) -> int:
    """Verify the named files; returns the exit code."""
    engines.check(options)
    settings, layers = checks(options), [Layer(name) for name in options.layers]
    if options.candidates:
        from labelkit.cli.log import existing
        from labelkit.watermark import Candidates
        with existing(options.candidates) as log:
            settings["candidates"] = Candidates.of(log.payloads())
    required = [Layer(name) for name in options.require]
    if not set(required) <= set(layers):
        raise InvalidArgument("{layers} cannot be required, because --layers leaves them out",
                              hint="name in --require only layers that are checked",
                              layers=", ".join(layer.value for layer in required if layer not in layers))

    signer, client = result_signer_of(options), _client(options)
    codes = []
    selection = collect(options, each=True, shards=True)
    apart = isolated.wanted(selection.items, options)
    with verifier([] if options.engine else selection.items, options, settings, layers) as verify, \
            journal.kept(options):
        judge = _Judge(verify, settings, layers, signer, client, options.lang)
        for name, result in (
                ((name, result) for name, _, result in engines.run(
                    _There(judge, engines.there(options), apart), dict.fromkeys(selection.items, ""), options))
                if options.engine else _results(judge, selection.items, options, fork=not apart)):
            _say(name, result, required, options)
            codes.append(_code(result, required))
    return _summary(codes, selection, required, options)


def _results(judge: _Judge, items: Sequence[Item], options: argparse.Namespace, *,
             fork: bool) -> Iterator[tuple[str, _Verified | LabelkitError]]:
    """(name, result) of every file, of every segment of the playlists, and of every medium of the shards."""
    files, rest = shards.divided(items)
    playlists = [item for item in files if is_playlist(item.path)]
    files = [item for item in files if not is_playlist(item.path)]
    for item, result in run_files(judge.item, files, options.jobs, fork=fork):
        yield item.path, result
    yield from in_playlists(judge.segment, playlists)
    yield from shards.looked_at(lambda medium: judge.file(datasets.as_source(medium.data)), rest, options, fork=fork)


class _There:
    """Verifies files on the workers of an engine."""

    def __init__(self, judge: _Judge, options: argparse.Namespace, apart: bool) -> None:
        self._judge, self._options = replace(judge, verify=None), options
        self._pool = isolated.of_worker(judge.settings, judge.layers) if apart else None

    def __call__(self, targets: Mapping[Item, str]) -> Iterator[tuple[str, str, _Verified | LabelkitError]]:
        judge = replace(self._judge, verify=self._pool() if self._pool else None)
        return ((name, "", result) for name, result in _results(judge, list(targets), self._options, fork=False))


@dataclass(frozen=True, slots=True)
class _Judge:
    """Verifies files with the settings of the run, in this process where `verify` is None; usable from many threads."""

    verify: isolated.Verify | None
    settings: Checks
    layers: Sequence[Layer]
    signer: ResultSigner | None
    client: Client | None
    language: str

    def item(self, item: Item) -> _Verified:
        """Verify a file of the run."""
        with source_of(item) as source:
            return self.file(source)

    def segment(self, one: Joined) -> _Verified:
        """Verify a segment of a playlist."""
        made = self.file(one.path)
        return replace(made, report=playlist.of_segment(made.report, one))

    def file(self, source: str | bytes | io.BytesIO) -> _Verified:
        """Verify a file; sign the result and ask for its manifest, as the run says."""
        before, settings = _state(source), self.settings
        report = self.verify(source) if self.verify else _verified_here(source, self.layers, settings)
        return _Verified(report, self._signed(report, source, before), self._recovered(report, source))

    def _recovered(self, report: Report, source: str | bytes | io.BytesIO) -> Recovery | None:
        if self.client is None:
            return None
        from labelkit.provenance import TrustList
        from labelkit.resolve import recover

        return recover(source, report, self.client, trust=self.settings["trust"] or TrustList.c2pa(),
                       now=self.settings["now"])

    def _signed(self, report: Report, source: str | bytes | io.BytesIO, before: object) -> str | None:
        if self.signer is None:
            return None
        from labelkit.key import Key
        from labelkit.results import Checked, Content

        content, settings = Content.of(source), self.settings
        if _state(source) != before:
            raise InvalidArgument("{where} was changed while it was verified", where=report.source)
        checked = Checked(settings["effort"], tuple(self.layers), Key.of(settings["key"]).id)
        return self.signer.sign(report, content, checked, settings["now"], self.language)


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
            result = attempt(work, one)
            if isinstance(result, LabelkitError) or playlist.counts(result.report, one):
                yield f"{item.path}{shards.SEPARATOR}{one.name}", result


@dataclass(frozen=True, slots=True)
class _Verified:
    """A report, and where they were asked for the signed result and what a service gave out."""

    report: Report
    signed: str | None = None
    recovery: Recovery | None = None


def _client(options: argparse.Namespace) -> Client | None:
    if not options.resolve:
        return None
    from labelkit.resolve import Client

    return Client(options.resolve)


def _verified_here(source: str | bytes | io.BytesIO, layers: Sequence[Layer], settings: Checks) -> Report:
    from labelkit import pipeline  # here: processes with limits load it themselves

    return pipeline.verify(source, layers=layers, **settings)


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
