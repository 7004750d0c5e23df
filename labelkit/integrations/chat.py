# SPDX-License-Identifier: Apache-2.0
"""Text labels in the answers of chat models: whole messages and OpenAI-shaped chunks, as dictionaries or objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelkit import pipeline
from labelkit.plan import Explicit
from labelkit.report import Layer, Status
from labelkit.texts import TextLabeller

_JSON = ("json_object", "json_schema")


def labelled(text: str, explicit: Explicit | None = None, *, format: str = "markdown") -> str:
    """The text of one answer with its explicit label (GB 45438-2025, 5.1); one that has a label, or no text, as it is.

    explicit, format  as for `labelkit.TextLabeller`
    """
    if not text.strip():
        return text
    found = pipeline.verify(text, format=format, layers=[Layer.EXPLICIT])[Layer.EXPLICIT]
    return text if found.status is Status.VALID else "".join(TextLabeller(explicit, format=format).pieces([text]))


def label_response(response: Any, explicit: Explicit | None = None, *, format: str = "markdown") -> None:
    """Label each choice of a chat or text completion in place. Tool calls and empty answers stay as they are."""
    for choice in _get(response, "choices") or ():
        message = _get(choice, "message")
        holder, name = (choice, "text") if message is None else (message, "content")
        text = _get(holder, name)
        if isinstance(text, str) and text:
            _set(holder, name, labelled(text, explicit, format=format))


def wants_json(request: Mapping[str, Any]) -> bool:
    """Whether a request asks for JSON, which programs read: a label in it would break it."""
    wanted = request.get("response_format")
    if isinstance(wanted, type):  # a class that describes it
        return True
    return _get(wanted, "type") in _JSON


class ChatStream:
    """Labels the chunks of one streamed completion in place: before its first text, or after the last, in each choice.

    explicit, format  as for `labelkit.TextLabeller`
    """

    def __init__(self, explicit: Explicit | None = None, *, format: str = "markdown") -> None:
        self._explicit, self._format = explicit, format
        TextLabeller(explicit, format=format)  # refuses what cannot be streamed before anything is
        self._open: dict[int, TextLabeller] = {}

    def label(self, chunk: Any) -> None:
        """Label one chunk; those without text, such as of tool calls and usage, stay as they are."""
        for choice in _get(chunk, "choices") or ():
            index, delta = _get(choice, "index") or 0, _get(choice, "delta")
            holder, name = (choice, "text") if delta is None else (delta, "content")
            text = _get(holder, name)
            if isinstance(text, str) and text:
                labeller = self._open.setdefault(index, TextLabeller(self._explicit, format=self._format))
                text = labeller(text)
            if _get(choice, "finish_reason") is not None and index in self._open:
                text = (text or "") + self._open.pop(index).close()
            if text:
                _set(holder, name, text)

    @property
    def is_open(self) -> bool:
        """Whether some choice has begun and not finished."""
        return bool(self._open)

    def close(self) -> dict[int, str]:
        """What is still to be said of each choice whose stream ended without a finish_reason."""
        rest = {index: text for index, labeller in self._open.items() if (text := labeller.close())}
        self._open.clear()
        return rest


def _get(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)


def _set(holder: Any, name: str, value: Any) -> None:
    if isinstance(holder, dict):
        holder[name] = value
    else:
        setattr(holder, name, value)
