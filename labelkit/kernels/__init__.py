# SPDX-License-Identifier: Apache-2.0
"""Picks the compiled kernels, or their NumPy twins where nothing is compiled.

`kernels.plane_fold(...)` and the other kernels of `contract.Kernels` call what is in use. `LABELKIT_KERNELS=numpy`
forces the twins. `backend()` names what is in use, `backends()` what could be, `use()` switches (for tests and
benchmarks; not while kernels run). Twins agree with the kernels to the bit, except where the contract in native/lk.h
says otherwise. Twins that nobody asked for warn once, when the first of them is called, with `SlowKernels`.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from labelkit.distribution import DISTRIBUTION
from labelkit.errors import InvalidArgument, SlowKernels
from labelkit.kernels import reference
from labelkit.kernels.contract import NAMES, Compiled, Kernels
from labelkit.messages import Message

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _load() -> tuple[Compiled | None, str]:
    """The compiled module; where there is none, why."""
    try:
        import labelkit._native as native
    except ImportError as error:
        return None, str(error)
    return native, ""


native, _missing = _load()
_twins: Kernels = reference
_in_use: Kernels = _twins if native is None or os.environ.get("LABELKIT_KERNELS") == "numpy" else native

# Each kernel under its own name, so that readers and type checkers find it; `_bind` binds these names anew.
polar_scratch = _in_use.polar_scratch
polar_decode = _in_use.polar_decode
code_distance = _in_use.code_distance
image_gain = _in_use.image_gain
film_gain = _in_use.film_gain
image_embed = _in_use.image_embed
tile_make = _in_use.tile_make
tile_place = _in_use.tile_place
camera_grid = _in_use.camera_grid
camera_fit = _in_use.camera_fit
margin_sample = _in_use.margin_sample
margin_score = _in_use.margin_score
floats_quantise = _in_use.floats_quantise
floats_expand = _in_use.floats_expand
image_colours = _in_use.image_colours
image_spread = _in_use.image_spread
image_luma = _in_use.image_luma
plane_whiten = _in_use.plane_whiten
plane_fold = _in_use.plane_fold
plane_fold_lattice = _in_use.plane_fold_lattice
lattice_score = _in_use.lattice_score
pattern_score = _in_use.pattern_score
plane_resample = _in_use.plane_resample
plane_match = _in_use.plane_match
jpeg_scan = _in_use.jpeg_scan
jpeg_marker = _in_use.jpeg_marker
audio_mark_scratch = _in_use.audio_mark_scratch
audio_mark = _in_use.audio_mark
audio_shield = _in_use.audio_shield
audio_limit = _in_use.audio_limit
audio_resample = _in_use.audio_resample
audio_stream_state = _in_use.audio_stream_state
audio_stream_scratch = _in_use.audio_stream_scratch
audio_stream_form = _in_use.audio_stream_form
audio_stream = _in_use.audio_stream
audio_loudness = _in_use.audio_loudness
audio_spectrum = _in_use.audio_spectrum
audio_chips = _in_use.audio_chips
audio_rows = _in_use.audio_rows


def backend() -> str:
    """What is in use: "numpy", or the instruction set of the compiled kernels."""
    return "numpy" if native is None or _in_use is _twins else native.isa()


def backends() -> list[str]:
    """All that this machine can run: "numpy", then the instruction sets, slowest first."""
    return ["numpy", *(native.isas() if native else [])]


def use(name: str) -> None:
    """Switch to one of `backends()`; raises InvalidArgument for another."""
    if name not in backends():
        raise InvalidArgument("{name} must be one of {choices}, got {value}", name="name",
                              choices=", ".join(backends()), value=repr(name))
    if native is None or name == "numpy":
        _bind(_twins)
    else:
        native.use_isa(name)
        _bind(native)


def warn_if_missing() -> None:
    """Issue SlowKernels if NumPy would do the work of kernels that are missing, and nobody asked for that."""
    if native is None and os.environ.get("LABELKIT_KERNELS") != "numpy":
        warnings.warn(SlowKernels(_notice()), stacklevel=2)


def _bind(kernels: Kernels) -> None:
    global _in_use
    _in_use = kernels
    for name in NAMES:
        globals()[name] = getattr(kernels, name)


def _telling(twin: Callable[_P, _R]) -> Callable[_P, _R]:
    """The twin, which says first that it is one; after that all are bound without it."""
    @functools.wraps(twin)
    def call(*args: _P.args, **keywords: _P.kwargs) -> _R:
        _bind(_twins)
        warnings.warn(SlowKernels(_notice()), stacklevel=2)
        return twin(*args, **keywords)
    return call


def _notice() -> Message:
    return Message("labelkit's compiled kernels are missing ({reason}), so NumPy does their work: marking a picture "
                   "takes about 100 times as long, detecting its watermark 20 times, sound 3 to 6 times. To compile "
                   "them, install a C compiler and Python's headers, then: pip install --force-reinstall "
                   "--no-cache-dir {distribution}", reason=_missing, distribution=DISTRIBUTION)


if native is None and os.environ.get("LABELKIT_KERNELS") != "numpy":
    for _name in NAMES:
        globals()[_name] = _telling(getattr(_twins, _name))
