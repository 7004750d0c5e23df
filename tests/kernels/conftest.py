# SPDX-License-Identifier: Apache-2.0
"""The compiled kernels, one instruction set after the other."""

from __future__ import annotations

import pytest

from labelkit import kernels
from tests.backends import using


@pytest.fixture(params=kernels.backends()[1:])
def native(request: pytest.FixtureRequest):
    with using(request.param):
        yield kernels.native
