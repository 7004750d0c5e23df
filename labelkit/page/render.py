# SPDX-License-Identifier: Apache-2.0
"""Reports as one self-contained HTML page: the demo's page of many files, and the report of one.

The page is in English and Chinese, switched without a script. It loads nothing, and everything that comes from a file
is escaped. Pictures, sounds and films are put in as they are, so that the page shows the very files; PNG as lossless
WebP where that is smaller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from labelkit.compliance import Result
from labelkit.finding import names_of
from labelkit.messages import Message
from labelkit.page import history, rules as pieces
from labelkit.page.history import Thumbnail
from labelkit.page.markup import Media, bilingual, bullet_list, chip, data_uri, document, escaped, row, table
from labelkit.report import Finding, Layer, Report, Status, Verdict

MAX_DEPTH = 8  # levels of nested evidence that are shown
MAX_ROWS = 120  # values of evidence of one layer that are shown

VERDICTS = {Verdict.CONFIRMED: Message("confirmed AI-generated"), Verdict.POSSIBLE: Message("possibly AI-generated"),
             Verdict.SUSPECTED: Message("suspected AI-generated"), Verdict.NONE: Message("no sign of AI generation"),
             Verdict.UNDETERMINED: Message("cannot tell: nothing was found, and not all was looked at")}
_LAYERS = {Layer.EXPLICIT: Message("Explicit label"), Layer.WATERMARK: Message("Watermark"),
           Layer.METADATA: Message("Metadata"), Layer.PROVENANCE: Message("Provenance (C2PA)")}
_MEANINGS = {Layer.EXPLICIT: Message("what people see or hear, GB 45438-2025 clause 5"),
             Layer.WATERMARK: Message("a number inside the pixels or the sound, which survives the loss of all "
                                      "file data"),
             Layer.METADATA: Message("the AIGC label among the file's data, GB 45438-2025 Annex E"),
             Layer.PROVENANCE: Message("a signed manifest that any change of the file breaks")}
_STATUSES = {Status.VALID: ("✓", Message("valid")), Status.INVALID: ("✗", Message("invalid")),
             Status.ABSENT: ("–", Message("absent")), Status.UNCHECKED: ("?", Message("unchecked"))}
_TITLE = Message("Verification report")


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One labelled file: its name, its bytes before and after (None for a report alone), and the report of verify."""

    name: str
    report: Report
    before: bytes | None = None
    after: bytes | None = None


def page(exhibits: Sequence[Exhibit], *, language: str = "en") -> str:
    """The demo page: a summary of all files, then each with its pictures and its report; `language` is shown first."""
    intro = Message("Each file was labelled in four layers, then verified again from the written file alone.")
    body = [_summary(exhibits), *(_exhibited(exhibit, number) for number, exhibit in enumerate(exhibits))]
    return document(Message("labelkit: labelled and verified"), bilingual(intro), "".join(body), language)


def report_page(name: str, facts: Mapping[str | Message, object], report: Report, rules: Sequence[Result] = (), *,
                mends: Sequence[Message | None] = (), title: Message = _TITLE, preview: Media | None = None,
                after: str = "", thumbnails: Sequence[Thumbnail] = (), language: str = "en") -> str:
    """The report of one file as a page to hand over, all evidence open.

    facts    what identifies the file and the judgement, such as the SHA-256 and the time
    rules    the results of `compliance.check`, shown first
    mends    what to run for each of them, None where there is nothing to mend
    preview  media type and bytes of a picture of what was judged
    after    HTML at the end
    thumbnails
             the small pictures in its manifests
    """
    picture = f'<img class="preview" src="{data_uri(preview)}" alt="{escaped(name)}">' if preview else ""
    intro = f"<dl>{''.join(row(key, value) for key, value in facts.items())}</dl>" if facts else ""
    mends = mends or [None] * len(rules)
    body = (pieces.verdict_of(rules, report) + pieces.rules_table(list(zip(rules, mends, strict=True)))
            if rules else "") + article(name, report, 0, after=after, thumbnails=thumbnails, is_open=True)
    return document(title, picture + intro, body, language)


def _summary(exhibits: Sequence[Exhibit]) -> str:
    columns = [Message("File"), Message("Verdict"), *_LAYERS.values()]
    head = (f'<th scope="col">{bilingual(text)}</th>' for text in columns)
    rows = (f'<tr><th scope="row"><a class="mono" href="#file-{number}">{escaped(exhibit.name)}</a></th>'
            + "".join(map(_cell, columns[1:], [_verdict(exhibit.report),
                                               *(_status(finding.status) for finding in exhibit.report)])) + "</tr>"
            for number, exhibit in enumerate(exhibits))
    legend = "".join(f"<li><strong>{bilingual(name)}</strong> {bilingual(_MEANINGS[layer])}</li>"
                     for layer, name in _LAYERS.items())
    return f'<ul class="legend">{legend}</ul>\n{table(Message("Summary of all files"), head, rows, "summary")}'


def _cell(column: Message, content: str) -> str:
    """A cell that knows its column: narrow screens show no head."""
    return f'<td data-en="{escaped(column.text("en"))}" data-zh="{escaped(column.text("zh-CN"))}">{content}</td>'


def article(name: str, report: Report, number: int, *, shown: str = "", after: str = "",
            thumbnails: Sequence[Thumbnail] = (), is_open: bool = False) -> str:
    """The report of one file as an <article>.

    shown, after  HTML before the layers, and at the end
    thumbnails    the small pictures in its manifests
    is_open       whether all evidence is shown
    """
    layers = "".join(_layer(finding, is_open) for finding in report)
    made = history.section(report.manifest.history if report.manifest else (), thumbnails)
    return (f'<article id="file-{number}" aria-labelledby="name-{number}"><div class="title">'
            f'<h2 id="name-{number}">{escaped(name)}</h2>{_verdict(report)}</div>\n{shown}'
            f'<ul class="layers">{layers}</ul>\n'
            f'<div class="why"><div><h3>{bilingual(Message("Why this verdict"))}</h3>'
            f"{bullet_list(map(bilingual, report.reasons))}</div>{_unseen(report)}{_cross_checks(report)}"
            f"{made}{_signposts(report)}</div>{after}</article>\n")


def _exhibited(exhibit: Exhibit, number: int) -> str:
    from labelkit.page import figures  # what makes them is wanted on the demo page alone

    compared = (figures.comparison(exhibit.name, exhibit.before, exhibit.after, exhibit.report)
                if exhibit.before and exhibit.after else "")
    return article(exhibit.name, exhibit.report, number, shown=compared)


def _layer(finding: Finding, is_open: bool) -> str:
    rows = list(_rows(finding))
    shown = "".join(row(key, value) for key, value in rows[:MAX_ROWS])
    if len(rows) > MAX_ROWS:
        shown += row("…", f"{len(rows) - MAX_ROWS}")
    evidence = (f"<details{' open' if is_open else ''}><summary>{bilingual(Message('Evidence'))}</summary>"
                f"<dl>{shown}</dl></details>" if rows else "")
    return (f'<li><div class="name">{bilingual(_LAYERS[finding.layer])} {_status(finding.status)}</div>'
            f"<p>{bilingual(finding.summary)}</p>{evidence}</li>")


def _rows(finding: Finding) -> Iterator[tuple[str, object]]:
    """What a layer states and shows, as (name, value)."""
    if finding.payload:
        yield "payload", finding.payload.hex
    if finding.label:
        yield from ((f"label.{name}", value) for name, value in finding.label.fields().items())
    yield from _flattened(finding.evidence_dict())


def _flattened(value: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    """Nested evidence as (dotted name, value); lists of plain values stay on one line, empty ones are left out."""
    if isinstance(value, Mapping):
        parts = [(f"{name}.{key}" if name else str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        parts = [(f"{name}[{number}]", inner) for number, inner in enumerate(value)]
    else:
        if isinstance(value, list):
            value = ", ".join(map(str, value))
        if value is not None and value != "":
            yield name, value
        return
    if parts and depth == MAX_DEPTH:
        yield name, "…"
        return
    for part, inner in parts:
        yield from _flattened(inner, part, depth + 1)


def _unseen(report: Report) -> str:
    """What was left out, and what was asked for and not looked at."""
    left_out = [finding.layer for finding in report if not finding.asked]
    lines = [Message("left out: {layers}", layers=names_of(left_out))] if left_out else []
    lines += report.unseen
    title = bilingual(Message("Not looked at"))
    return f"<div><h3>{title}</h3>{bullet_list(map(bilingual, lines))}</div>" if lines else ""


def _cross_checks(report: Report) -> str:
    if not report.cross_checks:
        return ""
    lines = (f"{chip('valid', Message('agrees')) if check.agrees else chip('invalid', Message('contradicts'))} "
             f"{bilingual(check.summary)}" for check in report.cross_checks)
    return f"<div><h3>{bilingual(Message('Layers compared'))}</h3>{bullet_list(lines)}</div>"


def _signposts(report: Report) -> str:
    """Where the file says to ask about its mark, the word of whoever wrote the file: followed on a click alone."""
    named = (evidence.signpost for evidence in (report.manifest, report.metadata) if evidence)
    found = [one for one in dict.fromkeys(named) if one]
    if not found:
        return ""
    lines = [f"{bilingual(Message('detector'))} {_followed(one.detector)}" + (
        f", {bilingual(Message('manifests by the mark'))} <code>{escaped(one.resolver)}</code>" if one.resolver else "")
        for one in found]
    warning = Message("The file names these addresses itself. Nothing here visits them; a click opens the detector in "
                      "a new tab, and sends it nothing of the file.")
    return (f"<div><h3>{bilingual(Message('Where to ask about its mark'))}</h3>{bullet_list(lines)}"
            f'<p class="soft">{bilingual(warning)}</p></div>')


def _followed(url: str) -> str:
    """A link; the bare text where a name before @ would hide whose address it is."""
    text = f"<code>{escaped(url)}</code>"
    return text if "@" in url.split("/")[2] else (
        f'<a href="{escaped(url)}" target="_blank" rel="noopener noreferrer nofollow">{text}</a>')


def _status(status: Status) -> str:
    sign, word = _STATUSES[status]
    return chip(status.value, word, sign)


def _verdict(report: Report) -> str:
    shown = VERDICTS[report.verdict]
    if report.verdict is Verdict.NONE and not all(finding.asked for finding in report):
        shown = Message("no sign of AI generation in what was looked at")
    return chip(report.verdict.value, shown)
