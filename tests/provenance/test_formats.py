# SPDX-License-Identifier: Apache-2.0
"""Metadata first, signature last, in every format: both hold afterwards, and the media are as they were."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable
from typing import NamedTuple

import pytest

from labelkit import metadata
from labelkit.errors import UnsupportedFormat
from labelkit.provenance import Claim, sign, sign_sidecar, validate
from labelkit.report import Status
from tests import files


class Case(NamedTuple):
    make: Callable[[], bytes]
    read: Callable[[bytes], object]


def _movie(kind: str, flags: str = "", **streams: str) -> Case:
    return Case(functools.partial(files.movie, kind, (("movflags", flags),) if flags else (), **streams), files.packets)


def _sound(kind: str, subtype: str | None = None) -> Case:
    return Case(functools.partial(files.sound, kind, subtype), files.packets)


EMBEDDED = {
    **{kind: Case(functools.partial(files.picture, kind), lambda data: files.decoded(data).tolist())
       for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF")},
    "SVG": Case(lambda: b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><g/></svg>',
                lambda data: b'width="9" height="9"' in data),
    "MP4": _movie("mp4"), "MP4 faststart": _movie("mp4", "faststart"), "MOV": _movie("mov"),
    "MP4 fragmented": _movie("mp4", "frag_keyframe+empty_moov"), "M4A": _movie("ipod", video=""),
    "AVI": _movie("avi", audio="pcm_s16le"), "WAV": _sound("WAV"), "FLAC": _sound("FLAC"), "MP3": _sound("MP3"),
}
def _two_pages() -> bytes:
    out = io.BytesIO()
    files.pixels().save(out, "TIFF", save_all=True, append_images=[files.pixels().rotate(180)])
    return out.getvalue()


UNFIT = {"RF64": _sound("RF64"), "TIFF of two pages": Case(_two_pages, lambda data: files.decoded(data).tolist())}
BESIDE = {**UNFIT, "MKV": _movie("matroska"), "WebM": _movie("webm", video="libvpx", audio="libopus"),
          "FLV": _movie("flv", video="flv1"), "OGG": _sound("OGG", "VORBIS"), "Opus": _sound("OGG", "OPUS")}


@pytest.fixture(params=EMBEDDED)
def embedded(request: pytest.FixtureRequest) -> tuple[bytes, Case]:
    case = EMBEDDED[request.param]
    return _made(case), case


@pytest.fixture(params=BESIDE)
def beside(request: pytest.FixtureRequest) -> bytes:
    return _made(BESIDE[request.param])


def _made(case: Case) -> bytes:
    try:
        return case.make()
    except (KeyError, TypeError, ValueError) as error:
        pytest.skip(f"cannot be made here: {error}")


def test_label_and_manifest_hold_together_and_media_are_untouched(embedded, claim, signer, trust):
    host, case = embedded
    signed = sign(metadata.write(host, claim.label), claim, signer)
    assert metadata.read(signed).label == claim.label
    finding = validate(signed, trust=trust)
    assert (finding.status, finding.evidence.state, finding.label) == (Status.VALID, "Trusted", claim.label)
    assert case.read(signed) == case.read(host)


def test_the_label_that_a_manifest_states_is_no_stray_text_of_the_metadata(embedded, claim, signer):
    found = metadata.read(sign(embedded[0], claim, signer))
    assert found.label is None and not any("looks like a label" in str(what) for what in found.missed)


def test_ffmpeg_finds_no_packet_in_the_manifest_of_an_avi(claim, signer):
    case = EMBEDDED["AVI"]
    host = _made(case)
    signed = sign(host, claim, signer)
    assert re.search(rb"urn:c2pa:[0-9a-f-]{36}:labelkit\0", signed) and case.read(signed) == case.read(host)
    ends_in_digits = re.sub(rb"(urn:c2pa:[0-9a-f-]{36}:lab)elkit\0", rb"\g<1>01dc3\0", signed, count=1)
    assert len(case.read(ends_in_digits)) == len(case.read(host)) + 1, "as one UUID in 128 would"


def test_label_written_after_the_signature_breaks_it(embedded, claim, signer, trust):
    host, _ = embedded
    labelled = metadata.write(sign(host, claim, signer), claim.label, resign=True)
    assert validate(labelled, trust=trust).status is not Status.VALID


def test_later_label_keeps_the_first_manifest_as_parent(embedded, claim, signer, trust):
    host, case = embedded
    first = sign(metadata.write(host, claim.label), claim, signer)
    spread = claim.label.propagated_by("platform", "post-9")
    second = sign(metadata.write(first, spread, resign=True), Claim(spread), signer, parent=first)
    finding = validate(second, trust=trust)
    assert (finding.status, finding.label, finding.evidence.manifests) == (Status.VALID, spread, 2)
    assert metadata.read(second).label == spread
    assert case.read(second) == case.read(host)


def test_format_without_a_place_takes_a_sidecar(beside, claim, signer, trust):
    labelled = metadata.write(beside, claim.label)
    with pytest.raises(UnsupportedFormat, match="cannot embed a manifest"):
        sign(labelled, claim, signer)
    assert validate(labelled, trust=trust).status is Status.ABSENT
    store = sign_sidecar(labelled, claim, signer)
    assert validate(labelled, sidecar=store, trust=trust).label == claim.label
    assert validate(labelled + b"x", sidecar=store, trust=trust).status is Status.INVALID
