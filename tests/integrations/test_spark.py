# SPDX-License-Identifier: Apache-2.0
"""The Spark adapter against the documented shapes of `DataFrame.mapInArrow`: a function from an iterator of record
batches to one, and a schema whose columns the batches have in their order. `make test-engines` runs Spark itself.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import pyarrow as pa
import pytest

import labelkit as lk
from labelkit.batch import Labels
from labelkit.integrations import spark
from tests.media import photo, saved

PLAIN = lk.Plan(explicit=None, watermark=None)
TYPES = {"binary": pa.binary(), "string": pa.string(), "boolean": pa.bool_()}


@dataclass
class Field:
    name: str
    type: str


class StructType:
    """pyspark.sql.types.StructType, as far as it is documented and used."""

    def __init__(self, fields: list[Field]) -> None:
        self.fields = list(fields)

    def add(self, field: str, data_type: str) -> StructType:
        self.fields.append(Field(field, data_type))
        return self


class Frame:
    """A data frame whose partitions are lists of record batches; the function is pickled, as to an executor."""

    def __init__(self, schema: StructType, partitions: list[list[pa.RecordBatch]]) -> None:
        self.schema, self.partitions = schema, partitions

    def mapInArrow(self, func, schema):  # noqa: N802
        wanted = pa.schema([(field.name, TYPES[field.type]) for field in schema.fields])
        made = [[*pickle.loads(pickle.dumps(func))(iter(batches))] for batches in self.partitions]
        assert all(batch.schema.equals(wanted) for batches in made for batch in batches)
        return Frame(schema, made)


@pytest.fixture
def frame() -> Frame:
    schema = StructType([Field("key", "string"), Field("bytes", "binary"), Field("caption", "string")])
    data = [saved(photo(96, 128, seed), "JPEG") for seed in range(3)] + [b"bad"]
    rows = pa.table({"key": list("abcd"), "bytes": data, "caption": ["words"] * 4})
    return Frame(schema, [rows.slice(0, 3).to_batches(max_chunksize=2), rows.slice(3).to_batches(), []])


def rows(frame: Frame) -> list[dict[str, object]]:
    return [row for batches in frame.partitions for batch in batches for row in batch.to_pylist()]


def test_rows_are_labelled_and_verified(frame):
    made = spark.label(frame, "acme", plan=PLAIN, id_column="key")
    plain = Labels("acme", plan=PLAIN, id_column="key")(pa.Table.from_pylist(rows(frame)))
    assert rows(made) == plain.select([field.name for field in made.schema.fields]).to_pylist()
    assert [row["error_type"] for row in rows(made)] == [None, None, None, "UnsupportedFormat"]
    checked = spark.verify(made, layers=[lk.Layer.METADATA], require=[lk.Layer.METADATA])
    assert [row["meets"] for row in rows(checked)] == [True, True, True, None]
    assert [field.name for field in frame.schema.fields] == ["key", "bytes", "caption"], "the source is as it was"


def test_a_wrong_producer_is_refused_before_the_first_row(frame):
    with pytest.raises(lk.LabelkitError):
        spark.label(frame, "no code")
