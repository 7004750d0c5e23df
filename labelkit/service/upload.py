# SPDX-License-Identifier: Apache-2.0
"""The file and the fields of a request: a raw body, or multipart/form-data with the file in `file`.

Every byte is counted as it comes. Nothing is written to a disk.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from labelkit.messages import Message, one_line
from labelkit.service import parameters
from labelkit.service.gate import Ticket
from labelkit.service.limits import Limits
from labelkit.service.refusal import Refused

FILE = "file"
"""The field of the file."""
_MAX_FIELDS = 32
_MAX_FIELD = 16 << 10  # bytes of a field that is no file
_MAX_NAME = 255  # characters, as in file systems
_UNNAMED = "upload"
_DISCARDED_BYTES, _DISCARD_SECONDS = 1 << 20, 1.0


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came in.

    data    the file
    name    as the client calls it, without folders, on one line; for messages and reports alone
    fields  of the query and of the form
    """

    data: bytes
    name: str
    fields: tuple[tuple[str, str], ...]


async def receive(request: Request, limits: Limits, ticket: Ticket) -> Upload:
    """The file of a request. Raises Refused (400, 408, 413, 415, 503), and starlette's ClientDisconnect."""
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise Refused(415, "UnsupportedEncoding", Message(
            "a body in the content encoding {encoding}; send it as it is", encoding=repr(encoding)))
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated[:20]) > limits.body_bytes:
        raise too_large(limits)
    try:
        async with asyncio.timeout(limits.receive_seconds):
            return await _received(request, _counted(request, limits, ticket))
    except TimeoutError:
        raise too_slow(limits) from None


def fetched(url: str, data: bytes, request: Request) -> Upload:
    """A file that was fetched from an address; raises Refused (400) for an empty one."""
    query = request.query_params
    fields = tuple(field for field in query.multi_items() if field[0] not in ("name", parameters.URL.name))
    return Upload(_nonempty(data), name_of(query.get("name") or urlsplit(url).path), fields)


async def discard(request: Request) -> None:
    """Take a little more of a body that nobody wants: a client that still sends it would not read the answer."""
    try:
        async with asyncio.timeout(_DISCARD_SECONDS):
            left = _DISCARDED_BYTES
            while left > 0:
                event = await request.receive()
                left -= len(event.get("body", b""))
                if event["type"] != "http.request" or not event.get("more_body", False):
                    return
    except TimeoutError:
        pass


async def _counted(request: Request, limits: Limits, ticket: Ticket) -> AsyncIterator[bytes]:
    """The chunks of the body, within its bounds."""
    count = 0
    async for chunk in request.stream():
        count += len(chunk)
        if count > limits.body_bytes:
            raise too_large(limits)
        ticket.hold(len(chunk))
        yield chunk


async def _received(request: Request, chunks: AsyncIterator[bytes]) -> Upload:
    query = tuple(request.query_params.multi_items())
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        data = b"".join([chunk async for chunk in chunks])
        return Upload(_nonempty(data), name_of(request.query_params.get("name")), _without_name(query))
    parser = MultiPartParser(request.headers, chunks, max_files=1,  # type: ignore[arg-type]  # only iterated over
                             max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD)
    parser.spool_max_size = 1 << 62  # stay in memory, which `chunks` bounds
    try:
        form = await parser.parse()
    except (MultiPartException, LookupError, ValueError) as error:
        raise Refused(400, "BadForm", Message("the body is no multipart/form-data that can be read: {reason}",
                                              reason=one_line(str(error))[:200])) from error
    try:
        file = form.get(FILE)
        if not isinstance(file, UploadFile):
            raise Refused(400, "NoFile", Message("the form has no file named {name}", name=FILE))
        data = await file.read()
    finally:
        await form.close()
    fields = tuple((name, value) for name, value in form.multi_items() if isinstance(value, str))
    name = name_of(dict(query + fields).get("name") or file.filename)
    return Upload(_nonempty(data), name, _without_name(query + fields))


def _nonempty(data: bytes) -> bytes:
    if not data:
        raise Refused(400, "NoFile", Message("the request has no file: send it as the body, or as {name} in a form",
                                             name=FILE))
    return data


def _without_name(fields: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(field for field in fields if field[0] != "name")


def name_of(stated: str | None) -> str:
    """A name of a file as reports show it."""
    name = one_line(os.path.basename((stated or "").replace("\\", "/")))[:_MAX_NAME]
    return name or _UNNAMED


def too_slow(limits: Limits) -> Refused:
    """The refusal of a body that does not arrive."""
    return Refused(408, "TooSlow", Message("the body took more than {seconds} s to arrive",
                                           seconds=f"{limits.receive_seconds:g}"))


def too_large(limits: Limits) -> Refused:
    """The refusal of a body over its bound."""
    return Refused(413, "TooLarge", Message("a body of more than {limit} bytes", limit=f"{limits.body_bytes:,}"))
