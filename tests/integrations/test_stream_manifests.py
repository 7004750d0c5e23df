# SPDX-License-Identifier: Apache-2.0
"""Sound that is streamed by a server with a signer: its manifest is signed at the end and named from the start."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

import labelkit as lk
from labelkit.errors import InvalidArgument
from labelkit.integrations.asgi import LabelResponses
from labelkit.integrations.asgi_manifests import StreamManifests
from tests.integrations.test_asgi import aborted, answer, call
from tests.integrations.test_asgi_streams import SOUND, WAV
from tests.integrations.test_lossy_streams import aac, flac, mp3, new_label, opus

_, WATERMARK, _, PROVENANCE = lk.Layer
KINDS = [("audio/wav", lambda: WAV, "wav"), ("audio/mpeg", mp3, "mp3"), ("audio/flac", flac, "flac"),
         ("audio/ogg", opus, "opus"), ("audio/aac", aac, "aac")]


def get(app, path: str, method: str = "GET") -> tuple[int, bytes]:
    """Status and body of what the middleware answers itself."""
    sent: list[dict] = []

    async def send(event):
        sent.append(dict(event))

    asyncio.run(app({"type": "http", "method": method, "path": path, "headers": []}, None, send))
    return sent[0]["status"], b"".join(event.get("body", b"") for event in sent)


@pytest.mark.parametrize("kind, make, ending", KINDS, ids=[ending for _, _, ending in KINDS])
def test_a_signed_stream_leaves_as_it_comes_and_verifies_with_its_manifest_beside_it(
        tmp_path, signer, anchors, kind, make, ending):
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    app = LabelResponses(answer(make(), kind, chunks=9), label=new_label, signer=signer,
                         manifests=StreamManifests(manifests))
    start, *bodies = asyncio.run(call(app))
    link = dict(start["headers"])[b"link"].decode()
    place, = re.fullmatch(r'<(/manifests/[0-9a-f]{32}\.c2pa)>; rel="c2pa-manifest"', link).groups()
    assert b"content-length" not in dict(start["headers"]) and len([one for one in bodies if one.get("body")]) > 3
    status, store = get(app, place)
    assert status == 200 and get(app, place, "HEAD") == (200, b"")
    file = tmp_path / f"sound.{ending}"
    file.write_bytes(b"".join(one.get("body", b"") for one in bodies))
    assert lk.verify(file, layers=[PROVENANCE])[PROVENANCE].status is lk.Status.ABSENT
    Path(f"{file}.c2pa").write_bytes(store)
    report = lk.verify(file, trust=anchors)
    assert {report[layer].status for layer in lk.Layer} == {lk.Status.VALID}
    assert report[PROVENANCE].payload == report[WATERMARK].payload
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert lk.verify(file, trust=anchors, layers=[PROVENANCE])[PROVENANCE].status is lk.Status.INVALID


def test_a_stream_that_is_aborted_or_fails_leaves_no_manifest(tmp_path, signer):
    app = LabelResponses(answer(WAV, "audio/wav", chunks=30), label=new_label, signer=signer,
                         manifests=StreamManifests(tmp_path))
    kept, behind = aborted(app, [9_000])
    assert kept[0] and behind == 0 and list(tmp_path.iterdir()) == []


def test_nothing_but_manifests_is_answered(tmp_path, signer):
    (tmp_path / "kept").mkdir()
    (tmp_path / "secret.c2pa").write_bytes(b"secret")
    (tmp_path / "kept" / "note.c2pa").write_bytes(b"not of a stream")
    app = LabelResponses(answer(SOUND.tobytes(), "text/plain"), label=new_label, signer=signer,
                         manifests=StreamManifests(tmp_path / "kept", "/m/"))
    for path in ("/m/../secret.c2pa", "/m/note.c2pa", "/m/", "/m/0123.c2pa",
                 f"/m/{300 * 'a'}.c2pa", "/m/%2e%2e/secret.c2pa"):
        assert get(app, path) == (404, b"")
    assert get(app, "/other")[0] == get(app, "/m/note.c2pa", "POST")[0] == 200  # the app's own


@pytest.mark.parametrize("wrong", [{"folder": "not-there"}, {"path": "manifests/"}, {"path": "/manifests"}])
def test_wrong_places_are_refused(tmp_path, wrong):
    with pytest.raises(InvalidArgument):
        StreamManifests(**{"folder": tmp_path, **wrong})
    with pytest.raises(InvalidArgument):
        LabelResponses(answer(WAV, "audio/wav"), label=new_label, manifests=str(tmp_path))
