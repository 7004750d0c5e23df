# SPDX-License-Identifier: Apache-2.0
"""C2PA's Soft Binding Resolution API 2.4: from a mark, a file or the address of one to its manifests.

What is optional in it and not here: storing manifests and bindings from outside, receipts, regions of interest.
"""

from __future__ import annotations

import asyncio
import datetime
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from labelkit.container import jumbf
from labelkit.messages import Message
from labelkit.resolve.asking import ONE_HOP
from labelkit.service import upload
from labelkit.service.front import FACTS, Facts
from labelkit.service.gate import Ticket
from labelkit.service.limits import Limits
from labelkit.service.lookup import ALGORITHMS, value_of
from labelkit.service.parameters import MATCHES
from labelkit.service.refusal import Refused
from labelkit.service.route import Guarded, Host, Verb

SPECIFICATION = "2.4.0"
SCOPE = "recover"
MAX_VALUE = 4096  # bytes of a body that holds a binding or a reference
BY_CONTENT = "matches/byContent"
WELL_KNOWN = "/.well-known/c2pa-soft-binding-resolution"


def routes(host: Host) -> list[Route]:
    """The routes of a service that keeps manifests."""
    found = [Route("/v1/matches/byBinding", ByBinding(host, "byBinding", SCOPE), methods=["GET", "POST"]),
             Route(f"/v1/{BY_CONTENT}", Verb(host, BY_CONTENT, SCOPE), methods=["POST"]),
             Route("/v1/manifests/{name:path}", Manifest(host, "manifests", SCOPE), methods=["GET"]),
             Route("/v1/services/supportedAlgorithms", _stated(lambda request: {
                 "watermarks": [{"alg": alg} for alg in ALGORITHMS], "fingerprints": []})),
             Route("/v1/services/capabilities", _stated(lambda request: {
                 "c2paSpecificationVersion": SPECIFICATION, "supportedCapabilities": _capabilities(host)})),
             Route("/v1/services/status", _stated(lambda request: {
                 "status": "degraded" if host.gate.is_full else "ok",
                 "timestamp": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")})),
             Route(WELL_KNOWN, _stated(lambda request: _well_known(f"{request.base_url}v1")))]
    if host.settings.references:
        found.append(Route("/v1/matches/byReference", ByReference(host, BY_CONTENT, SCOPE), methods=["POST"]))
    return found


def _capabilities(host: Host) -> list[str]:
    return ["queryByContent", *(["queryByReference"] if host.settings.references else [])]


def _well_known(api: str) -> dict[str, str]:
    return {"apiEndpoint": api, "c2paSpecificationVersion": SPECIFICATION,
            "capabilitiesEndpoint": f"{api}/services/capabilities", "statusEndpoint": f"{api}/services/status"}


def _stated(value: Any) -> Any:
    async def endpoint(request: Request) -> Response:
        request.scope[FACTS].route = "services"
        return JSONResponse(value(request))
    return endpoint


class ByBinding(Guarded):
    """`matches/byBinding`: a mark in the query, or in a body of JSON."""

    async def response(self, request: Request, facts: Facts, ticket: Ticket) -> Response:
        """The manifests that the mark leads to."""
        given = dict(request.query_params)
        if request.method == "POST":
            given |= _texts(await _json(request, self.host.settings.limits), ("value", "alg"))
        alg, most = _wanted(given, "alg"), MATCHES.number(given.get("maxResults", str(MATCHES.default)))
        mark = value_of(_wanted(given, "value"))
        if alg not in ALGORITHMS:
            raise Refused(400, "BadParameter", Message("{name} must be of {known}, got {got}", name="alg",
                                                       known=", ".join(ALGORITHMS), got=repr(alg[:255])))
        is_last = ONE_HOP in request.headers
        return JSONResponse({"matches": await asyncio.to_thread(
            lambda: self.host.verbs.lookup.matches(mark, alg, most, is_last=is_last))})


class Manifest(Guarded):
    """`manifests/{id}`: a manifest store, or of it the active manifest alone."""

    async def response(self, request: Request, facts: Facts, ticket: Ticket) -> Response:
        """The manifest of the name in the path."""
        name = request.path_params["name"]
        flag = request.query_params.get("returnActiveManifest", "false")
        if flag not in ("true", "false"):
            raise Refused(400, "BadParameter", Message("{name} must be of {known}, got {got}", got=repr(flag[:255]),
                                                       name="returnActiveManifest", known="true, false"))
        store = await asyncio.to_thread(lambda: self.host.verbs.lookup.manifest(name))
        if store is None:
            raise Refused(404, "NotFound", Message("no manifest of this name is kept here"))
        return Response(jumbf.only(store, name) if flag == "true" else store, media_type="application/c2pa")


class ByReference(Verb):
    """`matches/byReference`: the file is fetched, from hosts that the operator allows."""

    async def response(self, request: Request, facts: Facts, ticket: Ticket) -> Response:
        """The manifests that the watermark of the file leads to."""
        limits = self.host.settings.limits
        asked = await _json(request, limits)
        url, length = _texts(asked, ("referenceUrl",)).get("referenceUrl"), asked.get("assetLength")
        if url is None or not isinstance(length, int) or isinstance(length, bool) or length < 1:
            raise Refused(400, "BadParameter", Message("referenceUrl and assetLength, a number of bytes, are wanted"))
        if asked.get("region"):
            raise Refused(400, "BadParameter", Message("regions of interest are not looked at here"))
        if length > limits.body_bytes:
            raise upload.too_large(limits)
        return await self.of_address(url, length, request, facts, ticket, is_exact=True)


async def _json(request: Request, limits: Limits) -> dict[str, Any]:
    """The object in a short body; raises Refused."""
    body = b""
    try:
        async with asyncio.timeout(limits.receive_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_VALUE:
                    raise Refused(413, "TooLarge", Message("a body of more than {limit} bytes", limit=f"{MAX_VALUE:,}"))
    except TimeoutError:
        raise upload.too_slow(limits) from None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refused(400, "BadForm", Message("the body is no JSON object"))
    return found


def _texts(given: dict[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    """The members of these names that are texts; raises Refused where one is something else."""
    for name in names:
        if name in given and not isinstance(given[name], str):
            raise Refused(400, "BadParameter", Message("{name} must be a text", name=name))
    return {name: given[name] for name in names if name in given}


def _wanted(given: dict[str, str], name: str) -> str:
    if name not in given:
        raise Refused(400, "BadParameter", Message("{name} is missing", name=name))
    return given[name]
