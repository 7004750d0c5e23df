# SPDX-License-Identifier: Apache-2.0
"""Coverage-guided fuzzing of every parser of foreign bytes (atheris, which has wheels for CPython 3.11 to 3.13).

    pip install atheris
    python -m benchmarks.fuzz --seconds 600 [--group films] [--seeds FOLDER] [--out FOLDER]

Each group starts from the small files that tests/robustness mutates, and from real ones in --seeds. A finding is an
exception that is no LabelkitError, more than 2 s of CPU or 512 MB of memory for one input, and a label that is written
and not read back, or at the cost of something else that the file keeps. Each kind of finding is written to --out once
and the run goes on. The corpus stays in --out, so that a later run goes on where this one stopped. Seconds are those
of CPU, from the first input on: what else the machine does takes nothing away from a run.
"""

from __future__ import annotations

import argparse
import datetime
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import atheris

from benchmarks.plain_imports import plain_imports

with plain_imports("labelkit"), atheris.instrument_imports(include=["labelkit"]):
    import labelkit.codec.ancillary
    import labelkit.codec.text
    import labelkit.codec.webp
    from labelkit import codec, container, results
    from labelkit.codec import exif as turns
    from labelkit.container import textwrapper
    from labelkit.errors import LabelkitError
    from labelkit.explicit import text as words
    from labelkit.log import audit
    from labelkit.metadata import aigc, exif, security_data, sm2, xmp
    from labelkit.plan import Explicit
    from labelkit.playlist import dash, hls
    from labelkit.playlist.files import Folder
from benchmarks import structure
from benchmarks.findings import Watch, a_file
from tests.explicit import test_mindmap as maps, test_office as office, test_sheets as sheets
from tests.files import LABEL, OTHER, XMP_PACKET, exif as exif_block
from tests.metadata.test_heic import heic
from tests.metadata.test_ooxml import document
from tests.robustness.test_containers import HOSTS

LARGEST_SEED = 100_000
GROUPS = {
    "pictures": ("jpeg", "jpeg extended", "png", "webp", "gif", "tiff", "bigtiff", "avif", "heic", "svg", "jp2",
                 "jxl"),
    "sounds": ("wav", "rf64", "flac", "ogg", "opus", "ogg flac", "mp3", "aiff", "aac", "caf"),
    "films": ("mp4", "mp4 fragmented", "mov", "mkv", "webm", "avi", "flv"),
    "documents": ("docx", "docx zip64", "pdf", "pdf packed", "html", "markdown", "gltf", "glb", "ofd",
                  "xmind", "odt", "epub", "usdz"),
    "values": (), "texts": (),
}
TEXTS = ("txt", "markdown", "html", "srt", "vtt", "ass", "json", "jsonl", "eml", "rtf", "docx", "odt", "epub", "pptx",
         "xlsx", "xmind", "ofd", "glb", "svg")
DRAWN = ("ofd", "glb", "svg")  # words are drawn there with a font, which takes a tenth of a second: read only


def a_packet(data: bytes) -> None:
    found = xmp.find(data)
    out = xmp.put(data, LABEL.to_json())
    values = [one.value for one in xmp.find(out)]
    assert values == [LABEL.to_json()], f"{len(found)} properties became {len(values)}"
    assert not xmp.find(xmp.remove(out))


def an_exif_block(data: bytes) -> None:
    out = exif.blank(data)
    assert len(out) == len(data)
    list(exif.values(data))
    turns.orientation(data)
    turns.describe_upright(data, 64, 48)


def a_signature(data: bytes) -> None:
    fields = {**LABEL.fields(), "ReservedCode1": data.decode("utf-8", "surrogateescape"), "ReservedCode2": "{}"}
    security_data.verify(fields).evidence()


def a_key(data: bytes) -> None:
    sm2.point(data)
    list(sm2.tags(data))
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        for load in (sm2.load_pins, sm2.Sm2Signer.load):
            try:
                load(file.name)
            except LabelkitError:
                pass


def an_export(data: bytes) -> None:
    audit.audit_lines(data.decode("utf-8", "replace").splitlines())


def a_codec(data: bytes) -> None:
    labelkit.codec.webp.settings(data)
    labelkit.codec.ancillary.has_own_codes(data)
    labelkit.codec.ancillary.jpeg(data, data, 64, 48, same_colour=True)
    labelkit.codec.ancillary.png_chunks(data, data, 64, 48, same_colour=True)


def a_playlist(data: bytes) -> None:
    """HLS, or a manifest of DASH, beside one file of media."""
    kind = hls if data.startswith(b"#EXTM3U") else dash
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "v.mp4").write_bytes(FILM)
        Path(folder, "main").write_bytes(data)
        for one in kind.Presentation(Folder(Path(folder, "main"))).renditions():
            assert one.seconds >= 0


def a_result(data: bytes) -> None:
    signed = data.decode("latin-1")
    results.check(signed, PUBLIC, NOW)
    results.type_of(signed)


def a_wrapper(data: bytes) -> None:
    rest = textwrapper.without(data)
    store = textwrapper.find(data)
    for one in store:
        again, = textwrapper.find(textwrapper.wrapped(one.store, textwrapper.size_for(len(one.store))))
        assert again.store == one.store
    assert store or rest == data


def a_text(data: bytes) -> None:
    """The first byte names the format. What is put in is found again, and everything else is as it was."""
    if not data:
        return
    format = TEXTS[data[0] % len(TEXTS)]
    samples = codec.text.decode(data[1:], format, "x")
    words.find(samples)
    if format in DRAWN:
        return
    drawn, what = words.draw(samples, Explicit(place=("start", "end")[data[0] // len(TEXTS) % 2]))
    again = codec.text.decode(codec.text.encode(drawn), format, "x")
    words.confirm(again, what)
    assert words.find(again).status.value == "valid", "the label that was put in is not found"


FILM = HOSTS["mp4 fragmented"]()
NOW = datetime.datetime(2026, 11, 28, tzinfo=datetime.UTC)
SECRET, PUBLIC = results.keygen()
VALUES = (a_packet, an_exif_block, aigc.read, a_signature, a_key, an_export, a_codec, a_playlist,
          a_result, a_wrapper)


def a_value(data: bytes) -> None:
    """The first byte names the parser, so that inputs can cross over."""
    if data:
        VALUES[data[0] % len(VALUES)](data[1:])


HLS = (b"#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"v.mp4\",BYTERANGE=\"800@0\"\n"
       b"#EXTINF:2.0,\n#EXT-X-BYTERANGE:900@800\nv.mp4\n#EXTINF:1.5,\n#EXT-X-BYTERANGE:900\nv.mp4\n#EXT-X-ENDLIST\n")
DASH = (b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT4S"><Period>'
        b'<AdaptationSet contentType="video" mimeType="video/mp4"><Representation id="0" bandwidth="1000">'
        b'<SegmentList timescale="1000" duration="2000"><Initialization sourceURL="v.mp4" range="0-799"/>'
        b'<SegmentURL media="v.mp4" mediaRange="800-1699"/></SegmentList></Representation><Representation id="1">'
        b'<SegmentTemplate media="v.mp4" initialization="v.mp4"><SegmentTimeline><S t="0" d="2" r="1"/>'
        b"</SegmentTimeline></SegmentTemplate></Representation></AdaptationSet></Period></MPD>")


def a_signed_result() -> str:
    """One that holds."""
    signer = results.ResultSigner(SECRET)
    return signer.sign_claims({"checked": {}, "report": {}, "content": {"sha256": "0" * 64, "bytes": 1}},
                              results.SCHEMA, results.TYPE, NOW)


def hosts_of_texts() -> dict[str, bytes]:
    """A file of each format of texts."""
    said = ("First words.\n\n", "AI生成\n\n", "Last words.\n")
    chat = json.dumps({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "".join(said)}]})
    return {"txt": "".join(said).encode(),
            "markdown": (b"---\ntitle: x\n---\n# T\n\n> [!NOTE]\n> a\n\n- b\n\n| c |\n|---|\n\n```\nd\n```\n\n"
                         b"[^1]: e\n"),
            "html": b"<!doctype html><html><head><title>t</title></head><body><nav>n</nav><h1>T</h1><p hidden>a</p><p>"
                    b"b&#65;<b>c</b><ul><li>d</ul><!-- e --><footer>f</footer></body></html>",
            "srt": b"1\n00:00:01,000 --> 00:00:02,500\n<i>Hello</i>\n\n2\n00:00:03,000 --> 00:00:04,000\nbye\nnow\n",
            "vtt": b"WEBVTT\n\nNOTE a\n\nintro\n00:01.000 --> 00:02.000\n<v Bob>Hi\n\n00:03.000 --> 00:04.000\nbye",
            "ass": b"[Script Info]\nTitle: x\n\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
                   b"Dialogue: 0,0:00:01.00,0:00:02.00,Top,Hi {\\i1}you, all\n",
            "json": chat.encode(), "jsonl": chat.encode() + b"\n" + chat.encode() + b"\n", "eml": structure.MAIL,
            "rtf": structure.RTF, "docx": document(), "odt": office.FILES["odt"], "epub": office.FILES["epub"],
            "pptx": office.FILES["pptx"], "xlsx": sheets.xlsx(sheets.sheet(sheets.TABLE)),
            "xmind": maps.new_map(maps.topic("a", maps.topic("b"))), "ofd": HOSTS["ofd"](), "glb": HOSTS["glb"](),
            "svg": HOSTS["svg"]()}


def seeds(group: str, folder: Path | None) -> dict[str, bytes]:
    """The inputs that a group starts from."""
    found = {name: HOSTS[name]() for name in GROUPS[group] if name != "heic"}
    if group == "pictures":
        found["heic"] = heic(1, xmp=XMP_PACKET)
    if group == "values":
        signer = sm2.Sm2Signer.from_secret(bytes(31) + b"\7")
        signed = security_data.sign(LABEL, signer)
        with tempfile.TemporaryDirectory() as keys:
            sm2.keygen(f"{keys}/a", f"{keys}/b")
            pems = [Path(keys, name).read_bytes() for name in "ab"]
        other = OTHER.to_json(wrapped=True).encode()
        texts = ((0, XMP_PACKET), (0, xmp.fresh(OTHER.to_json())), (0, XMP_PACKET.decode().encode("utf-16")),
                 (1, exif_block(b"a cat\0", b"ASCII\0\0\0" + other)), (1, exif_block(other, order=">")), (2, other),
                 (2, b"AIGC=" + other), (2, other.decode().encode("utf-16")), (3, signed.reserved_code1.encode()),
                 *((4, pem) for pem in pems), (5, b'{"number":1,"hash":"00","body":"{\\"time\\":1}"}'),
                 *((6, HOSTS[name]()) for name in ("jpeg", "png", "webp")), (7, HLS), (7, DASH),
                 (8, a_signed_result().encode()), (9, b"a text" + textwrapper.wrapped(b"store" * 9, 200)))
        return {f"{index}": bytes([kind]) + text for index, (kind, text) in enumerate(texts)}
    if group == "texts":
        made = {**hosts_of_texts(), **{name: _stored(data) if data[:2] == b"PK" else data
                                       for name, data in hosts_of_texts().items()}}
        return {name: bytes([TEXTS.index(name)]) + data for name, data in made.items()}
    if group == "documents":
        found["docx stored"] = _stored(document())
    for path in sorted(folder.rglob("*")) if folder else ():
        if path.is_file() and path.stat().st_size <= LARGEST_SEED and _group_of(path) == group:
            found[path.name] = path.read_bytes()
    return {name: data for name, data in found.items() if len(data) <= LARGEST_SEED}


def _group_of(path: Path) -> str:
    try:
        family = container.sniff(path).family
    except LabelkitError:
        return ""
    return {"image": "pictures", "audio": "sounds", "video": "films", "document": "documents"}[family]


def _stored(data: bytes) -> bytes:
    """The archive with its members not packed, so that bytes can be changed in them."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return out.getvalue()


def within(seconds: int, target: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """The target, until the process has spent so much CPU on it; libFuzzer then prints its figures and ends."""
    start = time.process_time()

    def run(data: bytes) -> None:
        target(data)
        if time.process_time() - start > seconds:
            os.kill(os.getpid(), signal.SIGTERM)
    return run


def fuzz(group: str, seconds: int, out: Path, folder: Path | None) -> None:
    """One group in this process, which ends with it."""
    corpus, found = out / group, out / f"{group} findings"
    for path in (corpus, found):
        path.mkdir(parents=True, exist_ok=True)
    for name, data in seeds(group, folder).items():
        (corpus / f"seed {name}").write_bytes(data)
    watch = Watch({"values": a_value, "texts": a_text}.get(group, a_file), found)
    options = [f"-max_len={LARGEST_SEED}", "-rss_limit_mb=4096", "-timeout=600", f"-artifact_prefix={found}/",
               "-print_final_stats=1", "-verbosity=1", "-interrupted_exitcode=0", str(corpus)]
    atheris.Setup([sys.argv[0], *options], within(seconds, watch))
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="of CPU, for each group")
    parser.add_argument("--group", choices=GROUPS)
    parser.add_argument("--seeds", type=Path, help="folder of real files, of 100 kB at most")
    parser.add_argument("--out", type=Path, default=Path("fuzzing"))
    given = parser.parse_args()
    if given.group:
        fuzz(given.group, given.seconds, given.out, given.seeds)
        return
    for group in GROUPS:
        subprocess.run([sys.executable, "-m", "benchmarks.fuzz", "--group", group, "--seconds", str(given.seconds),
                        "--out", str(given.out), *(["--seeds", str(given.seeds)] if given.seeds else [])], check=False)
    findings = [path for path in given.out.glob("* findings/*") if path.suffix != ".txt"]
    print(f"{len(findings)} findings in {given.out}")
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()
