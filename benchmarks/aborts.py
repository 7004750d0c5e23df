# SPDX-License-Identifier: Apache-2.0
"""Clients that go away while the ASGI middleware streams sound to them: what stays behind, and what they got.

    build/hosts/bin/python -m benchmarks.aborts [CLIENTS] [wav|mp3]     (make test-hosts makes that environment)

Linux with glibc. uvicorn serves on loopback; each client reads a random part of an endless stream, and resets its
connection.
"""

from __future__ import annotations

import asyncio
import collections
import ctypes
import functools
import gc
import io
import os
import random
import socket
import struct
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import uvicorn

import labelkit as lk
from labelkit.integrations.asgi import LabelResponses
from tests.integrations.test_asgi_streams import head
from tests.sounds import speech

RATE, AT_A_TIME = 24_000, 16
_SAMPLES = (speech(4.0, RATE) * 20_000).astype("<i2")


@dataclass
class Endless:
    """An app that streams speech for as long as somebody listens.

    head, sound  what comes once, and what comes again and again, in chunks of so many bytes
    most         bytes that a client reads
    """

    kind: bytes
    head: bytes
    sound: bytes
    chunk: int
    most: int

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", self.kind)]})
        await send({"type": "http.response.body", "body": self.head, "more_body": True})
        gone = asyncio.create_task(receive_disconnect(receive))
        while not gone.done():
            for start in range(0, len(self.sound), self.chunk):
                part = self.sound[start:start + self.chunk]
                await send({"type": "http.response.body", "body": part, "more_body": True})
                await asyncio.sleep(0)
                if gone.done():
                    break

    @functools.cached_property
    def probes(self) -> set[bytes]:
        """64 bytes in a row of its own; pauses, which the mark leaves alone, and the filler of MP3 are no probes."""
        if self.kind != b"audio/wav":
            return {part for at in range(len(self.sound) - 64) if len(set(part := self.sound[at:at + 64])) > 8}
        return {self.sound[2 * at:2 * at + 64] for at in range(len(_SAMPLES) - 32)
                if np.std(_SAMPLES[at:at + 32].astype(float)) > 1000}


def stream_of(format: str) -> Endless:
    """The stream of a format."""
    if format == "wav":
        return Endless(b"audio/wav", head(RATE), _SAMPLES.tobytes(), 9_600, 300_000)
    out = io.BytesIO()
    soundfile.write(out, _SAMPLES, RATE, format="MP3", bitrate_mode="CONSTANT", compression_level=0.6)
    frames = out.getvalue()[out.getvalue().index(b"\xff\xf3", 4):]  # behind the frame of information
    return Endless(b"audio/mpeg", b"", frames, 1_600, 50_000)


async def receive_disconnect(receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def client(port: int, wanted: int, app: Endless) -> tuple[bool, bool]:
    """Reads about so many bytes, then resets the connection; whether the head came, and an unlabelled byte."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        link.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        got = bytearray()
        while len(got) < wanted and (part := link.recv(65536)):
            got += part
        return b"AIGC" in got, any(bytes(got[at:at + 64]) in app.probes for at in range(len(got) - 64))


def resources() -> tuple[int, int, int]:
    """MB of memory in use, open files, threads."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # else glibc keeps what was freed, in an arena for each thread
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20, len(os.listdir("/proc/self/fd")), threading.active_count()


def round_of(port: int, clients: int, server: uvicorn.Server, app: Endless) -> tuple[int, int, int]:
    """How many clients of a round got the head, and unlabelled bytes; the tasks that are left a minute later."""
    chosen = random.Random(clients)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        found = list(pool.map(lambda wanted: client(port, wanted, app),
                              [chosen.randrange(1, app.most) for _ in range(clients)]))
    deadline = time.monotonic() + 60
    while server.server_state.tasks and time.monotonic() < deadline:
        time.sleep(0.1)
    return sum(has for has, _ in found), sum(bad for _, bad in found), len(server.server_state.tasks)


def main(clients: int, format: str) -> None:
    """Print what a tenth of the clients and all of them leave behind, and fail where it grows or was unlabelled."""
    counts: collections.Counter[str] = collections.Counter()
    label = lk.Label(lk.Kind.GENERATED, "labelkit-bench", "1")
    app = stream_of(format)
    server = uvicorn.Server(uvicorn.Config(LabelResponses(app, label=lambda scope: label, counts=counts), port=0,
                                           log_level="error", lifespan="off"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    rows = []
    for count in (clients // 10, clients):  # what the first need once, imports and tables, is no leak
        begun = time.perf_counter()
        began, bad, left = round_of(port, count, server, app)
        memory, opened, threads = resources()
        rows.append((bad or left, memory, opened, threads))
        print(f"{count} clients in {time.perf_counter() - begun:.0f} s: {began} got the head, {bad} an unlabelled byte;"
              f" left: {left} tasks, {opened} files, {threads} threads, {memory} MB")
    server.should_exit = True
    first, last = rows
    sys.exit(bool(first[0] or last[0] or last[1] > first[1] + 32 or last[2] > first[2] or last[3] > first[3]))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, sys.argv[2] if len(sys.argv) > 2 else "wav")
