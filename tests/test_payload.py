# SPDX-License-Identifier: Apache-2.0
"""The 64 bits, and the code that protects them."""

import numpy as np
import pytest

from labelkit.errors import InvalidArgument
from labelkit.label import Kind, Label
from labelkit.payload import Payload
from labelkit.watermark import ecc

LABEL = Label(Kind.GENERATED, "001191440300708461136T1XGW3", "2026-000017")


def test_payload_of_a_label_is_fixed_for_all_time() -> None:
    assert Payload.of(LABEL).hex == "283cec28058cc9f6"


def test_bytes_and_numbers_lead_back() -> None:
    payload = Payload.of(LABEL)
    assert Payload.from_bytes(payload.to_bytes()) == payload == Payload.from_int(int(payload))


def test_matches_its_label_and_no_other() -> None:
    payload = Payload.of(LABEL)
    assert payload.matches(LABEL)
    assert payload.matches(Label(Kind.SUSPECTED, LABEL.content_producer, LABEL.produce_id))
    assert not payload.matches(Label(Kind.GENERATED, LABEL.content_producer, "2026-000018"))
    assert not payload.matches(Label(Kind.GENERATED, "somebody", LABEL.produce_id))


@pytest.mark.parametrize("field", [{"kind": 4}, {"producer": 1 << 24}, {"content": -1}, {"version": 8}])
def test_fields_out_of_range_are_refused(field: dict) -> None:
    with pytest.raises(InvalidArgument):
        Payload(**{"kind": 1, "producer": 1, "content": 1, **field})


@pytest.mark.parametrize("raw", [b"1234567", "12345678", None])
def test_other_than_eight_bytes_are_refused(raw: object) -> None:
    with pytest.raises(InvalidArgument):
        Payload.from_bytes(raw)


def _received(payload: int, n: int, snr_per_bit_db: float, seed: int) -> np.ndarray:
    """Soft values after white noise of the given Eb/N0, 80 bits counting."""
    sigma = np.sqrt(n / (2 * ecc.INFORMATION_BITS * 10 ** (snr_per_bit_db / 10)))
    return 1 - 2.0 * ecc.encode(payload, n) + sigma * np.random.default_rng(seed).standard_normal(n)


@pytest.mark.parametrize("n", [128, 256, 512, 1024, 2048, 4096])
def test_code_without_noise(n: int) -> None:
    assert ecc.decode(1 - 2.0 * ecc.encode(0x0123456789ABCDEF, n)) == 0x0123456789ABCDEF


def test_code_in_noise_near_capacity() -> None:
    right = sum(ecc.decode(_received(seed, 1024, 1.5, seed)) == seed for seed in range(1, 41))
    assert right >= 39


def test_noise_alone_decodes_to_nothing() -> None:
    random = np.random.default_rng(9)
    assert all(ecc.decode(random.standard_normal(1024)) is None for _ in range(40))
    assert ecc.decode(np.zeros(1024)) is None


def test_scale_of_the_soft_values_does_not_matter() -> None:
    soft = _received(77, 1024, 3.0, 1)
    assert ecc.decode(soft * 1e-9) == ecc.decode(soft * 1e9) == 77
