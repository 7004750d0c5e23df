# SPDX-License-Identifier: Apache-2.0
"""Rule by rule: what passes, what fails, and what must stay open because the report cannot answer it."""

from __future__ import annotations

import dataclasses
import datetime
import json
from contextlib import nullcontext

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import labelkit as lk
from labelkit import explicit, metadata
from labelkit.codec.samples import ImageSamples
from labelkit.compliance import Outcome, Profile, check
from labelkit.errors import InvalidLabel
from labelkit.explicit.image.font import BUNDLED
from labelkit.label import Kind, Label
from labelkit.log import Entry, LabelLog, Waiver
from labelkit.messages import Message
from labelkit.payload import Payload
from labelkit.report import Finding, Layer, Report, Status
from tests.evidence import evidence as evidence_of
from tests.files import chunk, png_with
from tests.media import LABEL, photo, saved

PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.CANNOT_TELL
GUIDE = "metadata-placement"
FIELDS = LABEL.fields()


def outcomes(report: Report, profile: Profile = Profile.GB45438) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    for result in check(report, profile):
        found.setdefault(result.rule, []).append(result.outcome)
    return found


def report(*findings: Finding) -> Report:
    given = {finding.layer: finding for finding in findings}
    return Report.of("x", {layer: given.get(layer, Finding(layer, Status.ABSENT, Message("no manifest")))
                           for layer in Layer})


def finding(layer: Layer, status: Status = Status.VALID, evidence: dict | None = None, **others: object) -> Finding:
    facts = None if evidence is None else evidence_of(layer, evidence)
    return Finding(layer, status, Message("no manifest"), evidence=facts, **others)


def in_png(value: dict[str, object] | str, key: bytes = b"AIGC") -> Report:
    """The metadata of a PNG whose label was written by somebody else."""
    return report(metadata.read(in_png_bytes(value, key)))


def in_png_bytes(value: dict[str, object] | str, key: bytes = b"AIGC") -> bytes:
    text = value if isinstance(value, str) else json.dumps({"AIGC": value}, ensure_ascii=False)
    return png_with(chunk(b"tEXt", key + b"\0" + text.encode()))


@pytest.mark.parametrize(("again", "metadata_label"), [('"Label":"2"', FAIL), ('"Label":"1"', PASS)])
def test_a_field_that_is_given_twice_fails(again, metadata_label):
    text = json.dumps(FIELDS)[:-1] + "," + again + "}"
    found = outcomes(in_png(text))
    assert found["metadata-label"] == [metadata_label]
    assert found["field-names"] == [FAIL]


def test_a_file_of_ours_passes_every_rule_of_the_standard():
    results = check(lk.verify(lk.embed(saved(photo(), "JPEG", quality=92), label=LABEL)))
    assert {result.outcome for result in results} == {PASS}
    assert {"explicit-label", "explicit-position", "explicit-height", "explicit-contrast", "metadata-label",
            "metadata-unique", GUIDE,
            "json-form", "seven-fields", "field-names", "label-value", "characters", "elements", "provider-code",
            "signature", "layers-agree"} == {result.rule for result in results}


def test_a_plain_file_fails_where_a_label_is_missing_and_stays_open_where_one_may_be_unseen():
    assert outcomes(lk.verify(saved(photo(), "JPEG"))) == {"explicit-label": [OPEN], "metadata-label": [FAIL]}


def test_every_result_is_said_in_both_languages():
    for profile in Profile:
        for result in check(lk.verify(lk.embed(saved(photo(), "PNG"), label=LABEL)), profile):
            english, chinese = result.to_dict(), result.to_dict("zh-CN")
            assert set(english) == {"rule", "clause", "asks", "found", "outcome", "encouraged"}
            assert english["asks"] != chinese["asks"] and english["found"]
            assert english["outcome"] == chinese["outcome"]


@pytest.mark.parametrize("change,rule,outcome", [
    ({}, "seven-fields", PASS),
    ({"ReservedCode1": None}, "seven-fields", FAIL),
    ({"Label": 1}, "seven-fields", FAIL),
    ({"PropagateID": "%!s(MISSING)"}, "seven-fields", FAIL),
    ({"Extra": "x"}, "field-names", FAIL),
    ({"Label": "4"}, "label-value", FAIL),
    ({"ContentPropagator": "某平台"}, "characters", OPEN),
    ({"ContentPropagator": "platform"}, "characters", PASS),
    ({"PropagateID": ""}, "elements", FAIL),
    ({"Label": "2", "ContentProducer": "", "ProduceID": ""}, "elements", OPEN),
    ({"Label": "1", "ContentProducer": "", "ProduceID": ""}, "elements", FAIL),
    ({"ReservedCode1": "e862483430d978cbf828b8b24296ef9328d843a0"}, "signature", OPEN),
])
def test_fields_of_others_are_judged_one_by_one(change, rule, outcome):
    found = outcomes(in_png({**FIELDS, **change}))
    assert found[rule][0] is outcome
    rest = {name: seen for name, seen in found.items() if name not in (rule, "explicit-label", "metadata-label")}
    if change and outcome is FAIL and rule in ("field-names", "label-value"):
        assert all(FAIL not in seen for seen in rest.values()), "one mistake is one failure"


def test_what_deviates_is_shown():
    judged = {result.rule: str(result.found) for result in check(in_png({**FIELDS, "ContentPropagator": "某平台"}))}
    assert judged["characters"] == "ContentPropagator: character 某" and judged["label-value"] == "as asked"


@pytest.mark.parametrize("code,wanted", [
    ("001191440300708461136T1XGW3", PASS), ("acme", PASS), ("001191440300708461136X1XGW3", FAIL)])
def test_check_digits_of_provider_codes(code, wanted):
    assert outcomes(in_png({**FIELDS, "ContentProducer": code}))["provider-code"][0] is wanted


def test_placement_and_form():
    assert outcomes(in_png(FIELDS))[GUIDE] == [PASS], "annex B of the guide shows a PNG text too"
    assert outcomes(in_png(FIELDS, b"Comment"))[GUIDE] == [FAIL]
    assert outcomes(in_png(FIELDS))["json-form"] == [PASS]
    assert outcomes(in_png(json.dumps(json.dumps(FIELDS))))["json-form"] == [FAIL]
    svg = metadata.write(b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>', LABEL)
    assert outcomes(report(metadata.read(svg)))[GUIDE] == [OPEN]


def test_two_labels_are_one_too_many():
    twice = png_with(*[chunk(b"tEXt", b"AIGC\0" + LABEL.to_json(wrapped=True).encode())] * 2)
    assert outcomes(report(metadata.read(twice)))["metadata-unique"] == [FAIL]


def test_what_is_unreadable_or_unchecked_is_said_to_be():
    broken = outcomes(in_png("{not json"))
    assert broken["metadata-label"] == [FAIL] and "seven-fields" not in broken
    assert outcomes(report(finding(Layer.METADATA, Status.UNCHECKED)))["metadata-label"] == [OPEN]


@pytest.mark.parametrize("status,evidence,wanted", [
    (Status.VALID, {"text": "AI生成", "position": "top-left", "height_share": 0.061}, [PASS, PASS, PASS, None]),
    (Status.INVALID, {"text": "AI生成", "position": "top", "height_share": 0.031}, [PASS, PASS, FAIL, None]),
    (Status.INVALID, {"text": "AI生成", "position": "top", "height_share": 0.06}, [PASS, PASS, PASS, FAIL]),
    (Status.VALID, {"text": "AI生成", "position": "", "height_share": 0.06}, [PASS, FAIL, PASS, None]),
    (Status.UNCHECKED, {}, [OPEN, None, None, None]),
    (Status.ABSENT, {"texts": []}, [OPEN, None, None, None])])
def test_explicit_label(status, evidence, wanted):
    found = outcomes(report(finding(Layer.EXPLICIT, status, evidence=evidence)))
    rules = ("explicit-label", "explicit-position", "explicit-height", "explicit-form")
    assert [found.get(rule, [None])[0] for rule in rules] == wanted


@pytest.mark.parametrize("status,evidence,wanted", [
    (Status.ABSENT, {"seen_by": "reading", "unread": 0}, FAIL),
    (Status.ABSENT, {"seen_by": "reading", "unread": 2}, OPEN),
    (Status.ABSENT, {"seen_by": "reading", "unread": 0, "mention": {"text": "AI生成大赛"}}, OPEN),
    (Status.UNCHECKED, {"seen_by": "reading", "unread": 0}, OPEN),
    (Status.VALID, {"seen_by": "reading", "text": "AI-generated", "wording": "english"}, OPEN),
    (Status.VALID, {"seen_by": "reading", "text": "豆包AI生成", "wording": "label"}, PASS)])
def test_what_was_read_is_an_answer_only_where_all_was_read(status, evidence, wanted):
    assert outcomes(report(finding(Layer.EXPLICIT, status, evidence=evidence)))["explicit-label"] == [wanted]


def test_a_waiver_on_record_stands_for_the_explicit_label_and_for_nothing_else(tmp_path):
    entry = Entry(datetime.datetime(2026, 3, 4, tzinfo=datetime.UTC), LABEL, plan=lk.Plan(explicit=None),
                  waiver=Waiver("user-77", "2026-03"))
    with LabelLog(tmp_path / "log.db") as log:
        record, plain = log.record(entry, dataclasses.replace(entry, waiver=None))
    bare = report(finding(Layer.EXPLICIT, Status.ABSENT, evidence={"seen_by": "reading", "unread": 0}))
    found = {result.rule: result for result in check(bare, waived=record)}
    assert found["explicit-label"].outcome is PASS and "Article 9" in str(found["explicit-label"].clause)
    assert str(found["explicit-label"].found) == ("waived for user-77 under 2026-03; record 1 of the log, "
                                                  "2026-03-04T00:00:00Z")
    assert found["metadata-label"].outcome is FAIL
    assert outcomes(bare)["explicit-label"] == [FAIL]
    assert {result.rule: result for result in check(bare, waived=plain)}["explicit-label"].outcome is FAIL
    low = report(finding(Layer.EXPLICIT, Status.INVALID, evidence={"text": "AI生成", "height_share": 0.03}))
    assert {result.rule: result for result in check(low, waived=record)}["explicit-height"].outcome is FAIL


def test_the_clause_is_that_of_the_medium():
    for family, clause in (("image", "5.2"), ("audio", "5.3"), ("video", "5.4"), ("document", "5.1")):
        stated = finding(Layer.METADATA, label=LABEL, evidence={"family": family})
        first = check(report(stated, finding(Layer.EXPLICIT, evidence={"heard": []})))[0]
        assert str(first.clause).endswith(clause) and first.outcome is PASS
        assert ("rhythm" in str(first.asks)) is (family == "audio")


def test_layers_that_contradict_and_manifests_that_are_broken_fail():
    other = finding(Layer.WATERMARK, payload=Payload(kind=1, producer=1, content=2))
    stated = finding(Layer.METADATA, label=LABEL, evidence={"family": "image"})
    assert outcomes(report(stated, other))["layers-agree"] == [FAIL]
    ours = finding(Layer.WATERMARK, payload=Payload.of(LABEL))
    assert outcomes(report(stated, ours))["layers-agree"] == [PASS]
    broken = finding(Layer.PROVENANCE, Status.INVALID, evidence={"intact": False})
    assert outcomes(report(stated, broken))["manifest-whole"] == [FAIL]
    assert "manifest-whole" not in outcomes(report(stated))


def test_no_file_makes_a_rule_raise():
    random = np.random.default_rng(7)
    data = in_png_bytes({**FIELDS, "ReservedCode1": {"SecurityData": {"PubSD": [{"Type": "DS"}]}}, "x": None})
    start = data.index(b"AIGC")
    for _ in range(300):
        broken = bytearray(data)
        for at in random.integers(start, start + 300, 3):
            broken[at] = random.integers(0, 256)
        try:
            case = report(metadata.read(bytes(broken)))
        except lk.LabelkitError:
            continue
        for profile in Profile:
            assert all(result.to_dict("zh-CN") for result in check(case, profile))


def manifest(**evidence: object) -> Finding:
    return finding(Layer.PROVENANCE, label=evidence.pop("label", None), evidence=evidence)


STAMP = {"time": "2026-11-24T09:00:00+00:00", "trusted": True}


PERSONS = {"detector", "visible-disclosure", "manifest-disclosure"}  # rules that no file answers
ENCOURAGED = {"system-name", "provider-name", "time", "model", "edit-type"}


def test_the_european_code_wants_signed_metadata_and_a_watermark():
    full = outcomes(report(manifest(ai_generated=True, trusted=True, time_stamp=STAMP), finding(Layer.WATERMARK)),
                    Profile.EU)
    decided = {name: seen for name, seen in full.items() if name not in PERSONS | ENCOURAGED}
    assert set(decided) == {"machine-readable", "signed-metadata", "signed-statement", "time-stamp", "signer-trusted",
                            "watermark"}
    assert all(seen == [PASS] for seen in decided.values())
    bare = outcomes(report(manifest(ai_generated=False, trusted=False, time_stamp=None)), Profile.EU)
    assert {name: seen for name, seen in bare.items() if name not in PERSONS | ENCOURAGED} == {
        "machine-readable": [FAIL], "signed-metadata": [PASS], "signed-statement": [FAIL],
        "time-stamp": [FAIL], "signer-trusted": [OPEN], "watermark": [OPEN]}
    label_alone = outcomes(report(finding(Layer.METADATA, label=LABEL)), Profile.EU)
    assert (label_alone["machine-readable"], label_alone["signed-metadata"]) == ([PASS], [FAIL])
    broken = finding(Layer.PROVENANCE, Status.INVALID, evidence={"ai_generated": True})
    assert outcomes(report(broken), Profile.EU)["signed-metadata"] == [FAIL]
    untrusted = manifest(ai_generated=True, time_stamp={**STAMP, "trusted": False})
    assert outcomes(report(untrusted), Profile.EU)["time-stamp"] == [OPEN]


def test_california_wants_who_what_when_and_which():
    full = outcomes(report(manifest(label=LABEL, signer="Acme Imaging", generator="Painter 2.0", time_stamp=STAMP,
                                    ai_generated=True), finding(Layer.WATERMARK)), Profile.CALIFORNIA)
    assert set(full) == {"provider-name", "system", "time", "unique-identifier", "detectable", "signed-metadata",
                         "watermark", "manifest-disclosure", "detector"}
    assert all(seen == [PASS] for name, seen in full.items() if name not in PERSONS)
    stated = outcomes(report(manifest(generator="Painter", created="2026-03-04T05:06:07+00:00", time_stamp=None)),
                      Profile.CALIFORNIA)
    assert (stated["time"], stated["system"]) == ([PASS], [OPEN]), "a name without a version"
    nothing = outcomes(report(), Profile.CALIFORNIA)
    assert nothing.pop("watermark") == [OPEN]
    assert all(seen == [FAIL] for name, seen in nothing.items() if name not in PERSONS)


@pytest.mark.parametrize("producer,public,name,system", [
    ("acme", None, PASS, FAIL), ("001191440300708461136T1XGW3", "Tencent", PASS, OPEN),
    ("001191440300708461136T1XGW3", None, OPEN, OPEN), ("001191440300708461136T00000", None, OPEN, FAIL)])
def test_a_code_is_no_name(producer, public, name, system):
    label = Label(Kind.GENERATED, producer, "1")
    found = outcomes(report(finding(Layer.METADATA, label=label, evidence={"producer": public})), Profile.CALIFORNIA)
    assert (found["provider-name"], found["system"]) == ([name], [system])


# legibility


def seen(**facts: object) -> Report:
    known = {"text": "AI生成", "position": "bottom-right", "height_share": 0.06, **facts}
    return report(finding(Layer.EXPLICIT, evidence=known))


@pytest.mark.parametrize(("contrast", "outcome"), [(21.0, PASS), (3.0, PASS), (2.9, OPEN), (2.4, FAIL), (1.3, FAIL)])
def test_a_label_that_hardly_differs_from_its_ground_is_not_legible(contrast, outcome):
    assert outcomes(seen(contrast=contrast))["explicit-contrast"] == [outcome]
    assert "explicit-contrast" not in outcomes(seen())


@pytest.mark.parametrize(("levels", "outcome"), [([-6.0], PASS), ([-20.0], PASS), ([-22.0], OPEN), ([-40.0], FAIL),
                                                 ([-40.0, -6.0], PASS), ([None], OPEN)])
def test_a_rhythm_that_drowns_in_the_programme_is_not_distinguishable(levels, outcome):
    heard = [{"sound": "rhythm", "start_s": 0.4, "level_db": level, "loudness_lufs": -50.0} for level in levels]
    sound = report(finding(Layer.EXPLICIT, evidence={"heard": heard}),
                   dataclasses.replace(metadata.read(in_png_bytes(FIELDS)), status=Status.VALID))
    facts = dataclasses.replace(sound.metadata, family="audio")
    sound = report(*(dataclasses.replace(one, evidence=facts) if one.layer is Layer.METADATA else one for one in sound))
    assert outcomes(sound)["explicit-level"] == [outcome]


@pytest.mark.parametrize(("ink", "outcome"), [((40, 40, 60), FAIL), ((230, 40, 40), PASS), ((255, 255, 255), PASS)])
def test_contrast_is_that_of_the_colours(ink, outcome):
    sheet = Image.new("RGB", (600, 400), (5, 5, 5))
    ImageDraw.Draw(sheet).text((590, 390), "AI生成", fill=ink, font=ImageFont.truetype(str(BUNDLED), 36), anchor="rs")
    found = explicit.find(ImageSamples((np.asarray(sheet),)))
    assert outcomes(report(found))["explicit-contrast"] == [outcome]


# names, codes and numbers


@pytest.mark.parametrize(("value", "outcome"), [
    (LABEL.content_producer, PASS), (LABEL.content_producer[:-1], FAIL), (LABEL.content_producer.lower(), FAIL),
    ("009" + LABEL.content_producer[3:], FAIL), ("Acme", PASS), ("00-Agent", PASS), ("00Agency", PASS)])
def test_what_looks_like_a_code_is_judged_as_one(value, outcome):
    found = outcomes(in_png({**FIELDS, "ContentProducer": value, "ContentPropagator": "Acme"}))
    assert found["provider-code"] == [outcome, PASS]
    with nullcontext() if outcome is PASS else pytest.raises(InvalidLabel, match="is not a provider code"):
        Label(Kind.GENERATED, value, "7")


def test_a_number_of_ten_thousand_characters_is_named_and_not_shown_in_full():
    long = in_png({**FIELDS, "ProduceID": "x" * 10_000})
    assert outcomes(long)["value-length"] == [OPEN]
    assert len(str(long[Layer.METADATA].summary)) < 300
    assert "value-length" not in outcomes(in_png(FIELDS))
