# SPDX-License-Identifier: Apache-2.0
"""The routes of the Soft Binding Resolution API as OpenAPI 3.1 describes them, beside those of `openapi`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labelkit.service.lookup import ALGORITHMS
from labelkit.service.parameters import MATCHES

SUMMARIES = {"matches/byContent": "The manifests that the watermark of a file leads to"}
_MATCHES = {"$ref": "#/components/schemas/matches-byContent"}
_ID = {"type": "string", "minLength": 1, "maxLength": 255}
_SERVICES = {"services/supportedAlgorithms": "The soft bindings that are read here",
             "services/capabilities": "What of the API there is here", "services/status": "How the service does"}
_OF_LOOKUP = (400, 401, 403, 408, 413, 429, 503)
_OF_REFERENCE = (*_OF_LOOKUP, 415, 422, 500, 502)


def paths(has_references: bool, operation: Callable[[str, bool], dict[str, Any]],
          error: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
    """The paths of a service that keeps manifests; `operation` describes a route that takes a file."""
    most = {"name": MATCHES.name, "in": "query", "description": MATCHES.text, "schema": MATCHES.schema()}
    value = {"type": "string", "description": "base64 of the 8 bytes of the watermark"}
    alg = {"enum": list(ALGORITHMS)}
    asked = {"type": "object", "required": ["value", "alg"], "properties": {"value": value, "alg": alg}}

    def answered(found: dict[str, Any], statuses: tuple[int, ...], **more: Any) -> dict[str, Any]:
        return {"security": [{}, {"key": []}], **more,
                "responses": {"200": found, **{str(status): error(status) for status in statuses}}}

    matches = {"description": "Manifests, the newest first", "content": {"application/json": {"schema": _MATCHES}}}
    store = {"description": "The manifest store", "content": {"application/c2pa": {"schema": {}}}}
    found = {
        "/v1/matches/byBinding": {
            "get": answered(matches, _OF_LOOKUP, operationId="queryByBinding", summary="The manifests that a mark "
                            "leads to", parameters=[{"name": "value", "in": "query", "required": True, "schema": value},
                                                    {"name": "alg", "in": "query", "required": True, "schema": alg},
                                                    most]),
            "post": answered(matches, _OF_LOOKUP, operationId="queryByLargeBinding", summary="The same, in a body",
                             parameters=[most], requestBody=_body(asked))},
        "/v1/matches/byContent": {"post": operation("matches/byContent", has_references)},
        "/v1/manifests/{activeManifestId}": {"get": answered(
            store, (400, 401, 403, 404, 429, 503), operationId="getManifestById", summary="A manifest store",
            parameters=[{"name": "activeManifestId", "in": "path", "required": True, "schema": _ID},
                        {"name": "returnActiveManifest", "in": "query", "schema": {"type": "boolean"}}])},
        "/.well-known/c2pa-soft-binding-resolution": {"get": _stated("Where the API is", "getWellKnown")}}
    found |= {f"/v1/{path}": {"get": _stated(text, path.partition("/")[2])} for path, text in _SERVICES.items()}
    if has_references:
        reference = {"type": "object", "required": ["referenceUrl", "assetLength"], "properties": {
            "referenceUrl": {"type": "string", "format": "uri"}, "assetLength": {"type": "integer", "minimum": 1},
            "assetType": {"type": "string"}}}
        found["/v1/matches/byReference"] = {"post": answered(
            matches, _OF_REFERENCE, operationId="queryByReference", parameters=[most], requestBody=_body(reference),
            summary="The same of a file that is fetched from its address, on hosts that the operator allows")}
    return found


def schemas(described: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """The schemas of the answers."""
    match = described({"manifestId": {"type": "string"}, "endpoint": {"type": "string"}}, ("endpoint",))
    return {"matches-byContent": described({"matches": {"type": "array", "items": match}})}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _stated(text: str, operation: str) -> dict[str, Any]:
    return {"summary": text, "operationId": operation, "security": [], "responses": {
        "200": {"description": text, "content": {"application/json": {"schema": {"type": "object"}}}}}}
