# SPDX-License-Identifier: Apache-2.0
"""What many pictures cost: core hours, requests to an object store, records of a log; from what a few cost.

    python -m benchmarks.costs                      # measures, and prints the tables of docs/how-to/datasets.md
    python -m benchmarks.costs --pictures 1000000   # the same for another number

CPU time is the difference between a run over many and one over few pictures (1024 x 1024, JPEG), so the start of Python
is not in it; requests are counted in the log of a server that speaks S3 (moto), on this machine.
"""

from __future__ import annotations

import argparse
import collections
import datetime
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import labelkit as lk
from benchmarks.datasets import members, pictures, write_tar
from labelkit.batch import derived_id
from labelkit.log import Entry, LabelLog

ROOT = Path(lk.__file__).parents[1]
SHARD = 10_000  # pictures
RUNS = {
    "embed, metadata alone": ["embed", "{in}", "-o", "{out}", "--layers", "metadata", "--explicit-present"],
    "embed, watermark and metadata": ["embed", "{in}", "-o", "{out}", "--layers", "watermark,metadata",
                                      "--explicit-present"],
    "embed, every layer but provenance": ["embed", "{in}", "-o", "{out}"],
    "embed, every layer, signed": ["embed", "{in}", "-o", "{out}", "--signer", "{keys}/signer.pem"],
    "verify, watermark and metadata": ["verify", "{labelled}", "--layers", "watermark,metadata"],
    "verify, every layer": ["verify", "{labelled}"],
}


def run(folder: Path, words: list[str], **environment: str) -> float:
    """CPU seconds of a run of the command line, all processes together."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    producer = ["--producer", "acme"] * (words[0] == "embed")
    subprocess.run([sys.executable, "-m", "labelkit", *words, *producer, "-q"], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT), **environment})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cpu_ms(folder: Path, few: int, many: int) -> dict[str, float]:
    """CPU milliseconds a picture of each of RUNS."""
    data, found = pictures(1024), {}
    for count in (few, many):
        (folder / f"in{count}").mkdir()
        for name, body in members(data, count):
            if name.endswith("jpg"):
                (folder / f"in{count}" / name).write_bytes(body)
        run(folder, ["embed", f"in{count}", "-o", f"labelled{count}"])
    run(folder, ["keygen", "keys", "--organisation", "acme"])
    for name, words in RUNS.items():
        spent = {}
        for count in (few, many):
            places = {"in": f"in{count}", "out": "out", "labelled": f"labelled{count}", "keys": "keys"}
            spent[count] = run(folder, [word.format(**places) for word in words])
            shutil.rmtree(folder / "out", ignore_errors=True)
        found[name] = 1000 * (spent[many] - spent[few]) / (many - few)
        print(f"{name}: {found[name]:.2f} ms", file=sys.stderr, flush=True)
    return found


@contextmanager
def s3(folder: Path) -> Iterator[tuple[dict[str, str], Path]]:
    """The environment of a server that speaks S3, with buckets raw and labelled, and the log of its requests."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log, address = folder / "requests.log", f"http://127.0.0.1:{port}"
    with open(log, "wb") as out:
        process = subprocess.Popen([Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", str(port)],
                                   stdout=out, stderr=out)
        try:
            for bucket in ("raw", "labelled"):
                _put(f"{address}/{bucket}", b"", process)
            yield {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
                   "AWS_REGION": "us-east-1"}, log
        finally:
            process.kill()
            process.wait()


def _put(url: str, data: bytes, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            kind = {"Content-Type": "application/octet-stream"}
            urllib.request.urlopen(urllib.request.Request(url, data, kind, method="PUT"), timeout=60).close()
            return
        except urllib.error.HTTPError:
            raise
        except OSError:
            time.sleep(0.1)


def requests(folder: Path, objects: int, samples: int) -> list[tuple[str, float, collections.Counter[str]]]:
    """(what, MB, requests by method) of runs over objects and over one shard, in and out of a store."""
    data, found = pictures(1024), []
    with s3(folder) as (environment, log):
        files = [(name, body) for name, body in members(data, objects) if name.endswith("jpg")]
        for name, body in files:
            _put(f"{environment['AWS_ENDPOINT_URL']}/raw/files/{name}", body, _Alive())
        write_tar(folder / "a.tar", data, samples)
        _put(f"{environment['AWS_ENDPOINT_URL']}/raw/shards/a.tar", (folder / "a.tar").read_bytes(), _Alive())
        layers = ["--layers", "metadata", "--explicit-present"]
        for what, source, size in (("objects", "files", sum(len(body) for _, body in files)),
                                   ("shard", "shards", (folder / "a.tar").stat().st_size)):
            before = log.stat().st_size
            run(folder, ["embed", f"s3://raw/{source}", "-o", f"s3://labelled/{source}", *layers], **environment)
            lines = log.read_bytes()[before:].decode("utf-8", "replace")
            found.append((what, size / 1e6, collections.Counter(re.findall(r'"(?:\x1b\[\d+m)*(GET|PUT|HEAD|POST) ',
                                                                           lines))))
    return found


class _Alive:
    def poll(self) -> None:
        """Still there."""


def log_cost(folder: Path, count: int) -> tuple[float, float]:
    """(CPU milliseconds, bytes) of a record in an SQLite log, each in a transaction of its own."""
    labels = [lk.Label(lk.Kind.GENERATED, "acme", derived_id("acme", str(number))) for number in range(count)]
    digest = "0" * 64
    with LabelLog(folder / "labels.db") as log:
        before = time.process_time()
        for label in labels:
            now = datetime.datetime.now(datetime.UTC)
            log.record(Entry(now, label, lk.Payload.of(label), lk.Plan(), digest, digest))
        spent = time.process_time() - before
    return 1000 * spent / count, sum(path.stat().st_size for path in folder.glob("labels.db*")) / count


def main() -> int:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=100_000_000)
    parser.add_argument("--few", type=int, default=24)
    parser.add_argument("--many", type=int, default=120)
    options = parser.parse_args()
    total, size = options.pictures, len(pictures(1024)[0])
    with tempfile.TemporaryDirectory(prefix="costs-") as name:
        folder = Path(name)
        spent = cpu_ms(folder, options.few, options.many)
        asked = requests(folder, objects := 40, samples := 60)
        record_ms, record_bytes = log_cost(folder, 5000)
    print(f"| run | CPU ms a picture | core hours for {total:,} | hours on 1,000 cores |\n| --- | ---: | ---: | ---: |")
    for run_name, each in [*spent.items(), ("a record in the log, beside that", record_ms)]:
        hours = each * total / 3.6e6
        print(f"| {run_name} | {each:.2f} | {hours:,.0f} | {hours / 1000:.2f} |")
    print(f"\n| in the store | requests measured | requests for {total:,} pictures |\n| --- | --- | ---: |")
    for (what, megabytes, count), pieces in zip(asked, (objects, samples), strict=True):
        told = ", ".join(f"{number} {method}" for method, number in sorted(count.items()))
        most = count.total() * total / pieces
        if what == "shard":  # uploads grow with its bytes, the rest is for each shard
            most = total / SHARD * (count.total() - count["PUT"] + count["PUT"] * SHARD / pieces)
            what = f"a shard; for shards of {SHARD:,}"
        print(f"| {pieces} pictures as {what}, {megabytes:.0f} MB | {told} | {most:,.0f} |")
    print(f"\nIn: {total * size / 1e12:.1f} TB. Log: {total * record_bytes / 1e9:,.0f} GB, {record_bytes:.0f} bytes a "
          f"record.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
