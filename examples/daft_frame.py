# SPDX-License-Identifier: Apache-2.0
"""Label the pictures of a Parquet dataset with Daft: python daft_frame.py SOURCE TARGET PRODUCER

SOURCE and TARGET are folders or URLs; the pictures are in the column "bytes", and "key" names each row. Rows that
failed have their reason in the column "error".
"""

import sys

import daft

from labelkit.integrations.daft import label

source, target, producer = sys.argv[1:]
labelled = label(daft.read_parquet(source), producer, id_column="key")
labelled.write_parquet(target)
