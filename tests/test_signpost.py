# SPDX-License-Identifier: Apache-2.0
"""Where to ask about a mark: written into manifest and XMP, read back, and never believed to be a label."""

from __future__ import annotations

import io
import json

import pytest
import soundfile

import labelkit as lk
from labelkit import metadata
from labelkit.container import XMP, Reader, scan
from labelkit.errors import InvalidArgument
from labelkit.label import Generator
from labelkit.plan import Plan
from labelkit.signpost import Signpost
from tests.media import LABEL, photo, saved
from tests.sounds import speech, wave_bytes

POST = Signpost("https://labels.example/verify?a=1&b=2", "https://labels.example/v1")
STATED = Signpost(POST.detector, POST.resolver, "org.labelkit.watermark.image.1")
QUICK = {"explicit": None}


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_manifest_and_xmp_state_it(format, signer, anchors):
    data = saved(photo(), format)
    made = lk.embed(data, label=LABEL, plan=Plan(provenance=signer, signpost=POST, **QUICK))
    report = lk.verify(made, trust=anchors)
    assert report.manifest.signpost == report.metadata.signpost == report.signpost == STATED
    layers = json.loads(report.to_json())["layers"]
    assert layers["metadata"]["evidence"]["signpost"]["detector"] == POST.detector
    plain = lk.verify(lk.embed(data, label=LABEL, plan=Plan(provenance=signer, **QUICK)), trust=anchors)
    assert plain.signpost is None and "signpost" not in plain.to_dict()["layers"]["metadata"]["evidence"]


def test_without_a_watermark_no_algorithm_is_named():
    made = lk.embed(saved(photo(), "PNG"), label=LABEL, plan=Plan(watermark=None, signpost=POST, **QUICK))
    assert lk.verify(made, layers=[lk.Layer.METADATA]).signpost == POST


def test_sound_states_it_in_the_manifest_alone(signer, anchors):
    made = lk.embed(wave_bytes(speech(8), 16_000), label=LABEL, plan=Plan(provenance=signer, signpost=POST, **QUICK))
    report = lk.verify(made, trust=anchors)
    assert report.signpost.alg == "org.labelkit.watermark.audio.1" and report.metadata.signpost is None
    ogg = io.BytesIO()
    soundfile.write(ogg, speech(8), 16_000, format="OGG")
    unsigned = lk.embed(ogg.getvalue(), label=LABEL, plan=Plan(signpost=POST, **QUICK))  # there is no place for it
    assert lk.verify(unsigned).signpost is None


def test_a_new_one_takes_the_place_of_the_old_and_all_else_stays():
    generator = Generator("Acme Image", "2")
    once = metadata.write(saved(photo(), "PNG"), LABEL, generator=generator, signpost=STATED)
    other = Signpost("https://other.example/")
    twice = metadata.write(once, LABEL, signpost=other)
    evidence = metadata.read(twice).evidence
    assert evidence.signpost == other and evidence.systems == ("Acme Image 2",)
    assert metadata.read(metadata.write(once, LABEL)).evidence.signpost == STATED  # whoever writes none, leaves it
    packet = next(slot.load() for slot in scan(Reader.of(twice)).slots if slot.kind == XMP)
    assert packet.count(b"labelkit:Detector>") == 2 and b"labelkit:Resolver" not in packet


def test_one_beside_a_label_that_is_not_valid_is_not_shown():
    made = lk.embed(saved(photo(), "JPEG"), label=LABEL, plan=Plan(watermark=None, signpost=POST, **QUICK))
    broken = made.replace(b'"Label":"1"', b'"Label":"9"')
    assert broken != made and lk.verify(made).signpost == POST
    report = lk.verify(broken)
    assert report[lk.Layer.METADATA].status is lk.Status.INVALID and report.signpost is None
    assert report.metadata.signpost == POST  # it stands there all the same


@pytest.mark.parametrize("stated", [
    b"javascript:alert(1)", b"http://labels.example/verify?a=1", b"https://labels.example/ver ify", b"",
    b"https://" + b"a" * 300, "https://标识.example/".encode()])
def test_what_makes_no_sense_is_passed_over(stated):
    svg = (b'<svg xmlns="http://www.w3.org/2000/svg"><metadata><rdf:RDF '
           b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
           b'xmlns:labelkit="http://labelkit.org/ns/signpost/1.0/"><labelkit:Detector>%s</labelkit:Detector>'
           b"</rdf:Description></rdf:RDF></metadata></svg>")
    assert metadata.read(svg % b"https://labels.example/").evidence.signpost == Signpost("https://labels.example/")
    assert metadata.read(svg % stated).evidence.signpost is None


@pytest.mark.parametrize("wrong", [
    {"detector": "http://labels.example"}, {"detector": ""}, {"detector": None}, {"detector": "https://" + "a" * 300},
    {"detector": 'https://labels.example/"'}, {"detector": "https://a", "resolver": "ftp://a"},
    {"detector": "https://a", "resolver": ""}, {"detector": "https://a", "alg": ""}])
def test_wrong_ones_are_refused(wrong):
    with pytest.raises(InvalidArgument):
        Signpost(**wrong)


def test_a_plan_without_a_place_for_it_is_refused():
    with pytest.raises(InvalidArgument, match="neither is asked for"):
        Plan(metadata=False, signpost=POST)
    with pytest.raises(InvalidArgument):
        Plan(signpost="https://labels.example")


def test_the_command_line_writes_and_shows_it(tmp_path, capsys):
    from labelkit.cli.main import main

    (tmp_path / "cat.png").write_bytes(saved(photo(), "PNG"))
    made = str(tmp_path / "out.png")
    given = ["embed", str(tmp_path / "cat.png"), "-o", made, "--producer", "acme", "--lang", "en"]
    assert main([*given, "--signpost", POST.detector, "--signpost-resolver", POST.resolver]) == 0
    capsys.readouterr()
    assert main(["verify", made, "--lang", "en"]) == 0
    assert f"  ask at      {POST.detector}, as the file states" in capsys.readouterr().out.splitlines()
    assert main([*given, "--signpost-resolver", POST.resolver]) == 2
    assert main([*given, "--signpost", "http://labels.example"]) == 2
