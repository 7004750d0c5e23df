# SPDX-License-Identifier: Apache-2.0
"""AI traces: found with their place, and weaker than a label."""

import pytest

from labelkit import metadata
from labelkit.report import Status
from tests import files
from tests.metadata.test_mp4 import box, film

SETTINGS = b"a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"
GROK = b"3f2504e0-4f89-41d3-9a0c-0305e82c3301\0"
GRAPH = b'{"3": {"class_type": "KSampler", "inputs": {"seed": 1}}}'


def packet(inside: str) -> bytes:
    return files.XMP_PACKET.replace(b"</rdf:RDF>", inside.encode() + b"</rdf:RDF>")


def source_type(term: str) -> bytes:
    return packet('<rdf:Description xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" e:DigitalSourceType='
                  f'"http://cv.iptc.org/newscodes/digitalsourcetype/{term}"/>')


def text(key: bytes, value: bytes) -> bytes:
    return files.png_with(files.chunk(b"tEXt", key + b"\0" + value))


def xmp(body: bytes) -> bytes:
    return files.jpeg_with(files.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + body))


def exif(**texts: bytes) -> bytes:
    return files.jpeg_with(files.segment(0xE1, b"Exif\0\0" + files.exif(**texts)))


TRACED = {
    "settings in png": (text(b"parameters", SETTINGS), "settings of a generator"),
    "graph in png": (text(b"prompt", GRAPH), "settings of a generator"),
    "settings in exif": (exif(comment=b"UNICODE\0" + SETTINGS.decode().encode("utf-16-be")), "settings of a generator"),
    "software in exif": (exif(software=b"Stable Diffusion XL\0"), "software name of a generator"),
    "software in png": (text(b"Software", b"NovelAI"), "software name of a generator"),
    "tool in xmp": (xmp(packet('<rdf:Description xmlns:x="http://ns.adobe.com/xap/1.0/" x:CreatorTool="Midjourney"/>')),
                    "software name of a generator"),
    "credit in xmp": (xmp(packet('<rdf:Description xmlns:p="http://ns.adobe.com/photoshop/1.0/"><p:Credit>Made with '
                                 'Google AI</p:Credit></rdf:Description>')), "software name of a generator"),
    "job of midjourney": (text(b"Description", b"a cat --v 6 Job ID: 0a1b2c3d-0123-4567-89ab-0123456789ab"),
                          "settings of a generator"),
    "mark of bytedance": (exif(description=b'{"aigc_info":{"aigc_label_type":1,"source_info":"dreamina"}}\0'),
                          "mark of a service's own"),
    "bare source type": (xmp(packet('<rdf:Description xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
                                    'e:DigitalSourceType="trainedAlgorithmicMedia"/>')), "IPTC digital source type"),
    "software in quicktime": (film((box(b"udta", box(b"\xa9swr", b"\0\5\x55\xc4Kling")),)),
                              "software name of a generator"),
    "source type": (xmp(source_type("trainedAlgorithmicMedia")), "IPTC digital source type"),
    "source type of a composite": (xmp(source_type("compositeWithTrainedAlgorithmicMedia")),
                                   "IPTC digital source type"),
    "grok": (exif(description=b"Signature: " + b"Ab3/" * 20 + b"\0", artist=GROK), "signature of xAI Grok"),
    "manifest": (files.png_with(files.chunk(b"caBX", b"jumb")), "C2PA manifest store"),
}
def credited(name: str) -> bytes:
    return xmp(packet('<rdf:Description xmlns:p="http://ns.adobe.com/photoshop/1.0/">'
                      f"<p:Credit>{name}</p:Credit></rdf:Description>"))


NAMES = [
    "Kling", "Sora", "OpenAI Sora 2 Pro", "Suno AI v3.5", "FLUX.1 [dev]", "flux.1-dev", "Generated with Veo 3",
    "Google Gemini", "Gemini 2.5 Flash Image", "Grok 2", "Qwen-Image-Edit", "Wan2.2-T2V-A14B", "MiniMax Hailuo 02",
    "MiniMax", "Midjourney v6", "DALL-E 3", "ChatGPT, OpenAI", "Adobe Firefly 3", "Ideogram 2.0", "Udio v1.5", "Vidu",
    "Imagen 3", "豆包", "文心一格", "Dream Machine", "Draw Things 1.8", "Image Creator from Designer", "Recraft V3"]
NOBODY = [
    "Sunoj Mathew", "Groklaw", "Quentin Qwent", "Sora Tanaka", "NASA/Gemini 12", "Gemini 4", "Gemini Observatory",
    "MiniMax Remez filter designer", "Ideogram fonts", "imagen 17", "Veolia", "Flux Capacitor Viewer", "Wanda 2",
    "Runway magazine", "Kling Klang Studio 1978", "dall'e parti", "Soramimi", "李文心", "海螺摄影"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_generators_are_told(name):
    assert [one.value for one in metadata.read(text(b"Software", name.encode())).evidence.traces] == [name]


@pytest.mark.parametrize("name", NOBODY)
@pytest.mark.parametrize("place", ["Software", "Credit"])
def test_names_that_only_begin_alike_raise_nothing(name, place):
    data = text(b"Software", name.encode()) if place == "Software" else credited(name)
    assert metadata.read(data).evidence.traces == ()


def test_people_are_called_sora():
    assert metadata.read(credited("Sora")).evidence.traces == ()
    assert len(metadata.read(credited("Sora 2")).evidence.traces) == 1


def store(*texts: bytes) -> bytes:
    return files.png_with(files.chunk(b"caBX", b"jumb" + b"\0".join(texts)))


def test_what_a_manifest_store_says_of_microsoft_and_trustmark():
    found = metadata.read(store(b"AI Generated Image", b"Image Creator from Designer")).evidence.traces
    assert [(one.trace, one.value) for one in found] == [("C2PA manifest store", "Image Creator from Designer")]
    assert metadata.read(store(b"Image Creator from Designer")).evidence.traces[0].value is None
    found = metadata.read(store(b"com.adobe.trustmark.P")).evidence.traces
    assert [(one.trace, one.value, one.key) for one in found] == [
        ("C2PA manifest store", None, None), ("TrustMark watermark named in the manifest", None, None)]


CLEAN = {
    "drawing by a formula": xmp(source_type("algorithmicMedia")),
    "sharpened": xmp(source_type("algorithmicallyEnhanced")),
    "artist that is a number": exif(description=b"Signature: mine\0", artist=GROK),
    "signature of a person": exif(description=b"Signature: " + b"Ab3/" * 20 + b"\0", artist=b"Ada L.\0"),
    "plain": files.picture("PNG"),
    "title": text(b"Title", b"Midjourney, a midnight view"),
    "editor": text(b"Software", b"Editor de imagen, Flux Capacitor Viewer"),
    "camera": exif(software=b"Camera 1.0\0", description=b"holiday\0"),
    "photograph": xmp(source_type("digitalCapture")),
    "prompt that is none": text(b"prompt", b"please sign here"),
    "credit": xmp(packet('<rdf:Description xmlns:p="http://ns.adobe.com/photoshop/1.0/" p:Credit="Reuters"/>')),
    "mark of nothing": exif(description=b'{"aigc_info":{"aigc_label_type":0}}\0'),
    "job": text(b"Description", b"Job ID: 17, printed twice"),
    "quicktime": film((box(b"udta", box(b"\xa9swr", b"\0\4\x55\xc4Lavf")),)),
    "tool": text(b"Software", b"Adobe Photoshop"),
}


@pytest.mark.parametrize("name", TRACED)
def test_a_trace_is_found_and_is_no_label(name):
    data, trace = TRACED[name]
    finding = metadata.read(data)
    assert [found.trace for found in finding.evidence.traces] == [trace]
    assert finding.status is Status.ABSENT and finding.label is None


@pytest.mark.parametrize("name", CLEAN)
def test_ordinary_files_have_no_trace(name):
    assert metadata.read(CLEAN[name]).evidence.traces == ()


def test_inspect_lists_every_slot_with_its_place():
    data = metadata.write(TRACED["settings in png"][0], files.LABEL)
    seen = metadata.inspect(data)
    assert (seen["format"], seen["status"], seen["mime"]) == ("png", "valid", "image/png")
    assert [slot["slot"] for slot in seen["slots"]] == ["iTXt XML:com.adobe.xmp", "tEXt parameters"]
    for slot in seen["slots"]:
        assert data[slot["offset_bytes"] + 4:][:4].decode() == slot["slot"][:4]
    assert len(seen["carriers"]) == 1 and len(seen["traces"]) == 1
