# SPDX-License-Identifier: Apache-2.0
"""The compiled kernels, their twins and the stub keep one contract, and twins that nobody asked for say so once."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import labelkit
from labelkit import kernels
from labelkit.errors import InvalidArgument
from labelkit.kernels import contract, reference
from tests.backends import using
from tests.media import photo, saved

WITHOUT = "import sys; sys.modules['labelkit._native'] = None\n"  # as where nothing is compiled
FOLD = """
import numpy as np
from labelkit import kernels
out = np.zeros((2, 2), np.int32)
for _ in range(3):
    kernels.plane_fold(np.ones((4, 4), np.int8), out)
assert kernels.backend() == 'numpy' and kernels.backends() == ['numpy'] and out.tolist() == [[4, 4], [4, 4]]
"""


def run(code: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("LABELKIT_KERNELS", "PYTHONWARNINGS")}
    return subprocess.run([sys.executable, "-c", code, *words], env=clean | environment, capture_output=True, text=True,
                          encoding="utf-8", check=True)


def test_both_backends_have_every_kernel_and_no_other():
    assert set(reference.__all__) == set(contract.NAMES)
    compiled = {name for name in vars(kernels.native) if not name.startswith("_")}
    assert compiled == set(contract.NAMES) | {"isa", "isas", "use_isa"}
    assert all(getattr(kernels, name) is getattr(kernels.native, name) for name in contract.NAMES)


def test_the_twins_and_the_stub_take_the_arguments_of_the_contract():
    stub = ast.parse((Path(labelkit.__file__).parent / "_native.pyi").read_text("utf-8"))
    stubs = {node.name: [argument.arg for argument in node.args.posonlyargs]
             for node in stub.body if isinstance(node, ast.FunctionDef)}
    for name in contract.NAMES:
        wanted = list(inspect.signature(getattr(contract.Kernels, name)).parameters)[1:]
        assert stubs[name] == wanted, name
        assert list(inspect.signature(getattr(reference, name)).parameters) == wanted, name


def test_kernels_follow_what_is_used():
    before = kernels.backend()
    with using("numpy"):
        assert kernels.backend() == "numpy" and kernels.plane_fold is reference.plane_fold
    assert kernels.backend() == before and kernels.plane_fold is kernels.native.plane_fold


def test_another_backend_is_refused():
    with pytest.raises(InvalidArgument):
        kernels.use("mmx")


def test_twins_that_nobody_asked_for_say_so_once():
    told = run(WITHOUT + FOLD).stderr
    assert told.count("SlowKernels: labelkit's compiled kernels are missing (") == 1
    assert "C compiler" in told and "100 times" in told


def test_importing_the_twins_says_nothing():
    assert run(WITHOUT + "import labelkit.watermark.image, labelkit.watermark.audio").stderr == ""


def test_twins_that_were_asked_for_say_nothing():
    assert run(WITHOUT + FOLD, LABELKIT_KERNELS="numpy").stderr == ""
    chosen = FOLD.replace("out =", "kernels.use('numpy'); out =")
    assert run(WITHOUT + chosen).stderr == ""


@pytest.mark.parametrize("language,words", [("en", "compiled kernels are missing"), ("zh-CN", "编译版计算内核")])
def test_the_command_line_says_it_once_in_its_language(tmp_path, language, words):
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(saved(photo(96, 96), "PNG"))
    code = WITHOUT + "from labelkit.cli.main import main; main(sys.argv[1:])"
    told = run(code, "--lang", language, "verify", str(tmp_path), PYTHONIOENCODING="utf-8").stderr
    assert told.count(words) == 1 and "SlowKernels" not in told
