# SPDX-License-Identifier: Apache-2.0
"""From a mark to its manifests: in the label log, and at the services that the operator lets be asked."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from labelkit.errors import LabelkitError
from labelkit.log import LabelLog
from labelkit.messages import Message
from labelkit.payload import Payload
from labelkit.resolve import Client, Match
from labelkit.service.front import LOG, line
from labelkit.service.refusal import Refused
from labelkit.signpost import soft_binding

ALGORITHMS = tuple(map(soft_binding, ("image", "audio", "video")))
"""The soft bindings whose marks are found here."""
_HEX = re.compile("[0-9a-f]{16}")  # as labelkit's manifests have it


def value_of(text: str) -> Payload:
    """The payload in the value of a soft binding: base64 of 8 bytes, or 16 hexadecimal digits as in a manifest.

    Raises Refused (400).
    """
    try:
        raw = bytes.fromhex(text) if _HEX.fullmatch(text) else base64.b64decode(
            text.translate(str.maketrans("-_ ", "+/+")), validate=True)  # in a query "+" may have become a space
        if len(raw) == 8:
            return Payload.from_bytes(raw)
    except (binascii.Error, ValueError):
        pass
    raise Refused(400, "BadParameter", Message("value is no watermark: base64 of 8 bytes is wanted"))


class Lookup:
    """Looks marks up; may be used from several threads."""

    def __init__(self, log: LabelLog, peers: Sequence[Client]) -> None:
        self._log, self._peers = log, peers

    def matches(self, mark: Payload, alg: str | None, most: int, *, is_last: bool = False) -> list[dict[str, Any]]:
        """The `matches` of an answer.

        alg      only manifests of this soft binding; without one no other service is asked
        is_last  ask no other service: this question came from one
        """
        found = {name: endpoint for name, endpoint in self._log.kept(mark, alg=alg, most=most)}
        if self._peers and alg is not None and not is_last and len(found) < most:
            with ThreadPoolExecutor(len(self._peers)) as pool:
                for peer, others in zip(self._peers, pool.map(lambda peer: _asked(peer, alg, mark, most), self._peers),
                                        strict=True):
                    for other in others:
                        found.setdefault(other.id, other.endpoint or peer.url)
        return [{"manifestId": name, **({"endpoint": endpoint} if endpoint else {})}
                for name, endpoint in list(found.items())[:most]]

    def manifest(self, name: str) -> bytes | None:
        """The manifest store of this name, None where it is not kept here."""
        found = self._log.manifest(name)
        return found and found[0]


def _asked(peer: Client, alg: str, mark: Payload, most: int) -> list[Match]:
    """What another service answers; nothing where it does not."""
    try:
        return peer.by_binding(alg, mark, most=most, is_last=True)
    except LabelkitError as error:
        LOG.warning(line(peer=peer.url, failed=str(error)))
        return []
