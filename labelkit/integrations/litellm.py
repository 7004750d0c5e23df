# SPDX-License-Identifier: Apache-2.0
"""Label the answers of a LiteLLM proxy: a callback, or a guardrail after the call.

    litellm_settings:
      callbacks: labels.label_text          # labels.py beside the config: label_text = LabelText()

    guardrails:
      - guardrail_name: ai-label
        litellm_params: {guardrail: labels.LabelText, mode: post_call, default_on: true}

Labelled are chat and text completions, whole or streamed. Requests for JSON, tool calls, and the Responses API pass as
they are. Pictures and sound that the proxy answers are for `labelkit.integrations.asgi`.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from litellm.integrations.custom_guardrail import CustomGuardrail

from labelkit.integrations.chat import ChatStream, label_response, wants_json
from labelkit.plan import Explicit


class LabelText(CustomGuardrail):  # type: ignore[misc]  # litellm is not there where this is checked
    """Puts the explicit label into every answer.

    explicit  its `text`, `style` and `place` ("start", "end" or "both"), as for `labelkit.TextLabeller`
    format    "markdown", "txt" or "html"
    settings  those of CustomGuardrail, which the proxy gives to a guardrail
    """

    def __init__(self, explicit: Explicit | None = None, format: str = "markdown", **settings: Any) -> None:
        self.explicit, self.format = explicit, format
        ChatStream(explicit, format=format)  # refuses wrong settings when the proxy starts
        super().__init__(**{"default_on": True, **settings})

    async def async_post_call_success_hook(self, data: dict[str, Any], user_api_key_dict: Any, response: Any) -> Any:
        """The response, labelled in place."""
        if not wants_json(data):
            label_response(response, self.explicit, format=self.format)
        return response

    async def async_post_call_streaming_iterator_hook(self, user_api_key_dict: Any, response: AsyncIterable[Any],
                                                      request_data: dict[str, Any]) -> AsyncIterator[Any]:
        """The chunks of a streamed response, labelled as they come."""
        stream = None if wants_json(request_data) else ChatStream(self.explicit, format=self.format)
        last = None
        async for chunk in response:
            if stream:
                last = copy.deepcopy(chunk) if last is None and getattr(chunk, "choices", None) else last
                stream.label(chunk)
            yield chunk
        if stream and last is not None:
            for index, text in stream.close().items():
                yield _saying(last, index, text)


def _saying(like: Any, index: int, text: str) -> Any:
    """A chunk like another with this text alone: of a stream that ended without saying so."""
    chunk = copy.deepcopy(like)
    chunk.choices = chunk.choices[:1]
    chunk.choices[0].index = index
    if getattr(chunk.choices[0], "delta", None) is not None:
        chunk.choices[0].delta.content = text
    else:
        chunk.choices[0].text = text
    return chunk
