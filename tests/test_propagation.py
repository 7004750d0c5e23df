# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import itertools
import json

import pytest

import labelkit as lk
from labelkit import metadata as metadata_room
from labelkit.errors import InvalidArgument, InvalidLabel
from labelkit.evidence import CheckFailure, Statement
from labelkit.label import Kind, Label
from labelkit.messages import Message
from labelkit.payload import Payload
from labelkit.propagation import NOTICES, decide, rule
from labelkit.report import Finding, Layer, Report, Status, Verdict
from tests.evidence import evidence as evidence_of
from tests.files import chunk, decoys_before_a_label, picture, png_with

LABEL = Label(Kind.GENERATED, "001191440300708461136T1XGW3", "2026-000017")
UNKNOWN = Label(Kind.SUSPECTED, "", "", content_propagator="elsewhere", propagate_id="1")
CONFIRMED, POSSIBLE, SUSPECTED, NONE = Verdict.CONFIRMED, Verdict.POSSIBLE, Verdict.SUSPECTED, Verdict.NONE

# Labeling Measures, Article 6, keeping what the producer wrote: stated, declared, traced -> tier, kind to write
TABLE = {
    ("1", False, False): (CONFIRMED, "1"), ("1", False, True): (CONFIRMED, "1"),
    ("1", True, False): (CONFIRMED, "1"), ("1", True, True): (CONFIRMED, "1"),
    ("2", False, False): (POSSIBLE, "2"), ("2", False, True): (POSSIBLE, "2"),
    ("2", True, False): (POSSIBLE, "2"), ("2", True, True): (POSSIBLE, "2"),
    ("3", False, False): (SUSPECTED, "3"), ("3", False, True): (SUSPECTED, "3"),
    ("3", True, False): (POSSIBLE, "2"), ("3", True, True): (POSSIBLE, "2"),
    (None, True, False): (POSSIBLE, "2"), (None, True, True): (POSSIBLE, "2"),
    (None, False, True): (SUSPECTED, "3"), (None, False, False): (NONE, None),
}


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_table_of_article_6(case):
    stated, declared, traced = case
    tier, write = TABLE[case]
    assert rule(stated and Kind(stated), declared, traced, False) == (tier, write and Kind(write))


def test_table_is_whole():
    assert set(TABLE) == set(itertools.product(("1", "2", "3", None), (False, True), (False, True)))


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_doubted_label_is_neither_trusted_nor_overwritten(case):
    stated, declared, traced = case
    tier, write = rule(stated and Kind(stated), declared, traced, True)
    assert write is None
    # a broken manifest of a camera is no sign of AI: no tier is raised without evidence
    assert tier is (POSSIBLE if declared else SUSPECTED if stated or traced else NONE)


def found(layer: Layer, status: Status = Status.ABSENT, evidence: dict | None = None, **others: object) -> Finding:
    facts = None if evidence is None else evidence_of(layer, evidence)
    return Finding(layer, status, Message("as found"), evidence=facts, **others)


def report(*findings: Finding) -> Report:
    given = {finding.layer: finding for finding in findings}
    return Report.of("upload.png", {layer: given.get(layer, found(layer)) for layer in Layer})


def metadata(label: Label, **others: object) -> Finding:
    return found(Layer.METADATA, Status.VALID, label=label, **others)


def spread(case: Report, **others: object):
    return decide(case, "PLATFORM", "post-9", **others)


def test_producers_fields_stay_and_the_platforms_are_added():
    signed = Label(LABEL.kind, LABEL.content_producer, LABEL.produce_id, reserved_code1="abc",
                   content_propagator="before", propagate_id="0", reserved_code2="def")
    decision = spread(report(metadata(signed)))
    assert (decision.tier, decision.verified, decision.notice) == (CONFIRMED, True, "该内容属于人工智能生成合成内容")
    assert decision.label.fields() == {**signed.fields(), "ContentPropagator": "PLATFORM", "PropagateID": "post-9",
                                       "ReservedCode2": ""}


def test_producer_named_in_chinese_is_kept_as_it_is():
    foreign = Label.as_found(Kind.GENERATED, {**LABEL.fields(), "ContentProducer": "某某 科技"})
    assert spread(report(metadata(foreign))).label.content_producer == "某某 科技"


def test_declaration_raises_a_suspicion_and_nothing_else():
    assert spread(report(metadata(UNKNOWN)), declared=True).label.kind is Kind.POSSIBLE
    assert spread(report(metadata(UNKNOWN))).label.kind is Kind.SUSPECTED
    assert spread(report(metadata(LABEL)), declared=True).label.kind is Kind.GENERATED


def test_unlabelled_content_gets_no_invented_producer():
    decision = spread(report(), declared=True)
    assert (decision.tier, decision.label.kind) == (POSSIBLE, Kind.POSSIBLE)
    assert (decision.label.content_producer, decision.label.produce_id) == ("", "")
    assert Label.from_fields(decision.label.fields()) == decision.label


def test_nothing_found_and_nothing_declared_writes_nothing():
    decision = spread(report())
    assert (decision.tier, decision.notice, decision.label, decision.verified) == (NONE, None, None, True)


def test_what_could_not_be_looked_at_is_no_all_clear_and_is_not_written_over():
    for gap in (Status.UNCHECKED, Status.ABSENT):
        missed = found(Layer.METADATA, gap, missed=(Message("as found"),))
        decision = spread(report(missed))
        assert (decision.tier, decision.notice, decision.label) == (Verdict.UNDETERMINED, None, None)
        declared = spread(report(missed), declared=True)
        assert (declared.tier, declared.label) == (POSSIBLE, None)
        assert any("no label is put over" in str(reason) for reason in declared.reasons)
    elsewhere = spread(report(found(Layer.WATERMARK, Status.UNCHECKED)), declared=True)
    assert elsewhere.label.kind is Kind.POSSIBLE, "the metadata was read, so a label can be added"


def test_a_trusted_statement_of_generative_ai_is_written_as_such():
    made = found(Layer.PROVENANCE, Status.VALID, evidence={"ai_generated": True, "trust_list": "ours", "statements": (
        Statement(relation="active", signer="Acme", intact=True, trusted=True, sources=(), generative=True, aigc={}),)})
    decision = spread(report(made))
    assert (decision.tier, decision.label.kind) == (CONFIRMED, Kind.GENERATED)


@pytest.mark.parametrize("trace", [
    found(Layer.EXPLICIT, Status.VALID), found(Layer.WATERMARK, Status.VALID, payload=Payload.of(LABEL)),
    found(Layer.PROVENANCE, Status.VALID, evidence={"ai_generated": True, "signer": "Another Vendor"}),
    found(Layer.PROVENANCE, Status.INVALID, evidence={"ai_generated": True, "intact": True}),
    found(Layer.METADATA, evidence={"traces": [{"trace": "software", "value": "some generator"}]})])
def test_every_trace_makes_a_suspicion(trace):
    decision = spread(report(trace))
    assert (decision.tier, decision.label.kind) == (SUSPECTED, Kind.SUSPECTED)
    assert spread(report(trace), declared=True).tier is POSSIBLE


def test_manifest_of_a_camera_is_no_trace():
    camera = found(Layer.PROVENANCE, Status.VALID, evidence={"ai_generated": False})
    store = found(Layer.METADATA, evidence={"traces": [{"trace": "C2PA manifest store"}]})
    assert spread(report(camera, store)).tier is NONE


@pytest.mark.parametrize("doubt", [
    [found(Layer.METADATA, Status.INVALID, label=LABEL)],
    [metadata(LABEL), found(Layer.PROVENANCE, Status.INVALID, evidence={"intact": False, "ai_generated": True})],
    [metadata(LABEL), found(Layer.WATERMARK, Status.VALID, payload=Payload(kind=1, producer=1, content=2))]])
def test_contradicted_and_broken_labels_are_reported_not_replaced(doubt):
    decision = spread(report(*doubt))
    assert (decision.tier, decision.label, decision.verified) == (SUSPECTED, None, False)
    assert decision.reasons[0].text("zh-CN") != ""


def test_manifest_whose_certificate_ended_accuses_nobody():
    ended = found(Layer.PROVENANCE, Status.INVALID, evidence={"intact": True, "ai_generated": True})
    decision = spread(report(metadata(LABEL), ended))
    assert (decision.tier, decision.verified) == (CONFIRMED, True)


ANYTHING = [found(layer, status, label=label, payload=payload, evidence=evidence)
            for layer in Layer for status in Status for label, payload, evidence in [
                (None, None, None), (LABEL, None, None), (UNKNOWN, None, None), (None, Payload.of(LABEL), None)]]
ANYTHING += [found(layer, status, evidence=evidence) for status in Status for layer, evidence in [
    (Layer.PROVENANCE, {"ai_generated": True, "intact": True}), (Layer.PROVENANCE, {"ai_generated": True}),
    (Layer.METADATA, {"traces": [{"trace": "software", "value": "some generator"}]})]]


def test_the_tier_is_the_verdict_whatever_was_found():
    for first, second in itertools.product(ANYTHING, ANYTHING):
        case = report(first, second)
        decision = spread(case)
        assert decision.tier is case.verdict
        assert decision.verified == (not case.doubts) and (decision.verified or decision.label is None)
        raised = spread(case, declared=True)
        assert raised.tier is (POSSIBLE if case.verdict in (NONE, SUSPECTED, Verdict.UNDETERMINED) else case.verdict)
        assert decision.reasons and raised.reasons


def test_a_kind_that_the_producer_may_have_signed_is_not_raised_in_the_file():
    signed = Label.as_found(Kind.SUSPECTED, {**UNKNOWN.fields(), "ReservedCode1": "signature"})
    decision = spread(report(metadata(signed)), declared=True)
    assert (decision.tier, decision.label.kind) == (POSSIBLE, Kind.SUSPECTED)
    assert decision.label.reserved_code1 == "signature"
    assert "ReservedCode1 may sign it" in str(decision.reasons[-1])


def test_spread_writes_what_decide_says(tmp_path):
    upload, served = tmp_path / "upload.png", tmp_path / "served.png"
    upload.write_bytes(metadata_room.write(picture("PNG"), LABEL))
    decision = lk.propagate(upload, served, "PLATFORM", "post-9")
    assert decision.label == LABEL.propagated_by("PLATFORM", "post-9") == lk.verify(served).label
    assert metadata_room.read(upload).label == LABEL, "the source stays"
    out = io.BytesIO()
    assert lk.propagate(upload.read_bytes(), out, "PLATFORM", "post-9").label == decision.label
    assert out.getvalue() == served.read_bytes()
    assert set(decision.to_dict()) == {"tier", "notice", "label", "verified", "reasons", "report"}


def test_what_was_not_read_wholly_is_not_answered(tmp_path):
    served = tmp_path / "served.png"
    decision = lk.propagate(decoys_before_a_label(), served, "PLATFORM", "1", effort="fast")
    assert (decision.tier, decision.label) == (Verdict.UNDETERMINED, None) and not served.exists()
    assert any("metadata" in str(reason) for reason in decision.reasons)
    plain = lk.propagate(picture("PNG"), served, "PLATFORM", "1", effort="fast")
    assert plain.tier is NONE


@pytest.mark.parametrize(("layer", "error", "answered"), [
    (Layer.METADATA, "LimitExceeded", False), (Layer.PROVENANCE, "MalformedFile", False),
    (Layer.WATERMARK, "LimitExceeded", False)])
def test_a_layer_that_failed_leaves_the_question_open(layer, error, answered):
    failed = Finding(layer, Status.UNCHECKED, Message("as found"), evidence=CheckFailure(error))
    assert (spread(report(failed)).tier is NONE) is answered
    assert spread(report(failed), declared=True).tier is POSSIBLE


def test_spread_writes_nothing_where_nothing_is_owed_or_all_is_in_doubt(tmp_path):
    served = tmp_path / "served.png"
    assert lk.propagate(picture("PNG"), served, "PLATFORM", "1").label is None and not served.exists()
    broken = png_with(chunk(b"tEXt", b"AIGC\0{not json"))
    decision = lk.propagate(broken, served, "PLATFORM", "1", declared=True)
    assert (decision.tier, decision.verified, decision.label) == (POSSIBLE, False, None) and not served.exists()


def test_what_a_producer_wrote_stays_whatever_it_is(tmp_path):
    theirs = {**LABEL.fields(), "ContentProducer": "某公司", "ProduceID": "编号 7"}
    upload = png_with(chunk(b"tEXt", b"AIGC\0" + json.dumps({"AIGC": theirs}, ensure_ascii=False).encode()))
    decision = lk.propagate(upload, tmp_path / "served.png", "PLATFORM", "post-9")
    label = metadata_room.read(tmp_path / "served.png").label
    assert (label.content_producer, label.produce_id, label.content_propagator) == ("某公司", "编号 7", "PLATFORM")
    assert label == decision.label == metadata_room.read(upload).label.propagated_by("PLATFORM", "post-9")
    for ours in (("平台", "post-9"), ("PLATFORM", "编号 9"), ("PLATFORM", ""), ("", "")):
        with pytest.raises(InvalidLabel):
            metadata_room.read(upload).label.propagated_by(*ours)


def test_spreading_again_changes_only_the_platforms_fields(tmp_path):
    first, second = tmp_path / "1.png", tmp_path / "2.png"
    lk.propagate(metadata_room.write(picture("PNG"), LABEL), first, "ONE", "1")
    decision = lk.propagate(first, second, "TWO", "2")
    assert decision.label == LABEL.propagated_by("TWO", "2") == metadata_room.read(second).label
    with pytest.raises(InvalidArgument, match="same file"):
        lk.propagate(second, second, "TWO", "3")
    assert lk.propagate(second, second, "TWO", "3", in_place=True).label.propagate_id == "3"


@pytest.mark.parametrize("wrong", [("", "1"), ("platform", ""), ("平台", "1"), ("a b", "1")])
def test_platforms_own_fields_are_checked(wrong):
    with pytest.raises(InvalidLabel):
        decide(report(metadata(LABEL)), *wrong)


def test_notices_name_both_elements():
    assert set(NOTICES) == set(Verdict)
    assert all("人工智能" in text and "生成合成" in text for text in NOTICES.values() if text)


def test_the_old_name_of_propagated_by_warns_and_works():
    with pytest.warns(DeprecationWarning, match="propagated_by"):
        assert LABEL.spread_by("platform", "9") == LABEL.propagated_by("platform", "9")
