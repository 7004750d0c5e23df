# SPDX-License-Identifier: Apache-2.0
"""From a mark to its manifest over HTTP, by C2PA's Soft Binding Resolution API."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import io
import json

import pytest
from PIL import Image
from starlette.testclient import TestClient

import labelkit as lk
from labelkit import resolve, service
from labelkit.container import jumbf
from labelkit.errors import FetchFailed, InvalidArgument
from labelkit.log import Kept, LabelLog
from labelkit.resolve import Client, Fetcher, Guard
from labelkit.service.lookup import ALGORITHMS
from tests.media import LABEL, photo, saved
from tests.resolve.test_fetching import answering, page

IMAGE = ALGORITHMS[0]
NOW = datetime.datetime(2026, 11, 28, tzinfo=datetime.UTC)


def stripped(data: bytes) -> bytes:
    """As feeds hand pictures on: encoded anew, without metadata and manifest."""
    return saved(Image.open(io.BytesIO(data)).convert("RGB"), "JPEG", quality=80)


@pytest.fixture(scope="module")
def made(served, plain) -> bytes:
    """A picture that the service has labelled, whose manifest it keeps."""
    answer = served.post("/v1/label", content=plain, params={"produce_id": "recovered", "name": "cat.jpg"})
    assert answer.status_code == 200
    return answer.content


@pytest.fixture(scope="module")
def mark(made) -> lk.Payload:
    return lk.Payload.of(lk.Label(lk.Kind.GENERATED, LABEL.content_producer, "recovered"))


def by_binding(served, value: str, alg: str = IMAGE, **more):
    return served.client.get("/v1/matches/byBinding", params={"value": value, "alg": alg, **more},
                             headers=served.keys["all"])


def encoded(mark: lk.Payload) -> str:
    return base64.b64encode(mark.to_bytes()).decode()


def test_a_mark_leads_to_its_manifest(served, made, mark, anchors):
    matches = by_binding(served, encoded(mark)).json()["matches"]
    assert len(matches) == 1 and set(matches[0]) == {"manifestId"}
    name = matches[0]["manifestId"]
    answer = served.client.get(f"/v1/manifests/{name}", headers=served.keys["all"])
    assert answer.headers["content-type"] == "application/c2pa" and jumbf.manifests(answer.content)[-1][0] == name
    assert lk.verify(made, trust=anchors).manifest.soft_bindings[0].value == mark.hex
    posted = served.post("/v1/matches/byBinding", json={"value": mark.hex, "alg": IMAGE})  # as manifests have it
    assert posted.json()["matches"] == matches
    alone = served.client.get(f"/v1/manifests/{name}?returnActiveManifest=true", headers=served.keys["all"])
    assert jumbf.manifests(alone.content) == jumbf.manifests(answer.content)[-1:]
    raised = dataclasses.replace(mark, kind=3)  # a propagator may raise the kind
    assert by_binding(served, encoded(raised)).json()["matches"] == matches


def test_another_mark_or_algorithm_leads_nowhere(served, made, mark):
    other = dataclasses.replace(mark, content=mark.content ^ 1)
    assert by_binding(served, encoded(other)).json() == {"matches": []}
    assert by_binding(served, encoded(mark), ALGORITHMS[1]).json() == {"matches": []}
    unknown = served.client.get("/v1/manifests/urn:c2pa:none", headers=served.keys["all"])
    assert unknown.status_code == 404 and unknown.json()["error"]["type"] == "NotFound"


@pytest.mark.parametrize(("value", "alg", "most"), [
    ("", IMAGE, "1"), ("!!!!", IMAGE, "1"), ("AAAA", IMAGE, "1"), ("AAAAAAAAAAA=", "org.example", "1"),
    ("AAAAAAAAAAA=", IMAGE, "0"), ("AAAAAAAAAAA=", IMAGE, "x"), ("AAAAAAAAAAA=", IMAGE, "101")])
def test_wrong_questions_are_refused(served, value, alg, most):
    assert by_binding(served, value, alg, maxResults=most).status_code == 400


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"value": 1, "alg": "x"}', b"{}", b"[" * 4000])
def test_wrong_bodies_are_refused(served, body):
    for path in ("/v1/matches/byBinding", "/v1/matches/byReference"):
        assert served.post(path, content=body).status_code == 400
    assert served.post("/v1/matches/byBinding", content=b" " * 5000).status_code == 413


def test_a_file_leads_to_its_manifest(served, made, plain):
    found = served.post("/v1/matches/byContent", content=stripped(made)).json()
    assert len(found["matches"]) == 1
    assert served.post("/v1/matches/byContent", content=plain).json() == {"matches": []}
    assert served.post("/v1/matches/byContent", content=stripped(made), params={"alg": ALGORITHMS[2]}).json() == {
        "matches": []}
    assert served.post("/v1/matches/byContent", content=b"no file").status_code == 415


def test_a_hint_counts_where_no_mark_is_found(served, made, mark, plain):
    hint = {"hintAlg": IMAGE, "hintValue": encoded(mark)}
    assert len(served.post("/v1/matches/byContent", content=plain, params=hint).json()["matches"]) == 1
    assert served.post("/v1/matches/byContent", content=plain, params={**hint, "hintValue": "x"}).status_code == 400


def test_an_address_leads_to_the_manifest_of_its_file(served, made):
    data = stripped(made)
    with answering(page(data)) as (port, _):
        found = served.post("/v1/matches/byReference", json={
            "referenceUrl": f"http://127.0.0.1:{port}/cat.jpg", "assetLength": len(data)})
    assert len(found.json()["matches"]) == 1


@pytest.mark.parametrize(("url", "length", "status"), [
    ("https://192.0.2.1/", 10, 400), ("http://localhost/", 10, 400), ("file:///etc/passwd", 10, 400),
    ("http://127.0.0.1:9/", 10, 502), ("http://127.0.0.1:9/", 0, 400), ("http://127.0.0.1:9/", 1 << 40, 413),
    (7, 10, 400)])
def test_addresses_that_are_not_fetched(served, url, length, status):
    asked = {"referenceUrl": url, "assetLength": length}
    assert served.post("/v1/matches/byReference", json=asked).status_code == status


def test_a_file_that_is_not_as_long_as_stated(served, plain):
    for stated, status in ((len(plain) - 1, 502), (len(plain) + 1, 400)):
        with answering(page(plain)) as (port, _):
            asked = {"referenceUrl": f"http://127.0.0.1:{port}/", "assetLength": stated}
            assert served.post("/v1/matches/byReference", json=asked).status_code == status


def test_the_scope_is_wanted(served, mark):
    for key, status in (("reader", 403), ("nobody", 401)):
        headers = served.keys.get(key, {})
        for path in (f"/v1/matches/byBinding?alg={IMAGE}&value=AAAAAAAAAAA%3D", "/v1/manifests/urn:c2pa:none"):
            assert served.client.get(path, headers=headers).status_code == status
        assert served.post("/v1/matches/byContent", key, content=b"x").status_code == status


def test_the_service_describes_itself(served):
    known = served.client.get("/.well-known/c2pa-soft-binding-resolution").json()
    assert known["apiEndpoint"] == f"{served.url}/v1"
    capabilities = served.client.get(known["capabilitiesEndpoint"]).json()
    assert capabilities == {"c2paSpecificationVersion": known["c2paSpecificationVersion"],
                            "supportedCapabilities": ["queryByContent", "queryByReference"]}
    assert served.client.get(known["statusEndpoint"]).json()["status"] == "ok"
    listed = served.client.get("/v1/services/supportedAlgorithms").json()
    assert {one["alg"] for one in listed["watermarks"]} == set(ALGORITHMS) and listed["fingerprints"] == []
    from labelkit.provenance import watermark_algorithm
    assert all(watermark_algorithm(mime) in ALGORITHMS for mime in ("image/png", "audio/wav", "video/mp4"))


def test_without_manifests_there_is_nothing_of_it(monkeypatch, tmp_path):
    app = service.Service(service.Settings(limits=service.Limits(processes=1)), service.Access(None, ["recover"]))
    client = TestClient(app)  # without its lifespan: no process starts
    for path in ("/v1/matches/byBinding", "/v1/services/status", "/.well-known/c2pa-soft-binding-resolution"):
        assert client.get(path).status_code == 404
    assert not [path for path in client.get("/openapi.json").json()["paths"] if "match" in path]
    with pytest.raises(InvalidArgument, match="in the label log"):
        service.Service(service.Settings(manifests=True), service.Access(None))


def test_services_ask_each_other_one_hop_far(served, made, mark, tmp_path):
    """A service that knows nothing asks the one that knows; and not where the question came from a service."""
    def client(url: str) -> Client:
        fetcher = Fetcher(Guard(["127.0.0.1"], is_private=True))
        object.__setattr__(fetcher, "get", lambda *given, headers=None, **more: Fetcher.get(
            fetcher, *given, headers={**(headers or {}), **served.keys["all"]}, **more))
        return Client(url, fetcher=fetcher)

    dead = Client("http://127.0.0.1:9/v1")
    settings = service.Settings(log=LabelLog(tmp_path / "log.db"), manifests=True,
                                peers=[dead, client(f"{served.url}/v1")])
    asking = TestClient(service.Service(settings, service.Access(None, ["recover"])))
    question = {"value": encoded(mark), "alg": IMAGE}
    match, = asking.get("/v1/matches/byBinding", params=question).json()["matches"]
    assert match["endpoint"] == f"{served.url}/v1"
    assert asking.get("/v1/matches/byBinding", params=question, headers={"Labelkit-Hop": "1"}).json() == {"matches": []}


def test_a_manifest_that_is_elsewhere(mark, tmp_path):
    log = LabelLog(tmp_path / "log.db")
    log.keep(Kept("urn:c2pa:elsewhere", IMAGE, mark, NOW, endpoint="https://manifests.example/v1"))
    app = service.Service(service.Settings(log=log, manifests=True), service.Access(None, ["recover"]))
    client = TestClient(app)
    assert client.get("/v1/matches/byBinding", params={"value": encoded(mark), "alg": IMAGE}).json()["matches"] == [
        {"manifestId": "urn:c2pa:elsewhere", "endpoint": "https://manifests.example/v1"}]
    assert client.get("/v1/manifests/urn:c2pa:elsewhere").status_code == 404


def test_a_file_gets_its_manifest_back(served, made, anchors):
    """Recovered is told from embedded, and believed only where it fits."""
    class Keyed(Fetcher):
        def get(self, url, *, accept="*/*", headers=None):
            return super().get(url, accept=accept, headers={**(headers or {}), **served.keys["all"]})

    client = Client(f"{served.url}/v1", fetcher=Keyed(Guard(["127.0.0.1"], is_private=True)))
    bare = stripped(made)
    report = lk.verify(bare, trust=anchors)
    found = resolve.recover(bare, report, client, trust=anchors)
    assert found.fits == "watermark" and found.finding.label.produce_id == "recovered"
    assert found.finding.evidence.trusted and "can be copied" in str(found.summary)
    assert report[lk.Layer.PROVENANCE].status is lk.Status.ABSENT and json.dumps(found.to_dict("zh-CN"))
    assert resolve.recover(made, lk.verify(made, trust=anchors), client, trust=anchors) is None  # it has its own
    plain = saved(photo(seed=3), "JPEG", quality=90)
    assert resolve.recover(plain, lk.verify(plain), client, trust=anchors) is None  # there is no mark to ask about
    unknown = lk.embed(plain, label=LABEL, plan=lk.Plan(explicit=None, metadata=False))
    nothing = resolve.recover(unknown, lk.verify(unknown), client, trust=anchors)
    assert nothing.fits is None and nothing.finding is None and "no manifest is known" in str(nothing.summary)


def test_what_a_resolver_makes_up_is_not_believed(made, mark, anchors, signer, tmp_path):
    """A true manifest of other content, a changed one, and answers without sense."""
    log = LabelLog(tmp_path / "log.db")
    other = lk.embed(saved(photo(seed=5), "JPEG"), label=LABEL, plan=lk.Plan(provenance=signer),
                     audit=lk.Audit(log, datetime.datetime.now(datetime.UTC), manifest=True))
    (name, _), = log.kept(lk.Payload.of(LABEL))
    store = log.manifest(name)[0]
    assert lk.verify(other, trust=anchors).manifest.trusted
    bare, matches = stripped(made), json.dumps({"matches": [{"manifestId": name}]}).encode()
    report = lk.verify(bare, trust=anchors)

    def recovered(*answers: bytes):
        with answering(*map(page, answers)) as (port, _):
            return resolve.recover(bare, report, Client(f"http://127.0.0.1:{port}"), trust=anchors)

    found = recovered(matches, store)
    assert found.fits is None and found.finding.label is None and "nothing shows" in str(found.summary)
    changed = recovered(matches, store.replace(lk.Payload.of(LABEL).hex.encode(), mark.hex.encode()))
    assert changed.fits is None and "does not hold" in str(changed.summary)
    for answers in ((b"[]",), (b'{"matches": [1]}',), (b'{"matches": {}}',), (matches, b"junk"),
                    (matches.replace(name.encode(), b"urn:c2pa:another"), store)):
        assert "makes no sense" in str(recovered(*answers).summary)
    elsewhere = json.dumps({"matches": [{"manifestId": name, "endpoint": "https://other.example"}]}).encode()
    assert "was not asked" in str(recovered(elsewhere).summary)
    with pytest.raises(FetchFailed):
        Client("http://127.0.0.1:9").manifest(name)
    for url in ("ftp://labels.example", "https://labels.example/v1?a=b", "labels.example"):
        with pytest.raises(InvalidArgument):
            Client(url)


def test_a_file_is_named_by_its_address(served, made, plain):
    for data, verdict in ((made, "confirmed"), (plain, "none")):
        with answering(page(data)) as (port, _):
            url = f"http://127.0.0.1:{port}/a/cat.jpg?size=large"
            report = served.post("/v1/verify", params={"url": url, "effort": "fast"}).json()
        assert (report["verdict"], report["file"]) == (verdict, "cat.jpg")
    with answering(page(plain)) as (port, asked):
        url = f"http://127.0.0.1:{port}/"
        assert served.post("/v1/verify", params={"url": url}, content=b"x").status_code == 400 and not asked
        assert served.post("/v1/label", "reader", params={"url": url}).status_code == 403 and not asked
    for url, status in (("https://192.0.2.1/", 400), ("file:///etc/passwd", 400), ("http://127.0.0.1:9/", 502)):
        assert served.post("/v1/verify", params={"url": url}).status_code == status
    with answering(page(b"x" * (2 << 20))) as (port, _):  # more than a body may have
        assert served.post("/v1/check", params={"url": f"http://127.0.0.1:{port}/"}).status_code == 502


def test_where_no_host_is_allowed_nothing_is_fetched():
    app = service.Service(service.Settings(limits=service.Limits(processes=1)), service.Access(None, ["verify"]))
    with answering(page(b"x")) as (port, asked):
        refused = TestClient(app).post("/v1/verify", params={"url": f"http://127.0.0.1:{port}/"})
    assert refused.status_code == 400 and not asked and "allows no host" in refused.json()["error"]["message"]
    operation = TestClient(app).get("/openapi.json").json()["paths"]["/v1/verify"]["post"]
    assert "url" not in [one["name"] for one in operation["parameters"]] and operation["requestBody"]["required"]
