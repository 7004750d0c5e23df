# SPDX-License-Identifier: Apache-2.0
"""Ray Data, on a cluster of two local nodes, one of which dies in the middle. Run by `make test-engines`."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import labelkit as lk
from labelkit.integrations import ray as labelkit_ray
from tests.docs.pages import DOCS, blocks, commands
from tests.engines.media import PLAIN, check_verdicts, expected, ordered, table
from tests.media import photo, saved

ray = pytest.importorskip("ray")
ROOT = Path(lk.__file__).parents[1]


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "object_store_memory": 200 << 20})
    ray.init(address=made.address, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}})
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield made
    ray.shutdown()
    made.shutdown()


def test_rows_are_those_of_an_undisturbed_call(cluster):
    rows = table()
    made = labelkit_ray.label(ray.data.from_arrow(rows).repartition(4), "acme", plan=PLAIN, id_column="key",
                              batch_size=4)
    assert ordered(made.take_all()) == expected(rows)
    check_verdicts(labelkit_ray.verify(made, layers=[lk.Layer.METADATA], require=[lk.Layer.METADATA]).take_all())


def test_the_example_runs_and_goes_on_from_its_checkpoint(cluster, tmp_path, monkeypatch):
    pq.write_table(table(), tmp_path / "in.parquet")
    monkeypatch.setattr(sys, "argv", ["ray_data.py", str(tmp_path / "in.parquet"), str(tmp_path / "out"), "acme"])
    for _ in range(2):  # the second run has nothing left to do
        runpy.run_path(str(ROOT / "examples" / "ray_data.py"), run_name="__main__")
    made = pq.read_table(tmp_path / "out").to_pylist()
    assert len(made) == len({row["key"] for row in made}) == 24
    assert sum(row["error"] is None for row in made) == 23


@pytest.mark.parametrize("engine", ["ray", "daft"])
def test_the_command_line_works_on_a_cluster(cluster, engine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "in").mkdir()
    for number in range(3):
        (tmp_path / "in" / f"{number}.jpg").write_bytes(saved(photo(96, 128, number), "JPEG"))
    here = [sys.executable, "-m", "labelkit", "-q"]
    there = ["--engine", engine, "--address", cluster.address]
    words = ["embed", "in", "--producer", "acme", "--layers", "metadata", "--explicit-present", *there]
    assert subprocess.run([*here, *words, "-o", "out"], timeout=240).returncode == 0
    assert subprocess.run([*here, "verify", "out", *there, "--jobs", "1"], timeout=240).returncode == 0
    assert subprocess.run([*here, "verify", "in", *there], timeout=240).returncode == 1


def test_the_page_does_what_it_shows(cluster, tmp_path, monkeypatch):
    """With folders in the place of prefixes of an object store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "raw").mkdir()
    for number in range(2):
        (tmp_path / "raw" / f"{number}.jpg").write_bytes(saved(photo(256, 320, number), "JPEG", quality=90))
    shown, = [block for block in blocks(DOCS / "how-to" / "datasets.md") if "--address auto" in block.text]
    for step in commands(shown.text):
        words = step.words.replace("s3://raw/2026/", "raw").replace("s3://labelled/2026/", "labelled")
        words = words.replace("--address auto", f"--address {cluster.address}").split()
        assert words[0] == "labelkit" and subprocess.run([sys.executable, "-m", *words], timeout=240).returncode == 0
    assert len(Path("run.jsonl").read_text().splitlines()) == 2


def test_a_node_that_dies_loses_and_doubles_no_row(cluster):
    """The last: Ray gives a dead node work until it misses its heartbeats."""
    rows = table(64)
    node = cluster.add_node(num_cpus=1, object_store_memory=200 << 20)
    blocks = ray.data.from_arrow([rows.slice(at, 4) for at in range(0, 64, 4)])
    made = labelkit_ray.label(blocks, "acme", plan=PLAIN, id_column="key", batch_size=4, concurrency=3)
    found = []
    for row in made.iter_rows():
        found.append(row)
        if node:
            cluster.remove_node(node, allow_graceful=False)
            node = None
    assert ordered(found) == expected(rows)
