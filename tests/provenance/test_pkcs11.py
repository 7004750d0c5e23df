# SPDX-License-Identifier: Apache-2.0
"""Signers in a token. SoftHSM is the token."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from labelkit.errors import InvalidArgument, SigningFailed
from labelkit.provenance import Signer, TrustList, sign, validate
from labelkit.report import Status
from tests.provenance.certificates import key_pem, make_chain

pkcs11 = pytest.importorskip("pkcs11")
MODULE = next((path for path in ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
                                 "/usr/lib64/softhsm/libsofthsm.so") if Path(path).exists()), None)
pytestmark = pytest.mark.skipif(not MODULE or not shutil.which("softhsm2-util"), reason="SoftHSM is not installed")
PIN = "24680"
KEYS = {"es256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "es384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ps256": lambda: rsa.generate_private_key(65537, 2048),
        "ed25519": ed25519.Ed25519PrivateKey.generate}


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    """A folder with a token "works" that holds a key and its chain by each name of KEYS, and their roots as PEM."""
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    (folder / "pin").write_text(f"{PIN}\n")
    before, os.environ["SOFTHSM2_CONF"] = os.environ.get("SOFTHSM2_CONF"), str(folder / "softhsm2.conf")
    util = ["softhsm2-util", "--module", MODULE]
    subprocess.run([*util, "--init-token", "--free", "--label", "works", "--so-pin", "13579", "--pin", PIN], check=True,
                   capture_output=True)
    for number, (name, make) in enumerate(KEYS.items(), 1):
        key = make()
        (folder / "key.pem").write_bytes(key_pem(key))
        subprocess.run([*util, "--import", str(folder / "key.pem"), "--token", "works", "--label", name, "--id",
                        f"{number:02x}", "--pin", PIN], check=True, capture_output=True)
        leaf, root = make_chain(key)
        (folder / f"{name}.pem").write_bytes(root)
        put(leaf, number)
    bare = folder / "key.pem"
    subprocess.run([*util, "--import", str(bare), "--token", "works", "--label", "bare", "--id", "77", "--pin", PIN],
                   check=True, capture_output=True)
    yield folder
    os.environ.pop("SOFTHSM2_CONF")
    if before is not None:
        os.environ["SOFTHSM2_CONF"] = before


def put(pem: bytes, number: int) -> None:
    certificate = x509.load_pem_x509_certificate(pem)
    library, attribute = pkcs11.lib(MODULE), pkcs11.Attribute
    library.reinitialize()  # other processes wrote
    with library.get_token(token_label="works").open(user_pin=PIN, rw=True) as session:
        session.create_object({
            attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE, attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
            attribute.TOKEN: True, attribute.ID: bytes([number]), attribute.LABEL: "certificate",
            attribute.SUBJECT: certificate.subject.public_bytes(),
            attribute.VALUE: certificate.public_bytes(Encoding.DER)})


def uri(folder: Path, name: str = "es256", more: str = "") -> str:
    return f"pkcs11:token=works;object={name}?module-path={MODULE}&pin-source=file:{folder}/pin{more}"


@pytest.mark.parametrize("name", KEYS)
def test_a_key_in_a_token_signs_what_every_verifier_trusts(name, token, picture, claim):
    signer = Signer.from_pkcs11(uri(token, name))
    assert (signer.algorithm, signer.subject) == (name, "Test Works")
    finding = validate(sign(picture(), claim, signer), trust=TrustList.load(token / f"{name}.pem"))
    assert finding.status is Status.VALID and finding.evidence.trusted
    stranger = validate(sign(picture(), claim, signer), trust=TrustList.load(token / "es256.pem"))
    assert stranger.evidence.trusted is (name == "es256")


def test_the_key_may_be_named_by_id_and_the_rest_by_the_environment(token, monkeypatch, picture, claim):
    monkeypatch.setenv("PKCS11_MODULE", MODULE)
    signer = Signer.from_pkcs11("pkcs11:token=works;id=%02", pin=PIN)
    assert signer.algorithm == "es384"
    assert validate(sign(picture(), claim, signer)).status is Status.VALID


def _signed(signer, data, claim) -> bool:
    return validate(sign(data, claim, signer)).status is Status.VALID


def test_threads_forks_and_pickles_use_the_same_signer(token, picture, claim):
    signer, data = Signer.from_pkcs11(uri(token)), picture()
    assert _signed(signer, data, claim)
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: _signed(signer, data, claim), range(8)))
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(_signed, (signer, data, claim))
    assert _signed(pickle.loads(pickle.dumps(signer)), data, claim)
    assert _signed(signer, data, claim)


@pytest.mark.parametrize("wrong,says", [
    ("pkcs11:token=works;object=es256?pin-value=24680", "PIN"), ("pkcs11:token=works", "names no key"),
    ("pkcs11:object=es256", "module"), ("pkcs11:object=es256?module-path=/nowhere.so", "cannot be used"),
    (f"pkcs11:token=other;object=es256?module-path={MODULE}", "cannot be used"),
    (f"pkcs11:token=works;object=other?module-path={MODULE}", "cannot be used"),
    (f"pkcs11:token=works;object=bare?module-path={MODULE}", "no certificate"),
    (f"pkcs11:token=works;object=es256?module-path={MODULE}&pin-source=file:/nowhere", "/nowhere")])
def test_what_is_missing_is_said(wrong, says, token, monkeypatch):
    monkeypatch.delenv("PKCS11_MODULE", raising=False)
    with pytest.raises(InvalidArgument, match=says):
        Signer.from_pkcs11(wrong, pin=PIN)


def test_a_wrong_pin_is_refused_and_not_shown(token):
    with pytest.raises(InvalidArgument) as caught:
        Signer.from_pkcs11(f"pkcs11:token=works;object=es256?module-path={MODULE}", pin="11111")
    assert "Pin" in str(caught.value) and "11111" not in str(caught.value)


def test_a_token_that_fails_while_signing_says_so(token, picture, claim, monkeypatch):
    signer = Signer.from_pkcs11(uri(token))
    monkeypatch.setattr("labelkit.provenance.pkcs11.Token._key", lambda self: 1 / 0)
    with pytest.raises(SigningFailed, match="ZeroDivisionError"):
        sign(picture(), claim, signer)
