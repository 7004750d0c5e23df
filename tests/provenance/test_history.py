# SPDX-License-Identifier: Apache-2.0
"""A claim counts for its own signer, and generative AI anywhere in the history is in the file."""

from __future__ import annotations

import json

import pytest

import labelkit as lk
from labelkit.provenance import Signer, TrustList, keygen, sign, validate
from labelkit.provenance.history import is_generative, members
from labelkit.provenance.validation import _finding
from labelkit.report import Status
from tests.provenance.certificates import NOW
from tests.provenance.others import created, signed_by


@pytest.fixture(scope="module")
def stranger(tmp_path_factory) -> Signer:
    """A signer whom the trust list does not know."""
    return Signer.load(keygen(tmp_path_factory.mktemp("stranger"), "Stranger", now=NOW)[0])


def provenance(data: bytes, trust: TrustList) -> lk.Report:
    return lk.verify(data, trust=trust, layers=[lk.Layer.PROVENANCE])


def test_a_label_of_a_stranger_is_not_laundered_by_a_trusted_edit(picture, claim, signer, stranger, trust):
    for maker, trusted in ((stranger, False), (signer, True)):
        first = sign(picture(), claim, maker)
        finding = validate(signed_by(signer, first, made_from=[(first, "parentOf")]), trust=trust)
        assert (finding.status, finding.label, finding.evidence.trusted) == (Status.VALID, claim.label, True)
        own = next(one for one in finding.evidence.statements if one.aigc)
        assert (own.relation, own.trusted, own.intact) == ("parent", trusted, True)
        assert own.signer == ("Acme Imaging" if trusted else "Stranger")
        assert ("the statement of Stranger, not trusted" in str(finding.summary)) is not trusted
        report = provenance(signed_by(signer, first, made_from=[(first, "parentOf")]), trust)
        assert ("whom the trust list does not vouch for" in str(report.reasons[0])) is not trusted


def test_a_trusted_manifest_under_a_strangers_counts_for_nothing(picture, signer, stranger, trust):
    """Anybody can put the manifest of one picture under his own on another."""
    made = signed_by(signer, picture(), [created("trainedAlgorithmicMedia")])
    assert provenance(made, trust).verdict is lk.Verdict.CONFIRMED
    borrowed = provenance(signed_by(stranger, picture(seed=2), made_from=[(made, "parentOf")]), trust)
    assert borrowed.verdict is lk.Verdict.SUSPECTED and borrowed.manifest.ai_generated
    assert [one.trusted for one in borrowed.manifest.statements] == [False, False]
    assert [one.through for one in borrowed.manifest.statements] == [None, "Stranger"]
    assert "Stranger, whom the trust list does not vouch for, names one of Acme Imaging" in str(borrowed.reasons[0])


def test_a_strangers_parent_is_named_on_his_word_and_a_trusted_ones_on_its_own(picture, claim, signer, stranger, trust):
    """A label counts whoever writes it; that a trusted signer wrote this one for this file, a stranger cannot say."""
    made = sign(picture(), claim, signer)
    for maker, through in ((stranger, "Stranger"), (signer, None)):
        file = signed_by(maker, picture(seed=2), made_from=[(made, "parentOf")])
        report = provenance(signed_by(signer, file, made_from=[(file, "parentOf")]), trust)
        own = next(one for one in report.manifest.statements if one.aigc)
        assert (own.signer, own.through, own.trusted) == ("Acme Imaging", through, through is None)
        assert ("names one of Acme Imaging, which states Label 1" in str(report.reasons[0])) is bool(through)
        summary = str(report[lk.Layer.PROVENANCE].summary)
        assert ("which Stranger names and nobody vouches for" in summary) is bool(through)
        assert "the statement of Acme Imaging, not trusted" not in summary
        assert not any(one.through for one in provenance(file, TrustList.none()).manifest.statements)


@pytest.mark.parametrize("relation", ["parentOf", "componentOf"])
def test_generative_ai_in_what_the_content_was_made_from_is_in_it(relation, picture, signer, trust):
    for source, verdict in (("trainedAlgorithmicMedia", lk.Verdict.CONFIRMED), ("digitalCapture", lk.Verdict.NONE)):
        made = signed_by(signer, picture(), [created(source)])
        first = [created("composite", description="Added visible watermark")] if relation == "componentOf" else [
            {"action": "c2pa.edited", "digitalSourceType": created("composite")["digitalSourceType"]}]
        report = provenance(signed_by(signer, made, first, made_from=[(made, relation)]), trust)
        assert (report.verdict, report.manifest.ai_generated) == (verdict, verdict is lk.Verdict.CONFIRMED)


def test_what_was_an_input_alone_is_not_in_the_result(picture, signer, trust):
    made = signed_by(signer, picture(), [created("trainedAlgorithmicMedia")])
    report = provenance(signed_by(signer, picture(), [created("digitalCapture")], made_from=[(made, "inputTo")]), trust)
    assert report.verdict is lk.Verdict.NONE and not report.manifest.ai_generated


def test_a_capture_that_a_model_edited_is_generative(picture, signer, trust):
    edit = {"action": "c2pa.edited",
            "digitalSourceType": created("compositeWithTrainedAlgorithmicMedia")["digitalSourceType"]}
    edited = provenance(signed_by(signer, picture(), [created("digitalCapture"), edit]), trust)
    assert edited.verdict is lk.Verdict.CONFIRMED
    assert edited.manifest.digital_source_type.endswith("compositeWithTrainedAlgorithmicMedia")
    assert edited.manifest.statements[0].sources == ("digitalCapture", "compositeWithTrainedAlgorithmicMedia")
    assert provenance(signed_by(signer, picture(), [created("digitalCapture")]), trust).verdict is lk.Verdict.NONE


@pytest.mark.parametrize(("action", "generative"), [
    ({"softwareAgent": "Image Creator from Designer"}, True),
    ({"softwareAgent": {"name": "Bing Image Creator", "version": "3"}}, True),
    ({"description": "AI Generated Image"}, True),
    ({"softwareAgent": "Designer"}, False), ({"description": "no AI Generated Image"}, False),
    ({"description": 5, "softwareAgent": [], "digitalSourceType": {}}, False),
    (created("trainedAlgorithmicMedia"), True), (created("algorithmicMedia"), False), (created("humanEdits"), False)])
def test_what_states_generative_ai(action, generative):
    assert is_generative(action) is generative


def disclosed(**fields: object) -> list[dict[str, object]]:
    return [{"label": "c2pa.ai-disclosure", "data": fields}]


MADE = [{"action": "c2pa.created", "digitalSourceType": "http://c2pa.org/digitalsourcetype/empty"}]


@pytest.mark.parametrize(("actions", "assertions", "generative"), [
    (MADE, disclosed(modelType="c2pa.types.model", modelName="a model"), True),
    (MADE, disclosed(modelType="c2pa.types.generator",
                                             contentProfile={"humanOversightLevel": "fully_autonomous"}), True),
    ([created("trainedAlgorithmicMedia")], disclosed(modelType="c2pa.types.model"), True),
    ([created("digitalCapture")], disclosed(modelType="c2pa.types.model"), False),
    (MADE, disclosed(modelType="c2pa.types.classifier"), False),
    (MADE, disclosed(modelName="a model"), False), (MADE, disclosed(modelType=5), False),
    (MADE, [{"label": "c2pa.ai-disclosures", "data": {"modelType": "c2pa.types.model"}}], False)])
def test_a_disclosure_of_ai_states_generative_ai(actions, assertions, generative, picture, signer, stranger, trust):
    report = provenance(signed_by(signer, picture(), actions, assertions=assertions), trust)
    assert report[lk.Layer.PROVENANCE].status is Status.VALID
    assert (report.manifest.ai_generated, report.manifest.statements[0].generative) == (generative, generative)
    assert report.verdict is (lk.Verdict.CONFIRMED if generative else lk.Verdict.NONE)
    doubtful = provenance(signed_by(stranger, picture(), actions, assertions=assertions), trust)
    assert doubtful.verdict is (lk.Verdict.SUSPECTED if generative else lk.Verdict.NONE)


def test_a_trusted_camera_under_label_1_is_a_doubt(picture, claim, signer, stranger, trust):
    labelled = lk.embed(picture(), label=claim.label, plan=lk.Plan(explicit=None, watermark=None))
    for maker, verdict in ((signer, lk.Verdict.SUSPECTED), (stranger, lk.Verdict.CONFIRMED)):
        report = lk.verify(signed_by(maker, labelled, [created("digitalCapture")]), trust=trust,
                           layers=[lk.Layer.METADATA, lk.Layer.PROVENANCE])
        assert (report.verdict, bool(report.doubts)) == (verdict, maker is signer)
    edited = signed_by(signer, picture(), [created("digitalCapture")])
    ours = lk.embed(edited, label=claim.label, plan=lk.Plan(explicit=None, watermark=None, provenance=signer))
    both = lk.verify(ours, trust=trust, layers=[lk.Layer.METADATA, lk.Layer.PROVENANCE])
    assert (both.verdict, both.doubts) == (lk.Verdict.CONFIRMED, ()), "a trusted edit that its signer labels as AI"


# What the library leaves out because some assertion of the file says it already


def entry(code: str, label: str) -> dict[str, str]:
    return {"code": code, "url": f"self#jumbf=/c2pa/{label}/c2pa.signature"}


def store(recorded: dict[str, object], forged: dict[str, object] | None = None) -> dict[str, dict[str, object]]:
    """Two manifests; the active one records what its maker found of the other, which records something itself."""
    def ingredient(of: str, said: dict[str, object]) -> dict[str, object]:
        return {"c2pa.ingredient.v3": {"relationship": "parentOf", "validationResults": said, "activeManifest": {
            "url": f"self#jumbf=/c2pa/{of}"}}}
    return {"a": {"assertions": ingredient("b", recorded)}, "b": {"assertions": ingredient("c", forged or {})}}


def judged(manifests: dict[str, dict[str, object]], **delta: list[dict[str, str]]) -> tuple[bool, bool]:
    report = {"validation_results": {"ingredientDeltas": [{"validationDeltas": delta}]}}
    older = members(manifests, "a", report, trusted=True)[1]
    return older.intact, older.trusted


def test_what_is_recorded_is_believed_only_where_nothing_speaks_against_it():
    trusted, untrusted = entry("signingCredential.trusted", "b"), entry("signingCredential.untrusted", "b")
    honest = {"activeManifest": {"success": [trusted]}}
    assert judged(store(honest)) == (True, True)
    assert judged(store({}), success=[trusted]) == (True, True)
    assert judged(store({})) == (True, False)
    assert judged(store(honest), failure=[untrusted]) == (True, False), "another list than the maker's"
    assert judged(store({"activeManifest": {"failure": [untrusted]}})) == (True, False)
    assert judged(store({"activeManifest": {"failure": [untrusted]}}), success=[trusted]) == (True, True)
    # the library drops what a nested assertion says already, whoever wrote that
    hidden = {"activeManifest": {"failure": [untrusted]}}
    assert judged(store(honest, hidden)) == (True, False)
    mismatch = {"code": "claimSignature.mismatch", "url": "self#jumbf=c2pa.signature"}
    relative = {"activeManifest": {"failure": [mismatch]}}
    assert judged(store(relative)) == (False, False)
    assert judged(store(honest), failure=[entry("assertion.hashedURI.mismatch", "b")]) == (False, False)
    assert judged(store(honest), failure=[entry("cawg.ica.did_unavailable", "b")]) == (True, True)


def test_a_history_without_end_ends():
    ring = {name: {"assertions": {"c2pa.ingredient": {"relationship": "parentOf", "c2pa_manifest": {
        "url": f"self#jumbf=/c2pa/{then}"}}}} for name, then in (("a", "b"), ("b", "a"))}
    assert [member.label for member in members(ring, "a", {}, trusted=False)] == ["a", "b"]
    wide = {"a": {"assertions": {f"c2pa.ingredient__{n}": {"relationship": "componentOf", "c2pa_manifest": {
        "url": f"self#jumbf=/c2pa/{n}"}} for n in range(5000)}}} | {str(n): {} for n in range(5000)}
    assert len(members(wide, "a", {}, trusted=False)) == 256
    assert members({}, "a", {}, trusted=False) == [] == members({"a": {}}, None, {}, trusted=False)


def test_the_history_is_a_tree(picture, signer, stranger, trust):
    """A trusted edit of a stranger's picture into which a trusted part was put: who, with what, from what."""
    part = signed_by(signer, picture(seed=3), [created("trainedAlgorithmicMedia")])
    first = signed_by(stranger, picture(), [created("digitalCapture")], made_from=[(part, "componentOf")])
    last = signed_by(signer, first, [{"action": "c2pa.color_adjustments"}], made_from=[(first, "parentOf")])
    found = provenance(last, trust).manifest.history
    assert [(one.depth, one.relation, one.signer, one.trusted, one.intact) for one in found] == [
        (0, "active", "Acme Imaging", True, True), (1, "parent", "Stranger", False, True),
        (2, "component", "Acme Imaging", False, True)]
    assert all(one.tool == "Other Tool 2" for one in found)
    assert "c2pa.color_adjustments" in found[0].actions and found[2].actions == ("c2pa.created",)
    assert len(provenance(part, trust).manifest.history) == 1
    two = signed_by(signer, picture(seed=4), [created("composite")],
                    made_from=[(first, "componentOf"), (part, "componentOf")])
    assert [one.depth for one in provenance(two, trust).manifest.history] == [0, 1, 1]  # each once, at its nearest
    broken = bytearray(last)
    broken[-40] ^= 1
    assert not any(one.intact for one in provenance(bytes(broken), trust).manifest.history)


# Identities


def with_identity(*failures: str, sound: tuple[str, ...] = ("claimSignature.validated", "claimSignature.insideValidity",
                                                            "assertion.dataHash.match")) -> lk.Finding:
    signature = {"certificateInfo": {"subject": {"O": "Adobe Inc."}}}
    identity = {"signer_payload": {"sig_type": "cawg.identity_claims_aggregation"},
                "signature": {"issuer": "did:web:example", "verifiedIdentities": [{"username": "somebody"}]}}
    active = {"success": [entry(code, "a") for code in sound],
              "failure": [entry("signingCredential.untrusted", "a")] + [
                  {"code": code, "url": "self#jumbf=/c2pa/a/c2pa.assertions/cawg.identity"}
                  if code.startswith("cawg.") else entry(code, "a") for code in failures]}
    report = {"active_manifest": "a", "validation_state": "Invalid", "validation_results": {"activeManifest": active}}
    return _finding(report, {"manifests": [{"label": "a", "signature": signature, "assertions": {
        "cawg.identity": identity}}]}, now=None, trust=TrustList.none())


def test_an_identity_that_takes_the_network_leaves_the_manifest_valid_and_itself_unchecked():
    finding = with_identity("cawg.ica.did_unavailable")
    assert (finding.status, finding.evidence.state, finding.evidence.intact) == (Status.VALID, "Valid", True)
    one, = finding.evidence.identities
    assert (one.state, one.issuer, one.names) == ("unchecked", "did:web:example", ("somebody",))
    assert "cannot be checked without the network" in str(finding.summary)
    assert json.loads(json.dumps(finding.to_dict()))["evidence"]["identities"][0]["state"] == "unchecked"


@pytest.mark.parametrize("failures", [("cawg.ica.signature_mismatch",),
                                      ("cawg.ica.did_unavailable", "assertion.dataHash.mismatch"),
                                      ("cawg.ica.did_unavailable", "cawg.ica.signature_mismatch"), ()])
def test_an_identity_excuses_nothing_else(failures):
    finding = with_identity(*failures)
    assert finding.status is Status.INVALID
    one, = finding.evidence.identities
    assert (one.state == "invalid") is ("cawg.ica.signature_mismatch" in failures)


def test_an_identity_of_an_unknown_issuer_is_untrusted():
    assert with_identity("cawg.x509.credential.untrusted").evidence.identities[0].state == "untrusted"


def test_an_identity_excuses_no_manifest_whose_hashes_were_not_seen_to_match():
    assert with_identity("cawg.ica.did_unavailable", sound=("claimSignature.validated",)).status is Status.INVALID
    assert with_identity("cawg.ica.did_unavailable", sound=(
        "claimSignature.validated", "claimSignature.insideValidity")).status is Status.INVALID
