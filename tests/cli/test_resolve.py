# SPDX-License-Identifier: Apache-2.0
"""Manifests are kept and given back on the command line: `--keep-manifests`, `verify --resolve`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

import labelkit as lk
from labelkit.log import LabelLog
from tests.cli.conftest import PRODUCER, write
from tests.media import saved
from tests.resolve.test_fetching import answering, page


@pytest.fixture
def bare(run, keys) -> Path:
    """A picture that has lost its metadata and manifest, beside the log that kept them."""
    code, out, err = run("embed", write("cat.jpg"), "-o", "out.jpg", *PRODUCER, "--produce-id", "7", "--log", "log.db",
                         "--keep-manifests", "--signer", keys / "signer.pem")
    assert code == 0, err
    Path("bare.jpg").write_bytes(saved(Image.open(io.BytesIO(Path("out.jpg").read_bytes())).convert("RGB"), "JPEG"))
    return Path("bare.jpg")


def kept() -> tuple[str, bytes]:
    """Name and store of the one manifest in the log."""
    log = LabelLog("log.db")
    (name, _), = log.kept(lk.Payload.of(lk.Label(lk.Kind.GENERATED, "acme", "7")))
    store, _ = log.manifest(name)
    assert store
    return name, store


def test_a_manifest_is_given_back_beside_the_report(run, bare, keys):
    name, store = kept()
    matches = page(json.dumps({"matches": [{"manifestId": name}]}).encode())
    with answering(matches, page(store)) as (port, asked):
        code, out, _ = run("verify", bare, "--trust", keys / "anchors.pem", "--resolve", f"http://127.0.0.1:{port}/v1")
    assert code == 1 and "provenance  absent" in out  # the file itself has none, and lacks its metadata
    row = next(line for line in out.splitlines() if line.strip().startswith("recovered"))
    assert row.split()[1] == "fits" and "can be copied" in row and "trusted" in row
    assert asked[0].startswith("GET /v1/matches/byBinding?alg=org.labelkit.watermark.image.1&value=")
    with answering(matches, page(store)) as (port, _):
        code, out, _ = run("verify", bare, "--json", "--resolve", f"http://127.0.0.1:{port}/v1", "--lang", "zh-CN")
    found = json.loads(out)
    assert found["recovered"]["fits"] == "watermark" and found["layers"]["provenance"]["status"] == "absent"
    assert found["recovered"]["finding"]["label"]["ProduceID"] == "7" and "凭水印" in found["recovered"]["summary"]
    assert found["verdict"] == "suspected"  # as without it


def test_nothing_is_asked_unless_it_is_wanted_and_can_help(run, bare):
    with answering(page(b"{}")) as (port, asked):
        code, out, _ = run("verify", bare, "--json")
        assert "recovered" not in json.loads(out) and not asked
        for file in ("out.jpg", write("plain.jpg", seed=4)):
            code, out, _ = run("verify", file, "--json", "--resolve", f"http://127.0.0.1:{port}")
            assert "recovered" not in json.loads(out) and not asked
        code, out, _ = run("verify", bare, "--json", "--resolve", f"http://127.0.0.1:{port}")
    found = json.loads(out)["recovered"]
    assert len(asked) == 1 and found["fits"] is None and found["finding"] is None


def test_a_resolver_that_fails_fails_no_report(run, bare):
    code, out, _ = run("verify", bare, "--resolve", "http://127.0.0.1:9")
    assert code == 1 and "not used" in out and "gave no answer" in out
    assert run("verify", bare, "--resolve", "ftp://labels.example")[0] == 2


def test_manifests_are_kept_in_a_log(run):
    code, _, err = run("embed", write("cat.jpg"), "-o", "out.jpg", *PRODUCER, "--keep-manifests")
    assert code == 2 and "--keep-manifests needs --log" in err
    for options in (["--keep-manifests"], ["--ask-also", "https://labels.example"]):
        code, _, err = run("serve", "--open", "recover", *options)
        assert code == 2 and "--keep-manifests" in err
