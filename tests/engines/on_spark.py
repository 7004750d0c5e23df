# SPDX-License-Identifier: Apache-2.0
"""Spark itself, in local mode, one of whose workers dies in the middle. Run by `make test-engines`; wants Java."""

from __future__ import annotations

import functools
import os
import runpy
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import labelkit as lk
from labelkit.integrations import spark as labelkit_spark
from tests.engines.media import PLAIN, check_verdicts, expected, ordered, table

ROOT = Path(lk.__file__).parents[1]


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1",
                            "SPARK_LOCAL_DIRS": str(tmp_path_factory.mktemp("spark"))}.items():
            patch.setenv(name, value)
        made = SparkSession.builder.master("local[2,3]").config(map={  # a task is tried three times
            "spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.memory": "512m",
            "spark.sql.execution.arrow.maxRecordsPerBatch": 4}).getOrCreate()
        made.sparkContext.setLogLevel("OFF")
        yield made
        made.stop()


def test_rows_are_those_of_an_undisturbed_call(session):
    rows = table()
    made = labelkit_spark.label(session.createDataFrame(rows).repartition(3), "acme", plan=PLAIN, id_column="key")
    assert ordered(made.toArrow().to_pylist()) == expected(rows)
    checked = labelkit_spark.verify(made, layers=[lk.Layer.METADATA], require=[lk.Layer.METADATA])
    check_verdicts(checked.toArrow().to_pylist())


def test_a_worker_that_dies_loses_and_doubles_no_row(session, tmp_path):
    rows, flag = table(48), tmp_path / "has died"
    frame = session.createDataFrame(rows).repartition(2)
    frail = frame.mapInArrow(functools.partial(_dies_once, str(flag)), frame.schema)
    made = labelkit_spark.label(frail, "acme", plan=PLAIN, id_column="key")
    assert ordered(made.toArrow().to_pylist()) == expected(rows) and flag.exists()


def _dies_once(flag: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for number, batch in enumerate(batches):
        if number == 2 and not os.path.exists(flag):
            Path(flag).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield batch


def test_the_example_runs(session, tmp_path, monkeypatch):
    pq.write_table(table(), tmp_path / "in.parquet")
    monkeypatch.setattr(sys, "argv", ["spark_frame.py", str(tmp_path / "in.parquet"), str(tmp_path / "out"), "acme"])
    runpy.run_path(str(ROOT / "examples" / "spark_frame.py"), run_name="__main__")
    made = pq.read_table(tmp_path / "out").to_pylist()
    assert len(made) == len({row["key"] for row in made}) == 24
    assert sum(row["error"] is None for row in made) == 23
