# SPDX-License-Identifier: Apache-2.0
"""What datasets of rows share, Parquet and Lance: media in columns of bytes, read and written a few rows at a time.

A sample is a row. Rows stay in the batches that they were read in until they are written: only the new bytes are added.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, cast

from labelkit import container
from labelkit.batch.columns import holds_files
from labelkit.batch.samples import Data, Medium, Sample
from labelkit.distribution import install_hint
from labelkit.errors import InvalidArgument, LabelkitError

GROUP_BYTES = 64 << 20
AT_A_TIME, READ_BYTES = 32, 4 << 20  # rows that are read, and their bytes where those are known
_RUN_BYTES = 64 << 10  # of new media that are put together; larger ones stay as they are, uncopied
_LOOKED_AT = 256  # rows from the start in which a column without a name is looked at for media


@dataclass(frozen=True, slots=True)
class Row:
    """The row of a batch, its bytes, and the columns in which it has media; without a batch the end of a group."""

    batch: Any
    index: int = 0
    size: int = 0
    columns: tuple[str, ...] = ()


class Shard(Protocol):
    """What a format has for `RowReader`."""

    pyarrow: Any
    name: str
    schema: Any
    count: int

    def groups(self) -> Iterator[Iterator[Any]]:
        """The record batches of each group of rows."""

    def beginning(self, column: str) -> Iterable[Any]:
        """Record batches of one column, from the first row on."""

    def readable(self) -> AbstractContextManager[None]:
        """Translate what is raised over a broken file."""


class RowReader:
    """Reads the rows of a shard.

    columns  those with media; None for all whose first value is a picture, sound or film
    Raises InvalidArgument where there is no such column in a shard that has rows.
    """

    def __init__(self, shard: Shard, columns: Sequence[str] | None) -> None:
        self.shard = shard
        with shard.readable():
            self.columns = self._columns(columns)

    def __iter__(self) -> Iterator[Sample]:
        """The rows, with a sample without a key at the end of each group; raises MalformedFile."""
        row = 0
        for group in self.shard.groups():
            for batch in self._read(group):
                size = batch.nbytes // max(1, batch.num_rows)
                cells = [(name, batch.column(name)) for name in self.columns]
                for index in range(batch.num_rows):
                    media = {name: data for name, column in cells if (data := _bytes_of(column[index])) is not None}
                    yield Sample(f"row {row}", [Medium(f"row {row} {name}", data) for name, data in media.items()],
                                 Row(batch, index, size, tuple(media)))
                    row += 1
            yield Sample("", rest=Row(None))

    def _read(self, batches: Iterator[Any]) -> Iterator[Any]:
        while True:
            with self.shard.readable():
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def _columns(self, given: Sequence[str] | None) -> list[str]:
        schema, where = self.shard.schema, self.shard.name
        able = [name for name in schema.names if holds_files(self.shard.pyarrow, schema.field(name).type)]
        if given is not None:
            wrong = [name for name in given if name not in able]
            if wrong:
                raise InvalidArgument("{where}: no column {name} of bytes, but {names}", where=where,
                                      name=wrong[0], names=", ".join(able) or "-")
            return list(given)
        if not self.shard.count:
            return able
        found = [name for name in able if self._has_media(name)]
        if not found:
            raise InvalidArgument("{where}: no column of bytes begins with a picture, sound or film", where=where)
        return found

    def _has_media(self, column: str) -> bool:
        """Whether the first value of a column is a picture, sound or film."""
        seen = 0
        for batch in self.shard.beginning(column):
            for index in range(batch.num_rows):
                if (data := _bytes_of(batch.column(0)[index])) is not None:
                    return _is_media(data)
            seen += batch.num_rows
            if seen >= _LOOKED_AT:
                break
        return False


class Rows:
    """Rows that wait to be written, with the new bytes of their media."""

    def __init__(self, arrow: Any, schema: Any) -> None:
        self._arrow, self._schema = arrow, schema
        self._run: list[tuple[Row, dict[str, bytes]]] = []  # rows that follow each other in a batch
        self._held: list[Any] = []
        self._bytes = self._run_bytes = 0

    def put(self, sample: Sample, made: Sequence[Data] | None) -> bool:
        """Hold a row with its media replaced, or leave it out; returns whether what is held is to be written now."""
        row = sample.rest
        assert isinstance(row, Row)
        if row.batch is not None and made is not None:
            self._add(row, made)
        return row.batch is None or self._bytes >= GROUP_BYTES

    def _add(self, row: Row, made: Sequence[Data]) -> None:
        last = self._run[-1][0] if self._run else None
        if last and not (last.batch is row.batch and last.index + 1 == row.index):
            self._end_run()
        new = {name: data if isinstance(data, bytes) else data.read_bytes()
               for name, data in zip(row.columns, made, strict=True)}
        size = sum(map(len, new.values()))
        self._run.append((row, new))
        self._bytes += max(row.size, size)
        self._run_bytes += size
        if self._run_bytes >= _RUN_BYTES:
            self._end_run()

    def take(self) -> Any:
        """The table of the rows, which are held no more; None where there are none."""
        self._end_run()
        held, self._held, self._bytes = self._held, [], 0
        return self._arrow.Table.from_batches(held, self._schema) if held else None

    def _end_run(self) -> None:
        """Hold rows as a batch; what they were read from is not needed any more."""
        run, self._run, self._run_bytes = self._run, [], 0
        if not run:
            return
        batch = run[0][0].batch.slice(run[0][0].index, len(run))
        arrays = list(batch.columns)
        for name in {name for _, new in run for name in new}:
            at = batch.schema.get_field_index(name)
            arrays[at] = self._filled(arrays[at], [new.get(name) for _, new in run])
        self._held.append(self._arrow.RecordBatch.from_arrays(arrays, schema=self._schema))

    def _filled(self, column: Any, data: list[bytes | None]) -> Any:
        """A column with other bytes, None where it has none; of a structure the other fields stay."""
        if not self._arrow.types.is_struct(column.type):
            return self._array(data, column.type)
        fields, parts = list(column.type), column.flatten()
        index = column.type.get_field_index("bytes")
        parts[index] = self._array(data, fields[index].type)
        return self._arrow.StructArray.from_arrays(parts, fields=fields, mask=column.is_null())

    def _array(self, data: list[bytes | None], type_: Any) -> Any:
        """An array of bytes, that of a single row without a copy. Arrow's own way appends: twice the time."""
        if None in data or not (self._arrow.types.is_binary(type_) or self._arrow.types.is_large_binary(type_)):
            return self._arrow.array(data, type=type_)
        import numpy as np

        width = np.int32 if self._arrow.types.is_binary(type_) else np.int64
        ends = np.cumsum([0, *(len(one or b"") for one in data)], dtype=np.int64)
        if ends[-1] > np.iinfo(width).max:
            return self._arrow.array(data, type=type_)
        whole = b"".join(cast("list[bytes]", data)) if len(data) > 1 else data[0]
        return self._arrow.Array.from_buffers(type_, len(data), [
            None, self._arrow.py_buffer(ends.astype(width)), self._arrow.py_buffer(whole)])


def pyarrow() -> Any:
    """pyarrow; raises InvalidArgument where it is not installed."""
    try:
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise InvalidArgument("Parquet needs pyarrow, which is not installed",
                              hint=install_hint("datasets")) from error


def first_line(error: BaseException) -> str:
    """What a library says of a broken file, without the rest."""
    return str(error).partition("\n")[0]


def _bytes_of(cell: Any) -> bytes | None:
    value = cell.as_py()
    if isinstance(value, dict):
        value = value.get("bytes")
    return value if isinstance(value, bytes) else None


def _is_media(data: bytes) -> bool:
    try:
        return container.sniff(data).family != "document"
    except LabelkitError:
        return False
