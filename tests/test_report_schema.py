# SPDX-License-Identifier: Apache-2.0
"""The JSON of a report is what its schema says, and the schema is what the classes say."""

import json

import jsonschema
import numpy as np
import pytest

import labelkit as lk
from labelkit import report_schema
from tests.films import film
from tests.media import LABEL, photo, saved

SCHEMA = json.loads(report_schema.PATH.read_text("utf-8"))


def check(report: lk.Report) -> dict:
    made = json.loads(report.to_json())
    jsonschema.Draft202012Validator(SCHEMA).validate(made)
    return made


def test_the_file_is_made_from_the_classes():
    assert report_schema.PATH.read_text("utf-8") == report_schema.text(), "run python -m labelkit.report_schema"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_reports_of_pictures_fit(signer, anchors):
    labelled = lk.embed(saved(photo(), "PNG"), label=LABEL, plan=lk.Plan(provenance=signer))
    made = check(lk.verify(labelled, trust=anchors))
    assert made["layers"]["watermark"]["evidence"]["geometry"]["lattice"]
    assert made["layers"]["provenance"]["evidence"]["trusted"] is True
    bare = check(lk.verify(saved(photo(), "JPEG")))
    assert bare["layers"]["explicit"]["evidence"]["texts"] and bare["layers"]["provenance"]["evidence"] == {}


def test_reports_of_sound_films_and_arrays_fit(tmp_path):
    tone = np.random.default_rng(1).normal(0, 0.1, 48_000 * 6).astype(np.float32)
    sound = check(lk.verify(lk.embed(tone, label=LABEL, rate=48_000, format="flac")))
    assert sound["layers"]["explicit"]["evidence"]["heard"][0]["sound"] == "rhythm"
    marked = film(tmp_path / "in.mp4", size=(480, 360), count=50)
    lk.embed(marked, tmp_path / "out.mp4", LABEL)
    assert "spans" in check(lk.verify(tmp_path / "out.mp4"))["layers"]["watermark"]["evidence"]["geometry"]
    check(lk.verify(np.zeros((64, 64, 3), np.uint8)))


@pytest.mark.parametrize("damaged", [50, 300])
def test_reports_of_broken_files_fit(damaged):
    data = bytearray(lk.embed(saved(photo(), "PNG"), label=LABEL))
    at = data.index(b"AIGC") if damaged == 50 else len(data) // 2
    data[at:at + damaged] = bytes(damaged)
    check(lk.verify(bytes(data)))


@pytest.mark.parametrize("change", [
    lambda made: made.pop("verdict"), lambda made: made.update(verdict="maybe"), lambda made: made.update(more=1),
    lambda made: made["layers"]["metadata"]["evidence"].update(duplicates="none"),
    lambda made: made["layers"].pop("explicit")])
def test_what_is_no_report_does_not_fit(change):
    made = json.loads(lk.verify(saved(photo(), "PNG")).to_json())
    change(made)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(made)
