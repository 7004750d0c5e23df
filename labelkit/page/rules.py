# SPDX-License-Identifier: Apache-2.0
"""Rules and how they came out, as pieces of HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from labelkit.compliance import Outcome, Result
from labelkit.messages import Message
from labelkit.page.markup import bilingual, chip, table
from labelkit.report import Layer, Report, Status

_OUTCOMES = {Outcome.PASS: ("valid", Message("pass")), Outcome.FAIL: ("invalid", Message("FAIL")),
             Outcome.CANNOT_TELL: ("unchecked", Message("cannot tell"))}
_ADVISED = ("possible", Message("advised"))
_TITLE = Message("Rule by rule")
_OTHER_LAW = {"watermark", "text-watermark", "scope", "exported-mark", "prominent-label"}  # than China's


def outcome_chip(outcome: Outcome | None, count: int | None = None) -> str:
    """How a rule or a file came out, None for a file that could not be judged; with how many rules say so."""
    style, word = _OUTCOMES[outcome] if outcome else ("suspected", Message("not judged"))
    return chip(style, Message("{what}: {count}", what=word, count=count) if count else word)


def verdict_of(results: Sequence[Result], report: Report) -> str:
    """What all rules together come to, with the title of their table."""
    counts = {outcome: sum(rule.outcome is outcome and not rule.encouraged for rule in results) for outcome in Outcome}
    tally = "".join(f"<li>{outcome_chip(outcome)} {count}</li>" for outcome, count in counts.items() if count)
    return (f'<div class="title"><h2>{bilingual(_TITLE)}</h2><ul class="tally">{tally}</ul></div>'
            + _overall(counts, results, report))


def _overall(counts: dict[Outcome, int], results: Sequence[Result], report: Report) -> str:
    """One line for all rules, and what the absence of a watermark means where no rule speaks of it."""
    failed, left, every = counts[Outcome.FAIL], counts[Outcome.CANNOT_TELL], sum(counts.values())
    lines = [Message("Not compliant: {failed} of {all} rules fail", failed=failed, all=every) if failed else
             Message("Open: no rule fails, {left} of {all} need a person", left=left, all=every) if left else
             Message("Compliant: all {all} rules pass", all=every)]
    if report[Layer.WATERMARK].status is Status.ABSENT and not any(rule.rule in _OTHER_LAW for rule in results):
        lines.append(Message("No watermark was found. That breaks no rule: GB 45438-2025 6.2 allows one and asks for "
                             "none, and the Labeling Measures, Article 5, encourage it."))
    return "".join(f'<p class="overall">{bilingual(line)}</p>' for line in lines)


def rules_table(rows: Iterable[tuple[Result, Message | None]]) -> str:
    """A table of rules, each with what to run where it did not pass."""
    head = (f'<th scope="col" class="{style}">{bilingual(title)}</th>' for style, title in (
        ("outcome", Message("Outcome")), ("clause", Message("Clause")), ("asks", Message("Rule")),
        ("found", Message("Found"))))
    return table(_TITLE, head, (_row(rule, todo) for rule, todo in rows), "rules")


def _row(result: Result, todo: Message | None) -> str:
    failed = ' class="invalid-row"' if result.outcome is Outcome.FAIL and not result.encouraged else ""
    shown = chip(*_ADVISED) if result.encouraged and result.outcome is not Outcome.PASS else outcome_chip(
        result.outcome)
    to_run = f'<div class="mend">{bilingual(Message("to mend: {what}", what=todo))}</div>' if todo else ""
    return (f'<tr{failed}><td>{shown}</td><th scope="row">{bilingual(result.clause)}</th>'
            f'<td>{bilingual(result.asks)}</td><td class="found">{bilingual(result.found)}{to_run}</td></tr>')
