# SPDX-License-Identifier: Apache-2.0
"""Findings as JSON and back, where the other side is not trusted.

Every dataclass of `labelkit.evidence` is an object with its class under "", so that what may be one of several is told
apart; a message is its English template, which must be one of labelkit's own, and its facts. `read_reply` takes nothing
that is not of the declared type.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import json
import re
import struct
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from labelkit import errors, evidence, messages
from labelkit.errors import LabelkitError, MalformedFile
from labelkit.finding import Finding, Layer, Status
from labelkit.label import FIELDS, Kind, Label
from labelkit.messages import Message
from labelkit.payload import Payload
from labelkit.report import Report

MAX_TEXT = 64 << 10  # characters of one text
MAX_DEPTH = 40
MAX_INTEGER = 1 << 64
SHARE, WHOLE = 1 << 63, 1 << 20
"""In the place of a reply's size, SHARE and more says how much of a film is done, in parts of WHOLE."""
_CLASS = ""
_MADE = b"made"  # begins no JSON
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_RESERVED = {"template", "hint", "self"}
_EVIDENCE: object = evidence.Evidence | None
_Reader: TypeAlias = Callable[[object, int], object]
"""Makes a checked value from JSON at a depth."""


class Reported(Exception):
    """The other side sent an error: that of the file."""

    def __init__(self, error: LabelkitError) -> None:
        super().__init__(str(error))
        self.error = error


class Made(typing.NamedTuple):
    """A labelled file.

    file         its bytes
    manifest     the manifest that belongs beside it, for formats that have no place for one
    left_out     why it has no watermark, where the plan asks for one and does not require it
    fingerprint  of a picture, where it was asked for
    store        the manifest store, wherever the manifest is, where it was asked for
    """

    file: bytes
    manifest: bytes | None
    left_out: Message | None
    fingerprint: int | None
    store: bytes | None = None


class _Wrong(Exception):
    """A value is not of the declared type."""


def bad_reply(where: str) -> LabelkitError:
    """The error for a reply that makes no sense."""
    return MalformedFile("{where}: the process that read it answered with what is no report", where=where)


def write_report(report: Report) -> bytes:
    """The findings of a report; all else follows from them."""
    return _encode({"findings": {finding.layer.value: {
        "status": finding.status.value, "summary": _message(finding.summary),
        "label": [finding.label.kind.value, finding.label.fields()] if finding.label else None,
        "payload": finding.payload.hex if finding.payload else None, "evidence": _pack(finding.evidence),
        "missed": [_message(what) for what in finding.missed], "asked": finding.asked} for finding in report}})


def write_error(error: LabelkitError) -> bytes:
    """An error, its hint included."""
    return _encode({"error": type(error).__name__, "message": _message(error.message),
                    "hint": error.hint.template if error.hint else None})


def write_made(made: Made) -> list[bytes]:
    """A labelled file, in parts that follow each other."""
    head = _encode({"file": len(made.file), "manifest": None if made.manifest is None else len(made.manifest),
                    "store": made.store is not None, "fingerprint": made.fingerprint,
                    "left_out": _message(made.left_out) if made.left_out else None})
    return [_MADE, struct.pack("<I", len(head)), head, made.file, made.manifest or b"", made.store or b""]


def read_made(reply: bytes, where: str) -> Made:
    """The labelled file in a reply; raises Reported with the error in it, MalformedFile for what is neither."""
    try:
        if not reply.startswith(_MADE):
            found = json.loads(reply)
            raise Reported(_error(_of(found, dict)))
        size, = struct.unpack_from("<I", reply, len(_MADE))
        start = len(_MADE) + 4
        head = _of(json.loads(reply[start:start + size]), dict)
        left_out, fingerprint, beside = head.get("left_out"), head.get("fingerprint"), head.get("manifest")
        end = start + size + _integer(head.get("file"))
        last = end + (0 if beside is None else _integer(beside))
        if not start + size <= end <= last <= len(reply):
            raise _Wrong
        return Made(reply[start + size:end], None if beside is None else reply[end:last],
                    None if left_out is None else _read_message(left_out),
                    None if fingerprint is None else _integer(fingerprint),
                    reply[last:] if _of(head.get("store"), bool) else None)
    except (_Wrong, LabelkitError, KeyError, ValueError, TypeError, RecursionError, struct.error) as error:
        raise bad_reply(where) from error


def _encode(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _message(message: Message) -> list[object]:
    return [message.template, {name: _fact(value) for name, value in message.facts.items()}]


def _fact(value: object) -> object:
    if isinstance(value, Message):
        return _message(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _pack(value: object) -> object:
    if value is None or type(value) in (str, int, float, bool):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {_CLASS: type(value).__name__, **{name: _pack(getattr(value, name)) for name in _names(type(value))}}
    if isinstance(value, Mapping):
        return {str(name): _pack(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_pack(inner) for inner in value]
    return evidence.to_json(value)


@functools.cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(one.name for one in dataclasses.fields(kind))


def read_reply(reply: bytes, where: str) -> dict[Layer, Finding]:
    """The findings in a reply; raises Reported with the error in it, MalformedFile for what is neither."""
    try:
        found = json.loads(reply)
        if not isinstance(found, dict):
            raise _Wrong
        if "error" in found:
            raise Reported(_error(found))
        findings = _of(found.get("findings"), dict)
        if set(findings) != {layer.value for layer in Layer}:
            raise _Wrong
        return {layer: _finding(layer, _of(findings[layer.value], dict)) for layer in Layer}
    except (_Wrong, LabelkitError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise bad_reply(where) from error


def _error(found: dict[str, object]) -> LabelkitError:
    kind = getattr(errors, str(found["error"]), None)
    if not isinstance(kind, type) or not issubclass(kind, LabelkitError):
        raise _Wrong
    message = _read_message(found.get("message"))
    hint = None if found.get("hint") is None else _of(found["hint"], str)
    if hint is not None:
        _checked(Message(hint, **message.facts))
    made: LabelkitError = kind(message.template, hint=hint, **message.facts)
    return made


def _finding(layer: Layer, found: dict[str, object]) -> Finding:
    label, payload, missed = found.get("label"), found.get("payload"), _of(found.get("missed"), list)
    return Finding(layer, Status(found.get("status")), _read_message(found.get("summary")),
                   None if label is None else _label(_of(label, list)),
                   None if payload is None else _payload(_of(payload, str)),
                   typing.cast("evidence.Evidence | None", _reader(_EVIDENCE)(found.get("evidence"), 0)),
                   tuple(map(_read_message, missed)), _of(found.get("asked"), bool))


def _label(found: list[object]) -> Label:
    kind, fields = found
    values = _of(fields, dict)
    return Label.as_found(Kind(kind), {name: _text(values[name]) for name in FIELDS})


def _payload(text: str) -> Payload:
    raw = bytes.fromhex(text)
    if len(raw) != 8:
        raise _Wrong
    return Payload.from_bytes(raw)


T = typing.TypeVar("T")


def _of(value: object, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise _Wrong
    return value


def _text(value: object) -> str:
    text = _of(value, str)
    if len(text) > MAX_TEXT:
        raise _Wrong
    return text


def _read_message(value: object, depth: int = 0) -> Message:
    """A message whose template is one of labelkit's and whose facts fit it."""
    template, facts = _of(value, list)
    if depth > MAX_DEPTH or not all(_NAME.fullmatch(name) and name not in _RESERVED for name in _of(facts, dict)):
        raise _Wrong
    return _checked(Message(_of(template, str), **{name: _read_fact(fact, depth) for name, fact in facts.items()}))


def _read_fact(value: object, depth: int) -> object:
    if isinstance(value, list):
        return _read_message(value, depth + 1)
    return _scalar(value)


def _checked(message: Message) -> Message:
    """A template from outside could ask `format` for anything; and one that does not fit its facts fails later."""
    if message.template not in messages.templates() or len(message.text()) > 4 * MAX_TEXT:
        raise _Wrong
    for language in messages.LANGUAGES:
        message.text(language)
    return message


@functools.cache
def _reader(hint: object) -> _Reader:
    """What makes a value of this type hint from JSON, or raises _Wrong."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        classes = {one.__name__: one for one in inner if isinstance(one, type) and dataclasses.is_dataclass(one)}
        others = [one for one in inner if one not in classes.values()]
        return functools.partial(_one_of, type(None) in inner, {name: _reader(one) for name, one in classes.items()},
                                 tuple(map(_reader, others)))
    if origin is tuple:
        each = _reader(inner[0]) if inner[-1] is Ellipsis else None
        return functools.partial(_tuple, each, () if each else tuple(map(_reader, inner)))
    if origin is collections.abc.Mapping:
        return functools.partial(_mapping, _reader(inner[1]))
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return functools.partial(_dataclass, hint)
    raise _Wrong


@functools.cache
def _fields(kind: type) -> tuple[dict[str, _Reader], frozenset[str]]:
    """What reads each field, and the names that its JSON has."""
    readers = {name: _reader(hint) for name, hint in evidence.field_types(kind).items()}
    return readers, frozenset((_CLASS, *readers))


def _integer(value: object, _depth: int = 0) -> int:
    if isinstance(value, bool) or abs(_of(value, int)) > MAX_INTEGER:
        raise _Wrong
    return _of(value, int)


def _float(value: object, _depth: int) -> float:
    return value if isinstance(value, float) else float(_integer(value))


def _one_of(may_be_none: bool, classes: Mapping[str, _Reader], others: Sequence[_Reader], value: object,
            depth: int) -> object:
    """The value as the first that it fits; classes are told apart by their name."""
    if depth > MAX_DEPTH:
        raise _Wrong
    if value is None and may_be_none:
        return None
    if isinstance(value, dict) and _CLASS in value:
        kind = classes.get(_text(value[_CLASS]))
        if kind is None:
            raise _Wrong
        return kind(value, depth + 1)
    for read in others:
        try:
            return read(value, depth + 1)
        except _Wrong:
            continue
    raise _Wrong


def _tuple(each: _Reader | None, kinds: Sequence[_Reader], value: object, depth: int) -> tuple[object, ...]:
    """Values of one kind, or one of each kind."""
    if depth > MAX_DEPTH:
        raise _Wrong
    items = _of(value, list)
    if each:
        return tuple([each(one, depth + 1) for one in items])
    return tuple(read(one, depth + 1) for one, read in zip(items, kinds, strict=True))


def _mapping(read: _Reader, value: object, depth: int) -> dict[str, object]:
    if depth > MAX_DEPTH:
        raise _Wrong
    return {_text(name): read(one, depth + 1) for name, one in _of(value, dict).items()}


def _dataclass(kind: type, value: object, depth: int) -> object:
    (readers, names), found = _fields(kind), _of(value, dict)
    if depth > MAX_DEPTH or found.get(_CLASS) != kind.__name__ or found.keys() != names:
        raise _Wrong
    return kind(**{name: read(found[name], depth + 1) for name, read in readers.items()})


def _json(value: object, depth: int) -> evidence.Json:
    """Any JSON, within the bounds."""
    if depth > MAX_DEPTH:
        raise _Wrong
    if isinstance(value, dict):
        return {_text(name): _json(one, depth + 1) for name, one in value.items()}
    if isinstance(value, list):
        return [_json(one, depth + 1) for one in value]
    return _scalar(value)


def _scalar(value: object) -> None | bool | int | float | str:
    if value is None or isinstance(value, bool | float):
        return value
    return _integer(value) if isinstance(value, int) else _text(value)


_SIMPLE: dict[object, _Reader] = {
    typing.Any: _json, float: _float, int: _integer, type(None): lambda value, _: _of(value, type(None)),
    str: lambda value, _: _text(value), bool: lambda value, _: _of(value, bool)}
