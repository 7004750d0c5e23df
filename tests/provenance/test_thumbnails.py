# SPDX-License-Identifier: Apache-2.0
"""Small pictures of a file and of what it was made from, in the manifest where they are asked for."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle

import c2pa
import numpy as np
import pytest
from PIL import Image

from labelkit import container
from labelkit.label import Kind
from labelkit.provenance import Claim, sign, sign_sidecar, validate
from labelkit.report import Status
from tests.provenance.conftest import LABEL
from tests.provenance.rubric import faults
from tests.provenance.test_manifest import OGG

THUMBNAILED = ("JPEG", "PNG", "WEBP", "TIFF", "GIF")


@pytest.mark.parametrize("kind", THUMBNAILED)
def test_thumbnails_are_there_when_they_are_asked_for_and_not_before(picture, claim, signer, trust, kind):
    asked, possible = signer.with_thumbnails(), Claim(dataclasses.replace(LABEL, kind=Kind.POSSIBLE))
    assert asked.has_thumbnails and not signer.has_thumbnails and asked.subject == signer.subject
    for one, wanted in ((signer, set()), (asked, {"c2pa.thumbnail.claim", "c2pa.thumbnail.ingredient"})):
        data = sign(picture(kind), possible, one, parent=picture("PNG", seed=2))
        assert {name for name in _assertions(data) if "thumbnail" in name} == wanted
        assert validate(data, trust=trust).status is Status.VALID


def test_thumbnails_are_small_and_survive_pickling(claim, signer):
    large = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (700, 1400, 3), dtype=np.uint8)).save(large, "JPEG")
    data = sign(large.getvalue(), claim, pickle.loads(pickle.dumps(signer.with_thumbnails())))
    with c2pa.Reader("image/jpeg", io.BytesIO(data)) as reader:
        held, small = json.loads(reader.json()), io.BytesIO()
        reader.resource_to_stream(held["manifests"][held["active_manifest"]]["thumbnail"]["identifier"], small)
    assert Image.open(small).size == (512, 256)


def test_the_rubric_is_passed_with_them(claim, signer, picture):
    data = sign(picture(), Claim(dataclasses.replace(LABEL, kind=Kind.POSSIBLE)), signer.with_thumbnails())
    with c2pa.Reader("image/jpeg", io.BytesIO(data)) as reader:
        assert faults(json.loads(reader.crjson())["manifests"][0]) == {}


def test_other_formats_get_no_thumbnail(claim, signer, trust):
    store = sign_sidecar(OGG, claim, signer.with_thumbnails(), mime="audio/ogg")
    assert validate(OGG, sidecar=store, trust=trust).status is Status.VALID


def _assertions(data: bytes) -> list[str]:
    """Labels of the assertions of the active manifest."""
    with c2pa.Reader(container.sniff(data).mime, io.BytesIO(data)) as reader:
        return list(json.loads(reader.crjson())["manifests"][0]["assertions"])
