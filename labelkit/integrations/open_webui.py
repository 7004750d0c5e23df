# SPDX-License-Identifier: Apache-2.0
"""A filter for Open WebUI that labels the answers of models: examples/open_webui_filter.py is the function to paste.

Streamed chunks are labelled as they come (`stream`), and stored messages that have no label yet when they are complete
(`outlet`).
"""

from __future__ import annotations

import collections
from typing import Any

from labelkit.integrations.chat import ChatStream, labelled
from labelkit.plan import Explicit

_MOST_STREAMS = 4096  # that are open at a time; one that broke off is forgotten when so many have begun after it


class Filter:
    """What a filter's class derives from: `class Filter(open_webui.Filter): ...`.

    explicit  the label, as for `labelkit.TextLabeller`
    """

    explicit: Explicit | None = None

    def __init__(self) -> None:
        self._streams: collections.OrderedDict[str, ChatStream] = collections.OrderedDict()

    def stream(self, event: dict[str, Any]) -> dict[str, Any]:
        """Label one chunk of a streamed answer in place; chunks belong together by their id."""
        if not event.get("choices"):
            return event
        name = str(event.get("id", ""))
        chat = self._streams.setdefault(name, ChatStream(self.explicit))
        self._streams.move_to_end(name)
        chat.label(event)
        if any(choice.get("finish_reason") is not None for choice in event["choices"]) and not chat.is_open:
            del self._streams[name]
        while len(self._streams) > _MOST_STREAMS:
            self._streams.popitem(last=False)
        return event

    def outlet(self, body: dict[str, Any]) -> dict[str, Any]:
        """Label the last message of a chat in place, where it is the assistant's and has no label."""
        messages = body.get("messages") or [{}]
        last = messages[-1]
        if last.get("role") == "assistant" and isinstance(last.get("content"), str):
            last["content"] = labelled(last["content"], self.explicit)
        return body
