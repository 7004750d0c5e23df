# SPDX-License-Identifier: Apache-2.0
"""All trials of all media, each result kept in a file as it comes, so that a run that was stopped goes on."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np

from labelkit.distribution import __version__
from labelkit.errors import LabelkitError, cannot_open, cannot_write
from labelkit.log.fingerprint import NEAR, distance, fingerprint
from labelkit.threads import in_order
from labelkit.trials import fidelity, forging
from labelkit.trials.media import Medium, of_kind
from labelkit.trials.subject import Decision, Settings, Subject, detected
from labelkit.trials.table import Group

Facts: TypeAlias = dict[str, float | None]
Texts: TypeAlias = dict[str, str]
"""A message by language."""
JOURNAL = "measured.jsonl"
_MAX_LINE = 1 << 16
_AVERAGE, _AVERAGED = "average", 16  # pictures of which parts are averaged; they are held together
_FIELDS = {one.name for one in dataclasses.fields(Decision)}
UNABLE = (LabelkitError, ValueError, OSError, KeyError)
"""What a medium or an encoder that is missing raises, of PyAV and of Pillow too. It is not kept in the journal."""


@dataclass(slots=True)
class Measured:
    """What came of a run.

    decisions  of the detector
    facts      by name of the medium: fidelity and speed
    refused    media that cannot carry a mark, or cannot be decoded, and why
    failed     (medium, step, why): what this installation could not run
    """

    decisions: list[Decision] = field(default_factory=list)
    facts: dict[str, Facts] = field(default_factory=dict)
    refused: dict[str, Texts] = field(default_factory=dict)
    failed: list[tuple[str, str, Texts]] = field(default_factory=list)


class Journal:
    """Results by what they depend on; those of other settings, files or versions are passed over."""

    def __init__(self, path: Path, digest: str) -> None:
        """Raises InvalidArgument for a file that cannot be read."""
        self._path, self._digest, self._lock = path, digest, threading.Lock()
        self._known: dict[str, dict[str, object]] = {}
        try:
            if path.exists():
                with path.open(encoding="utf-8", errors="replace") as file:
                    for line in iter(lambda: file.readline(_MAX_LINE), ""):
                        self._take(line)
        except OSError as error:
            raise cannot_open(path, error) from error

    def _take(self, line: str) -> None:
        try:
            entry = json.loads(line)
            if entry["digest"] == self._digest and all(set(row) == _FIELDS for row in entry.get("rows", ())):
                self._known[entry["of"]] = entry
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return  # the run was stopped within this line

    def get(self, of: str) -> dict[str, object] | None:
        """What is known already."""
        return self._known.get(of)

    def add(self, of: str, entry: Mapping[str, object]) -> None:
        """Keep a result. Raises OutputFailed."""
        line = json.dumps({"digest": self._digest, "of": of, **entry}, ensure_ascii=False)
        try:
            with self._lock, self._path.open("a", encoding="utf-8") as file:
                file.write(f"\n{line}\n" if file.tell() else f"{line}\n")  # whatever the last run left unfinished
        except OSError as error:
            raise cannot_write(self._path, error) from error


class Run:
    """Measures media one step at a time, each on a thread of its own; what is stopped ends after a step.

    on_step  is called with (steps that are done, all steps), on any thread
    """

    def __init__(self, media: Sequence[Medium], settings: Settings, folder: Path, jobs: int,
                 on_step: Callable[[int, int], None]) -> None:
        self.media, self.settings, self.jobs, self._ended = media, settings, jobs, threading.Event()
        self._journal = Journal(folder / JOURNAL, settings.digest(__version__))
        self._tools, self._on_step, self._lock, self._done = fidelity.available(), on_step, threading.Lock(), 0
        self.total = sum(2 + len(list(Subject(one, settings).steps())) for one in media)
        self.measured = Measured()

    def measure(self) -> Measured:
        """Everything that is not in the journal yet. Raises OutputFailed."""
        able = []
        for medium in self.media:  # times first, while nothing else is run
            subject = Subject(medium, self.settings)
            facts = self._facts(subject, "speed", subject.speed)
            if facts is not None:
                able.append(medium)
                self.measured.facts[medium.name] = facts
        for _, rows in in_order(self._of_medium, able, self.jobs, ending=self._ended.set):
            self.measured.decisions += rows
        self.measured.decisions += self._copies([one for one in able if one.kind == "image"])
        self.measured.decisions += self._averages(able)
        return self.measured

    def _step(self) -> None:
        with self._lock:
            self._done += 1
            self._on_step(self._done, self.total)
        if self._ended.is_set():  # another thread was stopped, or failed
            raise KeyboardInterrupt

    def _facts(self, subject: Subject, step: str, work: Callable[[], Mapping[str, float | None]]) -> Facts | None:
        """Speed or fidelity of a medium; None where it cannot carry a mark."""
        medium, of = subject.medium, f"{subject.medium.sha256} {step}"
        entry = self._journal.get(of)
        if entry is None:
            try:
                entry = {"facts": work()}
            except UNABLE as error:
                entry = {"refused": texts(error)}
            else:
                self._journal.add(of, entry)
        self._step()
        facts, refused = entry.get("facts"), entry.get("refused")
        if not isinstance(facts, dict):
            self.measured.refused[medium.name] = dict(refused) if isinstance(refused, dict) else {}
            return None
        return dict(facts)

    def _of_medium(self, medium: Medium) -> list[Decision]:
        subject = Subject(medium, self.settings)
        closeness = self._facts(subject, f"fidelity {sorted(self._tools)}", lambda: subject.fidelity(self._tools))
        self.measured.facts[medium.name].update(closeness or {})
        rows = []
        for step, trial in subject.steps():
            rows += self._decided(subject, step, trial)
            self._step()
        return rows

    def _decided(self, subject: Subject, step: str, trial: str) -> list[Decision]:
        of = f"{subject.medium.sha256} {step} {trial}"
        entry = self._journal.get(of)
        if entry is None:
            try:
                entry = {"rows": [dataclasses.asdict(subject.decide(step, trial))]}
            except UNABLE as error:
                entry = {"failed": texts(error)}
            else:
                self._journal.add(of, entry)
        failed = entry.get("failed")
        if isinstance(failed, dict):
            self.measured.failed.append((subject.medium.name, f"{step}: {trial}", failed))
        return list(_rows(entry, subject.medium.name))

    def _copies(self, media: Sequence[Medium]) -> list[Decision]:
        """The mark of each picture, lifted onto the next one."""
        out: list[Decision] = []
        for source, target in zip(media, [*media[1:], *media[:1]], strict=True) if len(media) > 1 else []:
            of = f"{source.sha256} copy {target.sha256}"
            entry = self._journal.get(of)
            if entry is None:
                entry = {"rows": [dataclasses.asdict(self._copied(source, target))]}
                self._journal.add(of, entry)
            out += _rows(entry, target.name)
        return out

    def _copied(self, source: Medium, target: Medium) -> Decision:
        subject, other = Subject(source, self.settings), Subject(target, self.settings)
        marked, host = subject.marked, other.host
        assert isinstance(marked, np.ndarray) and isinstance(host, np.ndarray)
        copy = forging.forged(host, forging.lifted(marked))
        noticed = distance(fingerprint(marked), fingerprint(copy)) > NEAR
        found = detected(copy, self.settings.key, self.settings.effort)
        return other.decision("copy", "lifted", Group.COPY, found, subject.payload, noticed)

    def _averages(self, media: Sequence[Medium]) -> list[Decision]:
        """Marks after the average of many marks of the key was subtracted."""
        pictures = list(of_kind(media, "image"))[:_AVERAGED]
        if not pictures:
            return []
        of = f"{_AVERAGE} {' '.join(one.sha256 for one in pictures)}"
        entry = self._journal.get(of)
        if entry is None:
            subject = Subject(pictures[0], self.settings)
            hosts = [host for one in pictures if isinstance(host := one.load(), np.ndarray)]
            rows = [dataclasses.asdict(subject.decision(
                "trial", _AVERAGE, Group.REMOVAL, detected(spoiled, self.settings.key, self.settings.effort), payload))
                for spoiled, payload in forging.averaged(hosts, self.settings.key, self.settings.plan)]
            entry = {"rows": rows}
            self._journal.add(of, entry)
        return list(_rows(entry, ""))


def _rows(entry: Mapping[str, object], name: str) -> Iterator[Decision]:
    """The decisions of an entry; a file may have been renamed since."""
    rows = entry.get("rows")
    for row in rows if isinstance(rows, list) else []:
        yield dataclasses.replace(Decision(**row), medium=name)


def texts(error: Exception) -> Texts:
    """What an error says, by language."""
    if isinstance(error, LabelkitError):
        return {language: error.text(language) for language in ("en", "zh-CN")}
    return dict.fromkeys(("en", "zh-CN"), f"{type(error).__name__}: {error}"[:200])
