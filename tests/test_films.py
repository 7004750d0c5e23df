# SPDX-License-Identifier: Apache-2.0
"""Films through embed and verify: all layers, from file to file, and what is left behind when something stops."""

import contextlib
import datetime
import functools
import http.server
import io
import json
import queue
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import av
import numpy as np
import pytest

import labelkit as lk
from labelkit import streaming
from labelkit.cli import main as cli
from labelkit.codec.frame import Frame, FrameFormat
from labelkit.errors import HostTooSmall, InvalidArgument, LabelkitError
from labelkit.explicit.image.finding import find_in
from labelkit.log import LabelLog
from labelkit.plan import Quality, Showing
from labelkit.watermark import video
from tests.codec.test_video import broken, needs, silent, streams_of
from tests.films import film, scene
from tests.media import LABEL
from tests.sounds import speech

QUICK = Quality(preset="ultrafast")
PLAN = lk.Plan(quality=QUICK)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return film(tmp_path_factory.mktemp("in") / "film.mp4", count=55, sound=["aac"])


@pytest.fixture(scope="module")
def labelled(source, tmp_path_factory) -> Path:
    return lk.embed(source, tmp_path_factory.mktemp("out") / "film.mp4", LABEL, plan=PLAN)


def statuses(report: lk.Report) -> dict[str, str]:
    return {finding.layer.value: finding.status.value for finding in report}


def test_a_labelled_film_is_confirmed_and_a_plain_one_is_not(source, labelled):
    report = lk.verify(labelled)
    report.require(lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)
    assert report.verdict is lk.Verdict.CONFIRMED and report.label == LABEL
    assert report[lk.Layer.WATERMARK].payload == lk.Payload.of(LABEL)
    assert json.dumps(report.to_dict())
    plain = lk.verify(source)
    assert plain.verdict is lk.Verdict.NONE
    assert statuses(plain) == {"explicit": "absent", "watermark": "absent", "metadata": "absent",
                               "provenance": "absent"}


@pytest.mark.parametrize("name,settings", [("film.mkv", {}), ("film.webm", {"codec": "libvpx-vp9"}), ("film.mov", {}),
                                           ("film.avi", {"codec": "mpeg4"}), ("film.flv", {})])
def test_every_container_carries_every_layer(name, settings, tmp_path):
    source = film(tmp_path / name, count=20, **settings)
    report = lk.verify(lk.embed(source, tmp_path / ("out_" + name), LABEL, plan=PLAN))
    report.require(lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)


def test_signed_films_bind_label_and_watermark(source, tmp_path, signer, anchors):
    target = lk.embed(source, tmp_path / "film.mp4", LABEL, plan=lk.Plan(quality=QUICK, provenance=signer))
    report = lk.verify(target, trust=anchors)
    report.require(*lk.Layer)
    assert silent(target)


@pytest.mark.parametrize("logged", [False, True])
def test_a_format_without_a_place_gets_its_manifest_beside_it(logged, tmp_path, signer, anchors):
    source = film(tmp_path / "in.mkv", count=20)
    plan, target = lk.Plan(quality=QUICK, provenance=signer), tmp_path / "out" / "film.mkv"
    target.parent.mkdir()
    audit = lk.Audit(LabelLog(tmp_path / "log.db"), datetime.datetime.now(datetime.UTC)) if logged else None
    lk.embed(source, target, LABEL, plan=plan, audit=audit)
    assert sorted(path.name for path in target.parent.iterdir()) == ["film.mkv", "film.mkv.c2pa"]
    lk.verify(target, trust=anchors).require(*lk.Layer)
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(data)
    found = lk.verify(target, trust=anchors)[lk.Layer.PROVENANCE]
    assert found.status is lk.Status.ABSENT and "before it was changed" in str(found.summary)
    with pytest.raises(InvalidArgument):
        lk.embed(source, label=LABEL, plan=plan)


def test_independent_readers_read_the_label(labelled):
    needs("exiftool")
    needs("mediainfo")
    needs("ffprobe")
    for command in (["exiftool", "-AIGC", "-b"], ["mediainfo", "--Output=JSON"],
                    ["ffprobe", "-v", "error", "-show_entries", "format_tags=AIGC"]):
        said = subprocess.run([*command, str(labelled)], capture_output=True, text=True, timeout=600).stdout
        assert LABEL.content_producer in said, command
    assert silent(labelled)


PAGE = """<video src="NAME" muted autoplay></video><script>const v = document.querySelector("video");
const say = text => fetch("/said/" + text);
if (!v.canPlayType('video/mp4; codecs="avc1.640028, mp4a.40.2"') && "NAME".endsWith("mp4")) say("unknown");
v.ontimeupdate = () => { if (v.currentTime > 0.2) say(`played-${v.videoWidth}-${v.webkitAudioDecodedByteCount > 0}`); };
v.onerror = () => say("error");</script>"""


class Listener(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and hears what the page says."""

    heard: queue.Queue

    def do_GET(self) -> None:
        if self.path.startswith("/said/"):
            self.heard.put(self.path.removeprefix("/said/"))
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


def said_by_browser(folder: Path) -> str:
    """What the page in `folder` says first, in a real browser; a busy machine may take ten minutes for it."""
    handler = type("Heard", (Listener,), {"heard": queue.Queue()})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser = subprocess.Popen(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--autoplay-policy=no-user-gesture-required", f"--user-data-dir={folder / 'profile'}",
         "--remote-debugging-port=0", f"http://127.0.0.1:{server.server_port}/page.html"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _second in range(600):
            if browser.poll() is not None:
                return f"the browser ended with {browser.returncode}"
            with contextlib.suppress(queue.Empty):
                return handler.heard.get(timeout=1)
        return "nothing"
    finally:
        browser.kill()
        browser.wait()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("name,settings", [
    ("film.webm", {"codec": "libvpx-vp9", "sound": ["libopus"]}), ("film.mp4", {"sound": ["aac"]}),
    ("fragments.mp4", {"sound": ["aac"], "muxer": {"movflags": "frag_keyframe+empty_moov"}})])
def test_a_browser_plays_it_with_its_sound(name, settings, tmp_path):
    """Debian's Chromium plays VP9 as well as H.264; WebM is what every build of it plays."""
    needs("chromium")
    (tmp_path / "in").mkdir()
    source = film(tmp_path / "in" / name, count=50, heard=speech(2.0, 48_000), **settings)
    plan = lk.Plan(explicit=lk.Explicit(), watermark=lk.Watermark(soundtrack=True), quality=QUICK)
    lk.embed(source, tmp_path / name, LABEL, plan=plan, check=False)
    (tmp_path / "page.html").write_text(PAGE.replace("NAME", name))
    said = said_by_browser(tmp_path)
    if said == "unknown":
        pytest.skip("this build of Chromium has no H.264")
    assert said == "played-320-true"


def test_a_browser_does_not_play_what_is_no_film(tmp_path):
    needs("chromium")
    (tmp_path / "film.webm").write_bytes(bytes(5000))
    (tmp_path / "page.html").write_text(PAGE.replace("NAME", "film.webm"))
    assert said_by_browser(tmp_path) == "error"


def test_the_file_side_alone_changes_no_packet(source, tmp_path):
    target = lk.embed(source, tmp_path / "film.mp4", LABEL, plan=lk.Plan(explicit=None, watermark=None))
    for kind in ("video", "audio"):
        assert streams_of(source, kind) == streams_of(target, kind)
    assert statuses(lk.verify(target))["metadata"] == "valid"
    assert streams_of(source, "video") != streams_of(lk.embed(source, tmp_path / "all.mp4", LABEL, plan=PLAN), "video")


def test_bytes_and_streams_give_what_paths_give(source, tmp_path):
    data = lk.embed(source.read_bytes(), label=LABEL, plan=PLAN)
    out = io.BytesIO()
    with open(source, "rb") as file:
        assert lk.embed(file, out, LABEL, plan=PLAN) is None
    for result in (data, out.getvalue()):
        assert statuses(lk.verify(result, layers=[lk.Layer.WATERMARK]))["watermark"] == "valid"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError("the disk is full"), MemoryError])
def test_what_stops_leaves_nothing_behind(stop, source, tmp_path):
    target = tmp_path / "film.mp4"
    target.write_bytes(b"what was there")

    def report(progress):
        if progress.frames == 10:
            raise stop

    with pytest.raises((KeyboardInterrupt, LabelkitError, MemoryError)):
        lk.embed(source, target, LABEL, plan=PLAN, on_progress=report)
    assert target.read_bytes() == b"what was there"
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
@pytest.mark.parametrize("room", [1_000, 20_000, 90_000])
def test_a_full_disk_is_said_of_the_target(name, room, tmp_path):
    source, target = film(tmp_path / name, size=(480, 360)), tmp_path / "out" / name
    target.parent.mkdir()
    program = ("import resource, signal, sys; import labelkit as lk; from tests.media import LABEL;"
               "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
               "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2);"
               "lk.embed(sys.argv[1], sys.argv[2], LABEL)")
    command = [sys.executable, "-c", program, str(source), str(target)]
    run = subprocess.run([*command, str(room)], capture_output=True, text=True, timeout=600)
    assert run.stderr.splitlines()[-1] == f"labelkit.errors.OutputFailed: {target} cannot be written: File too large"
    assert not any(target.parent.iterdir())
    assert subprocess.run([*command, str(1 << 24)], timeout=600).returncode == 0 and target.exists()


def test_a_film_in_place_is_replaced_whole(source, tmp_path):
    path = tmp_path / "film.mp4"
    shutil.copy(source, path)
    lk.embed(path, path, LABEL, plan=PLAN, in_place=True)
    assert statuses(lk.verify(path))["watermark"] == "valid"


def test_the_label_can_be_shown_to_the_end(source, tmp_path):
    def last(path: Path) -> np.ndarray:
        with av.open(str(path)) as film:
            return [frame for frame in film.decode(video=0)][-1].to_ndarray(format="gray")

    whole = lk.embed(film(tmp_path / "in.mp4", count=100), tmp_path / "whole.mp4", LABEL,
                     plan=lk.Plan(explicit=lk.Explicit(showing=Showing(float("inf"))), quality=QUICK))
    opening = lk.embed(tmp_path / "in.mp4", tmp_path / "opening.mp4", LABEL, plan=PLAN)
    assert find_in(last(whole)) and not find_in(last(opening))


class TestLabeller:
    def test_its_former_name_still_works_and_warns(self):
        for module in (lk, streaming):
            with pytest.warns(DeprecationWarning, match="Labeller") as warned:
                assert module.Labeler is lk.Labeller
            assert warned[0].filename == __file__
        assert "Labeler" not in dir(lk)
        with pytest.raises(AttributeError):
            lk.Labler  # noqa: B018

    def test_frames_come_back_labelled_one_by_one(self):
        frames = [np.repeat(rows[..., None], 3, 2) for rows in scene(480, 360, 90, seed=3)]
        labeller = lk.Labeller(LABEL, 480, 360, rate=25)
        out = [labeller(frame) for frame in frames]
        assert all(a.shape == b.shape and not np.array_equal(a, b) for a, b in zip(frames, out, strict=True))
        assert find_in(out[0]) and find_in(out[50]) and not find_in(out[80])
        assert video.detect_frames(out).payload == lk.Payload.of(LABEL)

    def test_nothing_is_held_back(self):
        asked = []

        def source():
            for number in range(5):
                asked.append(number)
                yield np.full((360, 480, 3), 90, np.uint8)

        for count, _ in enumerate(lk.Labeller(LABEL, 480, 360).frames(source()), start=1):
            assert len(asked) == count

    def test_planes_are_labelled_in_place(self):
        rows = next(scene(480, 360, 1)).copy()
        frame = Frame(FrameFormat(480, 360, halved=None), rows)
        assert lk.Labeller(LABEL, 480, 360)(frame) is frame
        assert find_in(frame.grey())
        assert video.detect_frames([frame]).payload == lk.Payload.of(LABEL)

    def test_wrong_arguments_are_named(self):
        with pytest.raises(InvalidArgument):
            lk.Labeller("label", 480, 360)
        labeller = lk.Labeller(LABEL, 480, 360)
        with pytest.raises(HostTooSmall):
            labeller(np.zeros((40, 480, 3), np.uint8))
        for frame, seconds in ((np.zeros((360, 480, 3), np.float32), None), ("frame", None),
                               (np.zeros((360, 480, 3), np.uint8), float("nan"))):
            with pytest.raises(InvalidArgument):
                labeller(frame, seconds)

    def test_the_legal_time_is_told_by_the_clock_and_not_by_frames(self):
        """A call whose clock began long ago, at a third of its rate, that loses frames: 3 s from its first one."""
        frames = [np.repeat(rows[..., None], 3, 2) for rows in scene(480, 360, 40, seed=3)]
        labeller = lk.Labeller(LABEL, 480, 360, rate=30)
        times = [86_000.0 + 0.1 * index for index in range(40) if index % 7]
        shown = {seconds: find_in(labeller(frame, seconds)) is not None
                 for frame, seconds in zip(frames, times, strict=False)}
        assert all(seen == (seconds - times[0] <= 3.0 + 1e-6) for seconds, seen in shown.items())
        assert list(shown.values()).count(False) >= 5

    @pytest.mark.parametrize("size", [(481, 359), (640, 360), (359, 641), (1280, 720)])
    def test_a_stream_may_change_its_size(self, size):
        labeller = lk.Labeller(LABEL, 480, 360)
        out = [labeller(np.repeat(next(scene(*each, 1))[..., None], 3, 2)) for each in ((480, 360), size, (480, 360))]
        assert [rows.shape[1::-1] for rows in out] == [(480, 360), size, (480, 360)]
        for rows in out:
            assert find_in(rows) and video.detect_frames([rows]).payload == lk.Payload.of(LABEL)

    @pytest.mark.parametrize("size", [(480, 360), (481, 359)])
    def test_nv12_with_padded_rows_is_labelled_in_place(self, size):
        """Two planes, the chroma interleaved, each row longer than what it shows: as cameras and encoders give them."""
        width, height = size
        buffer = np.zeros((height, 512), np.uint8)
        buffer[:, :width] = next(scene(width, height, 1))
        both = np.full((-(-height // 2), 512), 140, np.uint8)
        columns = 2 * -(-width // 2)
        colours = both[:, 0:columns:2], both[:, 1:columns:2]
        frame = Frame(FrameFormat(width, height), buffer[:, :width], colours)
        lk.Labeller(LABEL, width, height)(frame, 17.5)
        assert find_in(frame.grey()) and video.detect_frames([frame]).payload == lk.Payload.of(LABEL)
        assert (buffer[:, width:] == 0).all() and (both[:, columns:] == 140).all()
        assert (colours[0] == 128).any() and (colours[0] == 140).any()  # neutral on the plate, untouched elsewhere

    def test_planes_may_change_their_size_too(self):
        labeller = lk.Labeller(LABEL, 480, 360)
        for size in ((480, 360), (640, 480), (320, 240)):
            frame = labeller(Frame(FrameFormat(*size, halved=None), next(scene(*size, 1)).copy()))
            assert video.detect_frames([frame]).payload == lk.Payload.of(LABEL)


def test_the_command_line_labels_and_verifies_films(source, tmp_path, capsys):
    target = tmp_path / "out.mp4"
    assert cli.main(["embed", str(source), "-o", str(target), "--producer", "acme", "--preset", "ultrafast",
                     "--crf", "20", "--show", "whole"]) == 0
    assert cli.main(["verify", str(target), "--require", "explicit,watermark,metadata"]) == 0
    assert "CONFIRMED" in capsys.readouterr().out
    assert cli.main(["verify", str(source), "--require", "watermark"]) == 1


def test_broken_frames_are_named_on_the_command_line(tmp_path, capsys):
    source = broken(film(tmp_path / "film.mkv", count=50), 20)
    words = ["embed", str(source), "-o", str(tmp_path / "out.mkv"), "--producer", "acme", "--preset", "ultrafast"]
    assert cli.main(words) == 0
    said = capsys.readouterr().err
    assert said.startswith(f"{source}: 1 frames were broken, at 0.") and silent(tmp_path / "out.mkv")
    assert cli.main([*words, "--lang", "zh-CN"]) == 0
    assert "损坏" in capsys.readouterr().err


def test_without_pyav_a_film_says_what_to_install(source, tmp_path):
    code = ("import sys; sys.modules['av'] = None\nimport labelkit as lk\nfrom tests.media import LABEL\n"
            f"try:\n    lk.embed({str(source)!r}, {str(tmp_path / 'x.mp4')!r}, LABEL)\n"
            "except lk.LabelkitError as error:\n    print(type(error).__name__, error.hint)\n"
            f"lk.embed({str(source)!r}, {str(tmp_path / 'y.mp4')!r}, LABEL,"
            " plan=lk.Plan(explicit=None, watermark=None))")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True,
                          cwd=Path(lk.__file__).parents[1]).stdout
    assert said.startswith("UnsupportedFormat") and "aigc-labelkit[video]" in said
    assert (tmp_path / "y.mp4").exists() and not (tmp_path / "x.mp4").exists()
