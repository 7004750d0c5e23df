# SPDX-License-Identifier: Apache-2.0
"""Labelled answers of chat models: LiteLLM, Open WebUI and Dify, each as a fake of its documented shapes.

tests/hosts/in_litellm.py and in_dify.py ask the real LiteLLM and the real Dify SDK.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import runpy
import sys
import types
from pathlib import Path
from types import SimpleNamespace as Object

import pytest

import labelkit as lk
from labelkit.errors import InvalidArgument
from labelkit.integrations import chat, open_webui
from labelkit.integrations.dify import Labelling
from tests.media import photo, saved

EXAMPLES = Path(lk.__file__).parents[1] / "examples"
ANSWER = "It rains.\n\nIt will snow in the evening, and on the hills at noon."
END = lk.Explicit(place="end")


def is_labelled(text: str) -> bool:
    found = lk.verify(text, format="markdown", layers=[lk.Layer.EXPLICIT])[lk.Layer.EXPLICIT]
    return found.status is lk.Status.VALID


def chunks(text: str = ANSWER, *, finish: bool = True, choices: int = 1) -> list[dict]:
    """A streamed completion as OpenAI-shaped servers send it, with a chunk of the role first and usage last."""
    made = [{"id": "chatcmpl-1", "choices": [{"index": index, "delta": delta, "finish_reason": None}]}
            for delta in [{"role": "assistant", "content": ""}, *({"content": f"{word} "} for word in text.split(" "))]
            for index in range(choices)]
    ends = [{"id": "chatcmpl-1", "choices": [{"index": index, "delta": {}, "finish_reason": "stop"}]}
            for index in range(choices)]
    return [*made, *(ends if finish else []), {"id": "chatcmpl-1", "choices": [], "usage": {"total_tokens": 9}}]


def said(streamed: list[dict], index: int = 0) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in streamed for choice in chunk["choices"]
                   if choice["index"] == index)


@pytest.mark.parametrize("explicit, place", [(None, 0), (END, -1)])
def test_whole_answers_are_labelled_once(explicit, place):
    response = {"choices": [{"message": {"role": "assistant", "content": ANSWER}}, {"text": ANSWER},
                            {"message": {"content": None, "tool_calls": [{}]}}, {"message": {"content": ""}}]}
    chat.label_response(response, explicit)
    first, second, third, fourth = response["choices"]
    assert is_labelled(first["message"]["content"]) and is_labelled(second["text"])
    assert "AI生成" in first["message"]["content"].strip().split("\n")[place]
    assert third == {"message": {"content": None, "tool_calls": [{}]}} and fourth["message"]["content"] == ""
    again = first["message"]["content"]
    chat.label_response(response, explicit)
    assert first["message"]["content"] == again and not is_labelled(ANSWER)


@pytest.mark.parametrize("explicit", [None, END, lk.Explicit(place="both")])
def test_streams_are_labelled_chunk_by_chunk(explicit):
    streamed, plain, stream = chunks(choices=2), chunks(choices=2), chat.ChatStream(explicit)
    for chunk in streamed:
        stream.label(chunk)
    for index in (0, 1):
        assert is_labelled(said(streamed, index)) and not is_labelled(said(plain, index))
        assert said(plain, index).strip() in said(streamed, index)
    changed = sum(one != other for one, other in zip(streamed, plain, strict=True))
    assert changed == (4 if explicit and explicit.place == "both" else 2)  # no other chunk is touched or held back
    assert not stream.is_open and stream.close() == {}


def test_a_stream_that_breaks_off_still_owes_its_label():
    stream = chat.ChatStream(END)
    for chunk in (broken := chunks(finish=False)):
        stream.label(chunk)
    assert stream.is_open and not is_labelled(said(broken)) and is_labelled(said(broken) + stream.close()[0])


def test_chunks_of_tool_calls_stay_as_they_are():
    call = {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0}]}, "finish_reason": "tool_calls"}]}
    same = {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0}]}, "finish_reason": "tool_calls"}]}
    chat.ChatStream().label(call)
    assert call == same


def test_a_label_that_no_stream_can_have_is_refused():
    with pytest.raises(InvalidArgument, match="middle"):
        chat.ChatStream(lk.Explicit(place="middle"))


@pytest.fixture
def litellm(monkeypatch):
    """Our module over a fake of litellm's base class, which takes any settings."""
    class CustomGuardrail:
        def __init__(self, **settings) -> None:
            self.settings = settings

    for name in ("litellm", "litellm.integrations", "litellm.integrations.custom_guardrail"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["litellm.integrations.custom_guardrail"].CustomGuardrail = CustomGuardrail
    monkeypatch.delitem(sys.modules, "labelkit.integrations.litellm", raising=False)
    yield importlib.import_module("labelkit.integrations.litellm")
    sys.modules.pop("labelkit.integrations.litellm")


def as_objects(chunk: dict) -> Object:
    return Object(choices=[Object(index=one["index"], finish_reason=one["finish_reason"],
                                  delta=Object(content=one["delta"].get("content"))) for one in chunk["choices"]])


@pytest.mark.parametrize("explicit, finish", list(itertools.product([None, END], [True, False])))
def test_litellm_streams_are_labelled(litellm, explicit, finish):
    async def upstream():
        for chunk in chunks(finish=finish):
            yield as_objects(chunk)

    async def main(request: dict) -> str:
        hook = litellm.LabelText(explicit).async_post_call_streaming_iterator_hook
        made = [chunk async for chunk in hook(None, upstream(), request)]
        return "".join(choice.delta.content or "" for chunk in made for choice in chunk.choices)

    assert is_labelled(asyncio.run(main({"stream": True})))
    assert asyncio.run(main({"response_format": {"type": "json_object"}})) == said(chunks())


def test_litellm_responses_are_labelled_and_json_is_not(litellm):
    def answer() -> Object:
        return Object(choices=[Object(message=Object(content='{"weather": "rain"}'))])

    hook = litellm.LabelText().async_post_call_success_hook
    assert is_labelled(asyncio.run(hook({}, None, answer())).choices[0].message.content)
    for wanted in ({"type": "json_schema", "json_schema": {}}, dict):
        made = asyncio.run(hook({"response_format": wanted}, None, answer()))
        assert made.choices[0].message.content == '{"weather": "rain"}'
    assert asyncio.run(hook({}, None, Object(data=[1]))).data == [1]


def test_the_litellm_example_is_a_callback(litellm):
    made = runpy.run_path(str(EXAMPLES / "litellm_labels.py"))["label_text"]
    assert isinstance(made, litellm.LabelText) and made.settings == {"default_on": True}
    assert made.explicit.text == "本内容由人工智能生成"


def test_open_webui_labels_streams_and_stored_messages():
    program = runpy.run_path(str(EXAMPLES / "open_webui_filter.py"))["Filter"]()
    program.valves.text = "本内容由AI生成"
    streamed = [program.stream(event) for event in chunks()]
    text = said(streamed)
    assert is_labelled(text) and text.startswith("本内容由AI生成") and not program._streams
    body = {"messages": [{"role": "user", "content": "Weather?"}, {"role": "assistant", "content": text}]}
    assert program.outlet(body)["messages"][1]["content"] == text
    body["messages"][1]["content"] = ANSWER
    assert is_labelled(program.outlet(body)["messages"][1]["content"])
    assert body["messages"][0]["content"] == "Weather?" and program.outlet({}) == {}
    assert program.outlet({"messages": [{"role": "user", "content": ANSWER}]})["messages"][0]["content"] == ANSWER


def test_open_webui_keeps_streams_apart_and_forgets_broken_ones(monkeypatch):
    monkeypatch.setattr(open_webui, "_MOST_STREAMS", 3)
    program = open_webui.Filter()
    streams = [[{**chunk, "id": str(number)} for chunk in chunks()] for number in range(3)]
    for events in zip(*streams, strict=True):
        for event in events:
            program.stream(event)
    assert all(is_labelled(said(events)) for events in streams) and not program._streams
    for number in range(9):
        program.stream({**chunks()[1], "id": f"broken {number}"})
    assert len(program._streams) == 3
    assert program.stream({"sources": []}) == {"sources": []}


class Tool:
    """As dify_plugin's Tool makes messages."""

    runtime = Object(credentials={"producer": "acme"})

    def create_text_message(self, text: str) -> tuple:
        return "text", text

    def create_blob_message(self, blob: bytes, meta: dict) -> tuple:
        return "blob", blob, meta


def test_dify_labels_text_and_files():
    class LabelTool(Labelling, Tool):
        pass

    picture = saved(photo(256, 320), "PNG")
    file = Object(blob=picture, filename="cat.png")
    text, blob = LabelTool()._invoke({"text": ANSWER, "files": [file], "place": "end"})
    assert text[0] == "text" and is_labelled(text[1]) and text[1].startswith("It rains")
    report = lk.verify(blob[1])
    assert report.verdict is lk.Verdict.CONFIRMED and report[lk.Layer.WATERMARK].status is lk.Status.VALID
    assert blob[2] == {"mime_type": "image/png", "filename": "cat.png"}
    assert lk.verify(picture).verdict is lk.Verdict.NONE
    [(_, _, meta)] = LabelTool()._invoke({"files": Object(blob=picture, filename=None)})
    assert meta["filename"] == "labelled.png"
    with pytest.raises(InvalidArgument):
        list(LabelTool()._invoke({}))
    with pytest.raises(lk.LabelkitError):
        list(LabelTool()._invoke({"files": [Object(blob=b"no picture", filename="a")]}))
