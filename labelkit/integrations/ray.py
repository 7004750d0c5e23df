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
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from labelkit.batch import Labels, Verifications

T = TypeVar("T")
V = TypeVar("V")
_AHEAD = 512  # tasks that are given to a cluster before the first of them is done: cores that can be busy
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


def each_done(work: Callable[[T], V], tasks: deque[T], address: str | None = None,
              jobs: int | None = None) -> Generator[tuple[T, V | None], None, None]:
    """(task, what `work` makes of it) as tasks are done, None for one whose process died twice.

    work, tasks  pickled; `work` returns errors and raises none. Tasks that are added meanwhile are worked on too
    address      of the cluster, "auto" for one on this machine; None starts Ray here and ends it afterwards
    jobs         tasks at a time, each on one core; by default as many as there are cores
    A task whose worker or node is lost is worked on again. Raises what Ray raises where the cluster cannot be reached
    or a worker cannot begin.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray reports to its makers
    import ray

    own = {} if address else {"num_cpus": jobs, "object_store_memory": _OBJECT_STORE, "include_dashboard": False}
    ray.init(address or "local", log_to_driver=False, logging_level="ERROR", **own)
    try:
        remote, held = ray.remote(num_cpus=1, max_retries=1)(_done), ray.put(work)
        begun: dict[Any, T] = {}
        while tasks or begun:
            while tasks and len(begun) < (jobs or _AHEAD):
                task = tasks.popleft()
                begun[remote.remote(held, task)] = task
            for ref in ray.wait(list(begun))[0]:
                yield begun.pop(ref), _result(ray, ref)
    finally:
        ray.shutdown()


def _done(work: Callable[[T], V], task: T) -> V:
    return work(task)


def _result(ray: Any, ref: Any) -> Any:
    try:
        return ray.get(ref)
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError, ray.exceptions.NodeDiedError):
        return None
