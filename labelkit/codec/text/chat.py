# SPDX-License-Identifier: Apache-2.0
"""Records of chats in JSON and JSON lines: the label is in each message of the model.

A message of the model is an object with a role of assistant, model, ai, bot or gpt and its content, as the APIs of
OpenAI, Anthropic, Google, Ollama, Alibaba, Tencent and others write it; or the answer in an object that holds the
prompt too, or what stands beside answers alone in the API of a service (`_ANSWERED`). Thoughts of a model are no
message. Strings are changed where they stand; order, spaces and escapes of everything else stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from labelkit.codec.samples import Block, Words
from labelkit.codec.text import plain
from labelkit.codec.text.encoding import EncodedText
from labelkit.errors import HostTooSmall, LimitExceeded, MalformedFile, UnsupportedFormat

_TOKEN = re.compile(r"[ \t\r\n]*+(?:(?P<string>\"(?:[^\"\\\x00-\x1f]|\\.)*+\")|(?P<sign>[{}\[\],:])|"
                    r"(?P<other>[A-Za-z0-9.+-]++))")
_MODEL = {"assistant", "model", "ai", "bot", "gpt", "chatgpt"}
_ROLE_KEYS, _CONTENT_KEYS = ("role", "from", "sender", "author", "sender_type"), (
    "content", "text", "value", "parts", "message")
_PROMPTS = {"prompt", "instruction", "question", "query"}
_ANSWERS = ("completion", "response", "output", "answer", "generated_text", "output_text", "chosen")
_ANSWERED = (  # an answer, and what stands beside it where no prompt does
    ("response", "done"),  # Ollama, /api/generate
    ("text", "finish_reason"),  # DashScope's output, Cohere, choices of OpenAI's completions
    ("answer", "conversation_id"),  # Dify
    ("result", "is_truncated"),  # Baidu Qianfan
    ("outputtext", "completionreason"),  # Amazon Titan on Bedrock
    ("generation", "stop_reason"),  # Llama on Bedrock
    ("generated_text", "generated_text"))  # Hugging Face
_MAX_DEPTH, _MAX_VALUES = 200, 1_000_000


@dataclass(slots=True)
class _Node:
    """A value: its members or items, or where its text stands with the quotes."""

    members: dict[str, _Node] | None = None
    items: list[_Node] | None = None
    start: int = 0
    stop: int = 0
    is_false: bool = False


@dataclass(frozen=True, slots=True)
class _Chat:
    """The texts of each message of the model: the first and last string of it."""

    encoded: EncodedText
    messages: tuple[tuple[_Node, _Node], ...]

    def labelled(self, words: Sequence[Words]) -> bytes:
        """See `TextSource`; raises HostTooSmall for the middle of a message."""
        return self.encoded.changed(sorted(change for one in words for change in self._changes(one)))

    def _changes(self, words: Words) -> Iterator[tuple[int, int, str]]:
        if words.place == "middle":
            raise HostTooSmall("a message of a chat has no middle for a label",
                               hint="put the label at the start or the end")
        text = "[AI]" if words.mark else words.text
        escape = self.encoded.text.isascii()
        for first, last in self.messages:
            if words.place == "start":
                yield first.start + 1, first.start + 1, json.dumps(text + "\n\n", ensure_ascii=escape)[1:-1]
            else:
                yield last.stop - 1, last.stop - 1, json.dumps("\n\n" + text, ensure_ascii=escape)[1:-1]


def read(data: bytes, name: str) -> tuple[Sequence[Block], _Chat]:
    """The messages of a chat; raises UnsupportedFormat for JSON without a message of a model."""
    encoded = EncodedText.of(data, name)
    messages: list[tuple[_Node, _Node]] = []
    blocks: list[Block] = []
    for root in _Parser(encoded.text, name).documents():
        for texts, is_model in _messages(encoded.text, root, name):
            part = len(messages) if is_model else -1
            messages += [(texts[0], texts[-1])] if is_model else []
            for text in texts:
                blocks += _blocks(_string(encoded.text, text, name), part)
    if not messages:
        raise UnsupportedFormat("{where}: no message of a model is in it", where=name)
    return blocks, _Chat(encoded, tuple(messages))


def _string(text: str, node: _Node, name: str) -> str:
    try:
        return str(json.loads(text[node.start:node.stop]))
    except ValueError as error:  # an escape that is none
        raise MalformedFile("{where}: no JSON at character {at}", where=name, at=node.start) from error


def _blocks(text: str, part: int) -> Iterator[Block]:
    paragraphs = [block for block in plain.blocks(text)]
    yield from (Block(block.text, block.role if part >= 0 else "other", part) for block in paragraphs)
    if not paragraphs and part >= 0:
        yield Block("", "text", part)


def _messages(text: str, root: _Node, name: str) -> Iterator[tuple[list[_Node], bool]]:
    """(the strings of a message, whether it is of a model) for each message with text, in order."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        members = node.members or {}
        if members.get("done", node).is_false and {"response", "message"} & set(members):
            raise UnsupportedFormat("{where}: its messages are in the pieces of a stream", where=name,
                                    hint="put the pieces together, or label the stream itself (TextLabeller)")
        role = next((_role(text, members[key]) for key in _ROLE_KEYS if key in members), "")
        content = next((members[key] for key in _CONTENT_KEYS if key in members), None)
        strings = list(_strings(content)) if role and content else []
        answers = [] if strings else _answers(members)
        if strings or answers:
            yield strings or answers, role in _MODEL or bool(answers)
        else:
            waiting += reversed([*members.values(), *(node.items or ())])


def _answers(members: dict[str, _Node]) -> list[_Node]:
    """What a model said in an object without roles."""
    names = _ANSWERS if _PROMPTS & set(members) else ()
    found = [members[key] for key in names if key in members and members[key].stop][:1]
    found = found or [members[key] for key, beside in _ANSWERED
                      if key in members and beside in members and _has_text(members[key])][:1]
    if not found and "candidates" in members:  # Gemini, where the role is left out
        contents = [(one.members or {}).get("content", one) for one in members["candidates"].items or ()]
        found = [text for one in contents if "role" not in (one.members or {}) for text in _strings(one)]
    return found


def _has_text(node: _Node) -> bool:
    return node.stop - node.start > 2


def _role(text: str, node: _Node) -> str:
    node = (node.members or {}).get("role", node)
    return text[node.start + 1:node.stop - 1].lower() if node.stop else ""


def _strings(content: _Node) -> Iterator[_Node]:
    """The texts in the content of a message: itself, or those of its parts."""
    if _has_text(content):
        yield content
    for item in content.items or (content.members or {}).get("parts", _Node()).items or ():
        inside = item.members or {}
        part = inside.get("text", item)
        if _has_text(part) and ("thought" not in inside or inside["thought"].is_false):
            yield part


@dataclass(slots=True)
class _Parser:
    """Reads JSON for its places, without recursion; one document, or one a line."""

    text: str
    name: str
    stack: list[tuple[_Node, str]] = field(default_factory=list)
    values: int = 0

    def documents(self) -> Iterator[_Node]:
        """The values of the file; raises MalformedFile, and LimitExceeded for too many or too deep ones."""
        at, key, wants_key = 0, "", False
        end = len(self.text.rstrip(" \t\r\n"))
        while at < end:
            token = _TOKEN.match(self.text, at)
            if token is None:
                raise self._broken(at)
            at = token.end()
            sign = token["sign"]
            if sign in ("{", "["):
                node = _Node(members={}) if sign == "{" else _Node(items=[])
                self.stack.append((node, key))
                key, wants_key = "", sign == "{"
                if len(self.stack) > _MAX_DEPTH:
                    raise LimitExceeded("{where}: values inside more than {limit} others", where=self.name,
                                        limit=_MAX_DEPTH)
                continue
            if sign in ("}", "]"):
                if not self.stack or (self.stack[-1][0].members is None) == (sign == "}"):
                    raise self._broken(at)
                node, key = self.stack.pop()
            elif sign:
                wants_key = sign == "," and bool(self.stack) and self.stack[-1][0].members is not None
                continue
            elif token["string"] and wants_key:
                key, wants_key = self._text(token), False
                continue
            else:
                node = (_Node(start=token.start("string"), stop=token.end()) if token["string"] else
                        _Node(is_false=token["other"] == "false"))
            if self._put(node, key):
                yield node
            key = ""
        if self.stack:
            raise self._broken(at)

    def _put(self, node: _Node, key: str) -> bool:
        """Put a value where it belongs; whether it is a document."""
        self.values += 1
        if self.values > _MAX_VALUES:
            raise LimitExceeded("{where}: more than {limit} values", where=self.name, limit=_MAX_VALUES)
        if not self.stack:
            return True
        holder = self.stack[-1][0]
        if holder.members is not None:
            holder.members[key.lower()] = node  # Tencent and Amazon write capitals
        elif holder.items is not None:
            holder.items.append(node)
        return False

    def _text(self, token: re.Match[str]) -> str:
        try:
            return str(json.loads(token["string"]))
        except ValueError as error:
            raise self._broken(token.start()) from error

    def _broken(self, at: int) -> MalformedFile:
        return MalformedFile("{where}: no JSON at character {at}", where=self.name, at=at)
