# SPDX-License-Identifier: Apache-2.0
"""Files of strangers through `labelkit verify`: what it says of files that nobody here made.

    python -m benchmarks.strangers FOLDER [--known LIST] [--jobs N]

Prints how many files got which verdict, by family of formats, and every file that is CONFIRMED, POSSIBLE or SUSPECTED,
with the reasons. LIST names those of which this is right, a path below FOLDER a line; any other one gives exit code 1,
as does a file whose verdict is an unforeseen error. Equal files count once.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import subprocess
import sys
from pathlib import Path

LARGEST = 8 << 20  # bytes of a file
POSITIVE = ("confirmed", "possible", "suspected")


def files_of(folder: Path) -> list[Path]:
    """The files below a folder in order of name, equal ones once."""
    found: dict[bytes, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size <= LARGEST:
            found.setdefault(hashlib.sha256(path.read_bytes()).digest(), path)
    return list(found.values())


def reports(files: list[Path], jobs: int) -> list[dict[str, object]]:
    """What `labelkit verify --json` says of each file."""
    words = ["-m", "labelkit", "verify", "--files-from", "-", "--json", "--isolate", "--jobs", str(jobs)]
    run = subprocess.run([sys.executable, *words], input="\n".join(map(str, files)), capture_output=True, text=True,
                         check=False)
    found = [json.loads(line) for line in run.stdout.splitlines()]
    if len(found) != len(files):
        raise SystemExit(f"{len(found)} results of {len(files)} files: {run.stderr[-500:]}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--known", type=Path, help="paths of which a sign of AI generation is right")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    known = set(given.known.read_text("utf-8").split("\n")) if given.known else set()
    verdicts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    bad = 0
    for report in reports(files_of(given.folder), given.jobs):
        name = str(Path(str(report["file"])).relative_to(given.folder))
        if "error" in report:
            kind = str(report["error"]["type"])
            verdicts["not read"]["refused" if kind == "UnsupportedFormat" else "broken"] += 1
            if kind in ("UnforeseenError", "ProcessFailed"):
                print(f"{name}: {report['error']['message']}")
                bad += 1
            continue
        verdict = str(report["verdict"])
        verdicts[str(report["layers"]["metadata"]["evidence"].get("family", "other"))][verdict] += 1
        if verdict in POSITIVE:
            bad += name not in known
            print(f"{name}: {verdict}{'' if name in known else ', not known'}: {'; '.join(report['reasons'])}")
    print("\n| | files | what verify says |\n| --- | ---: | --- |")
    for family, counts in sorted(verdicts.items()):
        said = ", ".join(f"{count} {name}" for name, count in counts.most_common())
        print(f"| {family} | {counts.total()} | {said} |")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
