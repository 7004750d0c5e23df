# SPDX-License-Identifier: Apache-2.0
"""Where a job is, what came of it, and its end. A job belongs to the API key that made it: others find nothing."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from labelkit.messages import Message
from labelkit.service import answers
from labelkit.service.front import Event, Facts, Receive, Send
from labelkit.service.gate import Ticket
from labelkit.service.job_record import Outcome, State
from labelkit.service.jobs import Jobs, reached
from labelkit.service.parameters import KEEP
from labelkit.service.refusal import Refused
from labelkit.service.route import SCOPE_OF, Guarded, Host


def routes(host: Host) -> list[Route]:
    """The routes of a service that has jobs."""
    return [Route("/v1/jobs/{name}", Job(host, "jobs", None), methods=["GET", "DELETE"]),
            Route("/v1/jobs/{name}/result", Result(host, "jobs", None), methods=["GET"])]


class _OfJob(Guarded):
    """A route of one job."""

    async def response(self, request: Request, facts: Facts, ticket: Ticket) -> Response:
        """See `Guarded`."""
        jobs, name = self.host.jobs, request.path_params["name"]
        assert jobs is not None  # else there is no such route
        state = await reached(jobs.state, name)
        if state is None or state.record.owner != (facts.caller or ""):
            raise Refused(404, "NotFound", Message("no job of this name is kept here"))
        self.host.allowed(request, SCOPE_OF[state.record.verb])
        return await self.of_job(jobs, name, state, request, facts, ticket)

    async def of_job(self, jobs: Jobs, name: str, state: State, request: Request, facts: Facts,
                     ticket: Ticket) -> Response:
        """The answer about a job that is the caller's."""
        raise NotImplementedError


class Job(_OfJob):
    """`GET /v1/jobs/{name}` and `DELETE`."""

    async def of_job(self, jobs: Jobs, name: str, state: State, request: Request, facts: Facts,
                     ticket: Ticket) -> Response:
        """Where the job is; or nothing, of one that was removed."""
        if request.method == "DELETE":
            await reached(jobs.remove, name)
            return Response(status_code=204)
        later = {} if state.outcome else {"Retry-After": str(answers.RETRY_SECONDS)}
        return JSONResponse(state.fields(name), headers=later)


class Result(_OfJob):
    """`GET /v1/jobs/{name}/result`: what the request would have been answered at once. Then the job is removed, unless
    the client asks to keep it."""

    async def of_job(self, jobs: Jobs, name: str, state: State, request: Request, facts: Facts,
                     ticket: Ticket) -> Response:
        """The answer."""
        is_kept = KEEP.value(request.query_params.get(KEEP.name, "0"))
        if state.outcome is None:
            raise Refused(409, "NotDone", Message("the job has not ended; ask again later"), answers.RETRY_SECONDS)
        ticket.hold(state.outcome.size)
        response = await self._of_outcome(jobs, state.outcome, state, request, facts)
        return response if is_kept else _Once(response, request, jobs, name)

    async def _of_outcome(self, jobs: Jobs, outcome: Outcome, state: State, request: Request,
                          facts: Facts) -> Response:
        answer = await reached(jobs.answer, outcome)
        if answer is None:
            raise Refused(404, "NotFound", Message("no job of this name is kept here"))
        if outcome.status != 200:
            facts.error = answer.fields["error"]["type"]
            return JSONResponse(answer.fields, outcome.status)
        facts.verdict = answer.fields.get("verdict") or answer.fields.get("tier")
        return answers.of(answer, request.headers.get("accept", ""))


class _Once(Response):
    """A response whose job is removed when all of it was taken; a client that goes away before may ask again."""

    def __init__(self, response: Response, request: Request, jobs: Jobs, name: str) -> None:
        super().__init__(response.body, response.status_code, media_type=response.media_type)
        self.raw_headers = response.raw_headers
        self._request, self._jobs, self._name = request, jobs, name

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        if await self._request.is_disconnected():
            raise ClientDisconnect
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        await asyncio.to_thread(self._jobs.remove, self._name)
