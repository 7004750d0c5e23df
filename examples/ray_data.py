# SPDX-License-Identifier: Apache-2.0
"""Label the pictures of a Parquet dataset with Ray Data: python ray_data.py SOURCE TARGET PRODUCER

SOURCE and TARGET are folders or URLs; the pictures are in the column "bytes", and "key" names each row. A run that was
stopped goes on where it was when it is started again. Rows that failed have their reason in the column "error".
"""

import sys

import ray
from ray.data.checkpoint import CheckpointConfig

from labelkit.integrations.ray import label

source, target, producer = sys.argv[1:]
ray.data.DataContext.get_current().checkpoint_config = CheckpointConfig(
    id_column="key", checkpoint_path=f"{target}-checkpoint", delete_checkpoint_on_success=False)
labelled = label(ray.data.read_parquet(source), producer, id_column="key", batch_size=32)
labelled.write_parquet(target)
