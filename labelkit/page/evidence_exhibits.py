# SPDX-License-Identifier: Apache-2.0
"""What the report of evidence shows: the detector's scores as a plot, a picture after each trial, spectrograms."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from labelkit.errors import LabelkitError
from labelkit.messages import Message
from labelkit.page.audio_preview import spectrogram
from labelkit.page.markup import Media, bilingual, bilingual_attribute, data_uri, escaped
from labelkit.trials import pictures
from labelkit.trials.media import KINDS, Film, Sound
from labelkit.trials.report import KIND_NAMES, Report
from labelkit.trials.subject import SEED, Decision, Subject
from labelkit.trials.table import Picture

_SIDE = 300  # pixels of a picture of the gallery
_AMPLIFIED = 16
_WIDTH, _ROW, _LEFT = 720, 26, 150  # of the plot
_LOWEST, _HIGHEST = 1.0, 300.0  # scores at its edges


def scores(report: Report) -> str:
    """The plot of the detector's scores: what is unmarked on the left, what is marked on the right."""
    groups = [(kind, step, [one for one in report.measured.decisions if one.kind == kind and one.step in steps])
              for kind in KINDS for step, steps in ((Message("unmarked"), ("unmarked",)),
                                                    (Message("wrong key"), ("wrong key",)),
                                                    (Message("marked"), ("trial", "change")))]
    drawn = [one for one in groups if one[2]]
    if not drawn:
        return ""
    title = Message("Scores of the detector")
    rows = "".join(_dots(at, some) for at, (_, _, some) in enumerate(drawn))
    height = _ROW * len(drawn) + 24
    ticks = "".join(f'<line x1="{_x(value):.1f}" x2="{_x(value):.1f}" y1="0" y2="{height - 20}" stroke="var(--line)"/>'
                    f'<text x="{_x(value):.1f}" y="{height - 5}" text-anchor="middle" font-size="11" '
                    f'fill="var(--soft)">{value}</text>' for value in (1, 3, 10, 30, 100, 300))
    labels = "".join(f'<li style="height: {_ROW}px; line-height: {_ROW}px">{bilingual(KIND_NAMES[kind])}, '
                     f"{bilingual(step)}</li>" for kind, step, _ in drawn)
    note = Message("Standard deviations above unmarked media; each dot is one test. Filled: the id was read. Ring: a "
                   "mark was found, its id was not. Cross: nothing was found.")
    listed = ('<ul class="plain" style="flex: none; font-size: .8rem; margin: 0; padding: 0; list-style: none">'
              f"{labels}</ul>")
    return (f'<div class="title"><h2>{bilingual(title)}</h2></div><p class="soft">{bilingual(note)}</p>'
            f'<article style="display: flex; gap: .5rem">{listed}'
            f'<svg viewBox="{_LEFT} 0 {_WIDTH - _LEFT} {height}" style="flex: 1; height: {height}px; min-width: 0" '
            f'preserveAspectRatio="xMinYMin" role="img" aria-label="{bilingual_attribute(title)}">'
            f"{ticks}{rows}</svg></article>\n")


def _x(score: float) -> float:
    share = math.log(min(max(score, _LOWEST), _HIGHEST) / _LOWEST) / math.log(_HIGHEST / _LOWEST)
    return _LEFT + 14 + share * (_WIDTH - _LEFT - 28)


def _dots(at: int, some: Sequence[Decision]) -> str:
    out = []
    for number, one in enumerate(some):
        x, y = _x(one.score), _ROW * at + 6 + number * 5 % 15
        if not one.found:
            out.append(f'<path d="M{x - 2.5:.1f} {y - 2.5}l5 5m0-5l-5 5" stroke="var(--soft)" fill="none"/>')
        else:
            fill = "var(--good)" if one.right else "none"
            out.append(f'<circle cx="{x:.1f}" cy="{y}" r="2.6" fill="{fill}" stroke="var(--good)"/>')
    return "".join(out)


def gallery(report: Report) -> str:
    """The first medium of each kind, before and after marking, and the picture after each trial."""
    parts = [*_of_picture(report), *_of_film(report), *_of_sound(report)]
    if not parts:
        return ""
    return f'<div class="title"><h2>{bilingual(Message("What it looks like"))}</h2></div>{"".join(parts)}'


def _first(report: Report, kind: str) -> Subject | None:
    """The first medium of a kind that was tried."""
    known = report.measured.facts
    found = next((one for one in report.media if one.kind == kind and one.name in known), None)
    return Subject(found, report.settings) if found else None


def _of_picture(report: Report) -> list[str]:
    subject = _first(report, "image")
    if subject is None:
        return []
    host, marked = subject.host, subject.marked
    assert isinstance(host, np.ndarray) and isinstance(marked, np.ndarray)
    figures = _pair(host, marked)
    read = {one.trial: one.right for one in report.measured.decisions
            if one.medium == subject.medium.name and one.step == "trial"}
    for trial in pictures.trials()[1:]:
        if trial.name in read:
            figures.append(_figure(_jpeg(pictures.apply(trial, marked, SEED)), trial.says,
                                   Message("id read") if read[trial.name] else Message("id not read")))
    return [_grid(figures, subject.medium.name)]


def _of_film(report: Report) -> list[str]:
    subject = _first(report, "video")
    if subject is None:
        return []
    host, marked = subject.host, subject.marked
    assert isinstance(host, Film) and isinstance(marked, Film)
    return [_grid(_pair(host.frames[0], marked.frames[0]), subject.medium.name)]


def _of_sound(report: Report) -> list[str]:
    subject = _first(report, "audio")
    if subject is None:
        return []
    host, marked = subject.host, subject.marked
    assert isinstance(host, Sound) and isinstance(marked, Sound)
    try:
        shown = [(spectrogram(samples.mean(1)), text) for samples, text in (
            (host.samples, Message("before")), (marked.samples, Message("marked")),
            (10 * (marked.samples - host.samples), Message("Difference, amplified {times} times", times=10)))]
    except (LabelkitError, ValueError):  # too short for one transform
        return []
    return [_grid([_figure(media, text) for media, text in shown], subject.medium.name, "1fr")]


def _pair(host: Picture, marked: Picture) -> list[str]:
    difference = np.clip(128.0 + _AMPLIFIED * (marked.astype(np.float32) - host), 0, 255).astype(np.uint8)
    return [_figure(_jpeg(host), Message("before")), _figure(_jpeg(marked), Message("marked")),
            _figure(_jpeg(difference), Message("Difference, amplified {times} times", times=_AMPLIFIED))]


def _grid(figures: Sequence[str], name: str, columns: str = "") -> str:
    style = f' style="grid-template-columns: {columns}"' if columns else ""
    return (f'<article><h3 class="mono">{escaped(name)}</h3><div class="gallery"{style}>{"".join(figures)}</div>'
            "</article>\n")


def _figure(media: Media, text: Message, outcome: Message | None = None) -> str:
    said = bilingual(text) + (f' – <strong>{bilingual(outcome)}</strong>' if outcome else "")
    return (f'<figure><img src="{data_uri(media)}" alt="{bilingual_attribute(text)}"><figcaption>{said}</figcaption>'
            "</figure>")


def _jpeg(rgb: Picture) -> Media:
    """A small copy; the original would show more than a page can hold."""
    picture, out = Image.fromarray(rgb), io.BytesIO()
    picture.thumbnail((_SIDE, _SIDE))
    picture.save(out, "JPEG", quality=80)
    return "image/jpeg", out.getvalue()
