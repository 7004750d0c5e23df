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

from labelkit.batch.labels import Labels, derived_id
from labelkit.batch.verifications import Verifications

__all__ = ["Labels", "Verifications", "derived_id"]
