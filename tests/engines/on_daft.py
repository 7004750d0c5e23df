# SPDX-License-Identifier: Apache-2.0
"""Daft, on its local engine. Run by `make test-engines`."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import labelkit as lk
from labelkit.integrations import daft as labelkit_daft
from tests.engines.media import PLAIN, check_verdicts, expected, ordered, table

daft = pytest.importorskip("daft")
ROOT = Path(lk.__file__).parents[1]


def test_rows_are_those_of_an_undisturbed_call():
    rows = table()
    made = labelkit_daft.label(daft.from_arrow(rows), "acme", plan=PLAIN, id_column="key", batch_size=4)
    assert ordered(made.to_pylist()) == expected(rows)
    check_verdicts(labelkit_daft.verify(made, layers=[lk.Layer.METADATA], require=[lk.Layer.METADATA]).to_pylist())


def test_results_are_written_where_they_belong(tmp_path):
    made = labelkit_daft.label(daft.from_arrow(table(4)), "acme", plan=PLAIN, into=str(tmp_path)).to_pylist()
    assert all(Path(row["uri"]).is_file() and row["bytes"] for row in made)


def test_the_example_runs(tmp_path, monkeypatch):
    pq.write_table(table(), tmp_path / "in.parquet")
    monkeypatch.setattr(sys, "argv", ["daft_frame.py", str(tmp_path / "in.parquet"), str(tmp_path / "out"), "acme"])
    runpy.run_path(str(ROOT / "examples" / "daft_frame.py"), run_name="__main__")
    made = pq.read_table(tmp_path / "out").to_pylist()
    assert len(made) == 24 and sum(row["error"] is None for row in made) == 23
