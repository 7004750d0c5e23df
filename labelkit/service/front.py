# SPDX-License-Identifier: Apache-2.0
"""What stands before every route: one line of log and the figures for each request, and answers that move on.

The log has no contents, no names of files and no addresses.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
import secrets
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from labelkit.service import spans
from labelkit.service.gate import Gate

Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]
App: TypeAlias = Callable[[Event, Receive, Send], Awaitable[None]]

LOG = logging.getLogger("labelkit.service")
FACTS = "labelkit"
"""Where the scope of a request has its `Facts`."""
_PIECE = 64 << 10  # bytes of an answer that the server holds beside it
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))


@dataclass(slots=True)
class Facts:
    """What is known of a request: its number, and what its route found out."""

    number: str = field(default_factory=lambda: secrets.token_hex(8))
    route: str = "other"
    caller: str | None = None
    error: str | None = None
    verdict: str | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    status: int = 0
    is_received: bool = False
    is_answered: bool = False


class SlowReader(Exception):
    """A client that does not take its answer."""


class Figures:
    """What Prometheus asks for, in a registry of its own."""

    def __init__(self, gate: Gate) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("labelkit_requests", "Requests answered", ("route", "status"), registry=self.registry)
        self.refused = Counter("labelkit_refused", "Requests refused, and why", ("error",), registry=self.registry)
        self.verdicts = Counter("labelkit_verdicts", "Verdicts given", ("verdict",), registry=self.registry)
        self.seconds = Histogram("labelkit_request_seconds", "Time of a request", ("route",), buckets=_SECONDS,
                                 registry=self.registry)
        self.received = Counter("labelkit_received_bytes", "Bytes of bodies received", registry=self.registry)
        self.jobs = Gauge("labelkit_jobs", "Jobs that are kept", ("state",), registry=self.registry)
        self.jobs_ended = Counter("labelkit_jobs_ended", "Jobs that ended, by the status of their result",
                                  ("route", "status"), registry=self.registry)
        for name, text, value in (("admitted", "Requests that came in and are not answered", lambda: gate.admitted),
                                  ("working", "Files that are worked on", lambda: gate.working),
                                  ("held_bytes", "Bytes of bodies in memory", lambda: gate.held)):
            Gauge(f"labelkit_{name}", text, registry=self.registry).set_function(value)

    def count(self, facts: Facts, seconds: float) -> None:
        """Count a request that has been answered."""
        self.requests.labels(facts.route, str(facts.status)).inc()
        self.seconds.labels(facts.route).observe(seconds)
        self.received.inc(facts.bytes_in)
        if facts.error:
            self.refused.labels(facts.error).inc()
        if facts.verdict:
            self.verdicts.labels(facts.verdict).inc()


class Front:
    """ASGI middleware around the whole app.

    send_seconds  for each piece of an answer; the connection of a client that takes longer is closed
    """

    def __init__(self, app: App, figures: Figures, send_seconds: float) -> None:
        self._app, self._figures, self._send_seconds = app, figures, send_seconds

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        facts, started = Facts(), time.monotonic()
        scope[FACTS] = facts

        async def taken() -> Event:
            event = await receive()
            facts.bytes_in += len(event.get("body", b""))
            facts.is_received |= not event.get("more_body", False)
            return event

        async def sent(event: Event) -> None:
            if event["type"] == "http.response.start":
                facts.status = event["status"]
                event = {**event, "headers": [*event.get("headers", ()), *_HEADERS,
                                              (b"x-request-id", facts.number.encode())]}
            await self._sent(event, facts, send)

        try:
            with spans.of_request(scope["method"], scope["headers"], facts):
                await self._app(scope, taken, sent)
        except SlowReader:
            facts.error = "SlowReader"
            raise  # the server closes the connection
        except Exception:
            facts.error = "Defect"
            LOG.error(line(request=facts.number, defect=traceback.format_exc()))
            if not facts.is_answered:
                raise
        finally:
            self._finish(scope, facts, time.monotonic() - started)

    async def _sent(self, event: Event, facts: Facts, send: Send) -> None:
        """Send an event in pieces: the server holds one of them, and takes the next when the client has taken that."""
        body = memoryview(event.get("body", b""))
        facts.bytes_out += len(body)
        for start in range(0, max(len(body), 1), _PIECE):
            piece = event if len(body) <= _PIECE else {
                **event, "body": bytes(body[start:start + _PIECE]),
                "more_body": start + _PIECE < len(body) or event.get("more_body", False)}
            try:
                async with asyncio.timeout(self._send_seconds):
                    await send(piece)
            except TimeoutError:
                raise SlowReader from None
        facts.is_answered = event["type"] == "http.response.body" and not event.get("more_body", False)

    def _finish(self, scope: Event, facts: Facts, seconds: float) -> None:
        self._figures.count(facts, seconds)
        LOG.info(line(request=facts.number, method=scope["method"], route=facts.route, status=facts.status,
                      seconds=round(seconds, 4), bytes_in=facts.bytes_in, bytes_out=facts.bytes_out,
                      caller=facts.caller, verdict=facts.verdict, error=facts.error))


def line(**facts: object) -> str:
    """A line of the log."""
    return json.dumps({"time": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"), **facts})
