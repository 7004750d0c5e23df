# SPDX-License-Identifier: Apache-2.0
"""Processes that come to an end: another is asked where that is allowed; and how far a film is."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

import labelkit as lk
from labelkit import isolation
from labelkit.errors import LimitExceeded
from labelkit.isolation import EmbedPool, Limits, Pool
from tests.films import film
from tests.media import LABEL

TEXT = b"It rains."
QUICK = lk.Plan(watermark=None)


def dying(folder: Path, times: int) -> list[str]:
    """A worker that dies so many times before it works."""
    script = (f"import os, sys; names = os.listdir({str(folder)!r})\n"
              f"if len(names) < {times}:\n    open(os.path.join({str(folder)!r}, str(len(names))), 'w').close()\n"
              f"    sys.exit(1)\n"
              f"sys.path.append({isolation._PACKAGES!r})\nfrom labelkit.isolation.worker import serve; serve()")
    return [sys.executable, "-P", "-c", script]


@pytest.mark.parametrize(("deaths", "attempts", "works"), [(1, 1, False), (1, 2, True), (2, 2, False), (2, 3, True)])
def test_another_process_is_asked_as_often_as_that_is_allowed(tmp_path, monkeypatch, deaths, attempts, works):
    monkeypatch.setattr(isolation, "_WORKER", dying(tmp_path, deaths))
    with EmbedPool(1, Limits(seconds=600, attempts=attempts)) as pool:
        if works:
            assert b"AIGC" in pool.embed(TEXT, LABEL, QUICK, name="a.md").file
        else:
            with pytest.raises(LimitExceeded, match="came to an end"):
                pool.embed(TEXT, LABEL, QUICK, name="a.md")
    assert len(list(tmp_path.iterdir())) == deaths


def test_one_that_is_out_of_time_is_not_asked_again(tmp_path, monkeypatch):
    monkeypatch.setattr(isolation, "_WORKER", [sys.executable, "-c", "import time; time.sleep(600)"])
    with Pool(1, Limits(seconds=0.1, attempts=1000)) as pool, pytest.raises(LimitExceeded, match="took more than"):
        pool.verify(b"x")


def test_a_stopped_pool_gives_up_what_it_works_on(monkeypatch):
    monkeypatch.setattr(isolation, "_WORKER", [sys.executable, "-c", "import time; time.sleep(600)"])
    pool, raised = Pool(1, Limits(seconds=600, attempts=1000)), []

    def verify() -> None:
        with pytest.raises(LimitExceeded) as error:
            pool.verify(b"x")
        raised.append(error.value)
    thread = threading.Thread(target=verify)
    thread.start()
    while not pool._busy:
        time.sleep(0.01)
    pool.stop()
    thread.join()
    assert "came to an end" in str(raised[0])
    with pytest.raises(LimitExceeded):
        pool.verify(b"x")


def test_how_far_a_film_is_comes_before_it_and_can_end_it(tmp_path):
    data, shares = film(tmp_path / "f.mp4", count=60).read_bytes(), []

    def ends(share: float) -> None:
        raise KeyError(share)
    with EmbedPool(1, Limits(seconds=600, written_bytes=64 << 20)) as pool:
        with pytest.raises(KeyError):
            pool.embed(data, LABEL, QUICK, name="f.mp4", on_share=ends)
        made = pool.embed(data, LABEL, QUICK, name="f.mp4", on_share=shares.append)
    assert lk.verify(made.file, layers=[lk.Layer.METADATA]).label == LABEL
    assert shares and shares == sorted(shares) and 0 <= shares[0] <= shares[-1] <= 1
