# SPDX-License-Identifier: Apache-2.0
"""Label the pictures of a Parquet dataset with Spark: spark-submit spark_frame.py SOURCE TARGET PRODUCER

SOURCE and TARGET are folders or URLs; the pictures are in the column "bytes", and "key" names each row. Rows that
failed have their reason in the column "error".
"""

import sys

from pyspark.sql import SparkSession

from labelkit.integrations.spark import label

source, target, producer = sys.argv[1:]
spark = SparkSession.builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", 64).getOrCreate()
label(spark.read.parquet(source), producer, id_column="key").write.parquet(target)
