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

_BATCH = {"batch_format": "pyarrow", "num_cpus": 1, "udf_modifying_row_count": False}


def label(dataset: Any, producer: str, *, batch_size: int = 32, concurrency: Any = None, **settings: Any) -> Any:
    """The dataset with labelled files; lazily, as all of Ray Data.

    dataset      ray.data.Dataset
    batch_size   rows that are held in memory together
    concurrency  of `map_batches`: how many workers, or (least, most); by default one for each core of the cluster
    settings     those of `labelkit.batch.Labels`
    """
    return dataset.map_batches(Labels, batch_size=batch_size, fn_constructor_args=(producer,),
                               fn_constructor_kwargs={"jobs": 1, **settings}, concurrency=_workers(concurrency),
                               **_BATCH)


def verify(dataset: Any, *, batch_size: int = 32, concurrency: Any = None, **settings: Any) -> Any:
    """The dataset with a verdict in every row; the settings are those of `labelkit.batch.Verifications`."""
    return dataset.map_batches(Verifications, batch_size=batch_size, fn_constructor_kwargs={"jobs": 1, **settings},
                               concurrency=_workers(concurrency), **_BATCH)


def _workers(concurrency: Any) -> Any:
    if concurrency is not None:
        return concurrency
    import ray
    return 1, max(1, int(ray.cluster_resources().get("CPU", 1)) if ray.is_initialized() else 1)
