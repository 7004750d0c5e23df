# SPDX-License-Identifier: Apache-2.0
"""The report of `labelkit evidence` as one self-contained page: what was tried, what was read, plots and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from labelkit.messages import Message
from labelkit.page.evidence_exhibits import gallery, scores
from labelkit.page.markup import bilingual, bullet_list, chip, document, escaped, row as entry, table
from labelkit.trials.media import KINDS, Medium
from labelkit.trials.report import KIND_NAMES, Report
from labelkit.trials.table import GROUP_NAMES, Group
from labelkit.trials.tally import Rate, Row

_TITLE = Message("Evidence of a watermark's robustness")
_ABOUT = Message("Tests of one's own, as measures 3.3 and 4.2 of the EU Code of Practice on marking and labelling of "
                 "AI-generated content (June 2026) ask a provider for. The Code sets no thresholds; nothing here is a "
                 "verdict about conformity.")
_FACTS = {"psnr_db": Message("PSNR, dB"), "ssim": Message("SSIM"), "snr_db": Message("SNR, dB"),
          "ssimulacra2": Message("SSIMULACRA2"), "visqol": Message("ViSQOL, MOS-LQO"), "peaq": Message("PEAQ, ODG")}
_DIGITS = {"psnr_db": 1, "ssim": 4, "snr_db": 1, "ssimulacra2": 1, "visqol": 2, "peaq": 2}


def page(report: Report, language: str = "en") -> str:
    """The page; `language` is shown first."""
    when = Message("made at {time} UTC; the run, or its last part, took {seconds:.0f} s",
                   time=f"{report.now:%Y-%m-%d %H:%M:%S}", seconds=report.seconds)
    intro = f"<p>{bilingual(_ABOUT)}</p><p class=\"soft\">{bilingual(when)}</p>"
    body = [_summary(report), _by_group(report), *(_details(report, kind) for kind in KINDS), _errors(report),
            scores(report), _fidelity(report), _speed(report), gallery(report), _limits(report), _conditions(report),
            _media(report)]
    return document(_TITLE, intro, "".join(body), language)


def _summary(report: Report) -> str:
    """The figures that a reader looks for first."""
    lines = []
    for kind in KINDS:
        everyday, attacks = report.read(kind, attacks=False), report.read(kind, attacks=True)
        if everyday.of:
            lines.append(bilingual(Message(
                "{kind}: the id was read in {right} of {all} tests of transformations, and in {right_a} of {all_a} of "
                "attacks", kind=KIND_NAMES[kind], right=everyday.count, all=everyday.of, right_a=attacks.count,
                all_a=attacks.of)))
    for rate, text in _false_findings(report):
        sign = chip("valid", Message("none")) if not rate.count else chip("invalid", Message("{count}",
                                                                                            count=rate.count))
        lines.append(f"{bilingual(text)}: {sign} {bilingual(_of(rate))}")
    return f'<article><h2>{bilingual(Message("Summary"))}</h2>{bullet_list(lines)}</article>\n'


def _false_findings(report: Report) -> list[tuple[Rate, Message]]:
    return [(report.unmarked, Message("marks found in unmarked media")),
            (report.wrong_key, Message("marks found with a wrong key")),
            (report.wrong, Message("wrong ids read"))]


def _of(rate: Rate) -> Message:
    return Message("in {of} tests; the true share is at most {high} % (95 %)", of=rate.of, high=_percent(rate.high))


def _percent(share: float) -> str:
    """Two digits, or three for what is nearly all."""
    return f"{100 * share:.2g}" if share < 0.995 else "100"


def _interval(rate: Rate) -> str:
    return f"{_percent(rate.low)} – {_percent(rate.high)} %"


def _share(rate: Rate) -> str:
    """A bar and the counts."""
    if not rate.of:
        return "–"
    width = 100 * rate.count / rate.of
    return (f'<span style="white-space: nowrap"><span class="share" aria-hidden="true"><span style="width: '
            f'{width:.1f}%"></span></span>{rate.count} / {rate.of}</span>')


def _cell(column: Message, content: str) -> str:
    """A cell that knows its column: narrow screens show no head."""
    return f'<td data-en="{escaped(column.text("en"))}" data-zh="{escaped(column.text("zh-CN"))}">{content}</td>'


def _section(title: Message, content: str, note: Message | None = None) -> str:
    said = f'<p class="soft">{bilingual(note)}</p>' if note else ""
    return f'<div class="title"><h2>{bilingual(title)}</h2></div>{said}{content}'


def _head(columns: Iterable[Message]) -> list[str]:
    return [f'<th scope="col">{bilingual(column)}</th>' for column in columns]


def _by_group(report: Report) -> str:
    """All that measure 3.3 lists, by kind of media."""
    title, rows = Message("What measure 3.3 lists"), report.rows
    columns = [KIND_NAMES[kind] for kind in KINDS]
    lines = []
    for group in Group:
        if group is Group.COPY:
            continue
        name = bilingual(GROUP_NAMES[group]) + (f' <span class="soft">{bilingual(Message("attack"))}</span>'
                                                if group.is_attack else "")
        cells = []
        for kind, column in zip(KINDS, columns, strict=True):
            some = [row for row in rows if row.kind == kind and row.group is group]
            imitated = any(row.is_simulated for row in some)
            cells.append(_cell(column, _share(_sum(some)) + (
                f' <span class="soft">{bilingual(Message("imitated"))}</span>' if imitated else "")))
        lines.append(f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>')
    note = Message("Read means that all 64 bits of the id were right. A dash: the transformation does not exist for "
                   "this kind of media, or was not run.")
    return _section(title, table(title, _head([Message("transformation or attack"), *columns]), lines, "summary"), note)


def _sum(rows: Sequence[Row]) -> Rate:
    count, of = sum(row.right.count for row in rows), sum(row.right.of for row in rows)
    return Rate(count, of, 0.0, 1.0)


def _details(report: Report, kind: str) -> str:
    rows = [row for row in report.rows if row.kind == kind]
    if not rows:
        return ""
    title = Message("Each test: {kind}", kind=KIND_NAMES[kind])
    columns = (Message("group"), Message("what was done"), Message("mark found"), Message("id read"),
               Message("true share of reading, 95 %"))
    lines = []
    for row in rows:
        cells = (bilingual(row.says), _share(row.found), _share(row.right), _interval(row.right))
        lines.append(f'<tr><th scope="row">{bilingual(GROUP_NAMES[row.group])}</th>'
                     + "".join(_cell(column, cell) for column, cell in zip(columns[1:], cells, strict=True)) + "</tr>")
    return (f"<details open><summary>{bilingual(title)}</summary>" + table(title, _head(columns), lines, "summary")
            + "</details>\n")


def _errors(report: Report) -> str:
    """False alarms, and the copy attack."""
    title = Message("False findings, and copied marks")
    lines = [f'<tr><th scope="row">{bilingual(text)}</th><td>{rate.count} / {rate.of}</td>'
             f"<td>{_interval(rate)}</td></tr>" for rate, text in _false_findings(report)]
    if report.copied.of:
        for rate, text in ((report.copied, Message("marks that were copied to another picture and read there")),
                           (report.noticed, Message("such pictures that the label log's fingerprint tells apart"))):
            lines.append(f'<tr><th scope="row">{bilingual(text)}</th><td>{rate.count} / {rate.of}</td>'
                         f"<td>{_interval(rate)}</td></tr>")
    head = _head((Message("what"), Message("count"), Message("true share, 95 %")))
    bound = f"{report.conditions()['max_false_positive_rate']:g}"
    note = Message("The detector decides at a false-positive rate of {bound} by its statistics; so few tests can only "
                   "show that no gross error contradicts it. Unmarked media were also tried after transformations.",
                   bound=bound)
    return _section(title, table(title, head, lines, "summary"), note)


def _fidelity(report: Report) -> str:
    used = [name for name in _FACTS if any(name in facts for facts in report.measured.facts.values())]
    title, columns = Message("Fidelity"), [_FACTS[name] for name in used]
    lines = []
    for name, facts in report.measured.facts.items():
        values = [facts.get(fact) for fact in used]
        cells = [_cell(column, "–" if value is None else f"{value:.{_DIGITS[fact]}f}")
                 for fact, column, value in zip(used, columns, values, strict=True)]
        lines.append(f'<tr><th scope="row" class="mono">{escaped(name)}</th>{"".join(cells)}</tr>')
    note = Message("Of the marked against the unmarked medium, before any encoding; of films over every eighth frame.")
    return _section(title, table(title, _head([Message("medium"), *columns]), lines, "summary"), note)


def _speed(report: Report) -> str:
    title = Message("Speed")
    columns = (Message("size"), Message("marking"), Message("detection"))
    lines = []
    for name, facts in report.measured.facts.items():
        is_picture = "megapixels" in facts
        amount, unit = facts.get("megapixels" if is_picture else "seconds") or 0.0, "MP/s" if is_picture else "×"
        size = (Message("{value:.2f} megapixels", value=amount) if is_picture else
                Message("{value:.1f} s", value=amount))
        cells = [_cell(columns[0], bilingual(size))]
        for fact, column in (("embed_s", columns[1]), ("detect_s", columns[2])):
            spent = facts.get(fact) or 0.0
            rate = f" ({amount / spent:.3g} {unit})" if spent else ""
            cells.append(_cell(column, f"{spent:.3f} s{rate}"))
        lines.append(f'<tr><th scope="row" class="mono">{escaped(name)}</th>{"".join(cells)}</tr>')
    note = Message("Of one call, the median of three (films: one). Films are encoded before detection, which is not "
                   "counted. × is how many times as fast as the medium plays.")
    return _section(title, table(title, _head([Message("medium"), *columns]), lines, "summary"), note)


def _limits(report: Report) -> str:
    lines = [bilingual(one) for one in report.not_measured()]
    refused = [f'<span class="mono">{escaped(name)}</span>: <span lang="en">{escaped(reason.get("en"))}</span>'
               f'<span lang="zh-CN">{escaped(reason.get("zh-CN"))}</span>'
               for name, reason in report.measured.refused.items()]
    failed = [f'<span class="mono">{escaped(name)}</span>, {escaped(step)}: <span lang="en">'
              f'{escaped(why.get("en"))}</span><span lang="zh-CN">{escaped(why.get("zh-CN"))}</span>'
              for name, step, why in report.measured.failed[:50]]
    parts = [f'<article><h2>{bilingual(Message("Not measured, or imitated"))}</h2>{bullet_list(lines)}</article>\n']
    for title, some in ((Message("Media that could not be tried"), refused), (Message("Tests that could not be run"),
                                                                              failed)):
        if some:
            parts.append(f"<article><h2>{bilingual(title)}</h2>{bullet_list(some)}</article>\n")
    return "".join(parts)


def _conditions(report: Report) -> str:
    facts = report.conditions()
    key = Message("the public key: anybody can write this mark") if facts["key_is_public"] else Message(
        "{id}, a key of one's own", id=facts["watermark_key"])
    rows = (entry(Message("software"), facts["software"]) + entry(Message("machine"), facts["machine"])
            + entry(Message("kernels"), facts["kernels"]) + entry(Message("watermark key"), key)
            + entry(Message("strength"), facts["strength"]) + entry(Message("robustness"), facts["robustness"])
            + entry(Message("effort"), facts["effort"]))
    return f'<article><h2>{bilingual(Message("Conditions"))}</h2><dl>{rows}</dl></article>\n'


def _media(report: Report) -> str:
    title = Message("Media")
    lines = [_medium(one) for one in report.media]
    note = Message("Pictures above 4 megapixels and films above 1280 x 720 were scaled down to that; of sound the "
                   "first 20 s and of films the first 3 s were tried.")
    head = _head((Message("medium"), Message("kind"), Message("SHA-256")))
    content = _section(title, table(title, head, lines), note)
    return f"<details><summary>{bilingual(title)}</summary>{content}</details>\n"


def _medium(one: Medium) -> str:
    return (f'<tr><th scope="row" class="mono">{escaped(one.name)}</th><td>{bilingual(KIND_NAMES[one.kind])}</td>'
            f'<td class="mono">{escaped(one.sha256)}</td></tr>')
