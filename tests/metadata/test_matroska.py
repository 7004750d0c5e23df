# SPDX-License-Identifier: Apache-2.0
"""The label in Matroska: every position in the file still points at what it pointed at, at every width."""

import struct
import zlib

import pytest

from labelkit import container, metadata
from labelkit.errors import MalformedFile, UnsupportedFormat
from labelkit.report import Status
from tests import files
from tests.files import LABEL, OTHER, relabelled

OLD = OTHER.to_json().encode()
MASTERS = {0x18538067, 0x114D9B74, 0x4DBB, 0x1C53BB6B, 0xBB, 0xB7, 0x1254C367, 0x7373, 0x67C8, 0x63C0}
CRC = b"\xbf\x84"


def element(number: int, *parts: bytes, width: int = 1) -> bytes:
    body = b"".join(parts)
    while len(body) >= (1 << 7 * width) - 1:
        width += 1
    head = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return head + (len(body) | 1 << 7 * width).to_bytes(width, "big") + body


def checked(number: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return element(number, CRC + struct.pack("<I", zlib.crc32(body)) + body)


def walk(data: bytes, start: int = 0, stop: int | None = None) -> list[tuple[int, int, int, int]]:
    """(ID, start, start of body, end) of elements that must fill the range exactly; an unknown size fills it."""
    found, stop = [], len(data) if stop is None else stop
    while start < stop:
        width = 9 - data[start].bit_length()
        number = int.from_bytes(data[start:start + width], "big")
        at = start + width
        size_width = 9 - data[at].bit_length()
        size = int.from_bytes(data[at:at + size_width], "big") & (1 << 7 * size_width) - 1
        body = at + size_width
        end = stop if size == (1 << 7 * size_width) - 1 else body + size
        assert end <= stop
        found.append((number, start, body, end))
        start = end
    return found


def find(data: bytes, number: int, start: int = 0, stop: int | None = None) -> list[tuple[int, int]]:
    """Bodies of every element with an ID, at any depth of the masters."""
    found = []
    for one, _, body, end in walk(data, start, stop):
        if one == number:
            found.append((body, end))
        elif one in MASTERS:
            found += find(data, number, body, end)
    return found


def value(data: bytes, place: tuple[int, int]) -> int:
    return int.from_bytes(data[slice(*place)], "big")


def check_positions(data: bytes) -> int:
    """Seek heads and cues point at what they name, checksums hold; how many positions were checked."""
    base = next(body for number, _, body, _ in walk(data) if number == 0x18538067)
    seen = 0
    for body, end in find(data, 0x4DBB):
        name = data[slice(*find(data, 0x53AB, body, end)[0])]
        position = value(data, find(data, 0x53AC, body, end)[0])
        assert data[base + position:].startswith(name)
        seen += 1
    for place in find(data, 0xF1):
        assert data[base + value(data, place):].startswith(b"\x1f\x43\xb6\x75")
        seen += 1
    for number in (0x114D9B74, 0x1C53BB6B, 0x1254C367):
        for body, end in find(data, number):
            if data[body:body + 2] == CRC:
                assert zlib.crc32(data[body + 6:end]) == int.from_bytes(data[body + 2:body + 6], "little")
    return seen


def film(*, tags: bytes = b"", width: int = 1, cues_first: bool = False, checks: bool = False, void: int = 0,
         open_size: bool = False, position: bool = False) -> bytes:
    """A segment with seek head, tags, two clusters and cues, whose positions take `width` bytes where they can."""
    master = checked if checks else element

    def number(value: int) -> bytes:
        return value.to_bytes(max(width, (value.bit_length() + 7) // 8), "big")

    def build(at: dict[str, int]) -> tuple[bytes, dict[str, int]]:
        seek = [element(0x4DBB, element(0x53AB, name), element(0x53AC, number(at[key])))
                for key, name in (("info", b"\x15\x49\xa9\x66"), ("cues", b"\x1c\x53\xbb\x6b"))]
        cues = master(0x1C53BB6B, *(element(0xBB, element(0xB3, b"\0"), element(0xB7, element(0xF7, b"\1"), element(
            0xF1, number(at[key])))) for key in ("one", "two")))
        parts = [("seek", master(0x114D9B74, *seek)), ("void", element(0xEC, bytes(void)) if void else b""),
                 ("info", element(0x1549A966, element(0x5741, b"program"))), ("tags", tags)]
        clusters = [(key, element(0x1F43B675, element(0xE7, b"\0"), element(0xA7, number(at[key])) if position else b"",
                                  element(0xA3, b"\x81\0\0\x80" + bytes(90)))) for key in ("one", "two")]
        parts += [("cues", cues), *clusters] if cues_first else [*clusters, ("cues", cues)]
        data, places = b"", {}
        for key, part in parts:
            places[key] = len(data)
            data += part
        return data, places
    places = dict.fromkeys(("info", "cues", "one", "two"), 0)
    for _ in range(6):
        data, places = build(places)
    head = element(0x1A45DFA3, element(0x4282, b"matroska"))
    return head + (b"\x18\x53\x80\x67\xff" + data if open_size else element(0x18538067, data))


def tag(*simple: tuple[bytes, bytes], targets: bytes = b"") -> bytes:
    return element(0x7373, element(0x63C0, targets), *(
        element(0x67C8, element(0x45A3, name), element(0x4487, text)) for name, text in simple))


def tags(*each: bytes, checks: bool = False) -> bytes:
    return (checked if checks else element)(0x1254C367, *each)


ELSE = tag((b"TITLE", b"a film"))
HOSTS = {
    "plain": film(),
    "cues first": film(cues_first=True),
    "wide": film(width=8),
    "checksums": film(checks=True, tags=tags(ELSE, checks=True)),
    "tags": film(tags=tags(ELSE)),
    "void": film(void=60),
    "unknown size": film(open_size=True),
    "positions in clusters": film(position=True),
    "wide positions in clusters": film(position=True, width=4),
    "ffmpeg": files.movie("matroska", audio=""),
}
LABELLED = {
    "tag": film(tags=tags(ELSE, tag((b"AIGC", OLD)))),
    "among others": film(tags=tags(tag((b"TITLE", b"a film"), (b"AIGC", OLD), (b"X", b"y"))), checks=True),
    "of a track": film(tags=tags(ELSE, tag((b"AIGC", OLD), targets=element(0x63C5, b"\1")))),
    "two": film(tags=tags(tag((b"AIGC", OLD)), tag((b"AIGC", OLD)))),
    "two elements": film(tags=tags(ELSE) + tags(tag((b"AIGC", OLD)))),
    "lower case": film(tags=tags(tag((b"aigc", OLD)))),
}


@pytest.mark.parametrize("name", HOSTS)
def test_positions_point_at_what_they_pointed_at(name):
    before = check_positions(HOSTS[name])
    out = metadata.write(HOSTS[name], LABEL)
    assert check_positions(out) == before > 2
    assert (metadata.read(out).status, metadata.read(out).label) == (Status.VALID, LABEL)


@pytest.mark.parametrize("name", [name for name in HOSTS if "positions" not in name])
def test_clusters_keep_their_bytes(name):
    out = metadata.write(HOSTS[name], LABEL)
    before, after = ([data[body:end] for body, end in find(data, 0x1F43B675)] for data in (HOSTS[name], out))
    assert before and before == after


def test_a_cluster_says_where_it_lies_or_says_nothing():
    for name, width in (("positions in clusters", 1), ("wide positions in clusters", 4)):
        out = metadata.write(HOSTS[name], LABEL)
        base = next(body for number, _, body, _ in walk(out) if number == 0x18538067)
        for number, start, body, end in walk(out, base):
            if number == 0x1F43B675:
                places = find(out, 0xA7, body, end)
                assert len(places) == (width == 4)
                assert all(value(out, place) == start - base for place in places)
                assert find(out, 0xA3, body, end)


@pytest.mark.parametrize("name", LABELLED)
def test_a_label_of_others_gives_way_and_other_tags_stay(name):
    data = LABELLED[name]
    out = relabelled(data)
    assert (b"a film" in out) == (b"a film" in data)
    check_positions(out)


def test_the_label_is_one_of_the_whole_segment():
    out = metadata.write(LABELLED["of a track"], LABEL)
    place = next(place for place in find(out, 0x7373) if LABEL.to_json().encode() in out[slice(*place)])
    assert find(out, 0x63C5, *place) == []


def test_a_tag_that_loses_its_only_entry_goes():
    assert len(find(metadata.write(LABELLED["two"], LABEL), 0x7373)) == 1


@pytest.mark.parametrize("data", [HOSTS["plain"][:-3], HOSTS["plain"][:60],
                                  b"\x1a\x45\xdf\xa3\x8b\x42\x82\x88matroska"])
def test_broken_files_are_refused(data):
    with pytest.raises(MalformedFile):
        metadata.write(data, LABEL)


def test_other_documents_of_ebml_are_refused():
    with pytest.raises(UnsupportedFormat):
        container.sniff(element(0x1A45DFA3, element(0x4282, b"other")))


def test_an_unknown_size_where_none_may_be_is_refused():
    with pytest.raises(MalformedFile, match="unknown size"):
        metadata.write(element(0x1A45DFA3, element(0x4282, b"matroska")) + b"\x18\x53\x80\x67\xff\x15\x49\xa9\x66\xff",
                       LABEL)
