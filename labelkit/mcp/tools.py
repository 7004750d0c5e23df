# SPDX-License-Identifier: Apache-2.0
"""What each tool does with a file. Its answer is the JSON of the command of that name."""

from __future__ import annotations

import datetime
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labelkit import codec, compliance, container, isolation, metadata, pipeline
from labelkit.codec import MAX_PIXELS
from labelkit.compliance import Profile
from labelkit.errors import InvalidArgument, LabelkitError
from labelkit.explicit.image import ocr
from labelkit.label import Kind, Label
from labelkit.log_recorder import Audit
from labelkit.mcp.roots import Roots
from labelkit.messages import Message
from labelkit.metadata import security_data
from labelkit.payload import Payload
from labelkit.plan import Plan
from labelkit.preconditions import VerifySettings

if TYPE_CHECKING:
    from labelkit.key import Key
    from labelkit.log import LabelLog
    from labelkit.metadata.sm2 import Sm2Signer

_KINDS = {"generated": Kind.GENERATED, "possible": Kind.POSSIBLE, "suspected": Kind.SUSPECTED}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator decides.

    folders     whose files may be opened; where there are none, those that the client grants. With both, only what is
                in both
    checks      settings of `verify`
    plan        the layers that are put on, and the signer; a generator of no stated time gets that of labelling
    producer    of every label; where it is None, each call names one
    key         of the watermark
    log         the label log, which gets a record of each labelled file before it appears
    sm2         signs labels in their reserved codes
    language    of the texts
    processes   files that are verified at a time, each in a process with the limits of `isolation.Limits`
    max_pixels  bound of `verify` and `embed`
    """

    folders: Sequence[str | os.PathLike[str]] = ()
    checks: VerifySettings = field(default_factory=lambda: VerifySettings())
    plan: Plan = field(default_factory=Plan)
    producer: str | None = None
    key: Key | None = None
    log: LabelLog | None = None
    sm2: Sm2Signer | None = None
    language: str = "en"
    processes: int = 1
    max_pixels: int = MAX_PIXELS


class Tools:
    """The four tools, for files under `roots` alone; may be used from several threads at a time.

    Each raises LabelkitError.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises InvalidArgument for what is no folder."""
        Roots(settings.folders)
        self.settings = settings
        checks: VerifySettings = {**settings.checks, "max_pixels": settings.max_pixels, "key": settings.key}
        self._pool = isolation.Pool(settings.processes, **checks)

    def close(self) -> None:
        """End the processes."""
        self._pool.close()

    def roots(self, granted: Sequence[str] | None) -> Roots:
        """The folders of a call; `granted` are the file: URLs of the client, None of one that grants none."""
        return Roots(self.settings.folders, granted)

    def verify(self, roots: Roots, path: str, effort: str | None = None) -> dict[str, Any]:
        """As `labelkit verify --json`."""
        report = self._pool.verify(roots.existing(path), now=datetime.datetime.now(datetime.UTC),
                                   effort=effort or self.settings.checks.get("effort", "normal"))
        return {"file": path, **report.to_dict(self.settings.language)}

    def inspect(self, roots: Roots, path: str) -> dict[str, Any]:
        """As `labelkit inspect --json`."""
        source, language = roots.existing(path), self.settings.language
        found = metadata.inspect(source)
        room = pipeline.provenance()
        manifest = room.validate(source, trust=self.settings.checks.get("trust") or room.TrustList.c2pa())
        return {"file": path, **found, "provenance": manifest.to_dict(language)}

    def check(self, roots: Roots, path: str, profile: str) -> dict[str, Any]:
        """As `labelkit check --json`, without the commands that mend a file."""
        language = self.settings.language
        report = self._pool.verify(roots.existing(path), now=datetime.datetime.now(datetime.UTC), ocr=ocr.available())
        rules = compliance.check(report, Profile(profile))
        return {"file": path, "profile": profile, "outcome": compliance.overall(rules).value,
                "rules": [rule.to_dict(language) for rule in rules], "report": report.to_dict(language)}

    def embed(self, roots: Roots, path: str, output: str, *, kind: str = "generated", producer: str | None = None,
              produce_id: str | None = None, replace: bool = False,
              explicit_present: bool = False) -> dict[str, Any]:
        """As `labelkit embed --no-clobber --json`."""
        settings, now = self.settings, datetime.datetime.now(datetime.UTC)
        source, target = roots.existing(path), roots.new(output)
        format = container.sniff(source)
        if not settings.plan.explicit and not explicit_present and format.family != "document":
            raise InvalidArgument("{where} would get no explicit label; set explicit_present if the content carries it "
                                  "already", where=path)
        label = Label(_KINDS[kind], self._producer(producer), produce_id or str(uuid.uuid4()))
        label = security_data.sign(label, settings.sm2) if settings.sm2 else label
        left_out: list[Message] = []
        pipeline.embed(source, target, label, plan=settings.plan.at(now), key=settings.key, replace=replace,
                       max_pixels=settings.max_pixels, on_left_out=left_out.append,
                       audit=Audit(settings.log, now) if settings.log else None)
        marked = settings.plan.watermark and not settings.plan.watermark.presence_only and codec.has_signal(format)
        fields = {"file": path, "output": output, "label": label.fields(),
                  "watermark": Payload.of(label).hex if marked and not left_out else None}
        if left_out:
            fields["watermark_left_out"] = left_out[0].text(settings.language)
        return fields


    def _producer(self, given: str | None) -> str:
        ours = self.settings.producer
        if ours is not None and given not in (None, ours):
            raise InvalidArgument("{name} is {value} here, got {got}", name="producer", value=ours, got=given)
        if not (ours or given):
            raise InvalidArgument("{name} is missing: the operator states none", name="producer")
        return str(ours or given)


def text_of(error: LabelkitError, language: str) -> str:
    """An error as a model reads it: what is wrong, and what would be right."""
    return error.text(language) + (f" ({error.hint.text(language)})" if error.hint else "")
