# SPDX-License-Identifier: Apache-2.0
"""A pytest plugin that puts a compiled module from elsewhere, $LABELKIT_TEST_NATIVE, in the place of the installed one.

`make native-test-python` runs the kernels' tests so with a module that is built under sanitizers.
"""

from __future__ import annotations

import importlib.util
import os
import sys

_spec = importlib.util.spec_from_file_location("labelkit._native", os.environ["LABELKIT_TEST_NATIVE"])
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
sys.modules["labelkit._native"] = _module


def pytest_report_header() -> str:
    return f"compiled module: {_module.__file__}"
