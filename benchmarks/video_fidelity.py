# SPDX-License-Identifier: Apache-2.0
"""What the mark costs a film at equal bitrate: VMAF and SSIM of the luma against the unmarked film, as Markdown.

    python -m benchmarks.video_fidelity [--films FOLDER] [--crf 18 23 28] [--preset medium] [--frames 50]
                                        [--strength 1] [--robustness everyday] [--bytes-only] [--alike]

x264 encodes each film with the mark at each crf, as labelkit has it encode, and without it at that crf, above and
below, with x264's defaults. Interpolation between these gives the unmarked film's scores at the marked film's bitrate.
With --alike the unmarked film too is encoded as labelkit has it, so that the mark alone differs. With --bytes-only the
growth alone is measured, in a quarter of the time. The metrics are those of the ffmpeg in imageio-ffmpeg, with
libvmaf's own model. PSNR is that of the luma before encoding.
"""

from __future__ import annotations

import argparse
import itertools
import re
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

from benchmarks.fidelity import psnr
from benchmarks.video_robustness import SUFFIXES, label_of
from labelkit.choices import ROBUSTNESS
from labelkit.codec.encoders import GRAINED
from labelkit.codec.frame import Frame, FrameFormat
from labelkit.payload import Payload
from labelkit.watermark import video

_STEP = 2  # of crf, up and down


def frames_of(path: Path, count: int) -> list[np.ndarray]:
    """uint8 [height * 3 / 2, width] yuv420p frames of a film's beginning."""
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="yuv420p") for frame in itertools.islice(film.decode(video=0), count)]


def marked(frames: list[np.ndarray], payload: Payload, strength: float, robustness: str) -> list[np.ndarray]:
    """The frames with the mark in their luma."""
    height, width = frames[0].shape[0] * 2 // 3, frames[0].shape[1]
    marker = video.Marker(width, height, payload, strength=strength, robustness=robustness)
    copies = [frame.copy() for frame in frames]
    for copy in copies:
        marker.mark(Frame(FrameFormat(width, height), copy[:height]))
    return copies


def published(frames: list[np.ndarray], target: Path, crf: int, preset: str = "medium") -> int:
    """Write marked frames as labelkit has x264 write them, and return the bytes."""
    return encoded(frames, target, {"crf": str(crf), "preset": preset, **GRAINED["libx264"]})


def encoded(frames: list[np.ndarray], target: Path, options: dict[str, str]) -> int:
    """Write the frames by x264 and return the bytes."""
    with av.open(str(target), "w", format="matroska") as out:
        stream = out.add_stream("libx264", rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = frames[0].shape[0] * 2 // 3, frames[0].shape[1], "yuv420p"
        stream.thread_type = "AUTO"  # as ffmpeg does; PyAV's default cuts each frame into slices, one a core
        for index, array in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(array, "yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return target.stat().st_size


def scores(film: Path, host: Path) -> np.ndarray:
    """VMAF and SSIM, both of 100, of a film's luma against its host."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-i", str(film), "-i", str(host), "-lavfi",
               "[0:v]format=gray,split[a][b];[1:v]format=gray,split[c][d];[a][c]libvmaf;[b][d]ssim", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    vmaf, ssim = re.search(r"VMAF score: ([\d.]+)", said), re.search(r"SSIM Y:([\d.]+)", said)
    return np.array([float(vmaf[1]), 100 * float(ssim[1])])


def drop(frames: list[np.ndarray], with_mark: list[np.ndarray], crf: int, more: dict[str, str],
         folder: Path) -> np.ndarray:
    """By how much the mark lowers VMAF and SSIM at equal bitrate, and by what share the file grows at equal crf.

    more  options of x264 for the unmarked film, among them the preset of both
    """
    host, film = folder / "host.mkv", folder / "film.mkv"
    encoded(frames, host, {"crf": "0", "preset": "ultrafast"})
    sizes, points = [], []
    for value in (crf + _STEP, crf, crf - _STEP):
        sizes.append(encoded(frames, film, {"crf": str(value), **more}))
        points.append(scores(film, host))
    size = published(with_mark, film, crf, more["preset"])
    plain = [np.interp(np.log(size), np.log(sizes), column) for column in np.transpose(points)]
    return np.array([*(plain - scores(film, host)), size / sizes[1] - 1])


def growth(frames: list[np.ndarray], with_mark: list[np.ndarray], crf: int, more: dict[str, str],
           folder: Path) -> float:
    """By what share the file grows at equal crf; `more` as of `drop`."""
    film = folder / "film.mkv"
    return published(with_mark, film, crf, more["preset"]) / encoded(frames, film, {"crf": str(crf), **more}) - 1


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=Path, default=Path(__file__).parent.parent / "samples")
    parser.add_argument("--crf", type=int, nargs="+", default=[18, 23, 28])
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--strength", type=float, default=1.0)
    parser.add_argument("--robustness", choices=ROBUSTNESS, default=ROBUSTNESS[0])
    parser.add_argument("--bytes-only", action="store_true")
    parser.add_argument("--alike", action="store_true")
    options = parser.parse_args(arguments)
    more = {"preset": options.preset, **(GRAINED["libx264"] if options.alike else {})}
    columns = ["bytes"] if options.bytes_only else ["VMAF lower by", "SSIM lower by, of 100", "bytes"]
    print(f"| film | PSNR, dB | crf | {' | '.join(columns)} |\n{'|---' * (3 + len(columns))}|")
    for path in sorted(path for path in options.films.iterdir() if path.suffix.lower() in SUFFIXES):
        frames = frames_of(path, options.frames)
        with_mark = marked(frames, Payload.of(label_of(0)), options.strength, options.robustness)
        height = frames[0].shape[0] * 2 // 3
        worst = min(psnr(host[:height], copy[:height]) for host, copy in zip(frames, with_mark, strict=True))
        for crf in options.crf:
            with tempfile.TemporaryDirectory() as folder:
                if options.bytes_only:
                    cells = [f"{growth(frames, with_mark, crf, more, Path(folder)):+.1%}"]
                else:
                    vmaf, ssim, grown = drop(frames, with_mark, crf, more, Path(folder))
                    cells = [f"{vmaf:.2f}", f"{ssim:.2f}", f"{grown:+.0%}"]
            print(f"| {path.name} | {worst:.1f} | {crf} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
