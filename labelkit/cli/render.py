# SPDX-License-Identifier: Apache-2.0
"""Reports as one self-contained HTML page: for the demo before, after and their difference, for an auditor one report.

    python -m labelkit.cli.render SOURCES LABELLED PAGE.html [--trust ANCHORS.pem] [--key KEY] [--lang en|zh-CN]

The page is in English and Chinese, switched without a script. It loads nothing from anywhere, and everything that
comes from a file is escaped. Pictures, sounds and films are put in as they are, so that the page shows the very files;
PNG as lossless WebP where that is smaller.
"""

from __future__ import annotations

import argparse
import html
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labelkit import container
from labelkit.cli.pictures import Pictures, data_uri
from labelkit.cli.reels import Reels
from labelkit.cli.sounds import FLOOR_DB, TOP_DB, Sounds
from labelkit.cli.text import one_line
from labelkit.compliance import Outcome, Result
from labelkit.errors import LabelkitError, cannot_write
from labelkit.messages import LANGUAGES, Message
from labelkit.report import Finding, Layer, Report, Status, Verdict

MAX_VALUE = 600  # characters of one value of evidence that are shown
MAX_DEPTH = 8  # levels of nested evidence that are taken apart
MAX_ROWS = 120  # values of evidence of one layer that are shown
MAX_PLAYED_BYTES = 600_000  # of one sound that the page carries
CONTROLS = 0.18  # height of a player's controls as a share of its width

_VERDICTS = {Verdict.CONFIRMED: Message("confirmed AI-generated"), Verdict.POSSIBLE: Message("possibly AI-generated"),
             Verdict.SUSPECTED: Message("suspected AI-generated"), Verdict.NONE: Message("no sign of AI generation")}
_LAYERS = {Layer.EXPLICIT: Message("Explicit label"), Layer.WATERMARK: Message("Watermark"),
           Layer.METADATA: Message("Metadata"), Layer.PROVENANCE: Message("Provenance (C2PA)")}
_MEANINGS = {Layer.EXPLICIT: Message("what people see or hear, GB 45438-2025 clause 5"),
             Layer.WATERMARK: Message("a number inside the pixels or the sound, which survives the loss of all "
                                      "file data"),
             Layer.METADATA: Message("the AIGC label among the file's data, GB 45438-2025 Annex E"),
             Layer.PROVENANCE: Message("a signed manifest that any change of the file breaks")}
_STATUSES = {Status.VALID: ("✓", Message("valid")), Status.INVALID: ("✗", Message("invalid")),
             Status.ABSENT: ("–", Message("absent")), Status.UNCHECKED: ("?", Message("unchecked"))}

_OUTCOMES = {Outcome.PASS: ("valid", Message("pass")), Outcome.FAIL: ("invalid", Message("FAIL")),
             Outcome.CANNOT_TELL: ("unchecked", Message("cannot tell"))}


_TITLE = Message("Verification report")


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One labelled file: its name, its bytes before and after (None for a report alone), and what verify said."""

    name: str
    report: Report
    before: bytes | None = None
    after: bytes | None = None


def page(exhibits: Sequence[Exhibit], *, language: str = "en") -> str:
    """The demo page: a summary of all files, then each with its pictures and its report; `language` is shown first."""
    intro = _both(Message("Each file was labelled in four layers, then verified again from the written file alone."))
    body = [_summary(exhibits), *(_article(exhibit, number) for number, exhibit in enumerate(exhibits))]
    return _document(Message("labelkit: labelled and verified"), intro, "".join(body), language)


def report_page(name: str, facts: Mapping[str | Message, object], report: Report, rules: Sequence[Result] = (), *,
                title: Message = _TITLE, preview: tuple[str, bytes] | None = None, language: str = "en") -> str:
    """One report as a page to hand over, all evidence open.

    facts    what identifies the file and the judgement, such as the SHA-256 and the time
    rules    the results of `compliance.check`, shown first
    preview  media type and bytes of a picture of what was judged
    """
    shown = f'<img class="preview" src="{data_uri(*preview)}" alt="{_escaped(name)}">' if preview else ""
    intro = f"<dl>{''.join(_row(key, value) for key, value in facts.items())}</dl>" if facts else ""
    body = _rules(rules) + _article(Exhibit(name, report), 0, opened=True)
    return _document(title, shown + intro, body, language)


# The frame


def _document(title: Message, intro: str, body: str, language: str) -> str:
    css = (Path(__file__).parent / "page.css").read_text("utf-8")
    switches = "".join(f'<input class="switch" type="radio" name="language" id="{short}" aria-label="{name}"'
                       f'{" checked" if language == code else ""}>'
                       for short, code, name in (("en", "en", "English"), ("zh", "zh-CN", "中文")))
    labels = ('<nav aria-label="Language / 语言"><label for="en">English</label><label for="zh">中文</label></nav>')
    closing = _both(Message("Made by labelkit; the page is complete in itself and loads nothing."))
    return (f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            # nothing but what stands in this file may be shown, and no script may run
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
            'media-src data:; style-src \'unsafe-inline\'">\n'
            f"<title>{_escaped(title.text(language))}</title>\n<style>\n{css}</style>\n</head>\n<body>\n{switches}\n"
            f"<header><div><h1>{_both(title)}</h1>{intro}</div>{labels}</header>\n<main>\n{body}</main>\n"
            f"<footer><p>{closing}</p></footer>\n</body>\n</html>\n")


def _escaped(value: object) -> str:
    return html.escape(one_line(str(value)))


def _both(message: Message) -> str:
    """The message in both languages; the switch hides one."""
    return "".join(f'<span lang="{code}">{_escaped(message.text(code))}</span>' for code in LANGUAGES)


def _chip(status: Status) -> str:
    sign, word = _STATUSES[status]
    return f'<span class="chip {status.value}"><span aria-hidden="true">{sign} </span>{_both(word)}</span>'


def _verdict(verdict: Verdict) -> str:
    return f'<span class="chip {verdict.value}">{_both(_VERDICTS[verdict])}</span>'


def _summary(exhibits: Sequence[Exhibit]) -> str:
    head = "".join(f'<th scope="col">{_both(text)}</th>'
                   for text in (Message("File"), Message("Verdict"), *_LAYERS.values()))
    rows = "".join(
        f'<tr><th scope="row"><a class="mono" href="#file-{number}">{_escaped(exhibit.name)}</a></th>'
        f"<td>{_verdict(exhibit.report.verdict)}</td>"
        + "".join(f"<td>{_chip(finding.status)}</td>" for finding in exhibit.report) + "</tr>"
        for number, exhibit in enumerate(exhibits))
    caption = _escaped("/".join(Message("Summary of all files").text(code) for code in LANGUAGES))
    legend = "".join(f"<li><strong>{_both(name)}</strong> {_both(_MEANINGS[layer])}</li>"
                     for layer, name in _LAYERS.items())
    return (f'<ul class="legend">{legend}</ul>\n<div class="table" role="region" tabindex="0" aria-label="{caption}">'
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>\n")


def _rules(results: Sequence[Result]) -> str:
    if not results:
        return ""
    titles = (Message("Outcome"), Message("Clause"), Message("Rule"), Message("Found"))
    head = "".join(f'<th scope="col">{_both(title)}</th>' for title in titles)
    rows = "".join(f'<tr class="{_OUTCOMES[rule.outcome][0]}-row"><td>{_outcome(rule.outcome)}</td>'
                   f'<th scope="row">{_both(rule.clause)}</th><td>{_both(rule.asks)}</td><td>{_both(rule.found)}</td>'
                   "</tr>" for rule in results)
    counts = {outcome: sum(rule.outcome is outcome for rule in results) for outcome in Outcome}
    tally = "".join(f"<li>{_outcome(outcome)} {count}</li>" for outcome, count in counts.items() if count)
    title = Message("Rule by rule")
    caption = _escaped("/".join(title.text(code) for code in LANGUAGES))
    return (f'<div class="title"><h2>{_both(title)}</h2><ul class="tally">{tally}</ul></div>'
            f'<div class="table rules" role="region" tabindex="0" aria-label="{caption}">'
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>\n")


def _outcome(outcome: Outcome) -> str:
    look, word = _OUTCOMES[outcome]
    return f'<span class="chip {look}">{_both(word)}</span>'


# One file


def _article(exhibit: Exhibit, number: int, *, opened: bool = False) -> str:
    report = exhibit.report
    shown = _shown(exhibit) if exhibit.before and exhibit.after else ""
    layers = "".join(_layer(finding, opened) for finding in report)
    return (f'<article id="file-{number}" aria-labelledby="name-{number}"><div class="title">'
            f'<h2 id="name-{number}">{_escaped(exhibit.name)}</h2>{_verdict(report.verdict)}</div>\n{shown}'
            f'<ul class="layers">{layers}</ul>\n'
            f'<div class="why"><div><h3>{_both(Message("Why this verdict"))}</h3>'
            f"{_list(map(_both, report.reasons))}</div>{_cross_checks(report)}</div></article>\n")


def _shown(exhibit: Exhibit) -> str:
    try:
        show = {"audio": _sounds, "video": _films}.get(container.sniff(exhibit.after).family, _pictures)
        return show(exhibit)
    except LabelkitError as error:  # not to be shown, or it cannot be decoded: the report stands without
        return f'<p class="soft">{_both(error.message)}</p>'


def _pictures(exhibit: Exhibit) -> str:
    shown = Pictures.of(exhibit.before, exhibit.after, exhibit.report[Layer.EXPLICIT].evidence.get("box"))
    size = Message("{width} x {height} pixels, {bytes} bytes", width=shown.width, height=shown.height,
                   bytes=f"{len(exhibit.before):,}")
    size_after = Message("{bytes} bytes", bytes=f"{len(exhibit.after):,}")
    figures = [_figure(shown.before, Message("Before"), size, exhibit.name),
               _figure(shown.after, Message("After"), size_after, exhibit.name)]
    if shown.difference is None:
        figures.append(_no_figure(Message("The size changed, so there is no difference to show")))
    else:
        psnr = (Message("PSNR outside the explicit label {psnr} dB", psnr=f"{shown.psnr_db:.1f}")
                if math.isfinite(shown.psnr_db) else Message("nothing changed outside the explicit label"))
        figures.append(_figure(shown.difference, Message("Difference, amplified {times} times", times=shown.amplified),
                               psnr, exhibit.name))
    return f'<div class="pictures">{"".join(figures)}</div>\n'


def _films(exhibit: Exhibit) -> str:
    explicit = exhibit.report[Layer.EXPLICIT]
    shown = Reels.of(exhibit.before, exhibit.after, explicit.evidence.get("box"))
    size = Message("{width} x {height} pixels, {bytes} bytes", width=shown.width, height=shown.height,
                   bytes=f"{len(exhibit.before):,}")
    size_after = Message("{bytes} bytes", bytes=f"{len(exhibit.after):,}")
    shape = f"{shown.width} / {shown.height + round(CONTROLS * shown.width)}"
    figures = [_film(shown.before, Message("Before"), size, Message("Play the film before"), exhibit.name, shape),
               _film(shown.after, Message("After"), size_after, Message("Play the film after"), exhibit.name, shape)]
    if shown.difference is None:
        figures.append(_no_figure(Message("The size changed, so there is no difference to show")))
    else:
        psnr = (Message("PSNR outside the explicit label {psnr} dB", psnr=f"{shown.psnr_db:.1f}")
                if math.isfinite(shown.psnr_db) else Message("nothing changed outside the explicit label"))
        figures.append(_figure(shown.difference, Message("Difference of the first frames, amplified {times} times",
                                                         times=shown.amplified), psnr, exhibit.name))
    where = (Message("The label is outlined in the difference: {where}", where=explicit.summary)
             if explicit.evidence.get("box") else Message("No explicit label was found in the first frames"))
    return f'<div class="pictures">{"".join(figures)}</div>\n<p class="soft">{_both(where)}</p>\n'


def _film(film: tuple[str, bytes] | None, title: Message, more: Message, spoken: Message, name: str, shape: str) -> str:
    caption = f"<figcaption><strong>{_both(title)}</strong> · {_both(more)}</figcaption>"
    if film is None:
        why = Message("browsers do not play it, or it is too large to be played from this page")
        return f"<figure>{caption}<p>{_both(why)}</p></figure>"
    return (f'<figure><div class="frame"><video controls muted playsinline preload="metadata" '
            f'style="aspect-ratio: {shape}" aria-label="{_in_words(spoken, name)}" src="{data_uri(*film)}"></video>'
            f"</div>{caption}</figure>")


def _sounds(exhibit: Exhibit) -> str:
    shown = Sounds.of(exhibit.before, exhibit.after, len(exhibit.report[Layer.EXPLICIT].evidence.get("heard", ())))
    before, after = (Message("{seconds:.1f} s, {bytes} bytes", seconds=seconds, bytes=f"{len(data):,}")
                     for seconds, data in zip(shown.seconds, (exhibit.before, exhibit.after), strict=True))
    figures = [_figure(shown.before, Message("Before"), before, exhibit.name,
                       _player(exhibit.before, Message("Play before"), exhibit.name), Message("Spectrogram before")),
               _figure(shown.after, Message("After"), after, exhibit.name,
                       _player(exhibit.after, Message("Play after"), exhibit.name), Message("Spectrogram after"))]
    if shown.difference is None:
        figures.append(_no_figure(Message("The programme was not found again in the file after, so there is no "
                                          "difference to show")))
    else:
        snr = (Message("SNR outside the audible label {snr} dB", snr=f"{shown.snr_db:.1f}")
               if math.isfinite(shown.snr_db) else Message("nothing changed outside the audible label"))
        figures.append(_figure(shown.difference, Message("Difference, amplified {times} times", times=shown.amplified),
                               snr, exhibit.name, "", Message("Spectrogram of the difference")))
    axes = Message("Spectrograms: time to the right, 0 to {top:.1f} kHz upwards, {floor} to {most} dB from dark to "
                   "light. The first and the last are empty where the label was put in.", top=shown.rate / 2000,
                   floor=FLOOR_DB, most=TOP_DB)
    return f'<div class="sounds">{"".join(figures)}</div>\n<p class="soft">{_both(axes)}</p>\n'


def _player(data: bytes, title: Message, name: str) -> str:
    if len(data) > MAX_PLAYED_BYTES:
        return f"<p>{_both(Message('too large to be played from this page'))}</p>"
    return (f'<audio controls preload="metadata" aria-label="{_in_words(title, name)}" '
            f'src="{data_uri(container.sniff(data).mime, data)}"></audio>')


def _figure(picture: tuple[str, bytes], title: Message, more: Message, name: str, player: str = "",
            seen: Message | None = None) -> str:
    """`seen` is what the picture is, for those who do not see it, where the title does not say so."""
    return (f'<figure><div class="frame"><img src="{data_uri(*picture)}" alt="{_in_words(seen or title, name)}" '
            f'loading="lazy"></div><figcaption><strong>{_both(title)}</strong> · {_both(more)}</figcaption>{player}'
            "</figure>")


def _in_words(title: Message, name: str) -> str:
    """For an attribute, which cannot be switched between the languages."""
    return _escaped(f"{' / '.join(title.text(code) for code in LANGUAGES)}: {name}")


def _no_figure(why: Message) -> str:
    return f"<figure><figcaption>{_both(why)}</figcaption></figure>"


def _layer(finding: Finding, opened: bool) -> str:
    rows = list(_flat(finding.evidence))
    if finding.label:
        rows = [*((f"label.{name}", value) for name, value in finding.label.fields().items()), *rows]
    if finding.payload:
        rows = [("payload", finding.payload.hex), *rows]
    shown = "".join(_row(key, value) for key, value in rows[:MAX_ROWS])
    if len(rows) > MAX_ROWS:
        shown += _row("…", f"{len(rows) - MAX_ROWS}")
    evidence = (f"<details{' open' if opened else ''}><summary>{_both(Message('Evidence'))}</summary>"
                f"<dl>{shown}</dl></details>" if rows else "")
    return (f'<li><div class="name">{_both(_LAYERS[finding.layer])} {_chip(finding.status)}</div>'
            f"<p>{_both(finding.summary)}</p>{evidence}</li>")


def _cross_checks(report: Report) -> str:
    if not report.cross_checks:
        return ""
    lines = (f'<span class="chip {"valid" if check.agrees else "invalid"}">'
             f"{_both(Message('agrees') if check.agrees else Message('contradicts'))}</span> {_both(check.summary)}"
             for check in report.cross_checks)
    return f"<div><h3>{_both(Message('Layers compared'))}</h3>{_list(lines)}</div>"


def _list(items: Iterable[str]) -> str:
    return f'<ul class="plain">{"".join(f"<li>{item}</li>" for item in items)}</ul>'


def _row(key: str | Message, value: object) -> str:
    return f"<dt>{_shown_text(key)}</dt><dd>{_shown_text(value)}</dd>"


def _shown_text(value: object) -> str:
    if isinstance(value, Message):
        return _both(value)
    text = str(value)
    if len(text) > MAX_VALUE:
        text = f"{text[:MAX_VALUE]}… ({len(text)})"
    return _escaped(text) or "–"


def _flat(value: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    """Nested evidence as (dotted name, value); lists of plain values stay on one line, empty things are left out."""
    if isinstance(value, Mapping):
        parts = [(f"{name}.{key}" if name else str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in value):
        parts = [(f"{name}[{number}]", inner) for number, inner in enumerate(value)]
    else:
        if isinstance(value, list | tuple):
            value = ", ".join(map(str, value))
        if value is not None and value != "":
            yield name, value
        return
    if parts and depth == MAX_DEPTH:
        yield name, "…"
        return
    for part, inner in parts:
        yield from _flat(inner, part, depth + 1)


# From folders


def exhibits(sources: Path, labelled: Path, **settings: object) -> Iterator[Exhibit]:
    """The files of `labelled` that verify can read, each with the file of the same name in `sources`.

    settings    of `labelkit.verify`: key, trust, effort
    """
    from labelkit import pipeline

    for path in sorted(path for path in labelled.rglob("*") if path.is_file()):
        relative = path.relative_to(labelled)
        source = sources / relative
        try:
            report = pipeline.verify(path, **settings)
        except LabelkitError:
            continue  # not a file that labelkit knows
        yield Exhibit(str(relative), report, source.read_bytes() if source.is_file() else None, path.read_bytes())


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the demo page; returns the exit code."""
    from labelkit import pipeline
    from labelkit.key import Key

    parser = argparse.ArgumentParser(prog="python -m labelkit.cli.render", description=__doc__.split("\n")[0])
    for name in ("sources", "labelled", "page"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--trust", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--lang", choices=LANGUAGES, default="en")
    options = parser.parse_args(arguments)
    try:
        settings = {"trust": pipeline.provenance().TrustList.load(options.trust) if options.trust else None,
                    "key": Key.load(options.key) if options.key else None}
        text = page(list(exhibits(options.sources, options.labelled, **settings)), language=options.lang)
        try:
            options.page.write_text(text, "utf-8")
        except OSError as error:
            raise cannot_write(options.page, error) from error
    except LabelkitError as error:
        print(error.text(options.lang), file=sys.stderr)
        return 2
    print(options.page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
