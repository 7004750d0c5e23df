# SPDX-License-Identifier: Apache-2.0
"""The generating system as files state it: IPTC properties in XMP, actions and an AI disclosure in the manifest."""

from __future__ import annotations

import datetime
import io
import json
import subprocess
import xml.etree.ElementTree as ElementTree

import c2pa
import pytest

import labelkit as lk
from labelkit import metadata
from labelkit.errors import InvalidArgument, UnsupportedFormat
from labelkit.metadata import xmp
from labelkit.plan import Generator, Plan
from labelkit.provenance import Claim, sign
from tests import files
from tests.media import LABEL, photo, saved

IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
MADE = Generator("Night Painter", "2.0", datetime.datetime(2026, 3, 4, tzinfo=datetime.UTC), "pkg:generic/painter@2.0")
ALTERED = Generator("Eraser & Co", edit="object removal")
PLAIN = {"explicit": None, "watermark": None}


def iptc(packet: bytes) -> dict[str, str]:
    tree = ElementTree.fromstring(packet[packet.index(b"<x:xmpmeta"):packet.rindex(b"</x:xmpmeta>") + 12])
    return {one.tag.removeprefix(IPTC): one.text for one in tree.iter() if one.tag.startswith(IPTC)}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF"])
def test_pictures_name_system_and_source_beside_their_label(format):
    source = saved(photo(64, 96), format)
    stated = metadata.write(source, LABEL, generator=MADE)
    found = metadata.read(stated)
    assert found.label == LABEL and found.evidence.systems == ("Night Painter 2.0",)
    assert b"digitalsourcetype/trainedAlgorithmicMedia<" in stated
    plain = metadata.write(source, LABEL)
    assert metadata.read(plain).evidence.systems == () and b"DigitalSourceType" not in plain


def test_without_a_signer_xmp_alone_states_the_generator():
    plan = Plan(generator=Generator("Night Painter", "2.0"), **PLAIN)
    marked = lk.embed(saved(photo(64, 96), "JPEG"), label=LABEL, plan=plan)
    assert metadata.read(marked).evidence.systems == ("Night Painter 2.0",)
    with pytest.raises(UnsupportedFormat, match="wav has no XMP in which the generator could be stated"):
        lk.embed(files.sound("WAV"), label=LABEL, plan=plan)
    with pytest.raises(InvalidArgument, match="neither is asked for"):
        Plan(generator=Generator("Night Painter"), metadata=False)
    with pytest.raises(InvalidArgument, match="which needs a signer"):
        Plan(generator=MADE)


def test_what_was_altered_is_composite_and_replaces_what_stood_there():
    packet = xmp.state_generator(xmp.fresh(LABEL.to_json()), MADE)
    assert iptc(packet) == {"DigitalSourceType": MADE.source_type, "AISystemUsed": "Night Painter",
                            "AISystemVersionUsed": "2.0"}
    again = xmp.state_generator(packet, ALTERED)
    assert iptc(again) == {"DigitalSourceType": ALTERED.source_type, "AISystemUsed": "Eraser & Co"}
    assert ALTERED.source_type.endswith("/compositeWithTrainedAlgorithmicMedia")
    as_attribute = packet.replace(b"<rdf:Description rdf:about=\"\" xmlns:TC260", b'<rdf:Description rdf:about="" '
                                  b'xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" i:AISystemUsed="Old" '
                                  b"xmlns:TC260")
    assert "Old" in xmp.systems(as_attribute)[0] and b"Old" not in xmp.state_generator(as_attribute, ALTERED)
    assert [one.value for one in xmp.find(again)] == [LABEL.to_json()]
    assert xmp.state_generator(packet, MADE) == packet, "nothing is left of what is stated again"
    beside = packet.replace(b"<Iptc4xmpExt:AISystemUsed", b"<Iptc4xmpExt:Event>x</Iptc4xmpExt:Event>"
                            b"<Iptc4xmpExt:AISystemUsed")
    assert b"Event>x<" in xmp.state_generator(beside, ALTERED)
    nested = packet.replace(b"Night Painter", b'<Iptc4xmpExt:AISystemUsed Iptc4xmpExt:AISystemUsed="b">c'
                            b"</Iptc4xmpExt:AISystemUsed>")
    assert iptc(xmp.state_generator(nested, MADE)) == iptc(packet)


def test_exiftool_reads_them(tmp_path):
    (tmp_path / "a.jpg").write_bytes(metadata.write(saved(photo(64, 96), "JPEG"), LABEL, generator=MADE))
    shown = json.loads(subprocess.run(["exiftool", "-j", "-n", "-G1", tmp_path / "a.jpg"], capture_output=True,
                                      check=True).stdout)[0]
    assert shown["XMP-iptcExt:DigitalSourceType"] == MADE.source_type
    assert "Night Painter" in shown.values() and "2.0" in map(str, shown.values())


def manifest(data: bytes) -> dict:
    store = json.loads(c2pa.Reader("image/png", io.BytesIO(data)).crjson())
    return store["manifests"][0]


def test_each_manifest_says_by_which_specification_and_that_actions_may_be_missing(signer):
    made = sign(saved(photo(64, 96), "PNG"), Claim(LABEL), signer)
    again = sign(made, Claim(lk.Label(LABEL.kind, "acme", "2")), signer)
    for data, first in ((made, "c2pa.created"), (again, "c2pa.opened")):
        found = manifest(data)
        info = found["claim.v2"]["claim_generator_info"]
        assert (info[0] if isinstance(info, list) else info)["specVersion"] == "2.4.0"
        actions = found["assertions"]["c2pa.actions.v2"]
        assert actions["allActionsIncluded"] is False and actions["actions"][0]["action"] == first
    assert [one["action"] for one in actions["actions"]] == ["c2pa.opened", "c2pa.edited.metadata"]


def test_the_manifest_names_model_and_kind_of_edit(signer, anchors):
    files = {name: lk.embed(saved(photo(64, 96), "PNG"), label=LABEL,
                            plan=Plan(provenance=signer, generator=generator, **PLAIN))
             for name, generator in (("made", MADE), ("altered", ALTERED), ("unsaid", None))}
    seen = {name: lk.verify(data, trust=anchors).manifest for name, data in files.items()}
    assert seen["made"].disclosures[0].model_identifier == MADE.model and seen["made"].edits == ()
    assert seen["altered"].edits == ("object removal",) and seen["altered"].disclosures == ()
    assert seen["altered"].generator == "Eraser & Co" and seen["altered"].ai_generated
    assert manifest(files["made"])["assertions"]["c2pa.ai-disclosure"] == {
        "modelType": "c2pa.types.model", "modelName": "Night Painter", "modelIdentifier": MADE.model}
    assert "c2pa.ai-disclosure" not in manifest(files["unsaid"])["assertions"]
    stated = {name: manifest(data)["assertions"].get("cawg.metadata") for name, data in files.items()}
    assert stated["made"] == {
        "@context": {"Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"},
        "Iptc4xmpExt:DigitalSourceType": MADE.source_type, "Iptc4xmpExt:AISystemUsed": "Night Painter",
        "Iptc4xmpExt:AISystemVersionUsed": "2.0"}
    assert stated["altered"]["Iptc4xmpExt:DigitalSourceType"] == ALTERED.source_type and stated["unsaid"] is None


def test_a_later_edit_is_stated_over_the_first_manifest(signer, anchors):
    made = lk.embed(saved(photo(64, 96), "PNG"), label=LABEL, plan=Plan(provenance=signer, generator=MADE, **PLAIN))
    altered = lk.embed(made, label=lk.Label(LABEL.kind, LABEL.content_producer, "2"), replace=True,
                       plan=Plan(provenance=signer, generator=ALTERED, **PLAIN))
    found = lk.verify(altered, trust=anchors)
    assert found[lk.Layer.PROVENANCE].status is lk.Status.VALID
    assert (found.manifest.edits, found.manifest.disclosures[0].model_name) == (("object removal",), "Night Painter")


@pytest.mark.parametrize("facts", [{"model": "a\nb"}, {"edit": "x" * 129}, {"model": None}])
def test_facts_that_cannot_be_stated_are_refused(facts):
    with pytest.raises(InvalidArgument, match="of the generator is a text of 0 to 128 printable characters"):
        Generator("Painter", **facts)
