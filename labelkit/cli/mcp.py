# SPDX-License-Identifier: Apache-2.0
"""`labelkit mcp`: tools for assistants, over stdin and stdout."""

from __future__ import annotations

import argparse

from labelkit import mcp
from labelkit.cli.embed import plan_of
from labelkit.cli.options import checks, sm2_signer_of
from labelkit.cli.outcome import OK
from labelkit.label import Kind, Label
from labelkit.preconditions import VerifySettings


def run(options: argparse.Namespace) -> int:
    """Serve until the client closes stdin; returns the exit code."""
    given, plan, log = checks(options), plan_of(options), None
    if options.producer is not None:  # a wrong one is refused before the first file
        Label(Kind.GENERATED, options.producer, "check")
    if options.log:
        from labelkit.log import LabelLog
        log = LabelLog(options.log)
    mcp.server(mcp.Settings(
        folders=options.folders, producer=options.producer, plan=plan, key=given["key"], log=log,
        checks=VerifySettings(trust=given["trust"], pins=given["pins"], effort=given["effort"], ocr=given["ocr"]),
        sm2=sm2_signer_of(options), language=options.lang, max_pixels=given["max_pixels"])).run()
    return OK
