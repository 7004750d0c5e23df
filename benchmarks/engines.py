# SPDX-License-Identifier: Apache-2.0
"""Ray Data over many rows: rate, memory, and what the rows are at the end; in the environment of `make test-engines`.

    build/engines/bin/python -m benchmarks.engines rows --rows 1000000 --layers metadata
    build/engines/bin/python -m benchmarks.engines rows --rows 20000 --layers all
    build/engines/bin/python -m benchmarks.engines ratio --rows 4000 --layers all

`rows` makes JPEGs, no two the same, labels them and writes Parquet, all in one stream of Ray Data; every row is then
counted, and one in 500 verified. `ratio` compares the CPU time and the rate of two workers with those of processes that
call `labelkit.batch.Labels` themselves, side by side, on rows that are there already.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import labelkit as lk
from labelkit.batch import Labels, Verifications
from tests.media import photo, saved

ROOT = Path(lk.__file__).parents[1]
PLANS = {"metadata": lk.Plan(explicit=None, watermark=None), "all": lk.Plan()}
SOUGHT = {"metadata": [lk.Layer.METADATA], "all": [lk.Layer.WATERMARK, lk.Layer.METADATA]}
STORE = 300 << 20  # bytes of Ray's object store
_SAMPLED = 500


@functools.cache
def pictures(side: int) -> tuple[bytes, ...]:
    """Different JPEGs of a size."""
    return tuple(saved(photo(side, side, seed), "JPEG", quality=85) for seed in range(4))


def made(numbers: pa.Table, side: int) -> pa.Table:
    """A row for each number: a key, and a JPEG that no other row has."""
    keys = [f"{number:08d}" for number in numbers["id"].to_pylist()]
    comments = [b"\xff\xfe" + (2 + len(key)).to_bytes(2) + key.encode() for key in keys]
    sources = pictures(side)
    files = [one[:2] + comment + one[2:] for one, comment in zip(
        (sources[int(key) % len(sources)] for key in keys), comments, strict=True)]
    return pa.table({"key": keys, "bytes": files})


def memory() -> dict[str, float]:
    """MB of proportional memory (Pss), without what Ray's object store shares: of this process, of the workers that
    Ray started for it, and of Ray itself."""
    sizes = {"driver": 0.0, "workers": 0.0, "Ray": 0.0}
    for number in descendants(os.getpid()):
        try:
            words, text = (Path(f"/proc/{number}/{name}").read_text("utf-8", "replace")
                           for name in ("cmdline", "smaps_rollup"))
        except OSError:
            continue
        fields = {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines()[1:]}
        sizes[role(number, words)] += (fields["Pss"] - fields.get("Pss_Shmem", 0)) / 1000
    return sizes


def role(number: int, words: str) -> str:
    """What a process is, by its command line."""
    return "driver" if number == os.getpid() else "workers" if words.startswith("ray::") else "Ray"


def cpu() -> dict[str, float]:
    """CPU seconds of this process and of all that run below it, by `role`."""
    spent = {"driver": 0.0, "workers": 0.0, "Ray": 0.0}
    for number in descendants(os.getpid()):
        with suppress(OSError):
            words, text = (Path(f"/proc/{number}/{name}").read_text("utf-8", "replace") for name in ("cmdline", "stat"))
            ticks = sum(map(int, text.rpartition(") ")[2].split()[11:13]))
            spent[role(number, words)] += ticks / os.sysconf("SC_CLK_TCK")
    return spent


def descendants(number: int) -> list[int]:
    """A process, and all that it and these started."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text().rpartition(") ")[2].split()
            children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    found = [number]
    for one in found:
        found += children.get(one, [])
    return found


class Watch:
    """Looks at the memory now and then."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, dict[str, float]]] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        started = time.monotonic()
        while not self._end.wait(2):
            self.seen.append((time.monotonic() - started, memory()))

    def stop(self) -> dict[str, tuple[float, float]]:
        """Medians of MB of each role: in the second fifth of the time, and in the last."""
        self._end.set()
        self._thread.join()
        took = self.seen[-1][0]
        parts = [[one for at, one in self.seen if took * low <= at <= took * high] for low, high in ((.2, .4), (.8, 1))]
        return {role: (_median(one[role] for one in parts[0]), _median(one[role] for one in parts[1]))
                for role in self.seen[0][1]}


def _median(values: Iterable[float]) -> float:
    return statistics.median(list(values) or [0.0])


def cluster(cores: int) -> Any:
    """Ray on this machine, its workers at the priority of other processes, where it would have them at nice 15."""
    os.environ.setdefault("RAY_worker_niceness", "0")
    import ray
    ray.init("local", num_cpus=cores, object_store_memory=STORE, log_to_driver=False, include_dashboard=False,
             runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}})
    ray.data.DataContext.get_current().enable_progress_bars = False
    return ray


def rows(folder: Path, count: int, layers: str, side: int, cores: int) -> None:
    """Make, label, write and look at rows."""
    from labelkit.integrations.ray import label
    ray = cluster(cores)
    watch, started = Watch(), time.monotonic()
    source = ray.data.range(count, override_num_blocks=max(8, count // 2000)).map_batches(
        made, batch_format="pyarrow", fn_kwargs={"side": side}, batch_size=500)
    label(source, "acme", plan=PLANS[layers], id_column="key", batch_size=100).write_parquet(str(folder / "out"))
    took = time.monotonic() - started
    seen = watch.stop()
    ray.shutdown()
    keys, failed, bad = set(), 0, 0
    for path in sorted((folder / "out").glob("*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(1000, columns=["key", "error"]):
            keys.update(map(int, batch["key"].to_pylist()))
            failed += batch.num_rows - batch["error"].null_count
    verify = Verifications(layers=SOUGHT[layers], require=SOUGHT[layers])
    looked = pq.read_table(folder / "out", filters=[("key", "in", [f"{n:08d}" for n in range(0, count, _SAMPLED)])])
    bad = looked.num_rows - sum(map(bool, verify(looked)["meets"].to_pylist()))
    print("| rows | layers | picture | seconds | a second | " + " | ".join(f"{role}, MB" for role in seen) +
          " | failed | sampled, not valid |")
    print("| ---: | --- | --- | ---: | ---: | " + "---: | " * len(seen) + "---: | --- |")
    print(f"| {count:,} | {layers} | {side} x {side} | {took:.0f} | {count / took:.0f} | " + " | ".join(
        f"{early:.0f}, {late:.0f}" for early, late in seen.values()) + f" | {failed} | {looked.num_rows}, {bad} |")
    assert keys == set(range(count)) and not failed and not bad


def _alone(job: tuple[str, str, int, int, int]) -> int:
    path, layers, part, parts, count = job
    labels = Labels("acme", plan=PLANS[layers], id_column="key", jobs=1)
    done = 0
    for index, batch in enumerate(pq.ParquetFile(path).iter_batches(100)):
        if index % parts == part and index * 100 < count:
            done += labels(batch).num_rows
    return done


def ratio(folder: Path, count: int, layers: str, side: int, rounds: int, block: int) -> None:
    """Two workers of Ray Data, beside two processes that share the same rows, in turn; both have worked before.

    block  rows in a block of Ray Data, which is one task
    """
    from labelkit.integrations.ray import label
    path = str(folder / "in.parquet")
    pq.write_table(made(pa.table({"id": range(count)}), side), path, row_group_size=100)
    ray = cluster(2)
    rates: dict[str, list[tuple[float, dict[str, float]]]] = {"ray": [], "processes": []}

    def by_ray(count: int) -> None:
        table = pq.read_table(path)
        source = ray.data.from_arrow([table.slice(at, min(block, count - at)) for at in range(0, count, block)])
        total = 0
        for batch in label(source, "acme", plan=PLANS[layers], id_column="key", batch_size=100,
                           concurrency=2).iter_batches(batch_format="pyarrow", batch_size=None):
            total += batch.num_rows
        assert total == count

    with ProcessPoolExecutor(2) as pool:
        def by_processes(count: int) -> None:
            assert sum(pool.map(_alone, [(path, layers, part, 2, count) for part in range(2)])) == count

        by_ray(4 * block)
        by_processes(400)
        for _ in range(rounds):
            for name, work in (("ray", by_ray), ("processes", by_processes)):
                started, before = time.monotonic(), cpu()
                work(count)
                spent = {what: seconds - before[what] for what, seconds in cpu().items()}
                rates[name].append((time.monotonic() - started, spent))
    ray.shutdown()
    ray_s, alone_s = (min(wall for wall, _ in found) for found in rates.values())
    by_ray_ms, alone_ms = ({what: 1000 * min(spent[what] for _, spent in found) / count for what in found[0][1]}
                           for found in rates.values())
    alone = alone_ms["Ray"]  # the processes of a pool are not called ray::
    print("| rows | in a block | layers | picture | Ray, a second | two processes, a second | ratio "
          "| CPU ms a row: workers | driver | Ray's own | two processes | to the workers | to all |\n"
          "| ---: | ---: | --- | --- | " + "---: | " * 9)
    print(f"| {count:,} | {block} | {layers} | {side} x {side} | {count / ray_s:.0f} | {count / alone_s:.0f} | "
          f"{alone_s / ray_s:.2f} | " + " | ".join(f"{by_ray_ms[what]:.2f}" for what in ("workers", "driver", "Ray")) +
          f" | {alone:.2f} | {alone / by_ray_ms['workers']:.2f} | {alone / sum(by_ray_ms.values()):.2f} |")


def main() -> int:
    """Measure what is named, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("rows", "ratio"))
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--layers", choices=sorted(PLANS), default="metadata")
    parser.add_argument("--side", type=int, default=96, help="pixels; a watermark needs some 256")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--block", type=int, default=100, help="rows in a block of Ray Data, for ratio; 100 or more")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="engines-") as name:
        if options.what == "rows":
            rows(Path(name), options.rows, options.layers, options.side, options.cores)
        else:
            ratio(Path(name), options.rows, options.layers, options.side, options.rounds, options.block)
    return 0


if __name__ == "__main__":
    from benchmarks import engines  # workers cannot import __main__
    sys.exit(engines.main())
