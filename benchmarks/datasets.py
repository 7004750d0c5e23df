# SPDX-License-Identifier: Apache-2.0
"""Datasets: the rate of shards beside that of files, memory over a long shard, and runs that are killed.

    python -m benchmarks.datasets rate              # tar and Parquet against the same files in a folder
    python -m benchmarks.datasets more              # what one more sample costs, and pyarrow alone, which copies
    python -m benchmarks.datasets memory            # 20,000 small samples, the metadata layer
    python -m benchmarks.datasets lists             # what the list of a run's files takes, without files
    python -m benchmarks.datasets kill --each 20    # kill -9 at random moments, then --resume
    python -m benchmarks.datasets lookups           # 100,000 verifications of stripped JPEGs, each looked up in a log

The rate is that of the command line with a process a core; CPU time is that of all processes together, which other
work on the machine changes less. Killed runs are repeated with --resume until they end, and what they wrote is
compared byte for byte with an undisturbed run.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import io
import os
import random
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from unittest.mock import patch

import labelkit as lk
from labelkit.batch import Labels, derived_id
from labelkit.cli import files, targets
from labelkit.log import Entry, LabelLog
from tests.media import photo, saved

METADATA = ["--layers", "metadata", "--explicit-present"]
ROOT = Path(lk.__file__).parents[1]
_COPY = """
import sys, pyarrow as pa, pyarrow.parquet as pq
file, held = pq.ParquetFile(sys.argv[1], pre_buffer=False, buffer_size=1 << 20), []
with pq.ParquetWriter(sys.argv[2], file.schema_arrow, use_dictionary=False) as out:
    for batch in file.iter_batches(8, use_threads=False):
        held.append(batch)
        if sum(one.nbytes for one in held) >= 64 << 20:
            out.write_table(pa.Table.from_batches(held))
            held = []
    out.write_table(pa.Table.from_batches(held, file.schema_arrow))
"""  # a shard in groups of the size that labelkit writes, by nothing but pyarrow


def pictures(side: int, count: int = 4) -> list[bytes]:
    """Different JPEGs of a size."""
    return [saved(photo(side, side, seed), "JPEG", quality=90) for seed in range(count)]


def members(data: list[bytes], count: int) -> Iterator[tuple[str, bytes]]:
    """Samples of a picture and two sidecars; no two pictures are the same."""
    for number in range(count):
        key = f"{number:06d}"
        unique = b"\xff\xfe" + (2 + 6).to_bytes(2) + key.encode()  # a comment
        one = data[number % len(data)]
        yield f"{key}.jpg", one[:2] + unique + one[2:]
        yield f"{key}.json", b'{"seed": 17}'
        yield f"{key}.txt", b"a caption"


def write_tar(path: Path, data: list[bytes], count: int) -> None:
    """A WebDataset shard."""
    with tarfile.open(path, "w") as file:
        for name, body in members(data, count):
            info = tarfile.TarInfo(name)
            info.size = len(body)
            file.addfile(info, io.BytesIO(body))


def write_parquet(path: Path, data: list[bytes], count: int) -> None:
    """The same samples as rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    rows = [{"key": name[:6], "image": body} for name, body in members(data, count) if name.endswith("jpg")]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=256)


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "labelkit", "embed", *map(str, words), "--producer", "acme", "-q"]


def run(folder: Path, *words: object) -> tuple[float, float]:
    """(wall seconds, CPU seconds) of a run."""
    return cpu_of(folder, command(*words))


def cpu_of(folder: Path, words: list[str]) -> tuple[float, float]:
    """(wall seconds, CPU seconds) of a program."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "PYTHONPATH": str(ROOT)})
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def rate(folder: Path, rounds: int) -> None:
    """Shards beside files, in turn; medians."""
    print("| layers | samples | source | a second | CPU ms a sample | rate of files | CPU of files |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: |")
    for name, words, side, count in (("all", [], 1024, 240), ("metadata", METADATA, 1024, 600),
                                     ("metadata", METADATA, 384, 2000)):
        data = pictures(side)
        (folder / "in").mkdir()
        for file, body in members(data, count):
            if file.endswith("jpg"):
                (folder / "in" / file).write_bytes(body)
        write_tar(folder / "a.tar", data, count)
        write_parquet(folder / "a.parquet", data, count)
        seen: dict[str, list[tuple[float, float]]] = {"in": [], "a.tar": [], "a.parquet": []}
        for _ in range(rounds):
            for source, times in seen.items():
                times.append(run(folder, source, "-o", f"out-{source}", *words))
                target = folder / f"out-{source}"
                shutil.rmtree(target) if target.is_dir() else target.unlink()
        middle = {source: [sorted(one)[rounds // 2] for one in zip(*times, strict=True)]
                  for source, times in seen.items()}
        files = middle["in"]
        for source, (wall, cpu) in middle.items():
            print(f"| {name} | {count} of {len(data[0]) / 1000:.0f} kB | {source} | {count / wall:.1f} | "
                  f"{1000 * cpu / count:.2f} | {files[0] / wall:.2f} | {files[1] / cpu:.2f} |", flush=True)
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def more(folder: Path, rounds: int) -> None:
    """The CPU time of 330 samples less that of 30, of each source; the least of the rounds."""
    data, costs, few, many = pictures(1024), dict[str, list[float]](), 30, 330
    for count in (few, many):
        (folder / f"in-{count}").mkdir()
        for name, body in members(data, count):
            if name.endswith("jpg"):
                (folder / f"in-{count}" / name).write_bytes(body)
        write_tar(folder / f"{count}.tar", data, count)
        write_parquet(folder / f"{count}.parquet", data, count)
    for _ in range(rounds):
        for name in ("in-{}", "{}.tar", "{}.parquet", "pyarrow alone"):
            spent = []
            for count in (few, many):
                source = name.format(count)
                if name == "pyarrow alone":
                    words = [sys.executable, "-c", _COPY, f"{count}.parquet", "out.parquet"]
                else:
                    words = command(source, "-o", "out" + Path(source).suffix, *METADATA)
                spent.append(cpu_of(folder, words)[1])
                target = folder / words[words.index("-o") + 1] if "-o" in words else folder / "out.parquet"
                shutil.rmtree(target) if target.is_dir() else target.unlink()
            costs.setdefault(name, []).append(1000 * (spent[1] - spent[0]) / (many - few))
    least = {name: min(found) for name, found in costs.items()}
    print(f"| source, {len(data[0]) / 1000:.0f} kB a sample | CPU ms a sample | of files |\n| --- | ---: | ---: |")
    for name, cost in least.items():
        print(f"| {name.replace('in-{}', 'folder').replace('{}', 'a')} | {cost:.2f} | {least['in-{}'] / cost:.2f} |")


def memory(folder: Path) -> None:
    """The memory of the process that reads and writes, and of its workers, while a long shard goes through."""
    print("| samples | shard | MB after a tenth | MB at the end | a second |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    count = 20_000
    write_tar(folder / "a.tar", pictures(128), count)
    started = time.monotonic()
    process = subprocess.Popen(command("a.tar", "-o", "b.tar", *METADATA), cwd=folder, stdout=subprocess.DEVNULL,
                               env={**os.environ, "PYTHONPATH": str(ROOT)})
    seen: list[tuple[float, float]] = []
    while process.poll() is None:
        seen.append((time.monotonic() - started, _megabytes(process.pid)))
        time.sleep(0.2)
    took = time.monotonic() - started
    seen = [one for one in seen if one[1]]
    early = max(size for at, size in seen if at <= took / 10 + 1)
    late = max(size for at, size in seen if at >= took / 2)
    size = (folder / "a.tar").stat().st_size
    print(f"| {count:,} | {size / 1e6:.0f} MB | {early:.0f} | {late:.0f} | {count / took:.0f} |")
    assert process.returncode == 0


def lists(count: int) -> None:
    """The memory of the files of a run, and of the places of their results, as a walk through folders gives them."""
    options = argparse.Namespace(files=["in"], files_from=None, shard=None, output="out", in_place=False, resume=False,
                                 no_clobber=False, dry_run=True, json=False)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with (patch("os.walk", lambda _: ((f"in/{part:05d}", [], [f"{part:05d}{number:04d}.jpg" for number in range(1000)])
                                      for part in range(count // 1000))),
          patch.object(Path, "is_file", lambda _: True), patch.object(Path, "is_symlink", lambda _: False),
          patch.object(files, "_kind", lambda _: "folder"), patch.object(files, "_is_selected", lambda *_, **__: True)):
        found = files.collect(options, shards=True).items
        collected = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        places = targets.assigned(found, options).targets
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(places) == count
    print(f"| files | bytes each, collected | with their places, at the peak |\n| ---: | ---: | ---: |\n"
          f"| {count:,} | {1024 * (collected - before) / count:.0f} | {1024 * (peak - before) / count:.0f} |")


def _megabytes(pid: int) -> float:
    """The private memory of a process and those that it forked."""
    pids = [pid]
    with os.popen(f"cat /proc/{pid}/task/{pid}/children 2>/dev/null") as children:
        pids += [int(one) for one in children.read().split()]
    total = 0
    for one in pids:
        try:
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total / 1000


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of what is below a folder."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def kill(folder: Path, each: int, seed: int) -> int:
    """Kill runs over shards, and resume them; returns how many differ from an undisturbed one."""
    (folder / "in").mkdir()
    data = pictures(384)
    for number in range(3):
        write_tar(folder / "in" / f"{number}.tar", data, 12)
    write_parquet(folder / "in" / "rows.parquet", data, 12)
    wall, _ = run(folder, "in", "-o", "whole")
    wanted, chance = digests(folder / "whole"), random.Random(seed)
    interrupted = differ = 0
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for _ in range(each):
        words = command("in", "-o", "out", "--resume")
        process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, env=environment)
        try:
            process.wait(chance.uniform(wall / 4, wall))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        interrupted += process.returncode < 0
        halves = {name for name, digest in digests(folder / "out").items() if name in wanted and digest != wanted[name]
                  } if (folder / "out").exists() else set()
        subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=environment)
        differ += bool(halves) or digests(folder / "out") != wanted
        shutil.rmtree(folder / "out")
    print("| kills | interrupted | differ from an undisturbed run, or leave something behind |")
    print(f"| ---: | ---: | ---: |\n| {each} | {interrupted} | {differ} |")
    return differ


def lookups(folder: Path, count: int, jobs: int, side: int = 256, different: int = 2000) -> int:
    """Verify JPEGs whose metadata is gone, and look up in the log whose they are; returns how many were not found."""
    labels = Labels("acme", plan=lk.Plan(explicit=None, metadata=False), jobs=1)
    sources = pictures(side, 8)
    with LabelLog(folder / "labels.db") as log:
        for start in range(0, count, 1000):
            made = [lk.Label(lk.Kind.GENERATED, "acme", derived_id("acme", f"{number}"))
                    for number in range(start, min(count, start + 1000))]
            log.record(*(Entry(datetime.datetime.now(datetime.UTC), label, lk.Payload.of(label)) for label in made))
    for number in range(min(different, count)):
        (folder / f"{number}.jpg").write_bytes(labels.label(sources[number % 8], f"{number}").made)
    started = time.monotonic()
    with ProcessPoolExecutor(jobs) as pool:
        parts = [range(count)[part::jobs] for part in range(jobs)]
        done = list(pool.map(_looked_up, [folder] * jobs, parts, [min(different, count)] * jobs))
    wall = time.monotonic() - started
    missed, cpu, asked = (sum(one) for one in zip(*done, strict=True))
    print("| verifications | picture | records in the log | processes | a second | CPU ms each | of it the log "
          "| not found |\n| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    print(f"| {count:,} | {side} x {side} | {count:,} | {jobs} | {count / wall:.0f} | {1000 * cpu / count:.2f} | "
          f"{1000 * asked / count:.3f} | {missed} |")
    return missed


def _looked_up(folder: Path, numbers: range, different: int) -> tuple[int, float, float]:
    """(not found, CPU seconds, those of the log) of verifications of files in turn."""
    missed, asked, started = 0, 0.0, time.process_time()
    with LabelLog(folder / "labels.db") as log:
        for number in numbers:
            report = lk.verify(folder / f"{number % different}.jpg", layers=[lk.Layer.WATERMARK, lk.Layer.METADATA])
            before = time.process_time()
            payload = report[lk.Layer.WATERMARK].payload
            found = log.find(payload=payload) if payload else []
            asked += time.process_time() - before
            wanted = derived_id("acme", f"{number % different}")
            missed += [one.facts["label"]["ProduceID"] for one in found] != [wanted]
            assert report[lk.Layer.METADATA].status == lk.Status.ABSENT
    return missed, time.process_time() - started, asked


def main() -> int:
    """Measure what is named, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("rate", "more", "memory", "lists", "kill", "lookups"))
    parser.add_argument("--each", type=int, default=20, help="kills; 20 by default")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind, of which the median is taken")
    parser.add_argument("--seed", type=int, default=16)
    parser.add_argument("--count", type=int, default=100_000, help="verifications, or files of a list")
    parser.add_argument("--jobs", type=int, default=2, help="processes that verify")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="datasets-") as name:
        if options.what == "kill":
            return min(1, kill(Path(name), options.each, options.seed))
        if options.what == "lookups":
            return min(1, lookups(Path(name), options.count, options.jobs))
        if options.what == "memory":
            memory(Path(name))
        elif options.what == "lists":
            lists(options.count)
        else:
            (rate if options.what == "rate" else more)(Path(name), options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
