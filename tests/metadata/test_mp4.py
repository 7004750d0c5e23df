# SPDX-License-Identifier: Apache-2.0
"""The label in ISO base media films: labels of others in every place, and offsets that must move."""

import struct

import pytest

from labelkit import container, metadata
from labelkit.errors import MalformedFile, UnsupportedFormat
from labelkit.metadata import xmp
from labelkit.report import Status
from tests import files
from tests.files import LABEL, OTHER, relabelled, tool

OLD = OTHER.to_json().encode()
UTF8 = b"\0\0\0\1\0\0\0\0"
FTYP = b"\0\0\0\x18ftypisom\0\0\2\0isommp42"
MEDIA = bytes(range(256)) * 8
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind + body


def wide(kind: bytes, *parts: bytes) -> bytes:
    """A box with a 64-bit size."""
    body = b"".join(parts)
    return struct.pack(">I4sQ", 1, kind, len(body) + 16) + body


def walk(data: bytes, start: int = 0, stop: int | None = None) -> list[tuple[bytes, int, int]]:
    """(type, start of body, end) of boxes that must fill the range exactly."""
    found, stop = [], len(data) if stop is None else stop
    while start < stop:
        size, head = int.from_bytes(data[start:start + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[start + 8:start + 16], "big"), 16
        size = size or stop - start
        assert size >= head and start + size <= stop
        found.append((data[start + 4:start + 8], start + head, start + size))
        start += size
    return found


def inner(data: bytes, *path: bytes) -> tuple[int, int]:
    """Where the body of the first box under a path lies."""
    start, stop = 0, len(data)
    for kind in path:
        start, stop = next((a, b) for name, a, b in walk(data, start, stop) if name == kind)
    return start, stop


def handler(kind: bytes) -> bytes:
    return box(b"hdlr", bytes(8), kind, bytes(13))


def keyed(*pairs: tuple[bytes, bytes], full: bool = True) -> bytes:
    """A meta box of keys and values."""
    keys = box(b"keys", struct.pack(">II", 0, len(pairs)), *(box(b"mdta", name) for name, _ in pairs))
    items = (box(struct.pack(">I", index), box(b"data", UTF8, value)) for index, (_, value) in enumerate(pairs, 1))
    return box(b"meta", bytes(4 if full else 0), handler(b"mdta"), keys, box(b"ilst", *items))


def itunes(*items: bytes) -> bytes:
    return box(b"meta", bytes(4), handler(b"mdir"), box(b"ilst", *items))


def freeform(name: bytes, value: bytes) -> bytes:
    return box(b"----", box(b"mean", bytes(4), b"com.apple.iTunes"), box(b"name", bytes(4), name),
               box(b"data", UTF8, value))


TRAILER = bytes(4)  # QuickTime's end of udta
TITLE = box(b"\xa9nam", box(b"data", UTF8, b"a film"))


def film(moov: tuple[bytes, ...] = (), top: tuple[bytes, ...] = (), *, table: bytes = b"stco", wide_moov: bool = False,
         last: bool = False) -> bytes:
    """A film whose chunk table points at four places of MEDIA."""
    places = (0, 77, 512, 2047)

    def build(base: int) -> bytes:
        row = ">I" if table == b"stco" else ">Q"
        chunks = box(table, bytes(4), struct.pack(">I", 4), *(struct.pack(row, base + place) for place in places))
        trak = box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", box(b"stts", bytes(8)), chunks))))
        head = (wide if wide_moov else box)(b"moov", box(b"mvhd", bytes(100)), trak, *moov)
        mdat = box(b"mdat", MEDIA)
        return FTYP + (mdat + head + b"".join(top) if last else head + b"".join(top) + mdat)
    return build(build(0).index(MEDIA))


def chunk_bytes(data: bytes, table: bytes = b"stco") -> list[int]:
    """The media bytes that the chunk table points at."""
    start, stop = inner(data, b"moov", b"trak", b"mdia", b"minf", b"stbl", table)
    width = 4 if table == b"stco" else 8
    return [data[int.from_bytes(data[at:at + width], "big")] for at in range(start + 8, stop, width)]


WANTED = [MEDIA[0], MEDIA[77], MEDIA[512], MEDIA[2047]]
HOSTS = {
    "moov in front": film(),
    "moov at the end": film(last=True),
    "64-bit offsets": film(table=b"co64"),
    "64-bit size": film(wide_moov=True),
    "free behind": film(top=(box(b"free", bytes(600)),)),
    "free that fits": film(top=(box(b"free", bytes(292 + 16)),)),
    "free too small": film(top=(box(b"free", bytes(40)),)),
    "udta": film((box(b"udta", itunes(TITLE)),)),
    "udta with end": film((box(b"udta", box(b"\xa9cmt", b"\0\3\0\0abc"), TRAILER),)),
    "udta with a long end": film((box(b"udta", box(b"\xa9cmt", b"\0\3\0\0abc"), bytes(12)),)),
    "empty udta": film((box(b"udta"),)),
    "udta in the middle": film((box(b"udta", itunes(TITLE)), box(b"mvex", bytes(8)))),
    "keys": film((box(b"udta", keyed((b"com.x", b"1"))),)),
    "keys under moov": film((keyed((b"com.x", b"1"), full=False),)),
    "open mdat": film()[:-len(MEDIA) - 8] + b"\0\0\0\0mdat" + MEDIA,
}
LABELLED = {
    "keys": film((box(b"udta", keyed((b"a", b"1"), (b"AIGC", OLD), (b"b", b"2"))),)),
    "keys twice": film((box(b"udta", keyed((b"AIGC", OLD), (b"b", b"2"), (b"AIGC", OLD))),)),
    "keys under moov": film((keyed((b"AIGC", OLD), (b"b", b"2")),)),
    "keys in QuickTime form": film((keyed((b"b", b"2"), (b"AIGC", OLD), full=False),)),
    "iTunes freeform": film((box(b"udta", itunes(TITLE, freeform(b"AIGC", OLD))),)),
    "iTunes without name": film((box(b"udta", itunes(TITLE, box(b"\0\0\0\1", box(b"data", UTF8, OLD)))),)),
    "iTunes comment": film((box(b"udta", itunes(TITLE, box(b"\xa9cmt", box(b"data", UTF8, OTHER.to_json(
        wrapped=True).encode())))),)),
    "QuickTime comment": film((box(b"udta", box(b"\xa9cmt", b"\0\0\x55\xc4" + OTHER.to_json(wrapped=True).encode()),
                               box(b"\xa9nam", b"\0\6\x55\xc4a film"), TRAILER),)),
    "XMP uuid behind": film(top=(box(b"uuid", XMP_UUID, xmp.fresh(OTHER.to_json())),)),
    "XMP in udta": film((box(b"udta", box(b"XMP_", xmp.fresh(OTHER.to_json())), TRAILER),)),
    "two kinds": film((box(b"udta", itunes(TITLE, freeform(b"AIGC", OLD)), keyed((b"AIGC", OLD))),)),
}


def table_of(name: str) -> bytes:
    return b"co64" if name == "64-bit offsets" else b"stco"


@pytest.mark.parametrize("name", HOSTS)
def test_the_chunk_table_points_at_the_same_bytes(name):
    assert chunk_bytes(HOSTS[name], table_of(name)) == WANTED
    out = metadata.write(HOSTS[name], LABEL)
    assert chunk_bytes(out, table_of(name)) == WANTED
    finding = metadata.read(out)
    assert (finding.status, finding.label) == (Status.VALID, LABEL)
    assert OTHER.produce_id.encode() not in out


@pytest.mark.parametrize("name", HOSTS)
def test_the_label_lies_where_the_guide_puts_it(name):
    out = metadata.write(HOSTS[name], LABEL)
    start, stop = inner(out, b"moov", b"udta")
    stop -= {"udta with end": 4, "udta with a long end": 12}.get(name, 0)
    metas = [out[a:b] for kind, a, b in walk(out, start, stop) if kind == b"meta"]
    assert LABEL.to_json().encode() in metas[-1] and b"mdta" in metas[-1]


@pytest.mark.parametrize("name", ["free behind", "free that fits"])
def test_a_free_box_takes_the_growth_in(name):
    out = metadata.write(HOSTS[name], LABEL)
    assert out.index(MEDIA) == HOSTS[name].index(MEDIA) and len(out) == len(HOSTS[name])


@pytest.mark.parametrize("large", [True, False])
def test_media_of_a_large_film_move_by_whole_blocks(large, tmp_path):
    """Blocks that keep their place in a block can be shared between the files."""
    path, out, host = tmp_path / "a.mp4", tmp_path / "b.mp4", film()
    path.write_bytes(host)
    if large:  # a hole at the end, in a box of its own
        with open(path, "ab") as file:
            file.write(struct.pack(">I4s", 1 << 27, b"mdat"))
            file.truncate(file.tell() + (1 << 27) - 8)
    metadata.write_file(path, out, LABEL)
    with open(out, "rb") as file:
        head = file.read(20_000)
    moved = head.index(MEDIA) - host.index(MEDIA)
    assert moved and (moved % 4096 == 0) == large
    assert chunk_bytes(head[:head.index(MEDIA) + len(MEDIA)]) == WANTED
    metadata.write_file(out, path, OTHER)  # the room is used again
    assert path.stat().st_size == out.stat().st_size or not large
    assert metadata.read(path).label == OTHER


@pytest.mark.parametrize("name", LABELLED)
def test_a_label_of_others_gives_way_and_the_rest_stays(name):
    data = LABELLED[name]
    out = relabelled(data)
    assert chunk_bytes(out) == WANTED
    for kept in (b"a film", b"\xa9nam"):
        assert (kept in out) == (kept in data)


def test_other_keys_keep_their_values():
    out = metadata.write(LABELLED["keys"], LABEL)
    with container.opened(out) as reader:
        found = {slot.key: slot.load() for slot in container.slots(reader)}
    assert found == {"a": b"1", "AIGC": LABEL.to_json().encode(), "b": b"2"}


MAKE = (b"com.apple.quicktime.make", b"Apple")
WHERE = {"alone": (keyed(MAKE, full=False),), "behind": (box(b"udta", itunes(TITLE)), keyed(MAKE, full=False)),
         "in front": (keyed(MAKE), box(b"udta", itunes(TITLE))),
         "old label": (box(b"udta", keyed((b"AIGC", OLD))), keyed(MAKE)),
         "labelled itself": (keyed((b"AIGC", OLD), MAKE), box(b"udta", keyed((b"b", b"2"))))}


def tables(data: bytes) -> list[tuple[list[bytes], dict[int, bytes]]]:
    """Of each meta box of keys, in the order of the file: its key names, and its values by their numbers."""
    found = []
    start, stop = inner(data, b"moov")
    holders = [(start, stop)] + [(a, b) for kind, a, b in walk(data, start, stop) if kind == b"udta"]
    for kind, a, b in sorted((part for holder in holders for part in walk(data, *holder)), key=lambda part: part[1]):
        if kind == b"meta":
            parts = {name: (c, d) for name, c, d in walk(data, a + (data[a + 4:a + 8] != b"hdlr") * 4, b)}
            if b"keys" in parts:
                names = [data[c:d] for _, c, d in walk(data, parts[b"keys"][0] + 8, parts[b"keys"][1])]
                found.append((names, {int.from_bytes(data[c - 4:c], "big"): data[c + 16:d]
                                      for _, c, d in walk(data, *parts[b"ilst"])}))
    return found


@pytest.mark.parametrize("name", WHERE)
def test_items_of_two_tables_of_keys_have_numbers_that_mean_the_same_in_the_first(name):
    """By which ffmpeg and MediaInfo read those of both."""
    out = metadata.write(film(WHERE[name]), LABEL)
    (first, _), *_ = found = tables(out)
    assert len(found) == 2 and chunk_bytes(out) == WANTED
    values = [(first[number - 1], value) for _, items in found for number, value in items.items()]
    wanted = [MAKE, (b"AIGC", LABEL.to_json().encode())] + [(b"b", b"2")] * (name == "labelled itself")
    own = [(names[number - 1], value) for names, items in found for number, value in items.items()]
    assert sorted(own) == sorted(values) == sorted(wanted)
    assert metadata.read(out).label == LABEL and metadata.read(out).status is Status.VALID
    assert metadata.write(metadata.write(out, OTHER), LABEL) == out


def test_one_table_of_keys_stays_alone():
    (names, items), = tables(metadata.write(film((box(b"udta", keyed((b"com.x", b"1"))),)), LABEL))
    assert names == [b"com.x", b"AIGC"] and items == {1: b"1", 2: LABEL.to_json().encode()}


def test_iptc_and_dublin_core_in_a_uuid_box_are_kept():
    packet = xmp.put(files.XMP_PACKET, OTHER.to_json())
    out = metadata.write(film(top=(box(b"uuid", XMP_UUID, packet),)), LABEL)
    assert files.XMP_PACKET in out and chunk_bytes(out) == WANTED


def test_fragments_move_with_the_label():
    def build(base: int) -> bytes:
        head = box(b"tfhd", struct.pack(">IIQ", 1, 1, base))
        moof = box(b"moof", box(b"mfhd", bytes(8)), box(b"traf", head))
        index = box(b"sidx", struct.pack(">IIIII", 0, 1, 1000, 0, 0), bytes(4))
        moov = box(b"moov", box(b"mvhd", bytes(100)))
        before = FTYP + moov + index
        access = box(b"tfra", struct.pack(">IIII", 0, 1, 0, 1), struct.pack(">II", 0, len(before)), b"\1\1\1")
        return before + moof + box(b"mdat", MEDIA) + box(b"mfra", access)
    data = build(build(0).index(MEDIA))
    out = metadata.write(data, LABEL)
    assert out != data
    start, _ = inner(out, b"moof", b"traf", b"tfhd")
    assert int.from_bytes(out[start + 8:start + 16], "big") == out.index(MEDIA)
    start, _ = inner(out, b"mfra", b"tfra")
    assert int.from_bytes(out[start + 20:start + 24], "big") == out.index(b"moof") - 4
    assert out[inner(out, b"sidx")[0]:][:24] == data[inner(data, b"sidx")[0]:][:24]


def test_an_index_in_front_of_moov_moves_its_first_segment():
    def build(first: int) -> bytes:
        index = box(b"sidx", struct.pack(">IIIII", 0, 1, 1000, 0, first), bytes(4))
        return FTYP + index + box(b"moov", box(b"mvhd", bytes(100))) + box(b"moof", box(b"mfhd", bytes(8)))
    data = build(0)
    data = build(data.index(b"moof") - 4 - inner(data, b"sidx")[1])
    out = metadata.write(data, LABEL)
    start, stop = inner(out, b"sidx")
    assert stop + int.from_bytes(out[start + 16:start + 20], "big") == out.index(b"moof") - 4


def test_offsets_past_32_bits_are_refused():
    data = film()
    at = data.index(b"stco") + 12
    data = data[:at] + b"\xff" * 4 + data[at + 4:]
    with pytest.raises(UnsupportedFormat, match="4 GiB"):
        metadata.write(data, LABEL)


def test_a_manifest_is_not_broken():
    data = film(top=(box(b"uuid", C2PA_UUID, bytes(40)),))
    with pytest.raises(UnsupportedFormat, match="C2PA"):
        metadata.write(data, LABEL)
    assert chunk_bytes(metadata.write(data, LABEL, resign=True)) == WANTED
    assert metadata.read(data).evidence.traces[0].trace == "C2PA manifest store"


@pytest.mark.parametrize("data", [FTYP, FTYP + box(b"mdat", MEDIA), FTYP + box(b"moov", box(b"cmov", bytes(9)))])
def test_films_without_an_open_moov_are_refused(data):
    with pytest.raises(UnsupportedFormat):
        metadata.write(data, LABEL)


@pytest.mark.parametrize("data", [film()[:-1], FTYP + struct.pack(">I", 9999) + b"moov",
                                  film((box(b"udta", struct.pack(">I", 999) + b"meta"),))])
def test_boxes_longer_than_what_holds_them_are_refused(data):
    with pytest.raises(MalformedFile):
        metadata.write(data, LABEL)


@pytest.mark.parametrize(("brand", "name"), [(b"qt  ", "mov"), (b"M4A ", "m4a"), (b"isom", "mp4"), (b"mp42", "mp4")])
def test_the_brand_tells_the_format(brand, name):
    assert container.sniff(box(b"ftyp", brand, bytes(4)) + box(b"moov")).name == name


def test_quicktime_without_ftyp_is_told():
    assert container.sniff(film()[len(FTYP):]).name == "mov"


def test_lists_beside_the_one_that_counts_are_read_and_emptied():
    """exiftool reads every list of a meta box, under the keys before it, and without a handler too."""
    def listed(value: bytes) -> bytes:
        return box(b"ilst", box(struct.pack(">I", 1), box(b"data", UTF8, value)))
    keys = box(b"keys", struct.pack(">II", 0, 1), box(b"mdta", b"AIGC"))
    for parts in ((listed(b"{"), keys, listed(OLD)), (keys, listed(OLD)), (handler(b"mdta"), keys, listed(OLD),
                                                                         listed(b"a cat"))):
        host = film((box(b"udta", box(b"meta", bytes(4), *parts)),))
        assert OTHER.produce_id in tool("exiftool", "-a", "-", data=host)
        found = metadata.read(host)
        assert found.label == OTHER or found.status is Status.INVALID
        out = metadata.write(host, LABEL)
        found = metadata.read(out)
        assert (found.status, found.label, len(found.evidence.carriers)) == (Status.VALID, LABEL, 1)
        assert OTHER.produce_id.encode() not in out and chunk_bytes(out) == WANTED


def test_a_list_under_other_keys_is_no_label():
    keys = box(b"keys", struct.pack(">II", 0, 1), box(b"mdta", b"title"))
    items = box(b"ilst", box(struct.pack(">I", 1), box(b"data", UTF8, b"a cat")))
    host = film((box(b"udta", box(b"meta", bytes(4), keys, items)),))
    assert metadata.read(host).status is Status.ABSENT
    assert items in metadata.write(host, LABEL)
