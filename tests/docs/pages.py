# SPDX-License-Identifier: Apache-2.0
"""The pages of docs/, their blocks of code, and a shell that runs their commands in one folder.

In a `console` block a line that begins with "$ " is a command. The lines below it are what it prints, where … stands
for anything, and a line of … alone for any lines. `$ echo $?` is the exit code of the command before; a command that it
does not follow must end with 0. A block below `<!-- run by tests/FILE.py::TEST ... -->` is run by these tests instead.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import os
import re
import shlex
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from labelkit.cli import main as cli

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "site" not in path.relative_to(DOCS).parts)
_FENCE = re.compile(r"^(?:<!-- run by ([^\n]+) -->\n)?( *)```(\w+)\n(.*?)^\2```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A block of code: its language, its text, the line of the page that it begins on, and the tests that run it where
    the test of its page does not."""

    language: str
    text: str
    line: int
    tests: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        """Whether the test of its page runs it."""
        return not self.tests


class Command(NamedTuple):
    """A command and the lines that it prints."""

    words: str
    printed: list[str]


def blocks(path: Path) -> Iterator[Block]:
    text = path.read_text("utf-8")
    for found in _FENCE.finditer(text):
        yield Block(found[3], re.sub(f"^{found[2]}", "", found[4], flags=re.MULTILINE),
                    text.count("\n", 0, found.start(3)) + 2, tuple((found[1] or "").split()))


def unfenced(text: str) -> list[str]:
    """Indented lines of a page that CommonMark takes for code: nothing would run them."""
    found, in_list = [], False
    for part in _FENCE.sub("", text).split("\n\n"):
        in_list = re.match(r" *(?:-|\d+\.) ", part) is not None or in_list and part.startswith(" ")
        if not in_list and part.startswith("    "):
            found.append(part.splitlines()[0].strip())
    return found


def wrong_imports(code: str) -> list[str]:
    """What a block of Python imports of labelkit and does not get; raises SyntaxError for what is no Python."""
    wrapped = "async def part():\n" + textwrap.indent(code, "    ")  # parts of coroutines are shown too
    wrong = []
    for node in ast.walk(ast.parse(wrapped)):
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "labelkit":
            try:
                module = importlib.import_module(str(node.module))
            except ModuleNotFoundError:
                wrong.append(str(node.module))
            else:
                wrong += [one.name for one in node.names if not hasattr(module, one.name)
                          and importlib.util.find_spec(f"{node.module}.{one.name}") is None]
    return wrong


def commands(text: str) -> list[Command]:
    found: list[Command] = []
    for line in re.sub(r"\\\n *", "", text).splitlines():  # what a backslash ends goes on in the next line
        if line.startswith("$ "):
            found.append(Command(line[2:], []))
        elif found:
            found[-1].printed.append(line)
    return found


def program(words: str) -> str:
    return next((word for word in shlex.split(words, comments=True) if "=" not in word), "")


def matches(printed: list[str], wanted: list[str]) -> bool:
    """Whether lines are those that a page shows."""
    lines = ["(?:.*\n)*" if line.strip() == "…" else ".*".join(map(re.escape, line.split("…"))) + r"[ ]*\n"
             for line in wanted]
    return re.fullmatch("".join(lines), "".join(f"{line}\n" for line in printed)) is not None


def run(words: str) -> tuple[int, list[str]]:
    """The exit code and the lines that a command prints, in the current folder; labelkit's own run in this process."""
    words, _, target = words.partition(" > ")
    if program(words) != "labelkit":
        words += f" > {target}" if target else ""
        done = subprocess.run(["bash", "-c", words], capture_output=True, text=True)
        return done.returncode, (done.stdout + done.stderr).splitlines()
    parts = shlex.split(words, comments=True)
    given = dict(word.split("=", 1) for word in parts[: parts.index("labelkit")])
    out, errors = io.StringIO(), io.StringIO()
    before = dict(os.environ)
    os.environ.update(given)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            try:
                code = cli.main(parts[parts.index("labelkit") + 1 :])
            except SystemExit as end:
                code = int(end.code or 0)
    finally:
        os.environ.clear()
        os.environ.update(before)
    if target:
        Path(target).write_text(out.getvalue(), "utf-8")
        out = io.StringIO()
    return code, (out.getvalue() + errors.getvalue()).splitlines()


@contextlib.contextmanager
def served(folder: Path, *words: str) -> Iterator[int]:
    """The port on which `python -m WORDS PORT` serves in a folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, "-m", *words, str(port)], cwd=folder,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
        try:
            for _ in range(600):
                assert server.poll() is None, server.stdout and server.stdout.read().decode()
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.1)
            yield port
        finally:
            server.terminate()
