# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime
import io
import json
import multiprocessing
import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import c2pa
import numpy as np
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image

from labelkit.errors import InvalidArgument, SigningFailed, UnsupportedFormat
from labelkit.label import Kind, Label
from labelkit.payload import Payload
from labelkit.plan import Generator, Plan
from labelkit.provenance import AIGC_ASSERTION, Claim, Signer, sign, sign_into, sign_sidecar, validate
from labelkit.report import Status
from tests.provenance.certificates import NOW, make_chain, new_key, server

FORMATS = ("JPEG", "PNG", "WEBP")
OGG = b"OggS" + bytes(range(256)) * 20


def read_by_c2pa(data: bytes, trust) -> dict:
    """The manifest store as the C2PA library itself reports it."""
    settings = {"trust": {"user_anchors": trust.anchors}, "verify": {"remote_manifest_fetch": False}}
    return json.loads(c2pa.Reader(None, io.BytesIO(data), context=c2pa.Context.from_dict(settings)).json())


@pytest.mark.parametrize("kind", FORMATS)
def test_signed_file_is_trusted_by_the_c2pa_reader_and_shows_the_same_pixels(kind, picture, claim, signer, trust):
    host = picture(kind)
    signed = sign(host, claim, signer)
    store = read_by_c2pa(signed, trust)
    assert store["validation_state"] == "Trusted"
    assert np.array_equal(Image.open(io.BytesIO(host)), Image.open(io.BytesIO(signed)))
    assert len(signed) - len(host) < 5000, "a thumbnail was added"


def test_manifest_states_source_type_watermark_and_label_as_created_assertions(picture, claim, signer, trust):
    store = read_by_c2pa(sign(picture(), claim, signer), trust)
    manifest = store["manifests"][store["active_manifest"]]
    found = {assertion["label"]: assertion for assertion in manifest["assertions"]}
    assert all(assertion["created"] for assertion in found.values())
    actions = found["c2pa.actions.v2"]["data"]["actions"]
    assert [action["action"] for action in actions] == ["c2pa.created", "c2pa.watermarked.bound"]
    assert actions[0]["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    binding = found["c2pa.soft-binding"]["data"]
    assert binding["alg"] == "org.labelkit.watermark.image.1"
    assert binding["blocks"][0]["value"] == claim.payload.hex
    assert found[AIGC_ASSERTION]["data"]["AIGC"] == claim.label.fields()
    assert json.loads(found[AIGC_ASSERTION]["data"]["explicit"]) == claim.explicit
    assert manifest["title"] == "cat"


def test_without_a_watermark_none_is_claimed(picture, claim, signer, trust):
    finding = validate(sign(picture(), Claim(claim.label), signer), trust=trust)
    assert (finding.status, finding.payload, finding.evidence.soft_bindings) == (Status.VALID, None, ())
    assert finding.evidence.explicit is None


def test_generator_and_time_are_stated_when_given(picture, claim, signer, trust):
    data = sign(picture(), Claim(claim.label, generator=Generator("Model", "7", NOW)), signer)
    seen = validate(data, trust=trust).evidence
    assert (seen.generator, seen.created) == ("Model 7", NOW.isoformat())
    store = read_by_c2pa(data, trust)
    action = store["manifests"][store["active_manifest"]]["assertions"][0]["data"]["actions"][0]
    assert action["when"] == NOW.isoformat() and action["softwareAgent"] == {"name": "Model", "version": "7"}
    bare = validate(sign(picture(), Claim(claim.label, generator=Generator("Model")), signer), trust=trust).evidence
    assert (bare.generator, bare.created) == ("Model", None)


@pytest.mark.parametrize("wrong", [("",), ("x" * 129,), ("a\nb",), (7,), ("Model", None),
                                   ("Model", "7", datetime.datetime(2026, 1, 1))])
def test_a_generator_that_cannot_be_stated_is_refused(wrong):
    with pytest.raises(InvalidArgument):
        Generator(*wrong)


def test_a_generator_without_metadata_and_signer_has_nowhere_to_be_stated():
    with pytest.raises(InvalidArgument, match="neither"):
        Plan(generator=Generator("Model"), metadata=False)
    assert Plan(generator=Generator("Model")).generator  # in XMP


def test_who_spreads_a_file_does_not_claim_to_have_created_it(picture, signer, trust):
    suspected = Label(Kind.SUSPECTED, "", "", content_propagator="platform", propagate_id="9")
    finding = validate(sign(picture(), Claim(suspected), signer), trust=trust)
    assert (finding.status, finding.label) == (Status.VALID, suspected)
    assert finding.evidence.digital_source_type is None
    assert not finding.evidence.ai_generated


@pytest.mark.parametrize("kind", FORMATS)
def test_manifest_in_the_file_becomes_the_parent(kind, picture, claim, signer, trust):
    first = sign(picture("JPEG"), claim, signer)
    finding = validate(sign(picture(kind), Claim(claim.label), signer, parent=first), trust=trust)
    assert (finding.status, finding.evidence.manifests) == (Status.VALID, 2)
    again = validate(sign(first, Claim(claim.label), signer), trust=trust)
    assert (again.status, again.evidence.manifests) == (Status.VALID, 2)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_later_label_alone_is_an_update_manifest_where_that_is_possible(kind, picture, claim, signer, trust):
    signed = sign(picture(kind), claim, signer)
    later = Claim(claim.label.propagated_by("platform", "9"))
    updated = sign(signed, later, signer)
    store = read_by_c2pa(updated, trust)
    assert store["validation_state"] == "Trusted" and len(store["manifests"]) == 2
    assert np.array_equal(Image.open(io.BytesIO(signed)), Image.open(io.BytesIO(updated)))
    assert validate(updated, trust=trust).label == later.label
    details = json.loads(c2pa.Reader(None, io.BytesIO(updated)).detailed_json())
    hashed = "c2pa.hash.data" in details["manifests"][details["active_manifest"]]["assertion_store"]
    assert hashed == (kind == "WEBP"), "an update binds by its parent"
    for changed in (bytearray(updated), bytearray(sign(signed, claim, signer))):  # the latter names a watermark
        at = changed.index(b"IDAT") + 30 if kind == "PNG" else len(changed) - 300 if kind == "JPEG" else 200
        changed[at] ^= 1
        assert validate(bytes(changed), trust=trust).status is Status.INVALID


def test_parent_without_a_manifest_adds_no_history(picture, claim, signer, trust):
    finding = validate(sign(picture(), claim, signer, parent=picture("PNG")), trust=trust)
    assert (finding.status, finding.evidence.manifests) == (Status.VALID, 1)


def test_source_type_of_the_parent_is_inherited_unless_the_parent_was_broken(picture, claim, signer, trust):
    plain = Claim(Label(Kind.POSSIBLE, "", "", content_propagator="platform", propagate_id="9"))
    parent = sign(picture(), claim, signer)
    whole = validate(sign(picture(), plain, signer, parent=parent), trust=trust)
    assert whole.evidence.digital_source_type.endswith("/trainedAlgorithmicMedia")
    broken = parent[:-20] + bytes([parent[-20] ^ 1]) + parent[-19:]
    finding = validate(sign(picture(), plain, signer, parent=broken), trust=trust)
    assert finding.evidence.manifests == 2, "a broken manifest is kept too"
    assert finding.evidence.digital_source_type is None


def test_unreadable_manifest_is_refused_and_never_dropped(picture, claim, signer):
    signed = sign(picture(), claim, signer)
    place = signed.index(b"c2pa.claim.v2") + 40
    with pytest.raises(SigningFailed, match="cannot become the parent"):
        sign(signed[:place] + b"\xff" * 8 + signed[place + 8:], claim, signer)


def test_parent_that_names_a_url_is_not_fetched(picture, claim, signer, trust):
    with server() as (url, asked):
        remote = remote_manifest(picture(), url, signer)
        finding = validate(sign(picture(), claim, signer, parent=remote), trust=trust)
        assert finding.status is Status.VALID
        assert asked == []


def remote_manifest(data: bytes, url: str, signer) -> bytes:
    """A picture whose manifest lies at a URL."""
    definition = {"assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [{
        "action": "c2pa.created", "digitalSourceType": "http://c2pa.org/digitalsourcetype/empty"}]}}]}
    settings = {"builder": {"thumbnail": {"enabled": False}}, "verify": {"verify_after_sign": False}}
    builder = c2pa.Builder.from_json(json.dumps(definition), context=c2pa.Context.from_dict(settings))
    builder.set_no_embed()
    builder.set_remote_url(url)
    out = io.BytesIO()
    builder.sign(signer.native(), "image/jpeg", io.BytesIO(data), out)
    return out.getvalue()


def test_streams_give_the_same_statement_as_bytes(picture, claim, signer, trust, tmp_path):
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    source.write_bytes(picture("PNG"))
    with open(target, "w+b") as out:
        sign_into(source, out, claim, signer)
    assert validate(target, trust=trust).label == claim.label
    assert source.read_bytes() == picture("PNG")


def test_signing_a_file_into_itself_is_refused(picture, claim, signer, tmp_path):
    path = tmp_path / "in.png"
    path.write_bytes(picture("PNG"))
    with open(path, "r+b") as file, pytest.raises(InvalidArgument, match="same file"):
        sign_into(path, file, claim, signer)
    buffer = io.BytesIO(picture("PNG"))
    with pytest.raises(InvalidArgument, match="same file"):
        sign_into(buffer, buffer, claim, signer)
    assert path.read_bytes() == picture("PNG")


class Corrupting(io.BytesIO):
    """A disk that flips one bit of what is written into it."""

    def readinto(self, buffer) -> int:
        count = super().readinto(buffer)
        if count > 64:
            buffer[count - 30] ^= 1
        return count


def test_what_was_written_is_read_back(picture, claim, signer):
    with pytest.raises(SigningFailed):
        sign_into(picture(), Corrupting(), claim, signer)


def test_format_without_a_place_is_refused_with_the_way_out(picture, claim, signer):
    with pytest.raises(UnsupportedFormat, match="cannot embed a manifest") as caught:
        sign(OGG, claim, signer, mime="audio/ogg")
    assert "sidecar" in str(caught.value.hint)


def test_sidecar_holds_and_fails_with_the_file(claim, signer, trust):
    store = sign_sidecar(OGG, claim, signer, mime="audio/ogg")
    finding = validate(OGG, sidecar=store, trust=trust)
    assert (finding.status, finding.label, finding.payload) == (Status.VALID, claim.label, claim.payload)
    assert finding.evidence.soft_bindings[0].alg == "org.labelkit.watermark.audio.1"
    assert validate(OGG[:-1] + b"x", sidecar=store, trust=trust).status is Status.INVALID
    assert validate(OGG, trust=trust).status is Status.ABSENT


def test_sidecar_of_before_becomes_the_parent(claim, signer, trust):
    store = sign_sidecar(OGG, claim, signer, mime="audio/ogg")
    spread = claim.label.propagated_by("platform", "post-9")
    later = sign_sidecar(OGG + b"more", Claim(spread), signer, parent=(OGG, store), mime="audio/ogg")
    finding = validate(OGG + b"more", sidecar=later, trust=trust)
    assert (finding.status, finding.label, finding.payload) == (Status.VALID, spread, claim.payload)
    assert finding.evidence.manifests == 2
    assert finding.evidence.digital_source_type.endswith("/trainedAlgorithmicMedia")
    foreign = sign_sidecar(OGG + b"more", Claim(spread), signer, parent=(OGG[:-1], store), mime="audio/ogg")
    assert validate(OGG + b"more", sidecar=foreign, trust=trust).evidence.digital_source_type is None
    with pytest.raises(SigningFailed):
        sign_sidecar(OGG, claim, signer, parent=(OGG, b"no store" * 9), mime="audio/ogg")


def test_file_that_changes_under_the_signature_is_found_out(claim):
    file, key = io.BytesIO(OGG), new_key()

    def change_and_sign(message: bytes) -> bytes:
        file.getbuffer()[9] ^= 1
        return key.sign(message, ec.ECDSA(hashes.SHA256()))

    with pytest.raises(SigningFailed, match="changed while"):
        sign_sidecar(file, claim, Signer.from_callback(change_and_sign, b"".join(make_chain(key))), mime="audio/ogg")


def test_sidecar_of_spread_content_does_not_claim_its_creation(signer, trust):
    suspected = Label(Kind.SUSPECTED, "", "", content_propagator="platform", propagate_id="9")
    finding = validate(OGG, sidecar=sign_sidecar(OGG, Claim(suspected), signer, mime="audio/ogg"), trust=trust)
    assert (finding.status, finding.label, finding.evidence.ai_generated) == (Status.VALID, suspected, False)


def test_explicit_evidence_is_bounded(picture, claim, signer):
    with pytest.raises(InvalidArgument, match="4096"):
        sign(picture(), Claim(claim.label, explicit={"text": "x" * 5000}), signer)


def test_one_signer_serves_many_threads(picture, signer, trust):
    def round_trip(number: int) -> bool:
        label = Label(Kind.GENERATED, "maker", f"id-{number}")
        finding = validate(sign(picture(), Claim(label, Payload.of(label)), signer), trust=trust)
        return finding.evidence.trusted and (finding.label, finding.payload) == (label, Payload.of(label))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(round_trip, range(80)))


def _sign_elsewhere(signer, data, claim, trust) -> bool:
    return validate(sign(data, claim, signer), trust=trust).evidence.trusted


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_signer_that_was_used_before_works_in_a_child_process(start, picture, claim, signer, trust):
    assert _sign_elsewhere(signer, picture(), claim, trust)
    with multiprocessing.get_context(start).Pool(1) as pool:
        assert pool.apply(_sign_elsewhere, (signer, picture(), claim, trust))
    assert _sign_elsewhere(pickle.loads(pickle.dumps(signer)), picture(), claim, trust)
