# SPDX-License-Identifier: Apache-2.0
"""`labelkit embed`: label files and folders."""

from __future__ import annotations

import argparse
import functools
import io
import json
import mimetypes
import os
import sys
import uuid
from pathlib import Path

from labelkit import container, pipeline
from labelkit.cli.files import STANDARD, Item, attempt, collect, run as run_files, targets
from labelkit.cli.main import OK, SHORT, UNANSWERED, say_error
from labelkit.cli.parser import LAYERS
from labelkit.cli.show import error_json
from labelkit.cli.text import name_of
from labelkit.errors import InvalidArgument, LabelkitError, OutputFailed
from labelkit.key import Key
from labelkit.label import Kind, Label
from labelkit.messages import Message
from labelkit.plan import Explicit, Plan, Watermark
from labelkit.watermark.payload import Payload

_KINDS = {"generated": Kind.GENERATED, "possible": Kind.POSSIBLE, "suspected": Kind.SUSPECTED}


def run(options: argparse.Namespace) -> int:
    """Label what was named; returns the exit code."""
    plan, key = _plan(options), Key.load(options.key) if options.key else None
    # a text beside the pictures is not meant, unless the layers asked for are such as it can carry
    families = ("image", "audio", "video") if plan.explicit or plan.watermark else None
    items, skipped = collect(options.files, without=Path(options.output) if options.output else None, families=families)
    if options.produce_id and len(items) > 1:
        raise InvalidArgument("--produce-id names one file's content, {count} files came", count=len(items),
                              hint="leave it out: every file gets a number of its own")
    _label(options, options.produce_id or "check")  # a wrong producer is refused before the first file
    places = [item.path for item in items] if options.in_place else targets(items, options.output)
    where = dict(zip(items, places, strict=True))
    work = functools.partial(_one, options=options, plan=plan, key=key, where=where)
    failed = 0
    for item, result in run_files(lambda item: attempt(lambda: work(item)), items, options.jobs):
        failed += isinstance(result, LabelkitError)
        _say(item, where[item], result, options, marked=plan.watermark is not None)
    return _summary(len(items), failed, skipped, options)


def _one(item: Item, *, options: argparse.Namespace, plan: Plan, key: Key | None, where: dict[Item, str]) -> Label:
    label = _label(options, options.produce_id or str(uuid.uuid4()))
    source = io.BytesIO(sys.stdin.buffer.read()) if item.path == STANDARD else item.path
    target = where[item]
    if target == STANDARD:
        target = sys.stdout.buffer
    elif options.in_place:
        target = os.path.realpath(target)  # a symbolic link stays one
    else:
        _refuse_conversion(source, target)
        _make_folder(Path(target).parent)
    pipeline.embed(source, target, label, plan=plan, key=key, replace=options.replace, in_place=options.in_place,
                   check=not options.no_check, max_pixels=options.max_megapixels * 1_000_000)
    return label


def _refuse_conversion(source: str | io.BytesIO, target: str) -> None:
    """A JPEG must not come out under the name of a PNG, unless it went in so."""
    named = mimetypes.guess_type(target)[0]
    if named is None or isinstance(source, str) and Path(source).suffix.lower() == Path(target).suffix.lower():
        return
    format = container.sniff(source)
    if named.startswith("image/") and named != format.mime:
        raise InvalidArgument("{where} is named as another format than its source, which is {format}; files are "
                              "labelled in their own format", where=target, format=format.name)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputFailed("{where} cannot be written: {reason}", where=str(folder),
                           reason=error.strerror or "the system refused") from error


def _label(options: argparse.Namespace, produce_id: str) -> Label:
    return Label(_KINDS[options.kind], options.producer, produce_id)


def _plan(options: argparse.Namespace) -> Plan:
    layers = options.layers or [layer for layer in LAYERS if layer != "provenance" or options.signer]
    if "provenance" in layers and not options.signer:
        raise InvalidArgument("the provenance layer needs a signer",
                              hint="give --signer PEM; labelkit keygen makes one")
    settings = {name: getattr(options, name) for name in ("text", "corner", "height", "style", "font")
                if getattr(options, name) is not None}
    strength = {} if options.strength is None else {"strength": options.strength}
    return Plan(explicit=Explicit(border=options.border, **settings) if "explicit" in layers else None,
                watermark=Watermark(**strength) if "watermark" in layers else None,
                metadata="metadata" in layers,
                provenance=_signer(options) if "provenance" in layers else None)


def _signer(options: argparse.Namespace) -> object:
    password = os.environ.get("LABELKIT_SIGNER_PASSWORD")
    return pipeline.provenance().Signer.load(options.signer, password=password.encode() if password else None,
                                             ta_url=options.ta_url)


def _say(item: Item, place: str, result: Label | LabelkitError, options: argparse.Namespace, *, marked: bool) -> None:
    out = sys.stderr if place == STANDARD else sys.stdout
    shown, written = name_of(item.path), "stdout" if place == STANDARD else name_of(place)
    if isinstance(result, LabelkitError) and not options.json:
        say_error(result, options.lang, shown)
        return
    if options.json:
        fields = (error_json(item.path, result, options.lang) if isinstance(result, LabelkitError) else
                  {"file": item.path, "output": place, "label": result.fields(),
                   "watermark": Payload.of(result).hex if marked else None})
        print(json.dumps(fields, ensure_ascii=False), file=out)
    elif marked:
        print(Message("{source} -> {target}: labelled, id {produce_id}, watermark {watermark}", source=shown,
                      target=written, produce_id=result.produce_id,
                      watermark=Payload.of(result).hex).text(options.lang), file=out)
    else:
        print(Message("{source} -> {target}: labelled, id {produce_id}", source=shown, target=written,
                      produce_id=result.produce_id).text(options.lang), file=out)


def _summary(total: int, failed: int, skipped: int, options: argparse.Namespace) -> int:
    done = total - failed
    if total != 1 or skipped:
        print(Message("{done} labelled, {failed} failed, {skipped} passed over as no media", done=done,
                      failed=failed, skipped=skipped).text(options.lang), file=sys.stderr)
    if not total:
        print(Message("nothing to label was found").text(options.lang), file=sys.stderr)
        return UNANSWERED
    return SHORT if failed else OK
