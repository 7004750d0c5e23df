# SPDX-License-Identifier: Apache-2.0
"""Datasets on the command line: shards in and out, journals, and what failed labelled again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import obstore
import pytest

from labelkit import metadata
from labelkit.batch import Labels, datasets
from labelkit.cli import processes
from labelkit.errors import InvalidArgument
from tests.batch.test_datasets import members, packed, rows, unpacked
from tests.cli.conftest import PRODUCER, write
from tests.cli.test_store import bucket as bucket
from tests.media import photo, saved

FAST = [*PRODUCER, "--layers", "metadata", "--explicit-present"]
BAD = ("9999.jpg", b"no picture")


def test_a_folder_of_shards_is_mirrored(run):
    packed(members(3), Path("in/a.tar"))
    packed(members(1, "x/"), Path("in/sub/b.tar.gz"))
    rows([("k", members(1)[0][1])], Path("in/c.parquet"))
    packed([], Path("in/empty.tar"))
    write("in/d.jpg")
    before = {path: path.read_bytes() for path in Path("in").rglob("*.*")}
    code, out, err = run("embed", "in", "-o", "out", *FAST)
    assert code == 0, err
    assert err.splitlines()[-1] == "6 labelled, 0 failed, 0 skipped as not media"
    assert sorted(str(path) for path in Path("out").rglob("*.*")) == [
        "out/a.tar", "out/c.parquet", "out/d.jpg", "out/empty.tar", "out/sub/b.tar.gz"]
    assert "in/a.tar::0001.jpg -> out/a.tar: labelled, id " in out
    after = unpacked(Path("out/a.tar"))
    assert list(after) == list(unpacked(Path("in/a.tar"))) and metadata.read(after["0002.jpg"]).label
    code, out, err = run("verify", "out", "--json", "--effort", "fast")
    assert code == 0 and len(out.splitlines()) == 6
    assert {path: path.read_bytes() for path in Path("in").rglob("*.*")} == before, "the source is as it was"
    code, out, _ = run("check", "out/a.tar", "--profile", "eu", "--effort", "fast")
    assert code in (0, 1, 2) and out.count("out/a.tar::") == 3


def test_a_run_that_is_repeated_gives_the_same_bytes_in_processes_and_on_threads(run, monkeypatch):
    packed(members(12), Path("a.tar"))
    assert run("embed", "a.tar", "-o", "b.tar", *FAST)[0] == 0
    monkeypatch.setattr(processes, "are_possible", lambda: False)
    assert run("embed", "a.tar", "-o", "c.tar", *FAST)[0] == 0
    assert Path("b.tar").read_bytes() == Path("c.tar").read_bytes()


def test_rows_are_worked_on_in_processes_too():
    """They are forked before Arrow is loaded, which starts threads: in a process of its own, where it is not yet."""
    packed(members(2), Path("in/c.tar"))
    rows([(str(number), data) for number, (_, data) in enumerate(members(12)[::3])], Path("in/a.parquet"))
    rows([("k", b"bad"), ("l", members(1)[0][1])], Path("in/b.parquet"))
    words = ["embed", "in", "-o", "out", *FAST, "-q", "--media", "jpg,image"]
    program = ("import os; from labelkit import threads; from labelkit.cli import embed, main\n"
               "threads.cores = lambda: 2\n"
               "was = embed._Labeller.label_medium\n"
               "embed._Labeller.label_medium = lambda self, medium: (os.write(1, b'at %d\\n' % os.getpid()), "
               "was(self, medium))[1]\n"  # at once: two processes write
               "os.write(1, b'here %d\\n' % os.getpid())\n"
               f"main.main({words})")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})  # which starts threads too
    places = {line for line in done.stdout.splitlines() if line.startswith("at ")}
    here = next(line for line in done.stdout.splitlines() if line.startswith("here ")).replace("here", "at")
    assert len(places) == 2 and here not in places, done.stderr


def test_every_layer_of_a_sample(run):
    packed([("a.jpg", saved(photo(), "JPEG", quality=92)), ("a.txt", b"words")], Path("a.tar"))
    code, out, _ = run("embed", "a.tar", "-o", "b.tar", *PRODUCER)
    assert code == 0 and ", watermark " in out
    assert run("verify", "b.tar", "--require", "explicit,watermark,metadata")[0] == 0
    assert run("verify", "b.tar", "--require", "provenance")[0] == 1


def test_an_empty_shard_is_success(run):
    packed([], Path("a.tar"))
    assert run("embed", "a.tar", "-o", "b.tar", *FAST)[0] == 0 and Path("b.tar").exists()
    assert run("verify", "b.tar")[0] == 0 and run("check", "b.tar")[0] == 0
    assert run("propagate", "a.tar", "-o", "c.tar", "--propagator", "them")[0] == 0


def test_what_failed_is_labelled_again_and_nothing_else(run):
    source = packed([*members(3), BAD, *members(1, "z")], Path("in/a.tar"))
    packed(members(1), Path("in/b.tar"))
    write("in/c.jpg")
    Path("in/d.jpg").write_bytes(b"broken")
    code, _, err = run("embed", "in", "-o", "out", *FAST, "--journal", "run.jsonl")
    assert code == 1 and "in/a.tar::9999.jpg: " in err and "9999.jpg" not in unpacked(Path("out/a.tar"))
    entries = [json.loads(line) for line in Path("run.jsonl").read_text().splitlines()]
    assert len(entries) == 8 and [one["file"] for one in entries if "error" in one] == [
        "in/d.jpg", "in/a.tar::9999.jpg"]
    packed([*members(3), ("9999.jpg", members(1)[0][1]), *members(1, "z")], source)
    Path("in/d.jpg").write_bytes(saved(photo(96, 128, 3), "JPEG"))
    before = {path: path.stat().st_mtime_ns for path in Path("out").iterdir()}
    with open("run.jsonl", "a") as journal:
        journal.write('{"file": "in/c.j')  # the run was killed
    code, out, err = run("embed", "in", "-o", "out", *FAST, "--retry-failed", "run.jsonl", "--journal", "again.jsonl")
    assert code == 0, err
    assert [line.partition(" -> ")[0] for line in out.splitlines()] == ["in/d.jpg", "in/a.tar::9999.jpg"]
    assert {path for path in before if path.stat().st_mtime_ns != before[path]} == {Path("out/a.tar")}
    assert run("embed", "in/a.tar", "-o", "whole.tar", *FAST)[0] == 0
    assert Path("whole.tar").read_bytes() == Path("out/a.tar").read_bytes(), "as if nothing had failed"
    assert run("embed", "in", "-o", "out", *FAST, "--retry-failed", "again.jsonl")[1] == ""


def test_a_wrong_journal_is_refused(run):
    write("a.jpg")
    Path("j").write_text("[1]\n{}\n")
    for words in (["--retry-failed", "none"], ["--retry-failed", "j"], ["--retry-failed", "j", "--resume"],
                  ["--journal", "no/such/folder"]):
        code, _, err = run("embed", "a.jpg", "-o", "out/", *FAST, *words)
        assert code == 2 and err and not Path("out").exists()


def test_a_truncated_shard_is_a_failure_of_its_own(run):
    source = packed(members(3), Path("in/a.tar"))
    packed(members(1), Path("in/b.tar"))
    source.write_bytes(source.read_bytes()[:source.stat().st_size // 2])
    code, _, err = run("embed", "in", "-o", "out", *FAST, "--journal", "run.jsonl")
    assert code == 1 and "in/a.tar: the shard ends at byte" in err and "nothing was written" in err
    assert [path.name for path in Path("out").iterdir()] == ["b.tar"]
    assert run("embed", "in", "-o", "out", *FAST, "--keep-truncated", "--no-clobber")[0] == 1
    assert 0 < len(unpacked(Path("out/a.tar"))) < 9
    packed(members(3), source)
    code, _, err = run("embed", "in", "-o", "out", *FAST, "--retry-failed", "run.jsonl")
    assert code == 0 and len(unpacked(Path("out/a.tar"))) == 9, err
    assert run("verify", "in/a.tar")[0] == 1


def test_options_of_runs_hold_for_shards(run):
    packed(members(2), Path("in/a.tar"))
    assert run("embed", "in", "-o", "out", *FAST, "--dry-run")[1] == "in/a.tar -> out/a.tar\n"
    assert run("embed", "in", "-o", "out", *FAST)[0] == 0
    before = Path("out/a.tar").stat().st_mtime_ns
    code, out, err = run("embed", "in", "-o", "out", *FAST, "--resume")
    assert (code, out) == (0, "") and "1 already existed" in err
    code, _, err = run("embed", "in", "-o", "out", *FAST, "--no-clobber")
    assert code == 1 and "exists and is kept" in err and Path("out/a.tar").stat().st_mtime_ns == before
    assert run("embed", "in/a.tar", "-o", "a.tar", *FAST, "--produce-id", "1")[0] == 2
    assert run("embed", "in/a.tar", "-o", "a.parquet", *FAST)[0] == 1 and not Path("a.parquet").exists()
    code, _, err = run("embed", "in/a.tar", "-o", "b.tar", *FAST, "--media", "png")
    assert code == 0 and err.startswith("0 labelled"), "nothing is named as asked"
    assert Path("b.tar").read_bytes() == Path("in/a.tar").read_bytes()


def test_a_shard_is_replaced_only_in_place(run):
    source = packed(members(1), Path("in/a.tar"))
    before = source.read_bytes()
    Path("link.tar").symlink_to(source)
    for words in (["embed", "in/a.tar", "-o", "in/a.tar", *FAST], ["embed", "in/a.tar", "-o", "in", *FAST],
                  ["embed", "link.tar", "-o", "in/a.tar", *FAST],
                  ["propagate", "in/a.tar", "-o", "in/a.tar", "--propagator", "them"]):
        code, out, err = run(*words)
        assert code == 1 and not out and "source and target are the same file" in err
        assert source.read_bytes() == before
    with pytest.raises(InvalidArgument, match="the same file"):
        datasets.embed(source, source, Labels("acme"))
    assert run("embed", "in/a.tar", "-o", "out/", *FAST)[0] == 0
    whole = Path("out/a.tar").read_bytes()
    assert run("embed", "in/a.tar", "--in-place", *FAST)[0] == 0 and Path("in/a.tar").read_bytes() == whole


def test_uploads_in_a_shard_are_propagated(run):
    packed(members(1), Path("a.tar"))
    run("embed", "a.tar", "-o", "labelled.tar", *FAST)
    labelled = unpacked(Path("labelled.tar"))["0000.jpg"]
    packed([("a.jpg", labelled), ("a.txt", b"x"), ("b.jpg", members(2)[3][1]), BAD], Path("up.tar"))
    code, out, err = run("propagate", "up.tar", "-o", "out.tar", "--propagator", "them")
    assert code == 1 and "up.tar::a.jpg -> out.tar: CONFIRMED" in out and "9999.jpg" in err
    after = unpacked(Path("out.tar"))
    assert list(after) == ["a.jpg", "a.txt", "b.jpg"] and after["b.jpg"] == members(2)[3][1]
    label = metadata.read(after["a.jpg"]).label
    assert (label.content_producer, label.content_propagator) == ("acme", "them")


@pytest.mark.parametrize("name", ["a.tar", "a.parquet"])
def test_shards_in_a_store(run, bucket, name):
    make = packed if name.endswith("tar") else rows
    source = make(members(1)[:1] * 2, Path(name))
    obstore.put(bucket, f"in/{name}", source)
    code, _, err = run("embed", "s3://b/in", "-o", "s3://b/out", *FAST)
    assert code == 0, err
    assert run("embed", name, "-o", f"local-{name}", *FAST)[0] == 0
    assert bytes(obstore.get(bucket, f"out/{name}").bytes()) == Path(f"local-{name}").read_bytes()
    assert run("verify", f"s3://b/out/{name}")[0] == 0
    obstore.put(bucket, "cut/a.tar", packed(members(3), Path("whole.tar")).read_bytes()[:5000])
    assert run("embed", "s3://b/cut/a.tar", "-o", "s3://b/out/cut.tar", *FAST)[0] == 1
    assert "out/cut.tar" not in [entry["path"] for page in obstore.list(bucket) for entry in page]


def test_a_reader_that_ends_leaves_nothing(run, monkeypatch):
    """Whatever ends a run, no half of a shard is there."""
    packed(members(3), Path("a.tar"))

    def stopped(*_: object, **__: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("labelkit.pipeline.embed", stopped)
    monkeypatch.setattr(processes, "are_possible", lambda: False)
    assert run("embed", "a.tar", "-o", "b.tar", *FAST)[0] == 130
    assert os.listdir() == ["a.tar"]
