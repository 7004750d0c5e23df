# SPDX-License-Identifier: Apache-2.0
"""Label what an ASGI server answers, whatever its framework: `app.add_middleware(LabelResponses, label=new_label)`.

    def new_label(scope):
        return labelkit.Label(labelkit.Kind.GENERATED, "001191440300708461136T1XGW3", str(uuid.uuid4()))

    app = LabelResponses(app, label=new_label, key=key, signer=signer)

A server that takes the name of a class and gives it nothing but the app, as `vllm serve --middleware` does, is given a
class derived from `LabelResponses`.

Labelled are responses of image/*, audio/* and video/*, and media in JSON as `asgi_json` finds them. They are held back
until they are complete, also those that the app sends in chunks, but for sound that is streamed as WAV, PCM, MP3, AAC,
FLAC, Opus or Vorbis without a Content-Length: it leaves chunk by chunk, the audible label first. All else
passes byte for byte: errors and redirections, text, server-sent events, websockets, and media under other types
(application/octet-stream, multipart/*). What may hold media there, such as the events of an image that is generated
with `stream: true`, is for the app to refuse or to label.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import hashlib
import json
import zlib
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from labelkit import aio, pipeline, unforeseen
from labelkit.errors import InvalidArgument, LabelkitError, LimitExceeded, MalformedFile, UnsupportedFormat, check_types
from labelkit.integrations import asgi_json, asgi_streams
from labelkit.integrations.asgi_manifests import StreamManifests
from labelkit.key import Key
from labelkit.label import Label
from labelkit.log_recorder import Audit
from labelkit.plan import Plan

if TYPE_CHECKING:
    from labelkit.confirmation import Check
    from labelkit.log import LabelLog
    from labelkit.provenance import Signer

Scope: TypeAlias = MutableMapping[str, Any]
Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_MEDIA = ("image/", "audio/", "video/")
_OF_THE_OLD_BYTES = (b"content-length", b"content-encoding", b"transfer-encoding", b"content-md5", b"digest",
                     b"content-digest", b"repr-digest", b"accept-ranges", b"last-modified", b"etag")
_PAST_THE_APP = ("http.response.pathsend", "http.response.zerocopysend", "http.response.trailers")


class LabelResponses:
    """Pure ASGI middleware; see the module for what it labels.

    label      called for each picture, sound or film with the request's scope, on another thread: its label
    plan, key, check   as for `labelkit.embed`
    signer     of the manifest; media of formats that have no place for one, such as Ogg, are then refused
    manifests  keeps the manifests of sound that is streamed, each signed at the end, and named in the header Link from
               the start; without it, a signer holds sound back until it is complete
    log        the label log that gets a record of each; of sound that is streamed one before its first byte leaves, and
               one with its SHA-256 at the end
    paths      prefixes of the paths whose responses are labelled, by default all: leave out the app's own icons
    fail_open  send what could not be labelled as it is, instead of a 500 with the reason as JSON
    counts     "labelled" and "refused" or "unlabelled" (with `fail_open`) responses are counted in it, and the media
               "without watermark" that carry none because the plan does not require it
    max_bytes  bound of a response that is held back, also of its uncompressed form
    pcm        (rate in Hz, channels) of audio/pcm, little-endian 16 bits, whose content type does not tell them

    What `label` raises reaches the server, and nothing is sent. Sound that is streamed is not read back: it is counted
    as "without watermark" where its end could not carry one. An error under way ends its response without an end, as
    the server does it for the app's own errors. An entity tag is that of the labelled bytes, ranges are
    answered with the whole (200), and compressed media (gzip, deflate) leave uncompressed. Raises InvalidArgument.
    """

    def __init__(self, app: App, *, label: Callable[[Scope], Label], plan: Plan | None = None, key: Key | None = None,
                 signer: Signer | None = None, log: LabelLog | None = None, check: Check = True,
                 paths: Collection[str] = ("/",), fail_open: bool = False,
                 counts: collections.Counter[str] | None = None, max_bytes: int = 64 << 20,
                 pcm: tuple[int, int] | None = None, manifests: StreamManifests | None = None) -> None:
        if not callable(label):
            raise InvalidArgument("label must be a function that makes a label for each response, got {got}",
                                  got=type(label).__name__)
        if isinstance(paths, str) or not all(isinstance(path, str) for path in paths) or not paths:
            raise InvalidArgument("paths must be a list of prefixes, got {got}", got=repr(paths))
        plan = Plan() if plan is None else plan
        check_types(plan=(plan, Plan))
        if signer is not None:
            check_types(signer=(signer, pipeline.provenance().Signer))
            plan = dataclasses.replace(plan, provenance=signer)
        self.app, self.new_label, self.plan, self.key, self.log, self.check = app, label, plan, Key.of(key), log, check
        self.paths, self.fail_open, self.max_bytes, self.pcm = tuple(paths), fail_open, max_bytes, pcm
        if manifests is not None:
            check_types(manifests=(manifests, StreamManifests))
        self.manifests = manifests
        self.counts: collections.Counter[str] = collections.Counter() if counts is None else counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, of which only what can be labelled is touched."""
        if self.manifests and scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and \
                str(scope["path"]).startswith(self.manifests.path):
            await self.manifests.answer(scope, send)
            return
        if scope["type"] != "http" or not str(scope["path"]).startswith(self.paths):
            await self.app(scope, receive, send)
            return
        extensions = {name: value for name, value in (scope.get("extensions") or {}).items()
                      if name not in _PAST_THE_APP}
        scope = {**scope, "extensions": extensions}
        response = _Response(self, scope, send)
        await self.app(scope, receive, response.send)
        if response.is_part:  # of media: asked for again, as a whole; a GET changes nothing
            names = (b"range", b"if-range")
            headers = [(name, value) for name, value in scope.get("headers", ()) if name.lower() not in names]
            scope = {**scope, "headers": headers}
            await self.app(scope, _after_empty_body(receive), _Response(self, scope, send).send)

    def labelled(self, media: bytes, scope: Scope) -> bytes:
        """A labelled file of the same format; raises LabelkitError, and what `label` raises."""
        label = self.new_label(scope)
        audit = Audit(self.log, datetime.datetime.now(datetime.UTC)) if self.log else None
        try:
            return pipeline.embed(media, label=label, plan=self.plan, key=self.key, check=self.check, audit=audit,
                                  on_left_out=lambda reason: self.counts.update(["without watermark"]))
        except LabelkitError:
            raise
        except BaseException as error:  # the panics of Rust libraries are no Exceptions
            raise unforeseen.translated(error) from error


class _Response:
    """One response: held back while it may have to be labelled, else passed event by event."""

    def __init__(self, middleware: LabelResponses, scope: Scope, send: Send) -> None:
        self.middleware, self.scope, self.forward = middleware, scope, send
        self.is_part = self.is_over = False
        self.start: Event | None = None  # while the response is held back
        self.body = bytearray()
        self.work: Callable[[bytes], bytes | None] | None = None
        self.beginning: asgi_streams.Beginning | None = None  # of sound that is to leave chunk by chunk
        self.sound: asgi_streams.SoundStream | None = None  # while it does
        self.may_stream = True

    async def send(self, event: Event) -> None:
        """What the app calls."""
        if self.is_part or self.is_over:
            return
        if event["type"] == "http.response.start":
            await self._begin(event)
        elif event["type"] == "http.response.body" and (self.start is not None or self.sound is not None):
            await self._add(event)
        else:
            await self.forward(event)

    async def _begin(self, start: Event) -> None:
        headers = _headers(start)
        kind = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        is_media, is_json = kind.startswith(_MEDIA), kind == "application/json" or kind.endswith("+json")
        is_ranges = start["status"] == 206 and kind == "multipart/byteranges"
        if not 200 <= start["status"] < 300 or not (is_media or is_json or is_ranges):
            await self.forward(start)
        elif self.scope["method"] == "HEAD":
            await self.forward(_with_headers(start) if is_media else start)
        elif start["status"] == 206 and self.scope["method"] == "GET":
            self.is_part = True
        elif start["status"] in (204, 205):
            await self.forward(start)
        else:
            self.start = start
            self.work = self._json if is_json else self._media

    async def _add(self, event: Event) -> None:
        middleware, more_body = self.middleware, event.get("more_body", False)
        self.body += event.get("body", b"")
        try:
            is_streamed = self.sound is not None or await self._is_streamed(more_body=more_body)
        except InvalidArgument as error:  # samples of an unknown rate
            await self._failed(error, more_body=more_body)
            return
        if is_streamed:
            await self._pass_on(more_body=more_body)
            return
        if len(self.body) > middleware.max_bytes:
            await self._failed(_too_large(middleware.max_bytes), more_body=more_body)
            return
        if more_body:
            return
        try:
            made = await aio.in_thread(self._labelled)
        except LabelkitError as error:
            await self._failed(error, more_body=False)
            return
        except BaseException:  # of `label`, or cancelled
            self.start, self.is_over = None, True
            raise
        if made is None:
            await self._as_it_is(more_body=False)
            return
        middleware.counts["labelled"] += 1
        start, self.start, self.is_over = cast(Event, self.start), None, True
        await self.forward(_with_headers(start, made))
        await self.forward({"type": "http.response.body", "body": made, "more_body": False})

    async def _is_streamed(self, *, more_body: bool) -> bool:
        """Whether this is sound that is to leave chunk by chunk, and enough of it has come to begin."""
        if not self.may_stream:
            return False
        headers, middleware = _headers(cast(Event, self.start)), self.middleware
        kind = headers.get(b"content-type", b"").decode("latin-1")
        has_place = middleware.manifests is not None
        is_sound = asgi_streams.is_streamed(kind, is_whole=b"content-length" in headers or not more_body,
                                            signs=has_place and middleware.plan.provenance is not None)
        self.may_stream = is_sound and asgi_streams.can_stream(middleware.plan, signs_at_end=has_place) and \
            headers.get(b"content-encoding", b"identity").lower() == b"identity"
        if not self.may_stream:
            return False
        data = bytes(self.body[:asgi_streams.MAX_HEAD])
        try:
            self.beginning = await aio.in_thread(lambda: asgi_streams.begun(kind, data, middleware.pcm))
        except (MalformedFile, UnsupportedFormat):  # not what it says, or nothing that codes it: as a whole
            self.may_stream = False
        return self.beginning is not None

    async def _pass_on(self, *, more_body: bool) -> None:
        """Send what is ready of sound that is streamed."""
        data, is_first, is_readable = bytes(self.body), self.sound is None, True

        def work() -> bytes:
            nonlocal is_readable
            if self.sound is None:
                assert self.beginning is not None
                sound = self._new_sound(self.beginning)
                made = sound.first(data)
                self.sound = sound
            else:
                made = self.sound.push(data)
            if not more_body:
                rest, is_readable = self.sound.finish()
                made += rest
            return made

        try:
            made = await aio.in_thread(work)
        except BaseException as error:
            if is_first and isinstance(error, LabelkitError):
                self.sound = None
                await self._failed(error, more_body=more_body)
                return
            self.start, self.is_over = None, True
            raise
        self.body.clear()
        if is_first:
            start = _with_headers(cast(Event, self.start))
            if self.sound and self.sound.manifest:
                start["headers"].append(self.sound.manifest.header)
            await self.forward(start)
            self.start = None
        if made or not more_body:
            await self.forward({"type": "http.response.body", "body": made, "more_body": more_body})
        if not more_body:
            self.is_over = True
            self.middleware.counts.update(["labelled"] if is_readable else ["labelled", "without watermark"])

    def _new_sound(self, beginning: asgi_streams.Beginning) -> asgi_streams.SoundStream:
        middleware = self.middleware
        label, manifest = middleware.new_label(self.scope), None
        if middleware.manifests and middleware.plan.provenance:
            manifest = middleware.manifests.new(label, middleware.plan, beginning.mime)
        return asgi_streams.SoundStream(beginning, label, middleware.plan, middleware.key, middleware.log, manifest)

    def _labelled(self) -> bytes | None:
        """The labelled body, None for one that holds no media."""
        encoding = _headers(cast(Event, self.start)).get(b"content-encoding", b"identity").decode("latin-1")
        assert self.work is not None
        return self.work(_decoded(bytes(self.body), encoding.strip().lower(), self.middleware.max_bytes))

    def _media(self, body: bytes) -> bytes:
        return self.middleware.labelled(body, self.scope)

    def _json(self, body: bytes) -> bytes | None:
        return asgi_json.labelled(body, lambda media: self.middleware.labelled(media, self.scope))

    async def _failed(self, error: LabelkitError, *, more_body: bool) -> None:
        middleware = self.middleware
        middleware.counts["unlabelled" if middleware.fail_open else "refused"] += 1
        if middleware.fail_open:
            await self._as_it_is(more_body=more_body)
            return
        self.start, self.is_over = None, True
        self.body.clear()
        told = {"type": type(error).__name__, "message": str(error), "hint": error.hint and str(error.hint)}
        body = json.dumps({"error": told}).encode()
        await self.forward({"type": "http.response.start", "status": 500, "headers": [
            (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store")]})
        await self.forward({"type": "http.response.body", "body": body, "more_body": False})

    async def _as_it_is(self, *, more_body: bool) -> None:
        start, self.start = cast(Event, self.start), None
        body = bytes(self.body)
        self.body.clear()
        await self.forward(start)
        await self.forward({"type": "http.response.body", "body": body, "more_body": more_body})


def _after_empty_body(receive: Receive) -> Receive:
    """What a request without a body receives, whatever was received of it before."""
    empty: list[Event] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive_again() -> Event:
        return empty.pop() if empty else await receive()
    return receive_again


def _headers(start: Event) -> dict[bytes, bytes]:
    return {bytes(name).lower(): bytes(value) for name, value in start.get("headers", ())}


def _with_headers(start: Event, made: bytes | None = None) -> Event:
    """The start of a labelled response; of the answer to HEAD, whose length is not known, without a body."""
    headers = [(name, value) for name, value in start.get("headers", ()) if name.lower() not in _OF_THE_OLD_BYTES]
    headers.append((b"accept-ranges", b"none"))
    if made is not None:
        headers.append((b"content-length", b"%d" % len(made)))
        if b"etag" in _headers(start):
            headers.append((b"etag", b'"%s"' % hashlib.sha256(made).hexdigest()[:32].encode()))
    return {**start, "headers": headers}


def _decoded(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The body without its Content-Encoding."""
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise UnsupportedFormat("a response in the content encoding {encoding}", encoding=repr(encoding),
                                hint="compress outside this middleware")
    try:
        inflater = zlib.decompressobj(47)  # gzip or zlib, told by the header
        plain = inflater.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise MalformedFile("a response in the content encoding {encoding} that is none", encoding=encoding) from error
    if len(plain) > max_bytes:
        raise _too_large(max_bytes)
    if not inflater.eof or inflater.unused_data:
        raise MalformedFile("a response in the content encoding {encoding} that is none", encoding=encoding)
    return plain


def _too_large(max_bytes: int) -> LimitExceeded:
    return LimitExceeded("a response of more than {limit} bytes", limit=f"{max_bytes:,}")
