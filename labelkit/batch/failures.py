# SPDX-License-Identifier: Apache-2.0
"""What went wrong with a row, in the row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from labelkit import unforeseen
from labelkit.batch.columns import Column, each
from labelkit.errors import InvalidArgument, LabelkitError

FAILURE = ("error_type", "error")
"""The columns that say what went wrong with a row."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def attempted(work: Callable[[Item], Result]) -> Callable[[Item], Result | LabelkitError]:
    """`work`, but the error that it raises is returned; only what ends the program is raised."""
    def attempt(item: Item) -> Result | LabelkitError:
        try:
            return work(item)
        except BrokenPipeError as error:  # of a store: it ends a command whose reader is gone, but no row
            return LabelkitError("the system refused: {reason}", reason=error.strerror or str(error))
        except BaseException as error:  # the panics of Rust libraries are no Exceptions
            return unforeseen.translated(error)
    return attempt


def check_jobs(jobs: int | None) -> None:
    """Raise InvalidArgument unless it is a number of jobs, or None."""
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
        raise InvalidArgument("jobs must be a whole number above 0, got {value}", value=repr(jobs))


def failure_columns(results: Sequence[object]) -> dict[str, Column]:
    """The columns `error_type`, the name of the error's class, and `error`, its message; both None where all is well.

    The message is in English, and names the next thing to try, if there is one, after a semicolon.
    """
    errors = [result if isinstance(result, LabelkitError) else None for result in results]
    return dict(zip(FAILURE, (Column("text", each(errors, lambda error: type(error).__name__)),
                              Column("text", each(errors, _text))), strict=True))


def _text(error: LabelkitError) -> str:
    return f"{error}; {error.hint}" if error.hint else str(error)
