# SPDX-License-Identifier: Apache-2.0
"""What an untrusted process sends is taken for a report only if it is one, to the last type."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from random import Random

import pytest

import labelkit as lk
from labelkit import errors
from labelkit.errors import InvalidArgument, LabelkitError, MalformedFile, UnsupportedFormat
from labelkit.isolation import wire
from labelkit.label import Kind, Label
from labelkit.messages import Message
from labelkit.provenance import Claim, sign
from tests.media import photo, saved
from tests.sounds import speech

LABEL = Label(Kind.GENERATED, "acme", "17")


@pytest.fixture(scope="module")
def reports(signer) -> list[lk.Report]:
    """Reports that together hold every kind of evidence of pictures and sound."""
    plain = saved(photo(), "PNG")
    labelled = lk.embed(saved(photo(), "JPEG", quality=92), label=LABEL, plan=lk.Plan(provenance=signer))
    sound = lk.embed(speech(5.0), label=LABEL, rate=16_000, format="wav")
    flipped = labelled[:-300] + bytes([labelled[-300] ^ 1]) + labelled[-299:]
    return [lk.verify(data) for data in (plain, labelled, sound, flipped, labelled[:-900])] + [
        lk.verify(plain, layers=[lk.Layer.METADATA])]


def test_reports_come_back_as_they_were(reports):
    for report in reports:
        found = wire.read_reply(wire.write_report(report), "x")
        again = lk.Report.of(report.source, found)
        assert list(again) == list(report)
        for language in ("en", "zh-CN"):
            assert again.to_dict(language) == report.to_dict(language)


@pytest.mark.parametrize("error", [
    UnsupportedFormat("{where}: the file is empty", where="x.png"),
    InvalidArgument("{where} cannot be opened: {reason}", where="x", reason=Message("it is not a file name")),
    LabelkitError("the memory of the machine is not sufficient")])
def test_errors_come_back_as_they_were(error):
    with pytest.raises(wire.Reported) as reported:
        wire.read_reply(wire.write_error(error), "x")
    made = reported.value.error
    assert (type(made), str(made), made.text("zh-CN"), str(made.hint)) == (
        type(error), str(error), error.text("zh-CN"), str(error.hint))


def reply(change: Callable[[dict], object]) -> bytes:
    """A reply with one thing changed in its metadata finding."""
    report = lk.verify(saved(photo(64, 64), "PNG"), layers=[lk.Layer.METADATA])
    made = json.loads(wire.write_report(report))
    change(made["findings"]["metadata"])
    return json.dumps(made).encode()


def test_the_reply_that_is_changed_below_is_good():
    assert wire.read_reply(reply(lambda found: None), "x")[lk.Layer.METADATA].status is lk.Status.ABSENT


@pytest.mark.parametrize("change", [
    lambda found: found.update(status="perfect"), lambda found: found.pop("status"),
    lambda found: found.update(summary=["no such template", {}]),
    lambda found: found.update(summary=["{value.__class__}", {"value": "x"}]),
    lambda found: found.update(summary=["{value:1000000000}", {"value": 1}]),
    lambda found: found.update(summary=["{value}", {"value": {"a": 1}}]),
    lambda found: found.update(summary=["{value}", {"template": "x", "value": "y"}]),
    lambda found: found.update(summary=["{value}", {"value": "x" * 100_000}]),
    lambda found: found.update(summary="no AIGC label in the metadata"),
    lambda found: found.update(missed=["x"]), lambda found: found.update(missed=None),
    lambda found: found.update(asked="yes"), lambda found: found.update(asked=1),
    lambda found: found.update(label=["1", {}]), lambda found: found.update(label=["9", LABEL.fields()]),
    lambda found: found.update(label={"kind": "1"}), lambda found: found.update(payload="xyz"),
    lambda found: found.update(payload="00"), lambda found: found.update(payload=7),
    lambda found: found.update(evidence={}), lambda found: found.update(evidence={"": "Popen", "args": "ls"}),
    lambda found: found.update(evidence={"": "Label", "kind": "1"}),
    lambda found: found["evidence"].update(more=1), lambda found: found["evidence"].pop("format"),
    lambda found: found["evidence"].update(format=None), lambda found: found["evidence"].update(duplicates="1"),
    lambda found: found["evidence"].update(duplicates=True), lambda found: found["evidence"].update(carriers={}),
    lambda found: found["evidence"].update(traces=[{"": "Deviation", "field": "a", "deviation": "b"}]),
    lambda found: found["evidence"].update(signatures={"a": "b"})])
def test_what_is_not_of_its_type_is_refused(change):
    with pytest.raises(MalformedFile, match="x: the process that read it answered with what is no report"):
        wire.read_reply(reply(change), "x")


@pytest.mark.parametrize("data", [
    b"", b"{", b"[]", b"5", b"null", b"\xff\xfe", b"{}", b'{"findings": {}}', b'{"findings": []}', b"[" * 100_000,
    b'{"error": "SystemExit", "message": ["{value}", {"value": 1}]}', b'{"error": "Message", "message": ["x", {}]}',
    b'{"error": "LabelkitError", "message": ["{value.__init__.__globals__}", {"value": 1}]}',
    b'{"error": "LabelkitError", "message": ["{value}", {"hint": "x", "value": 1}]}',
    b'{"error": "LabelkitError", "message": ["{value}", {"value": 1}], "hint": "no such hint"}',
    b'{"error": "LabelkitError", "message": ["{value}", {"value": 1}], "hint": 5}', b'{"error": 5, "message": 5}'])
def test_what_is_no_reply_is_refused(data):
    with pytest.raises(MalformedFile):
        wire.read_reply(data, "x")


def test_only_errors_of_labelkit_are_made():
    for name in dir(errors):
        data = json.dumps({"error": name, "message": ["{value}", {"value": "x"}], "hint": None}).encode()
        kind = getattr(errors, name)
        known = isinstance(kind, type) and issubclass(kind, LabelkitError)
        with pytest.raises(wire.Reported if known else MalformedFile):
            wire.read_reply(data, "x")


def places(value: object) -> Iterator[tuple[object, object]]:
    """Every place in a tree of JSON, as what holds it and its key."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def test_mutated_replies_are_reports_or_refused(reports):
    random = Random(12)
    odd = [None, True, -1, 1.5, 10**400, "", "x", "{value}", [], {}, [[]], {"": "ManifestEvidence"}, {"a": 1}, [1, {}]]
    made = [json.loads(wire.write_report(report)) for report in reports]
    for _ in range(3000):
        tree = copy.deepcopy(random.choice(made))
        for holder, key in random.sample(list(places(tree)), 2):
            if isinstance(holder, dict) and key not in holder or isinstance(holder, list) and key >= len(holder):
                continue
            if random.random() < 0.2:
                del holder[key]
            else:
                holder[key] = random.choice(odd)
        try:
            report = lk.Report.of("x", wire.read_reply(json.dumps(tree).encode(), "x"))
        except MalformedFile:
            continue
        json.dumps(report.to_dict("zh-CN"))
        assert str(report)


def test_a_signed_manifest_of_a_stranger_comes_back(signer):
    data = sign(saved(photo(64, 64), "JPEG"), Claim(LABEL, title="a\x1b[2J"), signer)
    report = lk.verify(data, layers=[lk.Layer.PROVENANCE])
    assert list(lk.Report.of("bytes", wire.read_reply(wire.write_report(report), "x"))) == list(report)
