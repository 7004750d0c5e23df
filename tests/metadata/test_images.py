# SPDX-License-Identifier: Apache-2.0
"""The label in JPEG, PNG and WebP: written once, read back here and by exiftool, older labels gone."""

import io
import json
import struct
import zlib

import pytest

from labelkit import metadata
from labelkit.errors import InvalidArgument, LabelkitError, MalformedFile, OutputFailed, UnsupportedFormat
from labelkit.label import Kind
from labelkit.metadata import xmp
from labelkit.report import Layer, Status
from tests import files
from tests.files import LABEL, OTHER

HOSTS = {
    "jpeg": files.picture("JPEG", quality=90),
    "png": files.picture("PNG"),
    "png alpha": files.picture("PNG", "RGBA"),
    "webp": files.picture("WEBP", quality=80),
    "webp alpha": files.picture("WEBP", "RGBA", lossless=True),
}
OLD, WRAPPED = OTHER.to_json().encode(), OTHER.to_json(wrapped=True).encode()


def app1(packet: bytes) -> bytes:
    return files.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)


def app_exif(**texts: object) -> bytes:
    return files.segment(0xE1, b"Exif\0\0" + files.exif(**texts))


def itxt(key: bytes, text: bytes) -> bytes:
    return files.chunk(b"iTXt", key + b"\0\0\0\0\0" + text)


def raw_profile(name: bytes, body: bytes) -> bytes:
    """A profile as ImageMagick 6 keeps it."""
    digits = b"\n".join(body.hex().encode()[at:at + 72] for at in range(0, 2 * len(body), 72))
    return files.chunk(b"zTXt", b"Raw profile type " + name + b"\0\0" + zlib.compress(
        b"\n%s\n%8d\n%s\n" % (name, len(body), digits)))


COMMENT = b"ASCII\0\0\0"
LABELLED = {
    "jpeg xmp": files.jpeg_with(app1(xmp.fresh(OTHER.to_json()))),
    "jpeg user comment": files.jpeg_with(app_exif(comment=COMMENT + WRAPPED)),
    "jpeg user comment utf-16": files.jpeg_with(app_exif(comment=b"UNICODE\0" + WRAPPED.decode().encode("utf-16-le"))),
    "jpeg description": files.jpeg_with(app_exif(description=WRAPPED + b"\0", order=">")),
    "jpeg app": files.jpeg_with(files.segment(0xEB, b"AIGC" + OLD)),
    "jpeg comment": files.jpeg_with(files.segment(0xFE, WRAPPED)),
    "png xmp": files.png_with(itxt(b"XML:com.adobe.xmp", xmp.fresh(OTHER.to_json()))),
    "png tEXt": files.png_with(files.chunk(b"tEXt", b"AIGC\0" + OLD)),
    "png iTXt": files.png_with(itxt(b"AIGC", WRAPPED)),
    "png zTXt": files.png_with(files.chunk(b"zTXt", b"AIGC\0\0" + zlib.compress(OLD))),
    "png behind pixels": files.png_with(files.chunk(b"tEXt", b"AIGC\0" + OLD), at_end=True),
    "png foreign key": files.png_with(files.chunk(b"tEXt", b"Comment\0" + WRAPPED)),
    "png raw xmp": files.png_with(raw_profile(b"xmp", xmp.fresh(OTHER.to_json()))),
    "png raw exif": files.png_with(raw_profile(b"exif", b"Exif\0\0" + files.exif(b"a cat\0", COMMENT + WRAPPED))),
    "png exif": files.png_with(files.chunk(b"eXIf", files.exif(comment=COMMENT + WRAPPED))),
    "webp xmp": files.picture("WEBP", xmp=xmp.fresh(OTHER.to_json())),
    "png exif with its lead": files.png_with(files.chunk(b"eXIf", b"Exif\0\0" + files.exif(comment=COMMENT + WRAPPED))),
    "webp exif": files.picture("WEBP", exif=b"Exif\0\0" + files.exif(comment=COMMENT + WRAPPED)),
}


@pytest.mark.parametrize("name", HOSTS)
def test_the_label_reads_back_and_pixels_stay(name):
    out = metadata.write(HOSTS[name], LABEL)
    finding = metadata.read(out)
    assert (finding.layer, finding.status, finding.label) == (Layer.METADATA, Status.VALID, LABEL)
    assert finding.evidence.duplicates == 0 and not finding.evidence.carriers[0].deviations
    assert (files.decoded(out) == files.decoded(HOSTS[name])).all()


@pytest.mark.parametrize("name", HOSTS)
def test_exiftool_reads_the_label(name):
    assert files.exiftool_label(metadata.write(HOSTS[name], LABEL)) == LABEL.to_json()


@pytest.mark.parametrize("name", HOSTS)
def test_a_plain_file_has_no_label(name):
    finding = metadata.read(HOSTS[name])
    assert (finding.status, finding.label) == (Status.ABSENT, None)
    assert finding.evidence.carriers == () and finding.evidence.traces == ()


@pytest.mark.parametrize("name", HOSTS)
def test_writing_again_replaces_the_label(name):
    first = metadata.write(HOSTS[name], OTHER)
    assert metadata.write(first, LABEL) == metadata.write(HOSTS[name], LABEL)
    assert metadata.write(first, OTHER) == first


@pytest.mark.parametrize("name", LABELLED)
def test_a_label_of_others_is_read_with_its_place(name):
    data = LABELLED[name]
    finding = metadata.read(data)
    assert (finding.status, finding.label) == (Status.VALID, OTHER)
    carrier, = finding.evidence.carriers
    unit = data[carrier.offset_bytes:carrier.offset_bytes + carrier.length_bytes]
    assert b"AIGC" in unit.replace(b"\0", b"") or b"Raw profile type" in unit
    json.dumps(finding.evidence_dict())


@pytest.mark.parametrize("name", LABELLED)
def test_a_label_of_others_gives_way_to_ours(name):
    out = metadata.write(LABELLED[name], LABEL)
    finding = metadata.read(out)
    assert (finding.status, finding.label) == (Status.VALID, LABEL)
    assert len(finding.evidence.carriers) == 1
    assert OTHER.produce_id.encode() not in out.replace(b"\0", b"")
    assert (files.decoded(out) == files.decoded(LABELLED[name])).all()


def test_a_raw_profile_that_stays_is_written_as_it_was():
    out = metadata.write(LABELLED["png raw exif"], LABEL)
    block = b"Exif\0\0" + files.exif(b"a cat\0", COMMENT + bytes(len(WRAPPED)))
    assert raw_profile(b"exif", block) in out


def test_exif_keeps_its_length_and_its_other_values():
    data = files.jpeg_with(app_exif(description=b"a cat\0", software=b"Camera 1.0\0", comment=COMMENT + WRAPPED))
    before, after = files.jpeg_segments(data)[1], files.jpeg_segments(metadata.write(data, LABEL))[1]
    assert len(after) == len(before)
    assert after == before.replace(WRAPPED, bytes(len(WRAPPED)))
    assert files.tool("exiftool", "-b", "-ImageDescription", "-", data=metadata.write(data, LABEL)) == "a cat"


def test_members_beside_the_label_in_exif_are_kept():
    text = b'{"app": "x", "AIGC": ' + OLD + b"}\0"
    out = metadata.write(files.jpeg_with(app_exif(description=text)), LABEL)
    assert b'{"app":"x"}\0' in out and OTHER.produce_id.encode() not in out


def test_other_metadata_stays_byte_for_byte():
    parts = [app_exif(description=b"a cat\0"), files.segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(300)),
             files.segment(0xFE, b"made by hand"), files.segment(0xED, b"Photoshop 3.0\0" + bytes(40))]
    out = files.jpeg_segments(metadata.write(files.jpeg_with(*parts), LABEL))
    assert [part for part in out if b"ns.adobe.com/xap" not in part] == files.jpeg_segments(files.jpeg_with(*parts))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packet_first", [True, False])
def test_further_pictures_behind_a_jpeg_are_found_where_its_table_says(order, packet_first):
    second = files.picture("JPEG", quality=30)
    packet = app1(files.XMP_PACKET)

    def table(size: int, offset: int) -> bytes:
        rows = struct.pack(order + "IIIHH", 0x20030000, size, 0, 0, 0) + struct.pack(
            order + "IIIHH", 0, len(second), offset, 0, 0)
        head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 1)
        body = head + struct.pack(order + "HHII", 0xB002, 7, len(rows), 26) + bytes(4) + rows
        return files.segment(0xE2, b"MPF\0" + body)
    parts = [packet, table(0, 0)] if packet_first else [table(0, 0), packet]
    first = files.jpeg_with(*parts)
    place = first.index(b"MPF\0") + 4
    first = first.replace(table(0, 0), table(len(first), len(first) - place))
    out = metadata.write(first + second, LABEL)
    place = out.index(b"MPF\0") + 4
    size, = struct.unpack(order + "I", out[place + 30:place + 34])
    offset, = struct.unpack(order + "I", out[place + 50:place + 54])
    assert out[:size] == out[:-len(second)] and out[place + offset:] == second
    assert metadata.read(out).label == LABEL


def test_stray_bytes_between_segments_stay_where_they_are():
    stray = b"\0\0stray\xff\0\xff\xff"
    data = files.jpeg_with(files.segment(0xFE, b"made by hand") + stray)
    out = metadata.write(data, LABEL)
    assert b"made by hand" + stray in out and metadata.read(out).label == LABEL
    assert (files.decoded(out) == files.decoded(data)).all()


def test_an_existing_packet_is_merged():
    out = metadata.write(files.png_with(itxt(b"XML:com.adobe.xmp", files.XMP_PACKET)), LABEL)
    packets = [part for part in files.png_chunks(out) if b"XML:com.adobe.xmp" in part]
    assert len(packets) == 1 and "山 &amp; 水".encode() in packets[0]
    assert files.tool("exiftool", "-b", "-XMP-dc:Title", "-", data=out) == "山 & 水"
    assert files.exiftool_label(out) == LABEL.to_json()


def test_a_broken_packet_is_not_overwritten():
    with pytest.raises(MalformedFile):
        metadata.write(files.png_with(itxt(b"XML:com.adobe.xmp", b"<x:xmpmeta>")), LABEL)


def test_a_label_in_an_empty_propagator_form_is_valid_with_its_deviations():
    value = '{"Label":"1","ContentProducer":"001191110102MACQD9K64010000","ProduceID":"cc75","ReservedCode1":"",' \
            '"ContentPropagator":"","PropagateID":"","ReservedCode2":""}'
    finding = metadata.read(files.png_with(itxt(b"XML:com.adobe.xmp", xmp.fresh(value))))
    assert finding.status is Status.VALID and finding.label.kind is Kind.GENERATED
    assert finding.label.content_propagator == ""
    assert finding.evidence.producer == "ByteDance (Doubao)"
    assert {found.field for found in finding.evidence.carriers[0].deviations} == {
        "ContentPropagator", "PropagateID"}


def test_two_equal_labels_are_one_statement_and_counted():
    data = files.png_with(files.chunk(b"tEXt", b"AIGC\0" + OLD), itxt(b"XML:com.adobe.xmp", xmp.fresh(OTHER.to_json())))
    finding = metadata.read(data)
    assert (finding.status, finding.label, finding.evidence.duplicates) == (Status.VALID, OTHER, 1)
    assert "it stands 2 times in the file" in str(finding.summary)
    alone = metadata.read(files.png_with(files.chunk(b"tEXt", b"AIGC\0" + OLD)))
    assert "times in the file" not in str(alone.summary)


def test_two_labels_that_differ_are_invalid_and_the_fields_named():
    data = files.png_with(files.chunk(b"tEXt", b"AIGC\0" + OLD), itxt(b"XML:com.adobe.xmp", xmp.fresh(LABEL.to_json())))
    finding = metadata.read(data)
    assert (finding.status, finding.label) == (Status.INVALID, None)
    assert "ProduceID" in {found.field for found in finding.evidence.disagreements}
    assert "differ" in str(finding.summary)


@pytest.mark.parametrize("text", [b"", b"{}", b"lost", b'{"Label":"1"', b'{"Label":"9","ProduceID":"1"}',
                                  b'{"Label":"1","ContentProducer":"x"}'])
def test_the_shell_of_a_label_is_invalid_never_absent(text):
    assert metadata.read(files.png_with(files.chunk(b"tEXt", b"AIGC\0" + text))).status is Status.INVALID


@pytest.mark.parametrize("text", [b"AIGC is a word", b'{"label": "AIGC"}', b'{"AIGC": 1}',
                                  b'{"ProduceID": "1"}', b"see ContentProducer"])
def test_a_comment_about_aigc_is_no_label(text):
    assert metadata.read(files.png_with(files.chunk(b"tEXt", b"Comment\0" + text))).status is Status.ABSENT


def c2pa() -> bytes:
    box = b"\0\0\0\x28jumb\0\0\0\x20jumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0"
    return files.segment(0xEB, b"JP\0\1\0\0\0\1" + box)


def test_a_manifest_is_not_broken_unless_a_new_signature_follows():
    signed = files.jpeg_with(c2pa())
    with pytest.raises(UnsupportedFormat, match="C2PA") as caught:
        metadata.write(signed, LABEL)
    assert caught.value.hint
    assert metadata.read(metadata.write(signed, LABEL, resign=True)).label == LABEL


def test_file_to_file_gives_the_same_bytes(tmp_path):
    source, target = tmp_path / "a.jpg", tmp_path / "b.jpg"
    source.write_bytes(HOSTS["jpeg"])
    metadata.write_file(source, target, LABEL)
    assert target.read_bytes() == metadata.write(HOSTS["jpeg"], LABEL)
    assert source.read_bytes() == HOSTS["jpeg"]
    metadata.write_file(source, source, LABEL)
    assert source.read_bytes() == target.read_bytes()


def test_a_refused_file_leaves_no_target(tmp_path):
    with pytest.raises(LabelkitError):
        metadata.write_file(io.BytesIO(b"no picture at all"), tmp_path / "b.jpg", LABEL)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_label_is_refused():
    with pytest.raises(InvalidArgument):
        metadata.write(HOSTS["png"], LABEL.fields())


def test_an_unwritable_target_is_an_error(tmp_path):
    with pytest.raises(OutputFailed):
        metadata.write_file(HOSTS["png"], tmp_path / "missing" / "b.png", LABEL)
