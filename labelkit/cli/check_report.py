# SPDX-License-Identifier: Apache-2.0
"""The report of `labelkit check` on many files, as JSON and HTML: totals, what they come to, the worst files first."""

from __future__ import annotations

import argparse
import datetime
import heapq
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from labelkit.cli.files import Item, source_of
from labelkit.cli.mend import mend
from labelkit.cli.text import name_of, printable_json
from labelkit.compliance import SOURCES, Outcome, Profile, Result, overall
from labelkit.errors import LabelkitError, cannot_write
from labelkit.messages import Message

if TYPE_CHECKING:
    from labelkit.page.compliance import Paged
    from labelkit.page.markup import Media

SCHEMA = "labelkit.check/1"
MAX_SHOWN = 100  # files of which the report holds every rule
MAX_PICTURES = 40  # on a page, of up to 1 MiB each
OUTCOMES = {Outcome.PASS: Message("pass"), Outcome.FAIL: Message("FAIL"), Outcome.CANNOT_TELL: Message("cannot tell")}
_NAMES = {Profile.GB45438: Message("GB 45438-2025"), Profile.EU: Message("EU Code of Practice"),
          Profile.CALIFORNIA: Message("California SB 942"), Profile.KOREA: Message("Korea AI Basic Act"),
          Profile.INDIA: Message("India IT Rules")}


@dataclass(frozen=True, slots=True)
class Named:
    """What a run judges by: the profiles, whether California by SB 1000, and when."""

    profiles: tuple[Profile, ...]
    sb1000: bool
    now: datetime.datetime


@dataclass(frozen=True, slots=True)
class FileTally:
    """What one file came to; `rules` is kept of the worst files alone, `error` where it could not be judged."""

    path: str
    outcomes: Mapping[Profile, Outcome]
    failed: Mapping[Profile, tuple[str, ...]]
    left: Mapping[Profile, tuple[str, ...]]
    rules: Mapping[Profile, Sequence[Result]] | None = None
    error: LabelkitError | None = None
    item: Item | None = None

    @property
    def outcome(self) -> Outcome | None:
        """FAIL where one profile fails it, else CANNOT_TELL where one is open; None where it could not be judged."""
        found = set(self.outcomes.values())
        return next((one for one in (Outcome.FAIL, Outcome.CANNOT_TELL, Outcome.PASS) if one in found), None)

    @property
    def badness(self) -> tuple[int, int, int]:
        """What could not be judged is worst, then what fails the most rules."""
        return (self.error is not None, sum(map(len, self.failed.values())), sum(map(len, self.left.values())))


@dataclass(slots=True)
class Tally:
    """The files of a run as they come; holds the rules of the worst `MAX_SHOWN` and the names of the rest."""

    named: Named
    files: list[FileTally] = field(default_factory=list)
    _worst: list[tuple[tuple[int, int, int], int, FileTally]] = field(default_factory=list)

    def add(self, path: str, result: Mapping[Profile, Sequence[Result]] | LabelkitError,
            item: Item | None = None) -> None:
        """Take in what one file came to; `item` is where a picture of it can be had."""
        if isinstance(result, LabelkitError):
            whole = FileTally(name_of(path), {}, {}, {}, error=result, item=item)
        else:
            whole = FileTally(name_of(path), {profile: overall(rules) for profile, rules in result.items()},
                              _named(result, Outcome.FAIL), _named(result, Outcome.CANNOT_TELL), result, item=item)
        self.files.append(FileTally(whole.path, whole.outcomes, whole.failed, whole.left, error=whole.error))
        entry = (whole.badness, -len(self.files), whole)
        (heapq.heappush if len(self._worst) < MAX_SHOWN else heapq.heappushpop)(self._worst, entry)

    def worst(self) -> list[FileTally]:
        """The worst files with their rules, the worst first; of equals the one that came first."""
        return [entry[2] for entry in sorted(self._worst, key=lambda entry: entry[:2], reverse=True)]

    def ordered(self) -> list[FileTally]:
        """All files, the worst first."""
        return sorted(self.files, key=lambda one: one.badness, reverse=True)

    def totals(self, profile: Profile | None = None) -> dict[str, int]:
        """How many files pass, fail, are open and could not be judged; by one profile, or by all together."""
        found = Counter(one.outcome if profile is None else one.outcomes.get(profile) for one in self.files)
        return {"files": len(self.files), **{outcome.value: found[outcome] for outcome in Outcome},
                "unread": found[None]}

    def overall(self) -> Message:
        """The one line that all comes to."""
        of = self.totals()
        facts = {"files": of["files"], "passed": of["pass"], "failed": of["fail"], "open": of["cannot tell"],
                 "unread": of["unread"]}
        if of["fail"]:
            return Message("Not compliant: {failed} of {files} files fail a rule, {open} are open, {unread} could not "
                           "be judged, {passed} pass", **facts)
        if of["cannot tell"] or of["unread"]:
            return Message("Open: no file fails, {open} of {files} need a person, {unread} could not be judged, "
                           "{passed} pass", **facts)
        return Message("Compliant: all {files} files pass every rule", files=of["files"])


def _named(result: Mapping[Profile, Sequence[Result]], outcome: Outcome) -> dict[Profile, tuple[str, ...]]:
    """The names of the rules of one outcome that decide."""
    return {profile: tuple(dict.fromkeys(rule.rule for rule in rules
                                         if rule.outcome is outcome and not rule.encouraged))
            for profile, rules in result.items()}


def name_of_profile(profile: Profile, sb1000: bool) -> Message:
    """The name of a profile, for people."""
    return Message("California SB 1000") if sb1000 and profile is Profile.CALIFORNIA else _NAMES[profile]


def counts(rules: Sequence[Result]) -> Message:
    """How many rules came out in which way; of what is encouraged, how much was not met."""
    found = Counter(rule.outcome for rule in rules if not rule.encouraged)
    passed, failed, left = (found[outcome] for outcome in (Outcome.PASS, Outcome.FAIL, Outcome.CANNOT_TELL))
    advised = sum(rule.encouraged and rule.outcome is not Outcome.PASS for rule in rules)
    if advised:
        return Message("{passed} pass, {failed} fail, {open} cannot tell, {advised} advised", passed=passed,
                       failed=failed, open=left, advised=advised)
    return Message("{passed} pass, {failed} fail, {open} cannot tell", passed=passed, failed=failed, open=left)


def source_facts(profile: Profile) -> dict[str | Message, object]:
    """Where the rules come from, for a page."""
    source = SOURCES[profile]
    return {Message("rules"): source.instrument, Message("published at"): source.address,
            Message("applies since"): source.since, Message("remark"): source.remark}


def rule_json(rule: Result, language: str) -> dict[str, object]:
    """A rule as JSON values, with what to run where it did not pass."""
    todo = mend(rule)
    return {**rule.to_dict(language), "mend": todo.text(language) if todo else None}


def write(tally: Tally, options: argparse.Namespace, *, isolated: bool) -> None:
    """Write the report to the files that --report and --html name. Raises OutputFailed."""
    if options.report:
        text = json.dumps(_json(tally, options.lang), ensure_ascii=False, indent=1)
        write_text(Path(options.report), "\n".join(map(printable_json, text.split("\n"))) + "\n")
    if options.html:
        from labelkit.page import compliance

        write_text(Path(options.html), compliance.page(_paged(tally, isolated), options.lang))


def write_text(path: Path, text: str) -> None:
    """Write a file. Raises OutputFailed."""
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise cannot_write(path, error) from error


def _json(tally: Tally, language: str) -> dict[str, object]:
    named = tally.named
    return {"schema": SCHEMA, "judged_at": f"{named.now:%Y-%m-%dT%H:%M:%SZ}",
            "profiles": {profile.value: {"name": name_of_profile(profile, named.sb1000).text(language),
                                         "instrument": source.instrument.text(language), "published_at": source.address,
                                         "applies_since": source.since, "remark": source.remark.text(language),
                                         "totals": tally.totals(profile)}
                         for profile in named.profiles for source in (SOURCES[profile],)},
            "totals": tally.totals(), "overall": tally.overall().text(language),
            "files": [_file_json(one, language) for one in tally.worst()]
            + [_file_json(one, language) for one in tally.ordered()[MAX_SHOWN:]]}


def _file_json(one: FileTally, language: str) -> dict[str, object]:
    if one.error:
        return {"file": one.path, "outcome": None, "error": {"type": type(one.error).__name__,
                                                             "message": one.error.text(language)}}
    made: dict[str, object] = {"file": one.path, "outcome": one.outcome.value if one.outcome else None}
    made["profiles"] = {profile.value: {
        "outcome": outcome.value, "fail": one.failed[profile], "cannot tell": one.left[profile],
        **({"rules": [rule_json(rule, language) for rule in one.rules[profile]]} if one.rules else {})}
        for profile, outcome in one.outcomes.items()}
    return made


def _paged(tally: Tally, isolated: bool) -> Paged:
    """The report as the page wants it, with the pictures of what a person has to look at."""
    from labelkit.page.compliance import Jurisdiction, Paged, Row

    named = tally.named
    names = {profile: name_of_profile(profile, named.sb1000) for profile in named.profiles}
    laws = [Jurisdiction(names[profile], tally.totals(profile), source_facts(profile)) for profile in named.profiles]
    left = MAX_PICTURES
    rows = []
    for one in tally.worst():
        picture = _picture(one.item, isolated) if left and one.item and one.outcome is not Outcome.PASS else None
        left -= picture is not None
        rules = {names[profile]: [(rule, mend(rule)) for rule in rules]
                 for profile, rules in (one.rules or {}).items()}
        rows.append(Row(one.path, one.outcome, _counted(one, names), rules, one.error.message if one.error else None,
                        picture))
    rest = [Row(one.path, one.outcome, _counted(one, names), {}, one.error.message if one.error else None)
            for one in tally.ordered()[MAX_SHOWN:]]
    return Paged(tally.overall(), laws, rows + rest, f"{named.now:%Y-%m-%d %H:%M:%S} UTC", tally.totals())


def _counted(one: FileTally, names: Mapping[Profile, Message]) -> dict[Message, tuple[Outcome, int]]:
    """By profile: what it came to, and how many rules say so."""
    return {names[profile]: (outcome, len({Outcome.FAIL: one.failed, Outcome.CANNOT_TELL: one.left}.get(
        outcome, {}).get(profile, ()))) for profile, outcome in one.outcomes.items()}


def _picture(item: Item, isolated: bool) -> Media | None:
    """A picture for the page: a small one, or the file as it is where strangers' files are not decoded here."""
    from labelkit.page import image_preview

    try:
        with source_of(item) as source:
            return image_preview.as_it_is(source) if isolated else image_preview.preview(source, None)
    except LabelkitError:
        return None  # sound, a film or a document, or gone since
