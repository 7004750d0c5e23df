# SPDX-License-Identifier: Apache-2.0
"""Evidence from the file: its metadata and its C2PA manifests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labelkit.evidence.values import Json, if_known
from labelkit.signpost import Signpost

# Metadata


@dataclass(frozen=True, slots=True)
class Deviation:
    """How a field of an AIGC value departs from GB 45438-2025 Annex E."""

    field: str
    deviation: str
    got: str | None = if_known()
    position: int | None = if_known()
    problem: str | None = if_known()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCarrier:
    """A metadata slot that holds a label, or what should be one.

    slot                          its name, such as "iTXt XML:com.adobe.xmp"
    home                          whether the guide for the format wants the label there
    offset_bytes, length_bytes    where it lies in the file
    problem                       why it cannot be read; then form, fields and deviations are not known
    form                          how the value was packed, outermost first
    """

    slot: str
    home: bool
    offset_bytes: int
    length_bytes: int
    problem: str | None = if_known()
    form: tuple[str, ...] | None = if_known()
    fields: Mapping[str, str] | None = if_known()
    deviations: tuple[Deviation, ...] | None = if_known()


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A field for which the labels of one file, or one label twice, state different values."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """A sign of a generator that weighs less than a label; `value` or `key` is what it says."""

    trace: str
    slot: str
    offset_bytes: int
    length_bytes: int
    value: str | None = if_known()
    key: str | None = if_known()


@dataclass(frozen=True, slots=True)
class UnreadSlot:
    """A slot that could hold a label and was not read."""

    slot: str
    offset_bytes: int
    problem: str


@dataclass(frozen=True, slots=True)
class SignatureEvidence:
    """What a reserved code proves; see `metadata.security_data.Outcome`."""

    state: str
    reason: str
    key: str | None
    form: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataEvidence:
    """All that is label-like in a file's metadata.

    producer  the public name behind a known code
    systems   the AI systems that XMP names (IPTC), each with its version
    signpost  where XMP says to ask about the mark
    """

    format: str
    family: str
    carriers: tuple[LabelCarrier, ...]
    duplicates: int
    disagreements: tuple[Disagreement, ...]
    producer: str | None
    signatures: Mapping[str, SignatureEvidence]
    traces: tuple[Trace, ...]
    unread: tuple[UnreadSlot, ...]
    systems: tuple[str, ...] = ()
    signpost: Signpost | None = if_known()


# Provenance


@dataclass(frozen=True, slots=True)
class TimeStamp:
    """An RFC 3161 time-stamp, and whether its authority is trusted."""

    time: str
    trusted: bool


@dataclass(frozen=True, slots=True)
class SoftBinding:
    """A C2PA soft binding: the algorithm, and its value as hex."""

    alg: str | None
    value: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one manifest of a file's history says of AI, on the word of its own signer.

    relation    "active"; "parent", of an earlier version of the whole; "component", of a part of it
    signer      who signed it
    intact      it holds, and so does every manifest between it and the file
    trusted     its signer is trusted, and so is each signer between it and the file, on whose word the link rests
    sources     the last parts of the digital source types that it states, such as "trainedAlgorithmicMedia"
    generative  it states that generative AI made or altered the content
    aigc        the fields of its AIGC label as found
    through     the signer nearest to the file, of those in between, whom the trust list does not vouch for: on his word
                alone this manifest is of this file. None where there is no such signer, and without a trust list
    """

    relation: str
    signer: str | None
    intact: bool
    trusted: bool
    sources: tuple[str, ...]
    generative: bool
    aigc: Mapping[str, str | None]
    through: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestor:
    """One manifest of a file's history, at its place in the tree of what the file was made from.

    depth     0 for the active manifest, 1 for what it was made from, and so on; each stands behind what was made of it
    relation  as in `Statement`, and so are signer, intact and trusted
    tool      the program that wrote it, with its version
    actions   what it says was done, such as "c2pa.created"
    manifest  its label in the file, such as "urn:c2pa:…"
    """

    depth: int
    relation: str
    signer: str | None
    intact: bool
    trusted: bool
    tool: str | None
    actions: tuple[str, ...]
    manifest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who besides the signer is named in a manifest (CAWG identity assertion).

    kind    its signature type, such as "cawg.x509.cose"
    state   "valid"; "untrusted", the issuer is not known; "unchecked", it cannot be resolved without the network;
            "invalid"
    issuer  who vouches for it
    names   the persons or accounts that it names
    """

    kind: str | None
    state: str
    issuer: str | None
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """What an AI disclosure states of a model (C2PA 2.4, c2pa.ai-disclosure)."""

    model_type: str | None
    model_name: str | None
    model_identifier: str | None
    human_oversight: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEvidence:
    """What a manifest states, by whom it is signed, and whether it holds.

    state               the engine's word: "Trusted", "Valid" or "Invalid"
    codes               C2PA failure codes
    intact              nothing was changed since it was signed; trust and time aside
    trusted             the active manifest's signer is trusted
    aigc                the label fields as found, by name
    explicit            the explicit label that the manifest names, JSON values
    manifests           how many the file holds
    warnings            "no-time-stamp", "certificate-ends-soon", "certificate-ended"
    ai_generated        a manifest that holds states generative AI, or an AIGC label of kind 1
    trust_list          name of the list by which signers were judged, None where there was none
    statements          what the manifests of the history say of AI, the active one first, each by its own signer
    history             every manifest of the history, at most 64, as a tree that is walked from the active one
    identities          who else is named in the active manifest
    disclosures         the AI models that intact manifests of the history name
    edits               what generative AI did to content that was there, each as the action or its description
    signpost            where the active manifest, or one before it, says to ask about the mark
    beside              it lies beside the file, as NAME.c2pa, and not in it
    """

    state: str
    codes: tuple[str, ...]
    intact: bool
    trusted: bool
    digital_source_type: str | None
    generator: str | None
    created: str | None
    claim_generator: str | None
    title: str | None
    soft_bindings: tuple[SoftBinding, ...]
    aigc: Mapping[str, str | None]
    explicit: Json
    signer: str | None
    issuer: str | None
    not_after: str | None
    algorithm: str | None
    time_stamp: TimeStamp | None
    manifests: int
    warnings: tuple[str, ...]
    ai_generated: bool
    trust_list: str | None = None
    statements: tuple[Statement, ...] = ()
    history: tuple[Ancestor, ...] = ()
    identities: tuple[Identity, ...] = ()
    disclosures: tuple[Disclosure, ...] = ()
    edits: tuple[str, ...] = ()
    signpost: Signpost | None = if_known()
    beside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableManifest:
    """Why a manifest was not read or does not count.

    state   "Remote", "Unsearchable", "OverBound" or "Unreadable"; "Beside" for one that lies beside the file and is not
            of it
    """

    state: str
    reason: str
    trusted: bool | None = if_known()
    intact: bool | None = if_known()
