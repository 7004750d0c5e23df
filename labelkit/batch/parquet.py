# SPDX-License-Identifier: Apache-2.0
"""Parquet with files in columns of bytes: read and written a few rows at a time (extra `datasets`, pyarrow).

Schema, metadata of the schema and of its fields, compression and groups of rows are kept; a group of more than 64 MiB
is written as several, because a group is held in memory until it is whole.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from labelkit.batch import rows
from labelkit.batch.rows import RowReader, Rows
from labelkit.batch.samples import Data, Sample
from labelkit.errors import MalformedFile, TruncatedFile

ENDINGS = (".parquet",)


class ParquetShard:
    """A seekable file; raises InvalidArgument without pyarrow.

    name  of the shard, in errors
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.pyarrow, self.name = rows.pyarrow(), name
        with self.readable(whole=False):
            self.file = importlib.import_module("pyarrow.parquet").ParquetFile(file, pre_buffer=False,
                                                                               buffer_size=1 << 20)
        with self.readable():
            self.schema, self.count = self.file.schema_arrow, self.file.metadata.num_rows

    def groups(self) -> Iterator[Iterator[Any]]:
        """The record batches of each group of rows."""
        for group in range(self.file.num_row_groups):
            found = self.file.metadata.row_group(group)
            fitting = found.num_rows * rows.READ_BYTES // max(1, found.total_byte_size)
            yield self.file.iter_batches(max(1, min(rows.AT_A_TIME, fitting)), row_groups=[group], use_threads=False)

    def beginning(self, column: str) -> Iterable[Any]:
        """Record batches of one column, from the first row on."""
        batches: Iterable[Any] = self.file.iter_batches(rows.AT_A_TIME, columns=[column], use_threads=False)
        return batches

    @contextmanager
    def readable(self, *, whole: bool = True) -> Iterator[None]:
        """Translate what pyarrow raises over a broken file; `whole` where its index was read already."""
        try:
            yield
        except (self.pyarrow.ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
            facts = {"where": self.name, "problem": rows.first_line(error)}
            if whole:
                raise MalformedFile("{where}: the shard cannot be read: {problem}", **facts) from error
            raise TruncatedFile("{where}: the shard cannot be read: {problem}", hint="a Parquet file ends with its "
                                "index, so of one that was cut off nothing can be read", **facts) from error


class ParquetReader(RowReader):
    """Reads the rows of a shard."""

    def __init__(self, file: BinaryIO, name: str, columns: Sequence[str] | None) -> None:
        self.parquet = ParquetShard(file, name)
        super().__init__(self.parquet, columns)


class ParquetWriter:
    """Writes rows with the schema and the settings of the shard that they were read from."""

    def __init__(self, out: BinaryIO, like: ParquetReader) -> None:
        shard = like.parquet
        self._arrow, metadata = shard.pyarrow, shard.file.metadata
        settings: dict[str, Any] = {}
        if metadata.num_row_groups:
            chunks = [metadata.row_group(0).column(index) for index in range(metadata.num_columns)]
            settings["compression"] = {one.path_in_schema: _codec(one.compression) for one in chunks}
            settings["use_dictionary"] = [one.path_in_schema for one in chunks if one.has_dictionary_page
                                          and one.path_in_schema.partition(".")[0] not in like.columns]
        self._rows = Rows(self._arrow, shard.schema)
        self._writer = importlib.import_module("pyarrow.parquet").ParquetWriter(out, shard.schema, **settings)

    def put(self, sample: Sample, made: Sequence[Data] | None) -> None:
        """Write a row with its media replaced, or leave it out."""
        if self._rows.put(sample, made):
            self._flush()

    def finish(self) -> None:
        """Write the rows that are held, and the index."""
        self._flush()
        self._writer.close()

    def close(self) -> None:
        """End without the rows that are held: the writer would otherwise end when its file is closed already."""
        with suppress(self._arrow.ArrowException, OSError):
            self._writer.close()

    def _flush(self) -> None:
        """Write the rows that are held as a group."""
        table = self._rows.take()
        if table is not None:
            self._writer.write_table(table, row_group_size=max(1, table.num_rows))


def _codec(name: str) -> str:
    return "NONE" if name == "UNCOMPRESSED" else name
