# SPDX-License-Identifier: Apache-2.0
"""Plain loaders for the modules of an editable installation: atheris counts no branches through any other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader


class _Finder:
    """Finds what the finders behind it find, and gives what is a file of Python the usual loader."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        """As `importlib.abc.MetaPathFinder` wants it."""
        if name.partition(".")[0] != self.package:
            return None
        for finder in sys.meta_path[sys.meta_path.index(self) + 1:]:
            spec = finder.find_spec(name, path, target) if hasattr(finder, "find_spec") else None
            if spec is not None and spec.loader is not None:
                if str(spec.origin).endswith(".py"):
                    spec.loader = SourceFileLoader(name, spec.origin)
                return spec
        return None


@contextmanager
def plain_imports(package: str) -> Iterator[None]:
    """While it lasts, modules of the package are imported so."""
    finder = _Finder(package)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
