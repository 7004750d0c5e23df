# SPDX-License-Identifier: Apache-2.0
"""What XMP states beside the label: the generating system, and the signpost, in a namespace of labelkit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from labelkit.container import XMP, Layout, Slot, markup
from labelkit.errors import LabelkitError
from labelkit.label import Generator
from labelkit.metadata import xmp
from labelkit.metadata.xmp import Packet
from labelkit.signpost import Signpost

NAMESPACE = "http://labelkit.org/ns/signpost/1.0/"
_NAMES = {"Detector": "detector", "Resolver": "resolver", "Algorithm": "alg"}


class Beside(NamedTuple):
    """What is stated beside a label; None for what is not, and then it stays as it is."""

    generator: Generator | None
    signpost: Signpost | None


def stated(packet: bytes, beside: Beside) -> bytes:
    """A packet, or a new one in place of an empty one, with what is stated beside the label."""
    packet = xmp.begun(packet)
    packet = xmp.state_generator(packet, beside.generator) if beside.generator else packet
    return _with_signpost(packet, beside.signpost) if beside.signpost else packet


def put_in(packet: Slot | None, changes: dict[Slot, bytes | None], beside: Beside, resign: bool) -> None:
    """State it in a packet that holds no label, if there is a place for one: that is one more of `changes`.

    resign  a manifest states it too: then a packet that nobody can read stays as it is
    Raises MalformedFile, LimitExceeded.
    """
    if packet is None or not any(beside):
        return
    try:
        old = changes.get(packet) or packet.load()
        new = stated(old, beside)
    except LabelkitError:
        if not resign:
            raise
        return
    if new != old:
        changes[packet] = new


def _with_signpost(packet: bytes, signpost: Signpost) -> bytes:
    """The packet with a signpost in the place of any other."""
    parsed, facts = xmp.parse(packet), signpost.facts()
    cuts = xmp.cut(parsed, _properties(parsed))
    properties = "".join(f"<labelkit:{name}>{markup.escaped(facts[key])}</labelkit:{name}>"
                         for name, key in _NAMES.items() if key in facts)
    text = (f'<rdf:Description xmlns:rdf="{xmp.RDF}" rdf:about="" xmlns:labelkit="{NAMESPACE}">{properties}'
            "</rdf:Description>")
    return xmp.joined(parsed, [*cuts, xmp.appended(parsed, text.encode())])


def signpost_of(layout: Layout) -> Signpost | None:
    """The signpost of a file, the first that makes sense."""
    for slot in layout.slots:
        if slot.kind != XMP:
            continue
        try:
            packet = slot.load()
            if NAMESPACE.encode() not in packet.translate(None, b"\0"):
                continue
            facts = {_NAMES[name]: value.strip() for name, value, _, _ in _properties(xmp.parse(packet))}
        except LabelkitError:
            continue
        if (found := Signpost.found({**facts})) is not None:
            return found
    return None


def _properties(parsed: Packet) -> Iterator[tuple[str, str, int, int]]:
    """(local name, value, start, stop) of each property, written as an element."""
    for element in parsed.elements:
        if element.namespace == NAMESPACE and element.local in _NAMES:
            yield element.local, markup.text_of(parsed.elements, element), element.start, element.stop
