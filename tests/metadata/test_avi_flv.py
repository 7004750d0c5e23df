# SPDX-License-Identifier: Apache-2.0
"""The label in AVI and FLV: indexes and positions still point at what they pointed at, labels of others give way."""

import struct

import pytest

from labelkit import metadata
from labelkit.errors import MalformedFile
from labelkit.metadata import xmp
from labelkit.report import Status
from tests import files
from tests.files import LABEL, OTHER

OLD = OTHER.to_json().encode()


def read(data: bytes) -> tuple:
    finding = metadata.read(data)
    return finding.status, finding.label, finding.evidence.duplicates


# AVI

def chunk(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def riff(kind: bytes, *parts: bytes) -> bytes:
    return chunk(b"RIFF", kind, *parts)


FRAMES = [bytes([index]) * 20 for index in range(1, 5)]


def avi(*infos: bytes, absolute: bool = False, second: bool = False, behind: bool = False,
        base: int | None = None) -> bytes:
    """An AVI of four frames with idx1, a super index and a standard index in its film, and a second RIFF part."""
    def build(at: dict[str, int]) -> tuple[bytes, dict[str, int]]:
        places = [at["film"] - at["base"] + 12 + 28 * index for index in range(4)]
        standard = chunk(b"ix00", struct.pack("<HBBI4sQI", 2, 0, 1, 4, b"00dc", at["base"], 0),
                         *(struct.pack("<II", place + 8, 20) for place in places))
        super_index = chunk(b"indx", struct.pack("<HBBI4s12x", 4, 0, 0, 1, b"00dc"),
                            struct.pack("<QII", at["standard"], len(standard), 4))
        header = chunk(b"LIST", b"hdrl", chunk(b"avih", bytes(56)), chunk(b"LIST", b"strl", chunk(b"strh", bytes(56)),
                                                                        super_index))
        film = chunk(b"LIST", b"movi", *(chunk(b"00dc", frame) for frame in FRAMES), standard)
        start = at["film"] if absolute else -8
        index = chunk(b"idx1", *(struct.pack("<4sIII", b"00dc", 16, start + 12 + 28 * one, 20) for one in range(4)))
        parts = [header, *(() if behind else infos), film, index, *(infos if behind else ())]
        data = riff(b"AVI ", *parts) + (riff(b"AVIX", chunk(b"LIST", b"movi", FRAMES[0])) if second else b"")
        found = {"film": data.index(film), "standard": data.index(standard), "base": data.index(film)}
        return data, found if base is None else {**found, "base": base}
    places = {"film": 0, "standard": 0, "base": 0}
    for _ in range(3):
        data, places = build(places)
    return data


def info(*texts: tuple[bytes, bytes]) -> bytes:
    return chunk(b"LIST", b"INFO", *(chunk(kind, text) for kind, text in texts))


def frames(data: bytes, absolute: bool) -> None:
    """Both indexes point at the four frames."""
    film = data.index(b"movi")
    at = data.index(b"idx1") + 8
    offsets = [struct.unpack("<I", data[at + 8 + 16 * index:at + 12 + 16 * index])[0] for index in range(4)]
    starts = [offset if absolute else film + offset for offset in offsets]
    assert [data[start:start + 4] for start in starts] == [b"00dc"] * 4
    at = data.index(b"indx") + 8 + 24
    standard = struct.unpack("<Q", data[at:at + 8])[0]
    assert data[standard:standard + 4] == b"ix00"
    base = struct.unpack("<Q", data[standard + 20:standard + 28])[0]
    for index, frame in enumerate(FRAMES):
        offset = struct.unpack("<I", data[standard + 32 + 8 * index:standard + 36 + 8 * index])[0]
        assert data[base + offset:base + offset + 20] == frame


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("infos", [(), (info((b"ISFT", b"program"), (b"INAM", b"odd")),), (info((b"AIGC", OLD)),)])
def test_avi_indexes_point_at_the_same_frames(infos, absolute):
    host = avi(*infos, absolute=absolute)
    frames(host, absolute)
    out = metadata.write(host, LABEL)
    frames(out, absolute)
    assert read(out) == (Status.VALID, LABEL, 0)
    assert (b"program" in out) == (b"program" in host)
    assert struct.unpack("<I", out[4:8])[0] == len(out) - 8


@pytest.mark.parametrize("base", [None, 0])
def test_a_standard_index_counts_from_any_base(base):
    out = metadata.write(avi(base=base), LABEL)
    frames(out, False)


def test_info_behind_the_film_takes_the_label_and_nothing_moves():
    host = avi(info((b"INAM", b"name")), behind=True)
    out = metadata.write(host, LABEL)
    start = host.index(b"INFO") - 8
    assert out[8:start] == host[8:start]
    assert read(out) == (Status.VALID, LABEL, 0)


def test_a_second_riff_part_stays_and_the_first_has_its_size():
    host = avi(second=True)
    out = metadata.write(host, LABEL)
    tail = host[host.index(b"AVIX") - 8:]
    assert out.endswith(tail)
    assert struct.unpack("<I", out[4:8])[0] == len(out) - len(tail) - 8
    assert read(out)[1] == LABEL


@pytest.mark.parametrize("host", [
    avi(info((b"AIGC", OLD), (b"AIGC", OLD))), avi(info((b"INAM", b"x")), info((b"AIGC", OLD))),
    avi(info((b"ICMT", OTHER.to_json(wrapped=True).encode()))), avi(chunk(b"_PMX", xmp.fresh(OTHER.to_json())))])
def test_a_label_of_others_in_avi_gives_way(host):
    assert read(host)[:2] == (Status.VALID, OTHER)
    out = metadata.write(host, LABEL)
    assert read(out) == (Status.VALID, LABEL, 0)
    assert OTHER.produce_id.encode() not in out
    frames(out, False)


def test_a_cut_avi_is_refused():
    with pytest.raises(MalformedFile):
        metadata.write(avi()[:-20], LABEL)


# FLV

HEAD = b"FLV\x01\x01\0\0\0\x09\0\0\0\0"


def tag(kind: int, body: bytes, time: int = 0) -> bytes:
    return (bytes([kind]) + len(body).to_bytes(3, "big") + time.to_bytes(3, "big") + bytes(4) + body
            + struct.pack(">I", len(body) + 11))


def text(value: bytes) -> bytes:
    return b"\2" + struct.pack(">H", len(value)) + value


def number(value: float) -> bytes:
    return b"\0" + struct.pack(">d", value)


def members(*pairs: tuple[bytes, bytes]) -> bytes:
    return b"".join(struct.pack(">H", len(name)) + name + value for name, value in pairs)


def array(*pairs: tuple[bytes, bytes]) -> bytes:
    return b"\x08" + struct.pack(">I", len(pairs)) + members(*pairs) + b"\0\0\x09"


def strict(*values: bytes) -> bytes:
    return b"\x0a" + struct.pack(">I", len(values)) + b"".join(values)


def flv(*pairs: tuple[bytes, bytes], script: bool = True, extra: bytes = b"", plain_object: bool = False) -> bytes:
    """Two pictures whose places and the file's size stand in the script data."""
    pictures = [tag(9, b"\x12" + bytes([index]) * 30, index * 40) for index in (1, 2)]

    def build(places: tuple[int, int, int]) -> bytes:
        positions = b"\3" + members((b"filepositions", strict(*map(number, places[:2]))),
                                    (b"times", strict(number(0), number(0.04)))) + b"\0\0\x09"
        data = array((b"duration", number(0.08)), (b"filesize", number(places[2])), *pairs, (b"keyframes", positions))
        if plain_object:
            data = b"\3" + data[5:]
        head = tag(18, text(b"onMetaData") + data) if script else b""
        return HEAD + head + extra + b"".join(pictures)
    data = build((0, 0, 0))
    return build((data.index(pictures[0]), data.index(pictures[1]), len(data)))


def check_positions(data: bytes) -> None:
    at = data.index(b"filepositions") + 13 + 5
    for index in (1, 2):
        place = int(struct.unpack(">d", data[at + 1:at + 9])[0])
        assert data[place] == 9 and data[place + 12] == index
        at += 9
    at = data.index(b"filesize") + 9
    assert struct.unpack(">d", data[at:at + 8])[0] == len(data)


FLVS = {
    "plain": flv(),
    "object": flv(plain_object=True),
    "title": flv((b"title", text("山".encode())), (b"live", b"\1\0"), (b"date", b"\x0b" + bytes(10))),
    "label": flv((b"title", text(b"x")), (b"AIGC", text(OLD)), (b"more", text(b"y"))),
    "long label": flv((b"AIGC", b"\x0c" + struct.pack(">I", len(OLD)) + OLD)),
    "two labels": flv((b"AIGC", text(OLD)), (b"aigc", text(OLD))),
    "xmp": flv(extra=tag(18, text(b"onXMPData") + array((b"liveXML", text(xmp.fresh(OTHER.to_json())))))),
}


@pytest.mark.parametrize("name", FLVS)
def test_flv_positions_follow_and_other_values_stay(name):
    host = FLVS[name]
    check_positions(host)
    out = metadata.write(host, LABEL)
    check_positions(out)
    assert read(out) == (Status.VALID, LABEL, 0)
    assert OTHER.produce_id.encode() not in out
    for kept in ("山".encode(), b"more", b"title", b"duration", b"times"):
        assert (kept in out) == (kept in host)
    assert files.packets(out) and metadata.write(out, LABEL) == out


@pytest.mark.parametrize("name", ["label", "long label", "two labels", "xmp"])
def test_flv_labels_of_others_are_read(name):
    assert read(FLVS[name])[:2] == (Status.VALID, OTHER)


def test_flv_counts_the_members_of_its_array():
    def count(data: bytes) -> int:
        return int.from_bytes(data[data.index(b"onMetaData") + 11:][:4], "big")
    assert count(metadata.write(FLVS["plain"], LABEL)) == count(FLVS["plain"]) + 1
    assert count(metadata.write(FLVS["label"], LABEL)) == count(FLVS["label"])
    assert count(metadata.write(FLVS["two labels"], LABEL)) == count(FLVS["two labels"]) - 1


def test_a_number_of_flv_with_a_fraction_is_no_position():
    """It stays as it is, also when the file is labelled again; a whole one beside it follows what moves."""
    host = FLVS["plain"]
    at = host.index(b"filesize") + 9
    for size, stays in ((len(host) - 0.5, True), (float(len(host)), False)):
        out = metadata.write(host[:at] + struct.pack(">d", size) + host[at + 8:], LABEL)
        place = out.index(b"filesize") + 9
        assert (out[place:place + 8] == struct.pack(">d", size)) == stays
        assert metadata.write(out, LABEL) == out and read(out) == (Status.VALID, LABEL, 0)


def test_flv_without_script_data_gets_some_in_front():
    host = flv(script=False)
    out = metadata.write(host, LABEL)
    assert out.startswith(HEAD) and out.endswith(host[len(HEAD):])
    assert read(out) == (Status.VALID, LABEL, 0)


@pytest.mark.parametrize("value", [b"\x11", b"\2\xff\xff", b"\x03" * 40, strict(b"\x0a") * 3])
def test_broken_script_data_is_refused(value):
    with pytest.raises(MalformedFile):
        metadata.write(flv((b"x", value)), LABEL)
