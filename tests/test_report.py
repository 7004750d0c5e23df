# SPDX-License-Identifier: Apache-2.0
"""The verdict is that of the Labeling Measures, Article 6, and contradiction is never read as proof."""

import dataclasses
import json

import pytest

from labelkit.errors import InvalidArgument, NotLabelled
from labelkit.label import Kind, Label
from labelkit.messages import Message
from labelkit.report import SCHEMA, Finding, Layer, Report, Status, Verdict
from labelkit.watermark.payload import Payload

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


def finding(layer: Layer, status: Status = VALID, **more: object) -> Finding:
    return Finding(layer, status, Message("no manifest"), **more)


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
    ({"explicit": UNCHECKED, "watermark": UNCHECKED}, Verdict.NONE),
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
    made = report(metadata=metadata(), watermark=watermark(), provenance=manifest(LABEL, PAYLOAD))
    assert [check.agrees for check in made.cross_checks] == [True] * 4
    made.require(Layer.METADATA, Layer.WATERMARK, Layer.PROVENANCE)


def test_a_raised_kind_and_a_new_propagator_are_no_contradiction_for_the_watermark():
    spread = LABEL.spread_by("platform", "77")
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


def test_json_is_complete_and_in_both_languages():
    made = report(metadata=metadata(), watermark=watermark(), provenance=manifest(OTHER))
    for language in ("en", "zh-CN"):
        fields = json.loads(json.dumps(made.to_dict(language)))
        assert set(fields) == {"schema", "source", "verdict", "reasons", "doubts", "layers", "cross_checks"}
        assert fields["schema"] == SCHEMA and fields["verdict"] == "suspected"
        assert list(fields["layers"]) == ["explicit", "watermark", "metadata", "provenance"]
        assert fields["layers"]["metadata"]["label"] == LABEL.fields()
        assert fields["layers"]["watermark"]["payload"]["hex"] == PAYLOAD.hex
        assert set(fields["layers"]["explicit"]) == {"status", "summary", "label", "payload", "evidence"}
        assert [set(check) for check in fields["cross_checks"]] == [{"layers", "subject", "agrees", "summary"}] * 3
    assert made.to_dict("zh-CN")["reasons"] != made.to_dict("en")["reasons"]
