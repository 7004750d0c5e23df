# SPDX-License-Identifier: Apache-2.0
"""Signing and validating a 1024 x 1024 JPEG, beside Pillow's q90 encode of the same picture in the same run."""

from __future__ import annotations

import datetime
import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from labelkit.label import Kind, Label
from labelkit.payload import Payload
from labelkit.provenance import Claim, Signer, TrustList, keygen, sign, validate

pytestmark = pytest.mark.benchmark(group="provenance 1024x1024 JPEG, one thread")
LABEL = Label(Kind.GENERATED, "001191440300708461136T1XGW3", "2026-000017")


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    noise = np.random.default_rng(5).integers(0, 255, (1024, 1024, 3), dtype=np.uint8)
    return Image.fromarray(noise).filter(ImageFilter.GaussianBlur(3))


@pytest.fixture(scope="module")
def host(photograph: Image.Image) -> bytes:
    return _encode(photograph)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Signer, TrustList]:
    paths = keygen(tmp_path_factory.mktemp("keys"), "Bench", now=datetime.datetime.now(datetime.UTC))
    return Signer.load(paths[0]), TrustList.load(paths[1])


def _encode(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90)
    return out.getvalue()


def test_reference_pillow_jpeg_q90(benchmark, photograph):
    assert benchmark(_encode, photograph)


def test_sign(benchmark, host, keys):
    signed = benchmark(sign, host, Claim(LABEL, Payload.of(LABEL), {"text": "AI生成"}), keys[0])
    assert validate(signed, trust=keys[1]).evidence.trusted


def test_validate(benchmark, host, keys):
    signed = sign(host, Claim(LABEL, Payload.of(LABEL)), keys[0])
    assert benchmark(validate, signed, trust=keys[1]).evidence.trusted


def test_validate_unsigned(benchmark, host, keys):
    assert benchmark(validate, host, trust=keys[1]).label is None
