# SPDX-License-Identifier: Apache-2.0
"""Building the verify page, and the Python that runs in it, without a browser."""

from __future__ import annotations

import datetime
import hashlib
import html
import io
import json
import re
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest

import labelkit as lk
from labelkit.cli import main as cli
from labelkit.container import Reader
from labelkit.errors import InvalidArgument, OutputFailed, UnsupportedFormat
from labelkit.page import browser, c2pa_results, decoded_media, runtime, shell, site
from labelkit.provenance.engine import context
from tests import files, sounds
from tests.docs.pages import DOCS, blocks, commands, served
from tests.files import LABEL
from tests.media import photo, saved

MOMENT = "2026-11-27T12:00:00+00:00"


class Buffer(bytes):
    """A buffer of JavaScript."""

    def to_bytes(self) -> bytes:
        return bytes(self)


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Two small files in the place of the runtime, and what the network gives, by address."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as wheel:
        wheel.writestr("inside/b.wasm", b"second")
    network = {"https://one/a.js": b"first", "https://two/b.whl": archive.getvalue()}
    def pin(name: str, data: bytes, *sources: tuple[str, str]) -> runtime.File:
        return runtime.File(name, len(data), hashlib.sha256(data).hexdigest(), sources)
    wanted = [pin("a.js", b"first", ("https://one/a.js", "")),
              pin("b.wasm", b"second", ("https://away/b.wasm", ""), ("https://two/b.whl", "inside/b.wasm"))]

    def download(url: str) -> bytes:
        if url not in network:
            raise urllib.error.URLError("no such host")
        return network[url]

    monkeypatch.setattr(runtime, "files", lambda: wanted)
    monkeypatch.setattr(runtime, "_download", download)
    return network


def fetched(cache: Path) -> dict[str, bytes]:
    return {file.name: data for file, data in runtime.fetched(cache)}


def test_files_are_fetched_from_where_they_are_and_kept(pinned, tmp_path):
    assert fetched(tmp_path) == {"a.js": b"first", "b.wasm": b"second"}
    pinned.clear()
    assert fetched(tmp_path) == {"a.js": b"first", "b.wasm": b"second"}


def test_another_hash_is_refused_and_a_broken_cache_fetched_again(pinned, tmp_path):
    fetched(tmp_path)
    next(tmp_path.iterdir()).write_bytes(b"changed")
    assert fetched(tmp_path) == {"a.js": b"first", "b.wasm": b"second"}
    pinned["https://one/a.js"] = b"other"
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(OutputFailed, match="a.js.*another hash"):
        fetched(tmp_path)


def test_what_cannot_be_had_is_named(pinned, tmp_path):
    del pinned["https://two/b.whl"]
    with pytest.raises(OutputFailed, match="b.wasm, which could not be fetched: .*no such host"):
        fetched(tmp_path)


def test_the_pins_name_every_file_with_a_hash_and_an_address():
    for file in runtime.files():
        assert re.fullmatch("[0-9a-f]{64}", file.sha256) and file.bytes > 1000
        assert file.sources and all(url.startswith("https://") for url, _ in file.sources)
    assert {"Pyodide", "CPython", "NumPy", "Pillow"} < {part.name for part in runtime.parts()}


@pytest.fixture
def kernels(tmp_path: Path) -> Path:
    path = tmp_path / "kernels.so"
    path.write_bytes(b"\0asm\1\0\0\0")
    return path


def test_the_same_sources_give_the_same_page(pinned, kernels, tmp_path):
    one, two = (tmp_path / name for name in ("one", "two"))
    assert sorted(site.build(one, kernels=kernels, cache=tmp_path / "cache")) == sorted(
        path.relative_to(one).as_posix() for path in one.rglob("*") if path.is_file())
    site.build(two, kernels=kernels, cache=tmp_path / "cache")
    for path in (path for path in one.rglob("*") if path.is_file()):
        assert (two / path.relative_to(one)).read_bytes() == path.read_bytes()
    with zipfile.ZipFile(one / "runtime" / "labelkit.zip") as library:
        names = library.namelist()
    assert {"labelkit/pipeline.py", "labelkit/page/browser.py", "labelkit/_native.abi3.so"} <= set(names)
    assert not [name for name in names if name.startswith("labelkit/cli") or name.endswith((".pyi", ".pyc", ".js"))]
    assert "VERSION" not in (one / "sw.js").read_text("utf-8")


def test_another_version_has_another_store(pinned, kernels, tmp_path):
    site.build(tmp_path / "one", kernels=kernels, cache=tmp_path / "cache")
    site.build(tmp_path / "two", cache=tmp_path / "cache")
    stores = {re.search("labelkit-[0-9a-f]{16}", (tmp_path / name / "sw.js").read_text("utf-8"))[0]
              for name in ("one", "two")}
    assert len(stores) == 2


def test_the_page_may_be_built_with_roots_of_its_own(pinned, keys, tmp_path):
    site.build(tmp_path / "out", anchors=keys / "anchors.pem", cache=tmp_path / "cache")
    with zipfile.ZipFile(tmp_path / "out" / "runtime" / "labelkit.zip") as library:
        assert library.read(f"labelkit/page/{site.ANCHORS}") == (keys / "anchors.pem").read_bytes()
    with pytest.raises(InvalidArgument, match="private key"):
        site.build(tmp_path / "out", anchors=keys / "signer.pem", cache=tmp_path / "cache")


@pytest.mark.parametrize("content", [b"\x7fELF", b"", None])
def test_kernels_of_another_kind_are_refused(pinned, content, tmp_path):
    path = tmp_path / "kernels.so"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidArgument, match="kernels.so"):
        site.build(tmp_path / "out", kernels=path, cache=tmp_path / "cache")


def test_the_command(pinned, kernels, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["page", str(out), "--kernels", str(kernels), "--cache", str(tmp_path / "cache")]) == 0
    assert capsys.readouterr() == (f"{out / 'index.html'}\n", "")
    assert cli.main(["page", str(out), "--cache", str(tmp_path / "cache"), "--lang", "en"]) == 0
    assert "without compiled kernels" in capsys.readouterr().err
    pinned.clear()
    assert cli.main(["page", str(out), "--cache", str(tmp_path / "empty"), "--lang", "en"]) == 2
    assert "could not be fetched" in capsys.readouterr().err


def test_the_web_server_of_python_serves_the_page(pinned, kernels, tmp_path):
    """As docs/how-to/verify-page.md says: every file whole, and with a type that browsers take."""
    shown, = [step.words for block in blocks(DOCS / "how-to" / "verify-page.md") for step in commands(block.text)
              if "http.server" in step.words]
    folder = tmp_path / "build" / "page" / "site"
    site.build(folder, kernels=kernels)
    types = {".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {".html", ".js", ".wasm"} <= {path.suffix for path in files}
    with served(tmp_path, *shown.split()[2:]) as port:
        for path in files:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path.relative_to(folder).as_posix()}") as answer:
                assert answer.read() == path.read_bytes()
                assert answer.headers.get_content_type() == types.get(path.suffix, answer.headers.get_content_type())


def test_the_policies_name_no_other_host_and_the_second_no_network():
    for policy in (shell.POLICY.format(origins="'self'"), shell.SEALED):
        assert policy.startswith("default-src 'none'")
        assert not re.search(r"https?:|\*|unsafe-inline|'unsafe-eval'", policy)
    assert "connect-src 'none'" in shell.SEALED and "'self'" not in shell.SEALED
    assert "'self'" in shell.POLICY


def test_a_page_may_fetch_from_the_servers_it_was_built_for_and_no_other(pinned, kernels, tmp_path):
    def policies(*origins: str) -> list[str]:
        site.build(tmp_path / "out", kernels=kernels, cache=tmp_path / "cache", fetch_from=origins)
        return re.findall(r"connect-src ([^;]*);", html.unescape((tmp_path / "out" / "index.html").read_text("utf-8")))

    assert policies() == ["'self'", "'none'"]
    assert policies("https://media.example.org:8443", "https://*.example.com") == [
        "'self' https://media.example.org:8443 https://*.example.com", "'none'"]
    for wrong in ("example.org", "https:", "https://*", "http://example.org", "https://a.org/path", "https://a.org; x",
                  "https://a.org 'unsafe-inline'", "*", "javascript:alert(1)"):
        with pytest.raises(InvalidArgument, match="fetch_from"):
            policies(wrong)


# What runs in the browser


def verified(data: bytes, media: str = "", buffers: tuple[Buffer, ...] = (), manifest: str = "",
             pictures: tuple[Buffer, ...] = ()) -> dict:
    stages: list[str] = []
    answer = json.loads(browser.verify("file.png", Buffer(data), media, buffers, manifest, pictures, MOMENT, 3,
                                       stages.append))
    return answer | {"stages": stages}


def test_a_picture_is_verified_as_by_verify():
    data = lk.embed(saved(photo(), "PNG"), None, LABEL)
    told = json.loads(browser.look("file.png", Buffer(data)))
    assert told == {"format": "png", "family": "image", "mime": "image/png", "manifest": True, "decode": "",
                    "rate": decoded_media.DEFAULT_RATE}
    answer = verified(data)
    want = lk.verify(io.BytesIO(data), now=datetime.datetime.fromisoformat(MOMENT)).to_dict()
    assert answer["report"] == want | {"source": "file.png"} and answer["stages"] == ["file", "decode", "search"]
    assert 'id="file-3"' in answer["card"] and hashlib.sha256(data).hexdigest() in answer["pages"]["en"]
    assert "本结果不能证明什么" in answer["pages"]["zh-CN"] and "<script" not in answer["card"]


def test_what_cannot_be_read_is_an_error_in_both_languages():
    for answer in (json.loads(browser.look("x", Buffer(b"nothing"))), verified(b"nothing")):
        assert set(answer["error"]) == {"en", "zh-CN"} and answer["error"]["en"] != answer["error"]["zh-CN"]


def test_sound_that_the_browser_decoded():
    wave = lk.embed(sounds.music(12, 44_100), label=LABEL, rate=44_100)
    channels = tuple(Buffer(np.ascontiguousarray(channel).tobytes()) for channel in wave.T)
    media = json.dumps({"kind": "sound", "rate": 44_100, "channels": len(channels)})
    data = sounds.wave_bytes(sounds.noise(1, 44_100), 44_100)
    report = verified(data, media, channels)["report"]
    assert report["layers"]["watermark"]["payload"]["hex"] == lk.Payload.of(LABEL).hex
    assert report["layers"]["explicit"]["status"] == "valid"
    assert verified(data)["report"]["layers"]["watermark"]["status"] == "absent"


def test_a_film_that_the_browser_decoded():
    marked = lk.embed(photo(480, 640), label=LABEL)
    luma = Buffer(np.rint(marked @ [0.299, 0.587, 0.114]).astype(np.uint8).tobytes())
    times = [0.0, 0.5, 1.0, 1.5, 1.9]
    media = json.dumps({"kind": "film", "width": 640, "height": 480, "seconds": 2.0, "times": times, "rate": 48_000,
                        "channels": 0})
    answer = verified(files.movie("mp4"), media, (luma,) * len(times))
    report, shares = answer["report"], answer["stages"][3:]
    assert answer["stages"][:3] == ["file", "decode", "search"] and shares == sorted(shares) and 0.7 < shares[-1] < 1
    assert report["layers"]["watermark"]["payload"]["hex"] == lk.Payload.of(LABEL).hex
    assert report["layers"]["explicit"]["status"] == "valid"


def test_a_picture_that_the_browser_decoded():
    pixels = np.dstack([lk.embed(photo(), label=LABEL), np.full(photo().shape[:2], 255, np.uint8)])
    media = json.dumps({"kind": "picture", "width": pixels.shape[1], "height": pixels.shape[0]})
    data = saved(photo(), "AVIF")
    assert json.loads(browser.look("a.avif", Buffer(data)))["decode"] == "picture"
    report = verified(data, media, (Buffer(pixels.tobytes()),))["report"]
    assert report["layers"]["watermark"]["payload"]["hex"] == lk.Payload.of(LABEL).hex


def test_what_the_browser_could_not_decode_is_not_looked_at():
    report = verified(files.movie("mp4"), json.dumps({"kind": "none"}))["report"]
    assert {report["layers"][layer]["status"] for layer in ("explicit", "watermark")} == {"unchecked"}
    with pytest.raises(UnsupportedFormat, match="this browser"):
        decoded_media.samples_of('{"kind": "none"}', [], Reader.of(b"", "x"))


@pytest.mark.parametrize(("format", "kind", "subtype"), [("wav", "WAV", None), ("flac", "FLAC", None),
                                                         ("ogg", "OGG", "VORBIS"), ("mp3", "MP3", None)])
def test_the_rate_of_sound_is_read_from_its_head(format, kind, subtype):
    import soundfile
    for rate in (16_000, 44_100, 48_000):
        out = io.BytesIO()
        soundfile.write(out, sounds.noise(1, rate), rate, format=kind, subtype=subtype)
        assert decoded_media.sound_rate(Reader.of(out.getvalue()), format) == rate
    assert decoded_media.sound_rate(Reader.of(out.getvalue()[:20]), format) == decoded_media.DEFAULT_RATE


def test_the_c2pa_librarys_answers_are_those_of_c2pa_python(monkeypatch):
    def answer(error: str) -> object:
        monkeypatch.setattr(c2pa_results.Reader, "result", {"error": error})
        return c2pa_results.Reader.try_create("image/png", io.BytesIO(), context=c2pa_results.Context.from_dict({}))
    assert answer("C2pa(JumbfNotFound)") is None
    with pytest.raises(c2pa_results.C2paError.NotSupported):
        answer("C2pa(UnsupportedType)")
    for error, said in (('C2pa(InvalidAsset("out of range"))', "Other: asset could not be parsed: out of range"),
                        ('C2pa(RemoteManifestUrl("https://a/b"))', "Remote: https://a/b"), ("else", "Other: else"),
                        ('C2pa(IoError(Error { kind: UnexpectedEof, message: "too short" }))', "Io: too short")):
        with pytest.raises(c2pa_results.C2paError, match=f"^{re.escape(said)}$"):
            answer(error)
    monkeypatch.setattr(c2pa_results.Reader, "result", {"json": "{}", "crjson": "[]"})
    with c2pa_results.Reader.try_create("image/png", io.BytesIO(), context=c2pa_results.Context()) as found:
        assert (found.json(), found.crjson()) == ("{}", "[]")


# Without the libraries that a browser has not


def test_without_the_c2pa_library_provenance_is_not_looked_at(monkeypatch, signer, anchors, tmp_path):
    data = lk.embed(saved(photo(), "PNG"), None, LABEL, plan=lk.Plan(provenance=signer))
    assert lk.verify(data, trust=anchors)[lk.Layer.PROVENANCE].status is lk.Status.VALID
    monkeypatch.setitem(sys.modules, "c2pa", None)
    from labelkit.provenance import engine, validation
    for cached in (engine._context, validation._context):
        cached.cache_clear()
    with pytest.raises(ModuleNotFoundError):
        context({})
    report = lk.verify(data, trust=anchors)
    assert report[lk.Layer.PROVENANCE].status is lk.Status.UNCHECKED
    assert "not looked at" in str(report[lk.Layer.PROVENANCE].summary)
    assert report.verdict is lk.Verdict.CONFIRMED and report.unseen


def test_without_soundfile_the_layers_of_sound_are_not_looked_at(monkeypatch):
    data = lk.embed(files.sound("WAV"), None, LABEL, plan=lk.Plan(explicit=None, watermark=None))
    monkeypatch.setitem(sys.modules, "soundfile", None)
    report = lk.verify(data)
    assert {report[layer].status for layer in (lk.Layer.EXPLICIT, lk.Layer.WATERMARK)} == {lk.Status.UNCHECKED}
    assert report.verdict is lk.Verdict.CONFIRMED


def test_the_page_has_every_font_and_recording_that_labels_are_found_by():
    held = set(zipfile.ZipFile(io.BytesIO(site._library(None, None))).namelist())
    package = Path(lk.__file__).parent
    wanted = {f"labelkit/{path.relative_to(package).as_posix()}" for folder in ("fonts", "speech")
              for path in (package / "explicit" / folder).iterdir() if path.suffix in (".otf", ".ttf", ".wav", ".ulaw")}
    assert len(wanted) == 12 and wanted <= held
