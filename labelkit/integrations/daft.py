# SPDX-License-Identifier: Apache-2.0
"""Daft: label or verify the files in a column of a data frame.

    labelled = label(daft.read_parquet("s3://raw/"), "001191440300708461136T1XGW3", id_column="key")
    labelled.write_parquet("s3://labelled/")

A row that fails has its reason in `error` and ends nothing.
"""

from __future__ import annotations

import gzip
import io
import os
import pickle
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

from labelkit.batch import Labels, Verifications

T = TypeVar("T")
V = TypeVar("V")
_PARTS = 64  # into which a run is divided, for the machines of a cluster


def label(frame: Any, producer: str, *, batch_size: int = 32, **settings: Any) -> Any:
    """The frame with labelled files; lazily, as all of Daft.

    frame       daft.DataFrame
    batch_size  rows that are held in memory together
    settings    those of `labelkit.batch.Labels`
    """
    return _with_columns(frame, Labels(producer, **settings), batch_size)


def verify(frame: Any, *, batch_size: int = 32, **settings: Any) -> Any:
    """The frame with a verdict in every row; the settings are those of `labelkit.batch.Verifications`."""
    return _with_columns(frame, Verifications(**settings), batch_size)


def _with_columns(frame: Any, work: Labels | Verifications, batch_size: int) -> Any:
    import daft
    import pyarrow

    kinds = {"bytes": daft.DataType.binary(), "text": daft.DataType.string(), "boolean": daft.DataType.bool()}
    types = {name: kinds[kind] for name, kind in work.added.items()}
    names = [name for name in (work.column, getattr(work, "id_column", None)) if name]

    def worked_on(*columns: Any) -> Any:
        made = work(pyarrow.Table.from_arrays([column.to_arrow() for column in columns], names))
        return pyarrow.StructArray.from_arrays([made[name].combine_chunks() for name in types], list(types))

    function: Any = daft.func.batch(return_dtype=daft.DataType.struct(types), batch_size=batch_size)(worked_on)
    whole = frame.with_column("labelkit:made", function(*(frame[name] for name in names)))
    return whole.with_columns({name: whole["labelkit:made"][name] for name in types}).exclude("labelkit:made")


def each_done(work: Callable[[T], Iterator[V]], tasks: deque[T], address: str | None = None,
              jobs: int | None = None) -> Generator[tuple[T, V | list[V], bool], None, None]:
    """(task, part of what `work` makes of it, whether it is done) in the order of the tasks, in processes of Daft; the
    last part of each is empty.

    work, tasks  pickled; `work` gives parts of its result, and returns errors instead of raising them
    address      of a Ray cluster on which Daft runs; None for this machine
    jobs         tasks at a time; by default as many as there are cores
    The parts of a task are held compressed until it is done. Raises what Daft raises where a process dies.
    """
    os.environ.setdefault("DAFT_ANALYTICS_ENABLED", "0")  # else Daft reports to its makers
    import daft

    if address:
        daft.set_runner_ray(address)

    def done(_self: Any, column: Any) -> list[bytes]:
        return [_packed(work(pickle.loads(task))) for task in column.to_pylist()]

    method: Any = daft.method.batch(return_dtype=daft.DataType.binary(), batch_size=1)(done)
    worker: Any = daft.cls(use_process=True, max_concurrency=jobs)(type("Worker", (), {"done": method}))()
    frame = daft.from_pydict({"task": [pickle.dumps(task) for task in tasks]})
    if address:
        frame = frame.into_partitions(min(len(tasks), _PARTS))
    for row in frame.with_column("made", worker.done(frame["task"])).iter_rows():
        task = pickle.loads(row["task"])
        for part in _unpacked(row["made"]):
            yield task, part, False
        yield task, [], True


def _packed(parts: Iterable[object]) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as file:
        for part in parts:
            pickle.dump(part, file)
    return packed.getvalue()


def _unpacked(packed: bytes) -> Iterator[Any]:
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file, suppress(EOFError):
        while True:
            yield pickle.load(file)
