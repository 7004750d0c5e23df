# SPDX-License-Identifier: Apache-2.0
"""Evidence as JSON values: its one way into JSON.

`to_json` turns evidence into JSON values, each field under its own name. A field that was declared with `if_known`
is left out while it is None: readers of the JSON tell "not there" from "there and null".
"""

from __future__ import annotations

import dataclasses
import enum
import sys
import typing
from collections.abc import Mapping
from dataclasses import field
from typing import Any, TypeAlias

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
MAX_DEPTH = 64
_OMIT = "omit while None"


def if_known() -> Any:
    """The default None of a field that stays out of the JSON until it has a value."""
    return field(default=None, metadata={_OMIT: True})


def is_omitted(one: dataclasses.Field[Any]) -> bool:
    """Whether a field stays out of the JSON while it is None."""
    return bool(one.metadata.get(_OMIT))


def field_types(kind: type) -> dict[str, Any]:
    """The types of the fields of a class of evidence; Any where JSON of any shape is kept."""
    return typing.get_type_hints(kind, {**vars(sys.modules[kind.__module__]), "Json": Any})


def to_json(value: object, depth: int = MAX_DEPTH) -> Json:
    """JSON values of evidence: dataclasses and mappings become objects, sequences lists, enumerations their values.

    depth  levels that are taken apart; what lies deeper becomes "…", as a file may state values of any depth
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, enum.Enum):
        return to_json(value.value, depth)
    if depth == 0:
        return "…"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        known = ((one, getattr(value, one.name)) for one in dataclasses.fields(value))
        return {one.name: to_json(inner, depth - 1) for one, inner in known if inner is not None or not is_omitted(one)}
    if isinstance(value, Mapping):
        return {str(name): to_json(inner, depth - 1) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(inner, depth - 1) for inner in value]
    raise TypeError(f"{type(value).__name__} is no evidence")
