# SPDX-License-Identifier: Apache-2.0
"""Picks the compiled kernels, or their NumPy twins where nothing is compiled.

`LABELKIT_KERNELS=numpy` forces the twins. `backend()` names what is in use, `backends()` what could be,
`use()` switches (for tests and benchmarks; not while kernels run). Twins agree with the kernels to the bit, except
where the contract in native/lk.h says otherwise.
"""

from __future__ import annotations

import os
from types import ModuleType

from labelkit.kernels import reference

try:
    from labelkit import _native as native
except ImportError:
    native = None

_chosen: ModuleType = reference if native is None or os.environ.get("LABELKIT_KERNELS") == "numpy" else native


def backend() -> str:
    """What is in use: "numpy", or the instruction set of the compiled kernels."""
    return "numpy" if _chosen is reference else native.isa()


def backends() -> list[str]:
    """All that this machine can run: "numpy", then the instruction sets, slowest first."""
    return ["numpy", *(native.isas() if native else [])]


def use(name: str) -> None:
    """Switch to one of `backends()`."""
    global _chosen
    if name != "numpy":
        native.use_isa(name)
    _chosen = reference if name == "numpy" else native


def __getattr__(name: str):
    return getattr(_chosen, name)
