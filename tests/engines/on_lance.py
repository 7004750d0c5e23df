# SPDX-License-Identifier: Apache-2.0
"""Lance datasets as sources and targets, and the adapter, with pylance itself. Run by `make test-engines`."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

import labelkit as lk
from labelkit.batch import Labels, datasets
from labelkit.cli import main as cli
from labelkit.errors import InvalidArgument, LabelkitError, MalformedFile, UnsupportedFormat
from labelkit.integrations import lance as labelkit_lance
from tests.docs.pages import DOCS, blocks
from tests.docs.test_pages import follow
from tests.engines.media import BAD, PLAIN, check_verdicts, expected, ordered, table
from tests.media import photo, saved

lance = pytest.importorskip("lance")
FAST = ["--producer", "acme", "--layers", "metadata", "--explicit-present"]
LABELS = Labels("acme", plan=PLAIN)
PICTURE = saved(photo(96, 128, 1), "JPEG", quality=90)


@pytest.fixture(autouse=True)
def plain_world(monkeypatch, tmp_path):
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nothing"))
    monkeypatch.chdir(tmp_path)


def pictures(count: int = 9, *, bad: int | None = None, path: str = "a.lance") -> pa.Schema:
    """A dataset with a column of bytes, one of blobs and one of the structure of Hugging Face."""
    blob = {"lance-encoding:blob": "true"}
    schema = pa.schema([pa.field("key", pa.string(), metadata={"m": "1"}), pa.field("image", pa.binary()),
                        pa.field("blob", pa.large_binary(), metadata=blob),
                        pa.field("hf", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))],
                       metadata={"who": "me"})
    one = [b"bad" if row == bad else saved(photo(96, 128, row), "JPEG", quality=90) for row in range(count)]
    rows = pa.table({"key": [f"k{row}" for row in range(count)], "image": one,
                     "blob": [None if row == 1 else data for row, data in enumerate(one)],
                     "hf": [{"bytes": data, "path": "p"} if row != 2 else None for row, data in enumerate(one)]},
                    schema=schema)
    lance.write_dataset(rows, path, max_rows_per_file=4)
    return schema


def read(path: str) -> list[dict[str, object]]:
    return lance.dataset(path).scanner(blob_handling="all_binary").to_table().to_pylist()


def run(*words: object) -> int:
    return cli.main(list(map(str, words)))


def test_all_columns_with_files_are_labelled_and_the_rest_stays(capsys):
    pictures()
    assert run("embed", "a.lance", "-o", "out/b.lance", *FAST) == 0
    before, after = lance.dataset("a.lance"), lance.dataset("out/b.lance")
    assert after.schema.equals(before.schema, check_metadata=True) and after.schema.metadata == {b"who": b"me"}
    assert after.data_storage_version == before.data_storage_version
    assert [one.count_rows() for one in after.get_fragments()] == [4, 4, 1]
    for row, (old, new) in enumerate(zip(read("a.lance"), read("out/b.lance"), strict=True)):
        labelled = LABELS.label(old["image"]).made
        assert new["image"] == labelled and new["key"] == old["key"]
        assert new["blob"] == (None if row == 1 else labelled)
        assert new["hf"] == (None if row == 2 else {"bytes": labelled, "path": "p"})
    capsys.readouterr()
    assert run("verify", "out", "--layers", "metadata") == 0
    assert "b.lance::row 8 hf: CONFIRMED" in capsys.readouterr().out
    assert run("verify", "a.lance", "--layers", "metadata") == 1, "the source is as it was"
    assert run("check", "out/b.lance", "--media", "image") in (0, 1, 2)
    assert run("propagate", "out/b.lance", "-o", "c.lance", "--propagator", "them", "--layers", "metadata") == 0
    assert len(read("c.lance")) == 9


def test_a_row_that_failed_is_left_out_and_labelled_again(capsys):
    pictures(bad=5)
    words = ["embed", "a.lance", "-o", "b.lance", *FAST, "--media", "image,blob"]
    assert run(*words, "--journal", "run.jsonl") == 1
    assert [one["key"] for one in read("b.lance")] == [f"k{row}" for row in range(9) if row != 5]
    shutil.rmtree("a.lance")
    pictures()
    assert run(*words, "--retry-failed", "run.jsonl") == 0
    assert run("embed", "a.lance", "-o", "whole.lance", *FAST, "--media", "image,blob") == 0
    assert read("b.lance") == read("whole.lance")


def test_targets_appear_whole_or_not_at_all(capsys, monkeypatch):
    pictures(path="in/a.lance")
    assert run("embed", "in", "-o", "out", *FAST) == 0
    before = read("out/a.lance")
    assert run("embed", "in", "-o", "out", *FAST, "--resume") == 0 and "1 already existed" in capsys.readouterr().err
    assert run("embed", "in", "-o", "out", *FAST, "--no-clobber") == 1
    assert run("embed", "in", "-o", "out", *FAST) == 0 and read("out/a.lance") == before
    assert run("embed", "in/a.lance", "--in-place", *FAST) == 1
    assert run("embed", "in/a.lance", "-o", "in/a.lance", *FAST) == 1
    assert sorted(os.listdir("out")) == ["a.lance"]
    monkeypatch.setattr(lance, "write_dataset", _full)
    assert run("embed", "in", "-o", "new", *FAST) == 1 and os.listdir("new") == []
    assert "No space left" in capsys.readouterr().err
    assert datasets.is_dataset("a.lance/") and not datasets.is_dataset("a.lancet")


def _full(*_: object, **__: object) -> None:
    raise OSError("No space left on device")


def test_an_empty_dataset_is_success():
    pictures(0)
    assert run("embed", "a.lance", "-o", "b.lance", *FAST) == 0 and read("b.lance") == []


@pytest.mark.parametrize("media", [None, ["blob"], ["image"]])
def test_what_a_dataset_refers_to_is_not_read(media):
    Path("secret.jpg").write_bytes(PICTURE)
    blobs = lance.blob_array([PICTURE, f"file://{os.getcwd()}/secret.jpg"])
    lance.write_dataset(pa.table({"image": [PICTURE] * 2, "blob": blobs}), "a.lance", data_storage_version="2.2",
                        allow_external_blob_outside_bases=True)
    Path("secret.jpg").unlink()  # to open it would be another error
    with pytest.raises(UnsupportedFormat, match="it refers to file://.*secret.jpg"):
        datasets.embed("a.lance", "b.lance", LABELS, media=media)
    assert not Path("b.lance").exists()


def test_what_is_no_dataset_is_an_error(capsys):
    Path("a.lance").write_bytes(b"a file")
    Path("empty.lance").mkdir()
    for name, kind in (("a.lance", InvalidArgument), ("empty.lance", MalformedFile)):
        with pytest.raises(kind, match=name):
            datasets.embed(name, "b.lance", LABELS)
    with pytest.raises(InvalidArgument, match="on disk"):
        datasets.embed("s3://bucket/a.lance", "b.lance", LABELS)
    pictures(1, path="text.lance")
    with pytest.raises(InvalidArgument, match="no column key of bytes, but image, blob, hf"):
        datasets.embed("text.lance", "b.lance", LABELS, media=["key"])
    assert not Path("b.lance").exists()


def test_broken_datasets_raise_nothing_else():
    """Files that are cut off, emptied and changed at random places."""
    pictures(6)
    chance, kept = random.Random(16), 0
    files = sorted(path for path in Path("a.lance").rglob("*") if path.is_file())
    for number in range(40):
        shutil.rmtree("x.lance", ignore_errors=True)
        shutil.copytree("a.lance", "x.lance")
        path = Path("x.lance") / chance.choice(files).relative_to("a.lance")
        data = bytearray(path.read_bytes())
        if number % 4 == 0:
            data = data[:chance.randrange(len(data))]
        else:
            for _ in range(1 + number % 3):
                data[chance.randrange(len(data)) if number % 2 else -1 - chance.randrange(min(64, len(data)))] ^= 1 << (
                    chance.randrange(8))
        path.write_bytes(data)
        try:
            datasets.embed("x.lance", "y.lance", LABELS)
            kept += 1
            shutil.rmtree("y.lance")
        except LabelkitError:
            assert not Path("y.lance").exists()
    assert kept < 40


def test_the_adapter_adds_columns():
    rows = table()
    dataset = lance.write_dataset(rows, "a.lance", max_rows_per_file=10)
    labelkit_lance.label(dataset, "acme", plan=PLAIN, id_column="key", batch_size=4, checkpoint_file="run.db")
    made = dataset.to_table().to_pylist()
    wanted = {row["key"]: row for row in expected(rows)}
    assert len(made) == 24 and dataset.version == 2
    for row in made:
        assert row["labelled"] == wanted[row["key"]]["bytes"] and row["label_id"] == wanted[row["key"]]["label_id"]
        assert (row["error"] is not None) is (row["key"] == f"k{BAD}")
    labelkit_lance.verify(dataset, column="labelled", layers=[lk.Layer.METADATA], require=[lk.Layer.METADATA],
                          prefix="of_labelled_")
    names = {"of_labelled_verdict": "verdict", "of_labelled_meets": "meets", "of_labelled_error": "error", "key": "key"}
    made = dataset.to_table().to_pylist()
    check_verdicts(ordered([{short: row[long] for long, short in names.items()} for row in made]))


def test_the_page_does_what_it_shows():
    command, program = [block for block in blocks(DOCS / "how-to" / "datasets.md")
                        if any("on_lance" in test for test in block.tests)]
    one = [saved(photo(256, 320, row), "JPEG", quality=90) for row in range(2)]
    lance.write_dataset(pa.table({"key": ["a", "b"], "image": pa.array(one, pa.binary())}), "pictures.lance")
    follow(command.text, "how-to/datasets.md")
    exec(program.text, {})
    for path, column in (("labelled.lance", "image"), ("pictures.lance", "labelled")):
        made = lance.dataset(path).to_table()[column].to_pylist()
        assert [lk.verify(data).verdict for data in made] == [lk.Verdict.CONFIRMED] * 2
