# SPDX-License-Identifier: Apache-2.0
"""Builds native/ as the Python module of a browser, with the C compiler of PyPI's ziglang alone.

    python native/wasm.py OUT.so

The module is a WebAssembly library of the limited API, which Pyodide of any version loads. The kernels call but three
functions of the C library, which Pyodide has, so that neither Emscripten nor its headers are needed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path

import ziglang

NATIVE = Path(__file__).resolve().parent
ZIG = Path(ziglang.__file__).parent / "zig"

SIZES = {"SHORT": 2, "INT": 4, "LONG": 4, "LONG_LONG": 8, "VOID_P": 4, "SIZE_T": 4, "FLOAT": 4, "DOUBLE": 8,
         "WCHAR_T": 4, "TIME_T": 8, "PTHREAD_T": 4, "PTHREAD_KEY_T": 4, "PID_T": 4, "UINTPTR_T": 4, "LONG_DOUBLE": 16}
# named one by one: the features of a later standard bring constants that Node 20 refuses
CPU = "mvp+simd128+bulk_memory+mutable_globals+sign_ext+nontrapping_fptoint"
COMPILE = ["cc", "-target", "wasm32-wasi", f"-mcpu={CPU}", "-std=c11", "-O3", "-fPIC", "-fvisibility=hidden",
           "-Wall", "-Wextra", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fno-sanitize=all",
           "-DLK_ISA=scalar", "-DLK_ISA_scalar=1", "-DPy_LIMITED_API=0x030b0000", f"-I{NATIVE}"]
LINK = ["wasm-ld", "-shared", "--experimental-pic", "--no-entry", "--export=PyInit__native",
        "--export-if-defined=__wasm_apply_data_relocs", "--export-if-defined=__wasm_call_ctors",
        "--unresolved-symbols=import-dynamic", "--import-memory", "-s"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        headers = headers_of_32_bits(Path(folder) / "include")
        sources = [*sorted((NATIVE / "kernels").glob("*.c")), *sorted((NATIVE / "binding").glob("*.c")),
                   NATIVE / "cpu.c"]
        objects = []
        for source in sources:
            objects.append(f"{folder}/{len(objects)}.o")
            subprocess.run([ZIG, *COMPILE, f"-I{headers}", "-c", source, "-o", objects[-1]], check=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([ZIG, *LINK, *objects, "-o", out], check=True)


def headers_of_32_bits(folder: Path) -> Path:
    """This Python's headers, with the sizes of WebAssembly."""
    shutil.copytree(sysconfig.get_path("include"), folder)
    sizes = "".join(f"#define SIZEOF_{name} {size}\n" for name, size in SIZES.items())
    (folder / "pyconfig.h").write_text(sizes + "#define HAVE_SSIZE_T 1\n#define SSIZE_MAX 0x7fffffffL\n"
                                       "#define ALIGNOF_LONG 4\n#define ALIGNOF_SIZE_T 4\n")
    return folder


if __name__ == "__main__":
    main()
