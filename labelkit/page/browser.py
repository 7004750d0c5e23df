# SPDX-License-Identifier: Apache-2.0
"""Verifies files inside a browser, for the page's worker: called from JavaScript, in Pyodide.

    look(name, data)                             what the page must decode, and what the C2PA library is to read
    verify(name, data, media, buffers, manifest, ...)     the report, as JSON and as HTML
    warm_up()                                    one picture verified, so that the first file does not wait for that

`media` says what the page decoded, and `buffers` are its samples; see `decoded_media`. Numbers come as JSON, for the
values of JavaScript would have to be freed by hand.
"""

from __future__ import annotations

import datetime
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labelkit import codec, container, pipeline
from labelkit.codec.samples import Samples
from labelkit.codec.watching import watched
from labelkit.container import Reader
from labelkit.distribution import __version__
from labelkit.errors import LabelkitError
from labelkit.messages import LANGUAGES, Message
from labelkit.page import c2pa_results, render
from labelkit.page.decoded_media import Bytes, samples_of, sound_rate
from labelkit.page.history import Thumbnail
from labelkit.page.markup import bilingual, bullet_list
from labelkit.provenance.bounds import over_bound
from labelkit.provenance.engine import RF64
from labelkit.provenance.trust import TrustList
from labelkit.unforeseen import translated

ANCHORS = "anchors.pem"
"""The roots that the page trusts, beside this file, where it was built with others than C2PA's."""
_NO_DECODER = ("avif", "heic")  # pictures that Pyodide's Pillow cannot decode and browsers can


def look(name: str, data: Bytes) -> str:
    """JSON of a file: `format`, `family`, `mime`, `rate` in Hz of its sound, `decode` (what the page is to decode:
    "sound", "film", "picture" or ""), `manifest` (whether the C2PA library is to read it); or `error`, in both
    languages."""
    reader = Reader.of(data.to_bytes(), name)
    try:
        found = container.sniff(reader)
    except LabelkitError as error:
        return json.dumps({"error": _texts(error.message)})
    kinds = {"audio": "sound", "video": "film", "image": "picture" if found.name in _NO_DECODER else ""}
    manifest = reader.head(4) not in RF64 and over_bound(reader, found.mime) is None
    return json.dumps({"format": found.name, "family": found.family, "mime": found.mime, "manifest": manifest,
                       "decode": kinds.get(found.family, ""), "rate": sound_rate(reader, found.name)})


def settings() -> str:
    """The settings for the C2PA library, as JSON."""
    return json.dumps(_trust().settings())


def verify(name: str, data: Bytes, media: str, buffers: Sequence[Bytes], manifest: str, pictures: Sequence[Bytes],
           moment: str, number: int, on_stage: Callable[[str | float], object]) -> str:
    """JSON: `report`, `card` (HTML for the page), `pages` (by language, to print); or `error`, in both languages.

    media     JSON of what the page decoded, "" for a file that Pillow decodes or that has no samples
    buffers   its samples
    manifest  JSON of what the C2PA library read: `json`, `crjson` and `pictures`, or `error`; "" where it was not asked
    pictures  the small pictures of the manifests, in the order of `pictures` in `manifest`
    moment    the time, in ISO 8601
    number    of the card on the page
    on_stage  is called with "file", "decode" and "search" as the work gets there, and of a film with how far the search
              is, 0 to 1
    """
    content = data.to_bytes()
    stated = json.loads(manifest) if manifest else None
    c2pa_results.Reader.result = stated
    thumbnails = _thumbnails(stated, pictures)
    on_stage("file")
    try:
        report = pipeline.verify(_File(content, name), trust=_trust(), now=datetime.datetime.fromisoformat(moment),
                                 decode=_decoder(media, buffers, on_stage))
    except LabelkitError as error:
        return json.dumps({"error": _texts(error.message)})
    except Exception as error:  # a fault of labelkit's own, told as the command line tells it
        return json.dumps({"error": _texts(translated(error).message)})
    facts: dict[str | Message, object] = {
        "SHA-256": hashlib.sha256(content).hexdigest(), Message("Size"): f"{len(content):,} B",
        Message("Verified"): moment, Message("By"): f"labelkit {__version__}, Pyodide"}
    limits = _limits()
    pages = {language: render.report_page(name, facts, report, after=limits, thumbnails=thumbnails,
                                          language=language)
             for language in LANGUAGES}
    card = render.article(name, report, number, shown='<div class="seen"></div>', after=limits,
                          thumbnails=thumbnails)
    return json.dumps({"report": report.to_dict(), "card": card, "pages": pages})


def warm_up() -> None:
    """Verify a picture of noise: modules are then compiled and tables made."""
    noise = np.random.default_rng(1).integers(0, 256, (320, 320, 3), np.uint8)
    pipeline.verify(noise)


def _thumbnails(stated: dict[str, Any] | None, pictures: Sequence[Bytes]) -> list[Thumbnail]:
    """The small pictures of the manifests; what is none is left out."""
    found = (Thumbnail.of(told["manifest"], picture.to_bytes(), told["relation"], told["title"])
             for told, picture in zip((stated or {}).get("pictures", ()), pictures, strict=True))
    return [one for one in found if one]


class _File(io.BytesIO):
    """Bytes as a file with a name, for messages."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


def _decoder(media: str, buffers: Sequence[Bytes],
             on_stage: Callable[[str | float], object]) -> Callable[[Reader], Samples]:
    def decode(reader: Reader) -> Samples:
        on_stage("decode")
        samples = samples_of(media, buffers, reader) if media else codec.decode(reader, luma=True)
        on_stage("search")
        return watched(samples, on_stage)
    return decode


def _trust() -> TrustList:
    own = Path(__file__).parent / ANCHORS
    return TrustList.load(own) if own.is_file() else TrustList.c2pa()


def _texts(message: Message) -> dict[str, str]:
    return {language: message.text(language) for language in LANGUAGES}


def _limits() -> str:
    """What a result does not prove, and how often it is wrong."""
    lines = [
        Message("No sign of AI generation does not prove that people made it: labels can be removed, and many systems "
                "write none."),
        Message("A label says what whoever wrote it states. Anybody can write a mark of the public key; only a "
                "manifest of a trusted signer says who it was."),
        Message("A mark of a private key cannot be read here, because a page can keep no secret: ask the service of "
                "the producer."),
        Message("Of a thousand million unmarked files at most one is reported as watermarked. A mark that editing has "
                "destroyed is not found."),
    ]
    title = Message("What this does not prove")
    return f'<div class="limits"><h3>{bilingual(title)}</h3>{bullet_list(map(bilingual, lines))}</div>'
