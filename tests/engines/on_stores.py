# SPDX-License-Identifier: Apache-2.0
"""`labelkit embed|verify s3://...` on SeaweedFS, an object store that speaks S3 over plain HTTP. Run by
`make test-engines`."""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

import labelkit as lk
from tests.batch.test_datasets import members, packed
from tests.engines.on_command_line import FAST, plain_world as plain_world, run
from tests.media import photo, saved
from tests.servers import running

KEYS = {"accessKey": "key", "secretKey": "secret"}
_PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
          "s3.port", "s3.port.grpc")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a server that knows one user."""
    folder = tmp_path_factory.mktemp("weed")
    (folder / "users.json").write_text(json.dumps({"identities": [{
        "name": "user", "credentials": [KEYS], "actions": ["Admin", "Read", "List", "Write"]}]}))
    held = [socket.create_server(("127.0.0.1", 0)) for _ in _PORTS]
    ports = dict(zip(_PORTS, (one.getsockname()[1] for one in held), strict=True))
    for one in held:
        one.close()
    address = f"http://127.0.0.1:{ports['s3.port']}"
    command = [Path(sys.executable).parent / "weed", "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
               "-s3", f"-s3.config={folder / 'users.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0",
               "-s3.autoCreateBucket", "-master.volumeSizeLimitMB=64", "-volume.max=100",
               *(f"-{name}={port}" for name, port in ports.items())]
    with running(command, f"{address}/healthz", 60):
        yield address


@pytest.fixture
def bucket(server, monkeypatch):
    """A bucket, which is created when something is put there, and its name; both are known by the environment alone."""
    for name, value in {"AWS_ACCESS_KEY_ID": KEYS["accessKey"], "AWS_SECRET_ACCESS_KEY": KEYS["secretKey"],
                        "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": server}.items():
        monkeypatch.setenv(name, value)
    name = f"bucket{time.monotonic_ns()}"
    return S3Store(name, client_options={"allow_http": True}, virtual_hosted_style_request=False), name


def there(store: S3Store) -> dict[str, bytes]:
    return {entry["path"]: bytes(obstore.get(store, entry["path"]).bytes())
            for page in obstore.list(store) for entry in page}


@pytest.mark.parametrize("engine", [None, "ray"])
def test_a_prefix_is_labelled_and_verified(bucket, engine):
    store, name = bucket
    for number in range(3):
        obstore.put(store, f"in/d {number}/é{number}.jpg", saved(photo(96, 128, number), "JPEG", quality=90))
    packed(members(3), Path("a.tar"))
    obstore.put(store, "in/a.tar", Path("a.tar"))
    before, words = there(store), ["--engine", engine] if engine else []
    code, _, err = run("embed", f"s3://{name}/in", "-o", f"s3://{name}/out", *FAST, *words)
    assert code == 0, err
    after = there(store)
    assert before.items() <= after.items() and set(after) == {*before, *(
        key.replace("in/", "out/") for key in before)}
    assert obstore.get(store, "out/d 1/é1.jpg").attributes["Content-Type"] == "image/jpeg"
    code, out, err = run("verify", f"s3://{name}/out", "--json", *words)
    assert code == 0 and len(out.splitlines()) == 6, err
    assert {json.loads(line)["verdict"] for line in out.splitlines()} == {"confirmed"}
    assert lk.verify(after["out/d 0/é0.jpg"]).verdict is lk.Verdict.CONFIRMED
    assert lk.verify(before["in/d 0/é0.jpg"]).verdict is lk.Verdict.NONE
    code, _, err = run("embed", f"s3://{name}/in", "-o", f"s3://{name}/out", *FAST, "--resume", *words)
    assert code == 0 and "4 already existed" in err and there(store) == after


def test_a_refusal_is_told_in_our_words_and_writes_nothing(bucket, monkeypatch):
    store, name = bucket
    obstore.put(store, "a.jpg", saved(photo(), "JPEG"))
    code, _, err = run("verify", "s3://bucket0/a.jpg")
    assert code == 2 and ("there is no such bucket" in err or "there is no such object" in err)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    code, _, err = run("embed", f"s3://{name}/a.jpg", "-o", f"s3://{name}/b.jpg", *FAST)
    assert code == 2 and "the store refuses access: 403 Forbidden" in err and "check the keys" in err
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS["secretKey"])
    assert list(there(store)) == ["a.jpg"]
