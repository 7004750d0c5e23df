# SPDX-License-Identifier: Apache-2.0
"""Spans of OpenTelemetry: one tree for a request, and nothing in it of what was sent."""

from __future__ import annotations

import importlib
import json
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from labelkit import service
from labelkit.service import spans
from labelkit.service.upload import Upload
from labelkit.service.verbs import Answer
from tests.service.test_hostile import EVERYTHING, ask

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SECRET = "geheimnis"
KNOWN = {"http.request.method", "http.route", "http.response.status_code", "http.request.body.size",
         "http.response.body.size", "error.type", "labelkit.verb", "labelkit.attempt"}


@pytest.fixture
def exported(monkeypatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "_tracer", lambda: provider.get_tracer("test"))
    return exporter


@pytest.fixture
def app(tmp_path):
    """A service whose answers need no process."""
    app = service.Service(service.Settings(producer="acme", jobs=str(tmp_path / "jobs"), limits=service.Limits(
        processes=1)), EVERYTHING)
    for verbs in (app.verbs, app.jobs.verbs):
        verbs.of["verify"] = lambda upload, asked, on_share=None: Answer({"verdict": SECRET, "file": upload.name})
    yield app
    app.jobs.stop()


def told(exported: InMemorySpanExporter) -> dict[str, object]:
    """The spans by name; what they tell is what is known to be harmless."""
    found = {span.name: span for span in exported.get_finished_spans()}
    for span in found.values():
        assert set(span.attributes) <= KNOWN
        assert SECRET not in json.dumps([span.name, dict(span.attributes), span.status.description]) and not span.events
    return found


def test_a_request_is_a_span_below_that_of_its_caller(app, exported):
    answer, = ask(app, lambda client: client.post(
        f"/v1/verify?name={SECRET}.png", content=SECRET.encode(), headers={"traceparent": f"00-{TRACE}-{PARENT}-01"}))
    assert answer.status_code == 200
    found = told(exported)
    request, work = found["POST verify"], found["labelkit.work"]
    assert f"{request.context.trace_id:032x}" == TRACE and f"{request.parent.span_id:016x}" == PARENT
    assert work.parent.span_id == request.context.span_id
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["http.request.body.size"] == len(SECRET) and "error.type" not in request.attributes


def test_errors_are_told_by_their_kind_alone(app, exported):
    def fails(*_: object) -> Answer:
        raise RuntimeError(SECRET)
    ask(app, lambda client: client.post(f"/v1/verify?{SECRET}=1", content=b"x"))
    refused = told(exported)["POST verify"]
    assert refused.attributes["error.type"] == "BadParameter" and refused.status.is_unset
    exported.clear()
    app.verbs.of["verify"] = fails
    ask(app, lambda client: client.post("/v1/verify", content=b"x"))
    found = told(exported)
    assert not found["POST verify"].status.is_ok
    assert found["labelkit.work"].attributes["error.type"] == "UnforeseenError"
    exported.clear()
    ask(app, lambda client: client.request(SECRET.upper(), f"/{SECRET}"))
    assert set(told(exported)) == {"_OTHER other"}


def test_a_job_is_a_span_of_the_request_that_made_it(app, exported):
    made, = ask(app, lambda client: client.post(f"/v1/verify?name={SECRET}", content=b"x", headers={
        "prefer": "respond-async", "traceparent": f"00-{TRACE}-{PARENT}-01"}))
    assert made.status_code == 202
    name, _, attempt = app.jobs._store.receive().partition(" ")
    app.jobs._attempt(name, int(attempt))
    found = told(exported)
    assert found["labelkit.job"].parent.span_id == found["POST verify"].context.span_id
    assert dict(found["labelkit.job"].attributes) == {"labelkit.verb": "verify", "labelkit.attempt": 1}


def test_without_the_api_the_service_tells_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    without = importlib.util.module_from_spec(importlib.util.find_spec("labelkit.service.spans"))
    without.__spec__.loader.exec_module(without)
    assert without.trace is None and without.context() == ""
    with without.of_request("GET", [], None), without.span("work") as attributes:
        assert attributes == {}


def test_without_a_span_a_job_has_none(app):
    name, _ = app.jobs.accept("verify", Upload(b"x", "x", ()), "")
    assert app.jobs.state(name).record.trace == ""
