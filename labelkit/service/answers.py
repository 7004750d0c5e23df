# SPDX-License-Identifier: Apache-2.0
"""Answers as responses: JSON; a file with its record in a header; or both as multipart/mixed."""

from __future__ import annotations

import json
import secrets
from typing import Any
from urllib.parse import quote

from starlette.responses import JSONResponse, Response

from labelkit.container import SIDECAR
from labelkit.errors import LabelkitError
from labelkit.messages import Message
from labelkit.service.job_record import State
from labelkit.service.refusal import Refused, status_of
from labelkit.service.verbs import Answer, error_fields

RECORD = "Labelkit-Record"
"""The header that holds the record of a labelled file, as JSON in ASCII."""
RETRY_SECONDS = 2  # after which to ask for a job again


def of(answer: Answer, accept: str) -> Response:
    """The response for an answer.

    accept  the request's header: multipart/mixed gives the record as the first part and the file as the second; the
            media type of the file, such as image/*, gives the file, and its record in a header
    A manifest that belongs beside the file is the third part. Reports and reasons are too long for a header: a record
    with a report is sent in parts, and a client that asks for the file gets the rest of the record.
    """
    if answer.file is None:
        return JSONResponse(answer.fields)
    wanted = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    is_file_wanted = wanted & {answer.media_type, answer.media_type.partition("/")[0] + "/*",
                               "application/octet-stream"}
    if "multipart/mixed" in wanted or answer.manifest is not None or "report" in answer.fields and not is_file_wanted:
        return _mixed(json.dumps(answer.fields), answer)
    record = json.dumps({name: value for name, value in answer.fields.items() if name not in ("report", "reasons")})
    return Response(answer.file, media_type=answer.media_type,
                    headers={RECORD: record, "Content-Disposition": _disposition(answer)})


def _mixed(record: str, answer: Answer) -> Response:
    """RFC 2046, 5.1.3."""
    boundary = secrets.token_hex(16)
    parts = [("application/json", "", record.encode("ascii")), (answer.media_type, "", answer.file or b"")]
    if answer.manifest is not None:
        parts.append(("application/c2pa", SIDECAR, answer.manifest))
    pieces = []
    for number, (media_type, ending, body) in enumerate(parts):
        name = f"Content-Disposition: {_disposition(answer, ending)}\r\n" if number else ""
        pieces += [f"--{boundary}\r\nContent-Type: {media_type}\r\n{name}\r\n".encode("ascii"), body, b"\r\n"]
    return Response(b"".join((*pieces, f"--{boundary}--\r\n".encode("ascii"))),
                    media_type=f"multipart/mixed; boundary={boundary}")


def _disposition(answer: Answer, ending: str = "") -> str:
    """RFC 6266: the name of the file."""
    name = quote(str(answer.fields["output"]) + ending, safe="")
    return f"attachment; filename*=UTF-8''{name}"


def accepted(name: str, state: State, is_asked_for: bool) -> Response:
    """The response for a request that became a job.

    is_asked_for  whether the client wanted one (RFC 7240)
    """
    return JSONResponse(state.fields(name), 202, {
        "Location": f"/v1/jobs/{name}", "Retry-After": str(RETRY_SECONDS),
        **({"Preference-Applied": "respond-async"} if is_asked_for else {})})


def of_error(error: LabelkitError, name: str | None, language: str) -> Response:
    """The response for an error of the library: the JSON of the command line, and a fitting status."""
    return _problem(status_of(error), name, error_fields(error, language))


def of_refusal(refused: Refused, language: str, name: str | None = None) -> Response:
    """The response for what the service refuses itself."""
    response = _problem(refused.status, name, {"type": refused.kind, "message": refused.message.text(language),
                                               "hint": None})
    if refused.retry_after is not None:
        response.headers["Retry-After"] = str(refused.retry_after)
    if refused.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def of_defect(language: str) -> Response:
    """The response where the service failed for a reason that the log has."""
    return _problem(500, None, {"type": "Defect", "hint": None, "message": Message(
        "the service failed at this request; its log says why").text(language)})


def _problem(status: int, name: str | None, error: dict[str, Any]) -> Response:
    return JSONResponse({"file": name, "error": error}, status)
