# SPDX-License-Identifier: Apache-2.0
"""The command line as a user meets it: exit code, stdout, stderr."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import labelkit as lk
from labelkit import metadata
from labelkit.cli import main_commands, values
from labelkit.cli.text import one_line, without_user_info
from tests.cli.conftest import PRODUCER, write
from tests.media import LABEL, photo, saved

ROOT = Path(lk.__file__).parents[1]


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
    code, out, err = run("verify", "cat.jpg", "--producer", "me")
    assert (code, out, err) == (2, "", "unrecognized arguments: --producer me\nhint: see labelkit verify --help\n")
    assert run("--nonsense")[2].endswith("hint: see labelkit --help\n")
    assert run("embed", "a", "-o", "b", *PRODUCER, "--layers", "visible")[0] == 2
    for option, value, wanted in (("--jobs", "0", "a whole number from 1 on"), ("--media", ",", "words, separated by "
                                  "commas"), ("--shard", "3/2", "I/N, with I from 1 to N")):
        assert run("verify", "a", option, value)[::2] == (
            2, f"argument {option}: must be {wanted}, got '{value}'\nhint: see labelkit verify --help\n")
    assert "0 到 65535 的端口号" in run("serve", "--open", "verify", "--port", "65536", "--lang", "zh-CN")[2]
    assert run("nonsense")[0] == 2
    assert run()[0] == 2


def test_a_label_that_the_standard_forbids(run):
    write("cat.jpg")
    code, out, err = run("embed", "cat.jpg", "-o", "out.jpg", "--producer", "我的公司")
    assert code == 2 and "Annex E j)" in err and "\nhint: give the 27-character provider code" in err
    assert not Path("out.jpg").exists()


def test_a_file_is_named_once_in_an_error(run):
    write("in/a.jpg")
    Path("in/bad.jpg").write_bytes(Path("in/a.jpg").read_bytes()[:1500])
    for language, said in (("en", "in/bad.jpg: "), ("zh-CN", "in/bad.jpg：")):
        code, _, err = run("embed", "in/bad.jpg", "-o", "out.jpg", *PRODUCER, "--lang", language)
        assert code == 1 and err.startswith(said) and err.count("bad.jpg") == 1
    Image.new("RGB", (64, 48)).save("in/small.png")
    for language, said in (("en", "in/small.png: a picture of"), ("zh-CN", "in/small.png：64 x 48")):
        assert run("embed", "in/small.png", "-o", "out.png", *PRODUCER, "--lang", language)[2].startswith(said)


def test_layers_and_their_settings(run):
    write("cat.jpg")
    code, out, _ = run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--layers", "metadata", "--explicit-present",
                       "--json")
    assert code == 0 and json.loads(out)["watermark"] is None
    assert np.array_equal(np.asarray(Image.open("cat.jpg")), np.asarray(Image.open("out.jpg")))
    code, out, err = run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--text", "好看的猫")
    assert code == 2 and "5.2: the label text must hold" in err and "cat.jpg" not in err, "once, not for every file"
    code, _, err = run("embed", "cat.jpg", "-o", "o.jpg", *PRODUCER, "--layers", "provenance")
    assert (code, err) == (2, "the provenance layer needs a signer\n"
                              "hint: give --signer PEM; labelkit keygen generates one\n")
    assert run("embed", "cat.jpg", "-o", "o.jpg", *PRODUCER, "--corner", "top-left", "--text", "人工智能合成")[0] == 0
    assert "top left" in run("verify", "o.jpg")[1]


def test_files_are_not_converted(run):
    write("cat.jpg")
    code, _, err = run("embed", "cat.jpg", "-o", "out.png", *PRODUCER)
    assert code == 1 and "is not of jpeg, the format of its source" in err
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
            assert code == 1 and "the format of its source" in err and not Path(name).exists()
        for name in taken:
            assert run("embed", source, "-o", name, *keep)[0] == 0


def test_json_is_complete(run):
    write("cat.jpg")
    code, out, err = run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--json")
    done = json.loads(out)
    assert code == 0 and set(done) == {"file", "output", "label", "watermark", "facts"}
    assert set(done["facts"]) == {"format", "bytes_before", "bytes_after", "stronger", "run", "seconds"}
    code, out, _ = run("verify", "out.jpg", "missing", "--json")
    there, missing = map(json.loads, out.splitlines())
    assert code == 2 and there["verdict"] == "confirmed" and missing["error"]["type"] == "InvalidArgument"
    Path("bad.jpg").write_bytes(b"nothing")
    code, out, _ = run("verify", "out.jpg", "bad.jpg", "--json", "--require", "metadata,watermark,provenance")
    good, bad = map(json.loads, out.splitlines())
    assert code == 2 and good["required"] == ["metadata", "watermark", "provenance"]
    assert good["shortcomings"] == ["provenance absent"]
    assert good["layers"]["watermark"]["payload"]["hex"] == done["watermark"]
    assert good["layers"]["metadata"]["label"] == done["label"]
    assert bad["error"]["type"] == "UnsupportedFormat" and bad["file"] == "bad.jpg"


def test_keygen_without_the_package_for_sm2_writes_nothing(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "gmalg", None)
    code, out, err = run("keygen", "keys", "--organisation", "Acme", "--sm2")
    assert code == 2 and out == "" and "hint: pip install" in err and not Path("keys").exists()
    assert run("keygen", "keys", "--organisation", "Acme")[0] == 0, "and the retry is not refused"


def test_keygen_sign_and_trust(run):
    write("cat.jpg")
    code, out, _ = run("keygen", "keys", "--organisation", "Acme Imaging")
    assert code == 0 and [line.split(":")[0] for line in out.splitlines()] == [
        "keys/signer.pem", "keys/anchors.pem", "keys/watermark.key"]
    assert run("keygen", "keys", "--organisation", "Acme Imaging")[0] == 2, "never overwrites"
    code, _, _ = run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--signer", "keys/signer.pem", "--key",
                     "keys/watermark.key")
    assert code == 0
    code, _, _ = run("embed", "cat.jpg", "-o", "small.jpg", *PRODUCER, "--signer", "keys/signer.pem", "--thumbnails")
    assert code == 0 and b"c2pa.thumbnail.claim" in Path("small.jpg").read_bytes()
    assert b"c2pa.thumbnail" not in Path("out.jpg").read_bytes()
    code, _, err = run("embed", "cat.jpg", "-o", "no.jpg", *PRODUCER, "--thumbnails")
    assert code == 2 and "thumbnails are in the manifest" in err and not Path("no.jpg").exists()
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
        labelled, err = process.communicate(data, timeout=600)
    assert process.returncode == 0 and err.startswith(b"stdin -> stdout: labelled")
    assert metadata.read(labelled).label.content_producer == "acme"
    with spawn("verify", "-") as process:
        out, _ = process.communicate(labelled, timeout=600)
    assert process.returncode == 0 and out.startswith(b"stdin: CONFIRMED")


def test_a_reader_that_goes_away_is_no_error():
    write("cat.jpg")
    process = spawn("inspect", *["cat.jpg"] * 200)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stdin.close()
    assert process.wait(600) == 0


def test_ctrl_c_ends_cleanly():
    first = write("in/0.jpg")
    for index in range(1, 400):  # so many that the run does not end before the signal on a busy machine
        os.link(first, f"in/{index}.jpg")
    with spawn("embed", "in", "-o", "out", *PRODUCER, "--jobs", "2") as process:
        deadline = time.monotonic() + 600
        while not list(Path("out").glob("*.jpg")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=600)
    assert process.returncode == 130 and err.decode().endswith("stopped; no file was left half written\n")
    assert 0 < len(list(Path("out").iterdir())) < 400
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


def test_json_is_safe_on_a_terminal_and_the_same_data(run):
    name = "a\x9b31m\u202egpj.\u2066\x7f\U000e0001\u4e2d.jpg"
    write(name)
    out = run("verify", name, "--json")[1]
    assert all(character.isprintable() for character in out.rstrip("\n")) and "中" in out
    assert json.loads(out)["file"] == name
    raw = os.fsdecode(b"\xff.jpg")
    write(raw)
    assert json.loads(run("verify", raw, "--json")[1])["file"] == raw


def test_user_info_of_urls_is_left_out():
    assert without_user_info("GET https://user:pw@host/x?a=b@c http://u@h") == "GET https://***@host/x?a=b@c http://***@h"
    assert without_user_info("write to me@example.org or https://host/@me") == "write to me@example.org or https://host/@me"


def test_the_version_is_shown(run):
    code, out, _ = run("--version")
    assert code == 0 and out.startswith("labelkit ")


def test_the_start_is_light():
    """Help needs no codec, no kernel, no signer."""
    code = ("import sys; from labelkit.cli.main import main\n"
            "try: main(['embed', '--help'])\n"
            "except SystemExit: pass\n"
            "print(sorted({'cv2', 'c2pa', 'av', 'soundfile', 'PIL', 'numpy'} & set(sys.modules)), file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, cwd=ROOT)
    assert done.stderr == "[]\n"


@pytest.mark.parametrize("words, read", [([], set()), (["keygen"], {"other_commands"}), (["embed"], {"main_commands"})])
def test_only_the_options_of_the_command_are_read(words, read):
    code = ("import sys; from labelkit.cli.main import main\n"
            f"try: main([*{words}, '--help'])\n"
            "except SystemExit: pass\n"
            "print([name.removeprefix('labelkit.cli.') for name in sys.modules], file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, cwd=ROOT)
    loaded = set(ast.literal_eval(done.stderr))
    rooms = {"main_commands", "other_commands", "evidence_options", "serve_options"}
    assert loaded & rooms == read and "labelkit.service" not in loaded


def test_names_are_those_of_the_library():
    assert values.LAYERS == tuple(layer.value for layer in lk.Layer)
    assert main_commands.KINDS == tuple(kind.name.lower() for kind in lk.Kind)


def test_an_existing_label_is_replaced_only_when_asked(run):
    write("cat.jpg")
    run("embed", "cat.jpg", "-o", "a.jpg", *PRODUCER, "--layers", "metadata", "--explicit-present")
    code, _, err = run("embed", "a.jpg", "-o", "b.jpg", "--producer", "other")
    assert code == 1 and "labelled already" in err and "\nhint: " in err
    assert run("embed", "a.jpg", "-o", "b.jpg", "--producer", "other", "--replace")[0] == 0
    assert LABEL.content_producer != metadata.read("b.jpg").label.content_producer == "other"


def test_a_certificate_is_no_watermark_key(run, keys):
    write("cat.jpg")
    for name in ("anchors.pem", "signer.pem"):
        code, _, err = run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--key", keys / name)
        assert code == 2 and not Path("out.jpg").exists()
    assert "anchors.pem is a certificate" in run("verify", "cat.jpg", "--key", keys / "anchors.pem")[2]


def test_quiet_runs_say_errors_only(run):
    write("in/a.jpg")
    Path("in/notes.log").write_text("text")
    assert run("embed", "in", "-o", "out", *PRODUCER, "--quiet") == (0, "", "")
    for command in ("verify", "check", "inspect"):
        assert run(command, "out", "-q") == (0, "", "")
    assert run("inspect", "out/a.jpg")[1].startswith("out/a.jpg:\n")
    assert run("verify", "in", "-q") == (1, "", "")
    assert json.loads(run("verify", "out", "-q", "--json")[1])["verdict"] == "confirmed"
    code, out, err = run("verify", "out", "missing.jpg", "-q")
    assert (code, out) == (2, "") and err == "missing.jpg cannot be opened: No such file or directory\n"


def test_misspelt_words_get_a_suggestion(run):
    for words, meant in ((["embed", "a", "-o", "b", "--protucer", "x"], "--producer"), (["verfy", "a"], "verify"),
                         (["verify", "a", "--efort=fast"], "--effort"), (["verify", "a", "--effort", "fats"], "fast")):
        code, _, err = run(*words)
        assert code == 2 and f"hint: did you mean {meant}? See labelkit" in err, err
    for words in (["verify", "a", "--zzzz"], ["xyz"], ["embed", "a", "-o", "b"]):
        assert "did you mean" not in run(*words)[2]


def test_what_cannot_carry_a_watermark_is_labelled_without_it_if_possible(run):
    Path("white.png").write_bytes(saved(np.full((256, 256, 3), 255, np.uint8), "PNG"))
    words = ["white.png", "-o", "out.png", *PRODUCER, "--produce-id", "17", "--layers", "watermark,metadata",
             "--explicit-present"]
    code, out, err = run("embed", *words)
    assert code == 1 and not Path("out.png").exists() and "--watermark if-possible" in err
    code, out, err = run("embed", *words, "--watermark", "if-possible")
    assert code == 0 and out == "white.png -> out.png: labelled, id 17\n"
    assert err.startswith("out.png: labelled without a watermark: the picture is flat")
    assert lk.verify("out.png")[lk.Layer.METADATA].status is lk.Status.VALID
    code, out, _ = run("embed", *words, "--watermark", "if-possible", "--json")
    line = json.loads(out)
    assert line["watermark"] is None and "flat" in line["watermark_left_out"]
    code, out, _ = run("embed", write("photo.png"), "-o", "p.png", *PRODUCER, "--watermark", "if-possible", "--json")
    line = json.loads(out)
    assert line["watermark"] and "watermark_left_out" not in line
