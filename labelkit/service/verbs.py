# SPDX-License-Identifier: Apache-2.0
"""What each route does with a file, on a thread that waits for a process. Its answer is the JSON of the command."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from labelkit import codec, compliance, container, isolation, propagation, watermark
from labelkit.compliance import Profile
from labelkit.container import Reader
from labelkit.errors import LabelkitError
from labelkit.explicit.image import ocr
from labelkit.isolation import EmbedPool, OnShare, Pool
from labelkit.key import Key
from labelkit.label import Kind, Label
from labelkit.languages import CHINESE, LANGUAGES
from labelkit.log import Entry, Kept
from labelkit.messages import Message
from labelkit.metadata import security_data
from labelkit.payload import Payload
from labelkit.plan import Explicit, Plan, Watermark
from labelkit.preconditions import VerifySettings, fitting
from labelkit.report import Layer, Report
from labelkit.resolve import Client, Fetcher
from labelkit.results import Checked, Content, ResultSigner
from labelkit.service.limits import Limits
from labelkit.service.lookup import Lookup, value_of
from labelkit.service.parameters import Asked
from labelkit.service.refusal import Refused
from labelkit.service.upload import Upload
from labelkit.signpost import soft_binding

if TYPE_CHECKING:
    from labelkit.log import LabelLog
    from labelkit.metadata.sm2 import Sm2Signer

_KINDS = {"generated": Kind.GENERATED, "possible": Kind.POSSIBLE, "suspected": Kind.SUSPECTED}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator decides.

    checks      settings of `verify`; the bound on pixels is that of `limits`
    plan        the layers that are put on, and the signer; a generator of no stated time gets that of labelling
    producer    of every label; where it is None, each request names one
    propagator  of every label that `propagate` writes; where it is None, each request names one
    key         of the watermark
    log         the label log, which gets a record of each labelled file before it is sent
    manifests   whether the log keeps the manifests of labelled files, and the service leads from a mark to them
    references  fetches files that callers name, for that; None for none
    peers       services that are asked too where a mark is looked up, one hop far
    sm2         signs labels in their reserved codes
    results     signs results; None for none
    ocr_in_check
                whether `check` reads explicit labels in any font; wherever that is installed by default
    jobs        where films and long sound wait for their turn and for their readers: a folder, a PostgreSQL DSN, or
                the address of Redis (redis://, rediss://, unix://); None answers them at once
    job_files   prefix of an object store for the files of jobs, such as s3://bucket/jobs; None: where the jobs are
    language    of the texts where a request names none
    limits      every bound
    """

    checks: VerifySettings = field(default_factory=lambda: VerifySettings())
    plan: Plan = field(default_factory=Plan)
    producer: str | None = None
    propagator: str | None = None
    key: Key | None = None
    log: LabelLog | None = None
    manifests: bool = False
    references: Fetcher | None = None
    peers: Sequence[Client] = ()
    sm2: Sm2Signer | None = None
    results: ResultSigner | None = None
    ocr_in_check: bool = field(default_factory=ocr.available)
    jobs: str | None = None
    job_files: str | None = None
    language: str = "en"
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """What the label log wants to know of a labelled file, beside the file itself.

    fingerprint  of a picture
    store        its manifest store, where manifests are kept
    is_left_out  whether it has no watermark, though the plan asks for one
    """

    label: Label
    fingerprint: int | None
    store: bytes | None
    is_left_out: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: the JSON; a file where one was made; and its manifest where that belongs beside the file.

    An answer with `unrecorded` goes nowhere before `Verbs.record` was called with it.
    """

    fields: dict[str, Any]
    file: bytes | None = None
    media_type: str = ""
    manifest: bytes | None = None
    unrecorded: Unrecorded | None = None


class VerbOf(Protocol):
    """What a route does with a file; `on_share` is told how far a film is."""

    def __call__(self, upload: Upload, asked: Asked, on_share: OnShare | None = None) -> Answer: ...


class Verbs:
    """The four verbs, and the processes that they work in; each file gets so many `attempts`, should they end."""

    def __init__(self, settings: Settings, *, attempts: int = 1) -> None:
        limits = settings.limits
        self._settings = settings
        for_each = isolation.Limits(limits.work_seconds, limits.work_seconds_per_megabyte, limits.memory_bytes,
                                    limits.media_seconds, attempts=attempts)
        checks: VerifySettings = {**settings.checks, "max_pixels": limits.pixels, "key": settings.key}
        self._verifying = Pool(limits.processes, for_each, **checks)
        self._labelling = EmbedPool(limits.processes, dataclasses.replace(
            for_each, written_bytes=limits.made_bytes, made_bytes=limits.made_bytes))
        self.of: dict[str, VerbOf] = {
            "verify": self.verify, "check": self.check, "label": self.label, "propagate": self.propagate}
        if settings.manifests and settings.log:
            self.lookup = Lookup(settings.log, settings.peers)
            self.of["matches/byContent"] = self.by_content

    def close(self) -> None:
        """End the processes."""
        self._verifying.close()
        self._labelling.close()

    def stop(self) -> None:
        """End the processes at once; what they work on is given up."""
        self._verifying.stop()
        self._labelling.stop()

    def language(self, asked: Asked) -> str:
        """That of the texts of an answer."""
        return str(asked.get("lang", self._settings.language))

    def verify(self, upload: Upload, asked: Asked, on_share: OnShare | None = None) -> Answer:
        """As `labelkit verify --json`."""
        layers = tuple(map(Layer, asked.get("layers", tuple(Layer))))
        required = [Layer(name) for name in asked["require"]]
        if not set(required) <= set(layers):
            raise Refused(400, "BadParameter", Message("require names a layer that layers leaves out"))
        if asked.get("signed") and self._settings.results is None:
            raise Refused(400, "BadParameter", Message("the operator of this service has no key that signs results"))
        report, language = self._report(upload, asked, on_share, layers=layers), self.language(asked)
        fields = {"file": upload.name, **report.to_dict(language), "required": [layer.value for layer in required],
                  "shortcomings": report.shortcomings(*required)}
        if asked.get("signed") and self._settings.results:
            how = Checked(self._effort(asked), layers, Key.of(self._settings.key).id)
            fields["signed_result"] = self._settings.results.sign(
                report, Content.of(upload.data), how, datetime.datetime.now(datetime.UTC), language)
        return Answer(fields)

    def check(self, upload: Upload, asked: Asked, on_share: OnShare | None = None) -> Answer:
        """As `labelkit check --json`, without the commands that mend a file."""
        language, profile = self.language(asked), Profile(asked["profile"])
        report = self._report(upload, asked, on_share, ocr=self._settings.ocr_in_check)
        log = self._settings.log
        waived = log.waived(hashlib.sha256(upload.data).hexdigest(), report.label) if log else None
        rules = compliance.check(report, profile, waived=waived, sb1000=asked.get("sb1000", False))
        return Answer({"file": upload.name, "profile": profile.value, "outcome": compliance.overall(rules).value,
                       "rules": [rule.to_dict(language) for rule in rules], "report": report.to_dict(language)})

    def label(self, upload: Upload, asked: Asked, on_share: OnShare | None = None) -> Answer:
        """As `labelkit embed --json`, and the labelled file."""
        settings, plan = self._settings, self._plan(asked)
        found = container.sniff(Reader.of(upload.data, upload.name))
        if not plan.explicit and not asked.get("explicit_present") and found.family != "document":
            raise Refused(400, "NoExplicitLabel", Message(
                "{where} would get no explicit label; set explicit_present if the content carries it already",
                where=upload.name))
        producer = self._party("producer", settings.producer, asked)
        label = Label(_KINDS[asked["kind"]], producer, asked.get("produce_id") or str(uuid.uuid4()))
        label = security_data.sign(label, settings.sm2) if settings.sm2 else label
        made = self._labelling.embed(upload.data, label, plan, name=upload.name, key=settings.key,
                                     replace=bool(asked.get("replace")), max_pixels=settings.limits.pixels,
                                     fingerprint=settings.log is not None, keep=settings.manifests,
                                     on_share=on_share)
        marked = bool(plan.watermark and not plan.watermark.presence_only) and codec.has_signal(found)
        fields = {"file": upload.name, "output": upload.name, "label": label.fields(),
                  "watermark": Payload.of(label).hex if marked and not made.left_out else None}
        if made.left_out:
            fields["watermark_left_out"] = made.left_out.text(self.language(asked))
        return Answer(fields, made.file, found.mime, made.manifest, Unrecorded(
            label, made.fingerprint, made.store, made.left_out is not None) if settings.log else None)

    def propagate(self, upload: Upload, asked: Asked, on_share: OnShare | None = None) -> Answer:
        """As `labelkit propagate --json`, and the file where a label was written into it."""
        settings = self._settings
        propagator = self._party("propagator", settings.propagator, asked)
        number = asked.get("propagate_id") or str(uuid.uuid4())
        Label(Kind.SUSPECTED, "", "", content_propagator=propagator, propagate_id=number)  # refuse a wrong platform
        decision = propagation.decide(self._report(upload, asked, on_share), propagator, number,
                                      declared=bool(asked.get("declared")))
        decision = propagation.sealed(decision, settings.sm2)
        fields = {"file": upload.name, "output": None, **decision.to_dict(self.language(asked))}
        if decision.label is None:
            return Answer(fields)
        plan = Plan(explicit=None, watermark=None, provenance=settings.plan.provenance)
        try:  # what stands in the file was verified above, so the one label may be put in the place of the other
            made = self._labelling.embed(upload.data, decision.label, plan, name=upload.name, key=settings.key,
                                         replace=True, max_pixels=settings.limits.pixels)
        except LabelkitError as error:  # the notice must be shown all the same
            return Answer({**fields, "error": error_fields(error, self.language(asked))})
        found = container.sniff(Reader.of(upload.data, upload.name))
        return Answer({**fields, "output": upload.name}, made.file, found.mime, made.manifest)

    def by_content(self, upload: Upload, asked: Asked, on_share: OnShare | None = None) -> Answer:
        """The manifests that the watermark of a file leads to."""
        report = self._report(upload, asked, on_share, layers=(Layer.WATERMARK,))
        mark, alg = report[Layer.WATERMARK].payload, asked.get("alg")
        if mark is None and "hintValue" in asked:
            mark, alg = value_of(str(asked["hintValue"])), alg or asked.get("hintAlg")
        return Answer({"matches": self.lookup.matches(mark, alg, int(asked["maxResults"])) if mark else []})

    def _report(self, upload: Upload, asked: Asked, on_share: OnShare | None, **changed: Any) -> Report:
        return self._verifying.verify(upload.data, name=upload.name, on_share=on_share,
                                      now=datetime.datetime.now(datetime.UTC), effort=self._effort(asked), **changed)

    def _effort(self, asked: Asked) -> str:
        return str(asked.get("effort", self._settings.checks.get("effort", "normal")))

    def _party(self, name: str, ours: str | None, asked: Asked) -> str:
        """The producer or the propagator: the operator's, else the one of the request."""
        given = asked.get(name)
        if ours is not None and given is not None and given != ours:
            raise Refused(400, "BadParameter", Message("{name} is {value} in this service, got {got}", name=name,
                                                       value=ours, got=given))
        if not (ours or given):
            raise Refused(400, "BadParameter", Message("{name} is missing: the operator of this service states none",
                                                       name=name))
        return str(ours or given)

    def _plan(self, asked: Asked) -> Plan:
        """The operator's plan with what a request changes of it."""
        plan = self._settings.plan.at(datetime.datetime.now(datetime.UTC))
        if (layers := asked.get("layers")) is not None:
            if "provenance" in layers and not plan.provenance:
                raise Refused(400, "BadParameter", Message("the operator of this service has no signer"))
            plan = dataclasses.replace(
                plan, explicit=(plan.explicit or Explicit()) if "explicit" in layers else None,
                watermark=(plan.watermark or Watermark()) if "watermark" in layers else None,
                metadata="metadata" in layers, provenance=plan.provenance if "provenance" in layers else None)
        drawn = {name: asked[name] for name in ("text", "corner") if name in asked}
        if "label_language" in asked:  # its usual words take the place of the default text
            drawn = {"text": LANGUAGES[CHINESE].text, **drawn, "language": asked["label_language"]}
        if not drawn:
            return plan
        if not plan.explicit:
            raise Refused(400, "BadParameter", Message("{names} is of the explicit label, which is left out",
                                                       names=", ".join(drawn)))
        if "text" in drawn:
            drawn["words"] = None  # of an icon, which would stand in the place of the text
        return dataclasses.replace(plan, explicit=dataclasses.replace(plan.explicit, **drawn))

    def record(self, upload: Upload, asked: Asked, answer: Answer, *, once: bool = False) -> None:
        """Put a labelled file on record before it is sent.

        once  unless the log has it already: this may have been called before
        """
        log, labelled = self._settings.log, answer.unrecorded
        if log is None or labelled is None or answer.file is None:
            return
        after = hashlib.sha256(answer.file).hexdigest()
        if once and any(record.facts.get("sha256_after") == after for record in log.find(sha256=after)):
            return
        plan = self._plan(asked)
        plan = fitting(dataclasses.replace(plan, watermark=None) if labelled.is_left_out else plan,
                       Reader.of(upload.data, upload.name))
        now, payload = datetime.datetime.now(datetime.UTC), watermark.payload_of(labelled.label, plan)
        if labelled.store is not None:
            log.keep(Kept.of(labelled.store, soft_binding(answer.media_type), payload, now))
        log.record(Entry(now, labelled.label, payload, plan=plan, sha256_before=hashlib.sha256(upload.data).hexdigest(),
                         sha256_after=after, fingerprint=labelled.fingerprint))


def error_fields(error: LabelkitError, language: str) -> dict[str, str | None]:
    """The `error` of the JSON."""
    return {"type": type(error).__name__, "message": error.text(language),
            "hint": error.hint.text(language) if error.hint else None}
