# SPDX-License-Identifier: Apache-2.0
"""Which files a run takes, and where their results go."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from labelkit import metadata
from labelkit.cli import files, parser
from tests.cli.conftest import PRODUCER, write

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


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
    assert len(out.splitlines()) == 3 and "bad.jpg" in err and Path("out/notes.md").exists()
    assert err.splitlines()[-1] == "3 labelled, 1 failed, 1 skipped as not media"
    ids = {metadata.read(path).label.produce_id for path in Path("out").rglob("*.jpg")}
    assert len(ids) == 2 and all(UUID.fullmatch(one) for one in ids)
    code, out, err = run("verify", "out", "--json")
    assert code == 0 and [json.loads(line)["verdict"] for line in out.splitlines()] == ["confirmed"] * 3


def test_what_is_named_as_media_is_never_passed_over_in_silence(run):
    """An empty picture, or one of a format that is not known, would leave unlabelled."""
    write("in/a.jpg")
    Path("in/empty.png").write_bytes(b"")
    Path("in/old.bmp").write_bytes(b"BM" + bytes(100))
    Path("in/half.mkv").write_bytes(b"")
    Path("in/notes.log").write_text("beside the pictures")
    code, out, err = run("embed", "in", "-o", "out", *PRODUCER)
    assert code == 1 and [path.name for path in Path("out").iterdir()] == ["a.jpg"]
    assert err.splitlines()[-1] == "1 labelled, 3 failed, 1 skipped as not media"
    assert "in/empty.png: the file is empty" in err and "convert the file to PNG" in err
    assert run("verify", "in", "--require", "explicit")[0] == 2
    for name in ("empty.png", "old.bmp", "half.mkv"):
        Path("in", name).unlink()
    assert run("embed", "in", "-o", "out", *PRODUCER)[0] == 0


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
    assert code == 2 and "--produce-id is the number of one file's content, got 2 files" in err


def test_in_place_keeps_links_and_modes(run):
    path = write("a.jpg")
    path.chmod(0o640)
    Path("link.jpg").symlink_to("a.jpg")
    assert run("embed", "link.jpg", "--in-place", *PRODUCER)[0] == 0
    assert Path("link.jpg").is_symlink() and metadata.read("a.jpg").label
    assert path.stat().st_mode & 0o777 == 0o640
    assert run("embed", "a.jpg", "-o", "a.jpg", *PRODUCER)[0] == 1, "only when asked for"


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
    options = parser.build().parse_args(["verify", "in"])
    for _, result in files.run(lambda item: item.path, files.collect(options).items, 2):
        print(result, file=sys.stderr)
    shown = capsys.readouterr().err
    assert "\r\x1b[Kin/1.jpg\n[############..................] 2/5\r\x1b[Kin/2.jpg\n" in shown
    assert shown.endswith("] 5/5\r\x1b[K"), "nothing is left of it"
    list(files.run(lambda item: None, files.collect(options).items[:2], 1))
    assert capsys.readouterr().err == "", "not for a few files"


def test_an_unwritable_output(run):
    write("cat.jpg")
    Path("file").write_text("in the way")
    code, _, err = run("embed", "cat.jpg", "-o", "file/out.jpg", *PRODUCER)
    assert code == 1 and "cannot be written" in err
    code, _, err = run("embed", "cat.jpg", "-o", "/proc/out.jpg", *PRODUCER)
    assert code == 1 and "cannot be written" in err


def test_documents_are_taken_where_their_layers_are_asked_for(run):
    Path("in").mkdir()
    Path("in/notes.md").write_text("# Notes\n\nmade by a model\n")
    assert run("embed", "in", "-o", "out", *PRODUCER, "--layers", "watermark")[0] == 2, "nothing to label"
    assert run("embed", "in", "-o", "out", *PRODUCER, "--layers", "metadata")[0] == 0
    assert metadata.read("out/notes.md").label.content_producer == "acme"
    code, _, err = run("embed", "in/notes.md", "-o", "x.md", *PRODUCER, "--layers", "watermark")
    assert code == 1 and "markdown has no place for the layers that are asked for" in err


def test_texts_in_a_folder_get_words_and_no_watermark(run):
    Path("in").mkdir()
    Path("in/notes.md").write_text("# Notes\n\nmade by a model\n")
    Path("in/notes.txt").write_text("made by a model\n")
    Path("in/tool.py").write_text("print('no text for people')\n")
    code, out, err = run("embed", "in", "-o", "out", *PRODUCER)
    assert code == 0 and "watermark" not in out and "tool.py" not in out
    assert Path("out/notes.txt").read_text() == "AI生成\n\nmade by a model\n"
    assert Path("out/notes.md").read_text().endswith("\n---\n\nAI生成\n\n# Notes\n\nmade by a model\n")
    code, out, _ = run("check", "out/notes.md")
    assert code == 0 and '"AI生成"' in out
    code, out, _ = run("check", "in/notes.md")
    assert code == 1 and "no label in the text" in out


def test_what_a_killed_run_left_is_removed_by_the_next_one(run, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    write("in/sub/a.jpg")
    left = [Path("out/sub/.labelkit-aaaaaaaa"), Path("in/sub/.labelkit-aaaaaaaa"), temporary / ".labelkit-aaaaaaaa"]
    for words, gone in ((("-o", "out"), (0, 2)), (("-o", "out", "--resume"), (0, 2)), (("--in-place",), (1, 2))):
        for folder in left:
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("half", "lock"):
                (folder / name).write_bytes(b"half a file")
        assert run("embed", "in", *words, *PRODUCER)[0] == 0
        assert [not folder.exists() for folder in left] == [index in gone for index in range(3)], words


def test_a_missing_file_stops_no_other(run):
    write("cat.jpg")
    run("embed", "cat.jpg", "-o", "ok.jpg", *PRODUCER)
    os.mkfifo("pipe")
    for command in ("verify", "check", "inspect"):
        code, out, err = run(command, "missing.jpg", "ok.jpg", "pipe")
        assert code == 2 and out.startswith("ok.jpg:"), command
        assert "missing.jpg cannot be opened" in err and "pipe is neither a file nor a folder" in err
    assert json.loads(run("verify", "missing.jpg", "--json")[1])["error"]["message"].startswith("missing.jpg cannot")
    code, out, _ = run("embed", "missing.jpg", "ok.jpg", "-o", "out", *PRODUCER)
    assert code == 2 and out == "" and not Path("out").exists(), "nothing is written for a line with a mistake"


def test_a_pipe_in_a_list_is_refused_and_not_waited_for(run):
    os.mkfifo("pipe")
    Path("folder").mkdir()
    write("cat.jpg")
    Path("list").write_text("pipe\ncat.jpg\nfolder\n")
    code, out, err = run("verify", "--files-from", "list")
    assert code == 2 and "pipe is neither a file nor a folder" in err and "folder is a folder, not a file" in err
    assert out.startswith("cat.jpg: ")
    assert run("embed", "--files-from", "list", "-o", "out", *PRODUCER)[0] == 1 and Path("out/cat.jpg").is_file()


def test_an_empty_shard_is_a_success(run):
    for index in range(4):
        write(f"in/{index}.jpg")
    codes, said = set(), ""
    for part in range(1, 31):
        code, _, err = run("embed", "in", "-o", "out", *PRODUCER, "--layers", "metadata", "--explicit-present",
                           "--shard", f"{part}/30")
        codes.add(code)
        said += err
    assert codes == {0} and "no file falls to this shard" in said and len(list(Path("out").iterdir())) == 4
    Path("empty").mkdir()
    assert run("verify", "empty", "--shard", "1/2")[0] == 2, "an empty folder is no success"


def test_links_that_lead_out_of_the_folder_are_passed_over(run):
    outside = write("elsewhere/secret.jpg")
    write("in/a.jpg")
    before = outside.read_bytes()
    Path("in/out.jpg").symlink_to(outside.resolve())
    Path("in/sub").mkdir()
    Path("in/sub/same.jpg").symlink_to("../a.jpg")
    code, out, err = run("embed", "in", "-o", "done", *PRODUCER)
    assert code == 0 and "skipped as symbolic links: in/out.jpg\n" in err
    assert sorted(map(str, Path("done").rglob("*.jpg"))) == ["done/a.jpg", "done/sub/same.jpg"]
    code, out, err = run("embed", "in", "--in-place", *PRODUCER)
    assert code == 0 and outside.read_bytes() == before and Path("in/sub/same.jpg").is_symlink()
    assert out.count("->") == 1 and "skipped as symbolic links: in/out.jpg, in/sub/same.jpg\n" in err
    assert run("embed", "in/out.jpg", "--in-place", *PRODUCER)[0] == 0 and outside.read_bytes() != before, "if named"


def test_files_that_are_passed_over_are_named(run):
    write("in/a.jpg")
    for index in range(25):
        Path(f"in/{index:02d}.log").write_text("text")
    code, _, err = run("verify", "in", "--require", "explicit")
    line = next(line for line in err.splitlines() if line.startswith("skipped as not media: "))
    assert "in/00.log, in/01.log, " in line and line.endswith("in/19.log, and 5 more")
    assert "skipped" not in run("verify", "in/a.jpg")[2]


def test_several_results_need_a_folder_and_one_keeps_its_ending(run):
    write("a.jpg")
    write("b.jpg", 2)
    keep = (*PRODUCER, "--layers", "metadata", "--explicit-present")
    code, _, err = run("embed", "a.jpg", "b.jpg", "-o", "single.png", *keep)
    assert code == 2 and "single.png is the name of one file" in err and not Path("single.png").exists()
    assert run("embed", "a.jpg", "b.jpg", "-o", "single.png/", *keep)[0] == 0 and Path("single.png/b.jpg").is_file()
    assert run("embed", "a.jpg", "-o", "out", *keep)[1].startswith("a.jpg -> out/a.jpg: ")
    assert run("embed", "a.jpg", "-o", "one.jpg", *keep)[0] == 0 and Path("one.jpg").is_file()
    os.rename("b.jpg", "b")
    assert run("embed", "b", "-o", "plain", *keep)[0] == 0 and Path("plain").is_file(), "no ending, none is missing"


def test_results_over_their_own_sources_are_refused_once(run):
    for index in range(5):
        write(f"{index}.jpg")
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    code, _, err = run("embed", ".", "-o", ".", *PRODUCER)
    assert code == 2 and err == ("0.jpg is a source of this run and would be replaced\n"
                                 "hint: use another --output, or --in-place\n")
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before
    assert run("embed", ".", "-o", "out", *PRODUCER)[0] == 0


def test_existing_results_are_kept_when_asked_and_counted_otherwise(run):
    write("in/a.jpg")
    write("in/b.jpg", 2)
    keep = (*PRODUCER, "--layers", "metadata", "--explicit-present")
    assert "existed before" not in run("embed", "in", "-o", "out", *keep)[2]
    Path("out/a.jpg").write_bytes(b"precious")
    Path("out/b.jpg").unlink()
    code, _, err = run("embed", "in", "-o", "out", *keep, "--no-clobber")
    assert code == 1 and Path("out/a.jpg").read_bytes() == b"precious" and Path("out/b.jpg").is_file()
    assert "in/a.jpg: out/a.jpg exists and is kept" in err
    code, _, err = run("embed", "in", "-o", "out", *keep)
    assert code == 0 and "2 existed before this run and were replaced" in err
    assert metadata.read("out/a.jpg").label
    assert "--in-place has none" in run("embed", "in", "--in-place", "--no-clobber", *keep)[2]


def test_a_dry_run_writes_nothing(run):
    write("in/a.jpg")
    Path("in/notes.log").write_text("text")
    left = Path("out/.labelkit-aaaaaaaa")
    left.mkdir(parents=True)
    words = ("embed", "in", "-o", "out", *PRODUCER, "--dry-run", "--log", "labels.db")
    code, out, err = run(*words)
    assert (code, out) == (0, "in/a.jpg -> out/a.jpg\n") and "skipped as not media: in/notes.log" in err
    assert "1 files would be processed; nothing was read or written" in err
    assert json.loads(run(*words, "--json")[1]) == {"file": "in/a.jpg", "output": "out/a.jpg"}
    assert run("propagate", "in", "-o", "out", "--propagator", "p", "--dry-run")[1] == out
    assert list(Path("out").iterdir()) == [left] and not Path("labels.db").exists()
    assert run("embed", "in", "-o", "out", *PRODUCER, "--layers", "provenance", "--dry-run")[0] == 2, "it is checked"
