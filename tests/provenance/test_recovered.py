# SPDX-License-Identifier: Apache-2.0
"""A manifest that did not come with the file fits by its hash, or by the mark that it names, or not."""

from __future__ import annotations

import dataclasses

import pytest

import labelkit as lk
from labelkit import provenance
from labelkit.provenance import Claim
from tests.media import LABEL, photo, saved

MARK = lk.Payload.of(LABEL)
OTHER = saved(photo(seed=2), "PNG")


@pytest.fixture(scope="module")
def signed(signer) -> tuple[bytes, bytes]:
    """A file that was signed, and its manifest store."""
    made = provenance.sign(saved(photo(), "JPEG"), Claim(LABEL, MARK), signer)
    return made, signer.take_store()


def test_by_hash_where_the_file_is_as_it_was_signed(signed, trust):
    made, store = signed
    found = provenance.recovered(made, store, None, trust=trust)
    assert found.fits == "hash" and found.finding == provenance.validate(made, trust=trust)


def test_by_the_mark_where_the_content_is_encoded_anew(signed, trust):
    for mark in (MARK, dataclasses.replace(MARK, kind=3)):  # a propagator may have raised the kind
        found = provenance.recovered(OTHER, signed[1], mark, trust=trust)
        assert found.fits == "watermark" and found.finding.status is lk.Status.VALID
        assert found.finding.label == LABEL and found.finding.evidence.trusted
        assert "can be copied" in str(found.finding.summary)


@pytest.mark.parametrize("mark", [None, dataclasses.replace(MARK, content=1), dataclasses.replace(MARK, producer=1)])
def test_not_where_the_mark_is_another(signed, trust, mark):
    found = provenance.recovered(OTHER, signed[1], mark, trust=trust)
    assert found.fits is None and found.finding.status is lk.Status.INVALID and found.finding.label is None


def test_the_signer_is_judged_all_the_same(signed):
    found = provenance.recovered(OTHER, signed[1], MARK, trust=lk.TrustList.none())
    assert found.fits == "watermark" and not found.finding.evidence.trusted
    assert "no trust list" in str(found.finding.summary)


def test_a_changed_one_does_not_fit_or_says_the_same(signed, trust):
    """Padding and the heads of boxes are not signed, and say nothing."""
    _, store = signed
    whole, refused = provenance.recovered(OTHER, store, MARK, trust=trust).finding, 0
    for at in range(40, len(store), len(store) // 60):
        changed = store[:at] + bytes([store[at] ^ 1]) + store[at + 1:]
        found = provenance.recovered(OTHER, changed, MARK, trust=trust)
        refused += found.fits is None
        assert found.fits is None or found.finding == whole, at
    assert refused > 30
    named = store.replace(MARK.hex.encode(), dataclasses.replace(MARK, content=1).hex.encode())
    assert named != store
    assert provenance.recovered(OTHER, named, dataclasses.replace(MARK, content=1), trust=trust).fits is None
    for junk in (b"", b"junk", store[:-1]):
        assert provenance.recovered(OTHER, junk, MARK, trust=trust).fits is None


def test_a_store_is_taken_once(signer):
    provenance.sign(saved(photo(), "JPEG"), Claim(LABEL), signer)
    assert signer.take_store() and signer.take_store() is None
