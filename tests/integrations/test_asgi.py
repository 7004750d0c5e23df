# SPDX-License-Identifier: Apache-2.0
"""The ASGI middleware, called as servers call it, without a framework."""

from __future__ import annotations

import asyncio
import base64
import collections
import gc
import gzip
import io
import itertools
import json
import threading
import zlib

import pytest
import soundfile

import labelkit as lk
from labelkit import aio
from labelkit.errors import InvalidArgument
from labelkit.integrations import asgi
from labelkit.integrations.asgi import LabelResponses
from labelkit.log import LabelLog
from tests.media import photo, saved
from tests.sounds import speech

PICTURE = saved(photo(256, 320), "JPEG", quality=92)
SMALL = saved(photo(32, 32), "PNG")
FILE_SIDE = lk.Plan(explicit=None, watermark=None)
JSON = "application/json"


def new_label(scope) -> lk.Label:
    return lk.Label(lk.Kind.GENERATED, "acme", f"{next(new_label.numbers):06}")


new_label.numbers = itertools.count()


def answer(body: bytes, kind: str, status: int = 200, headers=(), chunks: int = 1, events=()):
    """An app that answers every request with this."""
    async def app(scope, receive, send):
        assert not scope.get("extensions")
        await send({"type": "http.response.start", "status": status,
                    "headers": [(b"Content-Type", kind.encode()), *headers]})
        size = -(-len(body) // chunks) or 1
        for start in range(0, len(body), size):
            await send({"type": "http.response.body", "body": body[start:start + size], "more_body": True})
        for event in events:
            await send(event)
        await send({"type": "http.response.body"})
    return app


async def call(app, method: str = "GET", path: str = "/", headers=()) -> list[dict]:
    """What an app sends."""
    sent: list[dict] = []

    async def receive():
        await asyncio.Event().wait()

    async def send(event):
        sent.append(dict(event))

    await app({"type": "http", "method": method, "path": path, "headers": list(headers),
               "extensions": {"http.response.pathsend": {}}}, receive, send)
    return sent


def ask(app, **how) -> tuple[int, dict[bytes, bytes], bytes]:
    """(status, headers, body)"""
    start, *bodies = asyncio.run(call(app, **how))
    assert start["type"] == "http.response.start" and not bodies[-1].get("more_body")
    names = [name.lower() for name, _ in start["headers"]]
    assert len(names) == len(set(names))
    return start["status"], dict(zip(names, [value for _, value in start["headers"]], strict=True)), b"".join(
        one.get("body", b"") for one in bodies)


def aborted(app, after) -> tuple[list[bytes], int]:
    """What had left for clients that go away after so many bytes, one after another, and how many tasks and threads are
    left then; a server cancels the app of such a client."""
    async def one(limit: int) -> bytes:
        left, gone = bytearray(), asyncio.Event()

        async def send(event):
            left.extend(event.get("body", b""))
            if len(left) > limit:
                gone.set()
                await asyncio.sleep(60)

        task = asyncio.create_task(app({"type": "http", "method": "GET", "path": "/"}, None, send))
        await gone.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return bytes(left)

    async def all_of_them() -> tuple[list[bytes], int]:
        await one(0)
        before, threads = len(asyncio.all_tasks()), threading.active_count()
        kept = [await one(limit) for limit in after]
        return kept, len(asyncio.all_tasks()) - before + max(0, threading.active_count() - threads - 1)

    return asyncio.run(all_of_them())


def light(app, **settings) -> LabelResponses:
    """With the metadata alone, which is quick."""
    return LabelResponses(app, **{"label": new_label, "plan": FILE_SIDE, **settings})


def is_labelled(media: bytes) -> bool:
    found = lk.verify(media, layers=[lk.Layer.METADATA])[lk.Layer.METADATA]
    return found.status is lk.Status.VALID and found.label.content_producer == "acme"


def sound(format: str) -> bytes:
    out = io.BytesIO()
    subtype = "OPUS" if format == "OGG" else None
    soundfile.write(out, speech(4.0, 24_000), 24_000, format=format, subtype=subtype)
    return out.getvalue()


@pytest.mark.parametrize("chunks", [1, 7])
def test_a_picture_leaves_with_all_layers_and_without_the_middleware_with_none(chunks, signer, anchors):
    app = answer(PICTURE, "image/jpeg", headers=[(b"content-length", b"%d" % len(PICTURE))], chunks=chunks)
    status, headers, body = ask(LabelResponses(app, label=new_label, signer=signer))
    assert status == 200 and headers[b"content-length"] == b"%d" % len(body)
    report = lk.verify(body, trust=anchors)
    assert {finding.status for finding in report} == {lk.Status.VALID} and report.verdict is lk.Verdict.CONFIRMED
    assert lk.verify(ask(_without_extensions(app))[2]).verdict is lk.Verdict.NONE


@pytest.mark.parametrize("format,kind", [("WAV", "audio/wav"), ("MP3", "audio/mpeg"),
                                         ("OGG", "audio/ogg; codecs=opus")])
def test_sound_leaves_with_the_layers_that_need_no_signer(format, kind):
    source = sound(format)
    status, _, body = ask(LabelResponses(answer(source, kind, chunks=5), label=new_label))
    report = lk.verify(body)
    assert status == 200 and report.verdict is lk.Verdict.CONFIRMED and lk.verify(source).verdict is lk.Verdict.NONE
    for layer in (lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA):
        assert report[layer].status is lk.Status.VALID


def test_raw_samples_are_refused_and_never_leave():
    status, _, body = ask(light(answer(b"\0\1" * 9000, "audio/pcm", chunks=3)))
    assert status == 500 and b"\0\1" not in body and json.loads(body)["error"]["type"] == "UnsupportedFormat"


@pytest.mark.parametrize("app", [
    answer(SMALL, "text/plain"), answer(SMALL, "application/octet-stream", chunks=3),
    answer(SMALL, "image/png", 404), answer(SMALL, "image/png", 500), answer(b"", "image/png", 304),
    answer(b"data: {\"b64_json\": \"AAAA\"}\n\n", "text/event-stream", chunks=4), answer(b"", "image/png", 204),
    answer(b'{"a": 1.0 ,"audio":{"data":"AAAA"}}', JSON), answer(b"{broken b64_json", JSON), answer(b"", JSON),
    answer(b'{"b64_json":null, "url" : "http://x/a.png"}', JSON), answer(b"\xff b64_json", JSON),
    answer(gzip.compress(b'{"a": "\\u00e4"}'), JSON, headers=[(b"content-encoding", b"gzip"), (b"etag", b'"1"')])])
def test_all_else_is_the_same_byte_for_byte(app):
    counts = collections.Counter()
    assert ask(light(app, counts=counts)) == ask(_without_extensions(app))
    assert not counts


def _without_extensions(app):
    return lambda scope, receive, send: app({**scope, "extensions": {}}, receive, send)


def test_chunks_that_are_no_media_are_sent_as_they_come():
    app = answer(b"abcdef", "text/event-stream", chunks=3)
    assert asyncio.run(call(light(app))) == asyncio.run(call(_without_extensions(app)))


def test_other_protocols_and_other_paths_pass():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope)

    scopes = [{"type": "websocket", "path": "/"}, {"type": "lifespan"}, {"type": "http", "path": "/icons/a.png"}]
    for scope in scopes:
        asyncio.run(light(app, paths=["/v1/"])(scope, None, None))
    assert all(one is other for one, other in zip(seen, scopes, strict=True))
    assert ask(light(answer(SMALL, "image/png"), paths=["/v1/"]), path="/v1/a")[2] != SMALL


def test_a_base64_picture_in_json_is_labelled_each_with_its_own_payload():
    coded = base64.b64encode(SMALL).decode()
    url = f"data:image/png;base64,{coded}"
    message = {"role": "assistant", "content": f"Here ![a]({url}) and ![b]({url}).",
               "images": [{"type": "image_url", "image_url": {"url": url}}], "audio": {"id": "1", "data": coded}}
    document = {"created": 1.5, "data": [{"b64_json": coded, "url": None}, {"b64_json": coded}], "text": "ä;base64,",
                "choices": [{"message": message}], "output": [{"type": "image_generation_call", "result": coded}]}
    counts = collections.Counter()
    app = answer(json.dumps(document).encode(), JSON, headers=[(b"content-length", b"7")], chunks=3)
    status, headers, body = ask(light(app, counts=counts))
    assert status == 200 and headers[b"content-length"] == b"%d" % len(body) and counts == {"labelled": 1}
    made = json.loads(body)
    assert coded not in body.decode()
    url = made["choices"][0]["message"]["images"][0]["image_url"]["url"]
    text = made["choices"][0]["message"]["content"]
    held = [made["data"][0]["b64_json"], made["data"][1]["b64_json"], url.partition(",")[2],
            *[one.partition(",")[2].partition(")")[0] for one in text.split("](")[1:]],
            made["choices"][0]["message"]["audio"]["data"], made["output"][0]["result"]]
    files = [base64.b64decode(one) for one in held]
    assert len(files) == 7 and all(map(is_labelled, files)) and not is_labelled(SMALL)
    ids = {lk.verify(one, layers=[lk.Layer.METADATA])[lk.Layer.METADATA].label.produce_id for one in files}
    assert len(ids) == 7
    assert text.startswith("Here ![a](") and text.endswith(").")
    assert made["text"] == "ä;base64," and made["created"] == 1.5


@pytest.mark.parametrize("document", [
    lambda coded: f"data:image/png;base64,{coded}", lambda coded: [[{"b64_json": coded[:80] + "\n" + coded[80:]}]],
    lambda coded: {"b64_json": f"data:image/png;base64,{coded}"}])
def test_json_of_other_shapes(document):
    coded = base64.b64encode(SMALL).decode()
    _, _, body = ask(light(answer(json.dumps(document(coded)).encode(), "application/vnd.a+json; charset=utf-8")))
    made = json.loads(body)
    while not isinstance(made, str):
        made = next(iter(made.values() if isinstance(made, dict) else made))
    assert is_labelled(base64.b64decode(made.rpartition(",")[2]))


def test_a_class_that_is_given_the_app_alone():
    class Labelled(LabelResponses):
        def __init__(self, app):
            super().__init__(app, label=new_label, plan=FILE_SIDE)

    assert is_labelled(ask(Labelled(answer(SMALL, "image/png")))[2])


@pytest.mark.parametrize("body", [
    json.dumps({"data": [{"b64_json": base64.b64encode(SMALL).decode()}, {"b64_json": "no media"}]}),
    json.dumps({"data": [{"b64_json": base64.b64encode(b"no media").decode()}]}), '{"b64_json":' + "[" * 100_000])
def test_json_with_media_that_cannot_be_labelled_is_refused_as_a_whole(body):
    status, _, told = ask(light(answer(body.encode(), JSON)))
    assert status == 500 and set(json.loads(told)["error"]) == {"type", "message", "hint"}


@pytest.mark.parametrize("fail_open", [False, True])
@pytest.mark.parametrize("app", [answer(b"no picture", "image/png", chunks=2), answer(SMALL * 9, "image/png", chunks=9),
                                 answer(b"", "image/png"),
                                 answer(SMALL, "image/png", headers=[(b"content-encoding", b"br")]),
                                 answer(SMALL, "image/png", headers=[(b"content-encoding", b"gzip")])])
def test_what_cannot_be_labelled_is_refused_or_counted(app, fail_open):
    counts = collections.Counter()
    wrapped = light(app, counts=counts, fail_open=fail_open, max_bytes=2 * len(SMALL))
    status, headers, body = ask(wrapped)
    if fail_open:
        assert (status, headers, body) == ask(_without_extensions(app)) and counts == {"unlabelled": 1}
    else:
        assert status == 500 and headers[b"content-type"] == b"application/json" and SMALL[:8] not in body
        assert headers[b"cache-control"] == b"no-store" and json.loads(body)["error"]["message"]
        assert counts == {"refused": 1}


@pytest.mark.parametrize("encoding,coded", [(b"gzip", gzip.compress(SMALL)), (b"deflate", zlib.compress(SMALL)),
                                            (b"identity", SMALL)])
def test_a_compressed_picture_leaves_uncompressed(encoding, coded):
    app = answer(coded, "image/png", headers=[(b"Content-Encoding", encoding)])
    _, headers, body = ask(light(app))
    assert is_labelled(body) and b"content-encoding" not in headers
    bomb = gzip.compress(bytes(10 << 20))
    assert ask(light(answer(bomb, "image/png", headers=[(b"content-encoding", b"gzip")]), max_bytes=1 << 20))[0] == 500
    for broken in (coded[:-9], coded + b"more"):
        if encoding != b"identity":
            assert ask(light(answer(broken, "image/png", headers=[(b"content-encoding", encoding)])))[0] == 500


def test_headers_that_tell_of_the_old_bytes_are_replaced():
    old = [(b"ETag", b'"old"'), (b"Last-Modified", b"x"), (b"accept-ranges", b"bytes"), (b"digest", b"x"),
           (b"transfer-encoding", b"chunked"), (b"x-mine", b"kept")]
    _, headers, body = ask(light(answer(SMALL, "image/png", headers=old)))
    assert set(headers) == {b"content-type", b"x-mine", b"accept-ranges", b"content-length", b"etag"}
    assert headers[b"etag"] != b'"old"' and headers[b"accept-ranges"] == b"none"
    assert ask(light(answer(SMALL, "image/png", headers=old)))[1][b"etag"] != headers[b"etag"], "another label"
    start, *_ = asyncio.run(call(light(answer(b"", "image/png", headers=[*old, (b"content-length", b"9")])),
                                 method="HEAD"))
    assert {name for name, _ in start["headers"]} == {b"Content-Type", b"x-mine", b"accept-ranges"}


@pytest.mark.parametrize("kind", ["image/png", "multipart/byteranges; boundary=x"])
def test_a_range_of_a_picture_is_answered_with_the_whole(kind):
    async def app(scope, receive, send):
        part = any(name == b"range" for name, _ in scope["headers"])
        if not part:
            assert (await receive())["type"] == "http.request"
        await answer(SMALL[5:9] if part else SMALL, kind if part else "image/png", 206 if part else 200)(
            scope, receive, send)

    status, headers, body = ask(light(app), headers=[(b"range", b"bytes=5-8"), (b"if-range", b'"x"')])
    assert status == 200 and is_labelled(body) and headers[b"accept-ranges"] == b"none"
    text = answer(b"part", "text/plain", 206)
    assert ask(light(text), headers=[(b"range", b"bytes=0-3")])[0::2] == (206, b"part")
    assert ask(light(answer(SMALL[5:9], "image/png", 206)), method="POST")[0] == 500


def test_the_label_is_made_for_the_request_and_its_error_sends_nothing():
    def label(scope):
        if scope["path"] == "/broken":
            raise ValueError("no label")
        return lk.Label(lk.Kind.GENERATED, "acme", scope["path"].strip("/"))

    app = light(answer(SMALL, "image/png"), label=label)
    body = ask(app, path="/tenant-7")[2]
    assert lk.verify(body)[lk.Layer.METADATA].label.produce_id == "tenant-7"
    with pytest.raises(ValueError):
        ask(app, path="/broken")


def test_every_response_is_recorded(tmp_path):
    with LabelLog(tmp_path / "labels.db") as log:
        ask(light(answer(SMALL, "image/png"), log=log))
        body = ask(light(answer(SMALL, "image/png"), log=log))[2]
        ask(light(answer(b"no picture", "image/png"), log=log))
        label = lk.verify(body)[lk.Layer.METADATA].label
        assert log.head().number == 2
        assert [record.label for record in log.find(produce_id=label.produce_id)] == [label]


@pytest.mark.parametrize("settings", [{"label": lk.Label(lk.Kind.GENERATED, "acme", "1")}, {"plan": 7}, {"key": "x"},
                                      {"signer": "signer.pem"}, {"paths": "/v1/"}, {"paths": []}, {"paths": [b"/"]}])
def test_wrong_settings_are_refused_at_the_start(settings):
    with pytest.raises(InvalidArgument):
        light(answer(b"", JSON), **settings)


def test_the_loop_goes_on_while_a_picture_is_labelled():
    async def main() -> None:
        loop, reached = asyncio.get_running_loop(), asyncio.Event()

        def label(scope):
            loop.call_soon_threadsafe(reached.set)  # runs only while the loop is free
            asyncio.run_coroutine_threadsafe(reached.wait(), loop).result(60)
            return new_label(scope)

        start, body = await call(light(answer(SMALL, "image/png"), label=label))
        assert is_labelled(body["body"])

    asyncio.run(main())


def test_a_thousand_aborted_requests_leave_nothing_behind_and_no_unlabelled_byte():
    sent: list[bytes] = []

    async def send(event):
        if event["type"] == "http.response.body":
            sent.append(event["body"])
            raise OSError("the client has gone")

    async def main() -> None:
        async def one(number: int) -> None:
            app = light(answer(SMALL, "image/png", chunks=3))
            scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
            task = asyncio.create_task(app(scope, None, send))
            if number % 10:
                for _ in range(number % 7):
                    await asyncio.sleep(0)
                task.cancel()
            with pytest.raises((OSError, asyncio.CancelledError)):
                await task

        await asyncio.gather(*(one(number) for number in range(1000)))
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
    assert len(sent) >= 100 and SMALL not in sent and is_labelled(sent[0]) and is_labelled(sent[-1])
    aio._pool().shutdown()  # what was at work when it was cancelled ends in its thread
    aio._pool.cache_clear()
    gc.collect()
    assert not [one for one in gc.get_objects() if isinstance(one, asgi._Response)]
