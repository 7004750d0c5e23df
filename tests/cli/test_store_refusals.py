# SPDX-License-Identifier: Apache-2.0
"""What a store refuses, in our words: on a server that answers as S3 does where keys, names or the region are wrong."""

from __future__ import annotations

import datetime
import http.server
import threading
from pathlib import Path

import pytest

from labelkit import store
from labelkit.store import refusals
from tests.cli.conftest import PRODUCER
from tests.media import photo, saved


class _Refusing(http.server.BaseHTTPRequestHandler):
    """A store that answers what the name of the bucket says: b403 with 403."""

    def do_GET(self) -> None:
        body = b"<?xml version='1.0'?>\n<Error><Code>InvalidAccessKeyId</Code></Error>"
        self.send_response(int(self.path[2:5]))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.command == "GET" else b"")

    do_HEAD = do_PUT = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def refusing(monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    for name, value in (("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "us-east-1"),
                        ("AWS_ENDPOINT_URL", endpoint)):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(store, "_RETRIES", {"max_retries": 0, "retry_timeout": datetime.timedelta(seconds=2)})
    store._store.cache_clear()
    yield endpoint
    server.shutdown()
    server.server_close()
    store._store.cache_clear()


@pytest.mark.parametrize("name, problem, hint", [
    ("b403/in/", "the store refuses access: 403 Forbidden, InvalidAccessKeyId", refusals.KEYS),
    ("b401/in/", "the store refuses access: 401 Unauthorized, InvalidAccessKeyId", refusals.KEYS),
    ("b403/a.jpg", "the store refuses access: 403 Forbidden", refusals.KEYS),
    ("b404/", "there is no such bucket", None),
    ("b500/", "the store answers 500 Internal Server Error, InvalidAccessKeyId", None),
    ("b301/", "the bucket is in another region", refusals.REGION),
])
def test_a_refusal_is_told_in_our_words(name, problem, hint, run, refusing):
    code, out, err = run("verify", f"s3://{name}")
    lines = [f"s3://{name} cannot be opened: {problem}"] + [f"hint: {hint}"] * bool(hint)
    assert (code, out, err.splitlines()) == (2, "", lines)


def test_an_upload_that_is_refused_is_told_too(run, refusing):
    Path("a.jpg").write_bytes(saved(photo(96, 128), "JPEG"))
    plain = ["--layers", "metadata", "--explicit-present"]  # a picture so small does not bear every number
    code, _, err = run("embed", "a.jpg", "-o", "s3://b500/a.jpg", *PRODUCER, *plain)
    assert code == 1 and "s3://b500/a.jpg cannot be written: " in err and "Debug source" not in err


@pytest.mark.parametrize("endpoint, problem", [
    ("127.0.0.1:9000", "AWS_ENDPOINT_URL is no URL: it begins with neither http:// nor https://"),
    ("https://127.0.0.1:1", "s3://b/in/ cannot be opened: no store answers at https://127.0.0.1:1"),
])
def test_an_endpoint_that_is_wrong_is_an_error(endpoint, problem, run, refusing, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    code, out, err = run("verify", "s3://b/in/")
    assert (code, out, err.splitlines()[0]) == (2, "", problem) and len(err.splitlines()) == 2
