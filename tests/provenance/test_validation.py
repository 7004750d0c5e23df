# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime
import io
import itertools
import json
import shutil
import struct
import wave
from pathlib import Path
from random import Random

import c2pa
import pytest

from labelkit.errors import LabelkitError
from labelkit.provenance import Claim, Signer, TrustList, keygen, sign, sign_sidecar, validate
from labelkit.report import Status
from tests.provenance.certificates import NOW, key_pem, make_chain, new_key, server, time_stamping_authority
from tests.provenance.test_manifest import OGG, remote_manifest

DATA = Path(__file__).parents[1] / "data" / "provenance"


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1:]


def test_file_without_a_manifest_is_absent(picture, trust):
    for data in (picture("PNG"), OGG, b"nothing at all", b""):
        finding = validate(data, trust=trust)
        assert (finding.status, finding.label, finding.payload) == (Status.ABSENT, None, None)


def test_right_root_is_trusted_and_label_payload_and_text_come_back(picture, claim, signer, trust):
    finding = validate(sign(picture(), claim, signer), trust=trust, now=NOW)
    assert (finding.status, finding.label, finding.payload) == (Status.VALID, claim.label, claim.payload)
    seen = finding.evidence
    assert (seen.state, seen.trusted, seen.intact, seen.codes) == ("Trusted", True, True, ())
    assert (seen.signer, seen.issuer) == ("Acme Imaging", "Acme Imaging")
    assert (seen.ai_generated, seen.explicit) == (True, claim.explicit)
    assert seen.claim_generator.startswith("labelkit")
    ends = f"{signer.not_after:%Y-%m-%d}"
    assert str(finding.summary) == ("signed by Acme Imaging, trusted; without a time-stamp, it holds until the "
                                    f"certificate ends on {ends}")
    assert finding.summary.text("zh-CN") == f"由 Acme Imaging 签名，可信；没有时间戳，有效至证书到期日 {ends}"


def test_wrong_root_is_valid_but_not_trusted(picture, claim, signer, tmp_path):
    other = TrustList.load(keygen(tmp_path, "Somebody Else", now=NOW)[1])
    for trust in (other, None):
        finding = validate(sign(picture(), claim, signer), trust=trust)
        assert (finding.status, finding.label) == (Status.VALID, claim.label)
        assert (finding.evidence.state, finding.evidence.trusted) == ("Valid", False)
        assert finding.evidence.codes == ("signingCredential.untrusted",)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
def test_one_flipped_bit_of_the_content_is_never_valid(kind, picture, claim, signer, trust):
    host = picture(kind)
    signed = sign(host, claim, signer, mime=f"image/{kind.lower()}")
    start = signed.index(b"jumb")
    outside = [place for place in range(len(signed)) if not start - 30 <= place < start + len(signed) - len(host)]
    for place in Random(7).sample(outside, 60):
        assert validate(flipped(signed, place), trust=trust).status is not Status.VALID, place
    broken = validate(flipped(signed, outside[-60]), trust=trust)
    assert (broken.status, broken.label, broken.payload) == (Status.INVALID, None, None)
    assert not broken.evidence.intact and not broken.evidence.trusted


def test_flipped_bit_of_an_assertion_is_invalid(picture, claim, signer, trust):
    signed = sign(picture(), claim, signer)
    finding = validate(flipped(signed, signed.index(b"2026-000017") + 3), trust=trust)
    assert finding.status is Status.INVALID
    assert "assertion.hashedURI.mismatch" in finding.evidence.codes
    assert finding.evidence.ai_generated, "a broken manifest still says what it says"


def test_bytes_cut_off_or_added_are_invalid(picture, claim, signer, trust):
    signed = sign(picture(), claim, signer)
    assert validate(signed + b"x", trust=trust).status is Status.INVALID
    assert validate(signed[:-5], trust=trust).status is Status.INVALID


def test_certificate_that_ended_makes_an_intact_file_invalid():
    """The file was signed on 2026-11-24 by a certificate that ended seconds later; see make_expired.py beside it."""
    finding = validate(DATA / "expired.jpg", trust=TrustList.load(DATA / "expired_anchors.pem"), now=NOW)
    assert finding.status is Status.INVALID
    assert finding.evidence.codes == ("signingCredential.expired", "signingCredential.untrusted")
    assert (finding.evidence.intact, finding.evidence.trusted) == (True, False)
    assert finding.evidence.warnings == ("no-time-stamp", "certificate-ended")
    assert "the certificate ended on 2026-11-24" in str(finding.summary)


def test_warnings_depend_on_the_time_that_is_given(picture, claim, signer, trust):
    signed = sign(picture(), claim, signer)
    ends = signer.not_after
    for now, expected in ((NOW, []), (ends - datetime.timedelta(59), ["certificate-ends-soon"]),
                          (ends + datetime.timedelta(1), ["certificate-ended"]), (None, [])):
        assert validate(signed, trust=trust, now=now).evidence.warnings == ("no-time-stamp", *expected)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_time_stamp_is_trusted_only_under_its_own_root(picture, claim, keys, tmp_path):
    with time_stamping_authority(tmp_path) as (url, root):
        signer = Signer.load(keys[0], ta_url=url)
        assert signer.has_time_stamp
        signed = sign(picture(), claim, signer)
        store = sign_sidecar(picture(), claim, signer)
    for sidecar, (stamps, trusted) in itertools.product((None, store), ((root, True), (None, False))):
        finding = validate(picture() if sidecar else signed, sidecar=sidecar,
                           trust=TrustList.load(keys[1], time_stamps=stamps))
        assert finding.evidence.trusted and finding.evidence.warnings == ()
        assert str(finding.summary) == "signed by Acme Imaging, trusted"
        assert finding.evidence.time_stamp.trusted is trusted


def test_certificate_purposes_are_the_verifiers_choice(picture, claim):
    key = new_key()
    from cryptography.x509 import ObjectIdentifier
    leaf, root = make_chain(key, usage=ObjectIdentifier("1.3.6.1.4.1.62558.2.1"))
    signed = sign(picture(), claim, Signer.from_pem(leaf + root + key_pem(key)))
    assert validate(signed, trust=TrustList(root.decode())).evidence.trusted
    narrow = TrustList(root.decode(), purposes=("1.3.6.1.5.5.7.3.4",))
    assert validate(signed, trust=narrow).status is Status.INVALID


def test_url_in_a_file_is_never_fetched(picture, signer):
    with server() as (url, asked):
        remote = remote_manifest(picture(), url, signer)
        finding = validate(remote)
        assert (finding.status, asked) == (Status.UNCHECKED, [])
        with pytest.raises(c2pa.C2paError):  # the trap that is avoided: the library's default asks
            c2pa.Reader("image/jpeg", io.BytesIO(remote))
        assert asked == ["/"]


def test_text_from_a_file_is_cut_and_cannot_steer_a_terminal(picture, claim, signer, trust):
    nasty = Claim(claim.label, explicit={"text": "\x1b[2J\u202eAI"}, title="\x1b]0;owned\x07" + "x" * 100_000)
    evidence = validate(sign(picture(), nasty, signer), trust=trust).evidence
    assert len(evidence.title) == 256
    assert all(text.isprintable() for text in (evidence.title, evidence.explicit["text"]))


def test_foreign_label_is_read_and_a_wrong_one_is_only_shown(picture, claim, signer, trust):
    def signed_by_others(fields: dict[str, str]) -> bytes:
        definition = {"claim_generator_info": [{"name": "Other Tool", "version": "2"}], "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [{
                "action": "c2pa.created", "softwareAgent": "Other Model",
                "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"}]}},
            {"label": "cn.example.aigc", "data": {"AIGC": fields}}]}
        out = io.BytesIO()
        builder = c2pa.Builder.from_json(json.dumps(definition))
        builder.sign(signer.native(), "image/jpeg", io.BytesIO(picture()), out)
        return out.getvalue()

    finding = validate(signed_by_others(claim.label.fields()), trust=trust)
    assert (finding.label, finding.payload) == (claim.label, None)
    assert finding.evidence.claim_generator == "Other Tool 2"
    assert finding.evidence.generator == "Other Model"
    wrong = validate(signed_by_others({"Label": "7", "ContentProducer": "x"}), trust=trust)
    assert (wrong.status, wrong.label) == (Status.VALID, None)
    assert wrong.evidence.aigc == {"Label": "7", "ContentProducer": "x"}
    assert not wrong.evidence.ai_generated


def boxes_changed(store: bytes, owner: bytes, body: bytes) -> bytes:
    """The manifest store with another CBOR body in the box that `owner` names, every length put right."""
    out, position, named = b"", 0, b""
    while position < len(store):
        size, kind = struct.unpack(">I4s", store[position:position + 8])
        inner = store[position + 8:position + size]
        named = inner if kind == b"jumd" else named
        if kind == b"jumb":
            inner = boxes_changed(inner, owner, body)
        elif kind == b"cbor" and owner in named:
            inner = body
        out += struct.pack(">I4s", 8 + len(inner), kind) + inner
        position += size
    return out


@pytest.mark.parametrize("owner", [b"org.labelkit.aigc", b"c2pa.claim"])
@pytest.mark.parametrize("body", [b"\x81" * 100_000 + b"\0", b"\xc1" * 100_000 + b"\0", b"\xbb" + b"\xff" * 8,
                                  b"\x5b\x7f" + b"\xff" * 7, b""])
def test_cbor_bombs_are_invalid(owner, body, claim, signer):
    store = sign_sidecar(OGG, claim, signer, mime="audio/ogg")
    assert boxes_changed(store, b"nothing", b"") == store
    assert validate(OGG, sidecar=boxes_changed(store, owner, body)).status is Status.INVALID


def test_nested_boxes_are_invalid(claim, signer):
    store = sign_sidecar(OGG, claim, signer, mime="audio/ogg")
    description = store[8:8 + struct.unpack(">I", store[8:12])[0]]
    step = 8 + len(description)
    nested = b"".join(struct.pack(">I4s", step * level, b"jumb") + description for level in range(20_000, 0, -1))
    assert validate(OGG, sidecar=nested).status is Status.INVALID


def sound() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(range(256)) * 8)
    return out.getvalue()


def mutated(data: bytes, random: Random) -> bytes:
    """One to eight changes, most of them in the manifest store."""
    out = bytearray(data)
    start = max(data.find(b"jumb") - 16, 0)
    for _ in range(random.choice((1, 2, 8))):
        place = random.randrange(start if random.random() < 0.7 else 0, len(out) - 8)
        kind = random.randrange(5)
        if kind == 0:
            out[place] = random.randrange(256)
        elif kind == 1:
            out[place:place + 4] = random.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"))
        elif kind == 2:
            del out[place:place + random.randrange(1, 50)]
        elif kind == 3:
            out[place:place] = random.randbytes(random.randrange(1, 40))
        else:
            del out[max(place, 64):]
        out += bytes(max(0, 64 - len(out)))
        start = min(start, len(out) - 9)
    return bytes(out)


@pytest.mark.parametrize(("kind", "mime"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp"),
                                            ("GIF", "image/gif"), ("TIFF", "image/tiff"), ("AVIF", "image/avif"),
                                            ("WAV", "audio/wav")])
def test_mutated_files_give_a_finding_or_our_error(kind, mime, picture, claim, signer, trust):
    try:
        host = sound() if kind == "WAV" else picture(kind)
    except (KeyError, OSError):
        pytest.skip(f"this Pillow writes no {kind}")
    random = Random(mime)
    files = (sign(host, claim, signer, mime=mime), host)
    for _ in range(150):
        data = mutated(random.choice(files), random)
        finding = validate(data, trust=trust, now=NOW)
        json.dumps(finding.evidence_dict(), ensure_ascii=False).encode()
        assert finding.summary.text("zh-CN")
        try:
            sign(data, claim, signer, mime=mime)
        except LabelkitError:
            pass


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_a_sidecar_keeps_its_time_stamp_and_that_of_the_one_before(claim, keys, tmp_path):
    old, new = b"OggS" + bytes(60), b"OggS" + bytes(61)
    with time_stamping_authority(tmp_path) as (url, root):
        stamped = Signer.load(keys[0], ta_url=url)
        first = sign_sidecar(old, claim, stamped, mime="audio/ogg")
        later = sign_sidecar(new, Claim(claim.label), stamped, parent=(old, first), mime="audio/ogg")
    trust = TrustList.load(keys[1], time_stamps=root)
    for data, store, manifests in ((old, first, 1), (new, later, 2)):
        found = validate(data, sidecar=store, trust=trust)
        assert found.evidence.time_stamp.trusted and found.evidence.manifests == manifests
    assert later.count(b"sigTst2") == 2 and first.count(b"sigTst2") == 1
    unstamped = sign_sidecar(old, claim, Signer.load(keys[0]), mime="audio/ogg")
    assert validate(old, sidecar=unstamped, trust=trust).evidence.time_stamp is None
