# SPDX-License-Identifier: Apache-2.0
"""embed_many and verify_many: the work of `embed` and `verify` on all cores, in the order of the sources."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, cast

from labelkit import pipeline, tensors, threads, unforeseen
from labelkit.container import Source
from labelkit.errors import InvalidArgument, LabelkitError, check_types
from labelkit.key import Key
from labelkit.label import Label
from labelkit.plan import Plan
from labelkit.preconditions import EmbedSettings, VerifySettings, verify_settings
from labelkit.report import Layer, Report

if TYPE_CHECKING:
    import numpy.typing as npt

    from labelkit.arrays import Held
    from labelkit.isolation import Limits, Pool
    from labelkit.tensors import Tensor


class EachSettings(EmbedSettings, total=False):
    """The settings of `embed`, also the format that samples are encoded to."""

    format: str | None


class Checks(VerifySettings, total=False):
    """The settings of `verify`, also for samples in memory."""

    rate: int | None


def verify_many(sources: Iterable[Source | Held | Tensor] | Tensor, *, jobs: int | None = None,
                isolate: bool | Limits = False, **checks: Unpack[Checks]) -> Iterator[Report | LabelkitError]:
    """The report of each source, in order; in the place of a file that could not be verified its LabelkitError.

    sources  as for `verify`; taken from the iterable a few ahead of the reports, so that it may be endless
    jobs     sources at a time, on threads; by default as many as there are cores
    isolate  read files in as many processes instead, of `isolation.Pool`, with these limits or the usual ones: for
             strangers' files, and where there are many, as threads wait for each other (benchmarks/SERVING.md);
             samples in memory stay on threads
    checks   the settings of `verify`

    One bad file does not end the run. What the iterable of sources raises is raised. Closing the iterator drops what
    has not begun. Raises InvalidArgument for settings that no file could be verified with, TypeError for unknown ones.
    """
    jobs = _checked(sources, jobs)
    unknown = set(checks) - set(Checks.__annotations__)
    if unknown:
        raise TypeError(f"verify_many() got an unexpected keyword argument {min(unknown)!r}")
    verify_settings(checks.get("key"), checks.get("trust"), checks.get("effort", "normal"),
                    checks.get("layers", tuple(Layer)), checks.get("pins", ()))

    if isolate:
        from labelkit.isolation import Limits, Pool  # here: most calls need no processes

        limits = Limits() if isolate is True else isolate
        check_types(isolate=(limits, Limits))
        settings = cast(VerifySettings, {name: value for name, value in checks.items() if name != "rate"})
        return _isolated(sources, jobs, Pool(jobs, limits, **settings), checks)
    return (report for _, report in threads.in_order(_verified(pipeline.verify, checks), tensors.each(sources), jobs))


def _isolated(sources: Iterable[Any] | Tensor, jobs: int, pool: Pool,
              checks: Checks) -> Iterator[Report | LabelkitError]:
    """The reports of files in the processes of a pool, which end with the iterator."""
    def verify(source: Any, **checks: Unpack[Checks]) -> Report:
        if isinstance(source, bytearray | memoryview):
            return pool.verify(bytes(source))
        if isinstance(source, str | os.PathLike):
            return pool.verify(source, name=os.fspath(source))
        return pool.verify(source) if isinstance(source, bytes) or hasattr(source, "read") else pipeline.verify(
            source, **checks)

    with pool:
        yield from (report for _, report in threads.in_order(_verified(verify, checks), tensors.each(sources), jobs))


def _verified(verify: Callable[..., Report], checks: Checks) -> Callable[[Any], Report | LabelkitError]:
    """`verify` with these settings, whose errors are results."""
    def verified(source: Any) -> Report | LabelkitError:
        try:
            return verify(source, **checks)
        except BaseException as error:  # the panics of Rust libraries are no Exceptions
            return unforeseen.translated(error)
    return verified


def embed_many(sources: Iterable[Source | Held | Tensor] | Tensor, labels: Iterable[Label] | Callable[[], Label],
               targets: Iterable[str | os.PathLike[str] | npt.NDArray[Any]] | None = None, *, jobs: int | None = None,
               **settings: Unpack[EachSettings]) -> Iterator[bytes | str | Path | Held | Tensor | LabelkitError]:
    """What `embed` returns for each source, in order; in the place of one that was not labelled its LabelkitError.

    sources   as for `embed`, or a batch [n, ...] of pictures or sounds in one array or tensor; taken from the iterable
              a few ahead of the results, so that it may be endless
    labels    one for each source, or what makes the next one when it is called: no two share their payload
    targets   one path for each source, or of pictures in arrays one array like it; None returns bytes, or samples where
              no format is given
    jobs      sources at a time, on threads; by default as many as there are cores
    settings  those of `embed`

    Closing the iterator drops what has not begun. What an iterable raises is raised. Raises InvalidArgument for
    settings of a wrong type and, where it is met, for a source without a label or target; TypeError for unknown ones.
    """
    jobs = _checked(sources, jobs)
    unknown = set(settings) - set(EachSettings.__annotations__)
    if unknown:
        raise TypeError(f"embed_many() got an unexpected keyword argument {min(unknown)!r}")
    if settings.get("plan") is not None:
        check_types(plan=(settings["plan"], Plan))
    Key.of(settings.get("key"))
    if isinstance(targets, str | bytes | os.PathLike):
        raise InvalidArgument("targets must be several, such as a list of paths, got {got}", got=type(targets).__name__)
    if not callable(labels) and (isinstance(labels, Label) or not isinstance(labels, Iterable)):
        raise InvalidArgument("labels are one for each source, or a function that makes them, got {got}",
                              got=type(labels).__name__)

    def labelled(item: tuple[Any, Any, Any]) -> bytes | str | Path | Held | Tensor | LabelkitError:
        source, target, label = item
        try:
            made: bytes | str | Path | Held | Tensor = pipeline.embed(source, target, label, **settings)
            return made
        except BaseException as error:  # the panics of Rust libraries are no Exceptions
            return unforeseen.translated(error)

    return (made for _, made in threads.in_order(labelled, _together(tensors.each(sources), labels, targets), jobs))


def _together(sources: Iterator[Any], labels: Iterable[Label] | Callable[[], Label],
              targets: Iterable[Any] | None) -> Iterator[tuple[Any, Any, Any]]:
    """(source, target, label) of each source."""
    following: Callable[[], Label] = iter(labels).__next__ if isinstance(labels, Iterable) else labels
    places = None if targets is None else iter(targets)
    for index, source in enumerate(sources):
        try:
            target = None if places is None else next(places)
            label = following()
        except StopIteration:
            raise InvalidArgument("source {number} has no label or no target", number=index + 1) from None
        yield source, target, label


def _checked(sources: object, jobs: int | None) -> int:
    """The number of jobs; raises InvalidArgument where it is none, and for a single source."""
    jobs = threads.cores() if jobs is None else jobs
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise InvalidArgument("jobs must be a whole number above 0, got {value}", value=repr(jobs))
    if isinstance(sources, str | bytes | bytearray | memoryview) or not (
            isinstance(sources, Iterable) or tensors.is_tensor(sources)):
        raise InvalidArgument("sources must be several, such as a list of paths, got {got}", got=type(sources).__name__)
    return jobs
