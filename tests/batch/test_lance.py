# SPDX-License-Identifier: Apache-2.0
"""Lance datasets where pylance is missing, and in the choice of a run's files; tests/engines has the datasets."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from labelkit.batch import Labels, datasets
from labelkit.cli import files
from labelkit.errors import InvalidArgument
from tests.cli.conftest import PRODUCER, plain_world as plain_world, run as run, write

FAST = [*PRODUCER, "--layers", "metadata", "--explicit-present"]


@pytest.fixture(autouse=True)
def without(monkeypatch):
    monkeypatch.setitem(sys.modules, "lance", None)


def test_without_pylance_a_run_says_what_to_install(run):
    write("in/a.jpg")
    Path("in/b.lance/data").mkdir(parents=True)
    Path("in/b.lance/data/c.lance").write_bytes(b"of the dataset")
    code, out, err = run("embed", "in", "-o", "out", *FAST)
    assert code == 1 and "in/a.jpg -> out/a.jpg" in out
    assert "in/b.lance: Lance needs pylance, which is not installed\nhint: pip install \"aigc-labelkit[lance]\"" in err
    assert [path.name for path in Path("out").iterdir()] == ["a.jpg"]
    dry = [*FAST, "--dry-run"]
    assert run("embed", "in", "-o", "out", *dry)[1] == "in/a.jpg -> out/a.jpg\nin/b.lance -> out/b.lance\n"
    assert run("embed", "in/b.lance", "-o", "out/c.lance", *dry)[1] == "in/b.lance -> out/c.lance\n"
    assert run("verify", "in/b.lance")[0] == 2


def test_folders_that_are_named_as_other_shards_are_folders(run):
    """Spark writes such."""
    write("in.parquet/part-0.jpg")
    assert run("embed", "in.parquet", "-o", "out.parquet/", *FAST)[0] == 0
    assert [path.name for path in Path("out.parquet").iterdir()] == ["part-0.jpg"]
    assert run("embed", "in.parquet/part-0.jpg", "-o", "out.parquet", *FAST, "--dry-run")[1].endswith(
        "-> out.parquet/part-0.jpg\n")


def test_a_dataset_in_a_store_is_one_thing_and_refused():
    assert files._whole(["s3://b/a.jpg", "s3://b/x.lance/_versions/1.manifest", "s3://b/x.lance/data/y.lance",
                         "s3://b/z.tar"]) == ["s3://b/a.jpg", "s3://b/x.lance", "s3://b/z.tar"]
    with pytest.raises(InvalidArgument, match="s3://b/x.lance: Lance datasets are read and written on disk"):
        datasets.embed("s3://b/x.lance", "y.lance", Labels("acme"))
    with pytest.raises(InvalidArgument, match="not replaced in place"):
        datasets.embed("x.lance", "x.lance", Labels("acme"), in_place=True)
