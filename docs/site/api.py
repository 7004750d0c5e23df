# SPDX-License-Identifier: Apache-2.0
"""Python objects as Markdown: the signature as the source has it, the docstring with its columns as definitions."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import labelkit

_PACKAGE = Path(labelkit.__file__).parent
_ROW = re.compile(r"^([\w*\"]+(?:, [\w*\"]+)*)\s{2,}(\S.*)$")  # "name   what it is"
_ONE_SPACE = re.compile(r"^([a-z_]\w+) (\S.*)$")  # the longest name of a list has one blank only
_NAMES = re.compile(r"^[a-z_]\w*(?:, [a-z_]\w*)+$")  # names that fill their line; what they are follows, indented
_NAME = re.compile(r"^[a-z_]\w*$")  # the same of one name, between other rows
_CONTINUED = re.compile(r"^\s{8,}\S")
_WIDE = 88

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def described(path: str, level: int = 3) -> str:
    """Markdown of one name, such as "labelkit.embed": a heading, its signature, its docstring, its public members."""
    found = _find(path)
    if isinstance(found, ast.Module):
        text = f"{'#' * level} {path}\n\n{markdown(ast.get_docstring(found) or '')}\n\n"
        return text + "".join(described(f"{path}.{name}", level + 1) for name in _public(found))
    return _described(found, path, level)


def _public(module: ast.Module) -> list[str]:
    """The names of a module's own public classes and functions; of a package those that its __all__ lists."""
    for node in module.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            listed: list[str] = ast.literal_eval(node.value)
            return [name for name in listed if _defined(module, name)]
    return [node.name for node in module.body if isinstance(node, Definition) and not node.name.startswith("_")]


def _defined(module: ast.Module, name: str) -> bool:
    """Whether a name is a class or a function, here or where it is imported from; types and constants are not."""
    for node in module.body:
        if isinstance(node, Definition) and node.name == name:
            return True
        if isinstance(node, ast.ImportFrom) and name in [one.name for one in node.names]:
            home = _tree(str(node.module))
            return home is not None and home is not module and _defined(home, name)
    return False


def _described(node: Definition, path: str, level: int) -> str:
    text = f"{'#' * level} {path}\n\n```python\n{_signature(node, path)}\n```\n\n"
    text += markdown(ast.get_docstring(node) or "") + "\n\n"
    if isinstance(node, ast.ClassDef):
        for member in _members(node):
            text += f"```python\n{_signature(member, member.name)}\n```\n\n"
            text += markdown(ast.get_docstring(member) or "") + "\n\n"
    return text


def _members(node: ast.ClassDef) -> Iterator[Definition]:
    """The public methods and properties that have a docstring."""
    for member in node.body:
        if isinstance(member, Definition) and not member.name.startswith("_") and ast.get_docstring(member):
            yield member


def _signature(node: Definition, path: str) -> str:
    name = path.rpartition(".")[2] if isinstance(node, ast.ClassDef) else path
    if isinstance(node, ast.ClassDef):
        fields = [ast.unparse(one) for one in node.body if isinstance(one, ast.AnnAssign | ast.Assign)
                  and not ast.unparse(one).startswith(("_", "__slots__"))]
        made = next((one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
        bases = ", ".join(ast.unparse(one) for one in node.bases)
        if made:
            return f"class {_call(made, name, skip_self=True)}"
        return "\n".join([f"class {name}" + (f"({bases})" if bases else "") + ":", *(f"    {one}" for one in fields)])
    decorated = [f"@{ast.unparse(one)}\n" for one in node.decorator_list
                 if ast.unparse(one) in ("property", "classmethod", "staticmethod")]
    return "".join(decorated) + _call(node, name)


def _call(node: ast.FunctionDef | ast.AsyncFunctionDef, name: str, *, skip_self: bool = False) -> str:
    """The signature in one line, or with one parameter a line where that is too long."""
    given = node.args
    if skip_self or (given.args and given.args[0].arg in ("self", "cls")):
        given = ast.arguments(posonlyargs=given.posonlyargs, args=given.args[1:], vararg=given.vararg,
                              kwonlyargs=given.kwonlyargs, kw_defaults=given.kw_defaults, kwarg=given.kwarg,
                              defaults=given.defaults)
    result = f" -> {ast.unparse(node.returns)}" if node.returns and not skip_self else ""
    start = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    whole = f"{start}{name}({ast.unparse(given)}){result}"
    if len(whole) <= _WIDE:
        return whole
    alone = ast.parse(f"def f({ast.unparse(given)}): ...").body[0]
    assert isinstance(alone, ast.FunctionDef)
    parameters = textwrap.indent(",\n".join(_parameters(alone.args)), "    ")
    return f"{start}{name}(\n{parameters}){result}"


def _parameters(given: ast.arguments) -> Iterator[str]:
    plain = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(plain) - len(given.defaults)) + list(given.defaults)
    yield from map(_parameter, plain, defaults)
    if given.vararg:
        yield f"*{_parameter(given.vararg, None)}"
    elif given.kwonlyargs:
        yield "*"
    yield from map(_parameter, given.kwonlyargs, given.kw_defaults)
    if given.kwarg:
        yield f"**{_parameter(given.kwarg, None)}"


def _parameter(one: ast.arg, default: ast.expr | None) -> str:
    return ast.unparse(one) + (f" = {ast.unparse(default)}" if default else "")


def markdown(docstring: str) -> str:
    """A docstring whose rows "name   what it is" are definitions; indented examples stay code."""
    out: list[str] = []
    in_row = in_code = False
    for line in inspect.cleandoc(docstring).split("\n"):
        row = _ROW.match(line) or (in_row and _ONE_SPACE.match(line) if not line.startswith("Raises") else None)
        if row or _NAMES.match(line) or in_row and _NAME.match(line):
            out += ["```"] * in_code
            in_code = False
            names, meaning = row.groups() if row else (line, "")
            out += ["", ", ".join(f"`{name}`" for name in names.split(", ")), f": {_escaped(meaning)}"]
            in_row = True
        elif in_row and _CONTINUED.match(line):
            out.append(f"  {_escaped(line.strip())}")
        else:
            code = line.startswith("    ") and not in_row
            if code != in_code and (line or not in_code):
                out.append("```" if in_code else "```python")
                in_code = code
            out += [""] * in_row + [line[4:] if in_code else _escaped(line)]
            in_row = False
    return "\n".join(out + ["```"] * in_code)


def _escaped(line: str) -> str:
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(part if part.startswith("`") else re.sub(r"([*\[\]<|$_])", r"\\\1", part) for part in parts)


@functools.cache
def _tree(module: str) -> ast.Module | None:
    parts = module.split(".")[1:]
    for path in (_PACKAGE.joinpath(*parts, "__init__.py"), _PACKAGE.joinpath(*parts).with_suffix(".py")):
        if path.exists():
            return ast.parse(path.read_text("utf-8"))
    return None


def _find(path: str) -> Definition | ast.Module:
    """The definition of a name, through the imports that lead to it; a name that is overloaded has its last one."""
    module, _, name = path.rpartition(".")
    own = _tree(path)
    if own:
        return own
    tree = _tree(module)
    if tree is None:
        raise LookupError(f"{path}: there is no module {module}")
    for node in reversed(list(ast.walk(tree))):
        if isinstance(node, Definition) and node.name == name:
            return node
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for one in node.names:
                if (one.asname or one.name) == name:
                    return _find(f"{node.module}.{one.name}")
    raise LookupError(f"{path} is not defined")
