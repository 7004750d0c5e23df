# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from labelkit.label import Kind, Label
from labelkit.payload import Payload
from labelkit.provenance import Claim, Signer, TrustList, keygen
from tests.provenance.certificates import NOW

LABEL = Label(Kind.GENERATED, "001191440300708461136T1XGW3", "2026-000017")


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory):
    """(signer.pem, anchors.pem) as keygen writes them."""
    return keygen(tmp_path_factory.mktemp("keys"), "Acme Imaging", now=NOW)


@pytest.fixture(scope="session")
def signer(keys) -> Signer:
    return Signer.load(keys[0])


@pytest.fixture(scope="session")
def trust(keys) -> TrustList:
    return TrustList.load(keys[1])


@pytest.fixture(scope="session")
def claim() -> Claim:
    return Claim(LABEL, Payload.of(LABEL), {"text": "AI生成", "box": [8, 500, 120, 40]}, title="cat")


@pytest.fixture(scope="session")
def picture():
    """A maker of small pictures: picture("PNG")."""
    def make(kind: str = "JPEG", size: int = 64, seed: int = 1) -> bytes:
        noise = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        out = io.BytesIO()
        Image.fromarray(noise).resize((size, size)).save(out, kind)
        return out.getvalue()
    return make
