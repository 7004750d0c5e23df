# SPDX-License-Identifier: Apache-2.0
"""The kernels of one backend for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from labelkit import kernels


@contextmanager
def using(backend: str) -> Iterator[None]:
    """Run the block with the kernels of `backend`, such as "numpy" or "scalar"; afterwards with those of before."""
    before = kernels.backend()
    kernels.use(backend)
    try:
        yield
    finally:
        kernels.use(before)
