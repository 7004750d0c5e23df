# SPDX-License-Identifier: Apache-2.0
"""C2PA's trust lists ship, can be replaced, and are used unless another list is given."""

from __future__ import annotations

import base64
import json
import ssl
from pathlib import Path

import pytest
from cryptography import x509

import labelkit as lk
from labelkit.errors import InvalidArgument
from labelkit.provenance import TrustList, official, validate
from tests.provenance.others import created, signed_by


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path) -> Path:
    """A configuration folder of the user's."""
    monkeypatch.setenv("APPDATA" if official.os.name == "nt" else "XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "labelkit" / "c2pa-trust.json"


def listed(*anchors: Path, scheme: str = "C2PA Trust List", status: str = "trusted") -> str:
    """A list as the C2PA publishes it."""
    services = [{"ServiceInformation": {
        "ServiceStatus": f"http://c2pa.org/conformance/trust-list/{status}", "ServiceDigitalIdentity": {
            "X509Certificates": [{"val": base64.b64encode(ssl.PEM_cert_to_DER_cert(path.read_text())).decode()}]}}}
        for path in anchors]
    return json.dumps({"LoTE": {"ListAndSchemeInformation": {
        "SchemeName": [{"lang": "en", "value": scheme}], "ListIssueDateTime": "2027-01-02T03:04:05Z",
        "NextUpdate": "2028-01-02T03:04:05Z"}, "TrustedEntitiesList": [{"TrustedEntityServices": services}]}})


def test_the_shipped_lists_are_whole_and_dated():
    found = official.shipped()
    assert (found.shipped, found.issued, found.name) == (True, "2026-08-05", "C2PA 2026-08-05")
    assert "CC-BY-4.0" in found.licence and "conformance-public" in found.source
    signers, stamps = official.names(found.signers), official.names(found.time_stamps)
    assert (len(signers), len(stamps)) == (30, 22) and "Google C2PA Root CA G3" in [name for name, _ in signers]
    roots = x509.load_pem_x509_certificates(found.signers.encode())
    assert all(root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca for root in roots)
    notice = (Path(official.__file__).parent / "c2pa_trust" / "NOTICE.txt").read_text()
    assert "Creative Commons Attribution 4.0" in notice and found.issued in notice


def test_verify_judges_by_the_c2pas_list_unless_another_is_given(picture, signer, trust):
    signed = signed_by(signer, picture(), [created("trainedAlgorithmicMedia")])
    for given, name, trusted in ((None, "C2PA 2026-08-05", False), (TrustList.c2pa(), "C2PA 2026-08-05", False),
                                 (TrustList.none(), None, False), (trust, "anchors.pem", True)):
        report = lk.verify(signed, trust=given, layers=[lk.Layer.PROVENANCE])
        assert (report.manifest.trust_list, report.manifest.trusted) == (name, trusted)
        assert report.verdict is (lk.Verdict.CONFIRMED if trusted else lk.Verdict.SUSPECTED)
        assert bool(report.unanswered(lk.Layer.PROVENANCE)) is (given == TrustList.none())
    assert "no trust list given" in str(validate(signed).summary)


@pytest.mark.parametrize("form", ["json", "pem"])
def test_a_list_of_the_users_takes_the_place_of_the_shipped_one(form, picture, signer, keys, tmp_path, own_folder):
    signed = signed_by(signer, picture(), [created("trainedAlgorithmicMedia")])
    given = tmp_path / f"list.{form}"
    given.write_text(listed(keys[1]) if form == "json" else keys[1].read_text())
    made = official.replace(given, today="2027-02-03")
    assert (made.shipped, made.issued) == (False, "2027-01-02" if form == "json" else "")
    assert made.name == ("C2PA 2027-01-02" if form == "json" else "C2PA, replaced 2027-02-03")
    assert made.time_stamps == official.shipped().time_stamps, "a list that is not given stays"
    assert official.current() == made and own_folder.exists()
    report = lk.verify(signed, layers=[lk.Layer.PROVENANCE])
    assert (report.manifest.trusted, report.manifest.trust_list) == (True, made.name)
    assert official.forget() == official.shipped() == official.current() and not own_folder.exists()
    assert not lk.verify(signed, layers=[lk.Layer.PROVENANCE]).manifest.trusted


def test_lists_of_time_stamping_authorities_are_told_by_their_name(keys, tmp_path):
    stamps = tmp_path / "tsa.json"
    stamps.write_text(listed(keys[1], scheme="C2PA TSA Trust List"))
    made = official.replace(stamps, today="2027-02-03")
    assert official.names(made.time_stamps) == official.names(keys[1].read_text())
    assert made.signers == official.shipped().signers
    again = official.replace(time_stamps=keys[1], today="2027-02-03")
    assert again.time_stamps == keys[1].read_text() and again.signers == made.signers


def test_who_is_no_longer_trusted_is_not_taken_over(keys, tmp_path):
    file = tmp_path / "list.json"
    file.write_text(listed(keys[1], status="withdrawn"))
    with pytest.raises(InvalidArgument, match="holds no certificates"):
        official.replace(file, today="2027-02-03")


@pytest.mark.parametrize("text", ["", "nothing", "{}", "{", "[" * 100_000, '{"LoTE": 5}', '{"LoTE": {}}',
                                  listed().replace('"SchemeName"', '"Name"'),
                                  "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_list_is_refused_and_the_old_one_stays(text, tmp_path, own_folder):
    file = tmp_path / "list.txt"
    file.write_text(text)
    with pytest.raises(InvalidArgument):
        official.replace(file, today="2027-02-03")
    assert official.current().shipped and not own_folder.exists()


def test_a_private_key_is_no_list(keys, tmp_path):
    with pytest.raises(InvalidArgument, match="private key"):
        official.replace(keys[0], today="2027-02-03")
    with pytest.raises(InvalidArgument, match="no trust list was named"):
        official.replace(today="2027-02-03")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"name": 5}', '{"signers": "x"}'])
def test_a_broken_list_of_the_users_is_said_and_not_passed_over(text, own_folder, picture):
    own_folder.parent.mkdir(parents=True)
    own_folder.write_text(text)
    with pytest.raises(InvalidArgument, match="c2pa-trust.json"):
        lk.verify(picture())
    assert lk.verify(picture(), layers=[lk.Layer.METADATA]).verdict is lk.Verdict.NONE, "it is not asked for"
    official.forget()
    assert official.current().shipped


def test_no_list_comes_from_the_folder_that_is_worked_on(monkeypatch, tmp_path, keys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(variable, ".")
    (tmp_path / "labelkit").mkdir()
    (tmp_path / "labelkit" / "c2pa-trust.json").write_text("{}")
    assert official.current().shipped


def test_no_list_judges_nobody_and_holds_nobody():
    assert not TrustList.none().judges and TrustList.c2pa().judges
    with pytest.raises(InvalidArgument):
        TrustList("")
