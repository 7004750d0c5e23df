# SPDX-License-Identifier: Apache-2.0
"""The log keeps manifests: a mark leads to them, and they leave the records as they are."""

from __future__ import annotations

import datetime
import io
import sqlite3
import threading

import pytest
import soundfile

import labelkit as lk
from labelkit import provenance
from labelkit.errors import InvalidArgument, MalformedFile
from labelkit.log import Kept, LabelLog
from tests.container.test_jumbf import FIRST, LAST, STORE, described
from tests.log.conftest import NOW, entry
from tests.media import LABEL, photo, saved
from tests.sounds import speech, wave_bytes


def ogg(samples) -> bytes:
    """Sound in a format that has no place for a manifest."""
    made = io.BytesIO()
    soundfile.write(made, samples, 16_000, format="OGG")
    return made.getvalue()


ALG = "org.labelkit.watermark.image.1"
LATER = NOW + datetime.timedelta(seconds=1)
MARK = entry().payload


def test_a_mark_leads_to_its_manifests_the_newest_first(log):
    assert log.kept(MARK) == [] and log.manifest("urn:c2pa:2") is None and not log.forget("urn:c2pa:2")
    log.keep(Kept.of(STORE, ALG, MARK, NOW))
    log.keep(Kept("urn:c2pa:elsewhere", ALG, MARK, LATER, endpoint="https://manifests.example/v1"))
    log.keep(Kept.of(described(b"c2pa", FIRST), "org.labelkit.watermark.audio.1", entry(2).payload, NOW))
    assert log.kept(MARK) == [("urn:c2pa:elsewhere", "https://manifests.example/v1"), ("urn:c2pa:2", None)]
    assert log.kept(MARK, most=1) == [("urn:c2pa:elsewhere", "https://manifests.example/v1")]
    assert log.kept(MARK, alg="org.labelkit.watermark.audio.1") == [] == log.kept(entry(3).payload)
    raised = lk.Payload(kind=3, producer=MARK.producer, content=MARK.content)
    assert log.kept(raised) == log.kept(MARK)
    assert log.manifest("urn:c2pa:2") == (STORE, None)
    assert log.manifest("urn:c2pa:elsewhere") == (None, "https://manifests.example/v1")


def test_a_manifest_of_the_same_name_stays_as_it_is(log):
    log.keep(Kept.of(STORE, ALG, MARK, NOW))
    log.keep(Kept.of(described(b"c2pa", LAST), ALG, entry(2).payload, NOW))
    assert log.manifest("urn:c2pa:2") == (STORE, None) and log.kept(entry(2).payload) == []


def test_a_manifest_can_be_removed_and_the_records_stay(log):
    log.record(entry())
    log.keep(Kept.of(STORE, ALG, MARK, NOW))
    assert log.verify(now=NOW).intact and log.verify(now=NOW).records == 1
    assert log.forget("urn:c2pa:2") and not log.forget("urn:c2pa:2")
    assert log.manifest("urn:c2pa:2") is None and log.kept(MARK) == [] and log.verify(now=NOW).records == 1


def test_threads_keep_manifests_at_once(log):
    stores = [described(b"c2pa", described(f"urn:c2pa:{number}".encode())) for number in range(8)]
    threads = [threading.Thread(target=lambda store=store: log.keep(Kept.of(store, ALG, MARK, NOW)))
               for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(log.kept(MARK, most=100)) == 8


@pytest.mark.parametrize("wrong", [
    {"id": "a b"}, {"id": ""}, {"id": "urn:c2pa:1"}, {"store": None}, {"endpoint": "https://manifests.example"},
    {"store": None, "endpoint": "http://manifests.example"}, {"store": None, "endpoint": "https://" + "a" * 3000}])
def test_what_makes_no_sense_is_refused(wrong):
    given = {"id": "urn:c2pa:2", "alg": ALG, "payload": MARK, "time": NOW, "store": STORE}
    assert Kept(**given)
    with pytest.raises(InvalidArgument):
        Kept(**{**given, **wrong})
    with pytest.raises(MalformedFile):
        Kept.of(b"junk", ALG, MARK, NOW)


@pytest.mark.parametrize("make", [
    lambda: saved(photo(), "JPEG"), lambda: saved(photo(), "GIF"), lambda: saved(photo(), "WEBP"),
    lambda: wave_bytes(speech(1), 16_000), lambda: ogg(speech(1))], ids=["jpeg", "gif", "webp", "wav", "beside"])
def test_embed_keeps_the_manifest_that_it_signs(make, signer, anchors, tmp_path):
    log, plan = LabelLog(tmp_path / "log.db"), lk.Plan(explicit=None, watermark=None, provenance=signer)
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(make())
    lk.embed(source, target, LABEL, plan=plan, audit=lk.Audit(log, NOW, manifest=True))
    (name, store), = sqlite3.connect(tmp_path / "log.db").execute("SELECT id, store FROM labelkit_manifests")
    found = provenance.validate(target, trust=anchors, sidecar=store)
    assert found.status is lk.Status.VALID and found.evidence.trusted and found.label.produce_id == LABEL.produce_id
    assert log.manifest(name) == (store, None)


def test_embed_keeps_none_unless_it_is_asked_to(signer, tmp_path):
    log, plan = LabelLog(tmp_path / "log.db"), lk.Plan(explicit=None, provenance=signer)
    data = saved(photo(), "JPEG")
    lk.embed(data, label=LABEL, plan=plan, audit=lk.Audit(log, NOW))
    lk.embed(data, label=LABEL, plan=lk.Plan(), audit=lk.Audit(log, NOW, manifest=True))  # none is signed
    assert log.kept(lk.Payload.of(LABEL)) == [] and len(log.find(payload=lk.Payload.of(LABEL))) == 2
    lk.embed(io.BytesIO(data), label=LABEL, plan=plan, audit=lk.Audit(log, NOW, manifest=True))
    (_, endpoint), = log.kept(lk.Payload.of(LABEL), alg=ALG)
    assert endpoint is None
