# SPDX-License-Identifier: Apache-2.0
"""XMP beside the label of ISO base media films: who made it, in the packet that is there or in a new one."""

from __future__ import annotations

import json
import subprocess

import pytest

import labelkit as lk
from labelkit import compliance, metadata
from labelkit.compliance import Outcome, Profile
from labelkit.errors import LabelkitError, MalformedFile
from labelkit.label import Generator
from labelkit.metadata import xmp
from labelkit.report import Status
from labelkit.signpost import Signpost
from tests import files, films
from tests.files import LABEL, OTHER, XMP_PACKET
from tests.metadata.test_mp4 import C2PA_UUID, HOSTS, WANTED, XMP_UUID, box, chunk_bytes, film, inner, table_of, walk

MADE, ALTERED = Generator("Night Painter", "2.0"), Generator("Eraser", edit="object removal")
QUICKTIME = b"\0\0\0\x18ftypqt  \0\0\2\0qt  mp42"


def as_quicktime(data: bytes) -> bytes:
    return QUICKTIME + data[len(QUICKTIME):]


def packets(data: bytes) -> list[bytes]:
    """Every packet in a film: in boxes uuid at the top, and in boxes XMP_ of the user data."""
    found = [data[a + 16:b] for kind, a, b in walk(data) if kind == b"uuid" and data[a:a + 16] == XMP_UUID]
    start, stop = inner(data, b"moov")
    for kind, a, b in walk(data, start, stop):
        rest = data[a:b].rstrip(b"\0") if kind == b"udta" else b""  # QuickTime ends user data with zeros
        found += [rest[c:d] for name, c, d in walk(rest) if name == b"XMP_"]
    return found


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("quicktime", [False, True])
def test_a_film_states_its_system_and_its_media_keep_their_places(name, quicktime):
    source = as_quicktime(HOSTS[name]) if quicktime else HOSTS[name]
    out = metadata.write(source, LABEL, generator=MADE)
    assert chunk_bytes(out, table_of(name)) == WANTED
    found = metadata.read(out)
    assert (found.status, found.label, found.evidence.systems) == (Status.VALID, LABEL, ("Night Painter 2.0",))
    assert "trainedAlgorithmicMedia" in {trace.value for trace in found.evidence.traces}
    kinds = [kind for kind, _, _ in walk(out, *inner(out, b"moov"))]
    assert len(packets(out)) == 1 and kinds.count(b"udta") == 1
    assert (b"uuid" in [kind for kind, _, _ in walk(out)]) != quicktime
    assert metadata.write(out, LABEL) == metadata.write(out, LABEL, generator=MADE) == out
    plain = metadata.write(source, LABEL)
    assert packets(plain) == [] and metadata.read(plain).evidence.systems == ()
    later = metadata.write(plain, LABEL, generator=MADE)
    assert chunk_bytes(later, table_of(name)) == WANTED and len(packets(later)) == 1
    assert metadata.read(later).label == LABEL and xmp.systems(packets(later)[0]) == ("Night Painter 2.0",)


@pytest.mark.parametrize("source", [
    film(top=(box(b"uuid", XMP_UUID, XMP_PACKET),)), film((box(b"udta", box(b"XMP_", XMP_PACKET), bytes(4)),)),
    film(top=(box(b"uuid", XMP_UUID, xmp.put(XMP_PACKET, OTHER.to_json())),), last=True),
    film(top=(box(b"uuid", XMP_UUID, xmp.state_generator(XMP_PACKET, ALTERED)),))])
def test_a_packet_that_is_there_is_added_to(source):
    out = metadata.write(source, LABEL, generator=MADE)
    packet, = packets(out)
    assert b"<dc:title>" in packet and "山 &amp; 水".encode() in packet and b"<?xpacket end" in packet
    assert xmp.systems(packet) == ("Night Painter 2.0",) and xmp.find(packet) == []
    assert metadata.read(out).label == LABEL and chunk_bytes(out) == WANTED


def test_an_empty_packet_and_one_without_properties_are_begun():
    for held in (b"", b"   \0", b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'):
        out = metadata.write(film(top=(box(b"uuid", XMP_UUID, held),)), LABEL, generator=MADE)
        assert [xmp.systems(packet) for packet in packets(out)] == [("Night Painter 2.0",)]


def test_a_packet_that_nobody_can_read_stays_for_a_signer_and_is_refused_without():
    source = film(top=(box(b"uuid", XMP_UUID, b"<x:xmpmeta"),))
    with pytest.raises(MalformedFile):
        metadata.write(source, LABEL, generator=MADE)
    assert packets(metadata.write(source, LABEL, generator=MADE, resign=True)) == [b"<x:xmpmeta"]
    assert packets(metadata.write(source, LABEL)) == [b"<x:xmpmeta"]


def test_a_signed_film_is_refused_without_a_signer():
    with pytest.raises(LabelkitError, match="would break the signature"):
        metadata.write(film(top=(box(b"uuid", C2PA_UUID, bytes(30)),)), LABEL, generator=MADE)


@pytest.mark.parametrize(("muxer", "flags"), [
    ("mp4", ""), ("mp4", "faststart"), ("mp4", "frag_keyframe+empty_moov"), ("mp4", "dash+frag_keyframe"), ("mov", ""),
    ("mov", "faststart"), ("ipod", "")])
def test_exiftool_reads_it_and_ffmpeg_plays_the_same(muxer, flags, tmp_path):
    options = (("movflags", flags),) if flags else ()
    source = files.movie(muxer, options) if muxer != "ipod" else files.movie("ipod", video="")
    out = metadata.write(source, LABEL, generator=ALTERED, signpost=Signpost("https://labels.example/verify"))
    assert files.packets(out) == files.packets(source)
    path = tmp_path / "a.bin"
    path.write_bytes(out)
    shown = json.loads(subprocess.run(["exiftool", "-j", "-n", "-G1", path], capture_output=True, check=True).stdout)[0]
    assert shown["XMP-iptcExt:DigitalSourceType"] == ALTERED.source_type
    assert "Eraser" in shown.values() and not [key for key in shown if key.endswith(("Warning", "Error"))]
    assert metadata.read(out).evidence.signpost.detector == "https://labels.example/verify"
    tail = [name for name, _, _ in walk(out)]
    assert b"mfra" not in tail or tail[-2:] == [b"uuid", b"mfra"], "mfra is looked for at the very end"


@pytest.mark.parametrize("options", [{}, {"movflags": "frag_keyframe+empty_moov"}])
def test_the_manifest_covers_the_packet(options, tmp_path, signer, anchors):
    source = films.film(tmp_path / "a.mp4", count=8, muxer=options).read_bytes()
    plan = lk.Plan(explicit=None, watermark=None, provenance=signer, generator=MADE)
    signed = lk.embed(source, label=LABEL, plan=plan)
    found = lk.verify(signed, trust=anchors)
    assert found[lk.Layer.PROVENANCE].status is Status.VALID and found.metadata.systems == ("Night Painter 2.0",)
    changed = signed.replace(b"Night Painter<", b"Night Pointer<")
    assert changed != signed and lk.verify(changed, trust=anchors)[lk.Layer.PROVENANCE].status is Status.INVALID


def test_the_rule_of_the_european_code_passes_for_a_film_without_a_manifest(tmp_path):
    source = films.film(tmp_path / "a.mp4", count=8)
    for generator, outcome in ((MADE, Outcome.PASS), (None, Outcome.FAIL)):
        target = tmp_path / "b.mp4"
        lk.embed(source, target, label=LABEL, plan=lk.Plan(explicit=None, watermark=None, generator=generator))
        results = compliance.check(lk.verify(target), Profile.EU)
        assert [one.outcome for one in results if one.rule == "system-name"] == [outcome]
        assert [one.outcome for one in results if one.rule == "machine-readable"] == [Outcome.PASS]


def test_a_film_that_is_encoded_anew_keeps_its_packet_and_gets_the_system(tmp_path):
    source = tmp_path / "a.mp4"
    source.write_bytes(films.film(tmp_path / "b.mp4", count=8).read_bytes() + box(b"uuid", XMP_UUID, XMP_PACKET))
    lk.embed(source, tmp_path / "c.mp4", label=LABEL, plan=lk.Plan(watermark=None, generator=MADE))
    packet, = packets((tmp_path / "c.mp4").read_bytes())
    assert b"<dc:title>" in packet and xmp.systems(packet) == ("Night Painter 2.0",)
