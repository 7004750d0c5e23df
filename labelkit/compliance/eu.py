# SPDX-License-Identifier: Apache-2.0
"""The rules of the EU Code of Practice on marking and labelling (2026-06-10), for Art. 50 of the AI Act."""

from __future__ import annotations

from collections.abc import Iterator

from labelkit.compliance.rules import FAIL, OPEN, PASS, Result, if_seen, marked, signed, time_stamp, valid_manifest
from labelkit.evidence import ManifestEvidence
from labelkit.messages import Message
from labelkit.report import Layer, Report, Status

_CODE_A, _CODE_B = Message("EU Code of Practice M1.1 (a)"), Message("EU Code of Practice M1.1 (b)")


def rules(report: Report) -> Iterator[Result]:
    """The rules that the report has something to say about."""
    manifest = report[Layer.PROVENANCE]
    yield Result("machine-readable", Message("AI Act Art. 50(2)"), Message("marked as AI-generated in a form that "
                 "machines read"), report.reasons[0], if_seen(report, _is_marked(report)))
    yield signed(_CODE_A, manifest)
    if manifest.status is Status.VALID:
        says = bool(manifest.label or report.manifest and report.manifest.ai_generated)
        yield Result("signed-statement", _CODE_A, Message("the signed metadata say that the content is AI-generated"),
                     Message("they do") if says else Message("they do not"), PASS if says else FAIL)
        yield time_stamp(_CODE_A, report.manifest)
        yield Result("signer-trusted", Message("EU Code of Practice M3"), Message("the signer is one that verifiers "
                     "trust"), manifest.summary, PASS if report.manifest and _is_vouched(report.manifest) else OPEN)
    yield marked(_CODE_B, report[Layer.WATERMARK])


def _is_vouched(manifest: ManifestEvidence) -> bool:
    """Whether a trusted signer makes the statement: it may be that of an earlier version, which another signed."""
    saying = [one for one in manifest.statements if one.intact and (one.generative or one.aigc)]
    return manifest.trusted and (not saying or any(one.trusted for one in saying))


def _is_marked(report: Report) -> bool:
    manifest = valid_manifest(report)
    return bool(report.label or manifest and manifest.ai_generated or report[Layer.WATERMARK].status is Status.VALID)
