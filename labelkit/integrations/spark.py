# SPDX-License-Identifier: Apache-2.0
"""Spark: label or verify the files in a column of a data frame, by `mapInArrow`.

    labelled = label(spark.read.parquet("s3a://raw/"), "001191440300708461136T1XGW3", id_column="key")
    labelled.write.parquet("s3a://labelled/")

A row that fails has its reason in `error` and ends nothing. `spark.sql.execution.arrow.maxRecordsPerBatch` says how
many rows are held in memory together: 10,000 by default, which is too many for media; 64 is not.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any

from labelkit.batch import Labels, Verifications

_TYPES = {"bytes": "binary", "text": "string", "boolean": "boolean"}


def label(frame: Any, producer: str, **settings: Any) -> Any:
    """The frame with labelled files; lazily, as all of Spark.

    frame     pyspark.sql.DataFrame
    settings  those of `labelkit.batch.Labels`
    """
    return _mapped(frame, Labels(producer, **{"jobs": 1, **settings}))


def verify(frame: Any, **settings: Any) -> Any:
    """The frame with a verdict in every row; the settings are those of `labelkit.batch.Verifications`."""
    return _mapped(frame, Verifications(**{"jobs": 1, **settings}))


def _mapped(frame: Any, work: Labels | Verifications) -> Any:
    schema = type(frame.schema)([field for field in frame.schema.fields if field.name not in work.added])
    for name, kind in work.added.items():
        schema = schema.add(name, _TYPES[kind])
    return frame.mapInArrow(functools.partial(_each, work, [field.name for field in schema.fields]), schema)


def _each(work: Labels | Verifications, names: list[str], batches: Iterable[Any]) -> Iterator[Any]:
    """The record batches with the columns of the schema, in its order."""
    for batch in batches:
        yield work(batch).select(names)
