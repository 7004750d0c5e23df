# SPDX-License-Identifier: Apache-2.0
"""XMP of more than 64 kB in JPEG: read where its digest fits, and written so that other programs find all of it."""

import hashlib
import json
import re
import struct

import pytest

from labelkit import container, metadata
from labelkit.errors import LabelkitError, LimitExceeded
from labelkit.metadata import xmp
from labelkit.report import Status
from tests import files
from tests.files import LABEL, OTHER

MARK = b"http://ns.adobe.com/xmp/extension/\0"
LONG = "山水" * 30_000
RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'


def packet(body: str, more: str = "", padding: int = 0) -> bytes:
    """A packet whose properties are `body`; the prefixes are declared at different heights."""
    return (f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/" '
            f'xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:RDF {RDF} xmlns:xmp="http://ns.adobe.com/xap/1.0/">'
            f'<rdf:Description rdf:about="uuid:1" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" {more}>{body}'
            f'</rdf:Description></rdf:RDF></x:xmpmeta>{" " * padding}<?xpacket end="w"?>').encode()


def note(digest: bytes) -> str:
    return f'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="{digest.decode()}"'


def extension(text: str) -> bytes:
    return (f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {RDF}><rdf:Description rdf:about="" xmlns:photoshop='
            f'"http://ns.adobe.com/photoshop/1.0/">{text}</rdf:Description></rdf:RDF></x:xmpmeta>').encode()


def digest_of(data: bytes) -> bytes:
    return hashlib.md5(data).hexdigest().upper().encode()


def pieces(data: bytes, digest: bytes | None = None, size: int = 40_000, total: int | None = None) -> list[bytes]:
    return [files.segment(0xE1, MARK + (digest or digest_of(data)) + struct.pack(
        ">II", len(data) if total is None else total, at) + data[at:at + size]) for at in range(0, len(data), size)]


def picture(main: bytes | None, *segments: bytes) -> bytes:
    app1 = [files.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + main)] if main else []
    return files.jpeg_with(*app1, *segments, files.segment(0xFE, b"a comment"))


HISTORY = f"<photoshop:History>{LONG}</photoshop:History>"
EXTENDED = picture(packet("<dc:format>image/jpeg</dc:format>", note(digest_of(extension(HISTORY)))),
                   *pieces(extension(HISTORY)))
LABELLED_EXTENSION = extension(HISTORY + f'<a:AIGC xmlns:a="{xmp.NAMESPACE}">{OTHER.to_json()}</a:AIGC>')


def parts(data: bytes) -> tuple[bytes, bytes]:
    """The packet and the extension that it names, joined here without the library."""
    segments = files.jpeg_segments(data)
    mains = [one[33:] for one in segments if one[4:].startswith(b"http://ns.adobe.com/xap/1.0/\0")]
    assert len(mains) == 1 and len(mains[0]) <= 65_502
    named = re.search(rb'HasExtendedXMP(?:="|>)([0-9A-F]{32})', mains[0])
    rows = [one[4 + len(MARK):] for one in segments if one[4:].startswith(MARK)]
    assert all(row[:32] == named[1] for row in rows) and bool(named) == bool(rows)
    whole = b"".join(row[40:] for row in sorted(rows, key=lambda row: row[36:40]))
    assert all(row[32:36] == struct.pack(">I", len(whole)) for row in rows)
    assert not named or digest_of(whole) == named[1]
    return mains[0], whole


def others(data: bytes) -> list[bytes]:
    """The segments that are no XMP, and the picture."""
    return [one for one in files.jpeg_segments(data) if b"http://ns.adobe.com/x" not in one[4:25]]


def shown(data: bytes) -> dict:
    """What exiftool shows of the XMP and the rest, the label and the link aside."""
    found = json.loads(files.tool("exiftool", "-j", "-struct", "-G1", "-All:All", "-", data=data))[0]
    return {name: value for name, value in found.items() if not re.search("Aigc|ExtendedXMP|File|ExifTool", name)}


def test_an_extension_is_read_in_whatever_order_it_lies():
    rows = pieces(LABELLED_EXTENSION)
    for ordered in (rows, rows[::-1]):
        main = packet("", note(digest_of(LABELLED_EXTENSION)))
        assert metadata.read(picture(main, *ordered)).label == OTHER


def test_the_extension_that_the_packet_names_is_the_one():
    stale = extension("<photoshop:City>x</photoshop:City>")
    main = packet("", note(digest_of(LABELLED_EXTENSION).lower()))
    assert metadata.read(picture(main, *pieces(stale), *pieces(LABELLED_EXTENSION))).label == OTHER
    found = metadata.read(picture(packet("", note(digest_of(stale))), *pieces(stale), *pieces(LABELLED_EXTENSION)))
    assert found.status is Status.UNCHECKED and found.label is None and len(found.missed) == 1


@pytest.mark.parametrize(("segments", "problem"), [
    (pieces(LABELLED_EXTENSION, b"0" * 32), "checksum"),
    (pieces(LABELLED_EXTENSION)[1:], "bytes wanted"),
    (pieces(LABELLED_EXTENSION)[:-1], "bytes wanted"),
    (pieces(LABELLED_EXTENSION) + pieces(LABELLED_EXTENSION)[:1], "bytes wanted"),
    (pieces(LABELLED_EXTENSION, total=0xFFFFFFFF), "bytes wanted"),
])
def test_a_broken_extension_is_reported_and_left_alone(segments, problem):
    data = picture(packet("", note(digest_of(LABELLED_EXTENSION))), *segments)
    finding = metadata.read(data)
    assert finding.status is Status.ABSENT
    assert [one.slot for one in finding.evidence.unread] == ["ExtendedXMP"]
    assert problem in finding.evidence.unread[0].problem
    out = metadata.write(data, LABEL)
    assert metadata.read(out).label == LABEL and all(one in out for one in segments)


def test_a_segment_too_short_for_its_fields_is_passed_over():
    data = picture(None, files.segment(0xE1, MARK + b"0" * 39))
    assert metadata.read(metadata.write(data, LABEL)).label == LABEL


def test_an_extension_stays_as_it_is_where_it_has_nothing_to_do_with_the_label():
    main, whole = parts(metadata.write(EXTENDED, LABEL))
    assert whole == extension(HISTORY)
    assert [one.value for one in xmp.find(main)] == [LABEL.to_json()]


@pytest.mark.parametrize("main", [packet("<dc:format>image/jpeg</dc:format>", note(digest_of(LABELLED_EXTENSION))),
                                  packet(f'<a:AIGC xmlns:a="{xmp.NAMESPACE}">{{}}</a:AIGC>',
                                         note(digest_of(LABELLED_EXTENSION)))])
def test_a_label_in_the_extension_is_taken_out_and_the_link_follows(main):
    data = picture(main, *pieces(LABELLED_EXTENSION))
    out = metadata.write(data, LABEL)
    main, whole = parts(out)
    assert whole == extension(HISTORY)
    assert [one.value for one in xmp.find(main)] == [LABEL.to_json()]
    assert metadata.write(out, LABEL) == out
    assert others(out) == others(data) and (files.decoded(out) == files.decoded(data)).all()


@pytest.mark.parametrize("named,follows", [(digest_of(LABELLED_EXTENSION), True), (digest_of(b"another"), False)])
def test_the_link_follows_in_a_packet_with_an_odd_header_too(named, follows):
    main = packet("<dc:format>image/jpeg</dc:format>", note(named))
    odd = files.segment(0xE1, b"http://ns.adobe.com/xap/1.0/ \0" + main)
    out = metadata.write(files.jpeg_with(odd, *pieces(LABELLED_EXTENSION)), LABEL)
    new = digest_of(extension(HISTORY))
    assert odd.replace(named, new if follows else named) in out
    assert MARK + new in out and MARK + digest_of(LABELLED_EXTENSION) not in out
    assert metadata.write(out, LABEL) == out and metadata.read(out).label == LABEL


def test_a_label_in_an_extension_that_no_packet_names():
    out = metadata.write(picture(None, *pieces(LABELLED_EXTENSION)), LABEL)
    assert metadata.read(out).label == LABEL and OTHER.produce_id.encode() not in out


CITY = "<photoshop:City>Suzhou</photoshop:City>"
FULL = packet(f"<dc:source>{'a' * 40_000}</dc:source>{CITY}<photoshop:Credit>{'b' * 24_750}</photoshop:Credit>",
              'photoshop:Headline="news"')


@pytest.mark.parametrize("data", [
    pytest.param(picture(FULL), id="none"),
    pytest.param(picture(FULL.replace(b'Headline="news"', b'Headline="news" ' + note(
        digest_of(extension(HISTORY))).encode()), *pieces(extension(HISTORY))), id="one"),
])
def test_what_does_not_fit_moves_into_the_extension(data):
    assert 65_502 - 260 < len(FULL) < 65_300
    out = metadata.write(data, LABEL)
    main, whole = parts(out)
    assert [one.value for one in xmp.find(main)] == [LABEL.to_json()]
    assert CITY.encode() in main and b"news" in main and b"bbb" in main
    assert b"a" * 40_000 in whole and (HISTORY.encode() in whole) == (b"History" in data)
    assert others(out) == others(data) and (files.decoded(out) == files.decoded(data)).all()
    assert metadata.write(out, LABEL) == out
    again = metadata.write(out, OTHER)
    assert metadata.read(again).label == OTHER and parts(again)[1] == whole


def test_padding_goes_before_properties_move():
    data = picture(packet(f"<dc:source>{'a' * 60_000}</dc:source>", padding=4000))
    main, whole = parts(metadata.write(data, LABEL))
    assert whole == b"" and b"a" * 60_000 in main


@pytest.mark.parametrize("main", [
    packet("", f'dc:source="{"a" * 64_950}"'),
    FULL.replace(b"<dc:source>aaaa", b"<!-- xmpNote:HasExtendedXMP=\"" + b"0" * 32 + b"\" --><dc:source>")])
def test_a_packet_that_cannot_be_made_to_fit_is_refused(main):
    with pytest.raises(LimitExceeded, match="JPEG segment"):
        metadata.write(picture(main), LABEL)


@pytest.mark.parametrize("data", [EXTENDED, picture(FULL)])
def test_exiftool_finds_all_of_it_again(data):
    out = metadata.write(data, LABEL)
    assert files.exiftool_label(out) == LABEL.to_json()
    before, after = shown(data), shown(out)
    assert before and before == after


def test_an_extension_that_exiftool_wrote(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(files.jpeg_with())
    (tmp_path / "text").write_text("x" * 90_000)
    files.tool("exiftool", "-q", f"-XMP-photoshop:Headline<={tmp_path / 'text'}", "-XMP-dc:Title=t", str(path))
    data = path.read_bytes()
    assert MARK in data
    out = metadata.write(data, LABEL)
    assert shown(out) == shown(data) and files.exiftool_label(out) == LABEL.to_json()
    assert parts(out)[1] == parts(data)[1]


def test_segments_of_many_extensions_are_bounded():
    data = picture(None, *[files.segment(0xE1, MARK + b"%032d" % number + bytes(8)) for number in range(3000)])
    assert len([slot for slot in container.slots(data) if slot.name == "ExtendedXMP"]) == 1
    with pytest.raises(LabelkitError):
        next(slot for slot in container.slots(data) if slot.name == "ExtendedXMP").load()
