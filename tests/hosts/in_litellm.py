# SPDX-License-Identifier: Apache-2.0
"""The real LiteLLM, with answers of its own mock."""

from __future__ import annotations

import asyncio

import litellm
import pytest
from litellm.types.guardrails import GuardrailEventHooks

import labelkit as lk
from labelkit.integrations.litellm import LabelText

ANSWER = "It rains. It will snow in the evening."
ASK = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Weather?"}], "mock_response": ANSWER}


def is_labelled(text: str) -> bool:
    return lk.verify(text, format="markdown", layers=[lk.Layer.EXPLICIT])[lk.Layer.EXPLICIT].status is lk.Status.VALID


@pytest.mark.parametrize("place", ["start", "end"])
def test_litellm_answers_labelled_whole_and_streamed(place):
    guardrail = LabelText(lk.Explicit(place=place), guardrail_name="ai-label",
                          event_hook=GuardrailEventHooks.post_call)
    assert guardrail.should_run_guardrail({}, GuardrailEventHooks.post_call)

    async def main() -> tuple[str, str, str]:
        plain = await litellm.acompletion(**ASK)
        before = plain.choices[0].message.content
        whole = await guardrail.async_post_call_success_hook(ASK, None, plain)
        upstream = await litellm.acompletion(**ASK, stream=True)
        made = [chunk async for chunk in guardrail.async_post_call_streaming_iterator_hook(None, upstream, ASK)]
        streamed = "".join(choice.delta.content or "" for chunk in made for choice in chunk.choices)
        return before, whole.choices[0].message.content, streamed

    before, whole, streamed = asyncio.run(main())
    assert not is_labelled(before) and is_labelled(whole) and is_labelled(streamed) and ANSWER in streamed
