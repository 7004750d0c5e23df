# SPDX-License-Identifier: Apache-2.0
"""`labelkit evidence`: try one's own watermark on one's own media, and report it for a regulator."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from labelkit import store
from labelkit.cli.check_report import write_text
from labelkit.cli.files import STANDARD, collect
from labelkit.cli.options import key_of, result_signer_of
from labelkit.cli.outcome import OK, SHORT, UNANSWERED, json_line, note, say_error
from labelkit.cli.text import name_of, printable_json
from labelkit.errors import InvalidArgument, cannot_write
from labelkit.key import Key
from labelkit.messages import Message
from labelkit.plan import Watermark
from labelkit.threads import cores
from labelkit.trials import media, signed
from labelkit.trials.measure import JOURNAL, Run
from labelkit.trials.media import KINDS, Medium
from labelkit.trials.report import KIND_NAMES, Report
from labelkit.trials.signed import HTML_FILE, JSON_FILE, SIGNED_FILE
from labelkit.trials.subject import Settings

_EVERY_SECONDS = 0.5
_BAR = 30


def run(options: argparse.Namespace) -> int:
    """Measure, and write the report into OUT; returns the exit code."""
    plan = Watermark(**{name: getattr(options, name) for name in ("strength", "robustness")
                        if getattr(options, name) is not None})
    settings, signer = Settings(Key.of(key_of(options)), plan, options.effort), result_signer_of(options)
    folder = Path(options.out)
    chosen = _media(options, folder)
    if not chosen:
        note(Message("no picture, sound or film to try was found"), options)
        return UNANSWERED
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    started = time.monotonic()
    try:
        measured = Run(chosen, settings, folder, min(options.jobs or cores(), len(chosen)),
                       _progress(options, started)).measure()
    except KeyboardInterrupt:
        note(Message("stopped; the same command goes on where it was, from {file}",
                     file=name_of(str(folder / JOURNAL))), options)
        raise
    made = Report(measured, chosen, settings, datetime.datetime.now(datetime.UTC), time.monotonic() - started)
    return _written(made, folder, options, None if signer is None else lambda: signed.sign(signer, folder, made.now))


def _media(options: argparse.Namespace, folder: Path) -> list[Medium]:
    """Those that the command line names, or those that are made by code."""
    if not options.files:
        return media.of_code()
    options.files_from, options.shard, options.output = None, None, str(folder)
    items = collect(options, lambda found: found.family in KINDS).items
    for item in items:
        if store.is_url(item.path) or item.path == STANDARD:
            raise InvalidArgument("{where}: only local files are tried", where=item.path)
    chosen, refused = media.of_files((item.path for item in items), options.count)
    for name, error in refused:
        say_error(error, options.lang, name_of(name))
    return chosen


def _progress(options: argparse.Namespace, started: float) -> Callable[[int, int], None]:
    """A bar on stderr, if that is a terminal."""
    shown, last = sys.stderr.isatty() and not options.quiet, [0.0]

    def step(done: int, total: int) -> None:
        now = time.monotonic()
        if not shown or done < total and now - last[0] < _EVERY_SECONDS:
            return
        last[0] = now
        filled, left = _BAR * done // total, (now - started) * (total / done - 1)
        line = Message("{done} of {total} tests, {left} s left", done=done, total=total, left=f"{left:.0f}")
        sys.stderr.write(f"\r\x1b[K[{'#' * filled}{'.' * (_BAR - filled)}] {line.text(options.lang)}")
        sys.stderr.write("\r\x1b[K" if done == total else "")
        sys.stderr.flush()
    return step


def _written(made: Report, folder: Path, options: argparse.Namespace, sign: Callable[[], str] | None) -> int:
    from labelkit.page import evidence

    text = json.dumps(made.to_dict(), ensure_ascii=False, indent=1)
    write_text(folder / JSON_FILE, "\n".join(map(printable_json, text.split("\n"))) + "\n")
    write_text(folder / HTML_FILE, evidence.page(made, options.lang))
    files = [JSON_FILE, HTML_FILE]
    if sign:
        write_text(folder / SIGNED_FILE, sign() + "\n")
        files.append(SIGNED_FILE)
    else:  # one of an earlier run would be about other files
        (folder / SIGNED_FILE).unlink(missing_ok=True)
    if options.json:
        print(json_line({**made.to_dict()}))
    elif not options.quiet:
        print(_text(made, [name_of(str(folder / name)) for name in files], options.lang))
    if not made.measured.facts:
        return UNANSWERED
    return OK if made.is_sound else SHORT


def _text(made: Report, files: list[str], language: str) -> str:
    lines = []
    for kind in KINDS:
        everyday, attacks = made.read(kind, attacks=False), made.read(kind, attacks=True)
        if everyday.of:
            lines.append(Message("{kind}: id read in {right} of {all} tests of transformations, {right_a} of {all_a} "
                                 "of attacks", kind=KIND_NAMES[kind], right=everyday.count, all=everyday.of,
                                 right_a=attacks.count, all_a=attacks.of))
    for name in made.measured.refused:
        lines.append(Message("{file}: cannot carry a mark", file=name_of(name)))
    lines.append(Message("false findings: {unmarked} in {of} tests of unmarked media, {keys} with a wrong key, {wrong} "
                         "wrong ids", unmarked=made.unmarked.count, of=made.unmarked.of, keys=made.wrong_key.count,
                         wrong=made.wrong.count))
    return "\n".join([line.text(language) for line in lines] + files)
