# SPDX-License-Identifier: Apache-2.0
"""Rates and the range of the true ones, fidelity, and media that are taken in."""

from __future__ import annotations

import os
import stat

import numpy as np
import pytest
from PIL import Image

from labelkit import codec
from labelkit.codec.samples import VideoSamples
from labelkit.trials import fidelity, media, tally
from labelkit.trials.media import Film, Sound
from tests import films as film_files, sounds as sound_files
from tests.media import photo, saved


@pytest.mark.parametrize("count,of,low,high", [  # Clopper and Pearson, by tables
    (0, 10, 0.0, 0.3085), (10, 10, 0.6915, 1.0), (5, 10, 0.1871, 0.8129), (1, 100, 0.00025, 0.0545),
    (0, 1, 0.0, 0.975)])
def test_intervals_are_those_of_clopper_and_pearson(count, of, low, high):
    assert tally.interval(count, of) == pytest.approx((low, high), abs=5e-4)


def test_no_test_tells_nothing():
    assert tally.interval(0, 0) == (0.0, 1.0)


def test_fidelity_of_what_is_equal_and_of_what_is_not():
    host = photo(120, 160)
    noisy = np.clip(host + np.random.default_rng(1).normal(0, 8, host.shape), 0, 255).astype(np.uint8)
    assert fidelity.psnr(host, host) == float("inf") and fidelity.ssim(host, host) == pytest.approx(1)
    assert fidelity.psnr(host, noisy) == pytest.approx(30, abs=0.5) and 0.4 < fidelity.ssim(host, noisy) < 0.95
    wave = np.sin(np.arange(4000) / 9).astype(np.float32)[:, None]
    assert fidelity.snr(wave, wave) == float("inf") and fidelity.snr(wave, wave * 0.9) == pytest.approx(20, abs=0.1)


def _program(folder, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_programs_of_others_measure_where_they_are_on_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert fidelity.available() == {name: path for name, path in fidelity.available().items()
                                    if name not in fidelity.TOOLS or str(tmp_path) not in path}
    _program(tmp_path, "ssimulacra2", 'test -s "$1" && test -s "$2" && echo 87.5')
    _program(tmp_path, "visqol", 'test -s "$2" && test -s "$4" && echo "MOS-LQO: 4.61"')
    _program(tmp_path, "peaq", "echo 'Objective Difference Grade: -0.31'")
    tools = fidelity.available()
    wave = np.zeros((4800, 1), np.float32)
    assert fidelity.ssimulacra2(tools["ssimulacra2"], photo(40, 40), photo(40, 40)) == 87.5
    assert fidelity.visqol(tools["visqol"], wave, wave, 24_000) == 4.61
    assert fidelity.peaq(tools["peaq"], wave, wave, 48_000) == -0.31
    _program(tmp_path, "ssimulacra2", "exit 1")
    assert fidelity.ssimulacra2(tools["ssimulacra2"], photo(40, 40), photo(40, 40)) is None


def test_files_of_each_kind_are_taken_in_and_bounded(tmp_path):
    wide = Image.fromarray(photo(100, 160)).resize((3200, 2000))
    (tmp_path / "large.jpg").write_bytes(saved(np.asarray(wide), "JPEG"))
    (tmp_path / "clear.png").write_bytes(saved(np.zeros((64, 64, 4), np.uint8), "PNG"))
    (tmp_path / "long.wav").write_bytes(sound_files.wave_bytes(sound_files.noise(25, 8_000), 8_000))
    film_files.film(tmp_path / "film.mp4", count=30)
    (tmp_path / "text.txt").write_text("words")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30))
    chosen, refused = media.of_files(sorted(tmp_path.iterdir()), 8)
    held = {one.name: one.load() for one in chosen}
    assert set(held) == {"large.jpg", "clear.png", "long.wav", "film.mp4"} and [name for name, _ in refused] == [
        "broken.png"]
    assert held["large.jpg"].shape[0] * held["large.jpg"].shape[1] <= media.MAX_PIXELS
    assert (held["clear.png"] == 255).all()
    sound, film = held["long.wav"], held["film.mp4"]
    assert isinstance(sound, Sound) and len(sound.samples) == 20 * 8_000
    assert isinstance(film, Film) and len(film.frames) == 30 and film.rate == 25
    assert len(media.of_files(sorted(tmp_path.glob("*.???")), 1)[0]) == 3


def test_two_files_of_one_name_are_told_apart(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.png").write_bytes(saved(photo(64, 64), "PNG"))
    assert [one.name for one in media.of_files(sorted(tmp_path.rglob("*.png")), 8)[0]] == ["x.png", "x.png (2)"]


def test_media_made_by_code_are_of_every_kind_and_the_same_at_every_call():
    first, second = media.of_code(), media.of_code()
    assert [one.sha256 for one in first] == [one.sha256 for one in second]
    assert {one.kind for one in first} == set(media.KINDS)


@pytest.mark.parametrize("rotation,shape", [(0, (240, 320, 3)), (90, (320, 240, 3))])
def test_frames_are_upright_and_as_light_as_a_player_shows_them(tmp_path, rotation, shape):
    path = film_files.film(tmp_path / "turned.mp4", count=4, rotation=rotation)
    taken = media.of_files([path], 1)[0][0].load()
    assert isinstance(taken, Film) and taken.frames[0].shape == shape
    samples = codec.decode(path.read_bytes())
    assert isinstance(samples, VideoSamples)
    displayed = next(samples.frames()).grey()
    assert np.abs(taken.frames[0] @ np.array([0.2126, 0.7152, 0.0722]) - displayed).mean() < 2  # weights of BT.709
