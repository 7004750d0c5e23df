# SPDX-License-Identifier: Apache-2.0
"""Spans of OpenTelemetry, where the package of its API is there; what becomes of them is set up by whoever runs this.

A span has the route, the status, sizes and the kind of an error, by the names of the semantic conventions for HTTP. It
has nothing of contents: no name of a file, no address, no message, no verdict.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from labelkit.distribution import __version__

try:
    from opentelemetry import propagate, trace
except ModuleNotFoundError:
    trace = None  # type: ignore[assignment]  # then nothing is told

_METHODS = ("GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS")
_CONTEXT = (b"traceparent", b"tracestate")  # W3C Trace Context


class Facts(Protocol):
    """What is told of a request: `front.Facts` has it."""

    route: str
    status: int
    bytes_in: int
    bytes_out: int
    error: str | None


@contextlib.contextmanager
def of_request(method: str, headers: Iterable[tuple[bytes, bytes]], facts: Facts) -> Iterator[None]:
    """A span around a request, below the one that its headers name; `facts` tell what it was when it ends."""
    if trace is None:
        yield
        return
    named = {name.decode(): value.decode("latin-1") for name, value in headers if name in _CONTEXT}
    method = method if method in _METHODS else "_OTHER"
    with _tracer().start_as_current_span(method, propagate.extract(named), trace.SpanKind.SERVER,
                                         record_exception=False, set_status_on_exception=False) as span:
        try:
            yield
        finally:
            span.update_name(f"{method} {facts.route}")
            span.set_attributes({
                "http.request.method": method, "http.route": facts.route, "http.response.status_code": facts.status,
                "http.request.body.size": facts.bytes_in, "http.response.body.size": facts.bytes_out})
            _ended(span, facts.error, facts.status >= 500)


@contextlib.contextmanager
def span(name: str, trace_of: str = "") -> Iterator[dict[str, str | int]]:
    """A span around a part of the work; what is put into the mapping becomes its attributes.

    trace_of  what `context` gave where the work was asked for
    """
    found: dict[str, str | int] = {}
    if trace is None:
        yield found
        return
    context = propagate.extract({"traceparent": trace_of}) if trace_of else None
    with _tracer().start_as_current_span(f"labelkit.{name}", context, record_exception=False,
                                         set_status_on_exception=False) as made:
        try:
            yield found
        except BaseException as error:
            _ended(made, type(error).__name__, True)
            raise
        finally:
            made.set_attributes(found)


def context() -> str:
    """The span that is open, for work that is done elsewhere; "" for none."""
    if trace is None:
        return ""
    held: dict[str, str] = {}
    propagate.inject(held)
    return held.get("traceparent", "")


def _ended(made: Any, error: str | None, is_failure: bool) -> None:
    if error:
        made.set_attribute("error.type", error)
    if is_failure:
        made.set_status(trace.Status(trace.StatusCode.ERROR))


def _tracer() -> trace.Tracer:
    return trace.get_tracer("labelkit.service", __version__)
