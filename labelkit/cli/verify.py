# SPDX-License-Identifier: Apache-2.0
"""`labelkit verify`: say what files say about being AI-generated."""

from __future__ import annotations

import argparse
import datetime
import json
import sys

from labelkit import pipeline
from labelkit.cli.files import Item, attempt, collect, run as run_files, source_of
from labelkit.cli.main import OK, SHORT, UNANSWERED, say_error
from labelkit.cli.show import error_json, report_text
from labelkit.cli.text import name_of
from labelkit.errors import InvalidArgument, LabelkitError
from labelkit.explicit import ocr
from labelkit.key import Key
from labelkit.messages import Message
from labelkit.metadata.sm2 import load_pins
from labelkit.report import Layer, Report, Status


def run(options: argparse.Namespace) -> int:
    """Verify what was named; returns the exit code."""
    settings = {**checks(options), "layers": [Layer(name) for name in options.layers]}
    required = [Layer(name) for name in options.require]
    if not set(required) <= set(settings["layers"]):
        raise InvalidArgument("{layers} cannot be required, they are not checked",
                              hint="say with --require which of the layers that are checked must be valid",
                              layers=", ".join(x.value for x in required if x not in settings["layers"]))
    codes = []
    items, skipped = collect(options)
    for item, result in run_files(lambda item: attempt(lambda: _one(item, settings)), items, options.jobs):
        _say(item, result, required, options)
        codes.append(_code(result, required))
    return _summary(codes, skipped, required, options)


def checks(options: argparse.Namespace) -> dict[str, object]:
    """The arguments of `labelkit.verify` that stand in the options of every command that verifies."""
    if options.ocr:
        ocr.check_available()
    return {"ocr": ocr.available() if options.ocr is None else options.ocr,
            "key": Key.load(options.key) if options.key else None,
            "trust": pipeline.provenance().TrustList.load(options.trust) if options.trust else None,
            "pins": load_pins(options.sm2_pin) if options.sm2_pin else (), "effort": options.effort,
            "now": datetime.datetime.now(datetime.UTC), "max_pixels": options.max_megapixels * 1_000_000}


def _one(item: Item, settings: dict[str, object]) -> Report:
    with source_of(item) as source:
        return pipeline.verify(source, **settings)


def _code(result: Report | LabelkitError, required: list[Layer]) -> int:
    if isinstance(result, LabelkitError) or any(result[layer].status is Status.UNCHECKED for layer in required):
        return UNANSWERED
    return SHORT if result.shortcomings(*required) else OK


def _say(item: Item, result: Report | LabelkitError, required: list[Layer], options: argparse.Namespace) -> None:
    shown = name_of(item.path)
    if options.json:
        fields = (error_json(item.path, result, options.lang) if isinstance(result, LabelkitError) else
                  {"file": item.path, **result.to_dict(options.lang), "required": [layer.value for layer in required],
                   "shortcomings": result.shortcomings(*required)})
        print(json.dumps(fields, ensure_ascii=False))
    elif isinstance(result, LabelkitError):
        say_error(result, options.lang, shown)
    else:
        print(report_text(result, shown, options.lang))


def _summary(codes: list[int], skipped: int, required: list[Layer], options: argparse.Namespace) -> int:
    if not codes:
        print(Message("nothing to verify was found").text(options.lang), file=sys.stderr)
        return UNANSWERED
    names = ", ".join(layer.value for layer in required)
    print(Message("required {layers}: {good} of {total} files meet it, {short} do not, {open} could not be checked",
                  layers=names, good=codes.count(OK), total=len(codes), short=codes.count(SHORT),
                  open=codes.count(UNANSWERED)).text(options.lang), file=sys.stderr)
    if skipped:
        print(Message("{skipped} files of no known format were passed over", skipped=skipped).text(options.lang),
              file=sys.stderr)
    return max(codes)
