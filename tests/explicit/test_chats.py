# SPDX-License-Identifier: Apache-2.0
"""Answers of chat services as their APIs write them: the label is in what the model says, and found there alone."""

from __future__ import annotations

import json

import pytest

import labelkit as lk
from labelkit.errors import UnsupportedFormat
from tests.media import LABEL

SAID = "The sky is blue.\n\nIt is air."
PLAN = lk.Plan(metadata=False, watermark=None)
ANSWERS = {
    "OpenAI": {"object": "chat.completion", "choices": [{"message": {"role": "assistant", "content": SAID}}]},
    "OpenAI responses": {"output": [{"type": "message", "role": "assistant", "content": [
        {"type": "output_text", "text": SAID}]}]},
    "OpenAI completions": {"choices": [{"text": SAID, "index": 0, "finish_reason": "stop"}]},
    "Anthropic": {"type": "message", "role": "assistant", "content": [
        {"type": "thinking", "thinking": "Let me see."}, {"type": "text", "text": SAID}], "stop_reason": "end_turn"},
    "Gemini": {"candidates": [{"content": {"parts": [{"text": SAID}], "role": "model"}, "finishReason": "STOP"}]},
    "Gemini without role": {"candidates": [{"content": {"parts": [{"text": SAID}]}}], "modelVersion": "x"},
    "Gemini that thinks": {"candidates": [{"content": {"role": "model", "parts": [
        {"text": "Let me see.", "thought": True}, {"text": SAID, "thought": False}]}}]},
    "Ollama chat": {"model": "a", "message": {"role": "assistant", "content": SAID}, "done": True},
    "Ollama generate": {"model": "a", "created_at": "x", "response": SAID, "done": True, "context": [1]},
    "DashScope": {"output": {"text": SAID, "finish_reason": "stop"}, "request_id": "x", "message": ""},
    "DashScope messages": {"message": "", "output": {"text": None, "finish_reason": None, "choices": [
        {"finish_reason": "stop", "message": {"role": "assistant", "content": [{"text": SAID}]}}]}},
    "Tencent": {"Response": {"Choices": [{"Message": {"Role": "assistant", "Content": SAID}}],
                             "Note": "以上内容为AI生成"}},
    "Cohere": {"id": "x", "message": {"role": "assistant", "content": [{"type": "text", "text": SAID}]}},
    "Bedrock": {"output": {"message": {"role": "assistant", "content": [{"text": SAID}]}}, "stopReason": "end_turn"},
    "Titan": {"inputTextTokenCount": 3, "results": [{"outputText": SAID, "completionReason": "FINISH"}]},
    "Hugging Face": [{"generated_text": SAID}],
    "Dify": {"event": "message", "conversation_id": "x", "answer": SAID},
    "Qianfan": {"object": "chat.completion", "result": SAID, "is_truncated": False},
    "MiniMax": {"choices": [{"messages": [{"sender_type": "BOT", "sender_name": "x", "text": SAID}]}]},
}


def said(answer: object) -> str:
    """The one string that a service's own client would print: the longest."""
    if isinstance(answer, str):
        return answer
    inside = answer.values() if isinstance(answer, dict) else answer if isinstance(answer, list) else ()
    return max((said(one) for one in inside), key=len, default="")


@pytest.mark.parametrize("place", ["start", "end"])
@pytest.mark.parametrize("name", ANSWERS)
def test_the_answer_is_labelled_and_the_rest_stays(name, place, tmp_path):
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(ANSWERS[name], ensure_ascii=False, indent=1), encoding="utf-8")
    assert lk.verify(path)[lk.Layer.EXPLICIT].status is lk.Status.ABSENT
    plan = lk.Plan(explicit=lk.Explicit(place=place), metadata=False, watermark=None)
    lk.embed(path, tmp_path / "out.json", label=LABEL, plan=plan)
    assert lk.verify(tmp_path / "out.json")[lk.Layer.EXPLICIT].status is lk.Status.VALID
    text = (tmp_path / "out.json").read_text(encoding="utf-8")
    words = said(json.loads(text))
    assert words.replace(SAID, "").strip() == "AI生成" and words.startswith("AI") == (place == "start")
    encoded = json.dumps(SAID)[1:-1]
    assert text.count(encoded) == 1 and "Let me see.\"" in text or "Let me see" not in text


@pytest.mark.parametrize("answer", [
    {"messages": [{"role": "user", "content": SAID}]}, {"response": SAID, "status": "ok"},
    {"text": SAID, "lang": "en"}, {"answer": SAID}, {"result": SAID}, {"error": {"message": SAID}},
    {"candidates": [{"content": {"role": "user", "parts": [{"text": SAID}]}}]}])
def test_what_no_model_said_is_none(answer, tmp_path):
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(answer), encoding="utf-8")
    with pytest.raises(UnsupportedFormat, match="no message of a model|not known"):
        lk.embed(path, tmp_path / "out.json", label=LABEL, plan=PLAN)


def test_the_pieces_of_a_stream_are_refused_and_its_last_line_alone_is_not(tmp_path):
    lines = [{"model": "a", "response": piece, "done": piece == "."} for piece in ("The", " sky", ".")]
    path = tmp_path / "stream.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    with pytest.raises(UnsupportedFormat, match="pieces of a stream"):
        lk.embed(path, tmp_path / "out.jsonl", label=LABEL, plan=PLAN)
    path.write_text(json.dumps({**lines[-1], "response": SAID}) + "\n", encoding="utf-8")
    lk.embed(path, tmp_path / "out.jsonl", label=LABEL, plan=PLAN)
    assert lk.verify(tmp_path / "out.jsonl")[lk.Layer.EXPLICIT].status is lk.Status.VALID


def test_a_label_in_a_prompt_is_not_the_answers(tmp_path):
    path = tmp_path / "answer.json"
    path.write_text(json.dumps({"prompt": "AI生成", "response": SAID, "done": True}), encoding="utf-8")
    assert lk.verify(path)[lk.Layer.EXPLICIT].status is not lk.Status.VALID
    path.write_text(json.dumps({"prompt": "x", "response": "AI生成\n\n" + SAID, "done": True}), encoding="utf-8")
    assert lk.verify(path)[lk.Layer.EXPLICIT].status is lk.Status.VALID
