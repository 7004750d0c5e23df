# SPDX-License-Identifier: Apache-2.0
"""Jobs: films and long sound that are answered later, whatever comes to an end meanwhile.

A job is a record, its file and a message in the queue. Whoever takes the message claims the attempt that it names, and
each attempt is claimed once. The attempt works, keeps what came of it, then puts a labelled file into the label log
unless it is there, and only then says that the job is done. Where its process is killed, the keeper of this service,
of the one started after it or of another one sends a message for the next attempt, which goes on behind the last thing
that was kept. So a job is never lost, and whatever was begun twice is seen once.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import secrets
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from labelkit import container, unforeseen
from labelkit.container import Reader
from labelkit.errors import LabelkitError, LimitExceeded, OutputFailed
from labelkit.label import Label
from labelkit.messages import Message
from labelkit.service import parameters, spans
from labelkit.service.front import LOG, Figures, line
from labelkit.service.job_record import Outcome, Record, State
from labelkit.service.job_store import PLACE, Store
from labelkit.service.refusal import Refused, status_of
from labelkit.service.upload import Upload
from labelkit.service.verbs import Answer, Settings, Unrecorded, Verbs, error_fields

T = TypeVar("T")

VERBS = ("label", "verify", "check", "propagate")
_PARTS = ("fields", "file", "manifest", "store")  # of an outcome
_ATTEMPTS = 5  # of services that may be killed over a job before it is given up
_PROCESSES = 3  # for each attempt
_POLL_SECONDS = 1.0  # for messages of other services
_SHARE_SECONDS = 2.0  # between two words on how far a film is
_RETRY_SECONDS = 30  # for those who were refused
_BEATS = 4  # that another service may leave out before it is taken for dead


class _Removed(Exception):
    """The job that is worked on was removed."""


class Jobs:
    """Takes jobs and does them; `start` begins, and `stop` ends what is at work, which begins again later.

    settings      the operator's, with `jobs`
    beat_seconds  between two signs of life, and two looks at all jobs
    Raises as `Store` does.
    """

    def __init__(self, settings: Settings, figures: Figures, *, beat_seconds: float = 5.0) -> None:
        limits = settings.limits
        self._limits, self._figures, self._beat_seconds = limits, figures, beat_seconds
        self._store = Store(str(settings.jobs), settings.job_files)
        self.verbs = Verbs(dataclasses.replace(settings, limits=dataclasses.replace(
            limits, processes=limits.job_processes, work_seconds=limits.job_seconds)), attempts=_PROCESSES)
        self.me = secrets.token_hex(8)
        self._coming: set[str] = set()
        self._working: dict[int, str] = {}  # by thread
        self._others: dict[str, tuple[bytes, float]] = {}  # what other services said last, and when that changed
        self._sent: set[tuple[str, int]] = set()
        self._beats = 0
        self._stopping, self._wake, self._taking = threading.Event(), threading.Event(), threading.Lock()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to work."""
        for doubt in self._store.doubts:
            LOG.warning(line(jobs=doubt))
        self._threads = [threading.Thread(target=self._keep_looking, name="labelkit-jobs-keeper", daemon=True)] + [
            threading.Thread(target=self._keep_working, name=f"labelkit-job-{number}", daemon=True)
            for number in range(self._limits.job_processes)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Give up what is at work, for the next service to begin again."""
        self._stopping.set()
        self._wake.set()
        self.verbs.stop()
        for thread in self._threads:
            thread.join()
        try:
            self._store.take(f"alive:{self.me}")
        except LabelkitError as error:
            LOG.error(line(jobs=str(error)))
        self._store.close()

    def takes(self, verb: str, upload: Upload, prefer: str) -> bool:
        """Whether a request becomes a job: a film, a sound of many bytes, and what a client wants to be one."""
        if verb not in VERBS:
            return False
        if asks_for_job(prefer):
            return True
        try:
            family = container.sniff(Reader.of(upload.data, upload.name)).family
        except LabelkitError:
            return False
        return family == "video" or family == "audio" and len(upload.data) > self._limits.direct_sound_bytes

    def accept(self, verb: str, upload: Upload, owner: str) -> tuple[str, State]:
        """Take a job on: its name, which nobody guesses, and its state. Raises Refused (429, 503), OutputFailed."""
        name = secrets.token_hex(20)
        record = Record(verb, owner, upload.name, upload.fields, time.time(), len(upload.data), self.me,
                        trace=spans.context())
        self._coming.add(name)
        try:
            with self._taking:
                self._refuse_too_many(record, self._store.all())
                self._store.put(f"job:{name}", record.json())
            self._store.files.put(f"{name}.in", upload.data)
            self._store.put(f"job:{name}", dataclasses.replace(record, ready=True).json())
            self._store.send(f"{name} 1")
        finally:
            self._coming.discard(name)  # one that is not ready now is removed by the keeper
        self._wake.set()
        return name, State(record)

    def _refuse_too_many(self, new: Record, values: Mapping[str, bytes]) -> None:
        records = [Record.of(raw) for key, raw in values.items() if key.startswith("job:")]
        kept = sum(record.size for record in records) + sum(
            Outcome.of(raw).size for key, raw in values.items() if key.startswith("outcome:"))
        if sum(record.owner == new.owner for record in records) >= self._limits.callers_jobs:
            raise Refused(429, "TooManyRequests", Message("this caller has {count} jobs already; results that are "
                          "fetched are jobs no more", count=self._limits.callers_jobs), _RETRY_SECONDS)
        if len(records) >= self._limits.jobs or kept + new.size > self._limits.job_bytes:
            raise Refused(503, "Busy", Message("the service has too many jobs; ask again later"),
                          _RETRY_SECONDS)

    def state(self, name: str) -> State | None:
        """Where a job is; None where there is none of this name."""
        raw = self._store.get(f"job:{name}")
        if raw is None:
            return None
        state, ended = State(Record.of(raw)), self._store.get(f"done:{name}")
        if ended is not None and (outcome := self._store.get(f"outcome:{name}")) is not None:
            state.outcome, state.share = Outcome.of(outcome), 1.0
            state.expires = float(ended) + self._limits.job_keep_seconds
            state.state = "done" if state.outcome.status == 200 else "failed"
        elif self._store.get(f"claim:{name}:1") is not None:
            state.state, share = "working", self._store.get(f"progress:{name}")
            state.share = None if share is None else float(share)
        return state

    def answer(self, outcome: Outcome) -> Answer | None:
        """What goes back, None where another request has just taken it."""
        held = {part: self._store.files.get(name) for part, name in outcome.parts.items()}
        if None in held.values() or held["fields"] is None:
            return None
        more = dict(outcome.more)
        unrecorded = more.pop("unrecorded", None)
        if unrecorded is not None:
            unrecorded = Unrecorded(Label.from_fields(unrecorded["label"]), unrecorded["fingerprint"],
                                    held.get("store"), unrecorded["is_left_out"])
        return Answer(json.loads(held["fields"]), held.get("file"), manifest=held.get("manifest"),
                      unrecorded=unrecorded, **more)

    def remove(self, name: str) -> None:
        """Forget a job, whatever it is at; its process ends when it next says how far it is."""
        if not self._store.take(f"job:{name}"):
            return
        self._store.files.remove(f"{name}.in")
        for kind in ("outcome", "done", "progress"):
            self._store.take(f"{kind}:{name}")
        attempt = 1
        while self._store.take(f"claim:{name}:{attempt}"):
            for part in _PARTS:
                self._store.files.remove(f"{name}.{attempt}.{part}")
            attempt += 1  # what an attempt still adds is removed by the keeper

    def _keep_working(self) -> None:
        while not self._stopping.is_set():
            try:
                message = self._store.receive()
                if message is None:
                    self._wake.wait(_POLL_SECONDS)
                    self._wake.clear()
                else:
                    name, _, attempt = message.partition(" ")
                    self._attempt(name, int(attempt))
            except Exception:
                LOG.error(line(jobs=traceback.format_exc()))
                self._stopping.wait(_POLL_SECONDS)

    def _attempt(self, name: str, attempt: int) -> None:
        """Do what is left of a job, unless another attempt does."""
        self._working[threading.get_ident()] = name
        try:
            raw = self._store.get(f"job:{name}")
            if raw is None or self._store.get(f"done:{name}") is not None:
                return
            if self._store.put_first(f"claim:{name}:{attempt}", self.me.encode()):
                record = Record.of(raw)
                with spans.span("job", record.trace) as told:
                    told |= {"labelkit.verb": record.verb, "labelkit.attempt": attempt}
                    self._do(name, record, attempt)
        except _Removed:
            pass
        finally:
            del self._working[threading.get_ident()]

    def _do(self, name: str, record: Record, attempt: int) -> None:
        started = time.monotonic()
        data = self._store.files.get(f"{name}.in")
        if data is None:
            raise _Removed
        upload = Upload(data, record.file, record.fields)
        if self._store.get(f"outcome:{name}") is None:
            outcome = self._outcome_of(name, record, upload, attempt)
            if self._stopping.is_set():
                return  # the processes were ended: what came of the job says nothing
            self._store.put_first(f"outcome:{name}", outcome.json())  # where another was first, that one counts
        raw = self._store.get(f"outcome:{name}")
        if raw is None or self._store.get(f"job:{name}") is None:
            raise _Removed
        outcome = Outcome.of(raw)
        if "unrecorded" in outcome.more and (answer := self.answer(outcome)) is not None:
            self.verbs.record(upload, parameters.values(record.verb, record.fields), answer, once=True)
        self._store.put(f"done:{name}", str(time.time()).encode())
        self._store.files.remove(f"{name}.in")
        self._figures.jobs_ended.labels(record.verb, str(outcome.status)).inc()
        LOG.info(line(job=_in_log(name), verb=record.verb, status=outcome.status, attempt=attempt,
                      seconds=round(time.monotonic() - started, 4), caller=record.owner or None))

    def _outcome_of(self, name: str, record: Record, upload: Upload, attempt: int) -> Outcome:
        """Do the work, and keep its files."""
        asked: parameters.Asked = {}
        try:
            if attempt > _ATTEMPTS:
                raise LimitExceeded("{where}: the service came to an end {count} times while it worked on this file",
                                    where=record.file, count=_ATTEMPTS)
            asked = parameters.values(record.verb, record.fields)
            status, answer = 200, self.verbs.of[record.verb](upload, asked, _Told(self._store, name))
        except _Removed:
            raise
        except Refused as refused:
            status, answer = refused.status, Answer({"file": record.file, "error": {
                "type": refused.kind, "hint": None, "message": refused.message.text(self.verbs.language(asked))}})
        except BaseException as raised:  # the panics of Rust libraries are no Exceptions
            found = unforeseen.translated(raised)
            status, answer = status_of(found), Answer({"file": record.file, "error": error_fields(
                found, self.verbs.language(asked))})
            if status == 500:
                LOG.error(line(job=_in_log(name), defect=traceback.format_exc()))
        return self._kept(f"{name}.{attempt}", status, answer)

    def _kept(self, prefix: str, status: int, answer: Answer) -> Outcome:
        """The outcome of an answer whose files were kept under this prefix."""
        more: dict[str, Any] = {"media_type": answer.media_type}
        parts = {"fields": json.dumps(answer.fields).encode(), "file": answer.file, "manifest": answer.manifest}
        if labelled := answer.unrecorded:
            parts["store"] = labelled.store
            more["unrecorded"] = {"label": labelled.label.fields(), "fingerprint": labelled.fingerprint,
                                  "is_left_out": labelled.is_left_out}
        held = {part: data for part, data in parts.items() if data is not None}
        for part, data in held.items():
            self._store.files.put(f"{prefix}.{part}", data)
        return Outcome(status, {part: f"{prefix}.{part}" for part in held}, more, sum(map(len, held.values())))

    def _keep_looking(self) -> None:
        while True:
            try:
                self.look()
            except Exception:
                LOG.error(line(jobs=traceback.format_exc()))
            if self._stopping.wait(self._beat_seconds):
                return

    def look(self) -> None:
        """Say that this service lives, send on what others left, and remove what is over."""
        self._beats += 1
        self._store.put(f"alive:{self.me}", str(self._beats).encode())
        files, values = self._store.files.names(), self._store.all()  # in this order: a file comes after its record
        jobs = {key.partition(":")[2]: Record.of(raw) for key, raw in values.items() if key.startswith("job:")}
        live = self._live(values)
        ended = sum(self._looked_after(name, record, values, live) for name, record in jobs.items())
        for file in files:
            if file.partition(".")[0] not in jobs:
                self._store.files.remove(file)
        for key in values:
            kind, _, name = key.partition(":")
            if kind == PLACE:
                continue
            if kind != "alive" and name.partition(":")[0] not in jobs or kind == "alive" and name not in live:
                self._store.take(key)
        self._sent = {sent for sent in self._sent if sent[0] in jobs}
        self._figures.jobs.labels("open").set(len(jobs) - ended)
        self._figures.jobs.labels("ended").set(ended)

    def _live(self, values: Mapping[str, bytes]) -> set[str]:
        """The services that live: in a folder this one, else those that said something new of late."""
        now_s, live = time.monotonic(), {self.me}
        for key, said in values.items():
            kind, _, service = key.partition(":")
            if kind != "alive" or not self._store.is_shared:
                continue
            if self._others.get(service, (b"", 0.0))[0] != said:
                self._others[service] = said, now_s
            if now_s - self._others[service][1] < _BEATS * self._beat_seconds:
                live.add(service)
        return live

    def _looked_after(self, name: str, record: Record, values: Mapping[str, bytes], live: set[str]) -> bool:
        """Remove or send on a job, where that is due; returns whether it has ended."""
        ended = values.get(f"done:{name}")
        if ended is not None:
            if time.time() > float(ended) + self._limits.job_keep_seconds:
                self.remove(name)
            return True
        if not record.ready:
            is_left = record.by not in live or record.by == self.me and name not in self._coming
            raw = self._store.get(f"job:{name}") if is_left else None  # as it is now: it may just have come whole
            if raw is not None and not Record.of(raw).ready:
                self.remove(name)
            return False
        last = max(_attempts(name, values), default=0)
        holder = values.get(f"claim:{name}:{last}", b"").decode()
        if last and holder in live and (holder != self.me or name in tuple(self._working.values())):
            return False
        following = (name, last + 1)
        if last and following not in self._sent or self._store.is_idle():
            self._sent.add(following)  # a message may be there twice: the second finds its attempt claimed
            self._store.send(f"{name} {last + 1}")
            self._wake.set()
        return False


@dataclass(slots=True)
class _Told:
    """Keeps how far a film is, now and then; raises _Removed where its job is no more."""

    store: Store
    name: str
    next_s: float = 0.0

    def __call__(self, share: float) -> None:
        now_s = time.monotonic()
        if now_s < self.next_s:
            return
        self.next_s = now_s + _SHARE_SECONDS
        try:
            is_there = self.store.get(f"job:{self.name}") is not None
            if is_there:
                self.store.put(f"progress:{self.name}", f"{share:.3f}".encode())
        except LabelkitError:
            return  # the work goes on; what it gives is kept later, or not
        if not is_there:
            raise _Removed


async def reached(work: Callable[..., T], *arguments: object) -> T:
    """What `work` returns, on a thread; raises Refused (503) where the place of jobs cannot be used, and logs why."""
    try:
        return await asyncio.to_thread(work, *arguments)
    except OutputFailed as error:
        LOG.error(line(jobs=str(error)))
        raise Refused(503, "Busy", Message("the service cannot use the place where it keeps jobs; ask again later"),
                      _RETRY_SECONDS) from error


def asks_for_job(prefer: str) -> bool:
    """Whether the header of a request wants one, whatever its file is (RFC 7240, 4.1)."""
    return "respond-async" in (part.partition(";")[0].strip().lower() for part in prefer.split(","))


def _attempts(name: str, values: Mapping[str, bytes]) -> Iterable[int]:
    number = 1
    while f"claim:{name}:{number}" in values:
        yield number
        number += 1


def _in_log(name: str) -> str:
    """The name of a job is a secret where there are no keys."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]
