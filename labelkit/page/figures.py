# SPDX-License-Identifier: Apache-2.0
"""The comparison of a file before and after labelling as HTML: both files, and the difference between them."""

from __future__ import annotations

import math

from labelkit import container
from labelkit.errors import LabelkitError
from labelkit.messages import Message
from labelkit.page.audio_preview import FLOOR_DB, TOP_DB, AudioPreview
from labelkit.page.image_preview import ImagePreview
from labelkit.page.markup import Media, bilingual, bilingual_attribute, data_uri
from labelkit.page.video_preview import VideoPreview
from labelkit.report import Layer, Report

MAX_PLAYED_BYTES = 600_000  # of a sound that the page carries
CONTROLS = 0.18  # height of a player's controls as a share of its width


def comparison(name: str, before: bytes, after: bytes, report: Report) -> str:
    """Figures of both files and of their difference; a line that says why where they cannot be shown."""
    try:
        show = {"audio": _sounds, "video": _films}.get(container.sniff(after).family, _pictures)
        return show(name, before, after, report)
    except LabelkitError as error:  # too large to show, or it cannot be decoded: the report is shown without
        return _note(error.message)


def _pictures(name: str, before: bytes, after: bytes, report: Report) -> str:
    shown = ImagePreview.of(before, after, report.explicit.box if report.explicit else None)
    size, size_after = _sizes(shown.width, shown.height, before, after)
    figures = [_figure(shown.before, Message("Before"), size, name),
               _figure(shown.after, Message("After"), size_after, name),
               _visible_difference(shown.difference, Message("Difference, amplified {times} times",
                                                             times=shown.amplified), shown.psnr_db, name)]
    return f'<div class="pictures">{"".join(figures)}</div>\n'


def _films(name: str, before: bytes, after: bytes, report: Report) -> str:
    box = report.explicit.box if report.explicit else None
    shown = VideoPreview.of(before, after, box)
    size, size_after = _sizes(shown.width, shown.height, before, after)
    shape = f"{shown.width} / {shown.height + round(CONTROLS * shown.width)}"
    difference = Message("Difference of the first frames, amplified {times} times", times=shown.amplified)
    figures = [_film(shown.before, Message("Before"), size, Message("Play the film before"), name, shape),
               _film(shown.after, Message("After"), size_after, Message("Play the film after"), name, shape),
               _visible_difference(shown.difference, difference, shown.psnr_db, name)]
    where = (Message("The label is outlined in the difference: {where}", where=report[Layer.EXPLICIT].summary)
             if box else Message("No explicit label was found in the first frames"))
    return f'<div class="pictures">{"".join(figures)}</div>\n{_note(where)}\n'


def _sounds(name: str, before: bytes, after: bytes, report: Report) -> str:
    heard = report.explicit.heard if report.explicit else None
    shown = AudioPreview.of(before, after, len(heard or ()))
    size, size_after = (Message("{seconds:.1f} s, {bytes} bytes", seconds=seconds, bytes=f"{len(data):,}")
                        for seconds, data in zip(shown.seconds, (before, after), strict=True))
    figures = [_figure(shown.before, Message("Before"), size, name,
                       player=_player(before, Message("Play before"), name), seen=Message("Spectrogram before")),
               _figure(shown.after, Message("After"), size_after, name,
                       player=_player(after, Message("Play after"), name), seen=Message("Spectrogram after"))]
    if shown.difference is None:
        figures.append(_no_figure(Message("The programme was not found again in the file after, so there is no "
                                          "difference to show")))
    else:
        snr = (Message("SNR outside the audible label {snr} dB", snr=f"{shown.snr_db:.1f}")
               if math.isfinite(shown.snr_db) else Message("nothing changed outside the audible label"))
        figures.append(_figure(shown.difference, Message("Difference, amplified {times} times", times=shown.amplified),
                               snr, name, seen=Message("Spectrogram of the difference")))
    axes = Message("Spectrograms: time to the right, 0 to {top:.1f} kHz upwards, {floor} to {most} dB from dark to "
                   "light. The first and the last are empty where the label was put in.", top=shown.rate / 2000,
                   floor=FLOOR_DB, most=TOP_DB)
    return f'<div class="sounds">{"".join(figures)}</div>\n{_note(axes)}\n'


def _sizes(width: int, height: int, before: bytes, after: bytes) -> tuple[Message, Message]:
    return (Message("{width} x {height} pixels, {bytes} bytes", width=width, height=height, bytes=f"{len(before):,}"),
            Message("{bytes} bytes", bytes=f"{len(after):,}"))


def _visible_difference(difference: Media | None, title: Message, psnr_db: float, name: str) -> str:
    if difference is None:
        return _no_figure(Message("The size changed, so there is no difference to show"))
    psnr = (Message("PSNR outside the explicit label {psnr} dB", psnr=f"{psnr_db:.1f}")
            if math.isfinite(psnr_db) else Message("nothing changed outside the explicit label"))
    return _figure(difference, title, psnr, name)


def _figure(picture: Media, title: Message, more: Message, name: str, *, player: str = "",
            seen: Message | None = None) -> str:
    """A picture with its caption; `seen` is its alternative text where the title does not say what it is."""
    return (f'<figure><div class="frame"><img src="{data_uri(picture)}" '
            f'alt="{bilingual_attribute(seen or title, name)}" loading="lazy"></div>'
            f"{_caption(title, more, alone=not player)}{player}</figure>")


def _film(film: Media | None, title: Message, more: Message, label: Message, name: str, shape: str) -> str:
    if film is None:
        why = Message("browsers do not play it, or it is too large to be played from this page")
        return f"<figure>{_caption(title, more)}<p>{bilingual(why)}</p></figure>"
    return (f'<figure><div class="frame"><video controls muted playsinline preload="metadata" '
            f'style="aspect-ratio: {shape}" aria-label="{bilingual_attribute(label, name)}" src="{data_uri(film)}">'
            f"</video></div>{_caption(title, more)}</figure>")


def _player(data: bytes, label: Message, name: str) -> str:
    if len(data) > MAX_PLAYED_BYTES:
        return f'<p class="player">{bilingual(Message("too large to be played from this page"))}</p>'
    return (f'<audio class="player" controls preload="metadata" aria-label="{bilingual_attribute(label, name)}" '
            f'src="{data_uri((container.sniff(data).mime, data))}"></audio>')


def _caption(title: Message, more: Message, *, alone: bool = True) -> str:
    """The caption of a figure; `alone` where no player stands below it."""
    style = ' class="alone"' if alone else ""
    return f"<figcaption{style}><strong>{bilingual(title)}</strong> · {bilingual(more)}</figcaption>"


def _no_figure(why: Message) -> str:
    return f'<figure><figcaption class="alone">{bilingual(why)}</figcaption></figure>'


def _note(text: Message) -> str:
    return f'<p class="soft">{bilingual(text)}</p>'
