# SPDX-License-Identifier: Apache-2.0
"""Eight threads at once give what one gives, also where all caches are cold.

In a free-threaded Python they run side by side: `make test-free-threaded`.
"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import labelkit as lk
from labelkit.payload import Payload
from labelkit.threads import OneAProcess
from tests.media import LABEL, photo, saved

THREADS = 8
PAYLOAD = int(Payload.of(LABEL))
KEYS = (lk.Key.public(), lk.Key(b"a key of the threads"))


@functools.cache
def sound(seconds: float = 3.0) -> np.ndarray:
    """float32 [frames], 16 kHz: noise that swells."""
    frames = int(16_000 * seconds)
    swell = 0.12 + 0.1 * np.sin(np.arange(frames) / 3000)
    return (np.random.default_rng(5).normal(0, 1, frames) * swell).astype(np.float32)


def of_samples(samples: np.ndarray, key: lk.Key, **more: int) -> str:
    """A digest of the marked samples, and what is read in them with this key and with the other one."""
    marked = lk.embed(samples, label=LABEL, key=key, **more)
    read = [lk.verify(marked, key=one, effort="fast", layers=[lk.Layer.WATERMARK], **more)[lk.Layer.WATERMARK]
            for one in KEYS]
    return f"{hashlib.sha256(marked.tobytes()).hexdigest()} {[(one.status, str(one.summary)) for one in read]}"


def of_file(format: str, size: tuple[int, int]) -> str:
    """A digest of the labelled file, and what its metadata say."""
    made = lk.embed(saved(photo(*size), format), label=LABEL)
    report = lk.verify(made, layers=[lk.Layer.METADATA])
    return f"{hashlib.sha256(made).hexdigest()} {[(one.status, str(one.summary)) for one in report]}"


WORK: tuple[Callable[[], str], ...] = (
    *(functools.partial(of_samples, photo(384, 512), key) for key in KEYS),
    *(functools.partial(of_samples, photo(512, 640, 2), key) for key in KEYS),
    functools.partial(of_samples, photo(512, 640, 2).astype(np.float32) / 255, KEYS[1]),
    functools.partial(of_samples, sound(), KEYS[1], rate=16_000),
    functools.partial(of_file, "PNG", (384, 512)), functools.partial(of_file, "JPEG", (400, 520)),
)


def forget() -> None:
    """Empty every cache of labelkit."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "labelkit":
            for value in list(vars(module).values()):
                if isinstance(value, functools._lru_cache_wrapper):
                    value.cache_clear()


def at_once(work: Callable[[int], object]) -> list:
    """The results of eight threads that begin together; each is told its number."""
    begin = threading.Barrier(THREADS, timeout=600)
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda number: (begin.wait(), work(number))[1], range(THREADS)))


def test_cold_caches_give_threads_the_same_results():
    alone = [work() for work in WORK]
    assert len(set(alone)) == len(WORK)
    for work, expected in zip(WORK, alone, strict=True):
        forget()
        assert set(at_once(lambda _, work=work: work())) == {expected}, work


def test_threads_read_their_own_mark_alone():
    """Each finds its own payload in a picture of its own, and none in the picture before it was marked."""
    def own(number: int) -> tuple[int, bool]:
        host = photo(384, 512, 10 + number)
        marked = lk.watermark.image.embed(host, Payload.from_int(PAYLOAD + number), KEYS[number % 2])
        return (lk.watermark.image.detect(marked, KEYS[number % 2]).payload,
                lk.watermark.image.detect(host, KEYS[number % 2], effort="fast").found)
    assert at_once(own) == [(Payload.from_int(PAYLOAD + number), False) for number in range(THREADS)]


def test_what_is_made_once_a_process_is_made_for_all():
    made = OneAProcess(threading.Lock)
    assert len({id(lock) for lock in at_once(lambda _: made())}) == 1
    first = made()
    made.cache_clear()
    assert made() is not first


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_makes_its_own():
    made = OneAProcess(lambda: os.getpid())
    assert made() == os.getpid()
    child = os.fork()
    if not child:
        os._exit(made() != os.getpid())
    assert os.waitpid(child, 0)[1] == 0 and made() == os.getpid()


def test_the_kernels_need_no_lock_of_the_interpreter():
    """Where Python has none, labelkit and its kernels do not bring it back."""
    code = ("import sys, labelkit.kernels, labelkit.watermark.image; "
            "print(getattr(sys, '_is_gil_enabled', lambda: True)())")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(not sysconfig.get_config_var("Py_GIL_DISABLED"))
