# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from hypothesis import given, settings, strategies as st

import labelkit
from labelkit import metadata
from labelkit.errors import InvalidArgument, LabelkitError, SigningFailed
from labelkit.evidence import SignatureEvidence
from labelkit.label import FIELDS, Kind, Label
from labelkit.metadata.security_data import SM3_WITH_SM2, State, seal, sign, verify
from labelkit.metadata.sm2 import Sm2Signer, keygen, load_pins
from labelkit.report import Status
from tests.files import chunk, picture, png_with

gmalg = pytest.importorskip("gmalg")

LABEL = Label(Kind.GENERATED, "001191440300708461136T1XGW3", "2026-000017")
SECRET = bytes(range(1, 33))
# a label that StepFun's service wrote, published: DER, key as SubjectPublicKeyInfo, message hashed twice
STEPFUN_KEY = ("3059301306072A8648CE3D020106082A811CCF5501822D034200045728F08C58D9C72150A705693EF7337859F8FF216E80263"
               "0041AFAE5C036F0A67CB1FDF8C57F5F8B623284AE09E4E545464B7140B26BBDA51BAE965F854C57AA")
STEPFUN_SIGNATURE = ("3046022100AE6B84B3342128AE301A597596FCD9EECF3EA0FC2DB6C250BAF234E167298E9002210097223ABB647B786A"
                     "90D0A1B93CB9382EA879563B2C7F025FA006BE16AE926C14")
MESSAGE = b'"Label":"1","ContentProducer":"001191440300708461136T1XGW3","ProduceID":"2026-000017"'


@pytest.fixture(scope="module")
def signer() -> Sm2Signer:
    return Sm2Signer.from_secret(SECRET)


def code(signature: str, key: str | None, scope: str = "Md", algorithm: str = SM3_WITH_SM2) -> str:
    entries = [{"Type": "DS", "AlgID": algorithm, "TBSData": {"Type": scope}, "Signature": signature, "KeyID": 1}]
    if key is not None:
        entries.append({"Type": "PubKey", "AlgID": algorithm, "KeyValue": key, "KeyID": 1})
    return json.dumps({"SecurityData": {"Type": "TC260PG", "Version": 1, "PubSD": entries}})


def fields(reserved_code1: str, **others: str) -> dict[str, str]:
    return {**LABEL.fields(), "ReservedCode1": reserved_code1, **others}


def stepfun(**others: str) -> dict[str, str]:
    return fields(code(STEPFUN_SIGNATURE, STEPFUN_KEY, "LabelMataData"),
                  **{"ContentProducer": "001191310104MACE0YX63918020", "ProduceID": "142569260085903360", **others})


def raw_signature(message: bytes) -> str:
    parts = gmalg.SM2(SECRET, b"1234567812345678").sign(message)
    return b"".join(part.rjust(32, b"\0") for part in parts).hex()


def test_published_label_verifies_under_its_own_key():
    outcome = verify(stepfun())
    assert (outcome.state, outcome.form) == (State.VERIFIED_SELF, "der, hashed twice")
    assert outcome.key == STEPFUN_KEY[-130:].lower()
    assert verify(stepfun(), pinned=[bytes.fromhex(outcome.key)]).state is State.VERIFIED_PINNED


@pytest.mark.parametrize("change", [{"ProduceID": "142569260085903361"}, {"Label": "2"}, {"ContentProducer": "x"}])
def test_published_label_fails_when_a_signed_field_is_changed(change):
    assert verify(stepfun(**change)).state is State.FAILED


def test_unsigned_field_may_change_when_the_label_is_spread():
    assert verify(stepfun(ContentPropagator="platform", PropagateID="7")).state is State.VERIFIED_SELF


def test_signed_label_is_legal_and_verifies(signer):
    signed = sign(LABEL, signer)
    assert Label.from_fields(signed.fields()) == signed
    outcome = verify(signed.fields(), pinned=[signer.public_key])
    assert (outcome.state, outcome.form) == (State.VERIFIED_PINNED, "der, hashed once")
    assert verify({**signed.fields(), "ProduceID": "2026-000018"}).state is State.FAILED
    assert verify(signed.propagated_by("platform", "9").fields()).state is State.VERIFIED_SELF


def test_other_key_is_not_pinned(signer):
    other = Sm2Signer.from_secret(bytes(range(2, 34)))
    assert verify(sign(LABEL, signer).fields(), pinned=[other.public_key]).state is State.VERIFIED_SELF


@pytest.mark.parametrize("form", ["point", "bare", "compressed", "even", "spki"])
def test_every_key_form_seen_is_read(form):
    for first in range(1, 20):  # a key with even y, which the form 00 || x supposes
        secret = bytes([first]) * 32
        public = Sm2Signer.from_secret(secret).public_key
        if public[-1] % 2 == 0:
            break
    parts = gmalg.SM2(secret, b"1234567812345678").sign(MESSAGE)
    signature = b"".join(part.rjust(32, b"\0") for part in parts).hex()
    key = {"point": public, "bare": public[1:], "compressed": b"\2" + public[1:33], "even": b"\0" + public[1:33],
           "spki": bytes.fromhex(STEPFUN_KEY)[:-65] + public}[form].hex()
    outcome = verify(fields(code(signature, key)))
    assert (outcome.state, outcome.key, outcome.form) == (State.VERIFIED_SELF, public.hex(), "raw, hashed once")


def test_file_without_a_key_needs_a_pinned_one(signer):
    values = fields(code(raw_signature(MESSAGE), None))
    assert verify(values).state is State.UNSUPPORTED
    assert verify(values, pinned=[signer.public_key]).state is State.VERIFIED_PINNED
    stranger = Sm2Signer.from_secret(bytes(range(2, 34)))
    assert verify(values, pinned=[stranger.public_key]).state is State.UNSUPPORTED, "it may be another producer's"


def test_what_is_not_a_signature_of_the_label_is_unsupported_not_failed(signer):
    key = signer.public_key.hex()
    for value in ("e862483430d978cbf828b8b24296ef9328d843a0", "{}", "[]", '{"SecurityData":7}', "null",
                  code("00" * 64, key, scope="Bnd"), code("00" * 64, key, algorithm="1.2.840.113549.1.1.11")):
        assert verify(fields(value)).state is State.UNSUPPORTED, value
    assert verify(fields("")).state is State.ABSENT
    assert verify({}).state is State.ABSENT


def test_misspelt_member_and_single_entry_are_read(signer):
    text = code(raw_signature(MESSAGE), signer.public_key.hex()).replace("PubSD", "PubSd")
    assert verify(fields(text)).state is State.VERIFIED_SELF


def test_second_slot_is_judged_only_for_the_producers_own_signature(signer):
    signed = sign(LABEL, signer).fields()
    copied = {**signed, "ReservedCode2": signed["ReservedCode1"]}
    assert verify(copied, "ReservedCode2").state is State.VERIFIED_SELF
    assert verify({**copied, "ProduceID": "x"}, "ReservedCode2").state is State.UNSUPPORTED
    with pytest.raises(InvalidArgument):
        verify(copied, "Label")


def test_a_propagators_signature_covers_its_own_fields(signer):
    spread = sign(LABEL, signer).propagated_by("platform", "9").fields()
    sealed = {**spread, "ReservedCode2": seal(spread, signer, "ReservedCode2")}
    assert verify(sealed).state is State.VERIFIED_SELF
    assert verify(sealed, "ReservedCode2", pinned=[signer.public_key]).state is State.VERIFIED_PINNED
    # what others sign there is not published, so what does not fit is no proof of a change
    assert verify({**sealed, "PropagateID": "10"}, "ReservedCode2").state is State.UNSUPPORTED
    with pytest.raises(InvalidArgument):
        seal(spread, signer, "Label")


def test_the_reader_judges_the_signature_of_a_label(signer):
    signed = sign(LABEL, signer)
    finding = metadata.read(metadata.write(picture("JPEG"), signed), pinned=[signer.public_key])
    assert (finding.status, finding.label) == (Status.VALID, signed)
    assert finding.evidence.signatures["ReservedCode1"].state == "verified-pinned"
    assert str(finding.summary).endswith("; signed with a pinned key")
    changed = Label.from_fields({**signed.fields(), "ProduceID": "forged"})
    finding = metadata.read(metadata.write(picture("JPEG"), changed))
    assert finding.status is Status.INVALID and "does not match" in str(finding.summary)
    assert finding.evidence.signatures["ReservedCode1"].state == "failed"
    states = metadata.read(metadata.write(picture("JPEG"), LABEL)).evidence.signatures
    assert {found.state for found in states.values()} == {"absent"}


def test_every_pinned_key_is_tried(signer):
    values = fields(code(raw_signature(MESSAGE), None))
    others = [Sm2Signer.from_secret(bytes(31) + bytes([number])).public_key for number in range(1, 8)]
    assert verify(values, pinned=[*others, signer.public_key]).state is State.VERIFIED_PINNED
    assert verify(values, pinned=others).state is State.UNSUPPORTED
    with pytest.raises(InvalidArgument, match="at most 64"):
        verify(values, pinned=[signer.public_key] * 65)


def test_a_propagators_signature_says_what_it_covers(signer):
    spread = sign(LABEL, signer).propagated_by("platform", "9")
    covered = json.loads(seal(spread.fields(), signer, "ReservedCode2"))["SecurityData"]["PubSD"][0]
    assert covered["TBSData"] == {"Type": "Md", "Fields": ["Label", "ContentPropagator", "PropagateID"]}
    ours = json.loads(spread.reserved_code1)["SecurityData"]["PubSD"][0]
    assert ours["TBSData"] == {"Type": "Md"}, "the producer's is the standard form"


def test_a_pin_that_is_no_key_is_the_callers_error(signer):
    data = metadata.write(picture("JPEG"), LABEL)
    with pytest.raises(InvalidArgument, match="pinned must hold at most 64 SM2 public keys"):
        labelkit.verify(data, layers=[labelkit.Layer.METADATA], pins=[b"junk"])
    found = labelkit.verify(data, layers=[labelkit.Layer.METADATA], pins=[signer.public_key])
    assert found.verdict is labelkit.Verdict.CONFIRMED


def test_without_gmalg_a_signed_label_is_valid_and_its_signature_unchecked(signer, monkeypatch):
    data = metadata.write(picture("JPEG"), Label.from_fields({**sign(LABEL, signer).fields(), "ProduceID": "forged"}))
    monkeypatch.setitem(sys.modules, "gmalg", None)
    finding = metadata.read(data)
    assert finding.status is Status.VALID
    assert finding.evidence.signatures["ReservedCode1"] == SignatureEvidence(
        "unsupported", "SM2 needs the package gmalg", None, None)


def test_made_keys_load_and_are_never_overwritten(tmp_path):
    private, public = tmp_path / "sm2.pem", tmp_path / "sm2.pub.pem"
    made = keygen(private, public)
    assert Sm2Signer.load(private).public_key == made.public_key == load_pins(public)[0]
    assert private.stat().st_mode & 0o777 == 0o600 and b"PRIVATE" not in public.read_bytes()
    before = private.read_bytes()
    with pytest.raises(InvalidArgument, match="never overwritten"):
        keygen(private, tmp_path / "other.pem")
    assert private.read_bytes() == before and not (tmp_path / "other.pem").exists()
    pem = public.read_bytes()
    public.write_bytes(pem * 2)
    assert len(load_pins(public)) == 2
    for rubbish in (b"", before, pem * 65, pem.replace(b"MFkw", b"MFkx"), pem[:60] + pem[64:]):
        public.write_bytes(rubbish)
        with pytest.raises(InvalidArgument, match="SM2 public keys"):
            load_pins(public)


N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123


def test_signatures_out_of_range_and_at_infinity_fail(signer):
    key = signer.public_key.hex()
    secret = int.from_bytes(SECRET, "big")
    t = 12345
    s = -t * secret % N  # s G + t P is the point at infinity
    for r, number in ((0, 1), (1, 0), (N, 1), (1, N), (N - 5, 5), ((t - s) % N, s)):
        signature = (r.to_bytes(32, "big") + number.to_bytes(32, "big")).hex()
        assert verify(fields(code(signature, key))).state is State.FAILED


def test_key_off_the_curve_is_not_used(signer):
    off = signer.public_key[:-1] + bytes([signer.public_key[-1] ^ 1])
    assert verify(fields(code(raw_signature(MESSAGE), off.hex()))).state is State.UNSUPPORTED
    with pytest.raises(InvalidArgument):
        verify(LABEL.fields(), pinned=[off])


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_verifies_our_signature_and_we_load_its_key(tmp_path):
    def openssl(*arguments: object) -> str:
        command = ["openssl", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=600).stdout

    key, public, message, signature = (tmp_path / name for name in ("sm2.pem", "public.pem", "message", "signature"))
    openssl("genpkey", "-algorithm", "SM2", "-out", key)
    if not key.exists():
        pytest.skip("this openssl has no SM2")
    keygen(tmp_path / "ours.pem", tmp_path / "ours.pub.pem")
    assert openssl("pkey", "-in", tmp_path / "ours.pem", "-pubout") == (tmp_path / "ours.pub.pem").read_text()
    openssl("pkey", "-in", key, "-pubout", "-out", public)
    signed = sign(LABEL, Sm2Signer.load(key))
    entries = json.loads(signed.reserved_code1)["SecurityData"]["PubSD"]
    signature.write_bytes(bytes.fromhex(entries[0]["Signature"]))
    check = ("dgst", "-sm3", "-verify", public, "-signature", signature, "-sigopt", "distid:1234567812345678", message)
    message.write_bytes(MESSAGE)
    assert "Verified OK" in openssl(*check)
    message.write_bytes(MESSAGE + b" ")
    assert "Verified OK" not in openssl(*check)


@pytest.mark.parametrize("answer", [b"", b"\x01" * 64, b"x" * 70, None])
def test_callback_that_returns_rubbish_is_found_out(answer, signer):
    with pytest.raises(SigningFailed):
        sign(LABEL, Sm2Signer(signer.public_key, lambda message: answer))


@pytest.mark.parametrize("secret", [b"", bytes(32), b"\xff" * 32, "00" * 32])
def test_private_key_out_of_range_is_refused(secret):
    with pytest.raises(InvalidArgument):
        Sm2Signer.from_secret(secret)


@pytest.mark.parametrize("text", ["", "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----",
                                  "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----"])
def test_file_that_is_no_sm2_key_is_refused(text, tmp_path):
    (tmp_path / "key.pem").write_text(text)
    with pytest.raises(InvalidArgument, match="PKCS#8"):
        Sm2Signer.load(tmp_path / "key.pem")


def test_without_gmalg_nothing_is_claimed(signer, monkeypatch):
    signed = sign(LABEL, signer)
    monkeypatch.setitem(sys.modules, "gmalg", None)
    assert verify(signed.fields()).state is State.UNSUPPORTED
    with pytest.raises(SigningFailed, match="gmalg"):
        sign(LABEL, signer)


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=40)
                           | st.sampled_from(["DS", "PubKey", "Md", SM3_WITH_SM2, STEPFUN_SIGNATURE, STEPFUN_KEY]),
                           lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
                               st.sampled_from(["Type", "AlgID", "TBSData", "Signature", "KeyValue", "KeyID"]), inner,
                               max_size=6), max_leaves=20)


@settings(max_examples=200, deadline=None)
@given(public=json_values, wrapped=st.booleans(), text=st.text(max_size=200))
def test_no_value_raises(public, wrapped, text):
    value = json.dumps({"SecurityData": {"PubSD": public}}) if wrapped else text
    for slot in FIELDS[3], FIELDS[6]:
        try:
            assert verify({**LABEL.fields(), slot: value}, slot).state is not State.VERIFIED_PINNED
        except LabelkitError as error:
            pytest.fail(f"raised {error}")


def test_deep_and_long_values_are_bounded():
    for value in ("[" * 60_000, "x" * 1_000_000, '{"SecurityData":' * 5000):
        assert verify(fields(value)).state is State.UNSUPPORTED


def test_security_data_that_gives_a_name_two_values_proves_nothing(signer):
    text = sign(LABEL, signer).reserved_code1
    twice = text.replace('"PubSD":', '"PubSD":[],"PubSD":', 1)
    assert verify(fields(twice)).state is State.UNSUPPORTED
    assert verify(fields(text.replace('"Version":1', '"Version":1,"Version":1'))).state is State.VERIFIED_SELF


def test_a_signed_label_with_a_second_producer_is_invalid(signer):
    signed = sign(LABEL, signer).to_json()
    text = signed[:-1] + ',"ContentProducer":"somebody-else"}'
    found = metadata.read(png_with(chunk(b"tEXt", b"AIGC\0" + text.encode())), pinned=[signer.public_key])
    assert found.status is Status.INVALID
    assert found.evidence.signatures == {}
    assert [conflict.field for conflict in found.evidence.disagreements] == ["ContentProducer"]
    again = signed[:-1] + f',"ContentProducer":"{LABEL.content_producer}"' + "}"
    found = metadata.read(png_with(chunk(b"tEXt", b"AIGC\0" + again.encode())), pinned=[signer.public_key])
    assert found.status is Status.VALID
    assert found.evidence.signatures["ReservedCode1"].state == "verified-pinned"


def test_the_raw_form_is_written_on_request_and_read():
    signed = sign(LABEL, Sm2Signer.from_secret(SECRET, form="raw"))
    entries = json.loads(signed.reserved_code1)["SecurityData"]["PubSD"]
    assert [len(entries[0]["Signature"]), len(entries[1]["KeyValue"])] == [128, 130]
    assert entries[1]["KeyValue"].startswith("04")
    outcome = verify(signed.fields())
    assert (outcome.state, outcome.form) == (State.VERIFIED_SELF, "raw, hashed once")
    assert verify(signed.fields(), pinned=[Sm2Signer.from_secret(SECRET).public_key]).state is State.VERIFIED_PINNED
    assert verify({**signed.fields(), "ProduceID": "another"}).state is State.FAILED
    assert verify(sign(LABEL, Sm2Signer.from_secret(SECRET)).fields()).form == "der, hashed once"
    with pytest.raises(InvalidArgument, match="der, raw"):
        Sm2Signer.from_secret(SECRET, form="p1363")


def test_the_summary_says_that_a_signature_can_be_copied(signer):
    signed = metadata.read(metadata.write(picture("PNG"), sign(LABEL, signer)))
    assert "covers the label and not the content, so it can be copied to another file" in str(signed.summary)
    assert "copied" not in str(metadata.read(metadata.write(picture("PNG"), LABEL)).summary)
