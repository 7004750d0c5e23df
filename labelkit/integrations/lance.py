# SPDX-License-Identifier: Apache-2.0
"""Lance: label or verify the files in a column of a dataset, as new columns of it, by `batch_udf`.

    label(lance.dataset("pictures.lance"), "001191440300708461136T1XGW3", id_column="key", checkpoint_file="run.db")

The dataset gets a new version with the columns; its files stay as they are. A run that is stopped goes on from the
checkpoint. A row that fails has its reason in `error` and ends nothing. `labelkit embed a.lance -o b.lance` writes a
new dataset instead, with the labelled files in the place of the others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labelkit.batch import Labels, Verifications

_TYPES = {"bytes": "large_binary", "text": "string", "boolean": "bool_"}


def label(dataset: Any, producer: str, *, batch_size: int = 32, checkpoint_file: str | Path | None = None,
          prefix: str = "", **settings: Any) -> None:
    """Add columns with the labelled files, their numbers, payloads and errors.

    dataset          lance.LanceDataset
    batch_size       rows that are held in memory together
    checkpoint_file  where Lance keeps results that it has not written yet
    prefix           of the names of the new columns
    settings         those of `labelkit.batch.Labels`; the output is the column "labelled" by default
    """
    _add(dataset, Labels(producer, **{"output": None if settings.get("into") else "labelled", **settings}), batch_size,
         checkpoint_file, prefix)


def verify(dataset: Any, *, batch_size: int = 32, checkpoint_file: str | Path | None = None, prefix: str = "",
           **settings: Any) -> None:
    """Add columns with a verdict in every row; the settings are those of `labelkit.batch.Verifications`."""
    _add(dataset, Verifications(**settings), batch_size, checkpoint_file, prefix)


def _add(dataset: Any, work: Labels | Verifications, batch_size: int, checkpoint_file: str | Path | None,
         prefix: str) -> None:
    import lance
    import pyarrow

    types = {name: getattr(pyarrow, _TYPES[kind])() for name, kind in work.added.items()}

    def added(batch: Any) -> Any:
        made = pyarrow.Table.from_batches([work(batch)])
        return pyarrow.RecordBatch.from_arrays([made[name].combine_chunks().cast(type_) for name, type_ in
                                                types.items()], [prefix + name for name in types])

    schema = pyarrow.schema([(prefix + name, type_) for name, type_ in types.items()])
    needed = [name for name in (work.column, getattr(work, "id_column", None)) if name]
    dataset.add_columns(lance.batch_udf(schema, checkpoint_file)(added), read_columns=needed, batch_size=batch_size)
