# SPDX-License-Identifier: Apache-2.0
"""What a service pays for the whole call, arrays in and labelled bytes out, beside the plain codec in the same run.

Every picture gets a number of its own, and so a watermark of its own. CPU time is that of the whole process; scaling is
wall time and wants two free cores.
"""

from __future__ import annotations

import collections
import io
import itertools
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import labelkit as lk
from benchmarks.conftest import gain_of_a_process, gain_of_a_thread, ratio
from labelkit import codec, container, kernels, threads
from labelkit.codec import jpeg
from labelkit.codec.samples import AudioSamples
from labelkit.explicit.image import draw
from labelkit.integrations.diffusers import LabelOutputs
from labelkit.payload import Payload
from labelkit.plan import Explicit, Quality
from labelkit.provenance import keygen
from labelkit.watermark.image import embed as mark
from tests.media import LABEL, photo

SIDE, RATE, SECONDS = 1024, 44_100, 30
ONE, STEREO = f"{SIDE}x{SIDE} photograph, CPU time", f"{SECONDS} s of stereo at 44.1 kHz, CPU time"
NUMBERS = itertools.count()
SAMPLE = Path(__file__).parents[1] / "samples" / "lantern-river.mp4"

# plan, check, most of Pillow's JPEG q90
CALLS = {"": (False, False, 1.6), "signed": (True, False, 2.8), "checked": (False, True, 3.4),
         "signed and checked": (True, True, 4.6)}


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return photo(SIDE, SIDE)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> lk.Plan:
    signer, _ = keygen(tmp_path_factory.mktemp("keys"), "bench", now=datetime.now(UTC))
    return lk.Plan(provenance=lk.Signer.load(signer))


def label() -> lk.Label:
    return lk.Label(lk.Kind.GENERATED, LABEL.content_producer, f"{next(NUMBERS):08d}")


def by_pillow(picture: np.ndarray, format: str, **options: object) -> Callable[[], bytes]:
    image = Image.fromarray(picture)

    def save() -> bytes:
        out = io.BytesIO()
        image.save(out, format, **options)
        return out.getvalue()
    return save


def seconds_of(call: Callable[[], object], rounds: int = 12) -> float:
    """CPU seconds of a call: the lower quartile."""
    call()
    spent = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        spent.append(time.process_time() - start)
    return sorted(spent)[rounds // 4]


def faults_of(call: Callable[[], object], rounds: int = 10) -> float:
    """Kilobytes of fresh memory that a call touches, by the page faults that they cost."""
    call()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        call()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / rounds * resource.getpagesize() / 1000


@pytest.mark.parametrize("name", CALLS)
def test_jpeg(picture, signed, figure, name):
    with_signer, check, most = CALLS[name]
    plan = signed if with_signer else lk.Plan()

    def embed() -> bytes:
        return lk.embed(picture, label=label(), format="jpeg", plan=plan, check=check)

    what = f"embed to JPEG {name}".rstrip()
    figure(f"{what}, to Pillow's JPEG q90", ratio(embed, by_pillow(picture, "JPEG", quality=90)), most=most,
           conditions=ONE)
    figure("... in a core-hour", 3600 / seconds_of(embed), unit="pictures", conditions=ONE)
    figure("... fresh memory for each", faults_of(embed), unit="kB", conditions=ONE)
    figure("... two threads, to one", gain_of_a_thread(embed), least=1.85, conditions="wall time")
    figure("... two processes, to one", gain_of_a_process(embed), conditions="wall time")


def test_where_the_time_goes(picture, signed, figure):
    """The steps of the call alone, in Pillow's JPEG q90."""
    plain = by_pillow(picture, "JPEG", quality=90)
    made = lk.embed(picture, label=LABEL, format="jpeg", check=False)
    steps = {"Pillow's JPEG q92 of an array": lambda: by_pillow(picture, "JPEG", quality=92)(),
             "our JPEG q92": lambda: jpeg.encode(picture, {"quality": 92}),
             "luma of our JPEG": lambda: codec.luma_of_own(container.Reader.of(made)),
             "Pillow's decoding to an array": lambda: np.asarray(Image.open(io.BytesIO(made))),
             "our decoding to an array": lambda: codec.decode(made)}
    for name, step in steps.items():
        figure(f"{name}, to Pillow's JPEG q90", ratio(step, plain), conditions=ONE)


@pytest.mark.parametrize("format,options,most", [("png", {}, 0.15), ("webp", {"quality": 90}, 1.1)])
def test_other_formats(picture, signed, figure, format, options, most):
    plain = by_pillow(picture, format.upper(), **options)
    marked = by_pillow(lk.embed(picture, label=LABEL), format.upper(), **options)
    for plan, check, bar in ((lk.Plan(), False, most), (signed, True, None)):
        def embed(plan: lk.Plan = plan, check: bool = check) -> bytes:
            return lk.embed(picture, label=label(), format=format, plan=plan, check=check)
        what = f"embed to {format.upper()}" + (" signed and checked" if check else "")
        figure(f"{what}, to Pillow's {format.upper()}", ratio(embed, plain, 5), most=bar, conditions=ONE)
        figure("... in a core-hour", 3600 / seconds_of(embed, 4), unit="pictures", conditions=ONE)
    figure(f"Pillow's {format.upper()} of the marked picture, to that of the plain one", ratio(marked, plain, 5),
           conditions=ONE)


class Pipeline:
    """Returns what it is given, as a pipeline of diffusers does."""

    def __init__(self, images: object) -> None:
        self.images = images

    def __call__(self) -> dict[str, object]:
        return {"images": self.images}


PASSES = ((np, "copyto"), (kernels, "floats_quantise"), (kernels, "floats_expand"), (kernels, "image_colours"),
          (kernels, "image_spread"), (Image, "new"), (Image, "fromarray"))
"""What goes over all samples of a picture, beside what draws and marks."""


def passes_of(call: Callable[[], object], patch: pytest.MonkeyPatch) -> collections.Counter[str]:
    """How often a call goes over a picture of SIDE x SIDE, by what does."""
    seen: collections.Counter[str] = collections.Counter()

    def counted(name: str, work: Callable[..., object]) -> Callable[..., object]:
        def called(*given: Any, **settings: Any) -> object:
            if any(getattr(one, "size", 0) >= SIDE * SIDE for one in given) or name == "new" and SIDE in given[1]:
                seen[name] += 1
            return work(*given, **settings)
        return called

    with patch.context() as patched:
        for where, name in PASSES:
            patched.setattr(where, name, counted(name, getattr(where, name)))
        call()
    return seen


@pytest.mark.parametrize(("kind", "passes"), [
    ("uint8", {"copyto": 1}), ("PIL", {"image_colours": 1, "new": 1, "image_spread": 1}),
    ("float", {"floats_quantise": 1, "floats_expand": 1}),
    ("float, channels first", {"floats_quantise": 1, "floats_expand": 1})])
def test_a_batch(picture, figure, monkeypatch, kind, passes):
    """Eight pictures through LabelOutputs, beside what writes into pixels: label and watermark, in place, on one thread
    and on as many as the batch has; beside that and one copy of the batch as it came, which is the least for a result
    in memory of its own; and of floats and Pillow's images beside that with their conversions to 8 bits of a picture in
    rows and back."""
    batch = np.stack([np.roll(picture, 37 * i, 0) for i in range(8)])
    floats = batch / np.float32(255)
    work, levels, planes = batch.copy(), np.empty_like(picture), np.ascontiguousarray(np.moveaxis(floats, -1, 1))
    images = {"uint8": batch, "PIL": [Image.fromarray(one) for one in batch], "float": floats,
              "float, channels first": planes}[kind]

    def labelled(one: np.ndarray) -> None:
        draw(one, Explicit(), in_place=True)
        mark(one, Payload.of(label()), out=one)

    def alone() -> None:
        for one in work:
            labelled(one)

    def side_by_side() -> None:
        with ThreadPoolExecutor(threads.cores()) as pool:
            list(pool.map(labelled, work))

    kept = None if kind == "PIL" else np.zeros_like(images)

    def with_a_copy() -> None:
        alone()
        if kept is None:
            for one in images:
                one.copy()
        else:
            np.copyto(kept, images)

    def with_conversions() -> None:
        alone()
        if kind == "PIL":
            for one in images:
                Image.fromarray(np.asarray(one))
            return
        for one, made in zip(images, np.empty_like(images), strict=True):
            source, target = (one, made) if kind == "float" else (np.moveaxis(x, 0, -1) for x in (one, made))
            kernels.floats_quantise(source, levels, np.empty(1, np.int64))
            kernels.floats_expand(levels, target)

    pipe = Pipeline(images)
    LabelOutputs(pipe, label)
    figure(f"a batch of 8, {kind}, to the kernels", ratio(pipe, alone, 13), most=1.1, conditions=ONE)
    figure("... to the kernels on as many threads", ratio(pipe, side_by_side, 13), conditions=ONE)
    figure("... to the kernels and a copy of the batch", ratio(pipe, with_a_copy, 13), most=1.1, conditions=ONE)
    figure("... fresh memory for each picture", faults_of(pipe) / 8, unit="kB", conditions=ONE)
    assert passes_of(pipe, monkeypatch) == {name: 8 * count for name, count in passes.items()}
    figure("... passes over a picture, beside label and watermark", sum(passes.values()), most=3, conditions="counted")
    if kind != "uint8":
        figure("... to the kernels and the conversions", ratio(pipe, with_conversions, 13), conditions=ONE)


def programme() -> np.ndarray:
    """float32 [frames, 2]: tones that swell over noise."""
    t = np.arange(RATE * SECONDS) / RATE
    noise = np.random.default_rng(1).standard_normal((len(t), 2)) * 0.02
    tones = sum(np.sin(2 * np.pi * hz * t) * 0.1 for hz in (220, 440, 1330, 3000))
    return ((tones[:, None] + noise) * (0.5 + 0.5 * np.sin(2 * np.pi * 0.7 * t))[:, None]).astype(np.float32)


@pytest.mark.parametrize("format", ["wav", "flac", "mp3"])
def test_sound(figure, format):
    samples = programme()
    plain = seconds_of(lambda: codec.encode_new(AudioSamples(samples, RATE), format), 4)
    for check in (False, True):
        def embed(check: bool = check) -> bytes:
            return lk.embed(samples, label=label(), rate=RATE, format=format, check=check)
        spent = seconds_of(embed, 4)
        what = f"embed to {format.upper()}{' checked' if check else ''}"
        figure(f"{what}, for each CPU second", SECONDS / spent, unit="s of sound", conditions=STEREO)
        figure("... to the codec alone", spent / plain, conditions=STEREO)
    figure("... two threads, to one", gain_of_a_thread(embed, 4), conditions="wall time")


@pytest.fixture(scope="module")
def m4a(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    av, path = pytest.importorskip("av"), tmp_path_factory.mktemp("sound") / "sound.m4a"
    samples = programme()
    with av.open(str(path), "w", format="ipod") as file:
        stream = file.add_stream("aac", rate=RATE, layout="stereo")
        for at in range(0, len(samples) - 1024, 1024):
            part = np.ascontiguousarray(samples[at:at + 1024].T)
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = RATE, at
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path.read_bytes()


def test_sound_in_aac(m4a, figure):
    plain = seconds_of(lambda: codec.encode(codec.decode(m4a)), 4)
    for check in (False, True):
        spent = seconds_of(lambda check=check: lk.embed(m4a, label=label(), check=check), 4)
        figure(f"label an M4A{', checked' if check else ''}, for each CPU second", SECONDS / spent, unit="s of sound",
               conditions=STEREO)
        figure("... to its plain decoding and encoding", spent / plain, conditions=STEREO)
    figure("... two threads, to one", gain_of_a_thread(lambda: lk.embed(m4a, label=label()), 4), conditions="wall time")


def scenes(height: int, count: int) -> Iterator[object]:
    import av

    with av.open(str(SAMPLE)) as source:
        for frame in itertools.islice(source.decode(video=0), count):
            yield frame.reformat(height * 16 // 9, height)


@pytest.mark.parametrize("height", [720, 1080])
def test_film(tmp_path, figure, height):
    """Whole call, file to file, the sample enlarged; x264's medium preset is nearly all of it, veryfast half."""
    av, count, source = pytest.importorskip("av"), 50, tmp_path / "film.mp4"
    with av.open(str(source), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = height * 16 // 9, height, "yuv420p"
        stream.thread_type = "AUTO"  # as ffmpeg does
        for index, frame in enumerate(scenes(height, count)):
            frame.pts, frame.time_base, frame.pict_type = index, Fraction(1, 25), 0
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    for preset in ("veryfast", "medium"):
        plan = lk.Plan(quality=Quality(preset=preset))
        for check in (False, True):
            start = time.process_time()
            lk.embed(source, tmp_path / "out.mp4", label(), plan=plan, check=check)
            figure(f"label a film of {height} lines, {preset}{', checked' if check else ''}, for each CPU second",
                   count / (time.process_time() - start), unit="frames", conditions=f"{count} frames, crf 18")
    if height == 720:
        plan, targets = lk.Plan(quality=Quality(preset="veryfast")), itertools.count()
        gain = gain_of_a_thread(lambda: lk.embed(source, tmp_path / f"{next(targets)}.mp4", label(), plan=plan), 2, 1)
        figure("... two films on two threads, to one after the other", gain, conditions="wall time, veryfast, checked")
