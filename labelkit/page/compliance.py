# SPDX-License-Identifier: Apache-2.0
"""The report on many files as one self-contained page: what they come to, jurisdictions, the worst files first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from labelkit.compliance import Outcome, Result
from labelkit.messages import Message
from labelkit.page.markup import Media, bilingual, bullet_list, data_uri, document, escaped, row, table
from labelkit.page.rules import outcome_chip, rules_table

MAX_ROWS = 5000  # files in the table
MAX_JUDGED = 200  # lines of what a person has to judge
_SHOWN_OPEN = 20  # of them; more are folded away


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """A profile: how many files came out as pass, fail, cannot tell and unread, and where its rules come from."""

    name: Message
    totals: Mapping[str, int]
    facts: Mapping[str | Message, object]


@dataclass(frozen=True, slots=True)
class Row:
    """A file.

    outcome  None where it could not be judged, for the reason in `error`
    counted  by profile: what it came to, and how many rules say so
    rules    by profile: each rule and what to run; empty for files whose rules were not kept
    """

    path: str
    outcome: Outcome | None
    counted: Mapping[Message, tuple[Outcome, int]]
    rules: Mapping[Message, Sequence[tuple[Result, Message | None]]]
    error: Message | None = None
    picture: Media | None = None


@dataclass(frozen=True, slots=True)
class Paged:
    """All that the page shows; `rows` the worst first."""

    overall: Message
    jurisdictions: Sequence[Jurisdiction]
    rows: Sequence[Row]
    judged_at: str
    totals: Mapping[str, int]


def page(report: Paged, language: str = "en") -> str:
    """The page; `language` is shown first."""
    facts = row(Message("files"), report.totals["files"]) + row(Message("judged at"), report.judged_at)
    intro = f'<p class="overall">{bilingual(report.overall)}</p><dl>{facts}</dl>'
    body = (_jurisdictions(report) + _files(report) + _left_to_people(report)
            + "".join(_details(number, one) for number, one in enumerate(report.rows)
                      if one.rules and one.outcome is not Outcome.PASS))
    return document(Message("Compliance report"), intro, body, language)


def _jurisdictions(report: Paged) -> str:
    columns = {"pass": Message("pass"), "fail": Message("FAIL"), "cannot tell": Message("cannot tell"),
               "unread": Message("not judged")}
    head = [f'<th scope="col">{bilingual(name)}</th>' for name in (Message("Jurisdiction"), *columns.values())]
    rows = (f'<tr><th scope="row">{bilingual(one.name)}</th>'
            + "".join(_cell(name, str(one.totals[key])) for key, name in columns.items()) + "</tr>"
            for one in report.jurisdictions)
    sources = "".join(f"<details><summary>{bilingual(one.name)}</summary><dl>"
                      f"{''.join(row(key, value) for key, value in one.facts.items())}</dl></details>"
                      for one in report.jurisdictions)
    return (f'<div class="title"><h2>{bilingual(Message("Jurisdictions"))}</h2></div>'
            + table(Message("Jurisdictions"), head, rows, "summary") + sources)


def _files(report: Paged) -> str:
    title, names = Message("Files, the worst first"), [one.name for one in report.jurisdictions]
    head = [f'<th scope="col">{bilingual(name)}</th>' for name in (Message("File"), Message("Overall"), *names)]
    rows = (_file(number, one, names) for number, one in enumerate(report.rows[:MAX_ROWS]))
    more = len(report.rows) - MAX_ROWS
    rest = f'<p class="soft">{bilingual(Message("and {count} more", count=more))}</p>' if more > 0 else ""
    return f'<div class="title"><h2>{bilingual(title)}</h2></div>' + table(title, head, rows, "summary") + rest


def _file(number: int, one: Row, names: Sequence[Message]) -> str:
    shown = escaped(one.path)
    if one.rules and one.outcome is not Outcome.PASS:
        shown = f'<a href="#file-{number}">{shown}</a>'
    cells = [_cell(Message("Overall"), outcome_chip(one.outcome))]
    if one.error:
        cells.append(f'<td colspan="{max(1, len(names))}">{bilingual(one.error)}</td>')
    else:
        cells += [_cell(name, outcome_chip(*one.counted[name])) for name in names]
    return f'<tr><th scope="row" class="mono">{shown}</th>{"".join(cells)}</tr>'


def _cell(column: Message, content: str) -> str:
    """A cell that knows its column: narrow screens show no head."""
    return f'<td data-en="{escaped(column.text("en"))}" data-zh="{escaped(column.text("zh-CN"))}">{content}</td>'


def _left_to_people(report: Paged) -> str:
    """What no file can show, or nobody could make out: a person judges it."""
    lines = list(_open(report))
    if not lines:
        return ""
    more = len(lines) - MAX_JUDGED
    shown = lines[:MAX_JUDGED] + ([bilingual(Message("and {count} more", count=more))] if more > 0 else [])
    count = Message("{what}: {count}", what=Message("rules left open"), count=len(lines))
    return (f'<div class="title"><h2>{bilingual(Message("For a person to judge"))}</h2></div>'
            f"<details{' open' if len(lines) <= _SHOWN_OPEN else ''}><summary>{bilingual(count)}</summary>"
            f"{bullet_list(shown)}</details>")


def _open(report: Paged) -> Iterator[str]:
    for number, one in enumerate(report.rows):
        for rules in one.rules.values():
            for result, _ in rules:
                if result.outcome is Outcome.CANNOT_TELL and not result.encouraged:
                    yield (f'<a class="mono" href="#file-{number}">{escaped(one.path)}</a> {bilingual(result.clause)}: '
                           f"{bilingual(result.asks)} – {bilingual(result.found)}")


def _details(number: int, one: Row) -> str:
    picture = f'<img class="preview" src="{data_uri(one.picture)}" alt="{escaped(one.path)}">' if one.picture else ""
    tables = "".join(f"<h3>{bilingual(name)}</h3>" + rules_table(
        [(rule, todo) for rule, todo in rules if rule.outcome is not Outcome.PASS])
        for name, rules in one.rules.items() if any(rule.outcome is not Outcome.PASS for rule, _ in rules))
    return (f'<article id="file-{number}" aria-labelledby="name-{number}"><div class="title"><h2 id="name-{number}">'
            f"{escaped(one.path)}</h2>{outcome_chip(one.outcome)}</div>{picture}{tables}</article>\n")
