# SPDX-License-Identifier: Apache-2.0
"""`labelkit serve` as a process of its own, and signed results from key to check."""

from __future__ import annotations

import json
import os
import signal
import socket as socketlib
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

import labelkit as lk
from tests.cli.conftest import write
from tests.media import LABEL


@pytest.fixture
def labelled() -> Path:
    path = write("cat.jpg")
    lk.embed(path, path, LABEL, in_place=True)
    return path


def test_the_service_runs_until_a_signal_and_ends_with_its_processes(run, labelled, tmp_path):
    code, key, err = run("serve", "--api-keys", "keys", "--new-key", "portal", "--scopes", "verify,label")
    assert code == 0 and "shown only now" in err and key.strip() not in Path("keys").read_text()
    socket = tmp_path / "socket"
    process = subprocess.Popen([sys.executable, "-m", "labelkit", "serve", "--socket", socket, "--api-keys", "keys",
                                "--open", "metrics", "--producer", "acme", "--processes", "1"],
                               stderr=subprocess.PIPE, text=True)
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://x", timeout=None,
                      headers={"Authorization": f"Bearer {key.strip()}"}) as client:
        while True:
            assert process.poll() is None
            try:
                if client.get("/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        made = client.post("/v1/label", content=labelled.read_bytes(), params={"replace": "1", "layers": "metadata",
                                                                              "explicit_present": "1"})
        assert lk.verify(made.content).label.content_producer == "acme"
        assert client.post("/v1/verify", content=b"junk").status_code == 415
        assert "labelkit_requests_total" in httpx.Client(
            transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://x").get("/metrics").text
    process.send_signal(signal.SIGTERM)
    err = process.communicate()[1]
    assert process.returncode == 0, err
    assert f"serving at {socket}" in err and "Traceback" not in err
    lines = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert {line["caller"] for line in lines if line["route"] == "label"} == {"portal"}
    assert [line["error"] for line in lines if line["status"] == 415] == ["UnsupportedFormat"]


def test_an_address_in_use_is_never_said_to_be_served():
    with socketlib.create_server(("127.0.0.1", 0)) as taken:
        words = ["serve", "--open", "verify", "--processes", "1", "--port", str(taken.getsockname()[1])]
        done = subprocess.run([sys.executable, "-m", "labelkit", *words], capture_output=True, text=True)
    assert done.returncode == 2 and "address already in use" in done.stderr and "serving at" not in done.stderr


@pytest.mark.parametrize(("words", "told"), [
    ([], "nobody could use the service"), (["--open", "verify,root"], "choose scopes"),
    (["--api-keys", "missing"], "cannot be opened"), (["--open", "verify", "--page", "."], "no index.html"),
    (["--open", "verify", "--tls-key", "key.pem"], "--tls-certificate and --tls-key together"),
    (["--new-key", "x"], "needs --api-keys"),
    (["--open", "label", "--producer", "001191440300708461137T1XGW3"], "provider code"),
    (["--open", "verify", "--port", "70000"], "port"), (["--open", "verify", "--layers", "provenance"], "signer"),
    (["--open", "verify", "--sign-result", "missing"], "cannot be opened")])
def test_what_cannot_be_served_is_said(run, words, told):
    code, out, err = run("serve", *words)
    assert code == 2 and told in err and not out


def test_a_result_is_signed_checked_and_tied_to_its_file(run, labelled):
    assert run("keygen", "keys", "--organisation", "Acme", "--results")[0] == 0
    assert os.stat("keys/result.pem").st_mode & 0o777 == 0o600
    assert "\"d\"" not in Path("keys/result.jwks.json").read_text()
    code, out, _ = run("verify", labelled, "--json", "--sign-result", "keys/result.pem", "--result-url",
                       "https://labels.example/")
    assert code == 0
    Path("results").write_text(out)
    Path("one").write_text(json.loads(out)["signed_result"])
    jwks = ["--jwks", "keys/result.jwks.json"]
    for file in ("results", "one"):
        code, out, _ = run("result", file, *jwks, "--content", labelled)
        assert code == 0 and "that of cat.jpg" in out and "https://labels.example/" in out and "CONFIRMED" in out
    said = run("result", "one", *jwks, "--content", labelled, "--lang", "zh-CN")[1]
    assert "结论        属于人工智能生成合成内容" in said and "，与 " in said
    found = json.loads(run("result", "one", *jwks, "--json")[1])
    assert found["valid"] is True and found["report"]["verdict"] == "confirmed" and found["fits"] is None
    other = write("other.jpg", seed=3)
    code, out, _ = run("result", "one", *jwks, "--content", other)
    assert code == 1 and "NOT that of other.jpg" in out
    Path("forged").write_text(Path("one").read_text()[:-8] + "AAAAAAAA")
    code, out, _ = run("result", "forged", *jwks)
    assert code == 1 and "NOT to be believed" in out and "CONFIRMED" not in out
    Path("none.json").write_text('{"keys": []}')
    assert run("result", "one", "--jwks", "none.json")[0] == 2
    assert json.loads(run("result", "forged", *jwks, "--json")[1])["valid"] is False


def test_results_stand_in_the_text_of_verify_and_no_key_is_overwritten(run, labelled):
    run("keygen", "keys", "--organisation", "Acme", "--results")
    code, out, _ = run("verify", labelled, "--sign-result", "keys/result.pem")
    assert code == 0 and out.splitlines()[-1].strip().startswith("signed      ey")
    assert "signed " not in run("verify", labelled)[1]
    for path in ("signer.pem", "anchors.pem", "watermark.key"):
        Path("keys", path).unlink()
    code, _, err = run("keygen", "keys", "--organisation", "Acme", "--results")
    assert code == 2 and "result.pem exists" in err and not Path("keys/signer.pem").exists()
