# SPDX-License-Identifier: Apache-2.0
"""The way of a request on every route of /v1/: who asks, is there room, the answer, and what is left of a body."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Protocol, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from labelkit import unforeseen
from labelkit.errors import LabelkitError
from labelkit.messages import Message
from labelkit.service import answers, parameters, spans, upload
from labelkit.service.front import FACTS, Event, Facts, Receive, Send
from labelkit.service.gate import Gate, Ticket
from labelkit.service.jobs import Jobs, asks_for_job, reached
from labelkit.service.refusal import Refused
from labelkit.service.upload import Upload
from labelkit.service.verbs import Answer, Settings, Verbs

T = TypeVar("T")

SCOPE_OF = {"verify": "verify", "check": "verify", "label": "label", "propagate": "label"}
"""The scope that each verb wants."""
_GONE = 499  # in the log, of a client that went away before its answer; there is no number in HTTP


class Host(Protocol):
    """What a route wants of the service."""

    settings: Settings
    gate: Gate
    verbs: Verbs
    jobs: Jobs | None

    def allowed(self, request: Request, scope: str | None) -> str: ...

    async def in_thread(self, work: Callable[[], T]) -> T: ...


class Guarded:
    """The ASGI app of one route; children say what the answer is.

    host   the service
    route  its name, in the log
    scope  that a caller wants; None for whoever is known
    """

    def __init__(self, host: Host, route: str, scope: str | None) -> None:
        self.host, self.route, self.scope = host, route, scope

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request, facts = Request(scope, receive), scope[FACTS]
        facts.route = self.route
        try:
            caller = self.host.allowed(request, self.scope)
            facts.caller = caller if "authorization" in request.headers else None
            with self.host.gate.enter(caller) as ticket:
                response = await self.response(request, facts, ticket)
                response.headers["Cache-Control"] = "no-store"
                await response(scope, receive, send)  # held while the client takes it
        except Refused as refused:
            facts.error = refused.kind
            response = answers.of_refusal(refused, self.host.settings.language)
            if not facts.is_received:
                await upload.discard(request)
                response.headers["Connection"] = "close"  # what is left of the body would stand before the next request
            await response(scope, receive, send)
        except ClientDisconnect:
            facts.status, facts.error = _GONE, "ClientDisconnect"

    async def response(self, request: Request, facts: Facts, ticket: Ticket) -> Response:
        """The answer; raises Refused."""
        raise NotImplementedError


class Verb(Guarded):
    """The ASGI app of a route that takes a file."""

    async def response(self, request: Request, facts: Facts, ticket: Ticket) -> Response:
        """What the file of a request gives."""
        url = request.query_params.get(parameters.URL.name)
        if url is None:
            taken = await upload.receive(request, self.host.settings.limits, ticket)
            return await self.of_file(taken, request, facts, ticket)
        if not self.host.settings.references:
            raise Refused(400, "BadParameter", Message("files are not fetched here: the operator allows no host"))
        async for chunk in request.stream():
            if chunk:
                raise Refused(400, "BadParameter", Message("give the file or its address, not both"))
        return await self.of_address(url, self.host.settings.limits.body_bytes, request, facts, ticket)

    async def of_address(self, url: str, most: int, request: Request, facts: Facts, ticket: Ticket, *,
                         is_exact: bool = False) -> Response:
        """What the file at an address gives, from a host that the operator allows.

        most      bytes of it
        is_exact  whether it has exactly so many
        """
        references = self.host.settings.references
        assert references is not None  # whoever calls has asked
        ticket.hold(most)
        try:
            data = await asyncio.to_thread(dataclasses.replace(references, most=most).get, url)
        except LabelkitError as error:
            facts.error = type(error).__name__
            return answers.of_error(error, None, self.host.settings.language)
        if is_exact and len(data) != most:
            raise Refused(400, "BadParameter", Message("the file has {count} bytes and not {stated}",
                                                       count=f"{len(data):,}", stated=f"{most:,}"))
        ticket.keep(len(data))
        return await self.of_file(upload.fetched(url, data, request), request, facts, ticket)

    async def of_file(self, taken: Upload, request: Request, facts: Facts, ticket: Ticket) -> Response:
        """What a file gives that is here."""
        host = self.host
        asked: parameters.Asked = {}
        try:
            asked = parameters.values(self.route, taken.fields)
            if host.jobs and host.jobs.takes(self.route, taken, prefer := request.headers.get("prefer", "")):
                job = await reached(host.jobs.accept, self.route, taken, facts.caller or "")
                return answers.accepted(*job, is_asked_for=asks_for_job(prefer))
            async with host.gate.turn():
                if await request.is_disconnected():
                    raise ClientDisconnect
                with spans.span("work"):
                    answer = await host.in_thread(lambda: _done(host.verbs, self.route, taken, asked))
            ticket.keep(len(answer.file or b""))  # in the place of the body, until it is sent
        except LabelkitError as error:
            facts.error = type(error).__name__
            return answers.of_error(error, taken.name, host.verbs.language(asked))
        except Refused as refused:
            facts.error = refused.kind
            return answers.of_refusal(refused, host.verbs.language(asked), taken.name)
        facts.verdict = answer.fields.get("verdict") or answer.fields.get("tier")
        return answers.of(answer, request.headers.get("accept", ""))


def _done(verbs: Verbs, route: str, taken: Upload, asked: parameters.Asked) -> Answer:
    try:
        answer = verbs.of[route](taken, asked)
        verbs.record(taken, asked, answer)
        return answer
    except (LabelkitError, Refused):
        raise
    except BaseException as error:  # the panics of Rust libraries are no Exceptions
        raise unforeseen.translated(error) from error
