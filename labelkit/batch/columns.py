# SPDX-License-Identifier: Apache-2.0
"""Columns of a table, whatever library it is of: Arrow, pandas, or a dictionary of arrays or lists.

No library is imported for a table of another: the module of the table's own type says what it is.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from labelkit.errors import InvalidArgument

T = TypeVar("T")
V = TypeVar("V")
Values: TypeAlias = "Sequence[bytes | str | bool | dict[str, Any] | None]"


def each(found: Sequence[T | None], get: Callable[[T], V]) -> list[V | None]:
    """`get` of what was found, None where nothing was."""
    return [None if one is None else get(one) for one in found]


@dataclass(frozen=True, slots=True)
class Column:
    """A new column: its values, None where there is none, and "bytes", "text" or "boolean"."""

    kind: str
    values: Values


class Table(Protocol):
    """What can be done with a table of any library."""

    names: list[str]
    rows: int

    def value(self, name: str, row: int) -> Any:
        """The value of a column in a row as a Python object, None where there is none."""

    def with_columns(self, columns: Mapping[str, Column]) -> Any:
        """A table of the same library with these columns at the end, or in the place of those of the same name."""


def opened(table: object) -> Table:
    """The columns of a table.

    table  pyarrow.Table, pyarrow.RecordBatch, pandas.DataFrame, or a dictionary of columns of equal length
    Raises InvalidArgument for anything else.
    """
    home = type(table).__module__.partition(".")[0]
    if home == "pyarrow" and hasattr(table, "schema") and hasattr(table, "num_rows"):
        return _ArrowTable(table)
    if home == "pandas" and hasattr(table, "columns"):
        return _DataFrame(table)
    if isinstance(table, Mapping):
        return _Columns(table)
    raise InvalidArgument("a table is an Arrow table or record batch, a pandas data frame or a dictionary of columns, "
                          "got {got}", got=type(table).__name__)


def check_names(table: Table, *names: str | None) -> None:
    """Raise InvalidArgument for a column that the table does not have."""
    for name in names:
        if name is not None and name not in table.names:
            raise InvalidArgument("the table has no column {name}, but {names}", name=name,
                                  names=", ".join(table.names) or "-")


class _ArrowTable:
    def __init__(self, table: Any) -> None:
        self._table = table
        self.names, self.rows = list(table.schema.names), table.num_rows

    def value(self, name: str, row: int) -> Any:
        return self._table.column(name)[row].as_py()

    def with_columns(self, columns: Mapping[str, Column]) -> Any:
        arrow: Any = importlib.import_module("pyarrow")
        table = self._table
        types = {"text": arrow.string(), "boolean": arrow.bool_(), "bytes": arrow.binary()}
        for name, column in columns.items():
            field = arrow.field(name, types[column.kind])
            at = table.schema.get_field_index(name)
            if at >= 0 and column.kind == "bytes" and holds_files(arrow, table.schema.field(at).type):
                field = table.schema.field(at).with_nullable(True)
            values = arrow.array(column.values, type=field.type)
            table = table.append_column(field, values) if at < 0 else table.set_column(at, field, values)
        return table


def holds_files(arrow: Any, type_: Any) -> bool:
    """Whether a column of this type can hold files: bytes, or the structure {bytes, path} of Hugging Face."""
    types = arrow.types
    if types.is_struct(type_):
        index = type_.get_field_index("bytes")
        return bool(index >= 0 and holds_files(arrow, type_.field(index).type))
    return bool(types.is_binary(type_) or types.is_large_binary(type_))


class _DataFrame:
    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.names, self.rows = [str(name) for name in frame.columns], len(frame)

    def value(self, name: str, row: int) -> Any:
        return _plain(self._frame[name].iloc[row])

    def with_columns(self, columns: Mapping[str, Column]) -> Any:
        pandas: Any = importlib.import_module("pandas")
        return self._frame.assign(**{name: pandas.Series(column.values, index=self._frame.index, dtype=object)
                                     for name, column in columns.items()})


class _Columns:
    def __init__(self, columns: Mapping[Any, Any]) -> None:
        self._columns = columns
        self.names = [str(name) for name in columns]
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            raise InvalidArgument("the columns of a table have one length, got {lengths}",
                                  lengths=", ".join(map(str, sorted(lengths))))
        self.rows = lengths.pop() if lengths else 0
        import numpy as np
        self._arrays = any(isinstance(values, np.ndarray) for values in columns.values())

    def value(self, name: str, row: int) -> Any:
        return _plain(self._columns[name][row])

    def with_columns(self, columns: Mapping[str, Column]) -> dict[str, Any]:
        return {**self._columns, **{name: self._made(column) for name, column in columns.items()}}

    def _made(self, column: Column) -> Any:
        if not self._arrays:
            return list(column.values)
        import numpy as np
        made = np.empty(len(column.values), object)  # NumPy's own type of bytes would drop zeros at their end
        made[:] = column.values
        return made


def _plain(value: Any) -> Any:
    """A value without NumPy's and pandas' types; None for what they put where there is none."""
    import numpy as np

    if isinstance(value, np.generic):
        value = value.item()
    missing = isinstance(value, float) and value != value or type(value).__name__ in ("NAType", "NaTType")
    return None if missing else value


def file_of(value: object) -> bytes | str:
    """The file in a cell: its bytes, or its path or URL.

    value  bytes, a path, or the structure {bytes, path} of Hugging Face, of which only the bytes are taken
    Raises InvalidArgument for anything else.
    """
    if isinstance(value, Mapping):
        value = value.get("bytes")
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str | os.PathLike):
        return str(os.fspath(value))
    if value is None:
        raise InvalidArgument("the row has no file")
    raise InvalidArgument("a row holds the bytes of a file, its path or its URL, got {got}", got=type(value).__name__)


def refilled(value: object, made: bytes) -> bytes | dict[str, Any]:
    """What a cell holds after labelling: the bytes, in the structure of Hugging Face where it was one."""
    return {**value, "bytes": made} if isinstance(value, Mapping) else made
