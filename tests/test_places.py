# SPDX-License-Identifier: Apache-2.0
"""Pictures in arrays are labelled into arrays that the caller gives, with the samples that a new array would have."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import labelkit as lk
from labelkit.errors import InvalidArgument
from labelkit.integrations.batches import label_pictures
from labelkit.plan import Explicit
from tests.media import LABEL, photo
from tests.test_tensors import Tensor

BORDER = lk.Plan(explicit=Explicit(border=True))


def sources() -> dict[str, np.ndarray]:
    rgb = photo(192, 256)
    floats = rgb / np.float32(255)
    return {"uint8": rgb, "grey": rgb[..., 0], "uint16": rgb.astype(np.uint16) * 257, "float": floats,
            "double": floats.astype(float), "half": floats.astype(np.float16), "grey float": floats[..., 0],
            "channels first": np.moveaxis(floats, -1, 0), "backwards": floats[::-1],
            "alpha": np.dstack([rgb, rgb[..., 0]])}


@pytest.mark.parametrize("kind", sources())
def test_the_array_that_is_given_gets_what_a_new_one_would(kind):
    source = sources()[kind]
    before, place = source.copy(), np.full(source.shape, 3, source.dtype)
    want = lk.embed(source, label=LABEL)
    made = lk.embed(source, place, LABEL)
    assert np.array_equal(made, want) and np.array_equal(place, want) and want.dtype == source.dtype
    assert np.shares_memory(made, place) and np.array_equal(source, before), "and the source stays as it is"
    assert lk.verify(place)[lk.Layer.WATERMARK].payload == lk.Payload.of(LABEL)


def test_a_new_array_shares_no_memory_with_the_next():
    for source in (photo(192, 256) / np.float32(255), Image.fromarray(photo(192, 256))):
        first = lk.embed(source, label=LABEL)
        kept = np.array(first)
        lk.embed(source, label=lk.Label(lk.Kind.GENERATED, "acme", "another"))
        assert np.array_equal(np.array(first), kept)


@pytest.mark.parametrize("place", [np.zeros((192, 256), np.uint8), np.zeros((192, 256, 3), np.float32),
                                   np.broadcast_to(np.uint8(0), (192, 256, 3)), np.zeros((191, 256, 3), np.uint8)])
def test_an_array_that_cannot_take_the_result_is_refused(place):
    with pytest.raises(InvalidArgument, match="array to write into"):
        lk.embed(photo(192, 256), place, LABEL)


def test_an_array_over_the_source_is_refused():
    memory = np.zeros((193, 256, 3), np.uint8)
    memory[:192] = photo(192, 256)
    with pytest.raises(InvalidArgument, match="shares memory"):
        lk.embed(memory[:192], memory[1:], LABEL)
    assert np.array_equal(memory[:192], photo(192, 256))


def test_what_a_border_makes_larger_does_not_fit():
    place = np.zeros((192, 256, 3), np.uint8)
    with pytest.raises(InvalidArgument, match="and the array given for it"):
        lk.embed(photo(192, 256), place, LABEL, plan=BORDER)


@pytest.mark.parametrize("form", ["array", "tensor", "list"])
@pytest.mark.parametrize("plan", [lk.Plan(), BORDER])
def test_a_batch_is_labelled_as_its_pictures_are(form, plan):
    batch = np.stack([photo(192, 256, seed) for seed in range(2)]) / np.float32(255)
    labels = [lk.Label(lk.Kind.GENERATED, "acme", str(number)) for number in range(2)]
    given = {"array": batch, "tensor": Tensor(batch), "list": list(batch)}[form]
    made = label_pictures(given, labels, plan, None)
    assert type(made) is type(given)
    for one, picture, label in zip(made.array if form == "tensor" else made, batch, labels, strict=True):
        assert np.array_equal(np.asarray(one), lk.embed(picture, label=label, plan=plan))


def test_floats_that_are_no_picture_are_refused_in_every_layout():
    for odd in (np.nan, np.inf, -0.01, 1.01):
        for layout in ("rows", "planes"):
            picture = photo(192, 256) / np.float32(255)
            picture[100, 50, 1] = odd
            with pytest.raises(InvalidArgument, match="samples from 0 to 1"):
                lk.embed(picture if layout == "rows" else np.moveaxis(picture, -1, 0), label=LABEL)
