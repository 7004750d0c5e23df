# SPDX-License-Identifier: Apache-2.0
"""Validate a manifest, ours or anybody's, and say what it states. All of it comes from the file: nothing is believed
before the signature and the hashes hold, and every text is cut to a bound."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping

from labelkit import container
from labelkit.container import Reader, Source
from labelkit.errors import LabelkitError
from labelkit.label import FIELDS, Kind, Label
from labelkit.messages import Message
from labelkit.provenance.engine import PURPOSES, RF64, context, is_remote, library, printable, reading_settings, reason
from labelkit.provenance.manifest import AIGC_ASSERTION, MAX_EXPLICIT, WATERMARK_PREFIX
from labelkit.provenance.trust import TrustList
from labelkit.report import Finding, Layer, Status
from labelkit.watermark.payload import Payload

ENDS_SOON_DAYS = 60
MAX_TEXT = 256  # characters of any text that a file brings into a finding
_MAX_LISTED = 16
_MAX_GENERATIONS = 64
_UNTRUSTED, _EXPIRED = "signingCredential.untrusted", "signingCredential.expired"
# last path parts of IPTC and C2PA digital source types that say that a generative model was at work
_AI_SOURCES = ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic",
               "trainedAlgorithmicData")

Tree = Mapping[str, object]


def validate(source: Source, *, trust: TrustList | None = None, now: datetime.datetime | None = None,
             sidecar: bytes | None = None) -> Finding:
    """What the manifest of a file states, and whether it holds.

    trust    the roots to trust; without them a sound manifest is valid and not trusted
    now      aware datetime; with it, a certificate that ends within 60 days is warned about
    sidecar  a manifest store from beside the file, instead of one inside it
    Status VALID (evidence `trusted` says by whom), INVALID, ABSENT, or UNCHECKED where the file only names a URL or
    is too broken to be searched. `label` and `payload` are set only where the manifest is valid. Evidence:

    state             "Trusted", "Valid" or "Invalid", as the C2PA specification has it; "Unreadable"
    codes             C2PA's failure codes, untrusted among them
    trusted, intact   signed under `trust`; nothing but trust or an ended certificate is wrong
    ai_generated      the manifest or an unbroken parent states a source of generative AI, or a label of kind 1
    digital_source_type, generator, created (as stated), claim_generator, title, manifests (how many)
    signer, issuer, not_after, algorithm, time_stamp ({"time", "trusted"} or None)
    soft_bindings     [{"alg", "value"}], aigc (the label's fields as found), explicit (of a manifest of ours)
    warnings          "no-time-stamp", "certificate-ends-soon", "certificate-ended"

    Raises only what opening the source raises.
    """
    settings = context(reading_settings("", "", PURPOSES) if trust is None else trust.settings())
    with container.opened(source) as reader:
        mime = _media_type(reader)
        if sidecar is None and reader.head(4) in RF64:
            return _absent()
        try:
            found = _read(reader, mime, settings, sidecar)
        except Exception as error:  # c2pa's own errors, ctypes' and json's: whatever it is, the bytes brought it about
            return _unreadable(error)
    if found is None:
        return Finding(Layer.PROVENANCE, Status.ABSENT, Message("no manifest"))
    return _finding(*found, now=now, judged=trust is not None)


def _media_type(reader: Reader) -> str | None:
    try:
        return container.sniff(reader).mime
    except LabelkitError:
        return None  # the library knows more formats, and tells them by content


def _read(reader: Reader, mime: str | None, settings: object, sidecar: bytes | None) -> tuple[Tree, Tree] | None:
    """(the library's report on the manifest store, every manifest with its certificate), or None."""
    found = library().Reader.try_create(mime, reader.file, sidecar, context=settings)
    if found is None:
        return None
    with found:
        return json.loads(found.json()), json.loads(found.crjson())


def _absent() -> Finding:
    return Finding(Layer.PROVENANCE, Status.ABSENT, Message("no manifest: the format has no place for one"))


def _unreadable(error: Exception) -> Finding:
    why = reason(error)
    if isinstance(error, library().C2paError.NotSupported):
        return _absent()
    if is_remote(error):
        return Finding(Layer.PROVENANCE, Status.UNCHECKED, Message("the manifest is not in the file; the URL that the "
                       "file names for it is not fetched"), evidence={"state": "Remote", "reason": why})
    if why.startswith(("Io:", "Other: asset could not be parsed")):
        return Finding(Layer.PROVENANCE, Status.UNCHECKED, Message("the file is too broken to be searched for a "
                       "manifest: {reason}", reason=why), evidence={"state": "Unsearchable", "reason": why})
    return Finding(Layer.PROVENANCE, Status.INVALID, Message("the manifest cannot be read: {reason}", reason=why),
                   evidence={"state": "Unreadable", "reason": why, "trusted": False, "intact": False})


def _finding(report: Tree, store: Tree, *, now: datetime.datetime | None, judged: bool) -> Finding:
    manifests = {_text(m.get("label"), 1024): m for m in _dicts(store.get("manifests"))}
    chain = list(_chain(manifests, _text(report.get("active_manifest"), 1024)))
    if not chain:
        return _unreadable(ValueError("no active manifest"))
    codes = sorted(set(_codes(report)))
    state = _text(report.get("validation_state")) or "Invalid"
    valid = state in ("Trusted", "Valid")
    evidence = {"state": state, "codes": codes[:_MAX_LISTED], "intact": set(codes) <= {_UNTRUSTED, _EXPIRED},
                # an untrusted ingredient makes the state "Valid"; who signed this manifest is another question
                "trusted": valid and _succeeded(report, "signingCredential.trusted"),
                **_origin(chain), **_signature(chain[0], report), "manifests": len(manifests)}
    evidence["warnings"] = list(_warnings(evidence, now))
    label = _label(evidence["aigc"])
    payload = next(filter(None, map(_payload, evidence["soft_bindings"])), None)
    evidence["ai_generated"] = _is_ai(evidence)
    if not valid:
        return Finding(Layer.PROVENANCE, Status.INVALID, _invalid_summary(evidence), evidence=evidence)
    return Finding(Layer.PROVENANCE, Status.VALID, _valid_summary(evidence, judged), label, payload, evidence)


def _valid_summary(evidence: Tree, judged: bool) -> Message:
    if evidence["trusted"]:
        signed = Message("signed by {signer}, trusted", signer=evidence["signer"])
    elif judged:
        signed = Message("signed by {signer}, root not in the trust list", signer=evidence["signer"])
    else:
        signed = Message("signed by {signer}, no trust list given to judge the root by", signer=evidence["signer"])
    if "no-time-stamp" not in evidence["warnings"]:
        return signed
    return Message("{signed}; without a time-stamp, it holds until the certificate ends on {end}", signed=signed,
                   end=str(evidence["not_after"])[:10])


def _invalid_summary(evidence: Tree) -> Message:
    codes = ", ".join(code for code in evidence["codes"] if code != _UNTRUSTED)
    if evidence["intact"]:
        return Message("signed by {signer} and unchanged since, but the certificate ended on {end} and no trusted "
                       "time-stamp shows that it was signed before", signer=evidence["signer"],
                       end=str(evidence["not_after"])[:10])
    return Message("the manifest of {signer} does not hold: {codes}", signer=evidence["signer"], codes=codes)


def _warnings(evidence: Tree, now: datetime.datetime | None) -> Iterator[str]:
    stamp = evidence["time_stamp"]
    if not stamp:
        yield "no-time-stamp"
    if now is None or stamp and stamp["trusted"]:
        return
    try:
        left = datetime.datetime.fromisoformat(str(evidence["not_after"])) - now
    except (ValueError, TypeError, OverflowError):
        return
    if left < datetime.timedelta(days=ENDS_SOON_DAYS):
        yield "certificate-ended" if left < datetime.timedelta() else "certificate-ends-soon"


def _codes(report: Tree) -> Iterator[str]:
    """Failure codes of the active manifest and of what changed in its ingredients since they were taken in."""
    results = _dict(report.get("validation_results"))
    deltas = (_dict(delta.get("validationDeltas")) for delta in _dicts(results.get("ingredientDeltas")))
    for group in (_dict(results.get("activeManifest")), *deltas):
        yield from (_text(entry.get("code")) or "unnamed" for entry in _dicts(group.get("failure")))


def _succeeded(report: Tree, code: str) -> bool:
    active = _dict(_dict(report.get("validation_results")).get("activeManifest"))
    return any(entry.get("code") == code for entry in _dicts(active.get("success")))


def _signature(manifest: Tree, report: Tree) -> dict[str, object]:
    signature = _dict(manifest.get("signature"))
    certificate = _dict(signature.get("certificateInfo"))
    stamp = _text(_dict(signature.get("timeStampInfo")).get("timestamp"))
    return {"signer": _party(certificate.get("subject")), "issuer": _party(certificate.get("issuer")),
            "not_after": _text(_dict(certificate.get("validity")).get("notAfter")),
            "algorithm": _text(signature.get("algorithm")),
            "time_stamp": {"time": stamp, "trusted": _succeeded(report, "timeStamp.trusted")} if stamp else None}


def _origin(chain: list[Tree]) -> dict[str, object]:
    """What the active manifest states and, where it is silent, its parents."""
    actions = [action for manifest in chain for action in _actions(manifest)]
    sourced = [action for action in actions if _text(action.get("digitalSourceType"))]
    aigc = next((found for manifest in chain for found in _aigc(manifest)), ({}, None))
    claim = next((_dict(chain[0][key]) for key in ("claim.v2", "claim") if key in chain[0]), {})
    return {"digital_source_type": _text(sourced[0]["digitalSourceType"]) if sourced else None,
            "generator": next(filter(None, map(_agent, sourced)), None),
            "created": next(filter(None, (_moment(action.get("when")) for action in sourced)), None),
            "claim_generator": _claim_generator(claim), "title": _text(claim.get("dc:title")),
            "soft_bindings": list(_soft_bindings(chain))[:_MAX_LISTED], "aigc": aigc[0], "explicit": aigc[1]}


def _chain(manifests: Mapping[str | None, Tree], active: str | None) -> Iterator[Tree]:
    """The active manifest, its parent, and so on, up to the first one that was broken when it was taken in."""
    seen: set[str | None] = set()
    label = active
    while label in manifests and label not in seen and len(seen) < _MAX_GENERATIONS:
        seen.add(label)
        yield manifests[label]
        label = next(_parents(manifests[label]), None)


def _parents(manifest: Tree) -> Iterator[str]:
    for _, ingredient in _assertions(manifest, "c2pa.ingredient"):
        link = _dict(ingredient.get("activeManifest") or ingredient.get("c2pa_manifest")).get("url")
        results = _dict(_dict(ingredient.get("validationResults")).get("activeManifest"))
        broken = {_text(entry.get("code")) for entry in _dicts(results.get("failure"))} - {_UNTRUSTED, _EXPIRED}
        if ingredient.get("relationship") == "parentOf" and isinstance(link, str) and not broken:
            yield link.rsplit("/", 1)[-1][:1024]


def _assertions(manifest: Tree, name: str) -> Iterator[tuple[str, Tree]]:
    """The assertions of one label, whatever their version (.v2) and number (__1)."""
    for label, data in _dict(manifest.get("assertions")).items():
        if label == name or label.startswith((f"{name}.", f"{name}__")):
            yield label, _dict(data)


def _actions(manifest: Tree) -> Iterator[Tree]:
    for _, data in _assertions(manifest, "c2pa.actions"):
        yield from _dicts(data.get("actions"))


def _agent(action: Tree) -> str | None:
    agent = action.get("softwareAgent")
    return _text(agent) or _with_version(_dict(agent))


def _moment(value: object) -> str | None:
    """A date and time as it stands there, None for what is none."""
    try:
        datetime.datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return _text(value)


def _claim_generator(claim: Tree) -> str | None:
    info = claim.get("claim_generator_info")
    first = info[0] if isinstance(info, list) and info else info
    return _with_version(_dict(first)) or _text(claim.get("claim_generator"))


def _with_version(software: Tree) -> str | None:
    name, version = (_text(software.get(key)) for key in ("name", "version"))
    return f"{name} {version}" if name and version else name


def _soft_bindings(chain: list[Tree]) -> Iterator[dict[str, str | None]]:
    for manifest in chain:
        for _, data in _assertions(manifest, "c2pa.soft-binding"):
            for block in _dicts(data.get("blocks"))[:_MAX_LISTED]:
                yield {"alg": _text(data.get("alg")), "value": _text(block.get("value"))}


def _payload(binding: Mapping[str, str | None]) -> Payload | None:
    if not (binding["alg"] or "").startswith(WATERMARK_PREFIX):
        return None
    try:
        raw = bytes.fromhex(binding["value"] or "")
    except ValueError:
        return None
    return Payload.from_bytes(raw) if len(raw) == 8 else None


def _aigc(manifest: Tree) -> Iterator[tuple[dict[str, str | None], object]]:
    """(label fields as found, explicit label) of our assertion, then of any other that holds an AIGC member."""
    assertions = _dict(manifest.get("assertions"))
    for name in sorted(assertions, key=lambda name: (name != AIGC_ASSERTION, name)):
        data = _dict(assertions[name])
        fields = _dict(data.get("AIGC"))
        if fields:
            found = {key: _text(fields[key], 2048) for key in FIELDS if key in fields}
            yield found, _explicit(data.get("explicit")) if name == AIGC_ASSERTION else None


def _explicit(text: object) -> object:
    if not isinstance(text, str) or len(text) > MAX_EXPLICIT:
        return None
    try:
        return _clean(json.loads(text, parse_constant=lambda _: None))  # NaN is not JSON
    except (ValueError, RecursionError):
        return None


def _label(fields: Mapping[str, str | None]) -> Label | None:
    """The label as found, where it states a kind and names a party with its number (GB 45438-2025 6.1 a)."""
    found = {name: fields.get(name) or "" for name in FIELDS}
    kind = next((kind for kind in Kind if kind.value == found["Label"]), None)
    named = (found["ContentProducer"] and found["ProduceID"]) or (found["ContentPropagator"] and found["PropagateID"])
    return Label.as_found(kind, found) if kind and named else None


def _is_ai(evidence: Tree) -> bool:
    source = str(evidence["digital_source_type"] or "").rstrip("/").rsplit("/", 1)[-1]
    return source in _AI_SOURCES or _dict(evidence["aigc"]).get("Label") == "1"


def _party(name: object) -> str | None:
    parts = _dict(name)
    return _text(parts.get("O")) or _text(parts.get("CN"))


def _text(value: object, limit: int = MAX_TEXT) -> str | None:
    return printable(value, limit) if isinstance(value, str) else None


def _clean(value: object) -> object:
    """JSON values with every text made printable."""
    if isinstance(value, dict):
        return {printable(key, MAX_TEXT): _clean(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_clean(entry) for entry in value]
    return _text(value) if isinstance(value, str) else value


def _dict(value: object) -> Tree:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[Tree]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
