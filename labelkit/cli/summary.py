# SPDX-License-Identifier: Apache-2.0
"""`labelkit summary`, and what it and every run of several files shows people: a table, and a page."""

from __future__ import annotations

import argparse
from pathlib import Path

from labelkit.batch.tally import Facts, Failure, Tally
from labelkit.cli import journal
from labelkit.cli.outcome import OK, SHORT, about, note
from labelkit.cli.targets import refuse_no_place
from labelkit.cli.text import name_of, one_line, padded, width, without_user_info
from labelkit.errors import InvalidArgument, cannot_write
from labelkit.messages import Message

LEAST = 10  # files from which on a run gets a table
_MAX_TEXT = 100
_MAX_SECONDS = 1e9  # of a run: thirty years
_UNITS = ("B", "kB", "MB", "GB", "TB")


def run(options: argparse.Namespace) -> int:
    """Show the summary of a journal; returns the exit code."""
    refuse_no_place(options.report)
    tally = of_journal(options.journal)
    if not tally.labelled + tally.failed:
        raise InvalidArgument("{where}: no file is in this journal, or none with facts about it", where=options.journal)
    for line in lines(tally, options.lang):
        print(one_line(line.removeprefix("  ")))
    if options.report:
        _write(tally, options)
    return SHORT if tally.failed else OK


def of_journal(path: str) -> Tally:
    """The results in a journal of `embed`: every file that was labelled, and what failed and did not succeed later.

    Raises InvalidArgument for a file that cannot be read or is no journal.
    """
    tally, failing = Tally(), journal.failed(path)
    starts: dict[str, float] = {}  # of runs, one after the other
    for entry in journal.entries(path):
        name, facts = entry["file"], Facts.of_dict(entry.get("facts"))
        if facts:
            tally.add(name, facts, _seconds(entry["facts"], starts, tally.seconds))
        elif name in failing and isinstance(error := entry.get("error"), dict):
            failing.remove(name)
            reason = Message("{line}", line=str(error.get("message", "")))
            tally.add_failure(Failure(name, str(error.get("type", "")), reason))
    return tally


def _seconds(facts: dict[str, object], starts: dict[str, float], before: float) -> float:
    """When a file was done, from the start of the first run on, without the time between runs."""
    seconds = facts.get("seconds")
    if not isinstance(seconds, int | float) or not 0 <= seconds < _MAX_SECONDS:
        return before
    return starts.setdefault(str(facts.get("run")), before) + seconds


def show(tally: Tally, options: argparse.Namespace) -> None:
    """Print the table of a run of several files, and write the page of --report."""
    if tally.labelled + tally.failed >= LEAST:
        for line in lines(tally, options.lang):
            note(Message("{line}", line=line), options)
    if options.report and not options.dry_run:
        _write(tally, options)


def _write(tally: Tally, options: argparse.Namespace) -> None:
    from labelkit.page import run
    try:
        Path(options.report).write_text(run.page(tally, language=options.lang), "utf-8")
    except OSError as error:
        raise cannot_write(options.report, error) from error


def lines(tally: Tally, language: str) -> list[str]:
    """The table: a row for each format, then failures by reason, what was made stronger, and the rate."""
    head = [Message("format"), Message("files"), Message("before"), Message("after"), Message("growth")]
    rows = [[text.text(language) for text in head]]
    for name, one in sorted(tally.formats.items(), key=lambda pair: -pair[1].files):
        sizes = [size(one.bytes_in), size(one.bytes_out), growth(one.bytes_in, one.bytes_out)]
        rows.append([name, f"{one.files:,}", *(sizes if one.bytes_in else ["-"] * len(sizes))])
    made = _aligned(rows) if tally.formats else []
    said = [Message("{count} failed: {kind}, such as {example}", count=count, kind=kind, example=_example(
        tally, kind, language)) for kind, count in tally.failures.most_common()]
    if tally.grown:
        most = tally.grown[0]
        said.append(Message("grew most: {name}, {growth}", name=name_of(most.name),
                            growth=growth(most.bytes_in, most.bytes_out)))
    if tally.stronger:
        said.append(Message("{count} watermarks were made stronger, because the file's own encoding took them away",
                            count=tally.stronger))
    if tally.seconds > 0:
        total = tally.labelled + tally.failed
        said.append(Message("{count} files in {seconds:.1f} s, {rate:.1f} a second", count=total,
                            seconds=tally.seconds, rate=total / tally.seconds))
    return made + ["  " + message.text(language) for message in said]


def _aligned(rows: list[list[str]]) -> list[str]:
    """The rows as lines: the first column to the left, the others to the right."""
    widths = [max(width(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  " + padded(row[0], widths[0] + 1) + "".join(
        " " * (2 + widths[at] - width(row[at])) + row[at] for at in range(1, len(row))) for row in rows]


def _example(tally: Tally, kind: str, language: str) -> str:
    failure = next((one for one in tally.listed if one.kind == kind), None)
    if failure is None:
        return "-"
    text = one_line(without_user_info(failure.reason.text(language)))
    return about(name_of(failure.name), text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…", language)


def size(count: float) -> str:
    """Bytes in the unit that leaves one to three digits before the point."""
    unit = 0
    while count >= 999.5 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.0f} B" if not unit else f"{count:.3g} {_UNITS[unit]}"


def growth(before: int, after: int) -> str:
    """How much larger the result is, such as +1.8 %."""
    return f"{100 * (after / before - 1):+.1f} %" if before else "-"
