# SPDX-License-Identifier: Apache-2.0
"""Reads explicit labels in any font along the edges of a picture, with RapidOCR (PP-OCRv6 on onnxruntime).

RapidOCR 3.10 (Apache-2.0, models too) has its models in its wheel; they are opened by path, so that nothing is ever
downloaded. Of 300 labels in ten fonts, 3 to 7 % high, on photographs and pages of text, 284 were read; of
the 228 of legal height 216; nine were counted as unread, and three were missed. In 200 unlabelled photographs nothing
was read as a label. The height of the ink came out within 8 % in nine of ten: `MEASURING_ERROR`.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from labelkit import threads
from labelkit.distribution import install_hint
from labelkit.errors import LimitExceeded, UnsupportedFormat
from labelkit.explicit import rules
from labelkit.explicit.image.alignment import TextMatch
from labelkit.explicit.image.matching import ends_and_middle
from labelkit.explicit.image.raster import UInt8
from labelkit.explicit.wording import Wording, wording

MEASURING_ERROR = 0.08  # of the ink height, as a share of it
_SHORT_PX = 640  # shortest side at which text is detected: 5 % of it are 32 pixels
_LONG = 3  # of a picture longer than this times its short side only the ends and the middle are read
_REACH = 0.2  # deepest distance of a label from the edge, as a share of the short side; as in template matching
_MIN_HEIGHT, _HEADLINE, _MAX_HEIGHT = 0.014, 0.16, 0.36  # shares of the short side; a headline is only a mention
_MAX_LINES = 24  # of one picture that are read, the highest first
_MIN_SCORE, _MIN_TEXT_SCORE = 0.8, 0.4  # of the recogniser, 0 to 1: of a line that counts, of one that may be text
_BEFORE = 8  # characters before a label in which a negation of it is looked for
_ROOM = 0.1  # around the box of a line, as a share of its height: the detector may cut its ends off


class EngineOutput(Protocol):
    """What RapidOCR returns: the corners of each line [4, 2], or the text and score of each."""

    boxes: npt.NDArray[np.float32] | None
    txts: tuple[str, ...] | None
    scores: tuple[float, ...] | None


Engine: TypeAlias = Callable[..., EngineOutput]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read along the edges of a picture.

    match    the text that is closest to a label, None where none mentions generation by AI
    wording  what that text is
    unread   how many lines could not be read: too unclear, or too many; a label may be among them
    """

    match: TextMatch | None
    wording: Wording | None
    unread: int


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    box: tuple[int, int, int, int]  # x, y, width, height
    ink_px: int  # height of the ink
    score: float
    contrast: float


def available() -> bool:
    """Whether text can be read: whether the extra `ocr` is installed."""
    return all(importlib.util.find_spec(name) for name in ("rapidocr", "onnxruntime"))


def check_available() -> None:
    """Raises UnsupportedFormat where RapidOCR is not installed."""
    if not available():
        raise UnsupportedFormat("reading text in pictures needs RapidOCR", hint=install_hint("ocr"))


def read(pixels: UInt8) -> Reading:
    """Read the best label along the edges of a picture.

    One in the standard's words takes precedence over one in English, that over a mention, higher text over lower.

    pixels  uint8 [height, width] or [height, width, 3], RGB, at least rules.MIN_INK_PX each way
    Raises UnsupportedFormat where RapidOCR is not installed, LimitExceeded where it fails on the picture.
    """
    short = min(pixels.shape[:2])
    lines: list[_Line] = []
    unread = 0
    for x, y, part in ends_and_middle(pixels, _LONG, _LONG / 2):
        readable, unreadable = _lines(part, x, y, (pixels.shape[0], pixels.shape[1]))
        lines, unread = lines + readable, unread + unreadable
    rows = _rows(lines)
    found = []
    for line in [*rows, *_stacked(rows)]:
        kind = wording(line.text)
        if kind and line.ink_px > _HEADLINE * short:
            kind = Wording.MENTION
        if kind:
            found.append((list(Wording).index(kind), -line.ink_px, kind, line))
    if not found:
        return Reading(None, None, unread)
    kind, best = min(found, key=lambda one: one[:2])[2:]
    return Reading(TextMatch(best.text, best.box, best.ink_px, best.score, best.contrast), kind, unread)


def line_around(pixels: UInt8, box: tuple[int, int, int, int]) -> str:
    """The line of text that a box (x, y, width, height) is part of, "" where it is not made out; raises as `read`."""
    x, y, width, height = box
    cut = pixels[max(0, y - height // 3):y + height + height // 3, max(0, x - _BEFORE * height):x + width + height // 3]
    seen = _run(cut, detect=False)
    return seen.txts[0] if seen.txts and seen.scores and seen.scores[0] >= _MIN_TEXT_SCORE else ""


@threads.OneAProcess
def _engine() -> tuple[Engine, threading.Lock]:
    """RapidOCR and a lock around its use: it keeps settings from call to call, and uses all cores where nothing
    else does."""
    check_available()
    import rapidocr

    models = Path(rapidocr.__file__).parent / "models"
    paths = [next(models.glob(f"*_{part}_*.onnx"), None) for part in ("det", "rec")]
    if None in paths:  # it would download them
        raise UnsupportedFormat("this RapidOCR comes without its models", hint=install_hint("ocr"))
    settings: dict[str, object] = {"Global.log_level": "critical", "Det.limit_side_len": _SHORT_PX,
                "Det.model_path": str(paths[0]), "Rec.model_path": str(paths[1])}
    if os.environ.get(threads.OF_LIBRARIES, "").isdecimal():
        settings["EngineConfig.onnxruntime.intra_op_num_threads"] = int(os.environ[threads.OF_LIBRARIES])
    engine = cast(Engine, rapidocr.RapidOCR(params=settings))  # annotated as a union of all that its settings may give
    return engine, threading.Lock()


def _run(picture: UInt8, *, detect: bool) -> EngineOutput:
    """The boxes of the lines of text in a picture; without `detect`, the text of the one line that it holds."""
    engine, lock = _engine()
    blue_first = np.repeat(picture[..., None], 3, 2) if picture.ndim == 2 else picture[..., ::-1].copy()
    try:
        with lock:
            return engine(blue_first, use_det=detect, use_cls=False, use_rec=not detect)
    except Exception as error:  # cv2's, onnxruntime's and its own: whichever it is, the picture caused it
        raise LimitExceeded("the text in the picture cannot be read: {reason}",
                            reason=f"{type(error).__name__}: {error}"[:200]) from error


def _lines(part: UInt8, left: int, top: int, whole: tuple[int, int]) -> tuple[list[_Line], int]:
    """The lines of text in a part of the picture that are near an edge of the whole, and how many cannot be read."""
    near = sorted(_boxes(part, left, top, whole), key=lambda box: -box[3])
    unread, lines = max(0, len(near) - _MAX_LINES), []
    for x, y, width, height in near[:_MAX_LINES]:
        room = round(_ROOM * height)
        x0, y0 = max(0, x - room), max(0, y - room)
        cut = part[y0:y + height + room, x0:x + width + room]
        recognised = _run(cut, detect=False)
        text, score = ("", 0.0)
        if recognised.txts and recognised.scores:
            text, score = recognised.txts[0], float(recognised.scores[0])
        if score >= _MIN_SCORE:
            first, ink_px, contrast = _ink(part[max(0, y):y + height, max(0, x):x + width])
            lines.append(_Line(text, (left + x, top + max(0, y) + first, width, ink_px), ink_px, score, contrast))
        else:
            unread += score >= _MIN_TEXT_SCORE and height < 1.5 * _HEADLINE * min(whole)
    return lines, unread


def _boxes(part: UInt8, left: int, top: int, whole: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """(x, y, width, height) in a part of the picture of the lines of text that could be a label by size and place."""
    found = _run(_at_working_size(part), detect=True).boxes
    zoom = min(1.0, _SHORT_PX / min(part.shape[:2]))
    for corners in [] if found is None else found / zoom:
        (x0, y0), (x1, y1) = corners.min(0), corners.max(0)
        x, y, width, height = round(x0), round(y0), round(x1 - x0), round(y1 - y0)
        fits = _MIN_HEIGHT * min(whole) < height < 1.5 * _MAX_HEIGHT * min(whole) and height < width
        if fits and _at_edge((left + x, top + y, width, height), whole):
            yield x, y, width, height


def _at_working_size(part: UInt8) -> UInt8:
    from PIL import Image

    zoom = _SHORT_PX / min(part.shape[:2])
    if zoom >= 1:
        return part  # the detector enlarges it
    size = max(1, round(part.shape[1] * zoom)), max(1, round(part.shape[0] * zoom))
    return np.asarray(Image.fromarray(part).resize(size, Image.Resampling.BOX))


def _at_edge(box: tuple[int, int, int, int], whole: tuple[int, int]) -> bool:
    x, y, width, height = box
    gaps = x, y, whole[1] - x - width, whole[0] - y - height
    return min(gaps) <= _REACH * min(whole)


def _rows(lines: list[_Line]) -> list[_Line]:
    """Lines close beside each other joined into one: "用AI生成" is not a label where "如何" stands before it."""
    rows: list[_Line] = []
    for line in sorted(lines, key=lambda line: line.box[0]):
        x, y, _, height = line.box
        before = next((row for row in rows if _same_height(row, line)
                       and abs(row.box[1] + row.box[3] / 2 - y - height / 2) < 0.5 * height
                       and -height < x - row.box[0] - row.box[2] < 1.2 * height), None)
        if before:
            rows.remove(before)
        rows.append(_joined(before, line) if before else line)
    return rows


def _stacked(rows: list[_Line]) -> Iterator[_Line]:
    """Every two rows of about the same height, one under the other: "人工智能" over "生成合成"."""
    for first in rows:
        for second in rows:
            (x, y, width, height), (u, v, wide, _) = first.box, second.box
            under = 0.7 * height < v - y < 2.2 * height and u < x + width and x < u + wide
            if under and _same_height(first, second):
                yield _joined(first, second)


def _same_height(first: _Line, second: _Line) -> bool:
    return 0.6 < first.ink_px / max(second.ink_px, 1) < 1.6


def _joined(first: _Line, second: _Line) -> _Line:
    (x, y, width, height), (u, v, wide, high) = first.box, second.box
    left, top = min(x, u), min(y, v)
    box = left, top, max(x + width, u + wide) - left, max(y + height, v + high) - top
    return _Line(f"{first.text} {second.text}", box, min(first.ink_px, second.ink_px),
                 min(first.score, second.score), min(first.contrast, second.contrast))


def _ink(cut: UInt8) -> tuple[int, int, float]:
    """(first row, rows, contrast) of the ink of a line of text: the longest run of rows with several steep steps.

    Strokes make steps along a row; most grounds do not; a plate does at its ends, which are left out. The contrast is
    WCAG's, between the 5 % darkest and brightest pixels of these rows.
    """
    grey = cut.astype(np.float64) if cut.ndim == 2 else cut @ np.array((0.299, 0.587, 0.114))
    rows = len(grey)
    inner = grey[:, round(0.15 * rows):max(0, grey.shape[1] - round(0.15 * rows))]
    reach = max(1, rows // 24)  # soft edges take more than a pixel
    steps = np.abs(inner[:, reach:] - inner[:, :-reach])
    if not steps.size:
        return 0, rows, 1.0
    bar = 0.5 * np.percentile(steps[rows // 3:rows - rows // 3], 95)
    inked = np.flatnonzero((steps > bar).sum(1) >= max(2, 0.06 * rows))
    if not inked.size:
        return 0, rows, 1.0
    breaks = np.flatnonzero(np.diff(inked) > rows // 10 + 1)
    runs = zip(np.r_[inked[0], inked[breaks + 1]], np.r_[inked[breaks], inked[-1]], strict=True)
    first, last = max(runs, key=lambda run: run[1] - run[0])
    dark, bright = np.percentile(grey[first:last + 1], (5, 95))
    return int(first), int(last - first + 1), rules.contrast((float(dark),) * 3, (float(bright),) * 3)
