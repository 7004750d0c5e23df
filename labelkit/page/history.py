# SPDX-License-Identifier: Apache-2.0
"""The history of a file by its manifests, drawn as a tree, with the small pictures that manifests hold.

A picture is the word of whoever signed its manifest, as the rest of the manifest is. It is shown as it came, where it
is small and begins as a picture that browsers show; nothing of it is decoded here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from labelkit.errors import UnsupportedFormat
from labelkit.evidence import Ancestor
from labelkit.messages import Message
from labelkit.page.image_preview import as_it_is
from labelkit.page.markup import Media, bilingual, bilingual_attribute, chip, data_uri, escaped

MAX_PICTURES = 24
_RELATIONS = {"active": Message("This file:"), "parent": Message("Made from:"),
              "component": Message("With a part from:")}
_ACTIONS = {"addedText": Message("added text"), "adjustedColor": Message("adjusted the colours"),
            "changedSpeed": Message("changed the speed"), "color_adjustments": Message("adjusted the colours"),
            "converted": Message("converted the format"), "created": Message("created it"),
            "cropped": Message("cropped it"), "deleted": Message("deleted parts"), "drawing": Message("drew on it"),
            "dubbed": Message("dubbed it"), "edited": Message("edited it"),
            "edited.metadata": Message("changed metadata"), "enhanced": Message("enhanced it"),
            "filtered": Message("applied filters"), "opened": Message("opened it"),
            "orientation": Message("turned it"), "placed": Message("placed other content in it"),
            "published": Message("published it"), "redacted": Message("removed statements from the history"),
            "removed": Message("removed content"), "repackaged": Message("repackaged it"),
            "resized": Message("resized it"), "resized.proportional": Message("resized it"),
            "transcoded": Message("transcoded it"), "translated": Message("translated it"),
            "trimmed": Message("trimmed it"), "watermarked": Message("added a watermark"),
            "watermarked.bound": Message("added a watermark that leads to the manifest"),
            "watermarked.unbound": Message("added a watermark"), "unknown": Message("did what is not stated")}
"""What the actions of C2PA 2.4 mean, by their names without "c2pa."; any other is shown as it is."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture in a manifest.

    manifest  the label of the manifest that holds it
    relation  "" of the manifest's own file; "parent" or "component" of something that it was made from and that has
              no manifest itself
    title     what the manifest calls that
    """

    manifest: str
    picture: Media
    relation: str = ""
    title: str = ""

    @classmethod
    def of(cls, manifest: object, data: bytes, relation: object = "", title: object = "") -> Thumbnail | None:
        """The thumbnail of these bytes; None for what is no small picture, or is related in another way."""
        if relation not in ("", "parent", "component"):
            return None
        try:
            return cls(str(manifest), as_it_is(data), str(relation), str(title))
        except UnsupportedFormat:
            return None


@dataclass(slots=True)
class _Node:
    """One entry of the tree, which stands below the last one of a smaller depth."""

    depth: int
    shown: str


def section(ancestors: Sequence[Ancestor], thumbnails: Iterable[Thumbnail] = ()) -> str:
    """HTML of the history; "" where a file was made from nothing else and has no picture."""
    held: dict[str, list[Thumbnail]] = {}
    for one in list(thumbnails)[:MAX_PICTURES]:
        held.setdefault(one.manifest, []).append(one)
    nodes = [node for one in ancestors for node in _nodes(one, held.get(one.manifest, ()))]
    if len(nodes) < 2 and not any("<img" in node.shown for node in nodes):
        return ""
    shown, depth = "", -1
    for node in nodes:
        shown += ('<ul class="tree"><li>' if node.depth > depth else
                  "</li></ul>" * (depth - node.depth) + "</li><li>") + node.shown
        depth = node.depth
    warning = Message("Each small picture is in a manifest, on the word of its signer.")
    note = f'<p class="soft">{bilingual(warning)}</p>' if "<img" in shown else ""
    return (f"<div><h3>{bilingual(Message('History by its manifests'))}</h3>{shown}{'</li></ul>' * (depth + 1)}{note}"
            "</div>")


def _nodes(one: Ancestor, pictures: Sequence[Thumbnail]) -> Iterator[_Node]:
    """A manifest, then what it was made from that has none."""
    state = (chip("invalid", Message("broken"), "✗") if not one.intact else
             chip("valid", Message("trusted signer"), "✓") if one.trusted else
             chip("unchecked", Message("no trusted signer vouches for it"), "?"))
    told = ", ".join([*([escaped(one.tool)] if one.tool else []), *dict.fromkeys(map(_action, one.actions))])
    own = next((picture for picture in pictures if not picture.relation), None)
    yield _Node(one.depth, _entry(one.relation, one.signer or "?", state, told, own))
    for picture in pictures:
        if picture.relation:
            yield _Node(one.depth + 1, _entry(picture.relation, picture.title or "?", chip(
                "unchecked", Message("has no manifest"), "–"), "", picture))


def _action(name: str) -> str:
    """HTML of an action."""
    known = _ACTIONS.get(name.removeprefix("c2pa.")) if name.startswith("c2pa.") else None
    return bilingual(known) if known else escaped(name)


def _entry(relation: str, name: str, state: str, told: str, picture: Thumbnail | None) -> str:
    """HTML of one entry; `state` and `told` are HTML already."""
    image = (f'<img src="{data_uri(picture.picture)}" alt="{bilingual_attribute(Message("small picture of it"))}">'
             if picture else "")
    words = (f'{bilingual(_RELATIONS[relation])} <strong>{escaped(name)}</strong> {state}'
             f'<br><span class="soft">{told}</span>')
    return f'<div class="made">{image}<div>{words}</div></div>' if image else words
