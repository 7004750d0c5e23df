# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

import labelkit as lk
from labelkit.errors import InvalidArgument, SigningFailed
from labelkit.label import Kind, Label
from labelkit.provenance import Signer, TrustList, sign, validate
from tests.provenance.certificates import key_pem, make_chain, new_key, self_signed, server


def signs(signer: Signer, root: bytes, data: bytes, claim) -> bool:
    return validate(sign(data, claim, signer), trust=TrustList(root.decode())).evidence.trusted


@pytest.mark.parametrize(("make", "algorithm"), [
    (new_key, "es256"), (lambda: ec.generate_private_key(ec.SECP384R1()), "es384"),
    (lambda: ec.generate_private_key(ec.SECP521R1()), "es512"),
    (lambda: rsa.generate_private_key(65537, 2048), "ps256"), (ed25519.Ed25519PrivateKey.generate, "ed25519")])
def test_algorithm_follows_the_key(make, algorithm, picture, claim):
    key = make()
    leaf, root = make_chain(key)
    signer = Signer.from_pem(leaf + root + key_pem(key))
    assert signer.algorithm == algorithm
    assert signs(signer, root, picture(), claim)


def test_certificates_and_key_may_come_in_any_order_and_in_several_files(picture, claim, tmp_path):
    key = new_key()
    leaf, root = make_chain(key)
    assert signs(Signer.from_pem(key_pem(key) + root + leaf), root, picture(), claim)
    (tmp_path / "chain.pem").write_bytes(leaf + root)
    (tmp_path / "key.pem").write_bytes(key_pem(key))
    assert signs(Signer.load(tmp_path / "chain.pem", tmp_path / "key.pem"), root, picture(), claim)


def test_sec1_and_encrypted_keys_are_converted(picture, claim):
    key = new_key()
    leaf, root = make_chain(key)
    assert b"EC PRIVATE KEY" in key_pem(key, PrivateFormat.TraditionalOpenSSL)
    old = Signer.from_pem(leaf + root + key_pem(key, PrivateFormat.TraditionalOpenSSL))
    assert signs(old, root, picture(), claim)
    sealed = leaf + root + key_pem(key, password=b"open sesame")
    assert signs(Signer.from_pem(sealed, password=b"open sesame"), root, picture(), claim)
    for password in (b"wrong", None):
        with pytest.raises(InvalidArgument, match="key cannot be read"):
            Signer.from_pem(sealed, password=password)


def test_callback_signs_in_place_of_a_key(picture, claim):
    key = new_key()
    leaf, root = make_chain(key)
    signer = Signer.from_callback(lambda message: key.sign(message, ec.ECDSA(hashes.SHA256())), leaf + root)
    assert signs(signer, root, picture(), claim)


def test_callback_that_fails_is_named(picture, claim):
    def unreachable(message: bytes) -> bytes:
        raise ConnectionError("the key service does not answer")

    signer = Signer.from_callback(unreachable, b"".join(make_chain(new_key())))
    with pytest.raises(SigningFailed, match="the key service does not answer"):
        sign(picture(), claim, signer)


def test_callback_of_another_key_is_found_out(picture, claim):
    key = new_key()
    signer = Signer.from_callback(lambda message: key.sign(message, ec.ECDSA(hashes.SHA256())),
                                  b"".join(make_chain(new_key())))
    with pytest.raises(SigningFailed, match="signature"):
        sign(picture(), claim, signer)


@pytest.mark.parametrize(("usage", "lack"), [(None, "extended key usage"),
                                             (ExtendedKeyUsageOID.SERVER_AUTH, "extended key usage")])
def test_certificate_for_something_else_is_refused_with_the_reason(usage, lack):
    key = new_key()
    with pytest.raises(InvalidArgument, match=lack) as caught:
        Signer.from_pem(b"".join(make_chain(key, usage=usage)) + key_pem(key))
    assert "扩展密钥用途" in caught.value.text("zh-CN")
    assert "keygen" in str(caught.value.hint)


def test_self_signed_certificate_is_refused():
    key = new_key()
    with pytest.raises(InvalidArgument, match="issuer other than itself"):
        Signer.from_pem(self_signed(key) + key_pem(key))


def test_key_of_another_certificate_is_refused():
    with pytest.raises(InvalidArgument, match="none of the 2"):
        Signer.from_pem(b"".join(make_chain(new_key())) + key_pem(new_key()))


@pytest.mark.parametrize("days", [(-30, -1), (1, 30)])
def test_certificate_out_of_its_time_cannot_sign(days, picture, claim):
    key = new_key()
    signer = Signer.from_pem(b"".join(make_chain(key, days=days)) + key_pem(key))
    with pytest.raises(SigningFailed, match=f"{signer.not_before:%Y-%m-%d} to {signer.not_after:%Y-%m-%d}"):
        sign(picture(), claim, signer)


@pytest.mark.parametrize("pem", [b"", b"hello", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_not_a_key_is_refused(pem):
    with pytest.raises(InvalidArgument):
        Signer.from_pem(pem + b"".join(make_chain(new_key())))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidArgument, match="signer.pem"):
        Signer.load(tmp_path / "signer.pem")


def test_repr_shows_no_key(signer, keys):
    secret = keys[0].read_text().split("PRIVATE KEY-----")[1].strip().splitlines()[0]
    assert "Acme Imaging" in repr(signer)
    assert secret not in repr(signer) + str(vars(signer).get("_native"))


def test_time_stamp_url_is_checked_and_reached_only_when_given(keys, picture, claim, signer):
    assert not signer.has_time_stamp
    for url in ("ftp://example.org", "example.org", "", "http://a b"):
        with pytest.raises(InvalidArgument, match="ta_url"):
            Signer.load(keys[0], ta_url=url)
    dead = Signer.load(keys[0], ta_url="http://127.0.0.1:9/")
    with pytest.raises(SigningFailed, match="the time-stamping authority http://127.0.0.1:9/ gave no valid") as one:
        sign(picture(), claim, dead)
    assert "without a time-stamp" in str(one.value.hint)
    with server() as (url, asked), pytest.raises(SigningFailed, match=f"{url} gave no valid time-stamp"):
        sign(picture(), claim, Signer.load(keys[0], ta_url=url))
    assert asked == ["/"]


def test_no_message_shows_what_a_time_stamp_url_keeps_secret(keys, picture, claim):
    for url in ("http://user:secret@127.0.0.1:9/tsa?token=secret", "http://secret@127.0.0.1:9", "ftp://user:secret@x/"):
        with pytest.raises((SigningFailed, InvalidArgument)) as failed:
            sign(picture(), claim, Signer.load(keys[0], ta_url=url))
        assert "secret" not in str(failed.value) + failed.value.text("zh-CN") and "://" in str(failed.value)


def test_a_failed_signature_names_the_file(keys, source, tmp_path):
    dead = Signer.load(keys[0], ta_url="http://127.0.0.1:9/")
    with pytest.raises(SigningFailed, match="^picture.jpg: the time-stamping"):
        lk.embed(source, tmp_path / "out.jpg", Label(Kind.GENERATED, "acme", "1"), plan=lk.Plan(provenance=dead))
    assert not (tmp_path / "out.jpg").exists()
