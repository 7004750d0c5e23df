# SPDX-License-Identifier: Apache-2.0
"""The AIGC value as other people write it (FACTS gathered from real files)."""

import base64
import html
import json

import pytest

from labelkit import metadata
from labelkit.errors import InvalidLabel, LabelkitError, MalformedFile
from labelkit.evidence import to_json
from labelkit.label import FIELDS, Kind, Label
from labelkit.metadata import aigc
from tests import files
from tests.files import LABEL, OTHER

FULL = LABEL.fields()


def deviations(statement: aigc.Statement) -> set[tuple[str, str]]:
    return {(found.field, found.deviation) for found in statement.deviations}


@pytest.mark.parametrize("label", [LABEL, OTHER])
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_the_writer_writes_reads_without_deviation(label, wrapped):
    statement = aigc.read(label.to_json(wrapped=wrapped))
    assert statement.label == label
    assert statement.deviations == ()
    assert statement.form == (("wrapped",) if wrapped else ("bare",))


@pytest.mark.parametrize("value", ["null", "None", "undefined", "value1", "${PRODUCER}", "{{id}}", "%!s(MISSING)"])
def test_a_placeholder_that_would_read_as_an_empty_field_is_refused(value):
    for producer, number in ((value, "7"), ("acme", value)):
        with pytest.raises(InvalidLabel, match="stands for a value that is missing"):
            Label(Kind.GENERATED, producer, number)
    near = Label(Kind.GENERATED, f"{value}x", f"x{value}")
    assert aigc.read(near.to_json()).label == near
    assert metadata.read(metadata.write(files.picture("PNG"), near)).label == near


BARE = json.dumps(FULL)
PACKED = {
    "spaces and line ends": json.dumps(FULL, indent=2),
    "quoted": json.dumps(BARE),
    "wrapped and quoted": json.dumps({"AIGC": BARE}),
    "prefix": "AIGC=" + BARE,
    "prefix without sign": "AIGC" + BARE,
    "base64 of prefix": base64.b64encode(("AIGC=" + BARE).encode()).decode(),
    "base64 for addresses": base64.urlsafe_b64encode(json.dumps({"AIGC": FULL}).encode()).decode().rstrip("="),
    "entities": html.escape(BARE),
    "utf-16": BARE.encode("utf-16"),
    "utf-16 without mark": BARE.encode("utf-16-be"),
    "zeros behind": BARE.encode() + bytes(9),
    "lower case wrapper": json.dumps({"aigc": FULL}),
    "member beside": json.dumps({"app": "x", "AIGC": FULL}),
}


@pytest.mark.parametrize("name", PACKED)
def test_every_packing_gives_the_same_label(name):
    assert aigc.read(PACKED[name]).label == LABEL


@pytest.mark.parametrize("text", [
    "", "AIGC", "{}", "[]", "null", "1", '"AIGC"', '{"AIGC": {}}', '{"AIGC": null}', '{"a": "Label"}', "{" * 100_000,
    "[" * 100_000, "AIGC" * 50, '{"Label": "1"', "=" * 40, '"' * 99, b"\xff\xfe\0", b"\0" * 40, "AIGC=" * 9 + "{}"])
def test_what_is_no_label_is_refused(text):
    with pytest.raises(MalformedFile):
        aigc.read(text)


def test_a_value_above_the_bound_is_refused():
    with pytest.raises(MalformedFile):
        aigc.read(json.dumps({**FULL, "ReservedCode1": "x" * aigc.MAX_VALUE}))


@pytest.mark.parametrize(("change", "deviation"), [
    ({"Label": 1}, ("Label", "number")),
    ({"ReservedCode1": None}, ("ReservedCode1", "null")),
    ({"ReservedCode2": {"SecurityData": {"Type": "TC260PG"}}}, ("ReservedCode2", "nested")),
    ({"PropagateID": "%!s(MISSING)"}, ("PropagateID", "placeholder")),
    ({"ContentPropagator": ""}, ("ContentPropagator", "empty")),
    ({"DisclaimerText": "x"}, ("DisclaimerText", "unknown field")),
    ({"ContentProducer": "某公司"}, ("ContentProducer", "character")),
    ({"ContentProducer": "001191440300708461136T1XGW3".replace("7084", "7085")}, ("ContentProducer", "provider code")),
])
def test_a_deviation_is_named_and_the_label_still_read(change, deviation):
    statement = aigc.read(json.dumps({**FULL, **change}))
    assert deviation in deviations(statement)
    assert statement.kind is Kind.GENERATED and statement.complete


def test_missing_fields_are_named():
    statement = aigc.read('{"Label":"2","ContentPropagator":"p","PropagateID":"7"}')
    assert {field for field, what in deviations(statement) if what == "missing"} == {
        "ContentProducer", "ProduceID", "ReservedCode1", "ReservedCode2"}
    assert statement.complete and statement.label.content_propagator == "p"


@pytest.mark.parametrize("spell", [lambda name: name[0].lower() + name[1:], str.lower, str.upper])
def test_other_spellings_of_the_names_are_read(spell):
    statement = aigc.read(json.dumps({spell(name): value for name, value in FULL.items()}))
    assert statement.label == LABEL
    assert ("ProduceID", "spelling") in deviations(statement)


def test_a_name_given_twice_is_named_and_the_first_value_counts():
    statement = aigc.read('{"Label":"1","Label":"3","ContentProducer":"p","ProduceID":"7"}')
    assert statement.kind is Kind.GENERATED
    assert ("Label", "repeated") in deviations(statement)


REST = '"ContentProducer":"p","ProduceID":"7"'


@pytest.mark.parametrize(("text", "fields"), [
    ('{"Label":"2","Label":"1",' + REST + "}", {"Label"}),
    ('{"Label":"2","label":"1",' + REST + "}", {"Label"}),
    ('{"AIGC":{"Label":"1",' + REST + '},"AIGC":{"Label":"1","ContentProducer":"q","ProduceID":"7"}}',
     {"ContentProducer"}),
    ('{"AIGC":{"Label":"1",' + REST + '},"aigc":{}}', {"Label", "ContentProducer", "ProduceID"}),
    ('{"AIGC":null,"AIGC":{"Label":"1",' + REST + "}}", {"Label", "ContentProducer", "ProduceID"}),
    ('{"AIGC":{"Label":"1",' + REST + '},"Label":"2"}', {"Label"}),
    ('{"AIGC":{"Label":"1",' + REST + '},"PropagateID":"9"}', {"PropagateID"}),
])
def test_a_name_with_two_values_is_a_conflict(text, fields):
    statement = aigc.read(text)
    assert {found.field for found in statement.conflicts} == fields
    assert any(found.deviation == "repeated" for found in statement.deviations)


@pytest.mark.parametrize("text", [
    '{"Label":"1","Label":"1",' + REST + "}",
    '{"AIGC":{"Label":"1",' + REST + '},"AIGC":{"Label":"1",' + REST + "}}",
    '{"AIGC":{"Label":"1",' + REST + '},"Label":"1"}',
])
def test_a_name_with_one_value_given_twice_is_a_deviation_and_no_conflict(text):
    statement = aigc.read(text)
    assert statement.conflicts == () and statement.complete
    assert any(found.deviation == "repeated" for found in statement.deviations)


def test_a_name_given_twice_inside_a_reserved_code_stays_twice():
    statement = aigc.read('{"Label":"1",' + REST + ',"ReservedCode1":{"a":1,"a":[2,{"b":null}]}}')
    assert statement.fields["ReservedCode1"] == '{"a":1,"a":[2,{"b":null}]}'


@pytest.mark.parametrize("value", ["0", "4", "", "true", "yes", " 1"])
def test_an_attribute_outside_the_standard_is_no_statement(value):
    statement = aigc.read(json.dumps({**FULL, "Label": value}))
    assert statement.label is None and not statement.complete


def test_a_label_without_any_number_is_incomplete():
    statement = aigc.read(json.dumps({**FULL, "ProduceID": "", "PropagateID": None}))
    assert statement.label is not None and not statement.complete


def test_a_nested_object_becomes_its_json_text():
    code = {"SecurityData": {"Version": 1, "PubSD": [{"Type": "DS"}]}}
    statement = aigc.read(json.dumps({**FULL, "ReservedCode1": code}))
    assert json.loads(statement.fields["ReservedCode1"]) == code


def test_half_a_surrogate_pair_cannot_break_the_report():
    statement = aigc.read('{"Label":"1","ContentProducer":"\\ud800","ProduceID":"1","\\udfff":1}')
    json.dumps([statement.fields, to_json(statement.deviations)], ensure_ascii=False).encode()


def test_fields_come_in_the_order_of_the_standard():
    assert tuple(aigc.read('{"ProduceID":"1","Label":"1"}').fields) == FIELDS


def test_deep_nesting_is_refused_or_read():
    deep = '{"Label":"1","ReservedCode1":' + "[" * 900 + "]" * 900 + "}"
    try:
        assert aigc.read(deep).kind is Kind.GENERATED
    except LabelkitError:
        pass
