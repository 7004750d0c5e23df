# SPDX-License-Identifier: Apache-2.0
"""Verifications: what the file in each row of a table says about being AI-generated."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, TypeVar, Unpack

from labelkit import pipeline, store, threads
from labelkit.batch import columns
from labelkit.batch.columns import Column, each, file_of, opened
from labelkit.batch.failures import FAILURE, attempted, check_jobs, failure_columns
from labelkit.errors import InvalidArgument, LabelkitError
from labelkit.preconditions import VerifySettings, verify_settings
from labelkit.report import Layer, Report

if TYPE_CHECKING:
    from labelkit.batch.columns import Table

T = TypeVar("T")


class Verifications:
    """Verifies the file in each row of a table; a call takes a table and returns one. Can be pickled.

    column     the column with the files, as for `Labels`
    require    layers that must be valid: adds the column `meets`
    report     adds the column `report`, the whole report as JSON (labelkit/report.schema.json); a few kB a row
    jobs       rows at a time, on threads; by default as many as there are cores
    checks     the settings of `labelkit.verify`: key, trust, effort, layers, max_pixels, now, pins, ocr

    A call returns the table with these columns: `verdict` (confirmed, possible, suspected, none, undetermined),
    `label_id` and `producer` (of the label that a valid layer states), `payload` (16 hexadecimal digits of the
    watermark), `explicit`, `watermark`, `metadata` and `provenance` (valid, invalid, absent, unchecked), `meets`
    (None where the question is open), `report`, `error_type` and `error`. A row that could not be verified has an
    error alone, and raises nothing.
    Raises InvalidArgument for settings that no row could be verified with, and for a column that is missing.
    """

    def __init__(self, *, column: str = "bytes", require: Collection[Layer] = (), report: bool = False,
                 jobs: int | None = None, **checks: Unpack[VerifySettings]) -> None:
        unknown = set(checks) - set(VerifySettings.__annotations__)
        if unknown:
            raise TypeError(f"Verifications() got an unexpected keyword argument {min(unknown)!r}")
        layers = checks.get("layers", tuple(Layer))
        verify_settings(checks.get("key"), checks.get("trust"), checks.get("effort", "normal"), layers,
                        checks.get("pins", ()))
        self.require = tuple(Layer(layer) for layer in require)
        if not set(self.require) <= set(layers):
            raise InvalidArgument("a layer can be required only if it is checked: {layers}",
                                  layers=", ".join(layer.value for layer in self.require if layer not in layers))
        check_jobs(jobs)
        self.column, self.report, self.jobs, self.checks = column, report, jobs, checks

    @property
    def added(self) -> dict[str, str]:
        """The columns that a call adds or replaces, each with "text" or "boolean"."""
        return {**{name: column.kind for name, column in self._columns([]).items()}, **dict.fromkeys(FAILURE, "text")}

    def __call__(self, table: T) -> T:
        """The table with a verdict in every row that could be verified."""
        rows = opened(table)
        columns.check_names(rows, self.column)
        numbers = range(rows.rows)
        work: Callable[[int], Report | LabelkitError] = attempted(lambda row: self._row(rows, row))
        done = [result for _, result in threads.in_order(work, numbers, self.jobs or threads.cores())]
        good = [None if isinstance(result, LabelkitError) else result for result in done]
        verified: T = rows.with_columns({**self._columns(good), **failure_columns(done)})
        return verified

    def _row(self, rows: Table, row: int) -> Report:
        with store.readable(file_of(rows.value(self.column, row))) as file:
            return pipeline.verify(file, **self.checks)

    def _columns(self, reports: list[Report | None]) -> dict[str, Column]:
        labels = each(reports, lambda report: report.label)
        made = {"verdict": Column("text", each(reports, lambda report: report.verdict.value)),
                "label_id": Column("text", each(labels, lambda label: label.produce_id)),
                "producer": Column("text", each(labels, lambda label: label.content_producer)),
                "payload": Column("text", each(reports, _payload))}
        for layer in Layer:
            made[layer.value] = Column("text", each(reports, functools.partial(_status, layer)))
        if self.require:
            made["meets"] = Column("boolean", each(reports, self._meets))
        if self.report:
            made["report"] = Column("text", each(reports, lambda report: report.to_json()))
        return made

    def _meets(self, report: Report) -> bool | None:
        """Whether the required layers are valid; None where one could not be looked at."""
        return None if report.unanswered(*self.require) else not report.shortcomings(*self.require)


def _status(layer: Layer, report: Report) -> str:
    return report[layer].status.value


def _payload(report: Report) -> str | None:
    payload = report[Layer.WATERMARK].payload
    return payload.hex if payload else None
