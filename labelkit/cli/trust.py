# SPDX-License-Identifier: Apache-2.0
"""`labelkit trust`: show or replace the trust lists of the C2PA, which `verify` uses by default."""

from __future__ import annotations

import argparse
import datetime
from dataclasses import asdict

from labelkit.cli.outcome import OK, json_line
from labelkit.cli.show import row
from labelkit.errors import InvalidArgument
from labelkit.messages import Message

C2PA, NONE = "c2pa", "none"
"""Values of --trust that are no file: C2PA's lists, and no list at all."""


def run(options: argparse.Namespace) -> int:
    """Show the trust lists in use, replace them, or go back to the shipped ones; returns the exit code."""
    from labelkit.provenance import official

    if options.action != "update" and (options.lists or options.time_stamps):
        raise InvalidArgument("only update takes trust lists")
    now = datetime.datetime.now(datetime.UTC)
    if options.action == "update":
        found = official.replace(*options.lists, time_stamps=options.time_stamps, today=f"{now:%Y-%m-%d}")
    else:
        found = official.forget() if options.action == "reset" else official.current()
    signers, stamps = official.names(found.signers), official.names(found.time_stamps)
    if options.json:
        facts = {**asdict(found), "signers": signers, "time_stamps": stamps}
        print(json_line(facts))
        return OK
    language = options.lang
    print(f"{found.name}: {official.origin(found).text(language)}")
    for title, fact in ((Message("issued"), found.issued), (Message("next update"), found.next_update),
                        (Message("source"), found.source), (Message("licence"), found.licence)):
        if fact:
            print(row(title.text(language), "", fact))
    if found.next_update and found.next_update < f"{now:%Y-%m-%d}":
        print(row("", "", Message("a newer list has been due since {day}", day=found.next_update).text(language)))
    for title, listed in ((Message("signers"), signers), (Message("time-stamps"), stamps)):
        for name, end in listed:
            what = Message("{name}, valid until {end}", name=name, end=end)
            print(row(title.text(language), "", what.text(language)))
    return OK
