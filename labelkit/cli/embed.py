# SPDX-License-Identifier: Apache-2.0
"""`labelkit embed`: label files and folders."""

from __future__ import annotations

import argparse
import datetime
import io
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, SupportsIndex

from labelkit import codec, container, pipeline, playlist, store
from labelkit.batch import datasets, derived_id
from labelkit.batch.labels import has_signal
from labelkit.batch.samples import by_reference
from labelkit.batch.tally import Facts, Tally
from labelkit.cli import engines, journal, shards, summary
from labelkit.cli.chunks import KeptChunks
from labelkit.cli.files import STANDARD, Item, Selection, collect, run as run_files, source_of
from labelkit.cli.film import FilmProgress
from labelkit.cli.journal import assigned_or_again
from labelkit.cli.options import key_of, signer_of, sm2_signer_of
from labelkit.cli.outcome import OK, SHORT, UNANSWERED, note, note_skipped, nothing_found, show_result
from labelkit.cli.targets import (
    Assignment,
    dry_run,
    note_existing,
    printed_to,
    refuse_conversion,
    refuse_no_place,
    refuse_shared_number,
    shown,
    target_of,
)
from labelkit.cli.text import name_of
from labelkit.cli.values import LAYERS
from labelkit.errors import InvalidArgument, LabelkitError
from labelkit.explicit.rules import check_label
from labelkit.label import Generator, Kind, Label
from labelkit.log_recorder import Audit, sha256
from labelkit.messages import Message
from labelkit.metadata import security_data
from labelkit.payload import Payload
from labelkit.plan import EU_PLACING, Explicit, Plan, Quality, Showing, Watermark
from labelkit.playlist import is_manifest, is_playlist
from labelkit.signpost import Signpost
from labelkit.unforeseen import UnforeseenError

if TYPE_CHECKING:
    from labelkit.batch.samples import Medium
    from labelkit.codec.transcode import Progress
    from labelkit.key import Key
    from labelkit.log import LabelLog, Waiver
    from labelkit.metadata.sm2 import Sm2Signer

_EXPLICIT = ("text", "corner", "height", "style", "font", "sound", "place", "repeat_s", "recording", "language")
_KINDS = {"generated": Kind.GENERATED, "possible": Kind.POSSIBLE, "suspected": Kind.SUSPECTED}


def run(options: argparse.Namespace) -> int:
    """Label the named files; returns the exit code."""
    engines.check(options)
    plan, key, sm2 = plan_of(options), key_of(options), sm2_signer_of(options)
    log, waiver = _log(options), _waiver(options)
    selection = collect(options, lambda found: has_place(plan, found), shards=True)
    refuse_shared_number(selection.items, "--produce-id", options.produce_id)
    shards.refuse_number(selection.items, "--produce-id", options.produce_id)
    _label(options, options.produce_id or "check")  # refuse a wrong producer before the first file
    assignment, again = assigned_or_again(selection.items, options)
    targets = assignment.targets
    refuse_no_place(options.report)
    if options.dry_run:
        return dry_run(selection, targets, options)
    labeller = _Labeller(engines.there(options) if options.engine else options, plan, key, sm2, log, waiver, targets,
                         None if options.engine else threading.Event())
    tally, unforeseen, started = Tally(), False, time.monotonic()
    began = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
    with journal.kept(options):
        results = (engines.run(_There(labeller, again), targets, options) if options.engine else
                   _results(labeller, again))
        for name, where, result in results:
            unforeseen = unforeseen or isinstance(result, UnforeseenError)
            facts = result.facts if isinstance(result, _Done) else result
            at = facts.at if isinstance(facts, Facts) and not options.engine else None  # each machine has its own clock
            seconds = (time.monotonic() if at is None else at) - started
            _say(name, where, result, {"run": began, "seconds": round(seconds, 3)}, options)
            tally.add(name, facts, seconds)
    summary.show(tally, options)
    return max(_summary(selection, assignment, tally, options), UNANSWERED if unforeseen else OK)


def _results(labeller: _Labeller, again: Mapping[str, set[str]] | None) -> Iterator[
        tuple[str, str, _Done | LabelkitError]]:
    """(name, target, result) of every file, then of every medium of the shards."""
    files, rest = shards.divided(labeller.targets)
    for item, result in run_files(labeller.label, files, labeller.options.jobs, labeller.stop):
        yield item.path, labeller.targets[item], result
    yield from shards.rewritten(labeller.label_medium, {item: labeller.targets[item] for item in rest},
                                labeller.options, again, labeller.stop)


class _There:
    """Labels files on the workers of an engine."""

    def __init__(self, labeller: _Labeller, again: Mapping[str, set[str]] | None) -> None:
        self._labeller, self._again = replace(labeller, targets={}), again

    def __call__(self, targets: Mapping[Item, str]) -> Iterator[tuple[str, str, _Done | LabelkitError]]:
        return _results(replace(self._labeller, targets=targets), self._again)


@dataclass(frozen=True, slots=True)
class _Labeller:
    """Labels one file after the other with the settings of the run; usable from many threads."""

    options: argparse.Namespace
    plan: Plan
    key: Key | None
    sm2: Sm2Signer | None
    log: LabelLog | None
    waiver: Waiver | None
    targets: Mapping[Item, str]
    stop: threading.Event | None

    def label(self, item: Item) -> _Done:
        """Label a file; returns the label that was written, and whether it is in a watermark too."""
        options, where = self.options, self.targets[item]
        if is_playlist(item.path):
            return self._label_playlist(item, where)
        with source_of(item) as source:
            if not options.in_place:
                refuse_conversion(source, where)
            with (target_of(where, options) as target,
                  FilmProgress(item.path, options, alone=len(self.targets) == 1, stop=self.stop) as progress):
                kept = KeptChunks(source, where, options, self._number(source))
                done = self._labelled(source, target, kept.produce_id, progress.step, kept)
                kept.remove()
                return done

    def _number(self, source: str | io.BytesIO) -> str:
        """The number of a file: a new one, but where a lost worker may have to label it again, one that follows from
        its content."""
        if self.options.engine and isinstance(source, str):
            return derived_id(self.options.producer, sha256(source))
        return str(uuid.uuid4())

    def _label_playlist(self, item: Item, where: str) -> _Done:
        """Label a playlist and its segments into the folder of `where`."""
        options = self.options
        if STANDARD in (item.path, where) or store.is_url(item.path) or store.is_url(where) or options.in_place:
            raise InvalidArgument("{where}: a playlist is labelled from one local folder into another",
                                  where=item.path)
        if not self._may_be_without_explicit():
            raise _no_explicit(item.path)
        label, plan, audit = self._asked(options.produce_id or self._number(item.path))
        with (target_of(where, options) as target,
              FilmProgress(item.path, options, alone=len(self.targets) == 1, stop=self.stop) as progress):
            playlist.embed(item.path, str(target), label, plan=plan, key=self.key, replace=options.replace,
                           check=not options.no_check, max_pixels=options.max_megapixels * 1_000_000, audit=audit,
                           on_progress=progress.step, on_left_out=progress.note)
        kind = "dash" if is_manifest(item.path) else "hls"
        return _Done(label, plan.watermark is not None, None, None,
                     Facts(kind, os.path.getsize(item.path), None, False, time.monotonic()))

    def _may_be_without_explicit(self) -> bool:
        return bool(self.plan.explicit or self.waiver or self.options.explicit_present)

    def _asked(self, produce_id: str) -> tuple[Label, Plan, Audit | None]:
        """The label with this number, signed where it is to be; the plan at this time; and the log's part."""
        label = _label(self.options, produce_id)
        now = datetime.datetime.now(datetime.UTC)
        audit = Audit(self.log, now, self.waiver, self.options.keep_manifests) if self.log else None
        return security_data.sign(label, self.sm2) if self.sm2 else label, self.plan.at(now), audit

    def label_medium(self, medium: Medium) -> _Done:
        """Label a medium of a shard, with a number that is derived from its content."""
        source, target = datasets.as_source(medium.data), datasets.beside(medium.data)
        return self._labelled(source, target, derived_id(self.options.producer, sha256(source)))

    def _labelled(self, source: str | bytes | io.BytesIO, target: str | BinaryIO | None, produce_id: str,
                  on_progress: Callable[[Progress], None] | None = None, kept: KeptChunks | None = None) -> _Done:
        options = self.options
        left_out: list[Message] = []
        stronger: list[Watermark] = []
        before = _size(source)
        label, plan, audit = self._asked(produce_id)
        marked = plan.watermark is not None and not options.presence_only and has_signal(source)
        if not self._may_be_without_explicit():
            _refuse_without_explicit(source)
        if kept:
            plan = kept.plan(plan, label, self.key, is_alone=len(self.targets) == 1)
        made = pipeline.embed(source, target, label, plan=plan, key=self.key, replace=options.replace,
                              in_place=options.in_place, check=not options.no_check,
                              max_pixels=options.max_megapixels * 1_000_000, audit=audit, on_progress=on_progress,
                              on_left_out=left_out.append, on_stronger=stronger.append)
        facts = Facts(container.sniff(source).name, before, None if made is None else _size(made), bool(stronger),
                      time.monotonic())
        return _Done(label, marked and not left_out, left_out[0] if left_out else None, made, facts)


def _size(file: str | Path | bytes | io.BytesIO) -> int:
    """The bytes of a file."""
    if isinstance(file, io.BytesIO):
        return file.getbuffer().nbytes
    return len(file) if isinstance(file, bytes) else os.path.getsize(file)


@dataclass(frozen=True, slots=True)
class _Done:
    """The label that was written, whether its number is in a watermark too, why that was left out, and what of a medium
    was made."""

    label: Label
    marked: bool
    left_out: Message | None
    data: bytes | Path | None
    facts: Facts

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[object, ...]:
        return _Done, (self.label, self.marked, self.left_out, by_reference(self.data, protocol), self.facts)


def has_place(plan: Plan, found: container.Format) -> bool:
    """Whether files of this format beside others are labelled: they can carry the layers, a watermark apart."""
    if not codec.has_signal(found):
        return codec.is_decodable(found) if plan.explicit else bool(plan.provenance or plan.metadata and found.home)
    return True


def _refuse_without_explicit(source: str | bytes | io.BytesIO) -> None:
    """Leave the explicit label out only on record (Labeling Measures, Article 9), or if it is there already."""
    if container.sniff(source).family != "document":
        raise _no_explicit(source if isinstance(source, str) else Message("the medium") if isinstance(source, bytes)
                           else "stdin")


def _no_explicit(where: str | Message) -> InvalidArgument:
    return InvalidArgument("{where} would get no explicit label", where=where,
                           hint="give --explicit-present if the content already carries it; to leave it out, give "
                           "--waive-recipient, --waive-agreement and --log")


def _log(options: argparse.Namespace) -> LabelLog | None:
    if options.keep_manifests and not options.log:
        raise InvalidArgument("--keep-manifests needs --log, the log that they are kept in")
    if not options.log or options.dry_run:  # to open it would create it
        return None
    from labelkit.log import LabelLog
    return LabelLog(options.log)


def _waiver(options: argparse.Namespace) -> Waiver | None:
    given = options.waive_recipient is not None, options.waive_agreement is not None
    if not any(given):
        return None
    if not all(given) or not options.log:
        raise InvalidArgument("leaving the explicit label out needs --waive-recipient, --waive-agreement and --log "
                              "together (Labeling Measures, Article 9)")
    from labelkit.log import Waiver
    return Waiver(options.waive_recipient, options.waive_agreement)


def _label(options: argparse.Namespace, produce_id: str) -> Label:
    return Label(_KINDS[options.kind], options.producer, produce_id)


def plan_of(options: argparse.Namespace) -> Plan:
    """The plan that the options of the layers and of films name; each file gets its own time of creation."""
    left_out = {"provenance": not options.signer, "explicit": options.waive_recipient is not None}
    layers = options.layers or [layer for layer in LAYERS if not left_out.get(layer)]
    if options.thumbnails and "provenance" not in layers:
        raise InvalidArgument("thumbnails are in the manifest, which needs a signer",
                              hint="give --signer PEM; labelkit keygen generates one")
    if "provenance" in layers and not options.signer:
        raise InvalidArgument("the provenance layer needs a signer",
                              hint="give --signer PEM; labelkit keygen generates one")
    if options.recording and options.sound not in ("speech", "both"):
        raise InvalidArgument("--recording is a spoken label, but --sound asks for none",
                              hint="give --sound speech or --sound both")
    settings: dict[str, Any] = {name: getattr(options, name) for name in _EXPLICIT
                                if getattr(options, name) is not None}
    if options.words is not None:
        if options.text is not None:
            raise InvalidArgument("--words are the words of an EU icon, and --text gives others")
        settings = {**EU_PLACING, "words": options.words, **settings}
    if options.show is not None:
        settings["showing"] = Showing(options.show)
    soundtrack = options.soundtrack or []
    if set(soundtrack) - set(layers):
        raise InvalidArgument("--soundtrack asks for a layer that --layers leaves out")
    watermark = Watermark(soundtrack="watermark" in soundtrack, presence_only=options.presence_only,
                          required=options.watermark == "required",
                          **{name: getattr(options, name) for name in ("strength", "robustness")
                             if getattr(options, name) is not None})
    explicit = Explicit(border=options.border, soundtrack="explicit" in soundtrack,
                        **settings) if "explicit" in layers else None
    if explicit and options.text is not None:
        check_label(explicit)  # once, not for every file
    return Plan(explicit=explicit,
                watermark=watermark if "watermark" in layers else None,
                metadata="metadata" in layers,
                provenance=signer_of(options) if "provenance" in layers else None,
                quality=Quality(options.crf, options.preset, codec=options.video_codec), generator=_generator(options),
                signpost=_signpost(options))


def _signpost(options: argparse.Namespace) -> Signpost | None:
    if options.signpost is None:
        if options.signpost_resolver is not None:
            raise InvalidArgument("--signpost-resolver goes with --signpost, the address of the detector")
        return None
    return Signpost(options.signpost, options.signpost_resolver)


def _generator(options: argparse.Namespace) -> Generator | None:
    if not options.generator:
        if options.created:
            raise InvalidArgument("--created is the time at which the system of --generator made the content; give "
                                  "--generator too")
        if options.model or options.edit:
            raise InvalidArgument("--model and --edit are facts about the system of --generator; give --generator too")
        return None
    name, _, version = options.generator.rpartition(" ")
    if not name or not any(character.isdigit() for character in version):
        name, version = options.generator, ""
    return Generator(name, version, options.created, options.model, options.edit)


def _say(name: str, where: str, result: _Done | LabelkitError, when: Mapping[str, object],
         options: argparse.Namespace) -> None:
    def watermark(done: _Done) -> str | None:
        return Payload.of(done.label).hex if done.marked else None

    def text(done: _Done) -> str:
        facts = {"source": name_of(name), "target": shown(where), "produce_id": done.label.produce_id}
        said = (Message("{source} -> {target}: labelled, id {produce_id}, watermark {watermark}",
                        watermark=watermark(done), **facts) if done.marked else
                Message("{source} -> {target}: labelled, id {produce_id}", **facts))
        return said.text(options.lang)

    def fields(done: _Done) -> dict[str, object]:
        reason = {"watermark_left_out": done.left_out.text(options.lang)} if done.left_out else {}
        return {"output": where, "label": done.label.fields(), "watermark": watermark(done), **reason,
                "facts": {**done.facts.to_dict(), **when}}

    show_result(name, result, options, fields, text, out=printed_to(where))
    if isinstance(result, _Done) and result.left_out and not options.json:
        note(Message("{where}: {reason}", where=shown(where), reason=result.left_out), options)


def _summary(selection: Selection, assignment: Assignment, tally: Tally, options: argparse.Namespace) -> int:
    total, skipped = len(selection.items), selection.skipped
    note_skipped(skipped, options)
    if total != 1 or skipped or tally.labelled + tally.failed != 1:  # a shard holds any number
        note(Message("{done} labelled, {failed} failed, {skipped} skipped as not media",
                     done=tally.labelled, failed=tally.failed, skipped=len(skipped)), options)
    note_existing(assignment, options)
    if not total:
        return nothing_found(selection.elsewhere, Message("nothing to label was found"), options)
    return SHORT if tally.failed else OK
