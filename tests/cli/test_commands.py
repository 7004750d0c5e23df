# SPDX-License-Identifier: Apache-2.0
"""The command line as a user meets it: exit code, stdout, stderr."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

import labelkit as lk
from labelkit import metadata
from labelkit.cli import files, parser
from labelkit.cli.text import one_line
from tests.cli.conftest import PRODUCER, write
from tests.media import LABEL, photo, saved

ROOT = Path(lk.__file__).parents[1]
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def spawn(*words: object, **options: object) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-m", "labelkit", *map(str, words)], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env={**os.environ, "PYTHONPATH": str(ROOT)}, **options)


def test_embed_then_verify(run):
    write("cat.jpg")
    code, out, err = run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--produce-id", "17")
    assert (code, out, err) == (0, "cat.jpg -> out.jpg: labelled, id 17, watermark 2c11599a291aa078\n", "")
    code, out, err = run("verify", "out.jpg", "--require", "explicit,watermark,metadata")
    lines = out.splitlines()
    assert code == 0 and lines[0] == "out.jpg: CONFIRMED AI-generated"
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["explicit", "valid"], ["watermark", "valid"], ["metadata", "valid"], ["provenance", "absent"]]
    assert lines[3] == "  metadata    valid      AIGC: generated, producer acme, id 17"
    assert lines[5] == "  because     the metadata label states Label 1"
    assert err == "required explicit, watermark, metadata: 1 of 1 files meet it, 0 do not, 0 could not be checked\n"


def test_verify_says_what_is_missing(run):
    write("cat.jpg")
    code, out, err = run("verify", "cat.jpg")
    assert code == 1 and out.startswith("cat.jpg: no sign of AI generation\n")
    assert err.startswith("required metadata: 0 of 1 files meet it, 1 do not")


def test_exit_code_2_is_no_answer(run):
    assert run("verify", "missing.jpg") == (2, "", "missing.jpg cannot be opened: No such file or directory\n")
    Path("text.jpg").write_text("no picture")
    code, out, err = run("verify", "text.jpg")
    assert code == 2 and out == "" and err.startswith("text.jpg: the format is not known")
    cut = write("cut.jpg")
    cut.write_bytes(cut.read_bytes()[:2000])
    assert run("verify", "cut.jpg", "--require", "watermark")[0] == 2
    assert run("verify", "cut.jpg")[0] == 1


def test_wrong_usage_is_two_lines(run):
    code, out, err = run("embed", "cat.jpg", "-o", "out.jpg")
    assert (code, out, err) == (2, "", "the following arguments are required: --producer\n"
                                       "hint: see labelkit embed --help\n")
    assert run("embed", "a", "-o", "b", *PRODUCER, "--layers", "visible")[0] == 2
    assert run("verify", "a", "--jobs", "0")[0] == 2
    assert run("nonsense")[0] == 2
    assert run()[0] == 2


def test_a_label_that_the_standard_forbids(run):
    write("cat.jpg")
    code, out, err = run("embed", "cat.jpg", "-o", "out.jpg", "--producer", "我的公司")
    assert code == 2 and "Annex E j)" in err and "\nhint: give the 27-character provider code" in err
    assert not Path("out.jpg").exists()


def test_folders_are_mirrored_and_one_bad_file_stops_nothing(run):
    write("in/a.jpg")
    write("in/sub/deep/b.jpg", 2)
    write("in/.hidden/c.jpg")
    Path("in/readme").write_text("not a picture")
    Path("in/notes.md").write_text("# Notes\n\nbeside the pictures\n")
    Path("in/bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    code, out, err = run("embed", "in", "-o", "out", *PRODUCER)
    assert code == 1
    assert sorted(map(str, Path("out").rglob("*.jpg"))) == ["out/a.jpg", "out/sub/deep/b.jpg"]
    assert len(out.splitlines()) == 2 and "bad.jpg" in err
    assert err.splitlines()[-1] == "2 labelled, 1 failed, 2 passed over as no media"
    ids = {metadata.read(path).label.produce_id for path in Path("out").rglob("*.jpg")}
    assert len(ids) == 2 and all(UUID.fullmatch(one) for one in ids)
    code, out, err = run("verify", "out", "--json")
    assert code == 0 and [json.loads(line)["verdict"] for line in out.splitlines()] == ["confirmed"] * 2


def test_what_is_named_as_media_is_never_passed_over_in_silence(run):
    """An empty picture, or one of a format that is not known, would leave unlabelled."""
    write("in/a.jpg")
    Path("in/empty.png").write_bytes(b"")
    Path("in/old.bmp").write_bytes(b"BM" + bytes(100))
    Path("in/half.mkv").write_bytes(b"")
    Path("in/notes.txt").write_text("beside the pictures")
    code, out, err = run("embed", "in", "-o", "out", *PRODUCER)
    assert code == 1 and [path.name for path in Path("out").iterdir()] == ["a.jpg"]
    assert err.splitlines()[-1] == "1 labelled, 3 failed, 1 passed over as no media"
    assert "in/empty.png: the file is empty" in err and "convert the file to PNG" in err
    assert run("verify", "in", "--require", "explicit")[0] == 2
    for name in ("empty.png", "old.bmp", "half.mkv"):
        Path("in", name).unlink()
    assert run("embed", "in", "-o", "out", *PRODUCER)[0] == 0


def test_a_file_is_named_once_in_an_error(run):
    write("in/a.jpg")
    Path("in/bad.jpg").write_bytes(Path("in/a.jpg").read_bytes()[:1500])
    for language, said in (("en", "in/bad.jpg: "), ("zh-CN", "in/bad.jpg：")):
        code, _, err = run("embed", "in/bad.jpg", "-o", "out.jpg", *PRODUCER, "--lang", language)
        assert code == 1 and err.startswith(said) and err.count("bad.jpg") == 1
    Image.new("RGB", (64, 48)).save("in/small.png")
    for language, said in (("en", "in/small.png: a picture of"), ("zh-CN", "in/small.png：64 x 48")):
        assert run("embed", "in/small.png", "-o", "out.png", *PRODUCER, "--lang", language)[2].startswith(said)


def test_an_output_folder_inside_the_input_is_not_labelled_again(run):
    write("a.jpg")
    for _ in range(2):
        assert run("embed", ".", "-o", "out", *PRODUCER)[0] == 0
        assert [str(path) for path in Path("out").rglob("*")] == ["out/a.jpg"]


def test_results_that_would_fall_together_are_refused(run):
    write("x/a.jpg")
    write("y/a.jpg")
    code, _, err = run("embed", "x", "y", "-o", "out", *PRODUCER)
    assert code == 2 and "x/a.jpg and y/a.jpg would both be written to out/a.jpg" in err
    assert not Path("out").exists()


def test_one_number_is_not_given_to_two_files(run):
    write("a.jpg")
    write("b.jpg")
    code, _, err = run("embed", "a.jpg", "b.jpg", "-o", "out", *PRODUCER, "--produce-id", "1")
    assert code == 2 and "--produce-id names one file's content, 2 files came" in err


def test_in_place_keeps_links_and_modes(run):
    path = write("a.jpg")
    path.chmod(0o640)
    Path("link.jpg").symlink_to("a.jpg")
    assert run("embed", "link.jpg", "--in-place", *PRODUCER)[0] == 0
    assert Path("link.jpg").is_symlink() and metadata.read("a.jpg").label
    assert path.stat().st_mode & 0o777 == 0o640
    assert run("embed", "a.jpg", "-o", "a.jpg", *PRODUCER)[0] == 1, "only when asked for"


def test_layers_and_their_settings(run):
    write("cat.jpg")
    code, out, _ = run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--layers", "metadata", "--explicit-present",
                       "--json")
    assert code == 0 and json.loads(out)["watermark"] is None
    assert np.array_equal(np.asarray(Image.open("cat.jpg")), np.asarray(Image.open("out.jpg")))
    code, out, err = run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--text", "好看的猫")
    assert code == 1 and "cat.jpg" in err
    code, _, err = run("embed", "cat.jpg", "-o", "o.jpg", *PRODUCER, "--layers", "provenance")
    assert (code, err) == (2, "the provenance layer needs a signer\n"
                              "hint: give --signer PEM; labelkit keygen makes one\n")
    assert run("embed", "cat.jpg", "-o", "o.jpg", *PRODUCER, "--corner", "top-left", "--text", "人工智能合成")[0] == 0
    assert "top left" in run("verify", "o.jpg")[1]


def test_files_are_not_converted(run):
    write("cat.jpg")
    code, _, err = run("embed", "cat.jpg", "-o", "out.png", *PRODUCER)
    assert code == 1 and "named as another format than its source, which is jpeg" in err
    assert not Path("out.png").exists()
    os.rename("cat.jpg", "cat.png")
    for name in ("out.png", "out", "out.jpeg", "out.backup"):
        assert run("embed", "cat.png", "-o", name, *PRODUCER, "--layers", "metadata", "--explicit-present")[0] == 0


def test_sounds_are_not_converted_either(run):
    sound = np.random.default_rng(4).normal(0, 0.1, 96_000).astype(np.float32)
    for name in ("a.flac", "a.ogg"):
        lk.embed(sound, name, LABEL, rate=24_000, plan=lk.Plan(explicit=None, watermark=None))
    keep = (*PRODUCER, "--layers", "metadata", "--explicit-present", "--replace")
    for source, refused, taken in (("a.flac", ("b.mp3", "b.m4a", "b.png", "b.mkv"), ("c.flac", "c")),
                                   ("a.ogg", ("b.flac", "b.wav"), ("c.oga", "c.opus", "c.ogg"))):
        for name in refused:
            code, _, err = run("embed", source, "-o", name, *keep)
            assert code == 1 and "named as another format" in err and not Path(name).exists()
        for name in taken:
            assert run("embed", source, "-o", name, *keep)[0] == 0


def test_json_is_complete(run):
    write("cat.jpg")
    code, out, err = run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--json")
    done = json.loads(out)
    assert code == 0 and set(done) == {"file", "output", "label", "watermark"}
    code, out, _ = run("verify", "out.jpg", "missing", "--json")
    assert code == 2 and out == "", "nothing begins with a name that is no file"
    Path("bad.jpg").write_bytes(b"nothing")
    code, out, _ = run("verify", "out.jpg", "bad.jpg", "--json", "--require", "metadata,watermark,provenance")
    good, bad = map(json.loads, out.splitlines())
    assert code == 2 and good["required"] == ["metadata", "watermark", "provenance"]
    assert good["shortcomings"] == ["provenance absent"]
    assert good["layers"]["watermark"]["payload"]["hex"] == done["watermark"]
    assert good["layers"]["metadata"]["label"] == done["label"]
    assert bad["error"]["type"] == "UnsupportedFormat" and bad["file"] == "bad.jpg"


def test_keygen_sign_and_trust(run):
    write("cat.jpg")
    code, out, _ = run("keygen", "keys", "--organisation", "Acme Imaging")
    assert code == 0 and [line.split(":")[0] for line in out.splitlines()] == [
        "keys/signer.pem", "keys/anchors.pem", "keys/watermark.key"]
    assert run("keygen", "keys", "--organisation", "Acme Imaging")[0] == 2, "never overwrites"
    code, _, _ = run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--signer", "keys/signer.pem", "--key",
                     "keys/watermark.key")
    assert code == 0
    everything = "explicit,watermark,metadata,provenance"
    code, out, _ = run("verify", "out.jpg", "--trust", "keys/anchors.pem", "--key", "keys/watermark.key", "--require",
                       everything)
    assert code == 0 and "signed by Acme Imaging, trusted" in out
    assert run("verify", "out.jpg", "--require", everything)[0] == 1, "without the key the watermark is not found"


def test_inspect_shows_offsets(run):
    write("cat.jpg")
    run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER)
    code, out, _ = run("inspect", "out.jpg", "cat.jpg")
    assert code == 0 and out.startswith("out.jpg:\n") and "\ncat.jpg:\n" in out
    assert re.search(r"slot APP1.*offset_bytes \d+", out) and "ContentProducer acme" in out
    code, out, _ = run("inspect", "out.jpg", "--json")
    assert json.loads(out)["carriers"][0]["fields"]["ContentProducer"] == "acme"
    assert run("inspect", "missing.jpg")[0] == 2


def test_standard_input_and_output():
    data = saved(photo(), "JPEG", quality=92)
    with spawn("embed", "-", "-o", "-", *PRODUCER) as process:
        labelled, err = process.communicate(data, timeout=60)
    assert process.returncode == 0 and err.startswith(b"stdin -> stdout: labelled")
    assert metadata.read(labelled).label.content_producer == "acme"
    with spawn("verify", "-") as process:
        out, _ = process.communicate(labelled, timeout=60)
    assert process.returncode == 0 and out.startswith(b"stdin: CONFIRMED")


def test_a_reader_that_goes_away_is_no_error():
    write("cat.jpg")
    process = spawn("inspect", *["cat.jpg"] * 200)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stdin.close()
    assert process.wait(60) == 0


def test_ctrl_c_ends_cleanly():
    for index in range(40):
        write(f"in/{index}.jpg")
    with spawn("embed", "in", "-o", "out", *PRODUCER, "--jobs", "2") as process:
        deadline = time.monotonic() + 60
        while not list(Path("out").glob("*.jpg")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and err.decode().endswith("stopped; no file was left half written\n")
    assert 0 < len(list(Path("out").iterdir())) < 40
    for path in Path("out").iterdir():
        assert metadata.read(path).label, "every file that is there is whole"


def test_names_cannot_forge_lines(run):
    name = "a\nb.jpg: CONFIRMED AI-generated.jpg"
    write(name)
    code, out, _ = run("verify", name)
    assert out.splitlines()[0] == "a\\nb.jpg: CONFIRMED AI-generated.jpg: no sign of AI generation"
    raw = os.fsdecode(b"\xff\xfe.jpg")
    write(raw)
    assert run("verify", raw)[1].startswith("\\xff\\xfe.jpg: no sign")


def test_values_in_files_cannot_forge_lines(run):
    assert one_line("a\n\x1b[31mb\u202ec") == "a\\n\\x1b[31mb\\u202ec"


def test_special_files_are_refused(run):
    os.mkfifo("pipe")
    for name in ("pipe", "/dev/null", "nul\0byte"):
        assert run("verify", name)[0] == 2
        assert run("embed", name, "-o", "out", *PRODUCER)[0] == 2


def test_an_empty_folder_is_not_a_success(run):
    Path("empty").mkdir()
    assert run("verify", "empty") == (2, "", "nothing to verify was found\n")
    code, _, err = run("embed", "empty", "-o", "out", *PRODUCER)
    assert code == 2 and "nothing to label was found" in err


def test_jobs_give_the_same_results_in_the_same_order(run):
    for index in range(6):
        write(f"in/{index}.jpg", index)
    run("embed", "in", "-o", "out", *PRODUCER)
    assert run("verify", "out", "--jobs", "1") == run("verify", "out", "--jobs", "4")


def test_a_progress_bar_only_on_a_terminal(run, monkeypatch, capsys):
    for index in range(5):
        write(f"in/{index}.jpg", index)
    assert "[" not in run("verify", "in")[2]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    options = parser.build("en").parse_args(["verify", "in"])
    for _, result in files.run(lambda item: item.path, files.collect(options)[0], 2):
        print(result, file=sys.stderr)
    shown = capsys.readouterr().err
    assert "\r\x1b[Kin/1.jpg\n[############..................] 2/5\r\x1b[Kin/2.jpg\n" in shown
    assert shown.endswith("] 5/5\r\x1b[K"), "nothing is left of it"
    list(files.run(lambda item: None, files.collect(options)[0][:2], 1))
    assert capsys.readouterr().err == "", "not for a few files"


def test_an_unwritable_output(run):
    write("cat.jpg")
    Path("file").write_text("in the way")
    code, _, err = run("embed", "cat.jpg", "-o", "file/out.jpg", *PRODUCER)
    assert code == 1 and "cannot be written" in err
    code, _, err = run("embed", "cat.jpg", "-o", "/proc/out.jpg", *PRODUCER)
    assert code == 1 and "cannot be written" in err


def test_the_version_is_shown(run):
    code, out, _ = run("--version")
    assert code == 0 and out.startswith("labelkit ")


def test_the_start_is_light():
    """Help needs no codec, no kernel, no signer."""
    code = ("import sys; from labelkit.cli.main import main\n"
            "try: main(['embed', '--help'])\n"
            "except SystemExit: pass\n"
            "print(sorted({'cv2', 'c2pa', 'av', 'soundfile', 'PIL', 'numpy'} & set(sys.modules)), file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.stderr == "[]\n"


def test_names_are_those_of_the_library():
    assert parser.LAYERS == tuple(layer.value for layer in lk.Layer)
    assert parser.KINDS == tuple(kind.name.lower() for kind in lk.Kind)


def test_an_existing_label_is_replaced_only_when_asked(run):
    write("cat.jpg")
    run("embed", "cat.jpg", "-o", "a.jpg", *PRODUCER, "--layers", "metadata", "--explicit-present")
    code, _, err = run("embed", "a.jpg", "-o", "b.jpg", "--producer", "other")
    assert code == 1 and "labelled already" in err and "\nhint: " in err
    assert run("embed", "a.jpg", "-o", "b.jpg", "--producer", "other", "--replace")[0] == 0
    assert LABEL.content_producer != metadata.read("b.jpg").label.content_producer == "other"


def test_documents_are_taken_where_their_layers_are_asked_for(run):
    Path("in").mkdir()
    Path("in/notes.md").write_text("# Notes\n\nmade by a model\n")
    assert run("embed", "in", "-o", "out", *PRODUCER)[0] == 2, "nothing to label"
    assert run("embed", "in", "-o", "out", *PRODUCER, "--layers", "metadata")[0] == 0
    assert metadata.read("out/notes.md").label.content_producer == "acme"
    code, _, err = run("embed", "in/notes.md", "-o", "x.md", *PRODUCER)
    assert code == 1 and "no samples" in err
