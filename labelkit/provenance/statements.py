# SPDX-License-Identifier: Apache-2.0
"""What a manifest states of the system that generated the content, or altered it."""

from __future__ import annotations

from labelkit.label import IPTC, TRAINED_MEDIA, Generator

_ANY_MODEL = "c2pa.types.model"  # of a kind that is not told


def created(generator: Generator | None) -> dict[str, object]:
    """The action c2pa.created; by a system that is not named, where it is None."""
    made_by = _by(generator) if generator and not generator.edit else {}
    return {"action": "c2pa.created", "digitalSourceType": generator.source_type if generator else TRAINED_MEDIA,
            **made_by}


def edited(generator: Generator) -> dict[str, object]:
    """The action c2pa.edited, of a kind of edit."""
    return {"action": "c2pa.edited", "description": generator.edit, "digitalSourceType": generator.source_type,
            **_by(generator)}


def assertions(generator: Generator) -> list[dict[str, object]]:
    """c2pa.ai-disclosure, if there is a model (C2PA 2.4), and what XMP has (CAWG metadata assertion 1.0)."""
    stated: dict[str, object] = {f"Iptc4xmpExt:{name}": value for name, value in generator.iptc().items()}
    made: list[dict[str, object]] = [
        {"label": "cawg.metadata", "data": {"@context": {"Iptc4xmpExt": IPTC}, **stated}}]
    if generator.model:
        made.insert(0, {"label": "c2pa.ai-disclosure", "data": {
            "modelType": _ANY_MODEL, "modelName": generator.name, "modelIdentifier": generator.model}})
    return made


def _by(generator: Generator) -> dict[str, object]:
    """What did an action, and when."""
    agent = {"name": generator.name, "version": generator.version}
    done: dict[str, object] = {"softwareAgent": {key: value for key, value in agent.items() if value}}
    return {**done, "when": generator.created.isoformat()} if generator.created else done
