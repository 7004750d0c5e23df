# SPDX-License-Identifier: Apache-2.0
"""Parquet with files in columns of bytes: read and written a few rows at a time (extra `datasets`, pyarrow).

A sample is a row. Schema, metadata of the schema and of its fields, compression and groups of rows are kept; a group of
more than 64 MiB is written as several, because a group is held in memory until it is whole.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from labelkit import container
from labelkit.batch.columns import holds_files
from labelkit.batch.samples import Data, Medium, Sample
from labelkit.distribution import install_hint
from labelkit.errors import InvalidArgument, LabelkitError, MalformedFile, TruncatedFile

ENDINGS = (".parquet",)
GROUP_BYTES = 64 << 20
_ROWS = 32  # read at a time
_LOOKED_AT = 256  # rows from the start in which a column without a name is looked at for media


@dataclass(frozen=True, slots=True)
class _Row:
    """A row as a batch of one, and the columns in which it has media; without a batch the end of a group of rows."""

    batch: Any
    columns: tuple[str, ...] = ()


class ParquetReader:
    """Reads the rows of a seekable file.

    name     of the shard, in errors
    columns  those with media; None for all whose first value is a picture, sound or film
    Raises InvalidArgument without pyarrow, and where there is no such column in a shard that has rows.
    """

    def __init__(self, file: BinaryIO, name: str, columns: Sequence[str] | None) -> None:
        self.pyarrow = pyarrow()
        self._name = name
        with self._readable(whole=False):
            self.file = importlib.import_module("pyarrow.parquet").ParquetFile(file, pre_buffer=False,
                                                                               buffer_size=1 << 20)
        with self._readable():
            self.columns = self._columns(columns)

    def __iter__(self) -> Iterator[Sample]:
        """The rows, with a sample without a key at the end of each group; raises MalformedFile."""
        row = 0
        for group in range(self.file.num_row_groups):
            for batch in self._batches(group):
                for index in range(batch.num_rows):
                    cells = {name: data for name in self.columns
                             if (data := _bytes_of(batch.column(name)[index])) is not None}
                    media = [Medium(f"row {row} {name}", data) for name, data in cells.items()]
                    yield Sample(f"row {row}", media, _Row(batch.slice(index, 1), tuple(cells)))
                    row += 1
            yield Sample("", rest=_Row(None))

    @contextmanager
    def _readable(self, *, whole: bool = True) -> Iterator[None]:
        """Translate what pyarrow raises over a broken file; `whole` where its index was read already."""
        try:
            yield
        except (self.pyarrow.ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
            facts = {"where": self._name, "problem": _first_line(error)}
            if whole:
                raise MalformedFile("{where}: the shard cannot be read: {problem}", **facts) from error
            raise TruncatedFile("{where}: the shard cannot be read: {problem}", hint="a Parquet file ends with its "
                                "index, so of one that was cut off nothing can be read", **facts) from error

    def _batches(self, group: int) -> Iterator[Any]:
        batches = self.file.iter_batches(_ROWS, row_groups=[group], use_threads=False)
        while True:
            with self._readable():
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def _columns(self, given: Sequence[str] | None) -> list[str]:
        schema = self.file.schema_arrow
        able = [name for name in schema.names if holds_files(self.pyarrow, schema.field(name).type)]
        if given is not None:
            wrong = [name for name in given if name not in able]
            if wrong:
                raise InvalidArgument("{where}: no column {name} of bytes, but {names}", where=self._name,
                                      name=wrong[0], names=", ".join(able) or "-")
            return list(given)
        if not self.file.metadata.num_rows:
            return able
        found = [name for name in able if self._has_media(name)]
        if not found:
            raise InvalidArgument("{where}: no column of bytes begins with a picture, sound or film", where=self._name)
        return found

    def _has_media(self, column: str) -> bool:
        """Whether the first value of a column is a picture, sound or film."""
        seen = 0
        for batch in self.file.iter_batches(_ROWS, columns=[column], use_threads=False):
            for index in range(batch.num_rows):
                if (data := _bytes_of(batch.column(0)[index])) is not None:
                    return _is_media(data)
            seen += batch.num_rows
            if seen >= _LOOKED_AT:
                break
        return False


class ParquetWriter:
    """Writes rows with the schema and the settings of the shard that they were read from."""

    def __init__(self, out: BinaryIO, like: ParquetReader) -> None:
        self._arrow = like.pyarrow
        self._held: list[Any] = []
        self._bytes = 0
        schema, metadata = like.file.schema_arrow, like.file.metadata
        settings: dict[str, Any] = {}
        if metadata.num_row_groups:
            chunks = [metadata.row_group(0).column(index) for index in range(metadata.num_columns)]
            settings["compression"] = {one.path_in_schema: _codec(one.compression) for one in chunks}
            settings["use_dictionary"] = [one.path_in_schema for one in chunks if one.has_dictionary_page]
        self._schema = schema
        self._writer = importlib.import_module("pyarrow.parquet").ParquetWriter(out, schema, **settings)

    def put(self, sample: Sample, made: Sequence[Data] | None) -> None:
        """Write a row with its media replaced, or leave it out."""
        row = sample.rest
        assert isinstance(row, _Row)
        if row.batch is None or made is None:
            if row.batch is None:
                self._flush()
            return
        batch = row.batch
        for name, data in zip(row.columns, made, strict=True):
            index = batch.schema.get_field_index(name)
            new = self._filled(batch.column(index), data if isinstance(data, bytes) else data.read_bytes())
            batch = batch.set_column(index, batch.schema.field(index), new)
        self._held.append(batch)
        self._bytes += batch.nbytes
        if self._bytes >= GROUP_BYTES:
            self._flush()

    def finish(self) -> None:
        """Write the rows that are held, and the index."""
        self._flush()
        self._writer.close()

    def close(self) -> None:
        """End without the rows that are held: the writer would otherwise end when its file is closed already."""
        with suppress(self._arrow.ArrowException, OSError):
            self._writer.close()

    def _filled(self, column: Any, data: bytes) -> Any:
        """A column of one row with other bytes; of a structure the other fields stay."""
        if not self._arrow.types.is_struct(column.type):
            return self._arrow.array([data], type=column.type)
        fields, parts = list(column.type), column.flatten()
        index = column.type.get_field_index("bytes")
        parts[index] = self._arrow.array([data], type=fields[index].type)
        return self._arrow.StructArray.from_arrays(parts, fields=fields)

    def _flush(self) -> None:
        """Write the rows that are held as a group."""
        if self._held:
            table = self._arrow.Table.from_batches(self._held, self._schema).combine_chunks()
            self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        self._held, self._bytes = [], 0


def pyarrow() -> Any:
    """pyarrow; raises InvalidArgument where it is not installed."""
    try:
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise InvalidArgument("Parquet needs pyarrow, which is not installed",
                              hint=install_hint("datasets")) from error


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


def _codec(name: str) -> str:
    return "NONE" if name == "UNCOMPRESSED" else name


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
