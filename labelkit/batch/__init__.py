# SPDX-License-Identifier: Apache-2.0
"""Tables in, tables out: media in columns are labelled or verified row by row, and no row ends the run.

    import pyarrow.parquet as pq
    from labelkit import batch

    label = batch.Labels("001191440300708461136T1XGW3", id_column="key")
    labelled = label(pq.read_table("pictures.parquet"))          # the same rows, with label_id, payload and error
    verify = batch.Verifications(require=[lk.Layer.METADATA])
    verdicts = verify(labelled)                                   # the same rows, with verdict, layers and error

Both objects can be pickled and take Arrow tables and record batches, pandas data frames, and dictionaries of columns:
whatever came in comes back with more columns. So they are what engines call, see `labelkit.integrations`:

    ray.data.read_parquet(...).map_batches(label, batch_format="pyarrow")

Whole datasets are read and written as streams, WebDataset tar and Parquet, see `labelkit.batch.datasets`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labelkit.batch.labels import Labels, derived_id
    from labelkit.batch.verifications import Verifications

__all__ = ["Labels", "Verifications", "derived_id"]

_HOMES = {"Labels": "labels", "derived_id": "labels", "Verifications": "verifications"}

if not TYPE_CHECKING:  # else a checker takes every name for one of ours
    def __getattr__(name: str) -> object:
        """Public names are loaded when they are first used: the commands ask of every file whether it is a dataset."""
        if name in _HOMES:
            return getattr(importlib.import_module(f"labelkit.batch.{_HOMES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
