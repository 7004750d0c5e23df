# SPDX-License-Identifier: Apache-2.0
"""Labels: the rows of a table, labelled."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from labelkit import codec, container, pipeline, store, threads, watermark
from labelkit.batch import columns
from labelkit.batch.columns import Column, each, file_of, opened, refilled
from labelkit.batch.failures import FAILURE, attempted, check_jobs, failure_columns
from labelkit.errors import InvalidArgument, LabelkitError, check_types
from labelkit.key import Key
from labelkit.label import Kind, Label
from labelkit.log_recorder import sha256
from labelkit.metadata import security_data
from labelkit.plan import Plan

if TYPE_CHECKING:
    from labelkit.batch.columns import Table
    from labelkit.confirmation import Check
    from labelkit.container import Source
    from labelkit.metadata.sm2 import Sm2Signer

T = TypeVar("T")

_NAMESPACE = uuid.UUID("5a6f5a29-6a0f-4f0e-9d6c-1f0c2f6a6f1e")
_ENDINGS = {"jpeg": ".jpg", "tiff": ".tif", "matroska": ".mkv"}
"""Of formats whose name is not the usual ending."""


def derived_id(producer: str, *parts: str) -> str:
    """The produce id that follows from a producer and what identifies a content: a UUID, the same for the same parts.

    `Labels` makes the id of a row from the value of its `id_column`, or else from the SHA-256 of its file.
    """
    return str(uuid.uuid5(_NAMESPACE, json.dumps([producer, *parts])))


@dataclass(frozen=True, slots=True)
class Labelled:
    """A row that was labelled: the labelled bytes or the place where they were written, the label, and the 64 bits of
    the watermark as 16 hexadecimal digits, None where there is no watermark."""

    made: bytes | str
    label: Label
    payload: str | None

    @property
    def data(self) -> bytes | Path:
        """What was made, for the writers of datasets."""
        return self.made if isinstance(self.made, bytes) else Path(self.made)


class Labels:
    """Labels the file in each row of a table; a call takes a table and returns one. Can be pickled.

    producer    name or 27-character code of the service that generated the content
    column      the column with the files: bytes, paths, URLs of object stores (s3://, gs://, az://), or the structure
                {bytes, path} of Hugging Face
    output      the column for the labelled bytes, `column` itself by default where it holds bytes
    into        folder or prefix of a store to write the labelled files to; the output column, "uri" by default, then
                holds where they are. A file keeps its path below the bucket or root, bytes are named by their id
    id_column   the column whose values, unique to each row, the produce ids are derived from; without one they are
                derived from the files. Either way the same row gets the same id and the same bytes whenever it is
                labelled, except for a manifest, which has a time and a number of its own
    kind        what the label says
    plan, key, replace, check, max_pixels
                as for `labelkit.embed`; a signer in the plan is pickled with its key
    sm2         signs the label in ReservedCode1 (`labelkit.metadata.sm2.Sm2Signer`)
    jobs        rows at a time, on threads; by default as many as there are cores. 1 where the engine runs as many
                copies as it has cores

    A call takes an Arrow table or record batch, a pandas data frame, or a dictionary of columns, and returns the same
    with these columns: the output, `label_id` (the produce id), `payload` (16 hexadecimal digits of the watermark),
    `error_type` and `error`. A row that was not labelled has no output but an error, and raises nothing.
    Raises InvalidArgument and InvalidLabel for what no row could be labelled with, such as a column that is missing.
    """

    def __init__(self, producer: str, *, column: str = "bytes", output: str | None = None, into: str | None = None,
                 id_column: str | None = None, kind: Kind = Kind.GENERATED, plan: Plan | None = None,
                 key: Key | None = None, replace: bool = False, check: Check = True,
                 max_pixels: int = codec.MAX_PIXELS, sm2: Sm2Signer | None = None, jobs: int | None = None) -> None:
        self.plan = Plan() if plan is None else plan
        check_types(plan=(self.plan, Plan), column=(column, str))
        Label(kind, producer, "check")  # refuses a wrong producer before the first row
        check_jobs(jobs)
        self.producer, self.kind, self.key = producer, kind, Key.of(key)
        self.column, self.output, self.into, self.id_column = column, output, into, id_column
        self.replace, self.check, self.max_pixels, self.sm2, self.jobs = replace, check, max_pixels, sm2, jobs

    @property
    def added(self) -> dict[str, str]:
        """The columns that a call adds or replaces, each with "bytes" or "text"."""
        return {self._output: "text" if self.into else "bytes",
                **dict.fromkeys(("label_id", "payload", *FAILURE), "text")}

    @property
    def _output(self) -> str:
        return self.output or ("uri" if self.into else self.column)

    def __call__(self, table: T) -> T:
        """The table with a labelled file in every row that could be labelled."""
        rows = opened(table)
        columns.check_names(rows, self.column, self.id_column)
        numbers = range(rows.rows)
        work: Callable[[int], Labelled | LabelkitError] = attempted(lambda row: self._row(rows, row))
        done = [result for _, result in threads.in_order(work, numbers, self.jobs or threads.cores())]
        good = [None if isinstance(result, LabelkitError) else result for result in done]
        made: list[Any] = [result and result.made for result in good]
        if not self.into and self._output == self.column:
            made = [one and refilled(rows.value(self.column, row), one) for row, one in enumerate(made)]
        labelled: T = rows.with_columns({
            self._output: Column("text" if self.into else "bytes", made),
            "label_id": Column("text", each(good, lambda one: one.label.produce_id)),
            "payload": Column("text", each(good, lambda one: one.payload)), **failure_columns(done)})
        return labelled

    def _row(self, rows: Table, row: int) -> Labelled:
        source = file_of(rows.value(self.column, row))
        identity = rows.value(self.id_column, row) if self.id_column else None
        if self.id_column and identity is None:
            raise InvalidArgument("the row has no value in {name}, from which its number is derived",
                                  name=self.id_column)
        with store.readable(source) as file:
            identity = sha256(file) if identity is None else identity
            return self.label(file, identity, to=self._place(source, file, identity) if self.into else None)

    def label(self, source: bytes | str, identity: object = None, *, to: str | None = None) -> Labelled:
        """Label one file.

        source    its bytes or its path
        identity  what its produce id is derived from; None for its SHA-256
        to        path or URL to write to; None returns the bytes
        Raises what `labelkit.embed` raises.
        """
        label = Label(self.kind, self.producer, self._id(sha256(source) if identity is None else identity))
        label = security_data.sign(label, self.sm2) if self.sm2 else label
        marked = self.plan.watermark is not None and not self.plan.watermark.presence_only and has_signal(source)
        left_out: list[object] = []
        with store.writable(to) as target:
            made = pipeline.embed(source, target, label, plan=self.plan, key=self.key, replace=self.replace,
                                  check=self.check, max_pixels=self.max_pixels, on_left_out=left_out.append)
        payload = watermark.payload_of(label, self.plan) if marked and not left_out else None
        return Labelled(cast(bytes, made) if to is None else to, label, payload.hex if payload else None)

    def _id(self, identity: object) -> str:
        return derived_id(self.producer, identity.hex() if isinstance(identity, bytes) else str(identity))

    def _place(self, source: bytes | str, file: bytes | str, identity: object) -> str:
        """Where to write the labelled file of a row."""
        if isinstance(source, str):
            return f"{str(self.into).rstrip('/')}/{store.inner_path(source)}"
        format = container.sniff(file).name
        return f"{str(self.into).rstrip('/')}/{self._id(identity)}{_ENDINGS.get(format, f'.{format}')}"


def has_signal(source: Source) -> bool:
    """Whether a file has samples for a watermark; one of no known format is refused soon."""
    try:
        return codec.has_signal(container.sniff(source))
    except LabelkitError:
        return True

