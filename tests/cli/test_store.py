# SPDX-License-Identifier: Apache-2.0
"""Objects as files: on obstore's store in memory, and on a server that speaks S3."""

from __future__ import annotations

import http.server
import io
import json
import os
import shutil
import socket
import sys
import threading
import urllib.request
from pathlib import Path

import obstore
import pytest
from obstore.store import MemoryStore, from_url

import labelkit as lk
from labelkit import store
from labelkit.errors import InvalidArgument
from labelkit.store import s3_list
from tests.cli.conftest import PRODUCER
from tests.films import film
from tests.media import photo, saved
from tests.servers import running


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
    with running([program, "-H", "127.0.0.1", "-p", address.rpartition(":")[2]], address, 600):
        yield address


def picture(seed: int = 1) -> bytes:
    return saved(photo(seed=seed), "JPEG", quality=92)


def there(inside: object, prefix: str = "") -> list[str]:
    return sorted(entry["path"] for page in obstore.list(inside, prefix or None) for entry in page)


def read(inside: object, key: str) -> bytes:
    return bytes(obstore.get(inside, key).bytes())


def test_a_prefix_is_mirrored_under_another(run, bucket):
    for key in ("in/a.jpg", "in/deep er/b%20+é.jpg", "inner/no.jpg"):
        obstore.put(bucket, key, picture(len(key)))
    for key in ("in/notes.log", "in/.hidden.jpg", "in/.cache/c.jpg"):
        obstore.put(bucket, key, b"text")
    obstore.put(bucket, "in/empty.jpg", b"")
    before = read(bucket, "in/a.jpg")
    code, out, err = run("embed", "s3://b/in", "-o", "s3://b/out", *PRODUCER)
    assert code == 0, err
    assert "s3://b/in/a.jpg -> s3://b/out/a.jpg: labelled" in out and "2 labelled, 0 failed, 1 skipped" in err
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
    assert code == 1 and "the format of its source; labelling does not convert files" in err
    assert there(bucket) == ["a.jpg"]


def test_uploads_that_need_no_label_are_copied(run, bucket):
    obstore.put(bucket, "a.jpg", picture())
    code, out, _ = run("propagate", "s3://b/a.jpg", "-o", "s3://b/served/", "--propagator", "platform")
    assert code == 0 and "a copy: no label is required" in out
    assert there(bucket) == ["a.jpg", "served/a.jpg"] and read(bucket, "served/a.jpg") == picture()


def test_objects_that_exist_are_kept_when_asked(run, bucket):
    obstore.put(bucket, "a.jpg", picture())
    obstore.put(bucket, "out/a.jpg", b"precious")
    words = ("embed", "s3://b/a.jpg", "-o", "s3://b/out/", *PRODUCER)
    code, _, err = run(*words, "--no-clobber")
    assert code == 1 and "s3://b/out/a.jpg exists and is kept" in err and read(bucket, "out/a.jpg") == b"precious"
    assert run(*words)[0] == 0 and read(bucket, "out/a.jpg") != b"precious"


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
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert "a temporary file cannot be written" in run("verify", "s3://b/b.jpg")[2]


def test_what_is_done_is_left_alone(run, bucket):
    for seed in range(3):
        obstore.put(bucket, f"in/{seed}.jpg", picture(seed))
    assert run("embed", "s3://b/in", "-o", "s3://b/out", *PRODUCER)[0] == 0
    first = read(bucket, "out/1.jpg")
    obstore.delete(bucket, "out/2.jpg")
    code, out, err = run("embed", "s3://b/in", "-o", "s3://b/out", *PRODUCER, "--resume")
    assert code == 0 and out.count("->") == 1 and "out/2.jpg" in out and "2 already existed" in err
    assert read(bucket, "out/1.jpg") == first
    assert run("embed", "s3://b/in", "-o", "s3://b/out", *PRODUCER)[1].count("->") == 3, "unless it is not asked for"
    assert "--in-place has none" in run("embed", "s3://b/in", "--in-place", "--resume", *PRODUCER)[2]


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
    assert "no file is given" in run("verify")[2]


def test_names_that_stand_for_nothing(run, bucket, monkeypatch):
    assert run("verify", "s3://b/none")[2].startswith("s3://b/none cannot be opened: there is no such object")
    assert "names no bucket" in run("verify", "s3:///a.jpg")[2]
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    store._store.cache_clear()
    code, _, err = run("verify", "s3://b/a.jpg")
    assert code == 2 and 'hint: pip install "aigc-labelkit[store]"' in err


def test_an_s3_server(run, server, monkeypatch):
    for name, value in (("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "us-east-1"),
                        ("AWS_ENDPOINT_URL", server)):
        monkeypatch.setenv(name, value)
    store._store.cache_clear()
    urllib.request.urlopen(urllib.request.Request(f"{server}/pictures", method="PUT"), timeout=600).close()
    stored = from_url("s3://pictures", client_options={"allow_http": True})
    obstore.put(stored, "in/a b.jpg", picture())
    code, out, err = run("embed", "s3://pictures/in/", "-o", "s3://pictures/out/", *PRODUCER)
    assert code == 0 and "s3://pictures/out/a b.jpg: labelled" in out, err
    assert run("verify", "s3://pictures/out", "--require", "metadata,watermark,explicit")[0] == 0
    assert obstore.get(stored, "out/a b.jpg").attributes["Content-Type"] == "image/jpeg"
    assert lk.verify(read(stored, "out/a b.jpg")).verdict is lk.report.Verdict.CONFIRMED
    code, _, err = run("verify", "s3://no-such-bucket/")
    assert code == 2 and err.startswith("s3://no-such-bucket/ cannot be opened: ") and err.count("\n") == 1


def names_that_clients_refuse(server: str, monkeypatch: pytest.MonkeyPatch) -> object:
    """A bucket with two pictures below in/ and names beside them that the client cannot use."""
    for name, value in (("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "us-east-1"),
                        ("AWS_ENDPOINT_URL", server)):
        monkeypatch.setenv(name, value)
    store._store.cache_clear()
    bucket = f"names-{os.urandom(4).hex()}"
    urllib.request.urlopen(urllib.request.Request(f"{server}/{bucket}", method="PUT"), timeout=600).close()
    stored = from_url(f"s3://{bucket}", client_options={"allow_http": True})
    obstore.put(stored, "in/a b+é.jpg", picture())
    obstore.put(stored, "in/x/z.jpg", picture(2))
    for name in ("in/x/../y.jpg", "in//w.jpg", "in/../../v.jpg", "in/./.hidden.jpg"):
        _put_raw(server, f"{bucket}/{name}")
    return bucket, stored


def test_names_that_a_client_refuses_fail_alone(run, server, monkeypatch, tmp_path):
    bucket, stored = names_that_clients_refuse(server, monkeypatch)
    bad = {f"s3://{bucket}/{name}" for name in ("in/x/../y.jpg", "in//w.jpg", "in/../../v.jpg")}
    code, out, err = run("embed", f"s3://{bucket}/in/", "-o", "deep/er/out", *PRODUCER)
    assert code == 1 and "2 labelled, 3 failed" in err, err
    assert {line.partition(" cannot be opened")[0] for line in err.splitlines() if "cannot be opened" in line} == bad
    assert err.count("hint: names of objects must not contain // or ..") == 3
    files = {str(path.relative_to(tmp_path)) for path in Path().resolve().rglob("*.jpg")}
    assert files == {"work/deep/er/out/a b+é.jpg", "work/deep/er/out/x/z.jpg"}, "none leads out of OUT"
    code, out, _ = run("verify", f"s3://{bucket}/in", "--json")
    found = {line["file"]: "error" in line for line in map(json.loads, out.splitlines())}
    assert code == 2 and {name for name, failed in found.items() if failed} == bad and len(found) == 5
    obstore.put(stored, "other/a.jpg", picture())
    assert run("verify", f"s3://{bucket}/other", "--json")[1].count("\n") == 1, "other prefixes are readable"


def test_without_keys_to_sign_with_such_a_prefix_is_refused_by_name(run, server, monkeypatch):
    bucket, _ = names_that_clients_refuse(server, monkeypatch)
    monkeypatch.setattr(s3_list, "can_ask", lambda: False)
    code, _, err = run("verify", f"s3://{bucket}/in/")
    assert code == 2 and "\nhint: names of objects must not contain // or .." in err


def test_many_names_are_asked_for_page_by_page(server, monkeypatch):
    bucket, stored = names_that_clients_refuse(server, monkeypatch)
    asked = []

    def page(bucket: str, query: dict[str, str]):
        asked.append(dict(query))
        return _page(bucket, {**query, "max-keys": "2"})
    _page = s3_list._page
    monkeypatch.setattr(s3_list, "_page", page)
    found = dict(s3_list.names(bucket, "in/"))
    assert sorted(found) == sorted(["in/a b+é.jpg", "in/x/z.jpg", "in/x/../y.jpg", "in//w.jpg", "in/../../v.jpg",
                                    "in/./.hidden.jpg"]) and found["in//w.jpg"] == 1
    assert len(asked) == 3 and dict(s3_list.names(bucket, "none/")) == {}


def test_an_answer_that_is_no_list_is_an_error_of_ours(monkeypatch):
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    monkeypatch.setattr(s3_list, "_asked", lambda _: io.BytesIO(b"<html>"))
    with pytest.raises(InvalidArgument, match="no list of objects"):
        list(s3_list.names("b", "in/"))


def test_a_signature_is_the_one_that_others_make(monkeypatch):
    """botocore signs the same request with the same headers."""
    auth, credentials = pytest.importorskip("botocore.auth"), pytest.importorskip("botocore.credentials")
    request_of = pytest.importorskip("botocore.awsrequest").AWSRequest
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a/secret+key")
    for token in (None, "a token"):
        monkeypatch.setenv("AWS_SESSION_TOKEN", token or "")
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
        ours = s3_list._request("pictures", {"prefix": "a b/é+/", "list-type": "2", "encoding-type": "url"})
        theirs = request_of("GET", ours.full_url)
        signer = auth.S3SigV4Auth(credentials.Credentials("AKIDEXAMPLE", "a/secret+key", token), "s3", "eu-west-1")
        theirs.context["timestamp"] = ours.get_header("X-amz-date")
        theirs.headers["X-Amz-Date"] = ours.get_header("X-amz-date")
        theirs.headers["X-Amz-Content-SHA256"] = s3_list._NO_BODY
        if token:
            theirs.headers["X-Amz-Security-Token"] = token
        signature = signer.signature(signer.string_to_sign(theirs, signer.canonical_request(theirs)), theirs)
        assert ours.get_header("Authorization").endswith(f"Signature={signature}")
        assert ("X-amz-security-token" in ours.headers) == bool(token)


def _put_raw(server: str, path: str) -> None:
    """Put an object under a name that clients would tidy up."""
    with socket.create_connection(("127.0.0.1", int(server.rpartition(":")[2])), timeout=600) as raw:
        head = [f"PUT /{path} HTTP/1.1", "Host: 127.0.0.1", "Content-Length: 1", "Connection: close", "", "x"]
        raw.sendall("\r\n".join(head).encode())
        assert b"200" in raw.recv(100)


@pytest.mark.parametrize(("url", "names"), [
    ("s3://pictures/a.jpg", "AWS_ACCESS_KEY_ID, or AWS_SKIP_SIGNATURE=true"),
    ("gs://pictures/a.jpg", "GOOGLE_APPLICATION_CREDENTIALS, or GOOGLE_SKIP_SIGNATURE=true"),
    ("az://account/pictures/a.jpg", "AZURE_STORAGE_ACCOUNT_KEY, or AZURE_SKIP_SIGNATURE=true")])
def test_without_credentials_nobody_is_asked(url, names, run, monkeypatch, tmp_path):
    """Without any, the client would ask a metadata address of the cloud."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "AZURE_", "IDENTITY_"))]:
        monkeypatch.delenv(name)
    store._store.cache_clear()
    monkeypatch.setattr("obstore.store.from_url", lambda *arguments, **named: pytest.fail("a client was made"))
    code, _, err = run("verify", url)
    assert code == 2 and "the environment has no credentials" in err and f"hint: set {names}" in err


@pytest.mark.parametrize("url", [
    "s3://user:hunter2@pictures/a.jpg", "s3://pictures:8080/a.jpg", "s3://pictures?endpoint=http://127.0.0.1:9/a.jpg",
    "s3://pictures#x/a.jpg", "s3://pic tures/a.jpg", "s3://pic%2ftures/a.jpg", "s3://../a.jpg", "s3://a..b/a.jpg",
    "az://user:hunter2@account/pictures/a.jpg", "gs://pictures@evil.example/a.jpg", "s3://bücher/a.jpg"])
def test_a_url_names_a_bucket_and_nothing_else(url, run, monkeypatch):
    """The client would pass over it: with the credentials of the environment, and another object than it seems."""
    monkeypatch.setattr(store, "_store", lambda root: pytest.fail("a client was made"))
    Path("list").write_text(url + "\n")
    Path("a.jpg").write_bytes(picture())
    for words in (("verify", url), ("verify", "--files-from", "list"),
                  ("embed", "a.jpg", "-o", url, *PRODUCER, "--layers", "metadata", "--explicit-present")):
        code, out, err = run(*words)
        assert code and "the name of a bucket has letters, digits" in err and "hunter2" not in out + err, words
    assert "hint: credentials, endpoint and region come from the environment" in err
    with pytest.raises(InvalidArgument) as raised:
        store.objects(url)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("root", ["s3://pictures-2.example_x", "s3://a", "s3://express--use1-az4--x-s3",
                                  "az://account/$web", "gs://a_b.example.com"])
def test_names_of_buckets_that_stores_allow_are_taken(root):
    assert store._split(f"{root}/a b?c#d@e.jpg") == (root, "a b?c#d@e.jpg")


def test_a_list_of_objects_is_asked_of_nobody_else(server, monkeypatch):
    """A redirection would take the request, and what signs it, to a server that nobody named."""
    asked = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(307)
            self.send_header("Location", f"{server}/b?list-type=2")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    with http.server.HTTPServer(("127.0.0.1", 0), Elsewhere) as redirecting:
        threading.Thread(target=redirecting.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{redirecting.server_port}")
        with pytest.raises(OSError, match="307"):
            list(s3_list.names("b", "in/"))
        redirecting.shutdown()
    assert len(asked) == 1


def test_a_password_in_an_endpoint_is_never_shown(run, monkeypatch):
    for name, value in (("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "us-east-1"),
                        ("AWS_ENDPOINT_URL", "http://user:hunter2@127.0.0.1:9")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(store, "_RETRIES", {"max_retries": 0})
    store._store.cache_clear()
    for json_too in ((), ("--json",)):
        code, out, err = run("verify", "s3://pictures/a.jpg", *json_too)
        assert code == 2 and "hunter2" not in out + err and "127.0.0.1" in out + err
