# SPDX-License-Identifier: Apache-2.0
"""The process that runs PDFium on one document: a script that imports nothing of labelkit.

    python pdfium_worker.py MEGABYTES SECONDS text MAX_PAGES MAX_CHARACTERS   lines of text with their places, as JSON
    python pdfium_worker.py MEGABYTES SECONDS look MAX_SIDE PAGE ...   pages as grey pixels: a line of JSON, then these

It may take so much memory and computing time. The document comes on the standard input. Places are points from the
upper left corner of the page as it is shown.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import math
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

_MAX_LINE = 4000
_MAX_ANNOTATIONS = 500  # of one page
_EXACT = 20  # device units in a point: PDFium maps to whole ones
_WIDE = 2.0  # heights of a line; a gap as wide parts what stands in a margin
_BAND = 0.14  # of the height of a page, at its top and its bottom
_INVISIBLE = 3  # rendering mode of text (ISO 32000-2, 9.3.6)
_IMAGE, _FREE_TEXT, _HIDDEN = 3, 3, 0x23  # kinds of object and annotation; flags: invisible, hidden, no view

_ABOUT_AI = re.compile(r"(?<![A-Za-z])(?:A\W{0,2}I|KI|IA|AIGC)(?![A-Za-z])|ИИ|ΤΝ|人工|artificial|artificiel|künstlich|"
                       r"sztuczn|искусствен|нейросет|изкуствен|인공|ذكاء|בינה|कृत्रिम|ปัญญา", re.IGNORECASE)
_SHORT, _LARGEST_VIEW = 120, 2000.0  # characters of a label; pixels of a side
_LEAST_CONTRAST = 24  # grey values of 255 between letters and ground, about 1.2 : 1; fainter ones nobody sees
_FAR = 1000.0  # points from the corner of a page, by which its scale is told

Box = tuple[float, float, float, float]
Way = Callable[[float, float], tuple[float, float]]
Row = tuple[float, float, float, float, float, str]
"""Left, top, right, bottom and the height of its letters in points, and the text."""


def serve() -> None:
    """Do what the arguments say."""
    megabytes, seconds, verb, *numbers = sys.argv[1:]
    data = sys.stdin.buffer.read()
    _limit(int(megabytes) << 20, float(seconds))
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        _say({"error": str(error)})
        return
    if verb == "text":
        _say(_text(document, int(numbers[0]), int(numbers[1]), float(seconds) / 2))
    else:
        for number in numbers[1:]:
            _look(document, int(number), int(numbers[0]))


def _limit(memory_bytes: int, seconds: float) -> None:
    """Bound the memory and the time of this process, where the system can: a timer ends it, and whole seconds do."""
    try:
        import resource
    except ImportError:  # Windows
        return
    memory = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, max(seconds - time.process_time(), 1e-3))
    for what, bound in ((memory, memory_bytes), (resource.RLIMIT_CPU, math.ceil(seconds)), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(what)[1]
        bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        try:
            resource.setrlimit(what, (bound, hard))
        except (OSError, ValueError):  # a system that cannot: macOS with address space
            pass


def _say(answer: object) -> None:
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")


def _text(document: Any, most_pages: int, most_characters: int, most_seconds: float) -> dict[str, object]:
    """The lines of the first and last pages, at most so many together: {"pages": ..., "read": [[number, width, height,
    rows, whether a picture is all there is], ...], "seconds": of computing that it took}.

    The outer pages are read first: where the text is too long, it is those in the middle that are left out. Whether
    people see what may be a label is looked at until `most_seconds`; after that they are thought to.
    """
    count, left = len(document), most_characters
    numbers = itertools.islice(_from_outside(count), most_pages)
    read = []
    for number in numbers:
        try:
            page = document[number]
        except Exception:  # a page that is none; the others can be read
            continue
        width, height = page.get_size()
        notes = list(_notes(page, _way(page)))
        page = _with_annotations(document, page, number)
        rows = [row for row in _rows(page, width, height) if row[5]]
        if any(_is_judged(row) for row in rows) and time.process_time() < most_seconds:
            rows = list(_visible(page, rows))
        rows += [row for row in notes if row[5]]
        read.append([number, width, height, rows, not rows and _has_image(page)])
        page.close()
        left -= sum(len(row[5]) for row in rows)
        if left < 0:
            break
    return {"pages": count, "read": sorted(read), "seconds": time.process_time()}


def _from_outside(count: int) -> Iterator[int]:
    """0, the last, 1, the last but one, and so on."""
    for number in range((count + 1) // 2):
        yield number
        if count - 1 - number > number:
            yield count - 1 - number


def _rows(page: Any, width: float, height: float) -> Iterator[Row]:
    import pypdfium2.raw as c

    text, way = page.get_textpage(), _way(page)
    count = c.FPDFText_CountChars(text)
    units = (ctypes.c_ushort * (count + 1))()
    length = max(c.FPDFText_GetText(text, 0, count, units) - 1, 0) if count > 0 else 0
    whole = "".join(map(chr, units[:length]))  # UTF-16 units, as PDFium counts them
    scanned = _has_image(page)
    for found in re.finditer(r"[^\r\n\ufffe]+", whole):
        for start, stop in _pieces(way, text, whole, found.start(), found.end(), height):
            line = _row(way, text, whole, start, stop, scanned)
            if line and line[2] > 0 and line[3] > 0 and line[0] < width and line[1] < height:
                yield line
    text.close()


def _with_annotations(document: Any, page: Any, number: int) -> Any:
    """The page with what its annotations and form fields show as a part of it, such as a stamp."""
    import pypdfium2.raw as c

    if c.FPDFPage_GetAnnotCount(page) < 1 or c.FPDFPage_Flatten(page, c.FLAT_NORMALDISPLAY) != c.FLATTEN_SUCCESS:
        return page
    page.close()
    return document[number]


def _is_judged(row: Row) -> bool:
    """Whether a line may be a label, so that it counts whether anybody sees it."""
    return len(row[5]) <= _SHORT and bool(_ABOUT_AI.search(row[5]))


def _visible(page: Any, rows: list[Row]) -> Iterator[Row]:
    """The lines without those that may be labels and are as light or dark as what is around their letters: white on
    white, or covered."""
    width, height = page.get_size()
    scale = min(2.0, _LARGEST_VIEW / max(width, height, 1))
    picture = page.render(scale=scale, grayscale=True)
    pixels, stride = bytes(picture.buffer), picture.stride
    for row in rows:
        if _is_judged(row):
            left, top, right, bottom = (int(scale * side) for side in row[:4])
            across = slice(max(left, 0), min(right + 1, picture.width))
            seen = b"".join(pixels[down * stride:(down + 1) * stride][across]
                            for down in range(max(top, 0), min(bottom + 1, picture.height)))
            if seen and max(seen) - min(seen) < _LEAST_CONTRAST:
                continue
        yield row


def _has_image(page: Any) -> bool:
    """Whether there is a picture, whose invisible text says what it shows."""
    import pypdfium2.raw as c

    return any(c.FPDFPageObj_GetType(c.FPDFPage_GetObject(page, number)) == _IMAGE
               for number in range(min(c.FPDFPage_CountObjects(page), 2000)))


def _pieces(way: Way, text: Any, whole: str, start: int, stop: int, height: float) -> Iterator[tuple[int, int]]:
    """A line, in a margin without the gaps in it."""
    first = _box(way, text, start)
    if stop - start > 300 or first and _BAND * height < first[1] < (1 - _BAND) * height:
        yield start, stop
        return
    begin = start
    for gap in re.finditer(r" +", whole[start:stop]):
        before = _box(way, text, start + gap.start() - 1) if gap.start() else None
        after = _box(way, text, start + gap.end()) if start + gap.end() < stop else None
        if before and after and after[0] - before[2] > _WIDE * max(before[3] - before[1], 1):
            yield begin, start + gap.start()
            begin = start + gap.end()
    yield begin, stop


def _row(way: Way, text: Any, whole: str, start: int, stop: int, scanned: bool) -> Row | None:
    """A stretch of the text and where it lies; None where it cannot be seen."""
    import pypdfium2.raw as c

    start += len(whole[start:stop]) - len(whole[start:stop].lstrip())
    stop = start + len(whole[start:stop].rstrip())
    first, last = (_box(way, text, at) for at in (start, max(stop - 1, start)))
    if start >= stop or first is None or last is None:
        return None
    at = c.FPDFText_GetCharIndexFromTextIndex(text, start)
    drawn = c.FPDFText_GetTextObject(text, at)
    if drawn and c.FPDFTextObj_GetTextRenderMode(drawn) == _INVISIBLE and not scanned:
        return None
    colour = [ctypes.c_uint() for _ in range(4)]
    if c.FPDFText_GetFillColor(text, at, *map(ctypes.byref, colour)) and colour[3].value == 0:
        return None
    units = whole[start:min(stop, start + _MAX_LINE)].encode("utf-16-le", "surrogatepass")
    box = min(first[0], last[0]), min(first[1], last[1]), max(first[2], last[2]), max(first[3], last[3])
    return (*box, first[3] - first[1], units.decode("utf-16-le", "replace"))


def _box(way: Way, text: Any, at: int) -> Box | None:
    """Where a character lies: left, top, right, bottom, with the room for the highest and the lowest of its font."""
    import pypdfium2.raw as c

    box = c.FS_RECTF()
    number = c.FPDFText_GetCharIndexFromTextIndex(text, at)
    if number < 0 or not c.FPDFText_GetLooseCharBox(text, number, ctypes.byref(box)):
        return None
    return _shown(way, box)


def _way(page: Any) -> Way:
    """From a point of a page to the point where it is shown, which is affine: asked of PDFium three times."""
    import pypdfium2.raw as c

    wide, high = (round(side * _EXACT) for side in page.get_size())

    def shown(x: float, y: float) -> tuple[float, float]:
        left, top = ctypes.c_int(), ctypes.c_int()
        c.FPDF_PageToDevice(page, 0, 0, wide, high, 0, x, y, ctypes.byref(left), ctypes.byref(top))
        return left.value / _EXACT, top.value / _EXACT

    (x0, y0), (x1, y1), (x2, y2) = shown(0, 0), shown(_FAR, 0), shown(0, _FAR)
    xx, xy, yx, yy = (x1 - x0) / _FAR, (x2 - x0) / _FAR, (y1 - y0) / _FAR, (y2 - y0) / _FAR
    return lambda x, y: (x0 + xx * x + xy * y, y0 + yx * x + yy * y)


def _shown(way: Way, box: Any) -> Box:
    """A box of a page, as it is shown."""
    (left, top), (right, bottom) = way(box.left, box.top), way(box.right, box.bottom)
    return min(left, right), min(top, bottom), max(left, right), max(top, bottom)


def _notes(page: Any, way: Way) -> Iterator[Row]:
    """The texts that are written over a page (FreeText annotations)."""
    import pypdfium2.raw as c

    for number in range(min(c.FPDFPage_GetAnnotCount(page), _MAX_ANNOTATIONS)):
        note = c.FPDFPage_GetAnnot(page, number)
        box = c.FS_RECTF()
        if (note and c.FPDFAnnot_GetSubtype(note) == _FREE_TEXT and not c.FPDFAnnot_GetFlags(note) & _HIDDEN
                and c.FPDFAnnot_GetRect(note, ctypes.byref(box))):
            units = (ctypes.c_ushort * _MAX_LINE)()
            length = c.FPDFAnnot_GetStringValue(note, b"Contents", units, 2 * _MAX_LINE) // 2
            words = bytes(units)[:2 * max(min(length, _MAX_LINE) - 1, 0)].decode("utf-16-le", "replace").strip()
            left, top, right, bottom = _shown(way, box)
            yield left, top, right, bottom, min(bottom - top, 12.0), " ".join(words.split())
        if note:
            c.FPDFPage_CloseAnnot(note)


def _look(document: Any, number: int, most_side: int) -> None:
    """A page as it is shown."""
    page = document[number]
    width, height = page.get_size()
    scale = most_side / max(width, height, 1)
    picture = page.render(scale=scale, grayscale=True)
    rows = bytes(picture.buffer)
    _say({"width": width, "height": height, "columns": picture.width, "rows": picture.height})
    for row in range(picture.height):
        sys.stdout.buffer.write(rows[row * picture.stride:row * picture.stride + picture.width])
    sys.stdout.buffer.flush()  # the next one may take too long
    page.close()


if __name__ == "__main__":
    serve()
