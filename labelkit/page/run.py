# SPDX-License-Identifier: Apache-2.0
"""The report of a run as a page: formats, growth and rate as plots, and what failed."""

from __future__ import annotations

from collections.abc import Sequence

from labelkit.batch.tally import GROWTH, MAX_LISTED, Tally
from labelkit.messages import Message
from labelkit.page.markup import bilingual, bilingual_attribute, document, escaped, table

_WIDTH, _HEIGHT = 640, 140  # of the plot of the rate


def page(tally: Tally, *, language: str = "en") -> str:
    """The page of a run; `language` is shown first."""
    total = tally.labelled + tally.failed
    facts = Message("{labelled} labelled, {failed} failed; {seconds:.1f} s, {rate:.1f} files a second",
                    labelled=tally.labelled, failed=tally.failed, seconds=tally.seconds,
                    rate=total / tally.seconds if tally.seconds else 0.0)
    body = [_formats(tally), _section(Message("Files a second, over time"), _rate(tally)), _growth(tally)]
    if tally.grown:
        rows = [[one.name, f"{100 * one.share:+.2f} %", f"{one.bytes_in:,}", f"{one.bytes_out:,}"]
                for one in tally.grown]
        body.append(_table(Message("What grew most"), (Message("file"), Message("growth"), Message("bytes before"),
                                                       Message("bytes after")), rows))
    if tally.stronger:
        stronger = Message("{count} watermarks were made stronger, because the file's own encoding took them away",
                           count=tally.stronger)
        body.append(f"<p>{bilingual(stronger)}</p>\n")
    body.append(_failures(tally))
    return document(Message("labelkit: report of a run"), f"<p>{bilingual(facts)}</p>", "".join(body), language)


def _formats(tally: Tally) -> str:
    columns = (Message("format"), Message("files"), Message("bytes before"), Message("bytes after"), Message("growth"))
    rows = [[name, f"{one.files:,}", f"{one.bytes_in:,}", f"{one.bytes_out:,}",
             f"{100 * (one.bytes_out / one.bytes_in - 1):+.2f} %" if one.bytes_in else "–"]
            for name, one in sorted(tally.formats.items(), key=lambda pair: -pair[1].files)]
    return _table(Message("Files by format"), columns, rows) if rows else ""


def _growth(tally: Tally) -> str:
    """Bars: how many files grew by how much."""
    if not tally.growth:
        return ""
    names = [Message("below {most} %", most=f"{100 * GROWTH[0]:g}"),
             *(Message("{least} to {most} %", least=f"{100 * least:g}", most=f"{100 * most:g}")
               for least, most in zip(GROWTH, GROWTH[1:], strict=False)),
             Message("{least} % and more", least=f"{100 * GROWTH[-1]:g}")]
    return _section(Message("Files by growth"), _bars([(name, tally.growth[at]) for at, name in enumerate(names)]))


def _failures(tally: Tally) -> str:
    if not tally.failures:
        return f'<p>{bilingual(Message("Nothing failed"))}</p>\n'
    kinds = _section(Message("Failures by reason"), _bars([
        (Message("{kind}", kind=kind), count) for kind, count in tally.failures.most_common()]))
    rows: list[list[str | Message]] = [[one.name, one.kind, one.reason] for one in tally.listed]
    listed = _table(Message("What failed"), (Message("file"), Message("reason"), Message("message")), rows)
    more = tally.failed - len(tally.listed)
    note = Message("the first {count}; {more} more are in the journal", count=MAX_LISTED, more=more)
    return kinds + listed + (f'<p class="soft">{bilingual(note)}</p>\n' if more else "")


def _rate(tally: Tally) -> str:
    """The plot of files a second: a bar for each stretch of time, its highest value and its length beside it."""
    most = max(tally.bins, default=0)
    if not most:
        return ""
    step = _WIDTH / len(tally.bins)
    bars = "".join(f'<rect x="{at * step:.2f}" y="{_HEIGHT * (1 - count / most):.2f}" width="{max(step - 1, .5):.2f}" '
                   f'height="{_HEIGHT * count / most:.2f}"/>' for at, count in enumerate(tally.bins))
    scale = Message("highest bar {most:.1f} files a second; the whole width {seconds:.0f} s",
                    most=most / min(tally.bin_s, max(tally.seconds, 1e-9)), seconds=len(tally.bins) * tally.bin_s)
    return (f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="100%" height="{_HEIGHT}" preserveAspectRatio="none" '
            f'role="img" aria-label="{bilingual_attribute(scale)}" style="fill: var(--link)">{bars}</svg>'
            f'<p class="soft">{bilingual(scale)}</p>')


def _bars(values: Sequence[tuple[Message, int]]) -> str:
    """Horizontal bars with their numbers."""
    most = max(count for _, count in values)
    return '<div style="display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem">' + "".join(
        f"<span>{bilingual(name)}</span>"
        f'<span style="display: flex; gap: .5rem; align-items: center"><span style="background: var(--link); '
        f'height: .9rem; border-radius: 3px; width: {75 * count / most if most else 0:.1f}%"></span>{count:,}</span>'
        for name, count in values) + "</div>"


def _section(title: Message, content: str) -> str:
    return f"<article><h2>{bilingual(title)}</h2>{content}</article>\n" if content else ""


def _table(title: Message, columns: Sequence[Message], rows: Sequence[Sequence[str | Message]]) -> str:
    head = (f'<th scope="col">{bilingual(column)}</th>' for column in columns)
    cells = ("<tr>" + "".join(f"<td>{bilingual(cell)}</td>" if isinstance(cell, Message) else
                              f'<td style="overflow-wrap: normal">{escaped(cell)}</td>' for cell in row) + "</tr>"
             for row in rows)
    return f"<h2>{bilingual(title)}</h2>" + table(title, head, cells)
