# SPDX-License-Identifier: Apache-2.0
"""`labelkit embed`: label files and folders."""

from __future__ import annotations

import argparse
import datetime
import functools
import io
import json
import os
import sys
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from labelkit import container, pipeline
from labelkit.cli.files import (
    STANDARD,
    Item,
    assigned,
    attempt,
    collect,
    media_type,
    run as run_files,
    source_of,
    target_of,
)
from labelkit.cli.film import FilmProgress
from labelkit.cli.main import OK, SHORT, UNANSWERED, say_error
from labelkit.cli.parser import LAYERS
from labelkit.cli.show import error_json
from labelkit.cli.text import name_of
from labelkit.errors import InvalidArgument, LabelkitError
from labelkit.key import Key
from labelkit.label import Kind, Label
from labelkit.messages import Message
from labelkit.metadata import security_data
from labelkit.metadata.sm2 import Sm2Signer
from labelkit.plan import Explicit, Generator, Plan, Quality, Showing, Watermark
from labelkit.watermark.payload import Payload

if TYPE_CHECKING:
    from labelkit.log import LabelLog, Waiver

_OF_EXPLICIT = ("text", "corner", "height", "style", "font", "sound", "place", "repeat_s", "recording")
_KINDS = {"generated": Kind.GENERATED, "possible": Kind.POSSIBLE, "suspected": Kind.SUSPECTED}


def run(options: argparse.Namespace) -> int:
    """Label what was named; returns the exit code."""
    plan, key = _plan(options), Key.load(options.key) if options.key else None
    sm2, log, waiver = Sm2Signer.load(options.sm2_key) if options.sm2_key else None, _log(options), _waiver(options)
    # a text beside the pictures is not meant, unless the layers asked for are such as it can carry
    families = ("image", "audio", "video") if plan.explicit or plan.watermark else None
    items, skipped = collect(options, families)
    if options.produce_id and len(items) > 1:
        raise InvalidArgument("--produce-id names one file's content, {count} files came", count=len(items),
                              hint="leave it out: every file gets a number of its own")
    _label(options, options.produce_id or "check")  # a wrong producer is refused before the first file
    where = assigned(items, options)
    settings = {"plan": plan, "key": key, "replace": options.replace, "in_place": options.in_place,
                "check": not options.no_check, "max_pixels": options.max_megapixels * 1_000_000, "log": log,
                "waiver": waiver}
    stop = threading.Event()
    work = functools.partial(_one, options=options, settings=settings, sm2=sm2, where=where, stop=stop)
    failed = 0
    for item, result in run_files(lambda item: attempt(lambda: work(item)), list(where), options.jobs, stop):
        failed += isinstance(result, LabelkitError)
        _say(item, where[item], result, options, marked=plan.watermark is not None and not options.presence_only)
    return _summary(len(items), len(items) - len(where), failed, skipped, options)


def _one(item: Item, *, options: argparse.Namespace, settings: dict[str, object], sm2: Sm2Signer | None,
         where: dict[Item, str], stop: threading.Event) -> Label:
    label = _label(options, options.produce_id or str(uuid.uuid4()))
    label = security_data.sign(label, sm2) if sm2 else label
    place = where[item]
    with source_of(item) as source:
        if not options.in_place:
            refuse_conversion(source, place)
        if not (settings["plan"].explicit or settings["waiver"] or options.explicit_present):
            _refuse_bare(source)
        with (target_of(place, in_place=options.in_place) as target,
              FilmProgress(item.path, options.lang, alone=len(where) == 1, stop=stop) as progress):
            pipeline.embed(source, target, label, now=datetime.datetime.now(datetime.UTC), report=progress.step,
                           **settings)
    return label


def _refuse_bare(source: str | io.BytesIO) -> None:
    """The explicit label is left out on record alone (Measures, Article 9), or where it is there already."""
    if container.sniff(source).family != "document":
        raise InvalidArgument("{where}: no explicit label would be put on",
                              where="stdin" if isinstance(source, io.BytesIO) else source,
                              hint="say --explicit-present where the content carries it already; leaving it out takes "
                              "--waive-recipient, --waive-agreement and --log")


def _log(options: argparse.Namespace) -> LabelLog | None:
    if not options.log:
        return None
    from labelkit.log import LabelLog
    return LabelLog(options.log)


def _waiver(options: argparse.Namespace) -> Waiver | None:
    given = options.waive_recipient is not None, options.waive_agreement is not None
    if not any(given):
        return None
    if not all(given) or not options.log:
        raise InvalidArgument("leaving the explicit label out takes --waive-recipient, --waive-agreement and --log "
                              "together (Labeling Measures, Article 9)")
    from labelkit.log import Waiver
    return Waiver(options.waive_recipient, options.waive_agreement)


def refuse_conversion(source: str | io.BytesIO, target: str) -> None:
    """A JPEG must not come out under the name of a PNG, unless it went in so."""
    named = media_type(target)
    if named is None or isinstance(source, str) and Path(source).suffix.lower() == Path(target).suffix.lower():
        return
    format = container.sniff(source)
    if named.partition("/")[2] != format.mime.replace("/x-", "/").partition("/")[2]:  # MP4 may hold sound alone
        raise InvalidArgument("{where} is named as another format than its source, which is {format}; files are "
                              "labelled in their own format", where=target, format=format.name)


def _label(options: argparse.Namespace, produce_id: str) -> Label:
    return Label(_KINDS[options.kind], options.producer, produce_id)


def _plan(options: argparse.Namespace) -> Plan:
    left_out = {"provenance": not options.signer, "explicit": options.waive_recipient is not None}
    layers = options.layers or [layer for layer in LAYERS if not left_out.get(layer)]
    if "provenance" in layers and not options.signer:
        raise InvalidArgument("the provenance layer needs a signer",
                              hint="give --signer PEM; labelkit keygen makes one")
    if options.recording and options.sound not in ("speech", "both"):
        raise InvalidArgument("--recording is a spoken label, and --sound asks for none",
                              hint="say --sound speech or --sound both")
    settings = {name: getattr(options, name) for name in _OF_EXPLICIT if getattr(options, name) is not None}
    if options.show is not None:
        settings["showing"] = Showing(options.show)
    heard = options.soundtrack or []
    if set(heard) - set(layers):
        raise InvalidArgument("--soundtrack asks for a layer that --layers leaves out")
    strength = {} if options.strength is None else {"strength": options.strength}
    watermark = Watermark(soundtrack="watermark" in heard, presence_only=options.presence_only, **strength)
    return Plan(explicit=Explicit(border=options.border, soundtrack="explicit" in heard, **settings)
                if "explicit" in layers else None,
                watermark=watermark if "watermark" in layers else None,
                metadata="metadata" in layers,
                provenance=signer_of(options) if "provenance" in layers else None,
                quality=Quality(options.crf, options.preset), generator=_generator(options))


def _generator(options: argparse.Namespace) -> Generator | None:
    if not options.generator:
        if options.created:
            raise InvalidArgument("--created says when the system of --generator made the content, and none is named")
        return None
    name, _, version = options.generator.rpartition(" ")
    if not name or not any(character.isdigit() for character in version):
        name, version = options.generator, ""
    return Generator(name, version, options.created or datetime.datetime.now(datetime.UTC).replace(microsecond=0))


def signer_of(options: argparse.Namespace) -> object:
    """The signer that the options name."""
    password, room = os.environ.get("LABELKIT_SIGNER_PASSWORD"), pipeline.provenance()
    if options.signer.startswith("pkcs11:"):
        return room.Signer.from_pkcs11(options.signer, pin=password, ta_url=options.ta_url)
    return room.Signer.load(options.signer, password=password.encode() if password else None, ta_url=options.ta_url)


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


def _summary(total: int, there: int, failed: int, skipped: int, options: argparse.Namespace) -> int:
    done = total - there - failed
    if total != 1 or skipped:
        print(Message("{done} labelled, {failed} failed, {skipped} passed over as no media", done=done,
                      failed=failed, skipped=skipped).text(options.lang), file=sys.stderr)
    if options.resume:
        print(Message("{count} were there already", count=there).text(options.lang), file=sys.stderr)
    if not total:
        print(Message("nothing to label was found").text(options.lang), file=sys.stderr)
        return UNANSWERED
    return SHORT if failed else OK
