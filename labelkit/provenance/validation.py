# SPDX-License-Identifier: Apache-2.0
"""Validate a C2PA manifest and report what it states. Its content is untrusted: nothing is relied on before signature
and hashes are valid, and every text is truncated."""

from __future__ import annotations

import datetime
import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from labelkit import container
from labelkit.container import Reader, Source
from labelkit.errors import LabelkitError
from labelkit.evidence import CheckFailure, Json, ManifestEvidence, SoftBinding, TimeStamp, UnreadableManifest
from labelkit.label import FIELDS, Kind, Label
from labelkit.messages import Message
from labelkit.payload import Payload
from labelkit.provenance import fields, history, text
from labelkit.provenance.bounds import over_bound
from labelkit.provenance.engine import (
    RF64,
    context,
    is_remote,
    is_unsupported,
    reason,
)
from labelkit.provenance.fields import MAX_LABEL, Tree, as_dict, as_dicts, as_text
from labelkit.provenance.history import Member, is_generative
from labelkit.provenance.manifest import WATERMARK_PREFIX
from labelkit.provenance.trust import TrustList
from labelkit.report import Finding, Layer, Status

if TYPE_CHECKING:
    from c2pa import Context

ENDS_SOON_DAYS = 60
_MAX_LISTED = 16
_MAX_STATEMENTS = 64
_OF_CONTENT = re.compile(r"assertion\.(data|bmff|boxes|collection)Hash\.(mismatch|malformed)")
_SIGNED = {"claimSignature.validated", "claimSignature.insideValidity"}


def validate(source: Source, *, trust: TrustList | None = None, now: datetime.datetime | None = None,
             sidecar: bytes | None = None, is_detached: bool = False) -> Finding:
    """What the manifest of a file states, and whether it is valid.

    trust    the roots to trust; without them an intact manifest is valid, and nobody says whether to trust its signer
    now      aware datetime; with it, certificates that expire within 60 days give a warning
    sidecar  the manifest store of a sidecar, instead of an embedded one
    is_detached
             judge the manifest apart from the content: that its hash is of other content does not count
    Status VALID (evidence `trusted` tells whether the signer is trusted), INVALID, ABSENT, or UNCHECKED if the file
    only names a URL, is too damaged to be searched, or has more parts than the library can bear (`bounds`), and where
    the library is not installed. `label` and `payload` are set only for a valid manifest. Evidence:

    state             "Trusted", "Valid" or "Invalid" as in the C2PA specification; "Unreadable"
    codes             failure codes of C2PA, including untrusted
    trusted, intact   signed under `trust`; nothing is wrong except trust or an expired certificate
    ai_generated      the manifest or one that the content was made from states generative AI, or a label of kind 1
    digital_source_type, generator, created (as stated, of generative AI if it is there)
    claim_generator, title, manifests (how many)
    statements        what each manifest of the history says of AI, by its own signer; trust_list, identities
    signer, issuer, not_after, algorithm, time_stamp ({"time", "trusted"} or None)
    soft_bindings     [{"alg", "value"}], aigc (the label's fields as found), explicit (of a manifest of labelkit)
    warnings          "no-time-stamp", "certificate-ends-soon", "certificate-ended"

    Raises only what opening the source raises.
    """
    trust = trust or TrustList.none()
    try:
        settings = _context(os.getpid(), trust)
    except ModuleNotFoundError as error:  # no platform but a browser is without the library
        return Finding(Layer.PROVENANCE, Status.UNCHECKED, Message("not looked at: {library} is not installed",
                       library="c2pa-python"), evidence=CheckFailure(type(error).__name__))
    with container.opened(source) as reader:
        mime = _media_type(reader)
        if sidecar is None and reader.head(4) in RF64:
            return _absent()
        held = text.manifests(reader) if sidecar is None else []
        if len(held) > 1:
            return _unreadable(ValueError("the text has several of them"))
        if held and not held[0].store:
            return _unreadable(ValueError("Remote: the text names the URL of one"))
        if not held and sidecar is None and text.has_place(reader):
            return Finding(Layer.PROVENANCE, Status.ABSENT, Message("no manifest"))
        too_much = over_bound(reader, mime)
        if too_much:
            return Finding(Layer.PROVENANCE, Status.UNCHECKED, Message("not searched for a manifest: {reason}",
                           reason=too_much), evidence=UnreadableManifest(state="OverBound", reason=str(too_much)))
        try:
            found = _read(reader, mime, settings, held[0].store if held else sidecar)
            if found and held:
                found = text.judge(*found, reader.whole(), held[0]), found[1]
        except Exception as error:  # errors of c2pa, ctypes or json, all caused by the content of the file
            return _unreadable(error)
    if found is None:
        return Finding(Layer.PROVENANCE, Status.ABSENT, Message("no manifest"))
    report, store = found
    return _finding(_detached(report) if is_detached else report, store, now=now, trust=trust)


@functools.lru_cache(maxsize=8)
def _context(process: int, trust: TrustList) -> Context:
    """The c2pa context of a trust list; one does not survive a fork."""
    return context(trust.settings())


def _media_type(reader: Reader) -> str | None:
    try:
        return container.sniff(reader).mime
    except LabelkitError:
        return None  # the library supports more formats and detects them by content


def _read(reader: Reader, mime: str | None, settings: Context, sidecar: bytes | None) -> tuple[Tree, Tree] | None:
    """(the library's report on the manifest store, every manifest with its certificate), or None."""
    from c2pa import Reader as ManifestReader

    try:
        found = ManifestReader.try_create(mime, reader.file, sidecar, context=settings)
        if found is None:
            return None
        with found:
            return json.loads(found.json()), json.loads(found.crjson())
    finally:
        reader.lose_position()


def _absent() -> Finding:
    return Finding(Layer.PROVENANCE, Status.ABSENT, Message("no manifest: the format has no place for one"))


def _unreadable(error: Exception) -> Finding:
    why = reason(error)
    if is_unsupported(error):
        return _absent()
    if is_remote(error):
        return Finding(Layer.PROVENANCE, Status.UNCHECKED, Message("the manifest is not in the file; the URL that the "
                       "file names for it is not fetched"), evidence=UnreadableManifest(state="Remote", reason=why))
    if why.startswith(("Io:", "Other: asset could not be parsed")):
        return Finding(Layer.PROVENANCE, Status.UNCHECKED, Message("the file is too broken to be searched for a "
                       "manifest: {reason}", reason=why), evidence=UnreadableManifest(state="Unsearchable", reason=why))
    said = Message("the manifest cannot be read: {reason}", reason=why)
    return Finding(Layer.PROVENANCE, Status.INVALID, said, missed=(said,),
                   evidence=UnreadableManifest(state="Unreadable", reason=why, trusted=False, intact=False))


def _finding(report: Tree, store: Tree, *, now: datetime.datetime | None, trust: TrustList) -> Finding:
    manifests = {as_text(m.get("label"), MAX_LABEL) or "": m for m in as_dicts(store.get("manifests"))}
    codes = sorted(set(_codes(report)))
    state = _state(report, codes)
    valid = state in ("Trusted", "Valid")
    # an untrusted ingredient makes the state "Valid"; who signed this manifest is another question
    trusted = valid and history.TRUSTED in _successes(report)
    members = history.members(manifests, as_text(report.get("active_manifest"), MAX_LABEL), report, trusted=trusted)
    if not members:
        return _unreadable(ValueError("no active manifest"))
    evidence = _evidence(members, report, state=state, codes=codes, trusted=trusted, manifests=len(manifests), now=now,
                         trust_list=trust.name if trust.judges else None)
    if not valid:
        return Finding(Layer.PROVENANCE, Status.INVALID, _invalid_summary(evidence), evidence=evidence)
    payload = next(filter(None, map(_payload, evidence.soft_bindings)), None)
    return Finding(Layer.PROVENANCE, Status.VALID, _valid_summary(evidence), _label(evidence.aigc), payload, evidence)


def is_of_content(code: str) -> bool:
    """Whether a failure code says that the manifest is of other content."""
    return bool(_OF_CONTENT.fullmatch(code))


def _detached(report: Tree) -> Tree:
    """The report as it would be where nothing is known of the content: without the failures of its hash."""
    results = as_dict(report.get("validation_results"))
    active = as_dict(results.get("activeManifest"))
    failed = as_dicts(active.get("failure"))
    left = [one for one in failed if not is_of_content(as_text(one.get("code")) or "")]
    sound = {as_text(one.get("code")) for one in as_dicts(active.get("success"))}
    wrong = {as_text(one.get("code")) for one in left} - history.TOLERATED - {history.UNTRUSTED}
    if len(left) == len(failed) or wrong or not _SIGNED <= sound:
        return report
    return {**report, "validation_state": "Trusted" if history.TRUSTED in sound and not left else "Valid",
            "validation_results": {**results, "activeManifest": {**active, "failure": left}}}


def _state(report: Tree, codes: list[str]) -> str:
    """The state of the manifest store, as the library has it; one failure is taken back that is none of the manifest's.

    Who is named in a CAWG identity may have to be asked over the network, which is not used.
    """
    state = as_text(report.get("validation_state")) or "Invalid"
    left = set(codes) - history.UNRESOLVED
    if state != "Invalid" or left == set(codes) or left - history.TOLERATED - {history.UNTRUSTED}:
        return state
    sound = _successes(report)
    bound = any(code.endswith("Hash.match") for code in sound)  # the content, by one of them
    if not _SIGNED <= sound or not bound:
        return state
    return "Trusted" if history.TRUSTED in sound and not left else "Valid"


def _evidence(members: list[Member], report: Tree, *, state: str, codes: list[str], trusted: bool, manifests: int,
              now: datetime.datetime | None, trust_list: str | None) -> ManifestEvidence:
    """What the active manifest states, or else those before it, and who signed it."""
    unbroken = [member for member in members if member.intact]
    chain = [member.manifest for member in unbroken if member.relation != "component"]
    made = [action for member in unbroken for action in fields.actions(member.manifest) if is_generative(action)]
    sourced = made + [action for manifest in chain for action in fields.actions(manifest)
                      if as_text(action.get("digitalSourceType"))]
    nothing: tuple[dict[str, str | None], Json] = ({}, None)
    aigc, explicit = next((found for manifest in chain for found in fields.aigc(manifest)), nothing)
    signature, certificate = as_dict(chain[0].get("signature")), fields.certificate(chain[0])
    ends, stamp = as_text(as_dict(certificate.get("validity")).get("notAfter")), _time_stamp(signature, report)
    statements = tuple(member.statement(state != "Invalid", trust_list is not None) for member in members)
    return ManifestEvidence(
        state=state, codes=tuple(codes[:_MAX_LISTED]), trusted=trusted, trust_list=trust_list,
        intact=state != "Invalid" or set(codes) - history.TOLERATED <= {history.UNTRUSTED, history.EXPIRED},
        digital_source_type=next(filter(None, (as_text(one.get("digitalSourceType")) for one in sourced)), None),
        generator=next(filter(None, map(fields.agent, sourced)), None),
        created=next(filter(None, (_moment(action.get("when")) for action in sourced)), None),
        claim_generator=fields.tool(chain[0]), title=as_text(fields.claim(chain[0]).get("dc:title")),
        soft_bindings=tuple(_soft_bindings(chain))[:_MAX_LISTED], aigc=aigc, explicit=explicit,
        signer=fields.party(certificate.get("subject")), issuer=fields.party(certificate.get("issuer")), not_after=ends,
        algorithm=as_text(signature.get("algorithm")), time_stamp=stamp, manifests=manifests,
        warnings=tuple(_warnings(stamp, ends, now)),
        ai_generated=any(history.states_ai(one.manifest) or any(
            found.get("Label") == Kind.GENERATED.value for found, _ in fields.aigc(one.manifest)) for one in unbroken),
        statements=tuple(one for one in statements if one.relation == "active" or one.generative or one.aigc
                         or one.sources)[:_MAX_STATEMENTS],
        history=tuple(history.tree(members, state != "Invalid"))[:_MAX_STATEMENTS],
        identities=tuple(history.identities(chain[0], report, set(codes)))[:_MAX_LISTED],
        disclosures=tuple(history.disclosures(chain))[:_MAX_LISTED],
        edits=tuple(dict.fromkeys(history.edits(chain)))[:_MAX_LISTED],
        signpost=next(filter(None, map(fields.signpost, chain)), None))


def _valid_summary(evidence: ManifestEvidence) -> Message:
    if evidence.trusted:
        signed = Message("signed by {signer}, trusted", signer=evidence.signer)
    elif evidence.trust_list is not None:
        signed = Message("signed by {signer}, root not in the trust list", signer=evidence.signer)
    else:
        signed = Message("signed by {signer}, no trust list given to judge the root by", signer=evidence.signer)
    own = next((one for one in evidence.statements if one.aigc and one.relation != "component"), None)
    if own and own.through:
        signed = Message("{signed}; the label is the statement of {signer}, which {through} names and nobody vouches "
                         "for", signed=signed, signer=own.signer, through=own.through)
    elif own and own.relation != "active":
        signed = (Message("{signed}; the label is the statement of {signer}, trusted", signed=signed, signer=own.signer)
                  if own.trusted else Message("{signed}; the label is the statement of {signer}, not trusted",
                                              signed=signed, signer=own.signer))
    if any(one.state == "unchecked" for one in evidence.identities):
        signed = Message("{signed}; an identity that it names cannot be checked without the network", signed=signed)
    if "no-time-stamp" not in evidence.warnings:
        return signed
    return Message("{signed}; without a time-stamp, it holds until the certificate ends on {end}", signed=signed,
                   end=str(evidence.not_after)[:10])


def _invalid_summary(evidence: ManifestEvidence) -> Message:
    codes = ", ".join(code for code in evidence.codes if code not in history.TOLERATED | {history.UNTRUSTED})
    if evidence.intact:
        return Message("signed by {signer} and unchanged since, but the certificate ended on {end} and no trusted "
                       "time-stamp shows that it was signed before", signer=evidence.signer,
                       end=str(evidence.not_after)[:10])
    if history.REVOKED in evidence.codes:
        return Message("the manifest of {signer} does not hold: a status of its certificate, stapled to it, says that "
                       "it was revoked", signer=evidence.signer)
    return Message("the manifest of {signer} does not hold: {codes}", signer=evidence.signer, codes=codes)


def _warnings(stamp: TimeStamp | None, not_after: str | None, now: datetime.datetime | None) -> Iterator[str]:
    if not stamp:
        yield "no-time-stamp"
    if now is None or stamp and stamp.trusted:
        return
    try:
        left = datetime.datetime.fromisoformat(str(not_after)) - now
    except (ValueError, TypeError, OverflowError):
        return
    if left < datetime.timedelta(days=ENDS_SOON_DAYS):
        yield "certificate-ended" if left < datetime.timedelta() else "certificate-ends-soon"


def _codes(report: Tree) -> Iterator[str]:
    """Failure codes of the active manifest, and of its ingredients as far as they changed since they were added."""
    results = as_dict(report.get("validation_results"))
    deltas = (as_dict(delta.get("validationDeltas")) for delta in as_dicts(results.get("ingredientDeltas")))
    for group in (as_dict(results.get("activeManifest")), *deltas):
        yield from (as_text(entry.get("code")) or "unnamed" for entry in as_dicts(group.get("failure")))


def _successes(report: Tree) -> set[str]:
    """What succeeded of the active manifest."""
    active = as_dict(as_dict(report.get("validation_results")).get("activeManifest"))
    return {as_text(entry.get("code")) or "unnamed" for entry in as_dicts(active.get("success"))}


def _time_stamp(signature: Tree, report: Tree) -> TimeStamp | None:
    time = as_text(as_dict(signature.get("timeStampInfo")).get("timestamp"))
    return TimeStamp(time, "timeStamp.trusted" in _successes(report)) if time else None


def _moment(value: object) -> str | None:
    """A date and time as written, None for any other value."""
    try:
        datetime.datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return as_text(value)


def _soft_bindings(chain: list[Tree]) -> Iterator[SoftBinding]:
    for manifest in chain:
        for _, data in fields.assertions(manifest, "c2pa.soft-binding"):
            for block in as_dicts(data.get("blocks"))[:_MAX_LISTED]:
                yield SoftBinding(as_text(data.get("alg")), as_text(block.get("value")))


def _payload(binding: SoftBinding) -> Payload | None:
    if not (binding.alg or "").startswith(WATERMARK_PREFIX):
        return None
    try:
        raw = bytes.fromhex(binding.value or "")
    except ValueError:
        return None
    return Payload.from_bytes(raw) if len(raw) == 8 else None


def _label(aigc: Mapping[str, str | None]) -> Label | None:
    """The label as found, if it states a kind and names a party with its number (GB 45438-2025 6.1 a)."""
    found = {name: aigc.get(name) or "" for name in FIELDS}
    kind = next((kind for kind in Kind if kind.value == found["Label"]), None)
    named = (found["ContentProducer"] and found["ProduceID"]) or (found["ContentPropagator"] and found["PropagateID"])
    return Label.as_found(kind, found) if kind and named else None
