# SPDX-License-Identifier: Apache-2.0
"""What the service answers is what the command line prints, and the files that it labels."""

from __future__ import annotations

import datetime
import email.parser
import email.policy
import hashlib
import json
from pathlib import Path

import jsonschema
import pytest

import labelkit as lk
from labelkit import results, service
from labelkit.cli import main as cli
from labelkit.label import FIELDS
from labelkit.log import LabelLog
from labelkit.plan import Generator
from labelkit.service.upload import Upload
from labelkit.service.verbs import Verbs
from tests.media import LABEL, photo, saved

SCHEMA = json.loads(Path(lk.__file__).with_name("report.schema.json").read_text("utf-8"))


def parts(response) -> list[bytes]:
    """The bodies of a multipart answer, as an independent parser reads them."""
    head = f"Content-Type: {response.headers['content-type']}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + response.content)
    return [part.get_payload(decode=True) for part in message.iter_parts()]


def printed(capsys, *words: object) -> dict[str, object]:
    cli.main(list(map(str, words)))
    return json.loads(capsys.readouterr().out)


def test_verify_answers_what_the_command_prints(served, labelled, tmp_path, keys, capsys):
    path = tmp_path / "cat.jpg"
    path.write_bytes(labelled)
    for asked in ({}, {"lang": "zh-CN", "effort": "fast", "layers": "metadata,watermark", "require": "watermark"}):
        said = served.post("/v1/verify", content=labelled, params={"name": "cat.jpg", **asked}).json()
        options = [word for name, value in asked.items() for word in (f"--{name}", value)]
        wanted = printed(capsys, "verify", path, "--json", "--trust", keys / "anchors.pem", *options)
        assert {**said, "file": str(path)} == wanted
        jsonschema.validate({name: value for name, value in said.items()
                             if name not in ("file", "required", "shortcomings")}, SCHEMA)
    unmarked = served.post("/v1/verify", content=saved(photo(seed=5), "PNG")).json()
    assert (unmarked["verdict"], unmarked["shortcomings"]) == ("none", ["metadata absent"])


def test_a_form_is_a_body_with_parameters(served, labelled):
    form = served.post("/v1/verify", files={"file": ("../猫\n.jpg", labelled)}, data={"lang": "zh-CN"}).json()
    body = served.post("/v1/verify", content=labelled, params={"lang": "zh-CN", "name": "猫\\n.jpg"}).json()
    assert form == {**body, "file": form["file"], "source": form["source"]} and "/" not in form["file"]
    assert "\n" not in form["file"] and form["reasons"] == body["reasons"] == ["元数据标识写明 Label 为 1"]


def test_check_judges_by_the_rules(served, labelled, plain):
    rules = {profile: served.post("/v1/check", content=labelled, params={"profile": profile}).json()
             for profile in ("gb45438", "eu", "california")}
    assert {name: one["profile"] for name, one in rules.items()} == {name: name for name in rules}
    outcomes = {rule["rule"]: rule["outcome"] for rule in rules["gb45438"]["rules"]}
    assert outcomes["explicit-label"] == "pass"
    unlabelled = {rule["rule"]: rule["outcome"] for rule in served.post("/v1/check", content=plain).json()["rules"]}
    assert unlabelled["explicit-label"] != "pass"
    jsonschema.validate(rules["eu"]["report"], SCHEMA)


def test_label_gives_the_file_and_its_record(served, plain, anchors):
    response = served.post("/v1/label", content=plain, params={"name": "cat.jpg", "produce_id": "7"})
    record = json.loads(response.headers["Labelkit-Record"])
    assert response.headers["content-type"] == "image/jpeg" and "cat.jpg" in response.headers["content-disposition"]
    assert tuple(record["label"]) == FIELDS and record["label"]["ProduceID"] == "7"
    report = lk.verify(response.content, trust=anchors)
    report.require(*lk.Layer)
    assert report.label.content_producer == LABEL.content_producer
    assert report[lk.Layer.WATERMARK].payload.hex == record["watermark"]
    with pytest.raises(lk.NotLabelled):
        lk.verify(plain).require(lk.Layer.METADATA)


def test_label_gives_record_and_file_as_parts(served, plain):
    response = served.post("/v1/label", content=plain, headers={"Accept": "multipart/mixed"},
                           params={"layers": "metadata", "explicit_present": "1", "kind": "possible"})
    record, made = parts(response)
    assert json.loads(record)["watermark"] is None and json.loads(record)["label"]["Label"] == "2"
    report = lk.verify(made)
    assert report.label.kind is lk.Kind.POSSIBLE and report[lk.Layer.WATERMARK].status is lk.Status.ABSENT


def test_texts_are_labelled_by_their_words(served):
    response = served.post("/v1/label", content=b"It rains.", params={"name": "a.txt", "layers": "explicit"})
    assert response.status_code == 200 and "AI" in response.text and response.headers["content-type"].startswith("text")


def test_a_manifest_that_belongs_beside_the_file_is_a_part(served, anchors, tmp_path):
    subtitles = b"1\n00:00:00,000 --> 00:00:04,000\nIt rains.\n"
    record, text, manifest = parts(served.post("/v1/label", content=subtitles, params={"name": "a.srt"}))
    assert json.loads(record)["output"] == "a.srt"
    (tmp_path / "a.srt").write_bytes(text)
    assert lk.verify(tmp_path / "a.srt", trust=anchors)[lk.Layer.PROVENANCE].status is lk.Status.ABSENT
    (tmp_path / "a.srt.c2pa").write_bytes(manifest)
    lk.verify(tmp_path / "a.srt", trust=anchors).require(lk.Layer.EXPLICIT, lk.Layer.PROVENANCE)


def test_propagate_decides_and_writes(served, labelled, plain):
    decision, made = map(bytes, parts(served.post("/v1/propagate", content=labelled, params={"propagate_id": "9"})))
    said = json.loads(decision)
    assert (said["tier"], said["output"], said["notice"]) == ("confirmed", "upload", "该内容属于人工智能生成合成内容")
    label = lk.verify(made).label
    assert (label.content_propagator, label.propagate_id) == ("platform", "9")
    assert label.content_producer == LABEL.content_producer
    unlabelled = served.post("/v1/propagate", content=plain).json()
    assert (unlabelled["tier"], unlabelled["output"], unlabelled["label"]) == ("none", None, None)
    declared = served.post("/v1/propagate", files={"file": plain}, data={"declared": "true"})
    assert json.loads(parts(declared)[0])["tier"] != "none"


@pytest.mark.parametrize("accept", ["image/*", "text/html, image/jpeg;q=0.9", "application/octet-stream"])
def test_propagate_gives_the_file_alone_where_the_client_asks_for_it(served, labelled, accept):
    response = served.post("/v1/propagate", content=labelled, headers={"Accept": accept})
    assert response.headers["content-type"] == "image/jpeg"
    said = json.loads(response.headers["Labelkit-Record"])
    assert said["tier"] == "confirmed" and said["notice"] and not {"report", "reasons"} & set(said)
    assert lk.verify(response.content).label.fields() == said["label"]
    for other in ("*/*", "image/png", "application/json", "multipart/mixed, image/jpeg"):
        response = served.post("/v1/propagate", content=labelled, headers={"Accept": other})
        assert response.headers["content-type"].startswith("multipart/mixed")


def test_a_decision_is_answered_where_the_file_cannot_be_written(served, signer, anchors, plain, monkeypatch):
    signed = lk.embed(plain, label=LABEL, plan=lk.Plan(provenance=signer))
    settings = service.Settings(propagator="platform", checks={"trust": anchors})  # no signer of its own
    verbs = Verbs(settings)
    verbs._verifying = served.service.verbs._verifying  # processes that have started
    answer = verbs.propagate(Upload(signed, "cat.jpg", ()), {})
    verbs._labelling.close()
    assert answer.file is None and answer.fields["tier"] == "confirmed" and answer.fields["output"] is None
    assert "manifest" in answer.fields["error"]["message"]


def test_every_labelled_file_is_on_record_before_it_is_sent(served, plain, tmp_path):
    log = LabelLog(tmp_path / "labels.db")
    verbs = Verbs(service.Settings(producer="acme", log=log))
    verbs._labelling = served.service.verbs._labelling  # processes that have started
    upload, asked = Upload(plain, "cat.jpg", ()), {"kind": "generated", "produce_id": "7"}
    answer = verbs.label(upload, asked)
    verbs.record(upload, asked, answer)
    verbs.record(upload, asked, answer, once=True)
    for data in (plain, answer.file):
        record, = log.find(sha256=hashlib.sha256(data).hexdigest())
        assert record.label.produce_id == "7" and record.label.content_producer == "acme"
    assert log.find(payload=lk.verify(answer.file)[lk.Layer.WATERMARK].payload)
    upload, asked = Upload(b"It rains.", "a.txt", ()), {"kind": "generated", "produce_id": "8"}
    text = verbs.label(upload, asked)
    assert log.find(sha256=hashlib.sha256(text.file).hexdigest()) == []
    verbs.record(upload, asked, text)
    assert len(log.find(sha256=hashlib.sha256(text.file).hexdigest())) == 1
    assert log.find(sha256=hashlib.sha256(b"another").hexdigest()) == []


def test_the_text_that_a_request_names_stands_in_the_place_of_the_operators_words(served, plain):
    verbs = Verbs(service.Settings(producer="acme", plan=lk.Plan(explicit=lk.Explicit.eu())))
    verbs._labelling = served.service.verbs._labelling  # processes that have started
    for asked, text in (({}, "AI GENERATED"), ({"text": "AI生成"}, "AI生成"), ({"corner": "top-left"}, "AI GENERATED")):
        made = verbs.label(Upload(plain, "cat.jpg", ()), {"kind": "generated", **asked}).file
        assert lk.verify(made).explicit.text == text


def test_a_file_is_made_when_it_is_labelled_and_not_when_the_service_started(served, plain, signer, anchors):
    stated = datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC)
    for created in (None, stated):
        before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        verbs = Verbs(service.Settings(producer="acme", plan=lk.Plan(
            provenance=signer, generator=Generator("Painter", "2", created))))
        verbs._labelling = served.service.verbs._labelling
        made = verbs.label(Upload(plain, "cat.jpg", ()), {"kind": "generated"}).file
        found = lk.verify(made, trust=anchors, layers=[lk.Layer.PROVENANCE])[lk.Layer.PROVENANCE].evidence.created
        found = datetime.datetime.fromisoformat(found)
        assert found == stated if created else before <= found <= datetime.datetime.now(datetime.UTC)


def test_signed_results_are_checked_by_the_public_keys_of_the_service(served, labelled):
    said = served.post("/v1/verify", content=labelled, params={"signed": "1"}).json()
    jwks = served.client.get("/.well-known/jwks.json").json()
    assert "d" not in jwks["keys"][0]
    found = results.check(said["signed_result"], jwks, datetime.datetime.now(datetime.UTC))
    assert found.content == results.Content.of(labelled) and found.detector["url"] == "https://labels.example/"
    assert found.report["verdict"] == said["verdict"] == "confirmed"
    assert "signed_result" not in served.post("/v1/verify", content=labelled).json()


@pytest.mark.parametrize(("path", "params", "told"), [
    ("verify", {"effort": "huge"}, "effort must be of fast, normal, deep"),
    ("verify", {"colour": "red"}, "'colour' is no parameter here"),
    ("verify", {"layers": "metadata", "require": "watermark"}, "layers leaves out"),
    ("verify", [("effort", "fast"), ("effort", "deep")], "effort is given twice"),
    ("check", {"profile": "mars"}, "profile must be of"),
    ("label", {"layers": "watermark"}, "would get no explicit label"),
    ("label", {"producer": "another"}, "producer is 001191440300708461136T1XGW3 in this service"),
    ("label", {"text": "hello"}, "must hold 人工智能 or AI"),
    ("label", {"layers": "metadata", "corner": "top", "explicit_present": "1"}, "corner is of the explicit label"),
    ("label", {"produce_id": "x" * 256}, "at most 255"),
    ("propagate", {"declared": "maybe"}, "declared must be of 1, true, 0, false")])
def test_wrong_parameters_are_said(served, plain, path, params, told):
    response = served.post(f"/v1/{path}", content=plain, params=params)
    error = response.json()["error"]
    assert response.status_code == 400 and told in error["message"], error


@pytest.mark.parametrize(("name", "data", "status", "kind"), [
    ("junk", b"no picture", 415, "UnsupportedFormat"), ("empty", b"", 400, "NoFile"),
    ("cut", saved(photo(), "PNG")[:3000], 422, "TruncatedFile"),
    ("small", saved(photo(8, 8), "PNG"), 422, "HostTooSmall")])
def test_errors_of_files_have_a_fitting_status(served, name, data, status, kind):
    response = served.post("/v1/label" if name == "small" else "/v1/verify", content=data)
    assert response.status_code == status, response.text
    assert response.json()["error"]["type"] == kind


def test_health_readiness_figures_and_the_page(served):
    get = served.client.get
    assert (get("/healthz").text, get("/readyz").text) == ("ok\n", "ready\n")
    assert get("/metrics").status_code == 401
    figures = get("/metrics", headers=served.keys["all"]).text
    assert 'labelkit_requests_total{route="health",status="200"}' in figures and "labelkit_held_bytes 0.0" in figures
    assert "Verify AI labels" in get("/").text and get("/../keys").status_code == 404
    missing = get("/v2/verify")
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "NotFound")
    assert get("/v1/verify").status_code == 405


def test_the_service_refuses_a_folder_without_a_page(tmp_path):
    with pytest.raises(lk.errors.InvalidArgument, match="no index.html"):
        service.Service(service.Settings(), service.Access(None), page=tmp_path)
