# SPDX-License-Identifier: Apache-2.0
"""The description of jobs, for `openapi`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labelkit.service.job_record import STATES
from labelkit.service.jobs import VERBS
from labelkit.service.parameters import KEEP

PREFER = {"name": "Prefer", "in": "header", "schema": {"type": "string"},
          "description": "respond-async: answer with a job, whatever the file is (RFC 7240)"}
_NAME = {"name": "job", "in": "path", "required": True, "schema": {"type": "string"}}
_OF_JOB = (400, 401, 403, 404, 429, 500, 503)


def accepted(schema: dict[str, str]) -> dict[str, Any]:
    """The answer to a file that became a job."""
    return {"description": "A job, for films, long sound, and where Prefer asks for one",
            "headers": {"Location": {"description": "Where the job is", "schema": {"type": "string"}}, **_later()},
            "content": {"application/json": {"schema": schema}},
            "links": {"job": {"operationId": "getJob", "parameters": {"job": "$response.body#/job"}},
                      "result": {"operationId": "getResult", "parameters": {"job": "$response.body#/job"}}}}


def paths(schema: dict[str, str], error: Callable[[int], dict[str, Any]], statuses: list[int]) -> dict[str, Any]:
    """The paths; `statuses` are those of the routes that take a file, with which a result can come back."""
    def operation(name: str, summary: str, found: dict[str, Any], others: tuple[int, ...]) -> dict[str, Any]:
        return {"operationId": name, "summary": summary, "security": [{}, {"key": []}], "parameters": [_NAME],
                "responses": {**found, **{str(status): error(status) for status in others}}}

    state = {"description": "Where the job is", "headers": _later(),
             "content": {"application/json": {"schema": schema}}}
    result = {"description": "The answer, as the route of the file gives it", "content": {
        "application/json": {"schema": {"type": "object"}}, "*/*": {"schema": {}}, "multipart/mixed": {"schema": {}}}}
    every = tuple(sorted({*_OF_JOB, *statuses, 409}))
    fetched = operation("getResult", "What came of a job; then it is removed", {"200": result}, every)
    fetched["parameters"] = [_NAME, {"name": KEEP.name, "in": "query", "description": KEEP.text,
                                     "schema": KEEP.schema()}]
    return {"/v1/jobs/{job}": {
                "get": operation("getJob", "Where a job is", {"200": state}, _OF_JOB),
                "delete": operation("deleteJob", "Remove a job, whatever it is at",
                                    {"204": {"description": "It is removed"}}, _OF_JOB)},
            "/v1/jobs/{job}/result": {"get": fetched}}


def schema(described: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """The schema of a job."""
    text, nothing = {"type": "string"}, {"type": "null"}
    moment = {"type": "string", "format": "date-time"}
    return {"job": described({
        "job": text, "verb": {"enum": list(VERBS)}, "file": text, "state": {"enum": list(STATES)},
        "progress": {"anyOf": [nothing, {"type": "number", "minimum": 0, "maximum": 1}],
                     "description": "Share of the work on a film or a long sound; null where it is not known"},
        "created": moment, "expires": {"anyOf": [nothing, moment], "description": "When the result is removed"},
        "status": {"type": ["integer", "null"], "description": "Of the result"},
        "result": {"type": ["string", "null"], "description": "Path of the result"}})}


def _later() -> dict[str, Any]:
    return {"Retry-After": {"description": "Seconds after which to ask again", "schema": {"type": "integer",
                                                                                          "minimum": 1}}}
