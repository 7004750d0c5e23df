# SPDX-License-Identifier: Apache-2.0
"""The verdict is that of the Labeling Measures, Article 6, and contradiction is never read as proof."""

import dataclasses
import json

import pytest

from labelkit.errors import InvalidArgument, NotLabelled
from labelkit.evidence import Statement
from labelkit.label import Kind, Label
from labelkit.messages import Message
from labelkit.payload import Payload
from labelkit.report import SCHEMA, Finding, Layer, Report, Status, Verdict
from tests.evidence import evidence as evidence_of

LABEL = Label(Kind.GENERATED, "acme", "1")
OTHER = Label(Kind.GENERATED, "acme", "2")
PAYLOAD = Payload.of(LABEL)
VALID, INVALID, ABSENT, UNCHECKED = Status


def report(**findings: Finding | Status) -> Report:
    """A report; layers that are not named are absent."""
    complete = {}
    for layer in Layer:
        found = findings.get(layer.value, ABSENT)
        complete[layer] = found if isinstance(found, Finding) else finding(layer, found)
    return Report.of("x.png", complete)


def finding(layer: Layer, status: Status = VALID, evidence: dict | None = None, **more: object) -> Finding:
    facts = None if evidence is None else evidence_of(layer, evidence)
    return Finding(layer, status, Message("no manifest"), evidence=facts, **more)


def metadata(label: Label | None = LABEL, status: Status = VALID, **evidence: object) -> Finding:
    return finding(Layer.METADATA, status, label=label, evidence=evidence)


def watermark(payload: Payload = PAYLOAD, public: bool = True, status: Status = VALID) -> Finding:
    return finding(Layer.WATERMARK, status, payload=payload, evidence={"key_is_public": public})


def manifest(label: Label | None = None, payload: Payload | None = None, status: Status = VALID,
             **evidence: object) -> Finding:
    return finding(Layer.PROVENANCE, status, label=label, payload=payload, evidence=evidence)


POSSIBLE = dataclasses.replace(LABEL, kind=Kind.POSSIBLE)
SUSPECTED = dataclasses.replace(LABEL, kind=Kind.SUSPECTED)


@pytest.mark.parametrize("findings,verdict", [
    ({}, Verdict.NONE),
    ({"metadata": metadata()}, Verdict.CONFIRMED),
    ({"metadata": metadata(POSSIBLE)}, Verdict.POSSIBLE),
    ({"metadata": metadata(SUSPECTED)}, Verdict.SUSPECTED),
    ({"metadata": metadata(), "watermark": watermark(), "explicit": VALID}, Verdict.CONFIRMED),
    ({"provenance": manifest(ai_generated=True)}, Verdict.SUSPECTED),
    ({"provenance": manifest(LABEL, PAYLOAD, ai_generated=True)}, Verdict.CONFIRMED),
    ({"provenance": manifest(ai_generated=False)}, Verdict.NONE),
    ({"explicit": VALID}, Verdict.SUSPECTED),
    ({"watermark": watermark()}, Verdict.SUSPECTED),
    ({"watermark": watermark(public=False)}, Verdict.SUSPECTED),
    ({"metadata": metadata(None, ABSENT, traces=[{"trace": "settings of a generator", "key": "prompt"}])},
     Verdict.SUSPECTED),
    ({"metadata": metadata(None, ABSENT, traces=[{"trace": "C2PA manifest store"}])}, Verdict.NONE),
    ({"metadata": metadata(status=INVALID)}, Verdict.SUSPECTED),
    ({"watermark": watermark(status=INVALID)}, Verdict.SUSPECTED),
    ({"explicit": INVALID}, Verdict.SUSPECTED),
    ({"provenance": manifest(status=INVALID, ai_generated=True)}, Verdict.SUSPECTED),
    ({"provenance": manifest(status=INVALID, ai_generated=False)}, Verdict.NONE),
    ({"explicit": UNCHECKED, "watermark": UNCHECKED}, Verdict.UNDETERMINED),
    ({"metadata": UNCHECKED, "explicit": VALID}, Verdict.SUSPECTED),
    ({"watermark": UNCHECKED, "metadata": metadata()}, Verdict.CONFIRMED),
    ({"metadata": metadata(), "provenance": manifest(status=INVALID, intact=False)}, Verdict.SUSPECTED),
    ({"metadata": metadata(), "provenance": manifest(status=INVALID, intact=True)}, Verdict.CONFIRMED),
    ({"metadata": metadata(), "explicit": INVALID}, Verdict.CONFIRMED),
    ({"metadata": metadata(), "watermark": watermark(status=INVALID)}, Verdict.CONFIRMED),
    ({"metadata": metadata(status=INVALID), "provenance": manifest(LABEL)}, Verdict.SUSPECTED),
    ({"metadata": metadata(POSSIBLE), "provenance": manifest(ai_generated=True)}, Verdict.POSSIBLE),
])
def test_verdict_follows_article_6(findings, verdict):
    made = report(**findings)
    assert made.verdict is verdict
    assert made.reasons, "a verdict says why"


@pytest.mark.parametrize("findings,subject", [
    ({"metadata": metadata(OTHER), "watermark": watermark()}, "content"),
    ({"provenance": manifest(OTHER), "watermark": watermark()}, "content"),
    ({"provenance": manifest(payload=Payload.of(OTHER), ai_generated=True), "watermark": watermark()}, "watermark"),
    ({"metadata": metadata(), "provenance": manifest(OTHER)}, "label"),
])
def test_contradiction_is_reported_and_not_relied_on(findings, subject):
    made = report(**findings)
    wrong = [check for check in made.cross_checks if not check.agrees]
    assert [check.subject for check in wrong] == [subject]
    assert made.verdict is Verdict.SUSPECTED
    assert "contradict" in str(made.reasons[0])
    with pytest.raises(NotLabelled, match="disagrees"):
        made.require(wrong[0].layers[0])


def test_a_manifest_of_another_vendor_is_a_trace_that_is_named_and_a_label_in_one_a_statement():
    foreign = report(provenance=manifest(ai_generated=True, signer="Another Vendor"))
    assert "Another Vendor states a source of generative AI, which is weaker" in str(foreign.reasons[0])
    assert foreign.label is None and not foreign.doubts
    ours = report(provenance=manifest(LABEL, ai_generated=True, signer="Acme"))
    assert (ours.verdict, str(ours.reasons[0])) == (Verdict.CONFIRMED, "the signed manifest states Label 1")
    assert len(ours.reasons) == 1, "what states a label is no trace beside it"


def test_doubts_say_why_a_label_is_not_relied_on():
    assert report(metadata=metadata()).doubts == ()
    broken = report(metadata=metadata(), provenance=manifest(status=INVALID, intact=False))
    assert "provenance is broken" in str(broken.doubts[0]) and broken.reasons[0] == broken.doubts[0]
    assert report(metadata=metadata(OTHER), watermark=watermark()).doubts
    ended = report(metadata=metadata(), provenance=manifest(status=INVALID, intact=True))
    assert not ended.doubts and "certificate ended" in str(ended.reasons[-1])


def test_agreement_is_reported_too():
    made = report(metadata=metadata(), watermark=watermark(),
                  provenance=manifest(LABEL, PAYLOAD, trusted=True, trust_list="ours"))
    assert [check.agrees for check in made.cross_checks] == [True] * 4
    made.require(Layer.METADATA, Layer.WATERMARK, Layer.PROVENANCE)


def test_a_raised_kind_and_a_new_propagator_are_no_contradiction_for_the_watermark():
    spread = LABEL.propagated_by("platform", "77")
    assert all(check.agrees for check in report(metadata=metadata(spread), watermark=watermark()).cross_checks)
    assert report(metadata=metadata(SUSPECTED), watermark=watermark()).cross_checks[0].agrees


def test_invalid_layers_are_not_compared():
    made = report(metadata=metadata(OTHER, INVALID), watermark=watermark())
    assert made.cross_checks == ()


def test_a_public_key_is_said_to_prove_little():
    assert "anybody" in str(report(watermark=watermark()).reasons[0])
    assert "holders" in str(report(watermark=watermark(public=False)).reasons[0])


def test_require_names_what_is_missing():
    made = report(metadata=metadata(), watermark=ABSENT, provenance=INVALID)
    made.require(Layer.METADATA)
    with pytest.raises(NotLabelled, match="x.png: watermark absent, provenance invalid"):
        made.require(Layer.METADATA, Layer.WATERMARK, Layer.PROVENANCE)


def test_require_of_nothing_is_refused():
    for layers in ((), ("metadata",), (None,)):
        with pytest.raises(InvalidArgument, match="at least one layer of Layer.EXPLICIT"):
            report(metadata=metadata()).require(*layers)


def test_a_report_is_iterated_in_the_order_of_the_layers():
    made = report(metadata=metadata())
    assert [found.layer for found in made] == list(Layer)
    assert made[Layer.METADATA].label == LABEL == made.label
    assert report(metadata=metadata(status=INVALID)).label is None


def test_a_report_reads_as_lines_and_no_file_can_forge_one():
    lines = str(report(metadata=metadata(), explicit=Status.UNCHECKED)).splitlines()
    assert lines[0] == "x.png: confirmed" and lines[1].split()[:2] == ["explicit", "unchecked"]
    assert [line.split()[:2] for line in lines[-2:]] == [["because", "the"], ["not", "seen"]]
    forged = finding(Layer.METADATA, Status.ABSENT)
    forged = dataclasses.replace(forged, summary=Message("{value}", value="a\n  because  nothing\x1b[2J\u202e"))
    assert len(str(report(metadata=forged)).splitlines()) == len(str(report()).splitlines())
    assert "\x1b" not in str(report(metadata=forged))


def test_json_is_complete_and_in_both_languages():
    made = report(metadata=metadata(), watermark=watermark(), provenance=manifest(OTHER))
    for language in ("en", "zh-CN"):
        fields = json.loads(json.dumps(made.to_dict(language)))
        assert set(fields) == {"schema", "source", "verdict", "reasons", "doubts", "unseen", "layers", "cross_checks"}
        assert fields["schema"] == SCHEMA and fields["verdict"] == "suspected"
        assert list(fields["layers"]) == ["explicit", "watermark", "metadata", "provenance"]
        assert fields["layers"]["metadata"]["label"] == LABEL.fields()
        assert fields["layers"]["watermark"]["payload"]["hex"] == PAYLOAD.hex
        assert set(fields["layers"]["explicit"]) == {"status", "summary", "label", "payload", "evidence", "asked",
                                                     "missed"}
        assert [set(check) for check in fields["cross_checks"]] == [{"layers", "subject", "agrees", "summary"}] * 3
    assert made.to_dict("zh-CN")["reasons"] != made.to_dict("en")["reasons"]


# What was not looked at


def partly(layer: Layer, status: Status = ABSENT) -> Finding:
    return dataclasses.replace(finding(layer, status), missed=(Message("no manifest"),))


def left_out(layer: Layer) -> Finding:
    return dataclasses.replace(finding(layer, UNCHECKED), asked=False)


@pytest.mark.parametrize("layer", Layer)
def test_nothing_found_is_no_sign_of_ai_only_where_all_was_looked_at(layer):
    for gap in (finding(layer, UNCHECKED), partly(layer)):
        made = report(**{layer.value: gap})
        assert made.verdict is Verdict.UNDETERMINED and len(made.unseen) == 1
        assert made.reasons == made.unseen and layer.value in str(made.reasons[0])
        assert made.to_dict()["unseen"] == [str(made.unseen[0])]
    whole = report(**{layer.value: left_out(layer)})
    assert whole.verdict is Verdict.NONE and whole.unseen == ()
    assert layer.value not in str(whole.reasons[0]) and "the only layers" in str(whole.reasons[0])
    assert not whole.to_dict()["layers"][layer.value]["asked"]


def test_what_was_not_looked_at_is_said_beside_what_was_found():
    made = report(metadata=metadata(), explicit=partly(Layer.EXPLICIT))
    assert made.verdict is Verdict.CONFIRMED and len(made.unseen) == 1
    assert report(metadata=metadata()).unseen == ()


def test_a_layer_that_may_be_in_what_was_not_read_leaves_the_requirement_open():
    assert report(metadata=partly(Layer.METADATA)).unanswered(Layer.METADATA) == ["metadata not looked at wholly"]
    assert report(metadata=UNCHECKED).unanswered(Layer.METADATA) == ["metadata unchecked"]
    assert report(metadata=ABSENT).unanswered(Layer.METADATA) == []
    assert report(metadata=ABSENT).shortcomings(Layer.METADATA) == ["metadata absent"]
    twice = dataclasses.replace(metadata(), missed=(Message("no manifest"),))
    assert report(metadata=twice).shortcomings(Layer.METADATA) == []


# Whose word counts


def said(signer: str = "Acme", *, trusted: bool = True, intact: bool = True, relation: str = "active",
         sources: tuple[str, ...] = (), generative: bool = False, label: Label | None = None) -> Statement:
    return Statement(relation=relation, signer=signer, intact=intact, trusted=trusted, sources=sources,
                     generative=generative, aigc=label.fields() if label else {})


AI = ("trainedAlgorithmicMedia",)


def test_provenance_is_verified_by_a_trusted_signer_alone():
    trusted = report(provenance=manifest(trusted=True, trust_list="ours"))
    trusted.require(Layer.PROVENANCE)
    stranger = report(provenance=manifest(trust_list="ours"))
    assert stranger.unanswered(Layer.PROVENANCE) == []
    with pytest.raises(NotLabelled, match="its signer is not in the trust list"):
        stranger.require(Layer.PROVENANCE)
    nobody = report(provenance=manifest())
    assert nobody.unanswered(Layer.PROVENANCE) == nobody.shortcomings(Layer.PROVENANCE)
    with pytest.raises(NotLabelled, match="there is no trust list"):
        nobody.require(Layer.PROVENANCE)
    assert report(metadata=metadata(), provenance=manifest()).shortcomings(Layer.METADATA) == []


def test_a_trusted_signer_who_states_generative_ai_confirms_it_without_a_label():
    def seen(**of: object) -> Report:
        return report(provenance=manifest(ai_generated=True, trust_list="ours",
                                          statements=(said(sources=AI, generative=True, **of),)))
    made = seen()
    assert (made.verdict, made.stated) == (Verdict.CONFIRMED, Kind.GENERATED)
    assert "Acme, who is trusted, states" in str(made.reasons[0])
    assert seen(relation="parent").verdict is Verdict.CONFIRMED, "anywhere in the history"
    for stranger in (seen(trusted=False), seen(intact=False)):
        assert (stranger.verdict, stranger.stated) == (Verdict.SUSPECTED, None)
        assert "Acme states a source of generative AI, which is weaker" in str(stranger.reasons[0])
    both = report(metadata=metadata(POSSIBLE), provenance=manifest(
        ai_generated=True, trust_list="ours", statements=(said(sources=AI, generative=True),)))
    assert both.verdict is Verdict.CONFIRMED, "the strongest statement decides"


def test_a_label_is_its_own_signers_statement():
    laundered = report(provenance=manifest(LABEL, trusted=True, trust_list="ours", statements=(
        said("Acme"), said("Stranger", relation="parent", trusted=False, label=LABEL))))
    assert "Stranger, whom the trust list does not vouch for, states Label 1" in str(laundered.reasons[0])
    ours = report(provenance=manifest(LABEL, trusted=True, trust_list="ours", statements=(
        said("Acme"), said("Maker", relation="parent", label=LABEL))))
    assert "Maker, of an earlier version of the file, states Label 1" in str(ours.reasons[0])


def test_a_camera_under_a_label_that_says_ai_is_a_doubt():
    camera = said("Camera", sources=("digitalCapture",))

    def seen(*statements: Statement, label: Label = LABEL) -> Report:
        return report(metadata=metadata(label), provenance=manifest(trusted=True, trust_list="ours",
                                                                    statements=statements))
    made = seen(camera)
    assert made.verdict is Verdict.SUSPECTED and "Camera, who is trusted, states that a camera" in str(made.doubts[0])
    assert made.shortcomings(Layer.METADATA) == ["metadata disagrees with provenance"]
    edited = seen(said("Editor", sources=("compositeWithTrainedAlgorithmicMedia",), generative=True), camera)
    assert edited.verdict is Verdict.CONFIRMED and [check.agrees for check in edited.cross_checks] == [True]
    assert seen(said("Labeller", label=LABEL), camera).doubts == (), "an edit that its signer labels"
    assert seen(dataclasses.replace(camera, trusted=False)).doubts == (), "anybody can claim to be a camera"
    assert seen(dataclasses.replace(camera, relation="component")).doubts == (), "a part is not the whole"
    assert seen(camera, label=SUSPECTED).doubts == ()


def test_a_manifest_that_states_a_camera_and_label_1_contradicts_itself():
    made = report(provenance=manifest(LABEL, statements=(said(sources=("digitalCapture",), label=LABEL),)))
    assert made.verdict is Verdict.SUSPECTED and "contradicts itself" in str(made.doubts[0])
    edited = said(sources=("digitalCapture", *AI), generative=True, label=LABEL)
    assert report(provenance=manifest(LABEL, statements=(edited,))).doubts == ()


def test_an_absent_watermark_that_the_manifest_names_was_made_with_another_key():
    missing = finding(Layer.WATERMARK, ABSENT, evidence={"key_is_public": True})
    made = report(watermark=missing, provenance=manifest(LABEL, PAYLOAD))
    assert f"the manifest names watermark {PAYLOAD.hex}: it was made with another key" in str(
        made[Layer.WATERMARK].summary)
    assert made[Layer.WATERMARK].status is ABSENT and made.verdict is Verdict.CONFIRMED and not made.doubts
    for other in (report(watermark=missing, provenance=manifest(LABEL)),
                  report(watermark=missing, provenance=manifest(LABEL, PAYLOAD, INVALID))):
        assert "another key" not in str(other[Layer.WATERMARK].summary)
