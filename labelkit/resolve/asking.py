# SPDX-License-Identifier: Apache-2.0
"""Ask a service of the Soft Binding Resolution API (C2PA 2.4) which manifests a mark leads to."""

from __future__ import annotations

import base64
import json
import urllib.parse
from typing import Any, NamedTuple

from labelkit.container import jumbf
from labelkit.errors import FetchFailed, InvalidArgument, MalformedFile
from labelkit.payload import Payload
from labelkit.resolve.fetching import Fetcher, Guard

ONE_HOP = "Labelkit-Hop"
"""The header of a question that must not be handed on."""
_MAX_MATCHES = 100
_MAX_ANSWER = 1 << 20  # bytes of JSON


class Match(NamedTuple):
    """A manifest that a mark leads to.

    id        of the manifest
    endpoint  of the service that gives it out, None for the one that was asked
    """

    id: str
    endpoint: str | None


class Client:
    """A service that answers; may be used from several threads.

    url      of the API, such as https://labels.example/v1; its host alone is asked, and it may be in a private network,
             because the caller names it. http: only there and on this machine
    fetcher  instead of one that allows that host alone
    Raises InvalidArgument for a URL that cannot be asked.
    """

    def __init__(self, url: str, *, fetcher: Fetcher | None = None) -> None:
        self.url = url.rstrip("/")
        host = Guard(None, is_private=True).parts(self.url).hostname or ""
        self._fetcher = fetcher or Fetcher(Guard([host], is_private=True))
        if urllib.parse.urlsplit(self.url).query or urllib.parse.urlsplit(self.url).fragment:
            raise InvalidArgument("the address of a service has no query, got {url}", url=self.url[:200])

    def by_binding(self, alg: str, mark: Payload, *, most: int = 10, is_last: bool = False) -> list[Match]:
        """The manifests that a mark leads to, as the service orders them.

        alg      name of the soft binding, such as org.labelkit.watermark.image.1
        is_last  ask the service not to hand the question on
        Raises FetchFailed.
        """
        value = base64.b64encode(mark.to_bytes()).decode()
        query = urllib.parse.urlencode({"alg": alg, "value": value, "maxResults": most})
        found = self._json(f"/matches/byBinding?{query}", {ONE_HOP: "1"} if is_last else {})
        matches = found.get("matches", [])
        if not isinstance(matches, list):
            raise self._senseless()
        return [self._match(one) for one in matches[:min(most, _MAX_MATCHES)]]

    def manifest(self, name: str) -> bytes:
        """The manifest store of this name; raises FetchFailed, for another store too."""
        place = f"{self.url}/manifests/{urllib.parse.quote(name, safe='')}"
        store = self._fetcher.get(place, accept="application/c2pa")
        try:
            found = jumbf.manifests(store)
        except MalformedFile as error:
            raise self._senseless() from error
        if found[-1][0] != name:
            raise self._senseless()
        return store

    def _match(self, found: Any) -> Match:
        if not isinstance(found, dict):
            raise self._senseless()
        name, endpoint = found.get("manifestId"), found.get("endpoint")
        if not isinstance(name, str) or not jumbf.MANIFEST_ID.fullmatch(name) or not (
                endpoint is None or isinstance(endpoint, str) and len(endpoint) <= 2048 and endpoint.isprintable()):
            raise self._senseless()
        return Match(name, None if endpoint is None or endpoint.rstrip("/") == self.url else endpoint)

    def _json(self, path: str, headers: dict[str, str]) -> dict[str, Any]:
        raw = self._fetcher.get(self.url + path, accept="application/json", headers=headers)
        try:
            found = json.loads(raw) if len(raw) <= _MAX_ANSWER else None
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise self._senseless()
        return found

    def _senseless(self) -> FetchFailed:
        return FetchFailed("{url} gave an answer that makes no sense", url=self.url)
