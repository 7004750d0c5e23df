# SPDX-License-Identifier: Apache-2.0
"""The encoder of the pictures of a film, and its options.

Quality. The defaults are what is commonly called visually lossless: x264 crf 18, x265 crf 20, VP9 crf 24, VP8 crf 8,
SVT-AV1 crf 24, MPEG-2/4, H.263, MJPEG quantiser 2; FFV1, HuffYUV and UT Video are lossless, ProRes keeps its profile.

Key frames. H.264, H.265, AV1 and VP8/9 get those of the source and no others, so that segments and fragments stay where
they were: at a cut that is no key frame of the source, x264 and x265 code a frame alone that decoding cannot begin at.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, cast

from labelkit.codec import hdr
from labelkit.errors import InvalidArgument, UnsupportedFormat
from labelkit.messages import Message
from labelkit.plan import Quality

if TYPE_CHECKING:
    import av
    from av.container import OutputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

_NO_OTHER_KEYS = {"g": str(1 << 30), "keyint_min": str(1 << 20)}
_ENCODERS: dict[str, tuple[str, dict[str, str]]] = {
    "h264": ("libx264", {"crf": "18", "preset": "medium", **_NO_OTHER_KEYS}),
    "hevc": ("libx265", {"crf": "20", "preset": "medium", "forced-idr": "1", "x265-params": "log-level=error",
                         **_NO_OTHER_KEYS}),
    "vp9": ("libvpx-vp9", {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1",
                           "g": _NO_OTHER_KEYS["g"]}),
    "vp8": ("libvpx", {"crf": "8", "b": "40M", "deadline": "good", "cpu-used": "4", "g": _NO_OTHER_KEYS["g"]}),
    "av1": ("libsvtav1", {"crf": "24", "preset": "8", "g": _NO_OTHER_KEYS["g"]}),
    "mpeg4": ("mpeg4", {"qmin": "2", "qmax": "3"}), "mpeg2video": ("mpeg2video", {"qmin": "2", "qmax": "3"}),
    "flv1": ("flv", {"qmin": "2", "qmax": "3"}), "mjpeg": ("mjpeg", {"qmin": "2", "qmax": "2"}),
    "prores": ("prores_ks", {}), "ffv1": ("ffv1", {"level": "3"}), "huffyuv": ("huffyuv", {}),
    "utvideo": ("utvideo", {}),
}
_NVENC = {"rc": "constqp", "qp": "20", "preset": "p5", "forced-idr": "1", "no-scenecut": "1", "g": "-1"}
_QSV = {"global_quality": "20", "preset": "medium", "forced_idr": "1", "g": "65535"}
HARDWARE: dict[str, dict[str, str]] = {
    "h264_nvenc": _NVENC, "hevc_nvenc": _NVENC, "av1_nvenc": {**_NVENC, "qp": "80"},
    "h264_qsv": _QSV, "hevc_qsv": _QSV, "av1_qsv": _QSV,
}
"""Encoders of graphics processors and the options that ask for a quality; none of them has been run here."""
_QUALITY = ("crf", "qp", "global_quality")  # names of the option that --crf sets
_PRORES = {"Proxy": "proxy", "LT": "lt", "Standard": "standard", "HQ": "hq", "4444": "4444", "XQ": "4444xq"}
_PARAMS = {"libx264": "x264-params", "libx265": "x265-params", "libsvtav1": "svtav1-params"}
# Memory for 1080p stays under 550 MB on any number of cores: x264 holds about 5 MB for each frame of its lookahead and
# 25 MB for each thread (375, 440 and 518 MB with 2, 4 and 8, medium); its presets look ahead by 0 to 60 frames.
_LOOKAHEAD_PIXELS = 16 * 1920 * 1080
_LOOKAHEADS = {"ultrafast": 0, "superfast": 0, "veryfast": 10, "faster": 20, "fast": 30, "medium": 40, "slow": 50}
_ENCODER_THREADS = 8
GRAINED: dict[str, dict[str, str]] = {"libx264": {"aq-strength": "0.8"}}
"""Options by encoder for films whose smooth ground has got grain. By default x264 quantises smooth blocks finest, and
most of a watermark's bytes are there; its tunes for grain and for flat art say 0.5 and 0.6. Tried on the films of
benchmarks/VIDEO.md, 2026-11-29."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder: FFmpeg's name for it, its options, its codec, and what of the source it leaves out."""

    name: str
    options: dict[str, str]
    family: str
    left_out: tuple[Message, ...] = ()


def chosen(stream: VideoStream, frame: av.VideoFrame, form: str, quality: Quality, *, side_data: Mapping[str, bytes],
           out: OutputContainer, where: str, grained: bool = False, delay: int | None = None) -> Encoder:
    """The encoder for a stream in a file that is written.

    frame      the first of the source
    form       FFmpeg's name of the sample format
    side_data  as `hdr.side_data` gives it
    grained    whether smooth ground has grain that the source has not
    delay      by how many frames at most the first is shown later than it is decoded; None for any number
    Raises UnsupportedFormat where there is none for that form, InvalidArgument for a preset that it has not.
    """
    family, name, options = _named(stream.codec_context.codec.canonical_name, quality, where)
    if quality.codec and family not in (out.supported_codecs or (family,)):  # MPEG-TS lists none
        raise UnsupportedFormat("{where}: {codec} has no place in a file of this format", where=where, codec=family,
                                hint="ask for h264, or convert the file to MP4")
    _check_form(name, family, form, where)
    _check_preset(name, options, family, where)
    if grained:
        options.update(GRAINED.get(name, {}))
    most = max(5, _LOOKAHEAD_PIXELS // (frame.width * frame.height))
    if name == "libx264":
        options["rc-lookahead"] = str(min(_LOOKAHEADS.get(options["preset"], 60), most))
        if out.format.name == "avi":
            options["bf"] = "0"  # AVI tells no times: frames that are stored out of order come one frame late
    elif name == "libx265":
        options["x265-params"] += f":rc-lookahead={min(20, most)}"
    elif name == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # errors only: the library has no other switch for its own prints
    elif name == "prores_ks":
        options["profile"] = _PRORES.get(stream.profile or "", "auto")
    elif form.startswith("yuva"):
        options["auto-alt-ref"] = "0"  # with it libvpx encodes no transparency
    if delay is not None and delay < 2:
        _limit_delay(name, options, delay)
    left_out: list[Message] = []
    more = hdr.settings(side_data, name, where)
    if more:
        options[_PARAMS[name]] = ":".join(filter(None, (options.get(_PARAMS[name]), *more)))
    elif more is None:
        left_out.append(Message("HDR10's metadata have no place in {codec} and are left out", codec=family))
    if name in HARDWARE:
        _check_present(name, frame, form, options, where)
    else:
        options["threads"] = str(min(os.cpu_count() or 1, _ENCODER_THREADS))
    return Encoder(name, options, family, tuple(left_out))


def _named(source: str, quality: Quality, where: str) -> tuple[str, str, dict[str, str]]:
    """Codec, encoder and its options: what is asked for, else those of the source's codec."""
    asked = quality.codec or source
    if asked in HARDWARE:
        name, defaults = asked, HARDWARE[asked]
    elif asked in _ENCODERS:
        name, defaults = _ENCODERS[asked]
    else:
        raise UnsupportedFormat("{where}: films in {codec} can be read but not written", where=where, codec=asked,
                                other="H.264",
                                hint="convert it to {other}, or leave the signal layers out of the plan")
    options = dict(defaults)
    for option in _QUALITY:
        if option in options and quality.crf is not None:
            options[option] = str(quality.crf if option == "crf" else round(quality.crf))
    if "preset" in options and quality.preset is not None:
        options["preset"] = quality.preset
    return asked.partition("_")[0], name, options


def _limit_delay(name: str, options: dict[str, str], delay: int) -> None:
    """Let frames be stored out of order by no more than `delay` of them: a segment cannot be decoded before 0."""
    if name == "libx264":
        options.update({"bf": "0"} if not delay else {"b-pyramid": "none"})
    elif name == "libx265":
        options["x265-params"] += ":bframes=0" if not delay else ":b-pyramid=0"
    elif name in HARDWARE:
        options["bf"] = str(delay)


def _check_form(name: str, family: str, form: str, where: str) -> None:
    import av

    try:
        forms = [one.name for one in av.Codec(name, "w").video_formats or ()]
    except ValueError as error:
        raise _missing(name, where, str(error)) from error
    if form not in forms:
        raise UnsupportedFormat("{where}: {codec} with samples of the form {form} can be read but not written",
                                where=where, codec=family, form=form,
                                other="8-bit 4:2:0",
                                hint="convert it to {other}, or leave the signal layers out of the plan")


def _check_preset(name: str, options: Mapping[str, str], family: str, where: str) -> None:
    if "preset" in options and name not in HARDWARE and options["preset"].isdigit() != (name == "libsvtav1"):
        raise InvalidArgument("{where}: {codec} has no preset {preset}", where=where, codec=family,
                              preset=options["preset"], hint="AV1 takes a number, H.264 and H.265 take a word such as "
                              "veryfast")


def _check_present(name: str, frame: av.VideoFrame, form: str, options: Mapping[str, str], where: str) -> None:
    """Raise UnsupportedFormat where the machine lacks what the encoder runs on."""
    import av

    probe = cast("VideoCodecContext", av.CodecContext.create(name, "w"))
    probe.width, probe.height, probe.pix_fmt = frame.width, frame.height, form
    probe.time_base, probe.options = Fraction(1, 25), dict(options)
    try:
        probe.open()
    except av.FFmpegError as error:
        raise _missing(name, where, error.strerror or str(error)) from error


def _missing(name: str, where: str, reason: str) -> UnsupportedFormat:
    return UnsupportedFormat("{where}: the encoder {name} does not work here: {reason}", where=where, name=name,
                             reason=reason, hint="ask for h264, hevc or av1, which need no hardware")
