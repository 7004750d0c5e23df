# SPDX-License-Identifier: Apache-2.0
"""The AIGC value as other people write it: read liberally, reported exactly (GB 45438-2025 Annex E)."""

from __future__ import annotations

import base64
import binascii
import functools
import html
import json
import re
from dataclasses import dataclass

from labelkit.errors import MalformedFile
from labelkit.evidence import Deviation, Disagreement
from labelkit.label import FIELDS, PLACEHOLDER, Kind, Label, provider_code_problem

MAX_VALUE = 1 << 20  # bytes of JSON looked at; real values are under 4 kB, texts around them can be larger
_MAX_DEVIATIONS = 64
_KINDS = {kind.value: kind for kind in Kind}
_BY_LOWER = {name.lower(): name for name in FIELDS}
_PREFIX = re.compile(r"AIGC[\s=:\0]*(?=[{\"A-Za-z0-9+/_-])", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_OUTSIDE = re.compile(r"[^\x21\x23-\x5b\x5d-\x7e]")  # Annex E j)
_OUTSIDE_RESERVED = re.compile(r"[^\x21-\x5b\x5d-\x7e]")  # ... which allows \" too
_code_problem = functools.lru_cache(maxsize=1024)(provider_code_problem)  # a batch names few services, often
_COMMON = re.compile(r"(?![%$nuv{])[\x21\x23-\x5b\x5d-\x7e]*", re.IGNORECASE)  # as wanted, and no placeholder
_CODE_LIKE = re.compile(r"00[12][0-9A-Z]{24}")


@dataclass(frozen=True, slots=True)
class Statement:
    """What one AIGC value says.

    fields      the seven fields as strings; "" where one is missing, null or a placeholder
    kind        the Kind that `Label` states, or None
    form        how it was packed, outermost first: "prefix", "base64", "entities", "quoted", "wrapped", "bare"
    deviations  how it departs from Annex E
    conflicts   the names that are given more than once, with different values: parsers disagree on which one counts
    """

    fields: dict[str, str]
    kind: Kind | None
    form: tuple[str, ...]
    deviations: tuple[Deviation, ...]
    conflicts: tuple[Disagreement, ...] = ()

    @property
    def label(self) -> Label | None:
        """The label exactly as found, unchecked; None where `Label` is not 1, 2 or 3."""
        return Label.as_found(self.kind, self.fields) if self.kind else None

    @property
    def complete(self) -> bool:
        """Whether it has an attribute and names one party with its number (6.1 a): what a statement needs."""
        fields = self.fields
        return self.kind is not None and bool((fields["ContentProducer"] and fields["ProduceID"])
                                              or (fields["ContentPropagator"] and fields["PropagateID"]))


def read(raw: bytes | str) -> Statement:
    """The statement in a slot's text; raises MalformedFile for one that holds no AIGC object."""
    if len(raw) > MAX_VALUE:
        raise MalformedFile("an AIGC value has at most {limit} bytes, got {got}", limit=MAX_VALUE, got=len(raw))
    text = raw if isinstance(raw, str) else decode(raw)
    try:
        found, form = _unpack(text.strip("\0 \t\r\n\ufeff"), ())
        return _statement(found, form)
    except RecursionError as error:
        raise _nothing(text) from error


def decode(raw: bytes) -> str:
    """Text of unknown encoding: UTF-8, UTF-16 where zeros say so, GB 18030, else Latin-1."""
    names: tuple[str, ...]
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        names = ("utf-16",)
    elif b"\0" in raw.rstrip(b"\0")[:16]:
        names = ("utf-16-be", "utf-16-le") if raw[:1] == b"\0" else ("utf-16-le", "utf-16-be")
    else:
        names = ("utf-8", "gb18030")
    for name in names:
        try:
            return raw.decode(name)
        except UnicodeError:
            continue
    return raw.decode("latin-1")


class _Object(list[tuple[str, object]]):
    """A JSON object as its pairs, so that a name given twice is seen."""


@dataclass(frozen=True, slots=True)
class _Found:
    """The innermost AIGC object, and its rivals: what other parsers may read in its place (see `_descend`)."""

    members: _Object
    rivals: tuple[_Object, ...] = ()


def conflicts(statements: list[Statement]) -> tuple[Disagreement, ...]:
    """Fields to which one label gives several values."""
    return tuple(conflict for statement in statements for conflict in statement.conflicts)


def disagreements(statements: list[Statement]) -> tuple[Disagreement, ...]:
    """Fields in which two labels state different things; an empty field states nothing."""
    found: list[Disagreement] = []
    for name in FIELDS if len(statements) > 1 else ():
        values = sorted({statement.fields[name] for statement in statements if statement.fields[name]})
        if len(values) > 1:
            found.append(Disagreement(name, tuple(values)))
    return tuple(found)


def _unpack(text: str, form: tuple[str, ...]) -> tuple[_Found, tuple[str, ...]]:
    """The innermost AIGC object, and the wrappings that were taken off."""
    if len(form) > 6:
        raise _nothing(text)
    prefix = _PREFIX.match(text)
    if prefix:
        return _unpack(text[prefix.end():], (*form, "prefix"))
    if text[:1] not in ("{", '"'):
        return _unpack(*_unwrap(text, form))
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return _unpack(*_unwrap(text, form))
    return _descend(value, form)


def _descend(value: object, form: tuple[str, ...]) -> tuple[_Found, tuple[str, ...]]:
    """The first AIGC object in a value. Its rivals: other members called AIGC, and fields that stand beside them."""
    if isinstance(value, str):
        return _unpack(value.strip(), (*form, "quoted"))
    if isinstance(value, _Object):
        named = [inner for name, inner in value if name.lower() == "aigc"]
        wrapped = next((inner for inner in named if isinstance(inner, _Object | str)), None)
        beside = _Object((name, inner) for name, inner in value if _canonical(name))
        if wrapped is not None:
            found, packed = _descend(wrapped, (*form, "wrapped"))
            rivals = [_rival(inner) for inner in named if inner is not wrapped] + ([beside] if beside else [])
            return _Found(found.members, (*found.rivals, *rivals)), packed
        if beside:
            return _Found(value), form if "wrapped" in form else (*form, "bare")
    raise _nothing(str(value)[:40])


def _rival(value: object) -> _Object:
    """The seven fields of another AIGC member; what it does not state is empty to whoever reads it."""
    try:
        members = _descend(value, ())[0].members
    except MalformedFile:
        members = _Object()
    known = {canonical: inner for name, inner in members if (canonical := _canonical(name))}
    return _Object((name, known.get(name, "")) for name in FIELDS)


def _unwrap(text: str, form: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    if "&" in text and html.unescape(text) != text:
        return html.unescape(text).strip(), (*form, "entities")
    if _BASE64.fullmatch(text) and "base64" not in form:
        try:
            raw = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text.rstrip("=")) % 4))
            return raw.decode().strip("\0 \t\r\n"), (*form, "base64")
        except (binascii.Error, ValueError):
            pass
    raise _nothing(text)


_DECODER = json.JSONDecoder(object_pairs_hook=_Object, strict=False)


def _nothing(text: str) -> MalformedFile:
    return MalformedFile("no AIGC object in {text}", text=repr(text[:40]))


def _canonical(name: str) -> str | None:
    return name if name in FIELDS else _BY_LOWER.get(name.replace("_", "").replace("-", "").lower())


def _statement(found: _Found, form: tuple[str, ...]) -> Statement:
    fields = dict.fromkeys(FIELDS, "")
    deviations: list[Deviation] = []
    said: dict[str, list[str]] = {}
    for name, value in found.members:
        canonical = _canonical(name)
        if canonical is None:
            deviations.append(Deviation(_printable(name[:80]), "unknown field"))
            continue
        if name != canonical:
            deviations.append(Deviation(canonical, "spelling", _printable(name[:80])))
        if canonical in said:
            deviations.append(Deviation(canonical, "repeated"))
            said[canonical].append(_text(canonical, value, []))
            continue
        fields[canonical] = _text(canonical, value, deviations)
        said[canonical] = [fields[canonical]]
    for rival in found.rivals:
        deviations.append(Deviation("AIGC", "repeated"))
        for name, value in rival:
            said.setdefault(_canonical(name) or name, [""]).append(_text(_canonical(name) or name, value, []))
    deviations += [Deviation(name, "missing") for name in FIELDS if name not in said]
    deviations += [Deviation(name, "empty") for name in FIELDS
                   if name in said and not fields[name] and not name.startswith("Reserved")
                   and not any(found.field == name and found.deviation in ("null", "placeholder")
                               for found in deviations)]
    kind = _KINDS.get(fields["Label"])
    if kind is None and fields["Label"]:
        deviations.append(Deviation("Label", "not 1, 2 or 3", fields["Label"][:80]))
    conflicts = tuple(Disagreement(name, tuple(dict.fromkeys(value[:80] for value in values)))
                      for name, values in said.items() if len(set(values)) > 1)
    return Statement(fields, kind, form, tuple(deviations[:_MAX_DEVIATIONS]), conflicts)


def _text(name: str, value: object, deviations: list[Deviation]) -> str:
    """The field as a string, noting what is not as Annex E wants it."""
    def note(deviation: str, got: str | None = None, position: int | None = None) -> None:
        deviations.append(Deviation(name, deviation, got, position))

    if isinstance(value, str) and _COMMON.fullmatch(value):
        _note_code(name, value, deviations)
        return value
    if not isinstance(value, str):
        note({type(None): "null", bool: "boolean", int: "number", float: "number"}.get(type(value), "nested"))
        value = "" if value is None else _plain(value)
    value = _printable(value)
    if PLACEHOLDER.fullmatch(value):
        note("placeholder", value[:80])
        return ""
    reserved = name.startswith("Reserved")
    outside = (_OUTSIDE_RESERVED if reserved else _OUTSIDE).search(value)
    if outside:
        note("character", outside.group(), outside.start())
    _note_code(name, value, deviations)
    return value


def _note_code(name: str, value: str, deviations: list[Deviation]) -> None:
    """Note a provider code that cannot be one."""
    if name in ("ContentProducer", "ContentPropagator") and _CODE_LIKE.fullmatch(value):
        problem = _code_problem(value)
        if problem:
            deviations.append(Deviation(name, "provider code", value, problem=str(problem)))


def _printable(text: str) -> str:
    """The text without half surrogate pairs, which JSON can spell and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _plain(value: object) -> str:
    """The JSON text of a nested value; a name given twice stays twice, for the reader of the text to judge."""
    if isinstance(value, _Object):
        return "{" + ",".join(f"{_dumps(name)}:{_plain(inner)}" for name, inner in value) + "}"
    return "[" + ",".join(map(_plain, value)) + "]" if isinstance(value, list) else _dumps(value)


_dumps = json.JSONEncoder(ensure_ascii=False).encode
