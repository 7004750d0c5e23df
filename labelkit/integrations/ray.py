# SPDX-License-Identifier: Apache-2.0
"""Ray Data: label or verify the files in a column of a dataset, on all nodes of a cluster.

    labelled = label(ray.data.read_parquet("s3://raw/"), "001191440300708461136T1XGW3", id_column="key")
    labelled.write_parquet("s3://labelled/")

A row that fails has its reason in `error` and ends nothing. The same row gets the same bytes whenever and wherever it
is labelled, so blocks that Ray computes again, and runs that go on from Ray's checkpoints, give the same dataset.
"""

from __future__ import annotations

from typing import Any

from labelkit.batch import Labels, Verifications


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
