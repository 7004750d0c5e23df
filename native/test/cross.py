# SPDX-License-Identifier: Apache-2.0
"""Builds native/ for other platforms with the C compiler of PyPI's ziglang, and runs what can be run here.

    python native/test/cross.py TARGET [--run EMULATOR] [--traps]

With --run the native tests are built and run; `--run ""` runs them as they are. --traps ends them at undefined
behaviour, at the price of the vector code. Without --run the tests are linked only, and so is the Python module, of
the same compiled kernels, against the limited API of this Python's headers with the target's sizes: that shows that all
compiles and links, not that it works.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import ziglang

NATIVE = Path(__file__).resolve().parent.parent
ZIG = Path(ziglang.__file__).parent / "zig"
TRAPS = "-fsanitize=undefined;-fsanitize-trap=undefined"

SIZES = {"SHORT": 2, "INT": 4, "LONG": 8, "LONG_LONG": 8, "VOID_P": 8, "SIZE_T": 8, "FLOAT": 4, "DOUBLE": 8,
         "WCHAR_T": 4, "TIME_T": 8, "PTHREAD_T": 8, "PID_T": 4, "UINTPTR_T": 8}
WINDOWS = {"LONG": 4, "WCHAR_T": 2}
WINDOWS_FACTS = """
#define MS_WIN32
#define MS_WINDOWS
#define MS_WIN64
#define NT_THREADS
#define HAVE_DECLSPEC_DLL 1
typedef long long Py_ssize_t;
#define PY_SSIZE_T_MAX 0x7fffffffffffffffLL
"""
POSIX_FACTS = "#define HAVE_SSIZE_T 1\n"
STABLE_ABI = """LIBRARY python3.dll
EXPORTS
_PyArg_ParseTuple_SizeT
PyArg_ParseTuple
PyBuffer_IsContiguous
PyBuffer_Release
PyCapsule_GetPointer
PyCapsule_New
PyErr_Format
PyErr_NoMemory
PyErr_Occurred
PyErr_SetString
PyEval_RestoreThread
PyEval_SaveThread
PyExc_OverflowError DATA
PyExc_TypeError DATA
PyExc_ValueError DATA
PyList_Append
PyList_New
PyLong_FromLongLong
PyLong_FromSize_t
PyMem_Calloc
PyMem_Free
PyModuleDef_Init
PyModule_AddFunctions
PyNumber_AsSsize_t
PyObject_GetBuffer
PyObject_IsTrue
PyUnicode_FromString
_Py_Dealloc
_Py_NoneStruct DATA
_Py_DecRef
_Py_IncRef
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("target", help="as zig names it: x86_64-windows-gnu, aarch64-macos, x86-linux-musl")
    parser.add_argument("--run", metavar="EMULATOR")
    parser.add_argument("--traps", action="store_true")
    options = parser.parse_args()
    folder = Path("build") / "cross" / options.target
    settings = ["-DLK_TESTS=ON", f"-DLK_SANITIZE={TRAPS if options.traps else ''}"]
    if options.run:
        emulator = shutil.which(options.run) or sys.exit(f"{options.run}: not found")
        settings.append(f"-DCMAKE_CROSSCOMPILING_EMULATOR={emulator}")
    if options.run is None:
        settings += ["-DLK_MODULE=ON", *python_of(folder / "python", options.target)]
    build(folder / "built", options.target, *settings)
    if options.run is not None:
        command("ctest", "--test-dir", folder / "built", "--verbose")


def build(folder: Path, target: str, *settings: str) -> None:
    """Configure and build native/ for the target."""
    command("cmake", "-S", NATIVE, "-B", folder, f"-DCMAKE_TOOLCHAIN_FILE={NATIVE / 'zig.cmake'}", f"-DZIG={ZIG}",
            f"-DZIG_TARGET={target}", *settings)
    command("cmake", "--build", folder)


def python_of(folder: Path, target: str) -> list[str]:
    """CMake settings for this Python's headers with the sizes of the target, which are put into `folder`."""
    windows = "windows" in target
    shutil.rmtree(folder, ignore_errors=True)
    include = folder / "include"
    shutil.copytree(sysconfig.get_path("include"), include)
    sizes = SIZES | (WINDOWS if windows else {})
    facts = "".join(f"#define SIZEOF_{name} {size}\n" for name, size in sizes.items())
    (include / "pyconfig.h").write_text(facts + (WINDOWS_FACTS if windows else POSIX_FACTS))
    settings = [f"-DPython_EXECUTABLE={sys.executable}", f"-DPython_INCLUDE_DIR={include.resolve()}"]
    if windows:
        definition, library = folder / "python3.def", folder / "python3.lib"
        definition.write_text(STABLE_ABI)
        command(ZIG, "dlltool", "-m", "i386:x86-64", "-d", definition, "-l", library)
        settings += [f"-DPython_SABI_LIBRARY={library.resolve()}",
                     f'-DCMAKE_MODULE_LINKER_FLAGS="-L{folder.resolve()}"']
        for name in ("dl", "m", "pthread", "util"):  # CMake asks for what this Python links
            (folder / f"lib{name}.a").write_bytes(b"!<arch>\n")
    return settings


def command(program: str | Path, *words: str | Path) -> None:
    """Run a program that lies beside this Python, or anywhere, and stop where it fails."""
    beside = Path(sys.executable).parent / program
    subprocess.run([beside if beside.exists() else program, *words], check=True)


if __name__ == "__main__":
    main()
