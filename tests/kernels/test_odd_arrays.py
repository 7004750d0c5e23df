# SPDX-License-Identifier: Apache-2.0
"""Whatever the binding is called with, it refuses or computes; it never reads or writes beyond its buffers.

`make native-test-python` runs this under sanitizers, which end the process where a check is missing.
"""

from __future__ import annotations

import ctypes
import math
import random
import sys

import numpy as np
import pytest

from labelkit import kernels
from labelkit.kernels import contract, reference
from tests.kernels.calls import arguments, given_to, name_of

native = kernels.native
REFUSALS = (ValueError, TypeError, BufferError, OverflowError)
HUGE = [sys.maxsize, sys.maxsize // 2 + 1, 2**55, 2**31, -1, -sys.maxsize - 1, 2**64, 0, 1, 3, 4097]
PLACES = [(kernel, place) for kernel, given in arguments(reference).items() for place in range(len(given))]
ARRAYS = [(kernel, place) for kernel, place in PLACES if isinstance(given_to(reference, kernel)[place], np.ndarray)]
WIDE = [(kernel, place) for kernel, place in ARRAYS if given_to(reference, kernel)[place].itemsize > 1]


def call(kernel: str, given: list) -> None:
    getattr(native, kernel)(*given)


def changed(kernel: str, place: int, value: object) -> list:
    given = given_to(native, kernel)
    given[place] = value
    return given


def misaligned(array: np.ndarray) -> np.ndarray:
    memory = np.zeros(array.nbytes + 1, np.uint8)
    out = memory[1:].view(array.dtype).reshape(array.shape)
    out[...] = array
    return out


def huge_and_empty(dtype: np.dtype, axes: int) -> np.ndarray:
    """No elements, but extents whose products are beyond memory."""
    memory = np.zeros(0, dtype)
    return np.lib.stride_tricks.as_strided(memory, (0, sys.maxsize // 64, 4, 1)[:axes], (dtype.itemsize,) * axes)


def oddities(array: np.ndarray) -> list[object]:
    """What might stand in the place of an array."""
    with np.errstate(invalid="ignore"):
        others = [array.astype(dtype) for dtype in (np.float64, np.int64, "?", array.dtype.newbyteorder())]
    extremes = [np.full_like(array, value) for value in
                ((np.nan, np.inf, -np.inf, 3e38) if array.dtype.kind == "f" else
                 (np.iinfo(array.dtype).min, np.iinfo(array.dtype).max, 0))]
    return [*extremes, misaligned(array), array.ravel()[:-1].copy(), np.append(array.ravel(), array.ravel()[:1]),
            array[..., None], array.ravel()[:0], np.broadcast_to(array.ravel()[:1], array.shape),
            np.repeat(array, 2, axis=-1)[..., ::2], array[::-1], array.T, *others, array.tobytes(), array[..., 0], 0,
            None, "text", object(), np.array(array.ravel()[0]), huge_and_empty(array.dtype, array.ndim),
            memoryview(array), bytearray(array.tobytes())]


@pytest.mark.parametrize("kernel", contract.NAMES)
def test_the_calls_are_valid(kernel):
    for module in (native, reference):
        given = given_to(module, kernel)
        getattr(module, kernel)(*given)


@pytest.mark.parametrize("kernel,place", PLACES)
def test_odd_arguments_are_refused_or_computed_with(kernel, place):
    value = given_to(native, kernel)[place]
    odd = oddities(value) if isinstance(value, np.ndarray) else [*HUGE, math.nan, math.inf, -1e308, None, "1"]
    for other in odd:
        given = changed(kernel, place, other)
        before = [sys.getrefcount(argument) for argument in given if isinstance(argument, np.ndarray)]
        try:
            call(kernel, given)
        except REFUSALS:
            pass
        after = [sys.getrefcount(argument) for argument in given if isinstance(argument, np.ndarray)]
        assert before == after, "every buffer is closed again"


@pytest.mark.parametrize("kernel", contract.NAMES)
def test_several_odd_arguments_at_once(kernel):
    chance = random.Random(kernel)
    for _ in range(150):
        given = given_to(native, kernel)
        for place in chance.sample(range(len(given)), min(len(given), chance.randint(2, 4))):
            value = given[place]
            given[place] = chance.choice(oddities(value) if isinstance(value, np.ndarray) else [*HUGE, 0.5, math.nan])
        try:
            call(kernel, given)
        except REFUSALS:
            pass


@pytest.mark.parametrize("kernel,place", WIDE)
def test_misaligned_elements_are_refused(kernel, place):
    given = given_to(native, kernel)
    given[place] = misaligned(given[place])
    with pytest.raises(ValueError, match=f"^{name_of(kernel, place)}: the elements are not aligned"):
        call(kernel, given)


@pytest.mark.parametrize("kernel,place", ARRAYS)
def test_a_refusal_names_the_argument(kernel, place):
    """The first thing wrong is what is said, not that something was."""
    given = given_to(native, kernel)
    given[place] = np.zeros(given[place].shape, np.complex64)
    with pytest.raises(ValueError, match=f"^{name_of(kernel, place)}: u?(int|float)[0-9]+ wanted, got format 'Zf'"):
        call(kernel, given)


@pytest.mark.parametrize("kernel,place", ARRAYS)
def test_what_is_written_lies_apart_from_all_else(kernel, place):
    """A kernel checks indices and sizes before it writes: an output over them would change what it has checked."""
    given = given_to(native, kernel)
    array = given[place]
    for other, value in enumerate(given):
        if other == place or not isinstance(value, np.ndarray) or value.nbytes < array.nbytes:
            continue
        if kernel == "image_embed" and {place, other} == {0, 1}:
            continue  # these two may be the same
        shared = given_to(native, kernel)
        memory = np.zeros(-(-value.nbytes // 16) * 16, np.uint8)
        shared[place] = memory[: array.nbytes].view(array.dtype).reshape(array.shape)
        shared[other] = memory[: value.nbytes].view(value.dtype).reshape(value.shape)
        shared[place][...] = array
        try:
            call(kernel, shared)
        except ValueError:
            continue
        assert (shared[place] == array).all(), "only what is read alone may share memory"


def test_outputs_over_inputs_are_refused():
    signs = np.zeros((2, 16), np.float32)
    hit = np.zeros((2, 48), np.float32)
    with pytest.raises(ValueError, match="shares memory"):
        native.audio_rows(np.zeros((7, 2), np.float32), signs, 3, hit, hit)
    plane = np.zeros(64, np.uint8)
    with pytest.raises(ValueError, match="shares memory"):
        native.image_luma(plane.reshape(4, 4, 4), plane[8:24].reshape(4, 4))


def test_a_stream_s_samples_lie_apart_from_what_it_keeps():
    given = given_to(native, "audio_stream_form")
    form, chunk, out = native.audio_stream_form(*given), np.zeros((99, 2), np.float32), np.zeros((9, 2), np.float32)
    state = given[-2]
    native.audio_stream(form, chunk, 3, False, out)
    for wrong in ((state[1:201].reshape(-1, 2), out), (chunk, state[1:19].reshape(-1, 2)), (chunk, given[5][:1])):
        with pytest.raises(ValueError, match="shares memory"):
            native.audio_stream(form, wrong[0], 3, False, wrong[1])


def test_a_stream_is_called_with_its_form():
    for module, other in ((native, reference), (reference, native)):
        _, *rest = given_to(module, "audio_stream")
        for wrong in (None, (1, 2), given_to(other, "audio_stream")[0]):
            with pytest.raises(ValueError):
                module.audio_stream(wrong, *rest)


def test_a_form_keeps_its_arrays_open_as_long_as_it_lives():
    given = given_to(native, "audio_stream_form")
    arrays = [argument for argument in given if isinstance(argument, np.ndarray)]
    before = [sys.getrefcount(array) for array in arrays]
    form = native.audio_stream_form(*given)
    assert all(sys.getrefcount(array) > count for array, count in zip(arrays, before, strict=True))
    del form
    assert [sys.getrefcount(array) for array in arrays] == before


def test_a_picture_is_marked_in_place_but_not_beside_itself():
    pixels, out, *rest = given_to(native, "image_embed")
    native.image_embed(pixels, out, *rest)
    memory = np.zeros((9 + 1, 17, 3), np.uint8)
    memory[:9] = pixels
    native.image_embed(memory[:9], memory[:9], *rest)
    assert (memory[:9] == out).all()
    with pytest.raises(ValueError, match="shares memory"):
        native.image_embed(memory[:9], memory[1:], *rest)


@pytest.mark.parametrize("kernel,place", [("audio_mark", 2), ("audio_spectrum", 1), ("audio_chips", 8),
                                          ("audio_chips", 1)])
@pytest.mark.parametrize("count", [2**55, 2**55 + 1, sys.maxsize, sys.maxsize // 2 + 2, -1, -(2**40)])
def test_counts_whose_sizes_overflow_are_refused(kernel, place, count):
    with pytest.raises(ValueError):
        call(kernel, changed(kernel, place, count))


@pytest.mark.parametrize("pace", [math.nan, math.inf, -math.inf, 0.0, -1.0, 1e300])
def test_a_pace_is_a_number_above_zero(pace):
    for module in (native, reference):
        given = given_to(module, "audio_chips")
        given[7] = pace
        with pytest.raises(ValueError, match="^pace"):
            module.audio_chips(*given)


def test_positions_beyond_memory_are_refused():
    for place, value in ((3, 2**30), (4, 2**30), (5, sys.maxsize)):
        given = changed("audio_resample", place, value)
        if place == 3:
            given[5] = sys.maxsize
        with pytest.raises(ValueError):
            call("audio_resample", given)


@pytest.mark.parametrize("scale", [1, 2**15])
def test_soft_values_saturate(scale):
    soft, frozen, paths, _, bits, metric = given_to(native, "polar_decode")
    soft = (soft >> 15) * scale  # up to 2^16, or to 2^31
    results = []
    for module, values in ((native, soft), (reference, soft), (native, np.clip(soft, -(2**16), 2**16))):
        bits, metric = np.zeros_like(bits), np.zeros_like(metric)
        module.polar_decode(values, frozen, paths, np.empty(module.polar_scratch(32, paths), np.uint8), bits, metric)
        results.append((bits.tolist(), metric.tolist()))
    assert results[0] == results[1] == results[2] and max(results[0][1]) > 0


def test_scratch_of_any_alignment_will_do():
    given = given_to(native, "polar_decode")
    native.polar_decode(*given)
    want = given[4].copy(), given[5].copy()
    for start in range(1, 8):
        given[3] = np.empty(len(given[3]) + start, np.uint8)[start:]
        native.polar_decode(*given)
        assert (given[4] == want[0]).all() and (given[5] == want[1]).all()


def test_sums_beyond_32_bits_wrap_alike():
    plane = np.full((1, 2**24 + 1), -128, np.int8)
    for module in (native, reference):
        folded, lattice = np.zeros((1, 1), np.int32), np.zeros((256, 256), np.int32)
        module.plane_fold(plane, folded)
        module.plane_fold_lattice(plane, np.zeros(2, np.uint32), np.zeros(4, np.uint32), lattice)
        assert folded[0, 0] == lattice[0, 0] == 2**31 - 128


@pytest.mark.parametrize("letter", "ilqILQ")
def test_integers_are_known_by_their_size_not_by_their_letter(letter):
    """NumPy calls 32 bits 'l' and 'L' on Windows, 'i' and 'I' elsewhere."""
    dtype = np.dtype(letter)
    signed, unsigned = given_to(native, "plane_fold"), given_to(native, "plane_fold_lattice")
    signed[1], unsigned[1] = np.empty((4, 4), dtype), np.zeros(2, dtype)
    for kernel, given, kind in (("plane_fold", signed, "i"), ("plane_fold_lattice", unsigned, "u")):
        if dtype.itemsize == 4 and dtype.kind == kind:
            call(kernel, given)
        else:
            with pytest.raises(ValueError, match="32 wanted, got format"):
                call(kernel, given)


@pytest.mark.parametrize("kind,right", [(ctypes.c_uint, True), (ctypes.c_int, False), (ctypes.c_uint64, False),
                                        (ctypes.c_ulong, ctypes.sizeof(ctypes.c_ulong) == 4)])
def test_arrays_of_ctypes_are_taken_like_numpys(kind, right):
    given = changed("plane_fold_lattice", 1, (kind * 2)(1, 2))
    if right:
        call("plane_fold_lattice", given)
    else:
        with pytest.raises(ValueError, match="^origin: uint32 wanted"):
            call("plane_fold_lattice", given)
