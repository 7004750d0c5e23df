# SPDX-License-Identifier: Apache-2.0
"""The labels in the slots of a file, and what looks like one and is none of this file's.

A text counts under a name that contains AIGC (Annex E a), and wrapped as AIGC under a name that says nothing else, such
as Comment. Under a name that somebody chose for something else, or where a format describes a part of the file or
another file (an ingredient of XMP, an attachment of Matroska), it is named and does not count.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass

from labelkit.container import C2PA, EXIF, TEXT, XMP, Layout, Slot
from labelkit.errors import LabelkitError, LimitExceeded
from labelkit.evidence import LabelCarrier
from labelkit.messages import Message
from labelkit.metadata import aigc, exif, xmp

_HINT = re.compile(rb"AIGC|Content_?Pro(?:ducer|pagator)|(?:Produce|Propagate)_?ID", re.IGNORECASE)
_LABEL_LIKE = re.compile(rb"AIGC\W{1,8}\{|AIGC\W{1,8}Label", re.IGNORECASE)  # in a text that is too long to parse
_OPEN_NAME = re.compile(  # no name at all, or the last word of one under which any text about the file may stand
    r"[\W_]*|(?:.*[^a-z])?(?:(?:user|xp)?comments?|cmt|annotation|(?:image)?description|l?desc?|info(?:rmation)?|inf|notes?|"
    r"title|nam|subject|keywords|summary|synopsis|lyrics|encoder|software|generator|metadata)|备注|注释|说明|描述|简介",
    re.IGNORECASE)
_FREE_NAMES = ("keys", "ilst")  # slots whose names anybody chooses, beside those that are at home
_ANOTHER = Message("it looks like a label, but describes a part of this file or another file")
_OTHER_NAME = Message("it looks like a label, but stands under a name that is none of a label")


@dataclass(slots=True)
class Carrier:
    """A label found in a slot, or why what stands there is none."""

    slot: Slot
    place: str
    statement: aigc.Statement | None = None
    problem: Message | None = None
    home: bool = False  # it stands where the guide for its format wants it
    astray: Message | None = None  # why it is not this file's

    def evidence(self) -> LabelCarrier:
        """The label as its slot states it, for the report."""
        said = self.statement
        return LabelCarrier(
            slot=self.place, home=self.home, offset_bytes=self.slot.offset_bytes, length_bytes=self.slot.length_bytes,
            problem=None if said else str(self.problem), form=said.form if said else None,
            fields=said.fields if said else None, deviations=said.deviations if said else None)


def place_of(slot: Slot) -> str:
    """What people call the slot."""
    return f"{slot.name} {slot.key}".strip()


@dataclass(frozen=True, slots=True)
class Unread:
    """What could hold a label and was not read; `broken`: nobody can read it, else a bound of ours was reached."""

    what: str
    offset_bytes: int
    why: Message
    broken: bool = False


def find(layout: Layout) -> tuple[list[Carrier], list[Unread]]:
    """The labels of a file in file order, and what could hold one and was not read.

    Where the label belongs is read first: other texts may use up the bytes that are unpacked of one file.
    """
    found: dict[int, list[Carrier]] = {}
    unread: dict[int, Unread] = {}
    home = home_of(layout)
    for index, slot in sorted(enumerate(layout.slots), key=lambda one: one[1] is not home):
        try:
            found[index] = labels_in(slot)
        except LabelkitError as error:
            unread[index] = Unread(place_of(slot), slot.offset_bytes, error.message,
                                   not isinstance(error, LimitExceeded))
    return ([carrier for index in sorted(found) for carrier in found[index]],
            [*(Unread(*skipped) for skipped in layout.skipped), *(unread[index] for index in sorted(unread))])


def home_of(layout: Layout) -> Slot | None:
    """The slot that the label belongs in, where the file has it already."""
    for slot in layout.slots:
        if slot.kind == layout.format.home and slot.home and (slot.kind == XMP or slot.key == "AIGC"):
            return slot
    return None


def astray(layout: Layout) -> list[Unread]:
    """What looks like a label in the slots of a file that has none, and is not this file's."""
    found: list[Unread] = []
    for slot in layout.slots:
        with contextlib.suppress(LabelkitError):
            found += [Unread(one.place, slot.offset_bytes, one.astray) for one in _all_in(slot) if one.astray]
    return found


def labels_in(slot: Slot) -> list[Carrier]:
    """The labels in a slot; raises LabelkitError for one that could hold a label and cannot be read."""
    return [one for one in _all_in(slot) if not one.astray]


def _all_in(slot: Slot) -> list[Carrier]:
    """The labels in a slot, with those that are not this file's."""
    return [] if slot.kind == C2PA else {XMP: _in_xmp, EXIF: _in_exif, TEXT: _in_text}[slot.kind](slot)


def _in_xmp(slot: Slot) -> list[Carrier]:
    place = place_of(slot) if place_of(slot).lower().endswith("xmp") else f"{place_of(slot)} XMP"
    packet = slot.load()
    try:
        found = [_statement(slot, place, one.value, known=one.namespace == xmp.NAMESPACE,
                            astray=_ANOTHER if one.astray or slot.another else None) for one in xmp.everywhere(packet)]
    except LabelkitError as error:
        return [Carrier(slot, place, problem=error.message, astray=_ANOTHER if slot.another else None)]
    return [carrier for carrier in found if carrier.statement or carrier.problem]


def _in_exif(slot: Slot) -> list[Carrier]:
    passed: list[LabelkitError] = []
    found = [_statement(slot, f"{place_of(slot)} EXIF {value.name}", value.text, known=False,
                        astray=_ANOTHER if slot.another else None)
             for value in exif.values(slot.load(), passed) if value.name != "Software"]
    carriers = [carrier for carrier in found if carrier.statement]
    if passed and not carriers:
        raise passed[0]
    return carriers


def _in_text(slot: Slot) -> list[Carrier]:
    named = "aigc" in slot.key.lower()  # Annex E a): the field name or keyword contains AIGC
    try:
        body = slot.load()
    except LabelkitError as error:
        if named and not isinstance(error, LimitExceeded):
            return [Carrier(slot, place_of(slot), problem=error.message)]
        raise
    if not named and not _HINT.search(body.translate(None, b"\0")):
        return []
    is_other = not named and (slot.home or slot.name in _FREE_NAMES) and not _OPEN_NAME.fullmatch(slot.key)
    carrier = _statement(slot, place_of(slot), body, known=named,
                         astray=_ANOTHER if slot.another else _OTHER_NAME if is_other else None)
    return [carrier] if named or carrier.statement else []


def _statement(slot: Slot, place: str, value: bytes | str, *, known: bool, astray: Message | None) -> Carrier:
    """The statement in a value; outside the known homes it must be wrapped as AIGC, or have two fields of Annex E.

    Raises LimitExceeded for a value that is too long to be parsed and looks like a label.
    """
    if len(value) > aigc.MAX_VALUE and not known:
        raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value.translate(None, b"\0")
        if _LABEL_LIKE.search(raw):
            raise LimitExceeded("a text of {got} bytes that mentions AIGC; at most {limit} are searched for a label",
                                got=len(value), limit=aigc.MAX_VALUE)
        return Carrier(slot, place)
    try:
        statement = aigc.read(value)
    except LabelkitError as error:
        return Carrier(slot, place, problem=error.message if known else None, astray=astray)
    if known or {"wrapped", "prefix"} & set(statement.form) or sum(map(bool, statement.fields.values())) > 1:
        return Carrier(slot, place, statement, astray=astray)
    return Carrier(slot, place)
