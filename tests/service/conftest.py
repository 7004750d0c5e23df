# SPDX-License-Identifier: Apache-2.0
"""A service on the loopback, with a key for everything and one that may only verify."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
import redis

import labelkit as lk
from labelkit import results, service
from labelkit.log import LabelLog
from labelkit.resolve import Fetcher, Guard
from tests.media import LABEL, photo, saved
from tests.service.redis_server import redis_server

PATIENT = {"work_seconds": 600.0, "wait_seconds": 600.0, "receive_seconds": 600.0, "send_seconds": 600.0}


@dataclass(frozen=True)
class Served:
    """A running service, a client, and keys by name as headers."""

    service: service.Service
    client: httpx.Client
    keys: dict[str, dict[str, str]]
    url: str

    def post(self, path: str, key: str = "all", **more: object) -> httpx.Response:
        return self.client.post(path, headers={**self.keys.get(key, {}), **more.pop("headers", {})}, **more)


@contextmanager
def serving(app: service.Service, *, ready: bool = True, **options: str | None) -> Iterator[str]:
    """The address of the service, which runs in a thread."""
    server = service.http_server(app, host="127.0.0.1", port=0, **options)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not (server.started and (app.is_ready or not ready)):
        assert thread.is_alive()
        time.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def redis_address() -> Iterator[str]:
    """That of a Redis server of our own."""
    if not shutil.which("redis-server"):
        pytest.skip("no Redis server is installed")
    with redis_server() as address:
        yield address


@pytest.fixture
def empty_redis(redis_address: str) -> str:
    """The address of a database of that server in which nothing is."""
    with redis.Redis.from_url(redis_address) as client:
        client.flushall()
    return redis_address


@pytest.fixture(scope="session")
def result_keys() -> tuple[bytes, dict[str, object]]:
    return results.keygen()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, signer: lk.Signer, anchors: lk.TrustList,
           result_keys: tuple[bytes, dict[str, object]]) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("service")
    path, page = folder / "keys", folder / "page"
    page.mkdir()
    (page / "index.html").write_text("<title>Verify AI labels</title>")
    keys = {name: {"Authorization": f"Bearer {service.add_key(path, name, scopes, 'now')}"}
            for name, scopes in (("all", ["label", "verify", "recover", "metrics"]), ("reader", ["verify"]))}
    settings = service.Settings(
        plan=lk.Plan(provenance=signer), checks={"trust": anchors}, producer=LABEL.content_producer,
        log=LabelLog(folder / "labels.db"), manifests=True,
        references=Fetcher(Guard(["127.0.0.1"], is_private=True), most=1 << 20),
        propagator="platform", ocr_in_check=False, jobs=str(folder / "jobs"),
        results=results.ResultSigner(result_keys[0], url="https://labels.example/"),
        limits=service.Limits(processes=1, body_bytes=1 << 20, media_seconds=60, **PATIENT))
    app = service.Service(settings, service.Access(path), page=page)
    with serving(app) as url, httpx.Client(base_url=url, timeout=None) as client:
        yield Served(app, client, keys, url)


@pytest.fixture(scope="session")
def plain() -> bytes:
    """A JPEG without a label."""
    return saved(photo(), "JPEG", quality=92)


@pytest.fixture(scope="session")
def labelled(plain: bytes) -> bytes:
    return lk.embed(plain, label=LABEL)
