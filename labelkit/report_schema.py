# SPDX-License-Identifier: Apache-2.0
"""Make the JSON Schema of a report from the classes that the report is made of.

    python -m labelkit.report_schema        # writes labelkit/report.schema.json

A test fails when the file and the classes differ.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import json
import types
import typing
from pathlib import Path

from labelkit import evidence
from labelkit.label import FIELDS
from labelkit.report import SCHEMA, Layer, Status, Verdict

PATH = Path(__file__).with_name("report.schema.json")

Schema: typing.TypeAlias = dict[str, typing.Any]
_PLAIN = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
_TEXTS: Schema = {"type": "array", "items": {"type": "string"}}
_LAYERS = [layer.value for layer in Layer]


def schema() -> Schema:
    """The JSON Schema (draft 2020-12) of `Report.to_dict`."""
    classes: dict[str, Schema] = {}
    found = {layer: _schema_of(kind, classes) for layer, kind in {
        Layer.EXPLICIT: evidence.ExplicitEvidence, Layer.WATERMARK: evidence.WatermarkEvidence,
        Layer.METADATA: evidence.MetadataEvidence,
        Layer.PROVENANCE: evidence.ManifestEvidence | evidence.UnreadableManifest}.items()}
    failure = _schema_of(evidence.CheckFailure, classes)
    layers = {layer.value: _finding({"anyOf": [*one.get("anyOf", [one]), failure, _object({})]})
              for layer, one in found.items()}
    check = _object({"layers": {"type": "array", "items": {"enum": _LAYERS}, "minItems": 2, "maxItems": 2},
                     "subject": {"enum": ["content", "label", "watermark", "source"]}, "agrees": {"type": "boolean"},
                     "summary": {"type": "string"}})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"What verify found ({SCHEMA})",
            **_object({"schema": {"const": SCHEMA}, "source": {"type": "string"},
                       "verdict": {"enum": [verdict.value for verdict in Verdict]}, "reasons": _TEXTS, "doubts": _TEXTS,
                       "unseen": _TEXTS,
                       "layers": _object(layers), "cross_checks": {"type": "array", "items": check}}),
            "$defs": dict(sorted(classes.items()))}


def _finding(found: Schema) -> Schema:
    label = {"anyOf": [{"type": "null"}, _object({name: {"type": "string"} for name in FIELDS})]}
    payload = {"anyOf": [{"type": "null"}, _object({
        "hex": {"type": "string", "pattern": "^[0-9a-f]{16}$"}, "version": {"type": "integer"},
        "kind": {"type": "integer"}, "producer": {"type": "integer"}, "content": {"type": "integer"}})]}
    return _object({"status": {"enum": [status.value for status in Status]}, "summary": {"type": "string"},
                    "label": label, "payload": payload, "evidence": found, "asked": {"type": "boolean"},
                    "missed": _TEXTS})


def _object(properties: dict[str, Schema], optional: collections.abc.Collection[str] = ()) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False,
            "required": [name for name in properties if name not in optional]}


def _schema_of(kind: typing.Any, classes: dict[str, Schema]) -> Schema:
    """The schema of a type; classes are collected in `classes` and referred to."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if dataclasses.is_dataclass(kind):
        return _reference(kind, classes)
    if origin is tuple and inner[-1] is Ellipsis:
        return {"type": "array", "items": _schema_of(inner[0], classes)}
    if origin is tuple:
        return {"type": "array", "prefixItems": [_schema_of(one, classes) for one in inner],
                "minItems": len(inner), "maxItems": len(inner)}
    if origin is collections.abc.Mapping:
        return {"type": "object", "additionalProperties": _schema_of(inner[1], classes)}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_schema_of(one, classes) for one in inner]}
    return {}  # Json: any value


def _reference(kind: typing.Any, classes: dict[str, Schema]) -> Schema:
    if kind.__name__ not in classes:
        classes[kind.__name__] = {}  # a class that holds itself ends here
        hints = evidence.field_types(kind)
        optional = [one.name for one in dataclasses.fields(kind) if evidence.is_omitted(one)]
        properties = {}
        for name, hint in hints.items():
            parts = [one for one in typing.get_args(hint) if one is not type(None)]
            properties[name] = _schema_of(parts[0] if name in optional and len(parts) == 1 else hint, classes)
        classes[kind.__name__] = _object(properties, optional)
    return {"$ref": f"#/$defs/{kind.__name__}"}


def text() -> str:
    """The schema as the file holds it."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), "utf-8")
