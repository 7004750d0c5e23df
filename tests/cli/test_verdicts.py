# SPDX-License-Identifier: Apache-2.0
"""Found and holds, found and does not hold, not there, not looked at: the command line keeps the four apart."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import PRODUCER, write


def cut_off(name: str = "cut.jpg") -> Path:
    """A JPEG that cannot be decoded, so that nobody can look for a watermark or an explicit label in it."""
    path = write(name)
    path.write_bytes(path.read_bytes()[:2000])
    return path


def test_a_file_that_was_not_wholly_looked_at_gets_no_all_clear(run):
    write("plain.jpg")
    cut_off()
    code, out, _ = run("verify", "cut.jpg", "--require", "watermark")
    assert code == 2 and out.startswith("cut.jpg: CANNOT TELL: nothing was found, and explicit, watermark could not be "
                                        "looked at wholly\n")
    assert "no sign" not in out and "watermark could not be checked" in out
    code, out, _ = run("verify", "plain.jpg", "--require", "watermark")
    assert code == 1 and out.startswith("plain.jpg: no sign of AI generation\n") and "not seen" not in out
    found = json.loads(run("verify", "cut.jpg", "--json")[1])
    assert (found["verdict"], len(found["unseen"])) == ("undetermined", 2)


def test_layers_that_were_left_out_are_named_in_the_headline(run):
    write("plain.jpg")
    code, out, _ = run("verify", "plain.jpg", "--layers", "metadata,provenance")
    assert code == 1 and out.startswith("plain.jpg: no sign of AI generation in metadata, provenance, which is all "
                                        "that was looked at\n")
    cut_off()
    assert "CANNOT TELL" not in run("verify", "cut.jpg", "--layers", "metadata")[1], "what was asked for was read"


def test_what_was_not_seen_stands_beside_what_was_found(run):
    write("plain.jpg")
    assert run("embed", "plain.jpg", "-o", "out.jpg", *PRODUCER, "--layers", "metadata", "--explicit-present")[0] == 0
    data = Path("out.jpg").read_bytes()
    Path("half.jpg").write_bytes(data[:-600])
    code, out, _ = run("verify", "half.jpg")
    assert code == 0 and out.startswith("half.jpg: CONFIRMED AI-generated\n") and "  not seen    watermark" in out
    assert "not seen" not in run("verify", "out.jpg")[1]


def test_propagate_says_that_it_could_not_look(run):
    cut_off("in/cut.jpg")
    write("in/plain.jpg")
    code, out, err = run("propagate", "in", "-o", "out", "--propagator", "platform")
    assert code == 2 and "nothing: not all of the file could be looked at" in out
    assert err.splitlines()[-1].startswith("0 labelled, 1 need no label, 0 in doubt, 1 not wholly looked at, 0 failed")
    code, out, err = run("propagate", "in", "-o", "out", "--propagator", "platform", "--layers", "metadata,provenance")
    assert code == 0 and "0 not wholly looked at" in err and "which is all that was looked at" in out


def test_check_leaves_open_what_could_not_be_looked_at(run):
    cut_off()
    write("plain.jpg")
    rules = {name: {rule["rule"]: rule["outcome"] for rule in
                    json.loads(run("check", name, "--profile", "california", "--json")[1])["rules"]}
             for name in ("cut.jpg", "plain.jpg")}
    assert (rules["cut.jpg"]["detectable"], rules["plain.jpg"]["detectable"]) == ("cannot tell", "fail")


def test_who_vouches_for_a_signer_decides_whether_provenance_is_verified(run):
    write("cat.jpg")
    for folder in ("ours", "theirs"):
        assert run("keygen", folder, "--organisation", folder)[0] == 0
    assert run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--signer", "ours/signer.pem")[0] == 0

    def verified(*trust: str) -> tuple[int, str]:
        code, out, _ = run("verify", "out.jpg", "--require", "provenance", *trust)
        return code, out
    assert verified("--trust", "ours/anchors.pem")[0] == 0
    for stranger in (("--trust", "theirs/anchors.pem"), ("--trust", "c2pa"), ()):
        code, out = verified(*stranger)
        assert code == 1 and "root not in the trust list" in out
    code, out = verified("--trust", "none")
    assert code == 2 and "no trust list given to judge the root by" in out
    found = json.loads(run("verify", "out.jpg", "--require", "provenance", "--trust", "none", "--json")[1])
    assert found["shortcomings"] == ["provenance valid, but nobody vouches for its signer: there is no trust list"]


def test_trust_lists_are_shown_replaced_and_taken_back(run):
    write("cat.jpg")
    assert run("keygen", "keys", "--organisation", "Acme Imaging")[0] == 0
    assert run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--signer", "keys/signer.pem")[0] == 0
    code, out, _ = run("trust", "show")
    assert code == 0 and out.startswith("C2PA 2026-08-05: shipped with labelkit\n") and "Google C2PA Root CA G3" in out
    assert run("verify", "out.jpg", "--require", "provenance")[0] == 1
    code, out, _ = run("trust", "update", "keys/anchors.pem")
    assert code == 0 and "replaced by the user: anchors.pem" in out and "Google C2PA Mobile" not in out
    assert run("verify", "out.jpg", "--require", "provenance")[0] == 0
    assert "signed by Acme Imaging, trusted" in run("inspect", "out.jpg")[1]
    assert json.loads(run("trust", "show", "--json")[1])["shipped"] is False
    assert run("trust", "reset")[1].startswith("C2PA 2026-08-05: shipped")
    assert run("verify", "out.jpg", "--require", "provenance")[0] == 1
    assert run("trust", "update", "cat.jpg")[0] == run("trust", "update")[0] == run("trust", "show", "keys")[0] == 2


def test_a_settings_file_can_name_the_c2pas_list_or_none(run):
    write("cat.jpg")
    for word, code in (("c2pa", 1), ("none", 1)):
        Path("labelkit.toml").write_text(f'trust = "{word}"\n')
        assert run("verify", "cat.jpg")[0] == code
