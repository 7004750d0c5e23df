# SPDX-License-Identifier: Apache-2.0
"""Ray Data: label or verify the files in a column of a dataset, on all nodes of a cluster.

    labelled = label(ray.data.read_parquet("s3://raw/"), "001191440300708461136T1XGW3", id_column="key")
    labelled.write_parquet("s3://labelled/")

A row that fails has its reason in `error` and ends nothing. The same row gets the same bytes whenever and wherever it
is labelled, so blocks that Ray computes again, and runs that go on from Ray's checkpoints, give the same dataset.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

from labelkit.batch import Labels, Verifications

T = TypeVar("T")
V = TypeVar("V")
_AHEAD = 512  # tasks that are given to a cluster before the first of them is done: cores that can be busy
_PARTS = 8  # of the result of a task that wait to be taken
_OBJECT_STORE = 128 << 20  # bytes; only names and results pass through it


def label(dataset: Any, producer: str, *, batch_size: int = 32, concurrency: int | None = None, **settings: Any) -> Any:
    """The dataset with labelled files; lazily, as all of Ray Data.

    dataset      ray.data.Dataset
    batch_size   rows that are held in memory together
    concurrency  batches at a time, each on one core; by default as many as the cluster has cores
    settings     those of `labelkit.batch.Labels`
    """
    return _mapped(dataset, Labels(producer, **{"jobs": 1, **settings}), batch_size, concurrency)


def verify(dataset: Any, *, batch_size: int = 32, concurrency: int | None = None, **settings: Any) -> Any:
    """The dataset with a verdict in every row; the settings are those of `labelkit.batch.Verifications`."""
    return _mapped(dataset, Verifications(**{"jobs": 1, **settings}), batch_size, concurrency)


def _mapped(dataset: Any, work: Labels | Verifications, batch_size: int, concurrency: int | None) -> Any:
    # tasks, not actors: these would keep cores that the rest of a pipeline waits for
    return dataset.map_batches(_called, fn_kwargs={"work": work}, batch_format="pyarrow", batch_size=batch_size,
                               concurrency=concurrency, num_cpus=1, udf_modifying_row_count=False)


def _called(table: Any, work: Labels | Verifications) -> Any:
    return work(table)


def each_done(work: Callable[[T], Iterator[V]], tasks: deque[T], address: str | None = None,
              jobs: int | None = None) -> Generator[tuple[T, V | None, bool], None, None]:
    """(task, part of what `work` makes of it, whether it is done) as they come: a part is None, and nothing more comes,
    where the process of a task died twice; at the end of the others it is empty.

    work, tasks  pickled; `work` gives parts of its result, and returns errors instead of raising them. Tasks that are
                 added meanwhile are worked on too
    address      of the cluster, "auto" for one on this machine; None starts Ray here and ends it afterwards
    jobs         tasks at a time, each on one core; by default as many as there are cores
    A task whose worker or node is lost is worked on again; its parts come once, if they are the same. Raises what Ray
    raises where the cluster cannot be reached or a worker cannot begin.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray reports to its makers
    import ray

    own = {} if address else {"num_cpus": jobs, "object_store_memory": _OBJECT_STORE, "include_dashboard": False}
    ray.init(address or "local", log_to_driver=False, logging_level="ERROR", **own)
    try:
        remote = ray.remote(num_cpus=1, max_retries=1, num_returns="streaming",
                            _generator_backpressure_num_objects=_PARTS)(_done)
        held = ray.put(work)
        begun: dict[Any, T] = {}
        while tasks or begun:
            while tasks and len(begun) < (jobs or _AHEAD):
                task = tasks.popleft()
                begun[remote.remote(held, task)] = task
            for parts in ray.wait(list(begun))[0]:
                part, ended = _next(ray, parts)
                yield begun.pop(parts) if ended else begun[parts], part, ended
    finally:
        ray.shutdown()


def _done(work: Callable[[T], Iterator[V]], task: T) -> Iterator[V]:
    yield from work(task)


def _next(ray: Any, parts: Any) -> tuple[Any, bool]:
    """The next part of a task, and whether it has ended."""
    try:
        return ray.get(next(parts)), False
    except StopIteration:
        return [], True
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError, ray.exceptions.NodeDiedError):
        return None, True
