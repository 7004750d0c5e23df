# SPDX-License-Identifier: Apache-2.0
"""The server itself: https, and whose word counts about addresses."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import sys

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from labelkit import isolation, service
from tests.service.conftest import serving


@pytest.fixture
def app(monkeypatch):
    """A service without processes; /v1/verify answers who asks."""
    monkeypatch.setattr(isolation, "_WORKER", [sys.executable, "-c", "pass"])
    app = service.Service(service.Settings(limits=service.Limits(processes=1)), service.Access(None, ["verify"]))
    callers = []
    enter = app.gate.enter
    monkeypatch.setattr(app.gate, "enter", lambda caller: callers.append(caller) or enter(caller))
    app.verbs.of["verify"] = lambda upload, asked: service.verbs.Answer({"callers": callers})
    return app


@pytest.fixture
def certificate(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .sign(key, hashes.SHA256()))
    (tmp_path / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")


def test_https_with_a_certificate(app, certificate):
    with serving(app, ready=False, certificate=certificate[0], key=certificate[1]) as url:
        secure = url.replace("http:", "https:")
        assert httpx.get(f"{secure}/healthz", verify=ssl.create_default_context(cafile=certificate[0])).text == "ok\n"
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{secure}/healthz")  # by the roots of the machine
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{url}/healthz")


@pytest.mark.parametrize(("proxy", "seen"), [(None, "127.0.0.1"), ("127.0.0.1", "192.0.2.9"),
                                             ("192.0.2.1", "127.0.0.1")])
def test_addresses_are_believed_of_the_proxy_alone(app, proxy, seen):
    with serving(app, ready=False, proxy=proxy) as url:
        said = httpx.post(f"{url}/v1/verify", content=b"x", headers={"X-Forwarded-For": "192.0.2.9"}).json()
    assert said["callers"] == [seen]
