# SPDX-License-Identifier: Apache-2.0
"""The kernel that looks for a pattern in a spectrum finds what its NumPy twin finds, on every instruction set here."""

from __future__ import annotations

import numpy as np
import pytest

from labelkit.kernels import fourier, reference
from labelkit.kernels.pattern import SCRATCH


def test_pattern_score(native) -> None:
    """Of a pattern that is in the spectrum on the first of three lattices, shifted; on the others it is not."""
    random = np.random.default_rng(8)
    n, bins = 256, 300
    waves = np.unique(random.integers([0, -36], [37, 37], (2 * bins, 2)), axis=0).astype(np.int32)
    waves = random.permutation(waves[(waves[:, 0] > 0) | (waves[:, 1] > 0)])[:bins]
    phases = np.exp(2j * np.pi * random.uniform(size=bins)).astype(np.complex64)
    steps = np.array([[0, 3, 3, 0], [0.4, 2.9, 2.9, -0.4], [0, 3.3, 3.3, 0]], np.float32)
    spectrum = random.standard_normal((n, n // 2, 2)).astype(np.float32)
    shifted = 4 * phases.conj() * np.exp(2j * np.pi * (waves @ [0.25, 0.625]))
    spectrum[3 * waves[:, 1] % n, 3 * waves[:, 0]] += shifted.astype(np.complex64).view(np.float32).reshape(-1, 2)
    roots = fourier.roots()
    want, got = np.empty(3, np.float32), np.empty(3, np.float32)
    for module, out in ((reference, want), (native, got)):
        module.pattern_score(spectrum, waves, phases.view(np.float32), roots, steps, np.empty(SCRATCH, np.float32), out)
    assert np.allclose(want, got, atol=1e-4 * want.max())
    assert want[0] > 20 and want[1:].max() < 7
    one = np.empty(1, np.float32)
    native.pattern_score(spectrum, waves, phases.view(np.float32), roots, steps[2:], np.empty(SCRATCH, np.float32), one)
    assert one[0] == got[2], "each lattice by itself gives what it gives in a pair"


def _call(rows: int = 8, wave: tuple[int, int] = (1, 1), bins: int = 1) -> list[np.ndarray]:
    return [np.zeros((rows, rows // 2, 2), np.float32), np.full((bins, 2), wave, np.int32),
            np.zeros((bins, 2), np.float32),
            np.zeros((1024, 2), np.float32), np.zeros((1, 4), np.float32), np.zeros(SCRATCH, np.float32),
            np.ones(1, np.float32)]


@pytest.mark.parametrize("wrong", [{"rows": 12}, {"rows": 2}, {"wave": (40, 0)}, {"wave": (-1, 3)}, {"wave": (0, -40)},
                                   {"bins": 2049}])
def test_what_breaks_the_contract_is_refused(native, wrong) -> None:
    for module in (reference, native):
        with pytest.raises(ValueError):
            module.pattern_score(*_call(**wrong))
        module.pattern_score(*_call())


@pytest.mark.parametrize("step", [1e30, -1e30, np.inf, np.nan, 3.5])
def test_bins_beyond_the_spectrum_count_as_nothing(native, step) -> None:
    for module in (reference, native):
        call = _call()
        call[0][:], call[4][:] = 1, step
        module.pattern_score(*call)
        assert call[-1] == 0
