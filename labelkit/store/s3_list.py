# SPDX-License-Identifier: Apache-2.0
"""The names of the objects below a prefix of S3, whatever they are (ListObjectsV2, Signature Version 4).

The client that reads and writes objects fails at a page of names in which one has an empty part, `.` or `..`: it lists
nothing then. S3 allows such names, so the page is asked for here.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import os
import urllib.parse
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import TYPE_CHECKING

from labelkit.errors import InvalidArgument
from labelkit.messages import Message

if TYPE_CHECKING:
    import http.client
    import urllib.request

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_MAX_PAGE = 16 << 20  # bytes of 1,000 names of at most 1,024 bytes each, in XML
_SECONDS = 30.0
_NO_BODY = hashlib.sha256(b"").hexdigest()


def can_ask() -> bool:
    """Whether the environment holds what a request is signed with, or says that it is not to be signed."""
    return bool(os.environ.get("AWS_ACCESS_KEY_ID") and os.environ.get("AWS_SECRET_ACCESS_KEY")
                or _is_unsigned())


def names(bucket: str, prefix: str) -> Iterator[tuple[str, int]]:
    """(name, bytes) of every object whose name begins with a prefix, in order of name.

    Raises OSError, and InvalidArgument for an answer that is no list.
    """
    query = {"encoding-type": "url", "list-type": "2", "prefix": prefix}
    while True:
        page = _page(bucket, query)
        as_url = page.findtext("{*}EncodingType") == "url"
        for entry in page.findall("{*}Contents"):
            name = entry.findtext("{*}Key") or ""
            yield urllib.parse.unquote_plus(name) if as_url else name, int(entry.findtext("{*}Size") or 0)
        token = page.findtext("{*}NextContinuationToken")
        if page.findtext("{*}IsTruncated") != "true" or not token or token == query.get("continuation-token"):
            return
        query["continuation-token"] = token


def _page(bucket: str, query: dict[str, str]) -> ElementTree.Element:
    import http.client  # here: every command loads this module, and few ask

    try:
        with _asked(_request(bucket, query)) as answer:
            return ElementTree.fromstring(answer.read(_MAX_PAGE))
    except (ElementTree.ParseError, http.client.HTTPException, ValueError) as error:
        why = Message("its answer is no list of objects: {reason}", reason=str(error))
        raise InvalidArgument("{where} cannot be opened: {reason}", where=f"s3://{bucket}", reason=why) from error


def _asked(request: urllib.request.Request) -> http.client.HTTPResponse:
    import urllib.request

    class Stay(urllib.request.HTTPRedirectHandler):
        """Goes nowhere that the environment does not name."""

        def redirect_request(self, *_: object) -> None:
            """None: a redirection is the error that the server states."""

    answer: http.client.HTTPResponse = urllib.request.build_opener(Stay).open(request, timeout=_SECONDS)
    return answer


def _request(bucket: str, query: dict[str, str]) -> urllib.request.Request:
    import urllib.request

    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    endpoint = next(filter(None, map(os.environ.get, ENDPOINTS)), f"https://s3.{region}.amazonaws.com")
    parts = urllib.parse.urlsplit(endpoint)
    host = parts.netloc.rpartition("@")[2]
    path = f"{parts.path.rstrip('/')}/{urllib.parse.quote(bucket)}"
    words = urllib.parse.urlencode(sorted(query.items()), quote_via=urllib.parse.quote, safe="")
    headers = {"host": host} | ({} if _is_unsigned() else _signature(host, path, words, region))
    return urllib.request.Request(f"{parts.scheme}://{host}{path}?{words}", headers=headers)


def _is_unsigned() -> bool:
    return os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in ("1", "true", "yes", "on")


def _signature(host: str, path: str, query: str, region: str) -> dict[str, str]:
    """The headers that sign a GET (Signature Version 4 of AWS)."""
    time = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}"
    headers = {"host": host, "x-amz-content-sha256": _NO_BODY, "x-amz-date": time}
    if token := os.environ.get("AWS_SESSION_TOKEN"):
        headers["x-amz-security-token"] = token
    signed = ";".join(sorted(headers))
    request = "\n".join(["GET", path, query, *(f"{name}:{headers[name]}" for name in sorted(headers)), "", signed,
                         _NO_BODY])
    scope = [time[:8], region, "s3", "aws4_request"]
    text = "\n".join(["AWS4-HMAC-SHA256", time, "/".join(scope), hashlib.sha256(request.encode()).hexdigest()])
    key = b"AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"].encode()
    for word in (*scope, text):
        key = hmac.digest(key, word.encode(), "sha256")
    del headers["host"]
    return headers | {"authorization": f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/"
                                       f"{'/'.join(scope)}, SignedHeaders={signed}, Signature={key.hex()}"}
