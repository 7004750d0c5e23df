# SPDX-License-Identifier: Apache-2.0
"""Objects as files: on obstore's store in memory, and on a server that speaks S3."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import obstore
import pytest
from obstore.store import MemoryStore, from_url

import labelkit as lk
from labelkit.cli import store
from tests.cli.conftest import PRODUCER
from tests.films import film
from tests.media import photo, saved


@pytest.fixture
def bucket(monkeypatch):
    """A bucket "b" in memory."""
    inside = MemoryStore()
    monkeypatch.setattr(store, "_store", {"s3://b": inside}.__getitem__)
    return inside


@pytest.fixture(scope="session")
def server():
    """The address of an S3 server; the test is skipped where none is installed."""
    program = shutil.which("moto_server", path=str(Path(sys.executable).parent))
    if not program:
        pytest.skip("moto_server is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    process = subprocess.Popen([program, "-H", "127.0.0.1", "-p", address.rpartition(":")[2]],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        process.kill()


def picture(seed: int = 1) -> bytes:
    return saved(photo(seed=seed), "JPEG", quality=92)


def there(inside: object, prefix: str = "") -> list[str]:
    return sorted(entry["path"] for page in obstore.list(inside, prefix or None) for entry in page)


def read(inside: object, key: str) -> bytes:
    return bytes(obstore.get(inside, key).bytes())


def test_a_prefix_is_mirrored_under_another(run, bucket):
    for key in ("in/a.jpg", "in/deep er/b%20+é.jpg", "inner/no.jpg"):
        obstore.put(bucket, key, picture(len(key)))
    for key in ("in/notes.txt", "in/.hidden.jpg", "in/.cache/c.jpg"):
        obstore.put(bucket, key, b"text")
    obstore.put(bucket, "in/empty.jpg", b"")
    before = read(bucket, "in/a.jpg")
    code, out, err = run("embed", "s3://b/in", "-o", "s3://b/out", *PRODUCER)
    assert code == 0, err
    assert "s3://b/in/a.jpg -> s3://b/out/a.jpg: labelled" in out and "2 labelled, 0 failed, 1 passed over" in err
    assert there(bucket, "out") == ["out/a.jpg", "out/deep er/b%20+é.jpg"]
    assert read(bucket, "in/a.jpg") == before, "the source is never touched"
    assert lk.verify(read(bucket, "out/a.jpg")).verdict is lk.report.Verdict.CONFIRMED
    code, out, err = run("verify", "s3://b/out", "--require", "metadata,watermark,explicit")
    assert code == 0 and out.startswith("s3://b/out/a.jpg: CONFIRMED") and "2 of 2 files meet it" in err
    code, out, err = run("verify", "s3://b/in/a.jpg", "--json")
    assert code == 1 and json.loads(out)["verdict"] == "none", "and unlabelled objects stay unlabelled"


def test_one_object_goes_to_a_file_and_back(run, bucket):
    obstore.put(bucket, "a.jpg", picture())
    assert run("embed", "s3://b/a.jpg", "-o", "here.jpg", *PRODUCER)[0] == 0
    assert run("embed", "here.jpg", "-o", "s3://b/there.jpg", *PRODUCER, "--layers", "metadata",
               "--explicit-present")[0] == 0
    assert obstore.get(bucket, "there.jpg").attributes["Content-Type"] == "image/jpeg"
    assert run("embed", "s3://b/a.jpg", "--in-place", *PRODUCER)[0] == 0
    for command in ("verify", "inspect", "check"):
        assert "Label" in run(command, "s3://b/a.jpg", "--json")[1], command
    code, out, _ = run("propagate", "s3://b/a.jpg", "-o", "s3://b/served/", "--propagator", "platform")
    assert code == 0 and "s3://b/a.jpg -> s3://b/served/a.jpg" in out
    assert lk.verify(read(bucket, "served/a.jpg"))[lk.Layer.METADATA].label.content_propagator == "platform"


def test_nothing_is_put_where_labelling_failed(run, bucket):
    obstore.put(bucket, "a.jpg", picture()[:2000])
    code, out, err = run("embed", "s3://b/a.jpg", "-o", "s3://b/out.jpg", *PRODUCER)
    assert code == 1 and out == "" and err.startswith("s3://b/a.jpg: ")
    code, out, err = run("embed", "s3://b/a.jpg", "-o", "s3://b/out.png", *PRODUCER)
    assert code == 1 and "named as another format" in err
    code, *_ = run("propagate", "s3://b/a.jpg", "-o", "s3://b/served/", "--propagator", "platform")
    assert there(bucket) == ["a.jpg"]


def test_a_manifest_beside_a_film_travels_with_it(run, bucket, keys):
    film(Path("a.mkv"))
    obstore.put(bucket, "a.mkv", Path("a.mkv"))
    signed = ["--layers", "metadata,provenance", "--explicit-present", "--signer", keys / "signer.pem"]
    code, _, err = run("embed", "s3://b/a.mkv", "-o", "s3://b/out/", *PRODUCER, *signed)
    assert code == 0, err
    assert there(bucket) == ["a.mkv", "out/a.mkv", "out/a.mkv.c2pa"]
    checked = ["--trust", keys / "anchors.pem", "--require", "metadata,provenance"]
    assert run("verify", "s3://b/out/a.mkv", *checked)[0] == 0
    obstore.delete(bucket, "out/a.mkv.c2pa")
    assert run("verify", "s3://b/out/a.mkv", *checked)[0] == 1


def test_what_a_store_refuses_is_an_error_in_our_words(run, bucket, monkeypatch, tmp_path):
    film(Path("a.mkv"))
    obstore.put(bucket, "a.mkv", Path("a.mkv"))
    obstore.put(bucket, "b.jpg", picture())
    whole, denied = store._fetch, obstore.exceptions.PermissionDeniedError("no\nmore")

    def refuse(inside, key, path):
        if key.endswith(".c2pa"):
            raise denied
        whole(inside, key, path)
    monkeypatch.setattr(store, "_fetch", refuse)
    assert run("verify", "s3://b/a.mkv")[2].startswith("s3://b/a.mkv.c2pa cannot be opened: no\n")
    assert run("verify", "s3://b/b.jpg")[0] == 1, "a format that holds its manifest is not asked for one beside it"
    monkeypatch.setattr(store.tempfile, "tempdir", str(tmp_path / "gone"))
    assert "a temporary file cannot be written" in run("verify", "s3://b/b.jpg")[2]


def test_what_is_done_is_left_alone(run, bucket):
    for seed in range(3):
        obstore.put(bucket, f"in/{seed}.jpg", picture(seed))
    assert run("embed", "s3://b/in", "-o", "s3://b/out", *PRODUCER)[0] == 0
    first = read(bucket, "out/1.jpg")
    obstore.delete(bucket, "out/2.jpg")
    code, out, err = run("embed", "s3://b/in", "-o", "s3://b/out", *PRODUCER, "--resume")
    assert code == 0 and out.count("->") == 1 and "out/2.jpg" in out and "2 were there already" in err
    assert read(bucket, "out/1.jpg") == first
    assert run("embed", "s3://b/in", "-o", "s3://b/out", *PRODUCER)[1].count("->") == 3, "unless it is not asked for"
    assert "--in-place there is none" in run("embed", "s3://b/in", "--in-place", "--resume", *PRODUCER)[2]


def test_shards_share_the_work_out(run, bucket):
    for seed in range(12):
        obstore.put(bucket, f"in/{seed}.jpg", picture(0))
    shares = [run("verify", "s3://b/in", "--shard", f"{part}/3")[1] for part in (1, 2, 3)]
    seen = [line.split(": ")[0] for share in shares for line in share.splitlines() if line.startswith("s3://")]
    assert len(seen) == 12 and set(seen) == {f"s3://b/in/{seed}.jpg" for seed in range(12)} and all(shares)
    for wrong in ("0/3", "4/3", "3", "a/b"):
        code, _, err = run("verify", "s3://b/in", "--shard", wrong)
        assert code == 2 and "--shard" in err, wrong


def test_a_list_names_the_files(run, bucket):
    obstore.put(bucket, "x/a.jpg", picture(1))
    Path("pics").mkdir()
    Path("pics/a.jpg").write_bytes(picture(2))
    Path("list").write_text("s3://b/x/a.jpg\npics/a.jpg\n\nmissing.jpg\n")
    code, out, err = run("embed", "--files-from", "list", "-o", "out", *PRODUCER)
    assert code == 1 and "missing.jpg cannot be opened" in err and "2 labelled, 1 failed" in err
    assert Path("out/x/a.jpg").is_file() and Path("out/pics/a.jpg").is_file()
    Path("list").write_text("../outside.jpg\n")
    assert "outside the folder of the run" in run("embed", "--files-from", "list", "-o", "out", *PRODUCER)[2]
    assert run("verify", "--files-from", "none")[0] == 2
    assert "no file was named" in run("verify")[2]


def test_names_that_stand_for_nothing(run, bucket, monkeypatch):
    assert run("verify", "s3://b/none")[2].startswith("s3://b/none cannot be opened: there is no such object")
    assert "names no bucket" in run("verify", "s3:///a.jpg")[2]
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    store._store.cache_clear()
    code, _, err = run("verify", "s3://b/a.jpg")
    assert code == 2 and 'hint: pip install "labelkit[store]"' in err


def test_an_s3_server(run, server, monkeypatch):
    for name, value in (("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "us-east-1"),
                        ("AWS_ENDPOINT_URL", server), ("AWS_ALLOW_HTTP", "true")):
        monkeypatch.setenv(name, value)
    store._store.cache_clear()
    urllib.request.urlopen(urllib.request.Request(f"{server}/pictures", method="PUT"), timeout=10).close()
    stored = from_url("s3://pictures")
    obstore.put(stored, "in/a b.jpg", picture())
    code, out, err = run("embed", "s3://pictures/in/", "-o", "s3://pictures/out/", *PRODUCER)
    assert code == 0 and "s3://pictures/out/a b.jpg: labelled" in out, err
    assert run("verify", "s3://pictures/out", "--require", "metadata,watermark,explicit")[0] == 0
    assert obstore.get(stored, "out/a b.jpg").attributes["Content-Type"] == "image/jpeg"
    assert lk.verify(read(stored, "out/a b.jpg")).verdict is lk.report.Verdict.CONFIRMED
    code, _, err = run("verify", "s3://no-such-bucket/")
    assert code == 2 and err.startswith("s3://no-such-bucket/ cannot be opened: ") and err.count("\n") == 1
