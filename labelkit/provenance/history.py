# SPDX-License-Identifier: Apache-2.0
"""What the manifests of a file say of AI, each on the word of its own signer.

A file's manifest names the manifests of what it was made from, its ingredients, and these name others. A trusted signer
who edits a stranger's file does not thereby say what the stranger said: a claim counts for the signer who made it, and
reaches the file only through the signers in between. Generative AI anywhere in the history is in the file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from labelkit.evidence import Ancestor, Disclosure, Identity, Statement
from labelkit.provenance import fields
from labelkit.provenance.fields import Tree, as_dict, as_dicts, as_text

MAX_MANIFESTS = 256  # of one file that are looked at
UNTRUSTED, EXPIRED, TRUSTED = "signingCredential.untrusted", "signingCredential.expired", "signingCredential.trusted"
REVOKED = "signingCredential.ocsp.revoked"
# what of a CAWG identity leaves the manifest as it is: asking who is named takes the network, or nobody here knows them
UNRESOLVED = frozenset({"cawg.ica.did_unavailable"})
UNKNOWN = frozenset({"cawg.ica.untrusted_issuer", "cawg.x509.credential.untrusted"})
TOLERATED = UNRESOLVED | UNKNOWN
# last path parts of the digital source types that C2PA's own rubrics count as generative AI
_AI_SOURCES = ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic",
               "trainedAlgorithmicData")
# of makers whose actions name no source type: Bing Image Creator
_AI_AGENTS = ("image creator from designer", "bing image creator")
_AI_DESCRIPTIONS = ("ai generated image", "ai-generated image")
_OTHER_MODELS = frozenset({"classifier", "cluster", "regressor", "dimensionalityreduction"})
"""Parts of the types of models and data (C2PA, c2pa.types.*) that do not generate."""
_NO_SOURCES = frozenset({"", "empty", "composite"})
"""Digital source types (last parts) that do not say where the content is from: c2pa.created must name some type."""
_MAX_LISTED = 16


@dataclass(frozen=True, slots=True)
class Member:
    """One manifest of the history, and how the file descends from it.

    intact     it is unbroken, and so is every manifest between it and the active one
    trusted    its signer is trusted, and so is each between it and the file
    made_into  the label of the manifest that names it among what it was made from; None for the active one
    through    the untrusted member nearest to the file of those between it and the file, None for none
    """

    label: str
    manifest: Tree
    relation: str
    intact: bool
    trusted: bool
    made_into: str | None = None
    through: Member | None = None

    @property
    def signer(self) -> str | None:
        """Who signed it."""
        return fields.party(fields.certificate(self.manifest).get("subject"))

    def statement(self, active_holds: bool, is_judged: bool) -> Statement:
        """What it says of AI, where the file's own manifest holds or does not, and a trust list judges or none does."""
        sources = [_last_part(action.get("digitalSourceType")) for action in fields.actions(self.manifest)]
        stated, _ = next(fields.aigc(self.manifest), ({}, None))
        return Statement(relation=self.relation, signer=self.signer, intact=self.intact and active_holds,
                         trusted=self.trusted, sources=tuple(dict.fromkeys(filter(None, sources)))[:_MAX_LISTED],
                         generative=states_ai(self.manifest), aigc=stated,
                         through=(self.through.signer or "?") if is_judged and self.through else None)


def members(manifests: Mapping[str, Tree], active: str | None, report: Tree, *, trusted: bool) -> list[Member]:
    """The manifests of the history, nearest first: the active one, its ingredients, theirs, at most 256.

    manifests  every manifest of the file as crJSON has it, by label
    report     the library's report on the manifest store
    trusted    whether the signer of the active manifest is
    """
    if active is None or active not in manifests:
        return []
    results: _Results | None = None  # made for the first ingredient: most files have none
    found = [Member(active, manifests[active], "active", True, trusted)]
    seen, waiting = {active}, deque(found)
    while waiting and len(found) < MAX_MANIFESTS:
        nearer = waiting.popleft()
        for label, relation in _ingredients(nearer.manifest):
            if label in manifests and label not in seen and len(found) < MAX_MANIFESTS:
                seen.add(label)
                results = results or _Results(manifests, report)
                part = "component" in (relation, nearer.relation)
                found.append(Member(label, manifests[label], "component" if part else "parent",
                                    nearer.intact and results.holds(label),
                                    nearer.trusted and results.is_trusted(label), nearer.label,
                                    nearer.through or (None if nearer.trusted else nearer)))
                waiting.append(found[-1])
    return found


def tree(found: Iterable[Member], active_holds: bool) -> Iterator[Ancestor]:
    """The members as a tree, each followed by what it was made from; `active_holds` as in `Member.statement`."""
    inner: dict[str | None, list[Member]] = {}
    for member in found:
        inner.setdefault(member.made_into, []).append(member)
    waiting = [(0, member) for member in inner.get(None, [])]
    while waiting:
        depth, member = waiting.pop()
        names = filter(None, (as_text(action.get("action")) for action in fields.actions(member.manifest)))
        yield Ancestor(depth=depth, relation=member.relation, signer=member.signer, trusted=member.trusted,
                       intact=member.intact and active_holds, tool=fields.tool(member.manifest),
                       actions=tuple(dict.fromkeys(names))[:_MAX_LISTED], manifest=member.label)
        waiting += [(depth + 1, one) for one in reversed(inner.get(member.label, []))]


def is_generative(action: Tree) -> bool:
    """Whether an action states that generative AI made or altered the content."""
    if _last_part(action.get("digitalSourceType")) in _AI_SOURCES:
        return True
    agent, what = fields.agent(action) or "", as_text(action.get("description")) or ""
    return agent.lower().startswith(_AI_AGENTS) or what.strip().lower() in _AI_DESCRIPTIONS


def states_ai(manifest: Tree) -> bool:
    """Whether a manifest states generative AI, in an action or in a disclosure."""
    return any(map(is_generative, fields.actions(manifest))) or _discloses_ai(manifest)


def _discloses_ai(manifest: Tree) -> bool:
    """Whether an AI disclosure (C2PA 2.4, c2pa.ai-disclosure) names the model that the content came from.

    Beside an action that names another source, such as a camera, it says that AI helped, not that it made the content;
    a model that sorts or measures makes none.
    """
    disclosed = [as_text(data.get("modelType")) for _, data in fields.assertions(manifest, "c2pa.ai-disclosure")]
    sources = {_last_part(action.get("digitalSourceType")) for action in fields.actions(manifest)}
    return sources <= _NO_SOURCES and any(
        kind and not _OTHER_MODELS & set(kind.lower().split(".")) for kind in disclosed)


def disclosures(manifests: Iterable[Tree]) -> Iterator[Disclosure]:
    """The AI models that manifests name."""
    for manifest in manifests:
        for _, data in fields.assertions(manifest, "c2pa.ai-disclosure"):
            yield Disclosure(model_type=as_text(data.get("modelType")), model_name=as_text(data.get("modelName")),
                             model_identifier=as_text(data.get("modelIdentifier")),
                             human_oversight=as_text(as_dict(data.get("contentProfile")).get("humanOversightLevel")))


def edits(manifests: Iterable[Tree]) -> Iterator[str]:
    """What generative AI did to content that was there: the description of the action, or its name."""
    for manifest in manifests:
        for action in fields.actions(manifest):
            name = as_text(action.get("action"))
            if name and name != "c2pa.created" and is_generative(action):
                yield as_text(action.get("description")) or name


def identities(manifest: Tree, report: Tree, failures: set[str]) -> Iterator[Identity]:
    """The CAWG identities of the active manifest, by a report that has every outcome; `failures` are the codes among
    those that are failures."""
    found_for: dict[str, set[str]] | None = None
    for name, data in fields.assertions(manifest, "cawg.identity"):
        found_for = fields.outcomes(report) if found_for is None else found_for  # most manifests name nobody
        signature, found = as_dict(data.get("signature")), found_for.get(name, set())
        certificate = as_dict(signature.get("certificateInfo"))
        people = [as_dict(one) for one in as_dicts(signature.get("verifiedIdentities"))[:_MAX_LISTED]]
        names = [as_text(one.get("name")) or as_text(one.get("username")) or as_text(one.get("uri")) for one in people]
        names = names or [fields.party(certificate.get("subject"))]
        yield Identity(kind=as_text(as_dict(data.get("signer_payload")).get("sig_type")),
                       state=_identity_state(found, found & failures),
                       issuer=as_text(signature.get("issuer")) or fields.party(certificate.get("issuer")),
                       names=tuple(filter(None, names)))


def _identity_state(codes: set[str], failures: set[str]) -> str:
    if failures - TOLERATED:
        return "invalid"
    if codes & UNRESOLVED or not codes:
        return "unchecked"
    return "untrusted" if codes & UNKNOWN else "valid"


def _ingredients(manifest: Tree) -> Iterator[tuple[str, str]]:
    """(label, "parent" or "component") of the manifests of what the content was made from."""
    for _, ingredient in fields.assertions(manifest, "c2pa.ingredient"):
        link = as_dict(ingredient.get("activeManifest") or ingredient.get("c2pa_manifest")).get("url")
        # what was an input to a model, such as a prompt, is not in the result
        relation = {"parentOf": "parent", "componentOf": "component"}.get(str(ingredient.get("relationship")))
        if relation and isinstance(link, str):
            yield _manifest_of(link) or "", relation


class _Results:
    """What the library found of each manifest, as (manifest label, code).

    It reports of an ingredient only what differs from what some ingredient assertion of the file says already, whoever
    wrote that, so both are read. Of a signature it finds one of trusted and untrusted: trusted is what it reports as
    such, or what is recorded as such where untrusted stands nowhere, neither reported nor recorded.
    """

    def __init__(self, manifests: Mapping[str, Tree], report: Tree) -> None:
        self._reported, self._recorded = _Codes(), _Codes()
        results = as_dict(report.get("validation_results"))
        self._reported.add(results.get("activeManifest"), None)
        for delta in as_dicts(results.get("ingredientDeltas")):
            self._reported.add(delta.get("validationDeltas"), None)
        for manifest in manifests.values():
            for _, ingredient in fields.assertions(manifest, "c2pa.ingredient"):
                link = as_dict(ingredient.get("activeManifest") or ingredient.get("c2pa_manifest")).get("url")
                own = _manifest_of(link) if isinstance(link, str) else None
                said = as_dict(ingredient.get("validationResults"))
                self._recorded.add(said.get("activeManifest"), own)
                for delta in as_dicts(said.get("ingredientDeltas")):
                    self._recorded.add(delta.get("validationDeltas"), own)
                old = as_dicts(ingredient.get("validationStatus"))  # of claims before version 2
                self._recorded.add({"failure": [one for one in old if one.get("success") is not True]}, own)

    def _failures(self, label: str) -> set[str]:
        return (self._reported.of(label, "failure") | self._recorded.of(label, "failure")) - TOLERATED

    def holds(self, label: str) -> bool:
        """Whether nothing is wrong with the manifest but trust or an ended certificate."""
        return self._failures(label) <= {UNTRUSTED, EXPIRED}

    def is_trusted(self, label: str) -> bool:
        """Whether its signer is trusted, and nothing is wrong with it."""
        if TRUSTED in self._reported.of(label, "success"):
            return self._failures(label) <= {UNTRUSTED}  # recorded so by a maker with another list
        return TRUSTED in self._recorded.of(label, "success") and not self._failures(label)


class _Codes:
    """Validation codes by manifest."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], set[str]] = {}

    def add(self, group: object, own: str | None) -> None:
        """Add successes and failures; those without a manifest in their address speak of `own`."""
        for kind in ("success", "failure"):
            for entry in as_dicts(as_dict(group).get(kind)):
                url = entry.get("url")
                label = (_manifest_of(url) if isinstance(url, str) else None) or own
                if label:
                    self._found.setdefault((label, kind), set()).add(as_text(entry.get("code")) or "unnamed")

    def of(self, label: str, kind: str) -> set[str]:
        """The codes of a manifest that are of this kind."""
        return self._found.get((label, kind), set())


def _manifest_of(url: str) -> str | None:
    """The label of the manifest in a JUMBF address such as self#jumbf=/c2pa/LABEL/c2pa.signature."""
    parts = (url.partition("#jumbf=")[2] or url).split("/")
    at = parts.index("c2pa") + 1 if "c2pa" in parts[:2] else len(parts)
    return parts[at][:fields.MAX_LABEL] if at < len(parts) and parts[at] else None


def _last_part(source: object) -> str:
    return (as_text(source) or "").rstrip("/").rsplit("/", 1)[-1]
