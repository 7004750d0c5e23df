# SPDX-License-Identifier: Apache-2.0
"""Ten hostile files of every format, made of the units of a labelled one: many, empty, nested, lying, cut off.

    python -m benchmarks.hostile_units [--format png] > table

`verify` at effort fast reads each in a process of its own, under the bounds of benchmarks/hostile.py. The table has a
line a format: what was said, and the largest cost of its ten files.
"""

from __future__ import annotations

import argparse
import collections
import copy
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import labelkit
from benchmarks import units
from benchmarks.hostile import MOST_BYTES, SECONDS_A_MB, cost
from benchmarks.structure import hosts
from benchmarks.units import Unit

MOST = 2 << 20  # bytes of a file
_DEEP = 200  # units inside one another; a grammar joins them by recursion
Recipe = Callable[[list[Unit], int], list[Unit]]


def _every(top: list[Unit]) -> Iterator[Unit]:
    for unit in top:
        yield unit
        yield from _every(unit.children or [])


def _times(units_: list[Unit], count: int, size: int) -> list[Unit]:
    return units_ * max(1, min(count, MOST // max(size, 1)))


def _labelled(top: list[Unit]) -> Unit:
    return next((one for one in _every(top) if b"AIGC" in one.body), top[-1])


def _nested(top: list[Unit]) -> list[Unit]:
    unit = _labelled(top)
    for _ in range(_DEEP):
        unit = Unit(unit.name, children=[unit], before=unit.before)
    return [*top, unit]


def _lying(top: list[Unit], lie: int) -> list[Unit]:
    for unit in _every(top):
        unit.lie = lie
    return top


def _long_body(top: list[Unit], body: bytes) -> list[Unit]:
    unit = _labelled(top)
    unit.body, unit.children = body, None
    return top


RECIPES: dict[str, Recipe] = {
    "its last unit over and over": lambda top, size: top + _times(top[-1:], 9_000, len(top[-1].body) + 8),
    "its label over and over": lambda top, size: top + _times([_labelled(top)], 9_000, len(_labelled(top).body) + 8),
    "itself over and over": lambda top, size: _times(top, 3_000, size),
    "empty units": lambda top, size: top[:1] + [Unit(one.name) for one in _times(top, 100_000, 16 * len(top))] + top,
    "units in units": lambda top, size: _nested(top),
    "lengths of 4 GB": lambda top, size: _lying(top, 1 << 32),
    "lengths of nothing": lambda top, size: _lying(top, -(1 << 32)),
    "backwards": lambda top, size: top[:1] + _times(top[::-1], 300, size),
    "an endless object": lambda top, size: _long_body(top, b'AIGC\0{"AIGC":' + b'{"AIGC":' * 100_000),
    "an endless text": lambda top, size: _long_body(top, b"AIGC\0" + b'"\\u0041' * 200_000),
}


def files(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """(What it is, the file) of each recipe."""
    for what, recipe in RECIPES.items():
        grammar = units.GRAMMARS[name]
        head, top = grammar.split(data)
        changed = recipe(copy.deepcopy(top) or [Unit(b"AIGC", b"{}")], len(data))[:60_000]  # an archive has no more
        yield what, grammar.close(head, b"".join(map(grammar.join, changed)))[:MOST]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--format", choices=units.GRAMMARS)
    given = parser.parse_args()
    labelkit.verify(hosts()["png"], effort="fast")  # what is loaded once is not counted
    print("| format | what verify says of its ten files | most CPU s | a MB | most MB | |")
    print("| --- | --- | ---: | ---: | ---: | --- |")
    fine = True
    for name, data in hosts().items():
        if given.format not in (None, name):
            continue
        said: collections.Counter[str] = collections.Counter()
        most = rate = memory = 0.0
        for what, made in files(name, data):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "hostile")
                path.write_bytes(made)
                result = cost(str(path))
                if result[1] > SECONDS_A_MB * max(1.0, len(made) / 1e6):
                    result = cost(str(path))  # once more: other work may have been in the way
            verdict, seconds, taken = result
            said[verdict] += 1
            most, memory = max(most, seconds), max(memory, taken)
            rate = max(rate, seconds / max(1.0, len(made) / 1e6))
            if verdict.startswith("CRASH") or rate > SECONDS_A_MB or memory > MOST_BYTES:
                fine = False
                print(f"{name}, {what}: {verdict}, {seconds:.1f} s, {taken / 1e6:.0f} MB", file=sys.stderr)
        words = ", ".join(f"{count} {verdict}" for verdict, count in said.most_common())
        bad = "" if rate <= SECONDS_A_MB and memory <= MOST_BYTES and "CRASH" not in words else "OVER"
        print(f"| {name} | {words} | {most:.2f} | {rate:.2f} | {memory / 1e6:.0f} | {bad} |", flush=True)
    sys.exit(not fine)


if __name__ == "__main__":
    main()
