# SPDX-License-Identifier: Apache-2.0
"""What labelkit signs passes the C2PA's rubric, 31 of 31, in every format; and each check fails what it should."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable

import c2pa
import pytest

import labelkit as lk
from labelkit.label import Generator
from tests import films, sounds
from tests.media import LABEL, photo, saved
from tests.metadata.test_pdf import plain
from tests.provenance.rubric import RULES, faults

TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "MP4": "video/mp4", "WAV": "audio/wav",
         "PDF": "application/pdf"}


def _source(name: str, folder) -> bytes:
    if name == "MP4":
        return films.film(folder / "a.mp4", count=12).read_bytes()
    if name == "WAV":
        return sounds.wave_bytes(sounds.speech(4), 16_000)
    return plain() if name == "PDF" else saved(photo(), name)


def _active(data: bytes, media_type: str) -> dict:
    """The active manifest, by which crJSON begins."""
    return json.loads(c2pa.Reader(media_type, io.BytesIO(data)).crjson())["manifests"][0]


@pytest.fixture(scope="module")
def manifest(signer) -> dict:
    plan = lk.Plan(provenance=signer, generator=Generator("Painter", "2.0", None, "pkg:generic/painter@2.0"))
    return _active(lk.embed(saved(photo(), "JPEG"), label=LABEL, plan=plan), "image/jpeg")


@pytest.fixture(scope="module")
def opened(signer) -> dict:
    """One over an earlier manifest."""
    plan = lk.Plan(provenance=signer)
    first = lk.embed(saved(photo(), "JPEG"), label=LABEL, plan=plan)
    return _active(lk.embed(first, label=LABEL, plan=plan, replace=True), "image/jpeg")


@pytest.mark.parametrize("name", TYPES)
def test_every_format_passes_31_of_31(name, signer, tmp_path):
    document = name == "PDF"
    plan = lk.Plan(provenance=signer, **({"explicit": None, "watermark": None} if document else {}))
    found = _active(lk.embed(_source(name, tmp_path), label=LABEL, plan=plan), TYPES[name])
    assert len(RULES) == 31 and faults(found) == {}


def test_models_and_histories_pass_too(manifest, opened):
    assert "c2pa.ai-disclosure" in manifest["assertions"] and faults(manifest) == {}
    assert any("ingredient" in name for name in opened["assertions"]) and faults(opened) == {}


def _act(manifest: dict) -> dict:
    return manifest["assertions"]["c2pa.actions.v2"]


def _add(manifest: dict, **action: object) -> None:
    _act(manifest)["actions"].append(action)


def _put(name: str, **value: object) -> Callable[[dict], object]:
    return lambda manifest: manifest["assertions"].update({name: value})


def _failing(code: str) -> Callable[[dict], object]:
    return lambda manifest: manifest["validationResults"]["failure"].append({"code": code})


BROKEN: dict[str, Callable[[dict], object]] = {
    "mandatory_dst_for_perceptible_transformations": lambda m: _add(m, action="c2pa.cropped"),
    "mandatory_spec_version": lambda m: m["claim.v2"]["claim_generator_info"].update(specVersion="2.2.0"),
    "mandatory_all_actions_included": lambda m: _act(m).pop("allActionsIncluded"),
    "no_dst_for_opened_action": lambda m: _add(m, action="c2pa.opened", digitalSourceType="x",
                                               parameters={"ingredients": ["one"]}),
    "well_formed_success": _failing("claim.malformed"), "valid_success": _failing("assertion.dataHash.mismatch"),
    "inception_action_position": lambda m: _act(m)["actions"].reverse(),
    "no_deprecated_assertions": _put("stds.exif"), "no_unsupported_assertions": _put("c2pa.no-such"),
    "no_deprecated_actions": lambda m: _add(m, action="c2pa.color_adjustments", digitalSourceType="x"),
    "no_unsupported_actions": lambda m: _add(m, action="c2pa.no-such", digitalSourceType="x"),
    "no_unrecognized_custom_assertions": _put("mine"),
    "no_unrecognized_custom_actions": lambda m: _add(m, action="mine"),
    "no_unrecognized_custom_action_parameters": lambda m: _add(m, action="org.x", parameters={"mine": 1}),
    "discouraged_legacy_action_parameters": lambda m: _add(m, action="org.x", parameters={"description": "old"}),
    "active_manifest_urn": lambda m: m.update(label="urn:uuid:1"),
    "review_ratings_datasource": _put("org.x", reviewRatings=[1], dataSource={"type": "humanEntry.anonymous"}),
    "ingredient_v3_no_active_manifest": _put("c2pa.ingredient.v3", relationship="inputTo", validationResults={}),
    "ingredient_v3_mandatory_validation_results": _put("c2pa.ingredient.v3", relationship="inputTo",
                                                       activeManifest="a"),
    "ingredient_relationship_values": _put("c2pa.ingredient.v3", relationship="cousinOf"),
    "mandatory_dst_for_created_action": lambda m: _act(m)["actions"][0].pop("digitalSourceType"),
    "no_deprecated_claim_fields": lambda m: m["claim.v2"].update(specVersion="2.4.0"),
    "ingredient_v3_choice": _put("c2pa.ingredient.v3", relationship="inputTo", activeManifest="a", validationResults={},
                                 digitalSourceType="x"),
    "alternative_content_representation_choice": _put("org.x", type="exif.originalPreservationImage", parameters={}),
    "forbidden_labels_in_external_references": _put("c2pa.external-reference", label="c2pa.hash.data", url="x"),
    "no_url_in_hashes": lambda m: m["assertions"]["c2pa.hash.data"].update(url="x"),
    "all_actions_included_opened": lambda m: _act(m).update(actions=[
        {"action": "c2pa.opened", "parameters": {"ingredients": ["one"]}}]),
    "opened_action_ingredient_reference": lambda m: _add(m, action="c2pa.opened"),
    "no_box_hash_for_tiff": lambda m: m["assertions"].update({
        "c2pa.hash.boxes": {}, "c2pa.asset-type.v2": {"dc:format": "image/tiff"}})}


@pytest.mark.parametrize("name", BROKEN)
def test_each_check_fails_what_it_is_about_and_no_other_does(manifest, name):
    broken = copy.deepcopy(manifest)
    BROKEN[name](broken)
    assert list(faults(broken)) == [name]


def test_without_validation_results_four_checks_fail(manifest):
    broken = {name: value for name, value in manifest.items() if name != "validationResults"}
    left = set(RULES) - set(BROKEN)
    assert set(faults(broken)) == {*left, "well_formed_success", "valid_success"} and len(left) == 2
