# SPDX-License-Identifier: Apache-2.0
"""The server: uvicorn, with a bound on the time that the head of a request may take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from labelkit.service.app import Service

_BACKLOG = 128  # connections that the system holds before they are accepted
_STOP_SECONDS = 30  # for requests at work when the service is stopped
_KEEP_SECONDS = 15  # that a connection without a request stays open


class _Protocol(H11Protocol):
    """HTTP/1.1 whose connections end where the head of a request does not arrive in time."""

    head_seconds = 30.0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a narrower transport
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._stop()

    def _watch(self) -> None:
        """Run the timer while there is no request with a whole head."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self._end)

    def _stop(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()


class _Server(uvicorn.Server):
    """Calls `on_start` when it listens."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: Any = None) -> None:
        """As uvicorn's, which ends the process where it cannot listen."""
        await super().startup(sockets)
        if self.started and self._on_start:
            self._on_start()


def http_server(service: Service, *, host: str, port: int, socket: str | None = None, proxy: str | None = None,
                certificate: str | None = None, key: str | None = None,
                on_start: Callable[[], None] | None = None) -> uvicorn.Server:
    """A server that is not started yet; its `run` returns when a signal stops it.

    host, port   to listen at; port 0 for any that is free
    socket       path of a Unix socket to listen at instead
    proxy        address whose X-Forwarded-For and -Proto are believed
    certificate, key
                 PEM files, for TLS
    on_start     called when it listens
    """
    limits = service.settings.limits
    protocol = type("_LimitedProtocol", (_Protocol,), {"head_seconds": limits.send_seconds})
    more: dict[str, Any] = {"ssl_certfile": certificate, "ssl_keyfile": key} if certificate else {}
    return _Server(uvicorn.Config(
        service, host=host, port=port, uds=socket, http=protocol, ws="none", lifespan="on", loop="asyncio",
        log_config=None, access_log=False, server_header=False, proxy_headers=proxy is not None,
        forwarded_allow_ips=proxy or "", limit_concurrency=limits.connections, backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_SECONDS, timeout_graceful_shutdown=_STOP_SECONDS, **more), on_start)
