# SPDX-License-Identifier: Apache-2.0
"""`labelkit propagate`: label files that users upload, as a platform must."""

from __future__ import annotations

import argparse
import io
import shutil
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from labelkit import container, pipeline, propagation, unforeseen
from labelkit.batch import datasets, derived_id
from labelkit.batch.samples import Medium
from labelkit.cli import journal, shards
from labelkit.cli.files import Item, Selection, collect, run as run_files, source_of
from labelkit.cli.journal import assigned_or_again
from labelkit.cli.options import Checks, checks, signer_of, sm2_signer_of
from labelkit.cli.outcome import (
    OK,
    SHORT,
    UNANSWERED,
    error_json,
    note,
    note_skipped,
    nothing_found,
    say_error,
    show_result,
)
from labelkit.cli.show import VERDICTS, headline, row
from labelkit.cli.targets import (
    Assignment,
    dry_run,
    note_existing,
    printed_to,
    refuse_conversion,
    refuse_shared_number,
    shown,
    target_of,
)
from labelkit.cli.text import name_of
from labelkit.errors import LabelkitError
from labelkit.label import Kind, Label
from labelkit.log_recorder import sha256
from labelkit.messages import Message
from labelkit.propagation import Decision
from labelkit.report import Layer
from labelkit.unforeseen import UnforeseenError

if TYPE_CHECKING:
    from labelkit.container.base import Segment
    from labelkit.metadata.sm2 import Sm2Signer
    from labelkit.provenance import Signer


def run(options: argparse.Namespace) -> int:
    """Judge and label the named files; returns the exit code."""
    sm2, signer = sm2_signer_of(options), signer_of(options)
    selection = collect(options, shards=True)
    refuse_shared_number(selection.items, "--propagate-id", options.propagate_id)
    shards.refuse_number(selection.items, "--propagate-id", options.propagate_id)
    # refuse a wrong platform before the first file
    Label(Kind.SUSPECTED, "", "", content_propagator=options.propagator, propagate_id=options.propagate_id or "check")
    assignment, again = assigned_or_again(selection.items, options)
    targets = assignment.targets
    if options.dry_run:
        return dry_run(selection, targets, options)
    propagator = _Propagator(options, checks(options), tuple(Layer(name) for name in options.layers), sm2, signer,
                             targets)
    counts = Counter[str]()
    files, rest = shards.divided(targets)
    with journal.kept(options):
        for item, result in run_files(propagator.propagate, files, options.jobs):
            _say(item.path, targets[item], result, options)
            counts.update(_kinds(result))
        for name, where, result in shards.rewritten(propagator.propagate_medium, {item: targets[item] for item in rest},
                                                    options, again):
            _say(name, where, result, options)
            counts.update(_kinds(result))
    return _summary(counts, selection, assignment, options)


@dataclass(frozen=True, slots=True)
class _Done:
    """A decision, and the error that prevented writing it, if any."""

    decision: Decision
    problem: LabelkitError | None = None
    copied: bool = False  # as it is, because no label is required
    data: bytes | Path | None = None  # what a shard gets of a medium

    @property
    def written(self) -> Label | None:
        """The label that was written, if any."""
        return None if self.problem else self.decision.label


@dataclass(frozen=True, slots=True)
class _Propagator:
    """Judges and labels one file after the other with the settings of the run; usable from many threads."""

    options: argparse.Namespace
    settings: Checks
    layers: tuple[Layer, ...]
    sm2: Sm2Signer | None
    signer: Signer | None
    targets: Mapping[Item, str]

    def propagate(self, item: Item) -> _Done:
        options, where = self.options, self.targets[item]
        with source_of(item) as source:
            report = pipeline.verify(source, layers=self.layers, **self.settings)
            decision = propagation.decide(report, options.propagator, options.propagate_id or str(uuid.uuid4()),
                                          declared=options.declared)
            if not decision.label and (options.in_place or not decision.verified or _is_open(decision)):
                return _Done(decision)
            try:
                if not options.in_place:
                    refuse_conversion(source, where)
                with target_of(where, options) as target:
                    if not decision.label:
                        _copy(source, target)
                        return _Done(decision, copied=True)
                    return _Done(propagation.write(source, target, decision, in_place=options.in_place, sm2=self.sm2,
                                                   provenance=self.signer))
            except BaseException as error:  # the notice must be shown all the same
                return _Done(decision, unforeseen.translated(error))


    def propagate_medium(self, medium: Medium) -> _Done:
        """Judge and label a medium of a shard, with a number that is derived from its content; what needs no label
        stays as it is, and what is in doubt is left out.
        """
        options, source = self.options, datasets.as_source(medium.data)
        report = pipeline.verify(source, layers=self.layers, **self.settings)
        number = derived_id(options.propagator, sha256(source))
        decision = propagation.decide(report, options.propagator, number, declared=options.declared)
        if not decision.label:
            kept = decision.verified and not _is_open(decision)
            return _Done(decision, copied=kept, data=medium.data if kept else None)
        target = datasets.beside(medium.data)
        out = io.BytesIO()
        try:
            decision = propagation.write(source, target or out, decision, sm2=self.sm2, provenance=self.signer)
        except BaseException as error:  # the notice must be shown all the same
            return _Done(decision, unforeseen.translated(error))
        return _Done(decision, data=Path(target) if target else out.getvalue())


def _copy(source: str | io.BytesIO, target: str | BinaryIO) -> None:
    """Put the file in its target as it is, with its sidecar, so that everything in OUT can be served."""
    with container.opened(source) as reader:
        whole: list[Segment] = [(0, reader.size)]
        if not isinstance(target, str):
            container.hand_over(container.join(reader, whole), target)
            return
        sidecar = None if isinstance(source, io.BytesIO) else Path(f"{source}{container.SIDECAR}")
        with container.Transaction(target, like=source) as new:
            beside = new.stage("sidecar") if sidecar and sidecar.is_file() else None
            if beside and sidecar:
                shutil.copyfile(sidecar, beside)
            new.commit(new.write("copy", reader, whole), beside)


def _say(path: str, where: str, result: _Done | LabelkitError, options: argparse.Namespace) -> None:
    language, name = options.lang, name_of(path)
    show_result(path, result, options, lambda done: _fields(path, where, done, language),
                lambda done: "\n".join(_lines(name, shown(where), done, language)), out=printed_to(where))
    if isinstance(result, _Done) and result.problem and not options.json:
        say_error(result.problem, language, name)


def _fields(path: str, where: str, done: _Done, language: str) -> dict[str, object]:
    fields = {"output": where if done.written or done.copied else None, **done.decision.to_dict(language)}
    return {**fields, **error_json(path, done.problem, language)} if done.problem else fields


def _lines(name: str, where: str, done: _Done, language: str) -> list[str]:
    decision, label = done.decision, done.written
    arrow = f"{name} -> {where}" if label or done.copied else name
    same = decision.tier is decision.report.verdict
    lines = [f"{arrow}: {(headline(decision.report) if same else VERDICTS[decision.tier]).text(language)}"]
    if decision.notice:
        lines.append(row(Message("notice").text(language), "", decision.notice))
    written = (Message("Label {kind}, propagator {propagator}, number {number}", kind=label.kind.value,
                       propagator=label.content_propagator, number=label.propagate_id)
               if label else Message("nothing, because of an error") if done.problem else
               Message("a copy: no label is required") if done.copied else
               Message("nothing: not all of the file could be looked at") if _is_open(decision) else
               Message("nothing: no label is required") if decision.verified else
               Message("nothing: the file's own label is in doubt and needs a person to decide"))
    lines.append(row(Message("written").text(language), "", written.text(language)))
    return lines + [row(Message("because").text(language), "", reason.text(language)) for reason in decision.reasons]


def _is_open(decision: Decision) -> bool:
    """Whether nothing is written because not all of the file could be looked at."""
    return decision.label is None and decision.verified and bool(decision.report.unseen)


def _kinds(result: _Done | LabelkitError) -> list[str]:
    """What a result counts as in the summary."""
    problem = result.problem if isinstance(result, _Done) else result
    kinds = {"all": True, "failed": problem is not None, "unforeseen": isinstance(problem, UnforeseenError)}
    if isinstance(result, _Done):
        decision = result.decision
        is_open, none = _is_open(decision), decision.label is None and decision.verified
        kinds |= {"labelled": result.written is not None, "doubted": not decision.verified, "unseen": is_open,
                  "unlabelled": none and not is_open}
    return [name for name, holds in kinds.items() if holds]


def _summary(counts: Counter[str], selection: Selection, assignment: Assignment, options: argparse.Namespace) -> int:
    skipped = selection.skipped
    note_skipped(skipped, options)
    note_existing(assignment, options)
    if not selection.items:
        return nothing_found(selection.elsewhere, Message("nothing to label was found"), options)
    if counts["all"] > 1 or skipped:
        note(Message("{labelled} labelled, {unlabelled} need no label, {doubted} in doubt, {unseen} not wholly looked "
                     "at, {failed} failed, {skipped} of unknown format skipped", skipped=len(skipped), **{
                         name: counts[name] for name in ("labelled", "unlabelled", "doubted", "unseen", "failed")}),
             options)
    is_unanswered, is_short = counts["unforeseen"] or counts["unseen"], counts["failed"] or counts["doubted"]
    return UNANSWERED if is_unanswered else SHORT if is_short else OK
