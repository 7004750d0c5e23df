# SPDX-License-Identifier: Apache-2.0
"""`labelkit propagate`: label files that users hand in, as a platform must."""

from __future__ import annotations

import argparse
import functools
import json
import sys
import uuid
from dataclasses import dataclass

from labelkit import pipeline, propagate
from labelkit.cli.embed import refuse_conversion, signer_of
from labelkit.cli.files import STANDARD, Item, assigned, attempt, collect, run as run_files, source_of, target_of
from labelkit.cli.main import OK, SHORT, UNANSWERED, say_error
from labelkit.cli.show import VERDICTS, error_json, row
from labelkit.cli.text import name_of
from labelkit.cli.verify import checks
from labelkit.errors import InvalidArgument, LabelkitError
from labelkit.label import Kind, Label
from labelkit.messages import Message
from labelkit.metadata.sm2 import Sm2Signer
from labelkit.propagate import Decision


def run(options: argparse.Namespace) -> int:
    """Judge and label what was named; returns the exit code."""
    signers = {"sm2": Sm2Signer.load(options.sm2_key) if options.sm2_key else None,
               "provenance": signer_of(options) if options.signer else None}
    items, skipped = collect(options)
    if options.propagate_id and len(items) > 1:
        raise InvalidArgument("--propagate-id names one file's content, {count} files came", count=len(items),
                              hint="leave it out: every file gets a number of its own")
    # a wrong platform is refused before the first file
    Label(Kind.SUSPECTED, "", "", content_propagator=options.propagator, propagate_id=options.propagate_id or "check")
    where = assigned(items, options)
    work = functools.partial(_one, options=options, settings=checks(options), signers=signers, where=where)
    results = []
    for item, result in run_files(lambda item: attempt(lambda: work(item)), list(where), options.jobs):
        _say(item, where[item], result, options)
        results.append(result)
    return _summary(results, skipped, options)


@dataclass(frozen=True, slots=True)
class _Done:
    """What was decided, and what kept it from being written, if something did."""

    decision: Decision
    problem: LabelkitError | None = None

    @property
    def written(self) -> bool:
        return self.decision.label is not None and self.problem is None


def _one(item: Item, *, options: argparse.Namespace, settings: dict[str, object], signers: dict[str, object],
         where: dict[Item, str]) -> _Done:
    with source_of(item) as source:
        decision = propagate.decide(pipeline.verify(source, **settings), options.propagator,
                                    options.propagate_id or str(uuid.uuid4()), declared=options.declared)
        if not decision.label:
            return _Done(decision)
        try:
            if not options.in_place:
                refuse_conversion(source, where[item])
            with target_of(where[item], in_place=options.in_place) as target:
                return _Done(propagate.write(source, target, decision, in_place=options.in_place, **signers))
        except LabelkitError as error:  # the notice is owed all the same
            return _Done(decision, error)


def _say(item: Item, place: str, result: _Done | LabelkitError, options: argparse.Namespace) -> None:
    out = sys.stderr if place == STANDARD else sys.stdout
    shown, language = name_of(item.path), options.lang
    if options.json:
        fields = _fields(item, place, result, language)
        print(json.dumps(fields, ensure_ascii=False), file=out)
    elif isinstance(result, LabelkitError):
        say_error(result, language, shown)
    else:
        print("\n".join(_lines(shown, "stdout" if place == STANDARD else name_of(place), result, language)), file=out)
        if result.problem:
            say_error(result.problem, language, shown)


def _fields(item: Item, place: str, result: _Done | LabelkitError, language: str) -> dict[str, object]:
    if isinstance(result, LabelkitError):
        return error_json(item.path, result, language)
    fields = {"file": item.path, "output": place if result.written else None, **result.decision.to_dict(language)}
    return {**fields, **error_json(item.path, result.problem, language)} if result.problem else fields


def _lines(shown: str, place: str, done: _Done, language: str) -> list[str]:
    decision = done.decision
    arrow = f"{shown} -> {place}" if done.written else shown
    lines = [f"{arrow}: {VERDICTS[decision.tier].text(language)}"]
    if decision.notice:
        lines.append(row(Message("notice").text(language), "", decision.notice))
    written = (Message("Label {kind}, propagator {propagator}, number {number}", kind=decision.label.kind.value,
                       propagator=decision.label.content_propagator, number=decision.label.propagate_id)
               if done.written else Message("nothing, because of an error") if decision.label else
               Message("nothing, there is nothing to say") if decision.verified else
               Message("nothing: the file's own label is in doubt, somebody must look at it"))
    lines.append(row(Message("written").text(language), "", written.text(language)))
    return lines + [row(Message("because").text(language), "", reason.text(language)) for reason in decision.reasons]


def _summary(results: list[_Done | LabelkitError], skipped: int, options: argparse.Namespace) -> int:
    if not results:
        print(Message("nothing to label was found").text(options.lang), file=sys.stderr)
        return UNANSWERED
    done = [result for result in results if isinstance(result, _Done)]
    doubted = sum(not one.decision.verified for one in done)
    failed = len(results) - len(done) + sum(one.problem is not None for one in done)
    if len(results) > 1 or skipped:
        print(Message("{labelled} labelled, {bare} owe no label, {doubted} in doubt, {failed} failed, {skipped} of no "
                      "known format passed over", labelled=sum(one.written for one in done),
                      bare=sum(one.decision.label is None and one.decision.verified for one in done),
                      doubted=doubted, failed=failed, skipped=skipped).text(options.lang), file=sys.stderr)
    return SHORT if doubted or failed else OK
