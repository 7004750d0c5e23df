# SPDX-License-Identifier: Apache-2.0
"""Daft: label or verify the files in a column of a data frame.

    labelled = label(daft.read_parquet("s3://raw/"), "001191440300708461136T1XGW3", id_column="key")
    labelled.write_parquet("s3://labelled/")

A row that fails has its reason in `error` and ends nothing.
"""

from __future__ import annotations

from typing import Any

from labelkit.batch import Labels, Verifications


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
