# SPDX-License-Identifier: Apache-2.0
"""Lance datasets, folders that end in .lance, with files in columns of bytes or of blobs (extra `lance`, pylance).

Schema, metadata of the schema and of its fields, the version of the format and the rows of a fragment are kept; indices
and earlier versions are not. What a dataset refers to outside of its folder is not read: it could name any file.
"""

from __future__ import annotations

import errno
import importlib
import os
import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labelkit.batch import rows
from labelkit.batch.rows import RowReader, Rows
from labelkit.batch.samples import Data, Sample
from labelkit.distribution import install_hint
from labelkit.errors import InvalidArgument, LabelkitError, MalformedFile, UnsupportedFormat

ENDINGS = (".lance",)
_BLOB = "lance.blob.v2"
_MARKED = {b"lance-encoding:blob": b"true"}  # field metadata: store this column of bytes as blobs
_AHEAD = 2  # batches that are read, and tables that wait to be written
_BUFFER = 64 << 20  # bytes of reads that are under way


def is_named(name: str) -> bool:
    """Whether a folder is a Lance dataset, by the ending of its name."""
    return name.rstrip("/").lower().endswith(ENDINGS)


class LanceShard:
    """A folder; raises InvalidArgument without pylance, MalformedFile and UnsupportedFormat."""

    def __init__(self, path: str) -> None:
        self.pyarrow, self.name, self.lance = rows.pyarrow(), path, _lance()
        if not os.path.isdir(path):
            raise InvalidArgument("{where} is not a folder, as a Lance dataset is", where=path)
        with self.readable():
            self.dataset = self.lance.dataset(path)
            if self.dataset.base_paths():
                raise self._refers(next(iter(self.dataset.base_paths().values())))
            found = self.dataset.schema
            self.blobs = [field.name for field in found if _is_blob(field.type)]
            self.schema = self.pyarrow.schema([self._written(field) for field in found], metadata=found.metadata)
            self.fragments = self.dataset.get_fragments()
            self.count = self.dataset.count_rows()

    def _written(self, field: Any) -> Any:
        """A field as it is given to the writer: blobs are bytes with a mark."""
        if not _is_blob(field.type):
            return field
        return self.pyarrow.field(field.name, self.pyarrow.large_binary(), field.nullable,
                                  {**(field.metadata or {}), **_MARKED})

    def groups(self) -> Iterator[Iterator[Any]]:
        """The record batches of each fragment."""
        for fragment in self.fragments:
            yield self._batches(self.schema.names, fragments=[fragment])

    def beginning(self, column: str) -> Iterable[Any]:
        """Record batches of one column, from the first row on."""
        return self._batches([column])

    def _batches(self, columns: Sequence[str], **which: Any) -> Iterator[Any]:
        schema = self.pyarrow.schema([self.schema.field(name) for name in columns], metadata=self.schema.metadata)
        blobs = [name for name in self.blobs if name in columns]
        for batch in self._scan(blobs, blob_handling="all_descriptions", **which) if blobs else ():
            self._refuse_references(batch)  # all of them before the first byte: Lance reads ahead
        for batch in self._scan(columns, blob_handling="all_binary", **which):
            yield self.pyarrow.RecordBatch.from_arrays(batch.columns, schema=schema)

    def _scan(self, columns: Sequence[str], **how: Any) -> Iterator[Any]:
        batches: Iterator[Any] = self.dataset.scanner(
            columns=list(columns), batch_size=rows.AT_A_TIME, batch_readahead=_AHEAD, fragment_readahead=1,
            scan_in_order=True, io_buffer_size=_BUFFER, **how).to_batches()
        return batches

    def _refuse_references(self, descriptions: Any) -> None:
        for column in descriptions.columns:
            for one in column.to_pylist():
                if one and one.get("blob_uri"):
                    raise self._refers(one["blob_uri"])

    def _refers(self, place: object) -> UnsupportedFormat:
        return UnsupportedFormat("{where}: it refers to {place}, and what is outside of a dataset is not read",
                                 where=self.name, place=str(place)[:200])

    @contextmanager
    def readable(self) -> Iterator[None]:
        """Translate what Lance raises over a broken dataset, the panics of Rust too."""
        try:
            yield
        except (LabelkitError, KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:
            raise MalformedFile("{where}: the shard cannot be read: {problem}", where=self.name,
                                problem=rows.first_line(error)) from error


class LanceReader(RowReader):
    """Reads the rows of a dataset."""

    def __init__(self, path: str, columns: Sequence[str] | None) -> None:
        self.lance = LanceShard(path)
        super().__init__(self.lance, columns)


class LanceWriter:
    """Writes rows to a new folder, with the schema of the dataset that they were read from."""

    def __init__(self, folder: Path, like: LanceReader) -> None:
        self._shard = shard = like.lance
        self._rows = Rows(shard.pyarrow, shard.schema)
        self._tables: queue.Queue[Any] = queue.Queue(_AHEAD)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, args=(folder,), name="labelkit-lance", daemon=True)
        self._thread.start()  # Lance takes the rows itself, and here they are given

    def put(self, sample: Sample, made: Sequence[Data] | None) -> None:
        """Write a row with its media replaced, or leave it out."""
        if self._rows.put(sample, made):
            self._flush()

    def finish(self) -> None:
        """Write the rows that are held, and the version of the dataset; raises OSError."""
        self._flush()
        self._give(None)
        self._thread.join()
        self._check()

    def close(self) -> None:
        """End without a version of the dataset."""
        if self._thread.is_alive():
            self._give(InterruptedError())
            self._thread.join()

    def _flush(self) -> None:
        table = self._rows.take()
        if table is not None:
            self._give(table)
            self._check()

    def _give(self, what: Any) -> None:
        """Hand over what the thread waits for; nothing where it has ended."""
        while self._thread.is_alive():
            try:
                return self._tables.put(what, timeout=1)
            except queue.Full:
                continue

    def _check(self) -> None:
        if self._error is not None:
            raise OSError(errno.EIO, rows.first_line(self._error)) from self._error

    def _write(self, folder: Path) -> None:
        shard = self._shard
        try:
            reader = shard.pyarrow.RecordBatchReader.from_batches(shard.schema, self._taken())
            most = max((fragment.count_rows() for fragment in shard.fragments), default=1)
            shard.lance.write_dataset(reader, str(folder), max_rows_per_file=most,
                                      data_storage_version=shard.dataset.data_storage_version)
        except BaseException as error:
            self._error = error

    def _taken(self) -> Iterator[Any]:
        while (table := self._tables.get()) is not None:
            if isinstance(table, BaseException):
                raise table
            yield from table.to_batches()


def _is_blob(type_: Any) -> bool:
    return getattr(type_, "extension_name", "") == _BLOB


def _lance() -> Any:
    """pylance; raises InvalidArgument where it is not installed."""
    os.environ.setdefault("LANCE_LOG", "error")  # else it tells on stderr what it does
    try:
        return importlib.import_module("lance")
    except ImportError as error:
        raise InvalidArgument("Lance needs pylance, which is not installed", hint=install_hint("lance")) from error
