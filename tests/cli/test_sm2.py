# SPDX-License-Identifier: Apache-2.0
"""Labels signed with SM2 on the command line: keys, pins, and what was changed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import labelkit as lk
from labelkit import metadata
from labelkit.metadata import security_data
from tests.cli.conftest import PRODUCER
from tests.cli.test_duties import PLATFORM, write
from tests.media import LABEL


@pytest.fixture
def sm2(run):
    pytest.importorskip("gmalg")
    assert run("keygen", "keys", "--organisation", "Acme", "--sm2")[0] == 0
    return "keys/sm2.pem"


def test_signed_labels_are_told_from_pinned_and_changed_ones(run, sm2):
    write("cat.jpg")
    words = ["--layers", "metadata", "--explicit-present", "--sm2-key", sm2]
    assert run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, *words)[0] == 0
    code, out, _ = run("verify", "out.jpg", "--sm2-pin", "keys/sm2.pub.pem")
    assert code == 0 and "; signed with a pinned key\n" in out
    code, out, _ = run("verify", "out.jpg", "--json")
    states = json.loads(out)["layers"]["metadata"]["evidence"]["signatures"]
    assert {slot: found["state"] for slot, found in states.items()} == {"ReservedCode1": "verified-self",
                                                                        "ReservedCode2": "absent"}
    forged = metadata.read("out.jpg").label.fields() | {"ProduceID": "forged"}
    metadata.write_file("out.jpg", "forged.jpg", lk.Label.from_fields(forged))
    code, out, _ = run("verify", "forged.jpg")
    assert code == 1 and "metadata    INVALID    the signature does not match the label" in out and "SUSPECTED" in out
    code, out, _ = run("propagate", "forged.jpg", "-o", "served.jpg", *PLATFORM)
    assert code == 1 and "in doubt" in out and not Path("served.jpg").exists()
    code, out, _ = run("check", "forged.jpg")
    assert code == 1 and "  FAIL         TC260-PG-202511A: ReservedCode1 is empty or protects the label\n" in out


def test_keygen_writes_nothing_where_it_cannot_make_every_key(run, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "gmalg", None)
        code, out, err = run("keygen", "keys", "--organisation", "Acme", "--sm2")
        assert (code, out) == (2, "") and "gmalg" in err and not Path("keys").exists()
    assert run("keygen", "keys", "--organisation", "Acme", "--sm2")[0] == 0, "a second try is not refused"


def test_the_raw_form_of_a_signature_is_chosen_with_an_option(run, sm2):
    write("cat.jpg")
    assert run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--sm2-key", sm2, "--sm2-form", "raw")[0] == 0
    assert metadata.read("out.jpg").evidence.signatures["ReservedCode1"].form == "raw, hashed once"


def test_a_platform_signs_its_own_fields_and_leaves_the_producers_signature(run, sm2):
    write("cat.jpg", security_data.sign(LABEL, metadata.sm2.Sm2Signer.load(sm2)))
    assert run("propagate", "cat.jpg", "-o", "out.jpg", *PLATFORM, "--sm2-key", sm2)[0] == 0
    states = metadata.read("out.jpg").evidence.signatures
    assert [found.state for found in states.values()] == ["verified-self", "verified-self"]
    label = metadata.read("out.jpg").label
    assert label.reserved_code1 == metadata.read("cat.jpg").label.reserved_code1


def test_keys_are_never_overwritten_and_rubbish_is_refused(run, sm2):
    assert Path(sm2).stat().st_mode & 0o777 == 0o600
    code, _, err = run("keygen", "keys", "--organisation", "Acme", "--sm2")
    assert code == 2 and "never overwritten" in err
    write("cat.jpg")
    code, _, err = run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--sm2-key", "keys/signer.pem")
    assert code == 2 and "holds no unencrypted PKCS#8 SM2 key in PEM form" in err
    code, _, err = run("verify", "cat.jpg", "--sm2-pin", "keys/anchors.pem")
    assert code == 2 and "must hold 1 to 64 SM2 public keys in PEM form" in err
