# SPDX-License-Identifier: Apache-2.0
"""The description of the service for programs: OpenAPI 3.1, made from the tables that the routes read."""

from __future__ import annotations

import json
from typing import Any

from labelkit import report_schema
from labelkit.compliance import Outcome, Profile
from labelkit.distribution import __version__
from labelkit.label import FIELDS
from labelkit.report import Layer, Verdict
from labelkit.service import openapi_jobs, openapi_resolution
from labelkit.service.answers import RECORD
from labelkit.service.parameters import NAME, OF_ROUTES, URL
from labelkit.service.upload import FILE
from labelkit.service.verbs import Settings

_SUMMARIES = {
    "verify": "What each layer of a file says about AI generation, and the verdict",
    "check": "A file judged rule by rule by the rules of a jurisdiction",
    "label": "A labelled file",
    "propagate": "What a platform must show and write for a file that a user uploads (Labeling Measures, Article 6)"}
_ERRORS = {400: "A parameter or the file's label is wrong", 401: "An API key is missing or not known",
           403: "The API key lacks the scope", 408: "The body did not arrive in time",
           413: "The file is over a limit: bytes, pixels, seconds of media, memory or time",
           415: "The format is not known, or has no place for what is asked for",
           422: "The file is broken, or cannot carry what is asked for",
           429: "The caller has too many requests at work",
           500: "The service failed, and says so in its log", 503: "The service is busy"}
_OF_LOOKUPS = {404: "There is nothing of this name", 409: "The job has not ended",
               502: "A file that is named by its address could not be fetched, or there is no time-stamp"}
_LATER = {409, 429, 503}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_BYTES: dict[str, Any] = {}  # OpenAPI 3.1: binary content has no schema


def document(settings: Settings) -> dict[str, Any]:
    """The description of a service with these settings."""
    fetches = settings.references is not None
    asks = settings.results is not None and settings.results.has_time_stamp
    paths = {f"/v1/{verb}": {"post": _operation(verb, fetches)} for verb in OF_ROUTES if verb in _SUMMARIES}
    if asks:
        paths["/v1/verify"]["post"]["responses"]["502"] = _error(502)
    if settings.jobs is not None:
        for path in paths.values():
            path["post"]["responses"]["202"] = openapi_jobs.accepted(_ref("job"))
            path["post"]["parameters"].append(openapi_jobs.PREFER)
        paths |= openapi_jobs.paths(_ref("job"), _error, list(_ERRORS))
    if settings.manifests:
        paths |= openapi_resolution.paths(fetches, _operation, _error)
    paths |= {path: {"get": {"summary": text, "operationId": path.strip("/").partition(".")[0], "security": [],
                             "responses": responses}} for path, text, responses in (
        ("/healthz", "Whether the service runs", {"200": _plain("It runs")}),
        ("/readyz", "Whether it takes files", {"200": _plain("It does"), "503": _plain("It starts, or is busy")}),
        ("/openapi.json", "This description", {"200": _content("OpenAPI 3.1", {"type": "object"})}))}
    paths["/metrics"] = {"get": {
        "summary": "Figures for Prometheus", "operationId": "metrics", "security": [{}, {"key": []}],
        "responses": {"200": _plain("The figures"), **{str(status): _error(status) for status in (401, 403)}}}}
    return {"openapi": "3.1.0",
            "info": {"title": "labelkit", "version": __version__, "license": {"name": "Apache-2.0",
                                                                              "identifier": "Apache-2.0"},
                     "description": "Labels AI-generated media as GB 45438-2025 requires, and verifies the labels of "
                     f"any file. Bodies have at most {settings.limits.body_bytes:,} bytes. {_kept(settings)}"},
            "paths": paths,
            "components": {"schemas": _schemas(), "securitySchemes": {"key": {
                "type": "http", "scheme": "bearer", "description": "An API key with the scope that the route wants"}}}}


def _kept(settings: Settings) -> str:
    return "No file is kept." if settings.jobs is None else (
        "Files are kept for jobs alone, until their result is fetched, or for "
        f"{settings.limits.job_keep_seconds:g} s after it is there.")


def _operation(verb: str, fetches: bool) -> dict[str, Any]:
    form = {parameter.name: {**parameter.schema(), "description": parameter.text}
            for parameter in (NAME, *OF_ROUTES[verb])}
    lists = {parameter.name: {"style": "form", "explode": False} for parameter in OF_ROUTES[verb] if parameter.several}
    return {
        "summary": {**_SUMMARIES, **openapi_resolution.SUMMARIES}[verb], "operationId": verb.replace("/", "-"),
        "security": [{}, {"key": []}],
        "parameters": [{"name": parameter.name, "in": "query", "description": parameter.text,
                        "schema": parameter.schema(), **({"explode": False} if parameter.several else {})}
                       for parameter in (NAME, *([URL] if fetches else []), *OF_ROUTES[verb])],
        "requestBody": {"required": not fetches, "description": "The file; in a form, parameters may be fields",
                        "content": {
            "application/octet-stream": {"schema": _BYTES},
            "multipart/form-data": {"encoding": lists, "schema": {
                "type": "object", "required": [FILE], "properties": {FILE: _BYTES, **form},
                "additionalProperties": False}}}},
        "responses": {"200": _answer(verb), **{str(status): _error(status)
                                                     for status in (*_ERRORS, *([502] if fetches else []))}}}


def _answer(verb: str) -> dict[str, Any]:
    if verb in ("verify", "check", *openapi_resolution.SUMMARIES):
        return _content("What was found", _ref(verb.replace("/", "-")))
    mixed = {"multipart/mixed": {"schema": _BYTES}}
    if verb == "propagate":
        found = _content("The decision; with the file as the second part where a label was written into it",
                         _ref(verb))
        return {**found, "content": {**found["content"], **mixed}}
    return {"description": "The labelled file. With Accept: multipart/mixed, and where a manifest belongs beside "
            "the file: the record, the file and that manifest",
            "headers": {RECORD: {"description": "The record, as JSON in ASCII", "content": {
                "application/json": {"schema": _ref("label")}}}},
            "content": {"*/*": {"schema": _BYTES}, **mixed}}


def _schemas() -> dict[str, Any]:
    """The JSON of the command line: labelkit/report.schema.json, and what stands around a report."""
    report = json.loads(json.dumps(report_schema.schema()).replace("#/$defs/", "#/components/schemas/"))
    classes = report.pop("$defs")
    del report["$schema"]
    name = {"type": "string"}
    record = _object({field: name for field in FIELDS})
    outcome = {"enum": [one.value for one in Outcome]}
    rule = _object({"rule": name, "clause": name, "asks": name, "found": name, "outcome": outcome,
                    "encouraged": {"type": "boolean", "description": "The law recommends it and does not demand it"}})
    error = _object({"type": name, "message": name, "hint": {"type": ["string", "null"]}})
    required = {"type": "array", "items": {"enum": [layer.value for layer in Layer]}}
    verified = {"file": name, **report["properties"], "required": required, "shortcomings": _TEXTS,
                "signed_result": {"type": "string", "description": "A JWS (RFC 7515) in the compact form"}}
    return {**classes, **openapi_resolution.schemas(_object), **openapi_jobs.schema(_object), "report": report,
            "verify": _object(verified, ("signed_result",)),
            "check": _object({"file": name, "profile": {"enum": [profile.value for profile in Profile]},
                              "outcome": outcome, "rules": {"type": "array", "items": rule}, "report": _ref("report")}),
            "label": _object({"file": name, "output": name, "label": record, "watermark_left_out": name,
                              "watermark": {"type": ["string", "null"]}}, ("watermark_left_out",)),
            "propagate": _object({
                "file": name, "output": {"type": ["string", "null"]}, "report": _ref("report"), "error": error,
                "tier": {"enum": [verdict.value for verdict in Verdict]}, "notice": {"type": ["string", "null"]},
                "label": {"anyOf": [{"type": "null"}, record]}, "verified": {"type": "boolean"}, "reasons": _TEXTS},
                ("error",)),
            "error": _object({"file": {"type": ["string", "null"]}, "error": error})}


def _object(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False,
            "required": [name for name in properties if name not in optional]}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _content(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _plain(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}


def _error(status: int) -> dict[str, Any]:
    found = _content({**_ERRORS, **_OF_LOOKUPS}[status], _ref("error"))
    if status in _LATER:
        found["headers"] = {"Retry-After": {"description": "Seconds after which to ask again",
                                            "schema": {"type": "integer", "minimum": 1}}}
    return found
