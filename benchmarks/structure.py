# SPDX-License-Identifier: Apache-2.0
"""Files whose units were moved, repeated, renamed, nested and given wrong lengths, all formats in turn.

    python -m benchmarks.structure --seconds 900 [--exiftool] [--verify] [--format png] [--seed 1] [--out FOLDER]

A finding is what benchmarks/fuzz.py calls one. With --exiftool: also a label that exiftool shows and labelkit neither
sees nor names as not looked at. With --verify: the whole of verify (decoders, c2pa), not the metadata alone.
Seconds are those of CPU of this process; exiftool's own are not among them.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import labelkit
from benchmarks import units
from benchmarks.findings import Watch, a_file
from benchmarks.units import Unit
from labelkit import container, metadata
from labelkit.errors import LabelkitError
from labelkit.report import Status
from tests import files
from tests.files import LABEL, OTHER
from tests.metadata.test_heic import heic
from tests.robustness.test_containers import HOSTS

LARGEST = 2 << 20  # bytes of a mutant
_LABEL = re.compile(r"\] (?!Warning|HandlerDescription|TagString)\w+: (?:AIGC[\s=:/]*)?(\{.*\})\s*$")
_NAMES = (b"AIGC", b"XMP ", b"_PMX", b"uuid", b"meta", b"keys", b"ilst", b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"caBX",
          b"TXXX", b"LIST", b"bext", b"iXML", b"id3 ", b"C2PA", b"JUNK", b"\xff\xe1", b"\xff\xfe", b"\xff\xeb")
MAIL = (b"From: a@b.c\nSubject: =?utf-8?B?QUk=?=\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n"
         b"--x\nContent-Type: text/plain; charset=utf-8\n\nAI\xe7\x94\x9f\xe6\x88\x90\n--x\nContent-Type: text/html\n"
         b"Content-Transfer-Encoding: quoted-printable\n\n<p>a=3Db</p>\n--x--\n")
RTF = rb"{\rtf1\ansi{\fonttbl{\f0 Arial;}}\f0 (\'41I\u29983?\u25104?)\par a\b b\par}"
_LIES = (-1, 1, -8, 8, 100, -100, 1 << 16, 1 << 31, (1 << 32) - 1, -(1 << 32))


def hosts() -> dict[str, bytes]:
    """A file of each format, labelled where it can be."""
    made = {name: HOSTS[name]() for name in units.GRAMMARS if name in HOSTS}
    made["heic"] = metadata.write(heic(1, xmp=files.XMP_PACKET), LABEL)
    made["mp3"] = metadata.write(made["mp3"], LABEL)
    made["m4a"] = metadata.write(files.movie("ipod", video=""), LABEL)
    made |= {"eml": MAIL, "rtf": RTF}
    for name, kind in (("bmp", "BMP"), ("ico", "ICO"), ("ppm", "PPM"), ("tga", "TGA")):
        made[name] = files.picture(kind)
    return made


def mutant(data: bytes, grammar: units.Grammar, draw: random.Random) -> bytes:
    """The file with one to four changes to its units."""
    head, top = grammar.split(data)
    for _ in range(draw.choice((1, 1, 2, 4))):
        _change(top, draw)
    return grammar.close(head, b"".join(map(grammar.join, top)))[:LARGEST]


def _lists(top: list[Unit]) -> list[list[Unit]]:
    found = [top]
    for one in found:
        found += [unit.children for unit in one if unit.children]
        if len(found) > 500:
            break
    return found


def _change(top: list[Unit], draw: random.Random) -> None:
    where = draw.choice([one for one in _lists(top) if one] or [[Unit(b"AIGC", b"{}")]])
    at, other = draw.randrange(len(where)), draw.randrange(len(where))
    unit = where[at]
    match draw.randrange(12):
        case 0:
            del where[at]
        case 1:
            where[at:at] = [unit] * draw.choice((1, 1, 2, 300))
        case 2:
            where[at], where[other] = where[other], where[at]
        case 3:
            unit.lie = draw.choice(_LIES)
        case 4:
            where[at] = Unit(draw.choice((where[other].name, draw.choice(_NAMES))), unit.body, unit.children,
                             before=unit.before)
        case 5:
            where[at] = Unit(unit.name, where[other].body, where[other].children, before=where[other].before)
        case 6:
            where[at] = Unit(unit.name, unit.body[:draw.randrange(len(unit.body) + 1)], before=unit.before)
        case 7:
            where[at] = Unit(unit.name, unit.body + draw.choice((bytes(9), OTHER.to_json(wrapped=True).encode())),
                             before=unit.before)
        case 8:
            where[at] = _nested(unit, draw.choice((1, 5, 60)))  # four times as deep, at most
        case 9:
            where.append(unit)
        case 10:
            moved = draw.choice(_lists(top))
            moved.insert(draw.randrange(len(moved) + 1), copy.deepcopy(unit))  # it may be moved into itself
        case _:
            body = bytearray(unit.body)
            for _ in range(draw.choice((1, 4)) if body else 0):
                body[draw.randrange(len(body))] = draw.choice((0, 1, 127, 128, 255, draw.randrange(256)))
            where[at] = Unit(unit.name, bytes(body), unit.children, before=unit.before)


def _nested(unit: Unit, depth: int) -> Unit:
    for _ in range(depth):
        unit = Unit(unit.name, children=[unit], before=unit.before)
    return unit


class Exiftool:
    """One exiftool that reads one file after the other; one that a mutant keeps busy for 20 s gives way to another."""

    def __init__(self) -> None:
        self.folder, self.given_up = tempfile.TemporaryDirectory(), 0
        self.process = self._started()

    @staticmethod
    def _started() -> subprocess.Popen[bytes]:
        return subprocess.Popen(["exiftool", "-stay_open", "True", "-@", "-"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)

    def labels(self, data: bytes, name: str) -> list[str]:
        """The values that are labels with OTHER's number."""
        path = Path(self.folder.name, f"mutant.{name.partition(' ')[0]}")
        path.write_bytes(data)
        self.process.stdin.write(f"-a\n-G1\n-S\n{path}\n-execute\n".encode())
        said, end = b"", time.monotonic() + 20
        while not said.endswith(b"{ready}\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            part = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            if not part:
                self.process.kill()
                self.process.wait()
                self.process, self.given_up = self._started(), self.given_up + 1
                break
            said += part
        return [line for line in said.decode("utf-8", "replace").splitlines() if _is_label(line)]


def _is_label(line: str) -> bool:
    """Whether a line shows a label under a tag; a warning, and the name of a track's handler, hold none."""
    found = _LABEL.search(line)
    try:
        value = json.loads(found[1]) if found else None
    except ValueError:
        return False
    value = value.get("AIGC", value) if isinstance(value, dict) else None
    return isinstance(value, dict) and "Label" in value and value.get("ProduceID") in (OTHER.produce_id,
                                                                                      LABEL.produce_id)


def target(judge: Exiftool | None, whole: bool, name: Callable[[], str]) -> Callable[[bytes], None]:
    """What is asked of a mutant."""
    def check(data: bytes) -> None:
        if whole:
            labelkit.verify(data, effort="fast")
            return
        if judge is None:
            a_file(data) if container.sniff(data).writable else metadata.inspect(data)
            return
        found = metadata.read(data)
        if found.status is Status.ABSENT and not found.missed:
            shown = judge.labels(data, name())
            assert not shown, f"{name()}, exiftool sees {shown[0]}"
    return check


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--exiftool", action="store_true")
    parser.add_argument("--verify", action="store_true")
    parser.add_argument("--format", choices=units.GRAMMARS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("fuzzing/structure"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    made = {name: data for name, data in hosts().items() if given.format in (None, name)}
    draw, names, current = random.Random(given.seed), list(made), [""]
    judge = Exiftool() if given.exiftool else None
    watch = Watch(target(judge, given.verify, lambda: current[0]), given.out)
    end, counts = time.process_time() + given.seconds, dict.fromkeys(names, 0)
    while time.process_time() < end:
        for current[0] in names:
            watch(mutant(made[current[0]], units.GRAMMARS[current[0]], draw))
            counts[current[0]] += 1
    print(f"{watch.runs} mutants of {len(names)} formats, {min(counts.values())} or more each; "
          f"{len(watch.seen)} findings in {given.out}" +
          (f"; exiftool was given up {judge.given_up} times" if judge else ""))
    sys.exit(bool(watch.seen))


if __name__ == "__main__":
    try:
        main()
    except LabelkitError as error:
        sys.exit(str(error))
