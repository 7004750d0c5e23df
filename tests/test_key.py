# SPDX-License-Identifier: Apache-2.0
"""Files of watermark keys: what is one, and what only looks like one."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509 import load_pem_x509_certificate

from labelkit.errors import InvalidArgument
from labelkit.key import Key
from labelkit.provenance import keygen_watermark
from tests.provenance.certificates import NOW


def test_a_key_file_says_what_it_is(tmp_path):
    key = keygen_watermark(tmp_path / "watermark.key")
    lines = (tmp_path / "watermark.key").read_bytes().split(b"\n")
    assert lines[0] == b"labelkit watermark key 1" and len(bytes.fromhex(lines[1].decode())) == 32
    assert Key.load(tmp_path / "watermark.key") == key == Key(bytes.fromhex(lines[1].decode()))


@pytest.mark.parametrize("raw", [bytes(range(32)), b"0123456789abcdef\n", b"x" * 1024, b"\x30\x82" + bytes(30)])
def test_raw_files_are_keys_as_before(raw, tmp_path):
    (tmp_path / "raw").write_bytes(raw)
    assert Key.load(tmp_path / "raw") == Key(raw)


def test_line_ends_and_case_of_a_key_file_do_not_matter(tmp_path):
    for name, digits in (("a", b"0A" * 16), ("b", b"0a" * 16 + b"\r\n"), ("c", b"0a" * 16 + b"\n\n")):
        (tmp_path / name).write_bytes(b"labelkit watermark key 1\n" + digits)
        assert Key.load(tmp_path / name) == Key(b"\x0a" * 16)


@pytest.mark.parametrize("content", [b"", b"zz" * 16, b"0a0", b"0a" * 15, b"0a" * 1025, "０".encode() * 32])
def test_a_damaged_key_file_is_refused(content, tmp_path):
    (tmp_path / "bad").write_bytes(b"labelkit watermark key 1\n" + content)
    with pytest.raises(InvalidArgument):
        Key.load(tmp_path / "bad")


def test_certificates_and_other_keys_are_never_watermark_keys(tmp_path):
    """Anybody may have a certificate: a mark made with it as a key would be anybody's to read and write."""
    from labelkit.provenance.keygen import make_chain
    chain, anchors = make_chain("Acme", now=NOW, days=9)
    pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    secret = ec.generate_private_key(ec.SECP256R1()).private_bytes(pem, serialization.PrivateFormat.PKCS8,
                                                                  serialization.NoEncryption())
    files = {"anchors.pem": anchors, "signer.pem": chain, "secret.pem": secret, "bom.pem": b"\xef\xbb\xbf" + anchors,
             "public.pem": public.public_bytes(pem, info), "text.pem": b"subject: x\n" + public.public_bytes(pem, info),
             "anchors.der": load_pem_x509_certificate(anchors).public_bytes(der)}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidArgument, match="not a watermark key|a key is 16 to 1024 bytes"):
            Key.load(tmp_path / name)


@pytest.mark.parametrize("name", ["none", "nul\0byte", "."])
def test_a_key_that_cannot_be_read_is_named(name, tmp_path):
    with pytest.raises(InvalidArgument, match="cannot read the key"):
        Key.load(tmp_path / name if name != "nul\0byte" else name)
