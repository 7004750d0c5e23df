# SPDX-License-Identifier: Apache-2.0
"""A film in chunks comes out as in one piece, and a run that was stopped goes on with the chunks that are done."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from labelkit import Key, codec, container, explicit, watermark
from labelkit.codec import chunks, transcode
from labelkit.errors import InvalidArgument
from labelkit.payload import Payload
from labelkit.plan import Explicit, Quality
from tests.films import film, scene
from tests.media import LABEL

av = pytest.importorskip("av")
TIMES = [40 * number + (number % 7) for number in range(70)] + [3000 + 240 * number for number in range(10)]
SOURCES = {"steady": {"name": "film.mp4", "sound": ("aac",), "options": {"g": "20"}},
           "variable": {"name": "film.mkv", "times": TIMES, "options": {"g": "20"}},
           "open": {"name": "film.mp4", "options": {"x264-params": "open-gop=1:keyint=20:min-keyint=20:bframes=3"}}}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Chunks of 20 frames."""
    monkeypatch.setattr(chunks, "SECONDS", 0.7)


def made(folder: Path, name: str = "film.mp4", count: int = 80, **settings: object) -> Path:
    return film(folder / name, count=count, luma=scene(320, 240, count), **settings)


def labelled(source: Path, target: Path, *, robustness: str = "everyday", payload: Payload | None = None,
             report=None, **quality: object) -> transcode.Progress:
    """The film with its signal layers, encoded without loss unless `quality` says otherwise."""
    with container.opened(source) as reader:
        samples, _ = explicit.video.draw(codec.decode(reader), Explicit())
        samples = watermark.video.embed(samples, payload or Payload.of(LABEL), Key(b"a key that is long enough"),
                                        robustness=robustness)
        return transcode.encode(samples, target, Quality(**{"crf": 0, "preset": "veryfast", **quality}), report)


def frames(path: Path) -> list[tuple[object, ...]]:
    """Time, kind and hash of every frame."""
    with av.open(str(path)) as file:
        return [(frame.pts * frame.time_base, frame.key_frame, hashlib.md5(frame.to_ndarray().tobytes()).hexdigest())
                for frame in file.decode(video=0)]


def packets(path: Path) -> list[list[tuple[object, ...]]]:
    """Times, lengths and kinds of the packets of each stream; of sound their bytes too."""
    with av.open(str(path)) as file:
        found: list[list[tuple[object, ...]]] = [[] for _ in file.streams]
        for packet in file.demux():
            if packet.size:
                found[packet.stream.index].append((packet.pts, packet.dts, packet.duration, packet.is_keyframe,
                                                   bytes(packet) if packet.stream.type == "audio" else b""))
        return found


@pytest.mark.parametrize(("kind", "robustness"), [("steady", "everyday"), ("steady", "hard"), ("variable", "everyday"),
                                                  ("open", "everyday")])
def test_it_is_the_same_as_in_one_piece(kind, robustness, tmp_path):
    source = made(tmp_path, **SOURCES[kind])
    alone, together = (tmp_path / f"{name}{source.suffix}" for name in ("alone", "together"))
    told: list[int] = []
    first = labelled(source, alone, robustness=robustness)
    second = labelled(source, together, robustness=robustness, jobs=2, report=lambda one: told.append(one.frames))
    assert frames(alone) == frames(together) and packets(alone) == packets(together)
    assert (first.frames, first.left_out, first.damaged) == (second.frames, second.left_out, second.damaged)
    assert told == list(range(1, first.frames + 1)) and not list(tmp_path.glob("*-chunks"))
    assert frames(source) != frames(alone)


@pytest.mark.parametrize("kind", ["steady", "variable"])
def test_frames_that_are_stored_out_of_order_keep_their_times(kind, tmp_path):
    source = made(tmp_path, **SOURCES[kind])
    alone, together = (tmp_path / f"{name}{source.suffix}" for name in ("alone", "together"))
    labelled(source, alone, crf=28)
    labelled(source, together, crf=28, jobs=2)
    pictures = packets(together)[0]
    assert any(one[0] != other[0] for one, other in zip(pictures, sorted(pictures), strict=True))  # there are some
    assert [frame[:2] for frame in frames(alone)] == [frame[:2] for frame in frames(together)]
    assert packets(alone)[1:] == packets(together)[1:]


def test_a_film_is_cut_where_nothing_hangs_together(tmp_path):
    for kind, cuts in (("steady", 4), ("open", 1)):  # only the first of open ones has nothing before it
        with container.opened(made(tmp_path, **SOURCES[kind])) as reader:
            structure = codec.decode(reader).source.structure
        assert structure.keys.sum() == 4 and len(structure.cuts()) == cuts


def test_a_film_without_key_frames_or_in_avi_is_encoded_in_one_piece(tmp_path):
    for name, options in (("film.mp4", {"g": "999"}), ("film.avi", {"g": "20", "bf": "0"})):
        source = made(tmp_path, name, options=options)
        target = tmp_path / f"out{source.suffix}"
        labelled(source, target, jobs=2, chunks=tmp_path / "kept")
        assert len(frames(target)) == 80 and not (tmp_path / "kept").exists()


class Stop(Exception):
    """What ends a run here."""


def stopped(source: Path, target: Path, folder: Path, after: int, **settings: object) -> None:
    """A run that ends after so many frames."""
    def report(progress: transcode.Progress) -> None:
        if progress.frames == after:
            raise Stop
    with pytest.raises(Stop):
        labelled(source, target, chunks=folder, report=report, **settings)


def test_a_run_that_was_stopped_goes_on_with_what_is_done(tmp_path):
    source, folder = made(tmp_path, **SOURCES["steady"]), tmp_path / "kept"
    stopped(source, tmp_path / "out.mp4", folder, 50)
    done = {path: path.stat().st_mtime_ns for path in folder.glob("*.nut")}
    assert len(done) == 2 and not (tmp_path / "out.mp4").exists()
    labelled(source, tmp_path / "out.mp4", chunks=folder)
    labelled(source, tmp_path / "alone.mp4")
    assert frames(tmp_path / "out.mp4") == frames(tmp_path / "alone.mp4")
    assert {path: path.stat().st_mtime_ns for path in done} == done and len(list(folder.iterdir())) == 4


@pytest.mark.parametrize("left", [b"no film", b"half"])
def test_what_is_no_whole_chunk_is_made_again(left, tmp_path):
    source, folder = made(tmp_path, **SOURCES["steady"]), tmp_path / "kept"
    stopped(source, tmp_path / "out.mp4", folder, 50)
    chunk = next(folder.glob("*.nut"))
    data = chunk.read_bytes()
    chunk.write_bytes(data[:len(data) // 2] if left == b"half" else left)
    labelled(source, tmp_path / "out.mp4", chunks=folder)
    labelled(source, tmp_path / "alone.mp4")
    assert frames(tmp_path / "out.mp4") == frames(tmp_path / "alone.mp4") and chunk.read_bytes() != left


def test_settings_that_make_no_sense_are_refused():
    for jobs in (0, 65, 1.5, True):
        with pytest.raises(InvalidArgument, match="jobs"):
            Quality(jobs=jobs)


def test_the_command_goes_on_with_the_same_number(tmp_path, monkeypatch, capsys):
    from labelkit.cli.film import FilmProgress
    from labelkit.cli.main import main

    monkeypatch.setenv("LANG", "C.UTF-8")
    source, out, kept = made(tmp_path, **SOURCES["steady"]), tmp_path / "out.mp4", tmp_path / "out.mp4.chunks"
    words = ["embed", str(source), "-o", str(out), "--producer", "acme", "--preset", "ultrafast", "--jobs", "2",
             "--no-check"]
    step = FilmProgress.step

    def stopping(self, progress) -> None:
        step(self, progress)
        if progress.frames == 70:
            raise KeyboardInterrupt

    monkeypatch.setattr(FilmProgress, "step", stopping)
    assert main(words) == 130 and not kept.exists()
    assert main([*words, "--resume"]) == 130 and not out.exists()
    number = (kept / "produce-id").read_text()
    assert list(kept.glob("*/*.nut"))
    monkeypatch.setattr(FilmProgress, "step", step)
    capsys.readouterr()
    assert main([*words, "--resume"]) == 0
    assert number in capsys.readouterr().out and out.exists() and not kept.exists()
    for name, is_ours in (("produce-id", True), ("another", False)):  # killed when the result was whole already
        kept.mkdir()
        (kept / name).write_text(number)
        assert main([*words, "--resume", "--dry-run"]) == 0 and kept.exists()
        assert main([*words, "--resume"]) == 0 and kept.exists() is not is_ours
