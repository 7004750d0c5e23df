# SPDX-License-Identifier: Apache-2.0
"""XLSX: the label is a cell of its own beside the table, at its top, below it or between (ECMA-376-1, 18.3).

A new row above the table would move the cells that formulas, names and charts refer to; a page header is not shown on
the screen. So the label stands in a column that nothing uses, one free column behind the table, where sorting and
filtering leave it alone too, and in no cell that a formula or name refers to. Where no such cell is on the first
screen, the label is refused.
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from labelkit.codec.samples import Block, Words
from labelkit.container import archive, join, markup, ooxml
from labelkit.container.base import Reader, splice
from labelkit.container.markup import Element
from labelkit.errors import HostTooSmall, LimitExceeded, MalformedFile

_MAIN, _RELATIONS, _STRINGS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/sharedStrings.xml"
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?([1-9]\d{0,6})")
_CELL = r"\$?[A-Z]{1,3}\$?[1-9]\d{0,6}"
_RANGE = re.compile(rf"(?<![A-Za-z0-9_.$])(?:(?P<from>{_CELL})(?::(?P<to>{_CELL}))?|\$?(?P<column>[A-Z]{{1,3}}):\$?"
                    r"(?P<to_column>[A-Z]{1,3})|\$?(?P<row>\d{1,7}):\$?(?P<to_row>\d{1,7}))(?![A-Za-z0-9_(])")
_Range = tuple[int, int, int, int]  # first row and column, last row and column
_DRAWING = re.compile(r"xl/drawings/[^/]+\.xml")
_CODES = re.compile(r'&(?:"[^"]*"|K[0-9A-Fa-f]{6}|[0-9]+|.)', re.DOTALL)
_LAST_COLUMN = 26  # of a screen 1920 pixels wide at the usual width of 64 pixels, with the row numbers
_ROWS, _COLUMNS = 1_048_576, 16_384  # of a sheet
_MAX_SHEETS, _MAX_ELEMENTS = 1000, 1_000_000
_MAX_FORMULAS = 2_000_000  # characters that are searched for cells: 2 s, 80 MB


@dataclass(slots=True)
class _Sheet:
    """A worksheet that is shown.

    cells             what is not empty by (row, column), both from 1; "" for a formula without its value
    merged            the last column of merged cells
    hidden_rows, hidden_columns   those that are not shown
    rows_hidden       whether rows that are not in the file are hidden
    rows              those that are in it
    formulas          each with how many rows and columns of cells share it
    """

    name: str
    data: bytes
    cells: dict[tuple[int, int], str] = field(default_factory=dict)
    merged: int = 0
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    rows_hidden: bool = False
    rows: set[int] = field(default_factory=set)

    formulas: list[tuple[str, tuple[int, int]]] = field(default_factory=list)

    def shown(self, row: int) -> bool:
        """Whether a row is seen."""
        return row not in self.hidden_rows and (not self.rows_hidden or row in self.rows)

    def place(self, place: str, referred: set[_Range]) -> tuple[int, int]:
        """(row, column) of a label, outside of what formulas refer to; raises HostTooSmall."""
        row = self._row(place)
        used = max([self.merged, *(column for _, column in self.cells)])
        steps = [0] * (_LAST_COLUMN + 2)  # where ranges start and end
        for top, left, bottom, right in referred:
            if top <= row <= bottom and left <= _LAST_COLUMN:
                steps[left] += 1
                steps[min(right, _LAST_COLUMN) + 1] -= 1
        near = list(itertools.accumulate(steps))
        for column in range(used + 2 if used else 1, _LAST_COLUMN + 1):
            if column not in self.hidden_columns and not near[column]:
                return row, column
        raise HostTooSmall("the table {name} has no cell beside it, in its first {columns} columns, that is shown and "
                           "that no formula refers to", name=self.name, columns=_LAST_COLUMN,
                           hint="write the label into the table by hand, and give the metadata alone here")

    def _row(self, place: str) -> int:
        rows = sorted({row for row, _ in self.cells if self.shown(row)})
        if place == "middle" and len(rows) < 3:
            raise HostTooSmall("a table of fewer than three rows has no middle for a label",
                               hint="put the label at the start or the end")
        if place == "middle":
            return rows[len(rows) // 2]
        first = 1 if place == "start" else max([row for row, _ in self.cells], default=-1) + 2
        row = next((row for row in range(first, first + len(self.hidden_rows) + 1) if self.shown(row)), 0)
        row = row or next((row for row in sorted(self.rows) if row >= first and self.shown(row)), 0)
        if not row:
            raise HostTooSmall("the table {name} hides the rows in which a label would stand", name=self.name)
        return row


@dataclass(slots=True)
class _Workbook:
    """An archive, the sheets that are shown in their order, and the formulas and names of all, as in `_Sheet`."""

    reader: Reader
    archive: archive.Archive
    sheets: list[_Sheet]
    formulas: list[tuple[str, tuple[int, int]]]

    def labelled(self, words: Sequence[Words]) -> bytes:
        """See `TextSource`; raises HostTooSmall where no place is seen, UnsupportedFormat for a signed file."""
        ooxml.refuse_signed(self.reader, self.archive)
        new: dict[str, bytes] = {}
        if words and sum(len(text) for text, _ in self.formulas) > _MAX_FORMULAS:
            raise LimitExceeded("{where}: formulas of more than {limit} characters", where=self.reader.name,
                                limit=_MAX_FORMULAS)
        referred = {found for text, shared in self.formulas for found in _ranges(text, shared)} if words else set()
        for one in words:
            sheet, place = self.sheets[-1 if one.place == "end" else 0], one.place
            if place == "middle" and len(self.sheets) > 2:
                sheet, place = self.sheets[len(self.sheets) // 2], "start"  # between two sheets
            text = "[AI]" if one.mark else one.text
            new[sheet.name] = _with_cell(new.get(sheet.name, sheet.data), sheet, sheet.place(place, referred), text)
        if not new:
            return self.reader.whole()
        return join(self.reader, splice(self.reader.size, archive.replaced(self.reader, self.archive, new)))


def read(data: bytes, name: str) -> tuple[Sequence[Block], _Workbook]:
    """The texts of the cells, headers, footers and text boxes of the sheets that are shown; raises MalformedFile."""
    reader = Reader.of(data, name)
    members = archive.read(reader)
    strings = list(_strings(reader, members)) if _STRINGS in members.members else []
    sheets: list[_Sheet] = []
    blocks: list[Block] = []
    budget, drawings = _MAX_ELEMENTS, set[str]()
    parts, names = _order(reader, members)
    formulas = [(text, (0, 0)) for text in names]
    for part, is_shown in parts.items():
        whole = archive.unpacked(reader, members, part)
        elements = markup.parse(whole, part)
        budget -= len(elements)
        if budget < 0:
            raise LimitExceeded("{where}: more than {limit} cells and rows", where=name, limit=_MAX_ELEMENTS)
        if elements[0].local == "worksheet":
            sheet = _sheet(_Sheet(part, whole), elements, strings)
            formulas += sheet.formulas
            if not is_shown:
                continue
            sheets.append(sheet)
            blocks += _blocks(sheet, elements, _boxes(reader, members, part, drawings))
    if not sheets:
        raise MalformedFile("{where}: there are no sheets in it", where=name)
    return blocks, _Workbook(reader, members, sheets, formulas)


def _order(reader: Reader, members: archive.Archive) -> tuple[dict[str, bool], list[str]]:
    """The members that hold the sheets, in their order, and whether they are shown; what names stand for."""
    for part in (_MAIN, _RELATIONS):
        if part not in members.members:
            raise MalformedFile("{where}: there is no {part} in it", where=reader.name, part=part)
    targets = _targets(reader, members, _RELATIONS, "xl")
    parts: dict[str, bool] = {}
    elements = markup.parse(archive.unpacked(reader, members, _MAIN), _MAIN)
    for one in elements:
        if one.local == "sheet":
            part = next((targets.get(value, "") for key, value in one.attributes.items() if key.endswith("\nid")), "")
            if part in members.members:
                parts.setdefault(part, one.attributes.get("state", "visible") == "visible")
    if len(parts) > _MAX_SHEETS:
        raise reader.too_many("sheet", _MAX_SHEETS)
    return parts, ["".join(one.texts) for one in elements if one.local == "definedName"]


def _targets(reader: Reader, members: archive.Archive, part: str, folder: str) -> dict[str, str]:
    """The members that a part refers to, by the names that it gives them."""
    return {one.attributes["Id"]: posixpath.normpath(posixpath.join(folder, one.attributes["Target"])).lstrip("/")
            for one in markup.parse(archive.unpacked(reader, members, part), part)
            if {"Id", "Target"} <= set(one.attributes)}


def _strings(reader: Reader, members: archive.Archive) -> Iterator[str]:
    """The texts that cells share, without how they are pronounced."""
    elements = markup.parse(archive.unpacked(reader, members, _STRINGS), _STRINGS)
    texts: dict[int, list[str]] = {one.index: [] for one in elements if one.local == "si"}
    for one in elements:
        if one.local == "t" and one.parent:
            holder = one.parent.parent if one.parent.local == "r" else one.parent
            if holder and holder.index in texts:
                texts[holder.index] += one.texts
    yield from map("".join, texts.values())


def _sheet(sheet: _Sheet, elements: list[Element], strings: list[str]) -> _Sheet:
    """A sheet with what its elements say."""
    at, kind = (0, 0), ""
    hidden: list[tuple[int, int]] = []
    for one in elements:
        told = one.attributes
        if one.local == "row":
            at = (_number(told.get("r", ""), at[0] + 1), 0)
            sheet.rows.add(at[0])
            if _is_on(told.get("hidden")):
                sheet.hidden_rows.add(at[0])
        elif one.local == "c":
            at, kind = _position(told.get("r", ""), (at[0], at[1] + 1)), told.get("t", "n")
        elif one.local == "v" and one.texts:
            sheet.cells[at] = _value("".join(one.texts), kind, strings)
        elif one.local == "t" and kind == "inlineStr":
            sheet.cells[at] = sheet.cells.get(at, "") + "".join(one.texts)
        elif one.local == "f":
            sheet.cells.setdefault(at, "")
            ends = told.get("ref", "").partition(":")
            low, high = _position(ends[0], at), _position(ends[2], at)
            sheet.formulas.append(("".join(one.texts), (max(high[0] - low[0], 0), max(high[1] - low[1], 0))))
        elif one.local == "col" and _is_on(told.get("hidden")):
            hidden.append((_number(told.get("min", ""), 1), _number(told.get("max", ""), 0)))
        elif one.local == "sheetFormatPr":
            sheet.rows_hidden = _is_on(told.get("zeroHeight"))
        elif one.local == "mergeCell":
            sheet.merged = max(sheet.merged, _position(told.get("ref", "").partition(":")[2], (0, 0))[1])
    done = 0
    for first, last in sorted(hidden):
        sheet.hidden_columns.update(range(max(first, done + 1), min(last, _COLUMNS) + 1))
        done = max(done, last)
    return sheet


def _value(text: str, kind: str, strings: list[str]) -> str:
    if kind != "s":
        return text
    index = _number(text, len(strings))
    return strings[index] if index < len(strings) else ""


def _position(reference: str, other: tuple[int, int]) -> tuple[int, int]:
    """(row, column) of a reference such as B7, `other` where it is none."""
    found = _REFERENCE.fullmatch(reference)
    if not found:
        return other
    column = 0
    for letter in found[1]:
        column = 26 * column + ord(letter) - 64
    return int(found[2]), column


def _ranges(formula: str, shared: tuple[int, int]) -> Iterator[_Range]:
    """The cells that a formula refers to, of this sheet or another; more where other cells `share` it."""
    for found in _RANGE.finditer(formula):
        if found["row"]:
            rows, columns = sorted((int(found["row"]), int(found["to_row"]))), [1, _COLUMNS]
        elif found["column"]:
            rows = [1, _ROWS]
            columns = sorted(_position(f"{found[name]}1", (0, 0))[1] for name in ("column", "to_column"))
        else:
            ends = [_position(found[name] or found["from"], (0, 0)) for name in ("from", "to")]
            rows, columns = sorted(end[0] for end in ends), sorted(end[1] for end in ends)
        yield rows[0], columns[0], rows[1] + shared[0], columns[1] + shared[1]


def _number(text: str, other: int) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else other


def _is_on(value: str | None) -> bool:
    return value in ("1", "true")


def _blocks(sheet: _Sheet, elements: list[Element], boxes: list[str]) -> list[Block]:
    """The texts of a sheet by rows; cells that stand alone come first in a row, and last in the lower half.

    A cell of a table is an item. Headers, footers and text boxes are put inside of the first and last cell, so that a
    label in a cell is outermost.
    """
    rows: dict[int, list[int]] = {}
    cells = sheet.cells
    for row, column in sorted(cells):
        rows.setdefault(row, []).append(column)
    widest = max(map(len, rows.values()), default=0)
    blocks: list[Block] = []
    for index, (row, columns) in enumerate(rows.items()):
        found: tuple[list[Block], list[Block]] = [], []
        for column in columns:
            text = cells[row, column].strip()
            if not text or not sheet.shown(row) or column in sheet.hidden_columns:
                continue
            alone = not ((row, column - 1) in cells or (row, column + 1) in cells or (row - 1, column) in cells
                         or (row + 1, column) in cells)
            heads = len(columns) == 1 and (widest > 1 or not index)
            found[0 if alone else 1].append(Block(text, "box" if alone else "text" if heads else "item"))
        blocks += [*found[0], *found[1]] if 2 * index < len(rows) else [*found[1], *found[0]]
    first, last = blocks[:1], blocks[1:][-1:]
    return [*first, *_around(elements, "oddHeader"), *(Block(text, "box") for text in boxes), *blocks[1:-1],
            *_around(elements, "oddFooter"), *last]


def _around(elements: list[Element], local: str) -> Iterator[Block]:
    """The left, middle and right text of the header or footer of a printed page."""
    for one in elements:
        for text in re.split("&[LCR]", "".join(one.texts)) if one.local == local else ():
            shown = _CODES.sub("", text).strip()
            if shown:
                yield Block(shown, "box")


def _boxes(reader: Reader, members: archive.Archive, part: str, seen: set[str]) -> list[str]:
    """The texts of one line in the text boxes over a sheet, of drawings that are not `seen` yet."""
    folder, name = posixpath.split(part)
    relations = f"{folder}/_rels/{name}.rels"
    if relations not in members.members:
        return []
    found: list[str] = []
    for drawing in _targets(reader, members, relations, folder).values():
        if drawing not in members.members or drawing in seen or not _DRAWING.fullmatch(drawing):
            continue
        seen.add(drawing)
        elements = markup.parse(archive.unpacked(reader, members, drawing), drawing)
        found += [text for one in elements if one.local == "txBody"
                  if (text := markup.text_of(elements, one).strip()) and "\n" not in text]
    return found


def _with_cell(data: bytes, sheet: _Sheet, at: tuple[int, int], text: str) -> bytes:
    """The sheet with a text in a cell that is empty."""
    elements = markup.parse(data, sheet.name)
    holder = next((one for one in elements if one.local == "sheetData"), None)
    if holder is None:
        raise MalformedFile("{where}: there is no {part} in it", where=sheet.name, part="sheetData")
    prefix = holder.raw_name(data)[:-len(b"sheetData")]
    cell = b'<%bc r="%b" t="inlineStr"><%bis><%bt>%b</%bt></%bis></%bc>' % (
        prefix, _reference(at).encode(), prefix, prefix, escape(text).encode(), prefix, prefix, prefix)
    changes = [*_dimension(data, elements, at)]
    rows = [one for one in elements if one.local == "row" and one.parent is holder]
    row = next((one for one in rows if one.attributes.get("r") == str(at[0])), None)
    if row is None:
        new = b'<%brow r="%d">%b</%brow>' % (prefix, at[0], cell, prefix)
        later = next((one for one in rows if _number(one.attributes.get("r", ""), 0) > at[0]), None)
        changes.append((later.start, later.start, new) if later else markup.append_to(data, holder, new))
        return markup.changed(data, changes)
    # which columns the row has, if it says so, would be wrong
    changes += [(start, stop, b"") for name, start, stop in row.raw_attributes(data) if name == b"spans"]
    cells = [one for one in elements if one.local == "c" and one.parent is row]
    later = next((one for one in cells if _position(one.attributes.get("r", ""), (0, 0))[1] >= at[1]), None)
    if later is None:
        changes.append(markup.append_to(data, row, cell))
    else:
        is_same = _position(later.attributes["r"], (0, 0))[1] == at[1]  # styled, and empty
        changes.append((later.start, later.stop if is_same else later.start, cell))
    return markup.changed(data, changes)


def _dimension(data: bytes, elements: list[Element], at: tuple[int, int]) -> Iterator[tuple[int, int, bytes]]:
    """The change that makes the stated extent of a sheet hold a cell."""
    for one in elements:
        for name, start, stop in one.raw_attributes(data) if one.local == "dimension" else ():
            first, _, last = one.attributes.get("ref", "").partition(":")
            ends = _position(first, at), _position(last or first, at)
            if name == b"ref":
                low = min(ends[0][0], at[0]), min(ends[0][1], at[1])
                high = max(ends[1][0], at[0]), max(ends[1][1], at[1])
                yield start, stop, b' ref="%b:%b"' % (_reference(low).encode(), _reference(high).encode())


def _reference(at: tuple[int, int]) -> str:
    letters, column = "", at[1]
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{at[0]}"
