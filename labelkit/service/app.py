# SPDX-License-Identifier: Apache-2.0
"""The ASGI app: its routes, and the way of a request through them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from PIL import Image
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.staticfiles import StaticFiles

from labelkit.errors import InvalidArgument, LabelkitError
from labelkit.messages import Message
from labelkit.service import answers, job_routes, openapi, parameters, resolution
from labelkit.service.front import FACTS, LOG, App, Event, Figures, Front, Receive, Send, line
from labelkit.service.gate import Gate
from labelkit.service.jobs import Jobs
from labelkit.service.keys import Access
from labelkit.service.refusal import Refused
from labelkit.service.route import SCOPE_OF, Verb
from labelkit.service.upload import Upload
from labelkit.service.verbs import Settings, Verbs

T = TypeVar("T")

_RETRY_SECONDS = 5.0  # between attempts to start the processes


class Service:
    """The app, an ASGI callable.

    settings  what the operator decides
    access    who may ask for what
    page      a folder that `labelkit page` made, shown at /
    Raises InvalidArgument where that is none.
    """

    def __init__(self, settings: Settings, access: Access, *, page: Path | None = None) -> None:
        if page is not None and not (page / "index.html").is_file():
            raise InvalidArgument("{where} is no folder of a page: it has no index.html", where=str(page))
        if settings.manifests and settings.log is None:
            raise InvalidArgument("manifests are kept in the label log, and there is none")
        self.settings, self.access = settings, access
        self.gate = Gate(settings.limits)
        self.figures = Figures(self.gate)
        self.verbs = Verbs(settings)
        self.jobs = Jobs(settings, self.figures) if settings.jobs is not None else None
        self.is_ready = False
        self._threads = ThreadPoolExecutor(settings.limits.processes + 1, thread_name_prefix="labelkit-service")
        description = openapi.document(settings)
        routes: list[BaseRoute] = [Route(f"/v1/{verb}", Verb(self, verb, scope), methods=["POST"])
                                   for verb, scope in SCOPE_OF.items()]
        routes += [Route("/healthz", _plain(lambda: (200, "ok"))), Route("/readyz", _plain(self._readiness)),
                   Route("/metrics", self._metrics), Route("/openapi.json", _fixed("openapi", description))]
        if self.jobs:
            routes += job_routes.routes(self)
        if settings.manifests:
            routes += resolution.routes(self)
        if settings.results:
            routes.append(Route("/.well-known/jwks.json", _fixed("jwks", settings.results.jwks())))
        app = Starlette(routes=routes, lifespan=self._lifespan)
        app.add_exception_handler(HTTPException, self._http_error)  # type: ignore[arg-type]  # of this kind alone
        app.add_exception_handler(Exception, self._defect)
        if page is not None:
            app.router.default = StaticFiles(directory=page, html=True)  # whatever is no route, not its wrong methods
        self._app: App = Front(app, self.figures, settings.limits.send_seconds)

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._app(scope, receive, send)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """What `work` returns, on a thread that waits for a process."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @asynccontextmanager
    async def _lifespan(self, app: object) -> AsyncIterator[None]:
        warming = asyncio.create_task(self._warm_up())
        if self.jobs:
            self.jobs.start()
        try:
            yield
        finally:
            self.is_ready = False
            warming.cancel()
            if self.jobs:
                await asyncio.to_thread(self.jobs.stop)
            await asyncio.to_thread(self.verbs.close)
            self._threads.shutdown()

    async def _warm_up(self) -> None:
        """Let every process verify a small picture: the first files then wait for no import."""
        held = io.BytesIO()
        Image.new("RGB", (64, 64)).save(held, "PNG")
        small = Upload(held.getvalue(), "warm-up", ())
        asked = parameters.values("verify", ())
        while not self.is_ready:
            try:
                await asyncio.gather(*(self.in_thread(lambda: self.verbs.verify(small, asked))
                                       for _ in range(self.settings.limits.processes)))
                self.is_ready = True
            except LabelkitError as error:
                LOG.error(line(not_ready=str(error)))
                await asyncio.sleep(_RETRY_SECONDS)

    def _readiness(self) -> tuple[int, str]:
        if not self.is_ready:
            return 503, "starting"
        return (503, "busy") if self.gate.is_full else (200, "ready")

    async def _metrics(self, request: Request) -> Response:
        request.scope[FACTS].route = "metrics"
        try:
            self.allowed(request, "metrics")
        except Refused as refused:
            return answers.of_refusal(refused, self.settings.language)
        return Response(generate_latest(self.figures.registry), media_type=CONTENT_TYPE_LATEST)

    def allowed(self, request: Request, scope: str | None) -> str:
        """The name of the caller, who may ask for this, or is known; raises Refused (401, 403)."""
        address = request.client.host if request.client else ""
        caller = self.access.caller(request.headers.get("authorization"), address)
        if caller is None:
            raise Refused(401, "Unauthorized", Message("the API key is not known here"))
        if scope is not None and scope not in caller.scopes:
            if "authorization" not in request.headers:
                raise Refused(401, "Unauthorized", Message("an API key is needed: Authorization: Bearer KEY"))
            raise Refused(403, "Forbidden", Message("the API key does not have the scope {scope}", scope=scope))
        return caller.name

    async def _http_error(self, request: Request, error: HTTPException) -> Response:
        """Paths and methods that there are not."""
        refused = Refused(error.status_code, "NotFound" if error.status_code == 404 else "NotAllowed",
                          Message("{method} {path} is nothing that this service answers", method=request.method[:32],
                                  path=request.url.path[:200]))
        request.scope[FACTS].error = refused.kind
        response = answers.of_refusal(refused, self.settings.language)
        response.headers.update(error.headers or {})
        return response

    async def _defect(self, request: Request, error: Exception) -> Response:
        return answers.of_defect(self.settings.language)


def _plain(state: Callable[[], tuple[int, str]]) -> Callable[[Request], Response]:
    async def endpoint(request: Request) -> Response:
        status, text = state()
        request.scope[FACTS].route = "health"
        return PlainTextResponse(text + "\n", status, {"Cache-Control": "no-store"})
    return endpoint  # type: ignore[return-value]  # starlette takes coroutines too


def _fixed(route: str, value: object) -> Callable[[Request], Response]:
    response = JSONResponse(value)

    async def endpoint(request: Request) -> Response:
        request.scope[FACTS].route = route
        return response
    return endpoint  # type: ignore[return-value]  # starlette takes coroutines too
