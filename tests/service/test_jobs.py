# SPDX-License-Identifier: Apache-2.0
"""Jobs over HTTP: a film is answered later, once, to the key that sent it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import labelkit as lk
from benchmarks import jobs as killing
from labelkit import service
from labelkit.errors import OutputFailed
from labelkit.log import LabelLog
from labelkit.service import parameters
from labelkit.service.job_record import Record, State
from labelkit.service.upload import Upload
from tests.films import film
from tests.media import LABEL
from tests.service.conftest import PATIENT, Served, serving

LATER = {"Prefer": "respond-async"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    path = folder / "keys"
    keys = {name: {"Authorization": f"Bearer {service.add_key(path, name, scopes, 'now')}"}
            for name, scopes in (("all", ["label", "verify", "metrics"]), ("other", ["label", "verify"]),
                                 ("reader", ["verify"]))}
    settings = service.Settings(
        producer=LABEL.content_producer, log=LabelLog(folder / "labels.db"), jobs=str(folder / "jobs"),
        ocr_in_check=False, limits=service.Limits(processes=1, body_bytes=1 << 20, callers_jobs=3, **PATIENT))
    app = service.Service(settings, service.Access(path))
    with serving(app) as url, httpx.Client(base_url=url, timeout=None) as client:
        yield Served(app, client, keys, url)


def ended(served: Served, made: httpx.Response, key: str = "all") -> dict[str, object]:
    """The state of a job when it has ended."""
    assert made.status_code == 202 and int(made.headers["retry-after"]) > 0
    while True:
        state = served.client.get(made.headers["location"], headers=served.keys[key])
        if state.json()["result"]:
            assert "retry-after" not in state.headers
            return state.json()
        assert state.json()["state"] in ("waiting", "working") and "retry-after" in state.headers
        time.sleep(0.02)


def fetched(served: Served, state: dict[str, object], key: str = "all") -> httpx.Response:
    return served.client.get(state["result"], headers=served.keys[key])


def gone(served: Served, path: str, key: str = "all") -> bool:
    """Whether a job is no more: it goes when the last byte of its result was sent, and this may ask just before."""
    while served.client.get(path, headers=served.keys[key]).status_code != 404:
        time.sleep(0.01)
    return True


def test_a_film_is_labelled_as_a_job_and_given_once(served, folder, tmp_path):
    moving = film(tmp_path / "f.mp4").read_bytes()
    made = served.post("/v1/label?name=f.mp4&produce_id=film-1", content=moving)
    state = ended(served, made)
    assert {name: state[name] for name in ("verb", "file", "state", "progress", "status")} == {
        "verb": "label", "file": "f.mp4", "state": "done", "progress": 1.0, "status": 200}
    result = fetched(served, state)
    assert result.headers["content-type"] == "video/mp4" and '"film-1"' in result.headers["labelkit-record"]
    assert lk.verify(result.content).label.produce_id == "film-1"
    assert gone(served, made.headers["location"]) and fetched(served, state).status_code == 404
    while list((folder / "jobs" / "files").iterdir()):  # its file goes a moment later
        time.sleep(0.01)
    assert b"film-1" not in (folder / "jobs" / "jobs.sqlite3").read_bytes()
    assert len(LabelLog(folder / "labels.db").find(produce_id="film-1")) == 1


def test_a_result_that_is_kept_can_be_fetched_again_and_is_deleted(served, folder, plain):
    made = served.post("/v1/label?produce_id=kept-1", content=plain, headers=LATER)
    state = ended(served, made)
    first, again = (served.client.get(f"{state['result']}?keep=1", headers=served.keys["all"]) for _ in range(2))
    assert first.status_code == 200 and first.content == again.content
    assert first.headers["labelkit-record"] == again.headers["labelkit-record"]
    assert len(LabelLog(folder / "labels.db").find(produce_id="kept-1")) == 1
    wrong = served.client.get(f"{state['result']}?keep=perhaps", headers=served.keys["all"])
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (400, "BadParameter")
    assert served.client.delete(made.headers["location"], headers=served.keys["all"]).status_code == 204
    assert fetched(served, state).status_code == 404


def test_a_picture_is_answered_at_once_unless_a_job_is_asked_for(served, labelled):
    at_once = served.post("/v1/verify?name=a.jpg", content=labelled)
    later = served.post("/v1/verify?name=a.jpg", content=labelled, headers=LATER)
    assert later.headers["preference-applied"] == "respond-async" and at_once.status_code == 200
    state = ended(served, later)
    assert state["progress"] == 1.0
    result = fetched(served, state)
    assert result.json() == at_once.json() and result.json()["verdict"] == "confirmed"


def test_what_a_verb_refuses_is_the_result_of_the_job(served):
    broken = served.post("/v1/check?name=b.png", content=b"\x89PNG\r\n\x1a\n", headers=LATER)
    state = ended(served, broken)
    assert (state["state"], state["status"]) == ("failed", 422)
    result = fetched(served, state)
    assert (result.status_code, result.json()["file"]) == (422, "b.png") and result.json()["error"]["message"]
    wrong = served.post("/v1/check?profile=none", content=b"x", headers=LATER)
    assert wrong.status_code == 400  # before it is a job


def test_a_job_is_there_for_its_key_alone(served, plain):
    made = served.post("/v1/verify", content=plain, headers=LATER)
    where = made.headers["location"]
    state = ended(served, made)
    for headers in (served.keys["other"], {}):
        for path, method in ((where, "GET"), (state["result"], "GET"), (where, "DELETE")):
            assert served.client.request(method, path, headers=headers).status_code == 404
    wrong = {"Authorization": "Bearer labelkit_unknown"}
    assert served.client.get(where, headers=wrong).status_code == 401
    assert served.client.delete(where, headers=served.keys["all"]).status_code == 204
    assert gone(served, where) and served.client.get(where[:-1], headers=served.keys["all"]).status_code == 404


def test_a_caller_without_a_key_has_jobs_by_their_names(tmp_path, plain):
    settings = service.Settings(jobs=str(tmp_path / "jobs"), limits=service.Limits(processes=1, **PATIENT))
    access = service.Access(None, ["verify"])
    with serving(service.Service(settings, access)) as url, httpx.Client(base_url=url, timeout=None) as client:
        served = Served(None, client, {"all": {}}, url)
        made = client.post("/v1/verify", content=plain, headers=LATER)
        assert fetched(served, ended(served, made)).json()["verdict"] == "none"
        refused = client.post("/v1/label", content=plain, headers=LATER)
    assert refused.status_code == 401


def test_too_many_jobs_of_a_key_are_refused(served, plain):
    made = [served.post("/v1/verify", content=plain, headers=LATER, key="reader") for _ in range(4)]
    assert [one.status_code for one in made] == [202, 202, 202, 429]
    assert int(made[3].headers["retry-after"]) > 0
    first = fetched(served, ended(served, made[0], "reader"), "reader")
    assert first.status_code == 200 and gone(served, made[0].headers["location"], "reader")
    assert served.post("/v1/verify", content=plain, headers=LATER, key="reader").status_code == 202  # there is room
    assert served.post("/v1/verify", content=plain, headers=LATER).status_code == 202  # and was, for others


@pytest.mark.parametrize("verb", ["verify", "check", "propagate"])
def test_every_verb_says_how_far_a_film_is(served, tmp_path, verb):
    upload, shares = Upload(film(tmp_path / "f.mp4").read_bytes(), "f.mp4", (("propagator", "platform"),)), []
    asked = parameters.values(verb, upload.fields if verb == "propagate" else ())
    served.service.jobs.verbs.of[verb](upload, asked, shares.append)
    assert shares and all(0 <= share <= 1 for share in shares)


def test_a_result_that_is_not_there_yet_is_no_result(served, monkeypatch, plain):
    monkeypatch.setattr(served.service.jobs, "state", lambda name: State(
        Record("verify", "all", "a", (), 0.0, 1, "me", True), "working", 0.25))
    state = served.client.get("/v1/jobs/x", headers=served.keys["all"])
    assert (state.json()["progress"], state.json()["state"], state.json()["result"]) == (0.25, "working", None)
    early = served.client.get("/v1/jobs/x/result", headers=served.keys["all"])
    assert (early.status_code, early.json()["error"]["type"]) == (409, "NotDone") and early.headers["retry-after"]


def test_jobs_whose_place_cannot_be_used_are_to_be_asked_for_later(served, plain, monkeypatch):
    def away(*arguments: object) -> None:
        raise OutputFailed("postgresql://inner.example/jobs: the database of jobs cannot be used")
    for name in ("get", "all"):
        monkeypatch.setattr(served.service.jobs._store, name, away)
    for refused in (served.client.get("/v1/jobs/x", headers=served.keys["all"]),
                    served.client.get("/v1/jobs/x/result", headers=served.keys["all"]),
                    served.client.delete("/v1/jobs/x", headers=served.keys["all"]),
                    served.post("/v1/verify", content=plain, headers=LATER)):
        assert (refused.status_code, refused.json()["error"]["type"]) == (503, "Busy")
        assert refused.headers["retry-after"] and "inner.example" not in refused.text


def test_the_figures_count_jobs(served, plain):
    ended(served, served.post("/v1/label", content=plain, headers=LATER))
    found = served.client.get("/metrics", headers=served.keys["all"]).text
    assert 'labelkit_jobs_ended_total{route="label",status="200"}' in found and "labelkit_jobs{" in found


def test_without_a_store_there_are_no_jobs(tmp_path, plain):
    app = service.Service(service.Settings(limits=service.Limits(processes=1, **PATIENT)),
                          service.Access(None, ["verify"]))
    with serving(app) as url, httpx.Client(base_url=url, timeout=None) as client:
        assert client.post("/v1/verify", content=plain, headers=LATER).status_code == 200
        assert client.get("/v1/jobs/x").status_code == 404
        assert not any("jobs" in path for path in client.get("/openapi.json").json()["paths"])


def test_jobs_survive_kills_of_the_service_and_of_its_processes(tmp_path):
    tally = killing.run(tmp_path, str(tmp_path / "jobs"), count=6, kills=2)  # 200 and 20 in benchmarks/SERVICE.md
    assert tally.is_whole, tally
    assert (tally.jobs, tally.services_killed, tally.processes_killed) == (6, 1, 1)
