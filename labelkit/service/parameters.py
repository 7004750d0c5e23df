# SPDX-License-Identifier: Apache-2.0
"""What may be asked of each route, in the query or in the fields of a form: one table for reading and for OpenAPI."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from labelkit.choices import CORNERS, EDGES, EFFORTS
from labelkit.compliance import Profile
from labelkit.explicit.rules import MAX_CHARACTERS
from labelkit.languages import LANGUAGES as LABEL_LANGUAGES
from labelkit.messages import LANGUAGES, Message
from labelkit.report import Layer
from labelkit.service.refusal import Refused

Value: TypeAlias = str | bool | int | tuple[str, ...]
Asked: TypeAlias = Mapping[str, Any]
"""What a request asks for, by the names of its parameters."""
KINDS = ("generated", "possible", "suspected")
_LAYERS = tuple(layer.value for layer in Layer)
_FLAGS = {"1": True, "true": True, "0": False, "false": False}
MAX_COUNT = 100
_MAX_FIELD = 255  # characters of a number or a code; GB 45438-2025 wants fewer


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter.

    name     of the query parameter, or of the field
    text     what it is for
    choices  what it may be; with `several` some of them, separated by commas; none for text, of `most` characters
    flag     whether it is 1, true, 0 or false
    count    whether it is a whole number, 1 to `MAX_COUNT`
    default  where it is not given
    """

    name: str
    text: str
    choices: tuple[str, ...] = ()
    several: bool = False
    flag: bool = False
    count: bool = False
    most: int = _MAX_FIELD
    default: Value | None = None

    def value(self, text: str) -> Value:
        """What a text says; raises Refused (400)."""
        if self.flag:
            if text not in _FLAGS:
                raise _wrong(self.name, ", ".join(_FLAGS), text)
            return _FLAGS[text]
        if self.count:
            return self.number(text)
        if self.several:
            given = tuple(text.split(","))
            if not set(given) <= set(self.choices):
                raise _wrong(self.name, ", ".join(self.choices), text)
            return given
        if self.choices and text not in self.choices:
            raise _wrong(self.name, ", ".join(self.choices), text)
        if len(text) > self.most:
            raise Refused(400, "BadParameter", Message("{name} has {count} characters, at most {limit} are taken",
                                                       name=self.name, count=len(text), limit=self.most))
        return text

    def number(self, text: str) -> int:
        """The number that a text says; raises Refused (400)."""
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= MAX_COUNT):
            raise _wrong(self.name, f"1 to {MAX_COUNT}", text)
        return int(text)

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        if self.flag:
            return {"enum": list(_FLAGS), "default": "0"}
        if self.count:
            return {"type": "integer", "minimum": 1, "maximum": MAX_COUNT, "default": self.default}
        one: dict[str, Any] = {"enum": list(self.choices)} if self.choices else {"type": "string",
                                                                                "maxLength": self.most}
        if self.several:
            one = {"type": "array", "items": {"type": "string", **one}, "minItems": 1}
        if self.default is not None:
            one["default"] = list(self.default) if isinstance(self.default, tuple) else self.default
        return one


NAME = Parameter("name", "what the file is called, for messages and the report", most=4096)
URL = Parameter("url", "address of the file, in the place of a body, in the query; only on hosts that the operator "
                "allows", most=4096)
KEEP = Parameter("keep", "let the job and its result stay until DELETE, or until its time is over, so that a client "
                 "that lost the answer can fetch it again", flag=True)
_LANGUAGE = Parameter("lang", "language of the texts", LANGUAGES)
_EFFORT = Parameter("effort", "how thoroughly to search for the watermark", EFFORTS)
_LAYER = Parameter("layers", "the layers to check; all by default", _LAYERS, several=True)
MATCHES = Parameter("maxResults", "how many manifests at most", count=True, default=10)
OF_ROUTES: Mapping[str, tuple[Parameter, ...]] = {
    "verify": (_EFFORT, _LAYER,
               Parameter("require", "the layers whose lack is listed in `shortcomings`", _LAYERS, several=True,
                         default=("metadata",)),
               Parameter("signed", "also a signed result, a JWS, in `signed_result`", flag=True), _LANGUAGE),
    "check": (Parameter("profile", "whose rules", tuple(profile.value for profile in Profile), default="gb45438"),
              Parameter("sb1000", "judge California by SB 1000", flag=True), _EFFORT, _LANGUAGE),
    "label": (Parameter("produce_id", "the producer's unique number for the content; a new UUID by default"),
              Parameter("producer", "name or 27-character code of the service that generated the content; only where "
                        "the operator states none"),
              Parameter("kind", "whether the content is, may be or seems to be generated", KINDS, default="generated"),
              Parameter("layers", "the layers to put on; by default those of the operator", _LAYERS, several=True),
              Parameter("text", "of the explicit label; by default that of the operator", most=MAX_CHARACTERS),
              Parameter("label_language", "of the explicit label: its usual words, or those of `text`",
                        tuple(LABEL_LANGUAGES)),
              Parameter("corner", "of a picture or film, where the label is drawn", CORNERS + EDGES),
              Parameter("replace", "replace the label and manifest of another producer", flag=True),
              Parameter("explicit_present", "the content already carries its explicit label: needed to leave that "
                        "layer out", flag=True), _LANGUAGE),
    "propagate": (Parameter("propagate_id", "the platform's unique number for the content; a new UUID by default"),
                  Parameter("propagator", "name or 27-character code of the platform; only where the operator states "
                            "none"),
                  Parameter("declared", "the user declares the content as AI-generated", flag=True), _EFFORT,
                  _LANGUAGE),
    "matches/byContent": (Parameter("alg", "only manifests of this soft binding"), MATCHES, _EFFORT,
                          Parameter("hintAlg", "name of a soft binding that the caller has read"),
                          Parameter("hintValue", "its value, which counts where no watermark is found here"))}


def values(route: str, fields: Iterable[tuple[str, str]]) -> dict[str, Value]:
    """What is asked for, by name; defaults included. Raises Refused (400) for what is unknown, double or wrong."""
    known = {parameter.name: parameter for parameter in OF_ROUTES[route]}
    found: dict[str, Value] = {}
    for name, text in fields:
        if name not in known:
            raise Refused(400, "BadParameter", Message("{name} is no parameter here; there are {known}",
                                                       name=repr(name[:_MAX_FIELD]), known=", ".join(known)))
        if name in found:
            raise Refused(400, "BadParameter", Message("{name} is given twice", name=name))
        found[name] = known[name].value(text)
    defaults = {parameter.name: parameter.default for parameter in known.values() if parameter.default is not None}
    return {**defaults, **found}


def _wrong(name: str, known: str, got: str) -> Refused:
    return Refused(400, "BadParameter", Message("{name} must be of {known}, got {got}", name=name, known=known,
                                                got=repr(got[:_MAX_FIELD])))
