# SPDX-License-Identifier: Apache-2.0
"""The 31 checks of the C2PA's asset rubric for Conformance 0.2 and specification 2.4 (2026-03-31), in our own words.

Each takes the active manifest as crJSON has it and returns what is wrong with it. The original is YAML for an evaluator
of its own; it is published in c2pa-org/conformance-public, asset-rubrics/asset-rubric-conformance0.2-spec2.4.yml.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

MALFORMED = (
    *(f"assertion.{name}.malformed" for name in (
        "action", "bmffHash", "boxesHash", "collectionHash", "dataHash", "external-reference", "ingredient",
        "alternativeContentRepresentation", "multiAssetHash")),
    "assertion.external-reference.labelMismatch", "assertion.external-reference.created",
    "assertion.alternativeContentRepresentation.missing", "assertion.cbor.invalid", "assertion.json.invalid",
    "claim.cbor.invalid", "claim.hardBindings.missing", "claim.malformed", "claim.missing", "claim.multiple",
    "hashedURI.missing", "ingredient.manifest.missing", "assertion.boxesHash.unknownBox",
    "assertion.multipleHardBindings", "manifest.compressed.invalid", "manifest.html.multipleManifests",
    "manifest.inaccessible", "manifest.multipleParents", "manifest.timestamp.invalid",
    "manifest.timestamp.wrongParents",
    "manifest.update.invalid", "manifest.update.wrongParents",
    *(f"manifest.structuredText.{name}" for name in ("emptyReference", "malformedReference", "multipleReferences",
                                                     "noManifest", "noResolutionPath")))
MISMATCHED = (
    "assertion.action.ingredientMismatch", "assertion.action.redactionMismatch",
    *(f"assertion.{name}.mismatch" for name in ("bmffHash", "boxesHash", "collectionHash", "dataHash", "multiAssetHash",
                                                "hashedURI")),
    "assertion.external-reference.hashMismatch", "assertion.alternativeContentRepresentation.hashMismatch",
    "assertion.hardBinding.redacted", "hashedURI.mismatch", "ingredient.manifest.mismatch",
    "ingredient.claimSignature.missing", "ingredient.claimSignature.mismatch", "claimSignature.missing")
ASSERTIONS = {f"c2pa.{name}" for name in (
    "hash.data", "hash.data.part", "actions.v2", "ingredient.v3", "hash.boxes", "hash.bmff.v3", "hash.collection.data",
    "soft-binding", "cloud-data", "embedded-data", "metadata", "certificate-status", "asset-ref", "asset-type.v2",
    "hash.multi-asset", "thumbnail.claim", "thumbnail.ingredient", "depthmap.GDepth", "icon",
    "alternative-content-representation", "external-reference", "session-keys", "environmental-sustainability",
    "repository-receipt", "ai-disclosure", "assertion.metadata", "time-stamp")}
OLD_ASSERTIONS = {f"c2pa.{name}" for name in ("claim", "hash.bmff.v2", "asset-type", "ingredient", "ingredient.v2",
                                              "actions")}
ACTIONS = {f"c2pa.{name}" for name in (
    "addedText", "adjustedColor", "changedSpeed", "color_adjustments", "converted", "created", "cropped", "deleted",
    "drawing", "dubbed", "edited", "edited.metadata", "enhanced", "filtered", "mastered", "mixed", "opened",
    "orientation", "placed", "published", "redacted", "remixed", "removed", "repackaged", "resized",
    "resized.proportional", "transcoded", "translated", "trimmed", "unknown", "watermarked", "watermarked.bound",
    "watermarked.unbound")}
OLD_ACTIONS = {f"c2pa.{name}" for name in ("copied", "formatted", "version_updated", "printed", "managed", "produced",
                                           "saved", "color_adjustments", "watermarked")}
NOT_EDITORIAL = {f"c2pa.{name}" for name in (
    "created", "opened", "converted", "published", "repackaged", "transcoded", "resized.proportional", "enhanced",
    "edited.metadata", "watermarked", "watermarked.bound", "watermarked.unbound", "redacted", "placed")}
PARAMETERS = {"redacted", "ingredients", "ingredient", "description", "relatedAssertions", "sourceLanguage",
              "targetLanguage", "multipleInstances", "ranges", "weight", "width", "italic", "slant", "optical-size"}
FORBIDDEN = ("c2pa.actions", "c2pa.actions.v2", "c2pa.cloud-data", "c2pa.external-reference")
HUMANS, TIFFS = ("humanEntry.anonymous", "humanEntry.credentialed"), ("image/tiff", "image/x-adobe-dng")


def assertions(manifest: dict) -> dict[str, dict]:
    return manifest.get("assertions") or {}


def actions(manifest: dict) -> list[dict]:
    return [one for value in assertions(manifest).values() for one in value.get("actions") or []]


def ingredients(manifest: dict) -> list[dict]:
    return [value for value in assertions(manifest).values() if value.get("relationship") is not None]


def failures(manifest: dict) -> list[str]:
    found = manifest.get("validationResults")
    return ["MISSING_VALIDATION_RESULTS"] if found is None else [one["code"] for one in found["failure"]]


def of_name(manifest: dict, *names: str) -> list[dict]:
    return [one for one in actions(manifest) if one["action"] in names]


def _spec_version(manifest: dict) -> list[object]:
    info = manifest["claim.v2"].get("claim_generator_info")
    version = (info[0] if isinstance(info, list) else info).get("specVersion")
    return [] if isinstance(version, str) and version.split(".")[:2] == ["2", "4"] else [version]


def _first_action(manifest: dict) -> list[str]:
    urls = [one["url"] for one in manifest["claim.v2"].get("created_assertions") or [] if "c2pa.actions" in one["url"]]
    if not urls or not urls[0].endswith("c2pa.actions.v2"):
        return urls or ["no actions are created"]
    found = actions(manifest)
    return [found[0]["action"]] if of_name(manifest, "c2pa.created") and found[0]["action"] not in (
        "c2pa.created", "c2pa.opened") else []


def _parameters(manifest: dict) -> Iterator[str]:
    for one in actions(manifest):
        yield from (name for name in one.get("parameters") or {} if name not in PARAMETERS and "." not in name)


def _references(manifest: dict) -> Iterator[str]:
    for one in assertions(manifest).values():
        label = one.get("label")
        if label is not None and one.get("url") is not None and one.get("relationship") is None and (
                label in FORBIDDEN or label.startswith(("c2pa.hash", "c2pa.ingredient"))):
            yield label


def _preserved(manifest: dict) -> list[str]:
    return [name for name, one in assertions(manifest).items()
            if "exif.originalPreservationImage" in (one.get("type"), (one.get("parameters") or {}).get("type"))
            and sum((one.get("parameters") or {}).get(part) is not None for part in (
                "multiAssetPartIndex", "embeddedOriginalPreservationImage")) != 1]


def _tiff_boxes(manifest: dict) -> list[str]:
    type_ = (assertions(manifest).get("c2pa.asset-type.v2") or {}).get("dc:format")
    return ["c2pa.hash.boxes"] if "c2pa.hash.boxes" in assertions(manifest) and type_ in TIFFS else []


RULES: dict[str, Callable[[dict], object]] = {  # falsy is a pass
    "mandatory_dst_for_perceptible_transformations": lambda m: [
        one for one in actions(m) if one["action"].startswith("c2pa.") and one["action"] not in NOT_EDITORIAL
        and one.get("digitalSourceType") is None],
    "mandatory_spec_version": _spec_version,
    "mandatory_all_actions_included": lambda m: [
        name for name, one in assertions(m).items() if one.get("actions") is not None
        and one.get("allActionsIncluded") is None],
    "no_dst_for_opened_action": lambda m: [one for one in of_name(m, "c2pa.opened") if one.get("digitalSourceType")],
    "well_formed_data_present": lambda m: m.get("validationResults") is None,
    "well_formed_success": lambda m: [
        code for code in failures(m) if code in MALFORMED or code == "MISSING_VALIDATION_RESULTS"],
    "valid_data_present": lambda m: m.get("validationResults") is None,
    "valid_success": lambda m: [
        code for code in failures(m) if code in MISMATCHED or code == "MISSING_VALIDATION_RESULTS"],
    "inception_action_position": _first_action,
    "no_deprecated_assertions": lambda m: [
        name for name in assertions(m) if name.startswith("stds.") or name in OLD_ASSERTIONS],
    "no_unsupported_assertions": lambda m: [
        name for name in assertions(m) if name.startswith("c2pa.")
        and name.partition("__")[0] not in ASSERTIONS | OLD_ASSERTIONS],
    "no_deprecated_actions": lambda m: of_name(m, *OLD_ACTIONS),
    "no_unsupported_actions": lambda m: [
        one for one in actions(m) if one["action"].startswith("c2pa.") and one["action"] not in ACTIONS],
    "no_unrecognized_custom_assertions": lambda m: [name for name in assertions(m) if "." not in name],
    "no_unrecognized_custom_actions": lambda m: [one for one in actions(m) if "." not in one["action"]],
    "no_unrecognized_custom_action_parameters": lambda m: list(_parameters(m)),
    "discouraged_legacy_action_parameters": lambda m: [
        one for one in actions(m) if {"description", "ingredient"} & set(one.get("parameters") or {})],
    "active_manifest_urn": lambda m: not m["label"].startswith("urn:c2pa:"),
    "review_ratings_datasource": lambda m: [
        one for one in assertions(m).values() if one.get("reviewRatings") is not None
        and (one.get("dataSource") or {}).get("type") in HUMANS],
    "ingredient_v3_no_active_manifest": lambda m: [
        one for one in ingredients(m)
        if one.get("activeManifest") is None and one.get("validationResults") is not None],
    "ingredient_v3_mandatory_validation_results": lambda m: [
        one for one in ingredients(m)
        if one.get("activeManifest") is not None and one.get("validationResults") is None],
    "ingredient_relationship_values": lambda m: [
        one for one in ingredients(m) if one["relationship"] not in ("parentOf", "inputTo", "componentOf")],
    "mandatory_dst_for_created_action": lambda m: [
        one for one in of_name(m, "c2pa.created") if one.get("digitalSourceType") is None],
    "no_deprecated_claim_fields": lambda m: m["claim.v2"].get("specVersion") is not None,
    "ingredient_v3_choice": lambda m: [
        one for one in ingredients(m) if one.get("activeManifest") is not None
        and one.get("digitalSourceType") is not None],
    "alternative_content_representation_choice": _preserved,
    "forbidden_labels_in_external_references": lambda m: list(_references(m)),
    "no_url_in_hashes": lambda m: [
        name for name in ("c2pa.hash.data", "c2pa.hash.bmff.v3") if (assertions(m).get(name) or {}).get("url")],
    "all_actions_included_opened": lambda m: (
        len(actions(m)) == 1 and of_name(m, "c2pa.opened")
        and (assertions(m).get("c2pa.actions.v2") or {}).get("allActionsIncluded") is not True),
    "opened_action_ingredient_reference": lambda m: [
        one for one in of_name(m, "c2pa.opened")
        if len((one.get("parameters") or {}).get("ingredients") or []) != 1],
    "no_box_hash_for_tiff": _tiff_boxes}


def faults(manifest: dict) -> dict[str, object]:
    """The checks that a manifest fails, and what of it does."""
    return {name: found for name, rule in RULES.items() if (found := rule(manifest))}
