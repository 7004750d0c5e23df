# SPDX-License-Identifier: Apache-2.0
"""Datasets of media, shard by shard: WebDataset tar (plain or in gzip), Parquet and ZIP, local or in an object store,
and folders of Lance.

    from labelkit.batch import Labels, datasets

    done = datasets.embed("train-0000.tar", "labelled/train-0000.tar", Labels("001191440300708461136T1XGW3"))
    print(done.media, done.failures)

A shard is read and written sample by sample, and never unpacked as a whole; in a ZIP each member is a sample. Keys,
sidecars, their order, schema and metadata stay. The target appears as a whole or not at all; a sample of which a medium
failed is left out of it, so that nothing without a label stands among what is labelled. Ids are derived from the
content: a repeated run gives the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeVar, cast

from labelkit import store, threads
from labelkit.batch import archives, lance, parquet, tar
from labelkit.batch.failures import attempted
from labelkit.batch.samples import Data, Medium, Reader, Sample, Writer, is_medium
from labelkit.container import Transaction
from labelkit.container.base import UNNAMED
from labelkit.container.workfolder import WorkFolder
from labelkit.errors import InvalidArgument, LabelkitError, MalformedFile, TruncatedFile
from labelkit.messages import Message
from labelkit.report import Report

if TYPE_CHECKING:
    from labelkit.batch.labels import Labels
    from labelkit.batch.verifications import Verifications

ENDINGS = tar.ENDINGS + parquet.ENDINGS + archives.ENDINGS + lance.ENDINGS


class Worked(Protocol):
    """What came of a medium that is written anew."""

    @property
    def data(self) -> Data | None:
        """Its new bytes; None leaves its sample out of the target."""


Result = TypeVar("Result")
Made = TypeVar("Made", bound=Worked)
Outcome = Sequence[Result | LabelkitError]
"""What came of each medium of a sample."""
Run = Callable[[Callable[[Sample], Any], Iterable[Sample]], Generator[tuple[Sample, Any], None, None]]
"""Does the work on samples, several at a time, and gives each with its result in their order."""


def is_dataset(name: str) -> bool:
    """Whether a file is a shard of a dataset, by the ending of its name."""
    return name.lower().endswith(ENDINGS) or lance.is_named(name)


@dataclass(slots=True)
class Done:
    """What came of a shard: how many media were labelled, and the errors of the others by their names."""

    media: int = 0
    failures: dict[str, LabelkitError] = field(default_factory=dict)


def embed(source: str | os.PathLike[str], target: str | os.PathLike[str], labels: Labels, *,
          media: Collection[str] | None = None, keep_truncated: bool = False, in_place: bool = False,
          on_result: Callable[[str, object], None] | None = None) -> Done:
    """Label the media of a shard.

    source, target  paths or URLs of object stores that end in .tar, .tar.gz, .tgz, .parquet or .zip, or paths of
                    folders that end in .lance, both alike
    labels          how; its columns are not used
    media           of tar and ZIP the endings of the members to label, such as "jpg"; of Parquet and Lance the
                    columns. By default all members that are named as media, of ZIP documents too, and all columns that
                    begin with one
    keep_truncated  label the whole samples of a shard that ends too early, and then raise all the same
    in_place        allow `target` to be the source itself
    on_result       called with the name of each medium and its `Labelled` or its LabelkitError
    Raises TruncatedFile for a shard that ends too early, naming the last whole sample, MalformedFile, InvalidArgument,
    OutputFailed. Without keep_truncated nothing is written then.
    """
    from labelkit.batch.labels import Labels  # here: the commands only ask what a dataset is

    if not isinstance(labels, Labels):
        raise InvalidArgument("labels must be a batch.Labels, got {got}", got=type(labels).__name__)
    done = Done()
    work = attempted_each(lambda medium: labels.label(as_source(medium.data), to=beside(medium.data)))
    for sample, outcome in rewritten(os.fspath(source), os.fspath(target), work, on_threads(labels.jobs), media=media,
                                     keep_truncated=keep_truncated, in_place=in_place):
        for medium, result in zip(sample.media, outcome, strict=True):
            if isinstance(result, LabelkitError):
                done.failures[medium.name] = result
            else:
                done.media += 1
            if on_result:
                on_result(medium.name, result)
    return done


def verify(source: str | os.PathLike[str], verifications: Verifications | None = None, *,
           media: Collection[str] | None = None) -> Iterator[tuple[str, Report | LabelkitError]]:
    """(name, report or error) of each medium of a shard, in their order; the arguments are those of `embed`."""
    from labelkit import pipeline
    from labelkit.batch.verifications import Verifications

    checks = (Verifications() if verifications is None else verifications)
    work = attempted_each(lambda medium: pipeline.verify(as_source(medium.data), **checks.checks))
    for sample, outcome in looked_at(os.fspath(source), work, on_threads(checks.jobs), media=media):
        yield from zip((medium.name for medium in sample.media), outcome, strict=True)


def on_threads(jobs: int | None) -> Run:
    """Work on threads; by default as many as there are cores."""
    return lambda work, samples: threads.in_order(work, samples, jobs or threads.cores())


def attempted_each(work: Callable[[Medium], Result]) -> Callable[[Sample], Outcome[Result]]:
    """The work on each medium of a sample, with its error in the place of a result."""
    attempt = attempted(work)
    return lambda sample: [_named(attempt(medium), medium.name) for medium in sample.media]


def _named(result: Result | LabelkitError, name: str) -> Result | LabelkitError:
    """The result; an error about bytes in memory names the medium instead."""
    if isinstance(result, LabelkitError) and result.message.facts.get("where") == UNNAMED:
        result.message = Message(result.message.template, **{**result.message.facts, "where": name})
        result.args = (str(result.message),)
    return result


def as_source(data: Data) -> bytes | str:
    """A medium as `labelkit.embed` takes it."""
    return data if isinstance(data, bytes) else str(data)


def beside(data: Data) -> str | None:
    """Where to write what is made of a medium; None for one in memory."""
    return None if isinstance(data, bytes) else str(data.with_name(f"new-{data.name}"))


def looked_at(source: str, work: Callable[[Sample], Outcome[Result]], run: Run, *,
              media: Collection[str] | None = None) -> Generator[tuple[Sample, Outcome[Result]], None, None]:
    """(sample, outcome) of each sample of a shard that has media; the arguments are those of `rewritten`."""
    with _opened(source, media) as reader:
        samples = _Whole(reader)
        with closing(run(work, samples)) as results:
            for sample, outcome in results:
                if sample.media:
                    yield sample, outcome
                _discard(sample)
        if samples.end:
            raise samples.error(source, Message("they were looked at"))


def rewritten(source: str, target: str, work: Callable[[Sample], Outcome[Made]], run: Run, *,
              media: Collection[str] | None = None, keep_truncated: bool = False, in_place: bool = False,
              again: Collection[str] | None = None) -> Generator[tuple[Sample, Outcome[Made]], None, None]:
    """Write a shard anew; (sample, outcome) of each sample that was worked on.

    work      makes the outcome of a sample
    run       calls it, see `on_threads`
    in_place  allow `target` to be the source itself
    again     the names of the media that failed before: their samples are worked on, all others come from the target
    Media and what is raised are as for `embed`. The target is put in place after the last sample.
    """
    if not is_dataset(target) or _kind(source) != _kind(target):
        raise InvalidArgument("the ending of {where} is not that of its source, {source}", where=target, source=source)
    if not in_place:
        from labelkit.preconditions import refuse_same_file
        refuse_same_file(source, target)
    with ExitStack() as stack:
        _refuse_elsewhere(target, in_place=in_place)
        reader = stack.enter_context(_opened(source, media))
        before = iter(stack.enter_context(_opened(target, ()))) if again is not None else None
        path = stack.enter_context(store.writable(target))
        new = stack.enter_context(Transaction(path, like=None if store.is_url(source) else source))
        stage = new.stage("shard")
        samples = _Whole(reader)
        out = None if isinstance(reader, lance.LanceReader) else stack.enter_context(open(stage, "xb"))
        writer = _writer(stage, out, target, reader)
        stack.callback(writer.close)
        with closing(run(work, _merged(samples, before, again, target))) as results:
            for sample, outcome in results:
                whole = _put(writer, sample, outcome)
                if sample.media:
                    yield sample, outcome if whole else _left_out(sample, outcome)
                _discard(sample)
        if samples.end and not keep_truncated:
            raise samples.error(source, Message("nothing was written"))
        writer.finish()
        if out:
            out.close()
        new.commit(stage)
    if samples.end:
        raise samples.error(source, Message("they were worked on and written, the rest was left out"))


def _put(writer: Writer, sample: Sample, outcome: Outcome[Made]) -> bool:
    """Write a sample, or leave it out if one of its media has no new bytes; whether it was written."""
    made = [None if isinstance(result, LabelkitError) else result.data for result in outcome]
    writer.put(sample, None if None in made else cast("list[Data]", made))
    for data in made:
        if isinstance(data, Path):
            data.unlink(missing_ok=True)
    return None not in made


def _left_out(sample: Sample, outcome: Outcome[Made]) -> Outcome[Made]:
    """The outcome of a sample that is left out: what was made of its other media is nowhere."""
    failed = next(medium.name for medium, one in zip(sample.media, outcome, strict=True)
                  if isinstance(one, LabelkitError) or one.data is None)
    error = LabelkitError("left out, because {name} of the same sample was not labelled", name=failed)
    return [one if isinstance(one, LabelkitError) or one.data is None else error for one in outcome]


def _merged(samples: Iterable[Sample], before: Iterator[Sample] | None, again: Collection[str] | None,
            target: str) -> Iterator[Sample]:
    """The samples to work on, and in the place of the others those of the target, which have no media to work on."""
    for sample in samples:
        if before is None or again is None or not sample.key or any(one.name in again for one in sample.media):
            yield sample
            continue
        done = next((one for one in before if one.key), None)
        if done is None or sample.key != done.key and not sample.key.startswith("row "):
            raise MalformedFile("{where}: sample {sample} is not where it is in the source; the shard is not of the "
                                "run that failed", where=target, sample=sample.key)
        _discard(sample)
        yield done


class _Whole:
    """The whole samples of a shard, and how it ends."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples, self._count, self._last = samples, 0, ""
        self.end: TruncatedFile | None = None

    def __iter__(self) -> Iterator[Sample]:
        try:
            for sample in self._samples:
                self._count, self._last = self._count + bool(sample.key), sample.key or self._last
                yield sample
        except TruncatedFile as error:
            self.end = error

    def error(self, source: str, what: Message) -> TruncatedFile:
        """The error that says where the shard ends, and what was done."""
        assert self.end
        if not self._count:
            return TruncatedFile("{where}: {reason}; no sample is whole, and nothing was written", where=source,
                             reason=self.end.message, hint=self.end.hint.template if self.end.hint else None)
        return TruncatedFile("{where}: {reason}; {count} samples before are whole, the last is {last}; {what}",
                         where=source, reason=self.end.message, count=self._count, last=self._last, what=what)


@contextmanager
def _opened(source: str, media: Collection[str] | None) -> Iterator[Reader]:
    """The reader of a shard."""
    if isinstance(media, str):
        raise InvalidArgument("media must be several, such as a list of endings or columns, got {got}",
                              got=type(media).__name__)
    names = None if media is None else list(media)
    _refuse_elsewhere(source)
    if _kind(source) == "lance":
        yield lance.LanceReader(source, names)
        return
    if _kind(source) == "parquet":
        with store.seekable(source) as file:
            yield parquet.ParquetReader(file, source, names)
        return
    is_zip = _kind(source) == "zip"
    with store.seekable(source) if is_zip else store.stream(source) as file:
        folder = WorkFolder()
        try:
            if is_zip:
                yield archives.ZipReader(file, source, None if names is None else is_medium(names), folder)
            else:
                yield tar.TarReader(file, source, is_medium(names), folder)
        finally:
            folder.close()


def _writer(stage: Path, out: BinaryIO | None, target: str, reader: Reader) -> Writer:
    if isinstance(reader, lance.LanceReader):
        return lance.LanceWriter(stage, reader)
    assert out
    if isinstance(reader, archives.ZipReader):
        return archives.ZipWriter(out, reader)
    return parquet.ParquetWriter(out, reader) if isinstance(reader, parquet.ParquetReader) else tar.TarWriter(
        out, target)


def _kind(name: str) -> str:
    if lance.is_named(name):
        return "lance"
    name = name.lower()
    return "parquet" if name.endswith(parquet.ENDINGS) else "zip" if name.endswith(archives.ENDINGS) else "tar"


def _refuse_elsewhere(name: str, *, in_place: bool = False) -> None:
    """Raise InvalidArgument for a Lance dataset in a store, or one that would lose its versions."""
    if _kind(name) != "lance":
        return
    if store.is_url(name):
        raise InvalidArgument("{where}: Lance datasets are read and written on disk", where=name,
                              hint="labelkit.integrations.lance adds labels to a dataset where it is")
    if in_place:
        raise InvalidArgument("{where}: a Lance dataset is not replaced in place, it would lose its earlier versions",
                              where=name, hint="labelkit.integrations.lance adds labels to a dataset where it is")


def _discard(sample: Sample) -> None:
    """Remove what of a sample lies in files."""
    for data in getattr(sample.rest, "data", ()):
        if isinstance(data, Path):
            data.unlink(missing_ok=True)
