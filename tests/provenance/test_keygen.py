# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime
import os
import re
import shutil
import stat
import subprocess
import sys

import pytest

from labelkit.errors import InvalidArgument, OutputFailed
from labelkit.key import Key
from labelkit.provenance import Signer, TrustList, keygen, keygen_watermark, sign, validate
from tests.provenance.certificates import NOW


def test_new_keys_sign_and_are_trusted(keys, picture, claim):
    signer = Signer.load(keys[0])
    assert signer.subject == "Acme Imaging"
    assert signer.not_after - NOW > datetime.timedelta(days=1824)
    assert validate(sign(picture(), claim, signer), trust=TrustList.load(keys[1])).evidence.trusted


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_accepts_the_chain(keys):
    command = ["openssl", "verify", "-purpose", "smimesign", "-CAfile", keys[1], keys[0]]
    assert subprocess.run(command, capture_output=True, timeout=600).returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="no modes on this system")
def test_secrets_are_readable_by_their_owner_only(keys, tmp_path):
    keygen_watermark(tmp_path / "watermark.key")
    assert stat.S_IMODE(keys[0].stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "watermark.key").stat().st_mode) == 0o600


def test_private_key_stands_in_the_signer_file_alone(keys):
    assert b"PRIVATE KEY" in keys[0].read_bytes()
    assert b"PRIVATE KEY" not in keys[1].read_bytes()


@pytest.mark.parametrize("name", ["signer.pem", "anchors.pem"])
def test_nothing_is_overwritten(name, tmp_path):
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(InvalidArgument, match="never overwritten"):
        keygen(tmp_path, "Acme", now=NOW)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"precious"


def test_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OutputFailed, match="nowhere"):
        keygen(tmp_path / "nowhere", "Acme", now=NOW)


@pytest.mark.parametrize("arguments", [{"organisation": ""}, {"organisation": "x" * 65}, {"organisation": "a\nb"},
                                       {"days": 0}, {"days": 7301}, {"days": "9"},
                                       {"now": datetime.datetime(2026, 1, 1)}])
def test_arguments_are_checked(arguments, tmp_path):
    with pytest.raises(InvalidArgument):
        keygen(tmp_path, **{"organisation": "Acme", "now": NOW, **arguments})
    assert not list(tmp_path.iterdir())


def test_watermark_key_is_new_each_time_and_loads(tmp_path):
    first, second = (keygen_watermark(tmp_path / name) for name in ("a.key", "b.key"))
    assert Key.load(tmp_path / "a.key") == first != second
    with pytest.raises(InvalidArgument, match="never overwritten"):
        keygen_watermark(tmp_path / "a.key")


def test_trust_list_holds_certificates_alone(keys, tmp_path):
    with pytest.raises(InvalidArgument, match=rf"^{re.escape(str(keys[0]))}: a trust list holds certificates"):
        TrustList.load(keys[0])
    (tmp_path / "empty.pem").write_bytes(b"nothing")
    with pytest.raises(InvalidArgument, match="empty.pem holds no certificates in PEM form"):
        TrustList.load(tmp_path / "empty.pem")
    with pytest.raises(InvalidArgument, match="object identifiers"):
        TrustList(keys[1].read_text(), purposes=("emailProtection",))


def test_importing_the_room_imports_neither_c2pa_nor_cryptography():
    program = "import sys, labelkit.provenance; print(sorted({'c2pa', 'cryptography'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=600)
    assert result.stdout.strip() == "[]"
