# SPDX-License-Identifier: Apache-2.0
"""The blocks of the documentation that want a server, a presentation or a model, run with one of ours in its place."""

from __future__ import annotations

import argparse
import ast
import asyncio
import contextlib
import importlib.metadata
import json
import re
import shlex
import shutil
import sys
import textwrap
import time
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

import labelkit as lk
from labelkit.integrations.speech import Watermarker, stream
from tests.docs.pages import DOCS, PAGES, Block, blocks, commands, run, served
from tests.docs.test_pages import follow, name_of
from tests.films import film
from tests.media import LABEL, photo, saved
from tests.playlist.test_hls import MP4 as FRAGMENTED, made as presentation
from tests.sounds import speech

VOICE = (0.5 * speech(5.0, 24_000)).astype(np.float32)
ZH = DOCS / "zh"
TWINS = [page for page in PAGES if page.is_relative_to(ZH) and (DOCS / page.relative_to(ZH)).exists()]


def aside(page: str) -> list[Block]:
    """The blocks of a page that its own test does not run."""
    return [block for block in blocks(DOCS / page) if not block.runs]


def shapes(block: Block) -> list[object]:
    """What a block does, whatever language its comments, texts and answers are in; of a console block each command."""
    if block.language == "python":
        parsed = ast.parse("async def part():\n" + textwrap.indent(block.text, " "))
        return [re.sub(r"value='[^']*'", "", ast.dump(parsed))]
    if block.language == "console":
        return [re.sub(r"\s+#.*", "", step.words.replace("--lang zh-CN ", "")) for step in commands(block.text)]
    return [re.sub(r"\s*#.*", "", block.text)]


@pytest.mark.parametrize("page", TWINS, ids=map(name_of, TWINS))
def test_a_chinese_page_shows_what_the_english_one_runs(page: Path) -> None:
    english = page.relative_to(ZH).as_posix()
    ours = [shape for block in aside(english) for shape in shapes(block)]
    for block in (block for block in blocks(page) if not block.runs):
        assert [shape for shape in shapes(block) if shape not in ours] == [], f"{name_of(page)}:{block.line}"
    assert {test for block in blocks(page) for test in block.tests} <= {
        test for block in aside(english) for test in block.tests}


def test_the_negative_twin_another_command_is_noticed() -> None:
    assert shapes(Block("console", "$ labelkit verify a\nA\n", 1)) != shapes(Block("console", "$ labelkit check a", 1))
    assert shapes(Block("python", "f(a, 'x')  # one", 1)) == shapes(Block("python", "f(a, '一')", 1))
    assert shapes(Block("python", "f(a)", 1)) != shapes(Block("python", "f(b)", 1))


def block_with(page: str, words: str) -> Block:
    """The one block of a page that its own test does not run and that holds these words."""
    found, = [block for block in aside(page) if words in block.text]
    return found


def test_the_server_answers_curl_with_a_labelled_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is missing")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(DOCS.parent / "samples", tmp_path / "samples")
    program_of_page, = [block for block in blocks(DOCS / "how-to" / "server.md") if "@app.get" in block.text]
    (tmp_path / "server.py").write_text(program_of_page.text, "utf-8")
    with served(tmp_path, "uvicorn", "server:app", "--port") as port:
        asked = block_with("how-to/server.md", "curl").text
        follow(asked.replace("curl", "curl -s").replace("localhost:8000", f"127.0.0.1:{port}"), "how-to/server.md")


@contextlib.contextmanager
def service(folder: Path, begun: str) -> Iterator[Callable[[str], list[list[str]]]]:
    """`labelkit serve` as a page begins it, on another port: what carries out commands with curl, and gives the lines
    that each prints."""
    made, = [block for block in blocks(DOCS / "how-to" / "service.md") if "--new-key" in block.text and block.runs]
    code, said = run(commands(made.text)[0].words)
    assert code == 0
    with served(folder, *shlex.split(begun), "--processes", "1", "--port") as port:
        def asked(text: str) -> list[list[str]]:
            text = text.replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace("Bearer KEY", f"Bearer {said[0]}")
            done = [run(step.words.replace("curl ", "curl -sS --fail-with-body ", 1)) for step in commands(text)]
            assert [code for code, _ in done] == [0] * len(done), done
            return [lines for _, lines in done]

        yield asked


def test_the_service_answers_curl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is missing")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.png").write_bytes(saved(photo(224, 256), "PNG"))
    begun = commands(block_with("how-to/service.md", "serve --api-keys callers.jsonl --open verify").text)[0].words
    with service(tmp_path, begun) as asked:
        _, verified, checked, _ = asked(block_with("how-to/service.md", "-o labelled.png").text)
    lk.verify("labelled.png").require(lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)
    assert json.loads(verified[0])["verdict"] == "confirmed" and "eu" in checked[0]
    propagated = lk.verify("served.png").label
    assert propagated and propagated.content_propagator == "platform"


def test_the_service_does_jobs_for_curl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is missing")
    monkeypatch.chdir(tmp_path)
    film(tmp_path / "film.mp4", count=12)
    begun, sent, state, fetched, ended = commands(block_with("how-to/service.md", "--job-store /var").text)
    with service(tmp_path, begun.words.replace("/var/lib/labelkit/jobs", "jobs")) as asked:
        answer, = asked(f"$ {sent.words}")
        said = {name.lower(): value for name, _, value in (line.partition(": ") for line in answer)}
        assert "202" in answer[0] and {"location", "retry-after"} <= said.keys()
        job = said["location"].rpartition("/")[2]
        now = {"state": "waiting"}
        while now["state"] in ("waiting", "working"):
            now = json.loads(asked(f"$ {state.words}".replace("5f0c…", job))[0][0])
            time.sleep(0.05)
        assert now["state"] == "done" and now.keys() >= {"job", "progress", "result"}, now
        asked(f"$ {fetched.words}".replace("5f0c…", job))
        asked(f"$ {ended.words}".replace("5f0c…", job))
        with pytest.raises(AssertionError, match="404"):
            asked(f"$ {state.words}".replace("5f0c…", job))
    lk.verify("labelled.mp4").require(lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)


def test_what_pip_is_asked_for_is_what_the_tests_run_with() -> None:
    """What each extra that a page names wants is installed here, or in the environment of tests/engines."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))["project"]
    makefile = (DOCS.parent / "Makefile").read_text("utf-8")
    engines = re.search(r"build/engines/bin/python -m pip install .* -e \"\.\[([\w,]+)\]\"", makefile)
    named = {extra for page in PAGES for block in blocks(page) for step in commands(block.text)
             for extras in re.findall(r"aigc-labelkit\[([\w,-]+)\]", step.words) for extra in extras.split(",")}
    assert engines and {"video", "service", "mcp", "datasets", "ray", "lance"} <= named
    for extra in named - set(engines[1].split(",")):
        for wanted in map(Requirement, project["optional-dependencies"][extra]):
            assert wanted.specifier.contains(importlib.metadata.version(wanted.name)), f"{extra}: {wanted}"


class _Taken(Exception):
    """The arguments of a benchmark were taken."""


@pytest.mark.parametrize("words", [step.words for block in aside("how-to/measure.md")
                                   for step in commands(block.text)], ids=lambda words: words[10:60])
def test_benchmarks_take_what_the_page_gives_them(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run they take minutes and more; what an attack of one's own gives is in the test below."""
    _, _, module, *given = shlex.split(words)
    if module == "pytest":
        assert (DOCS.parent / given[0]).is_file()
        return
    parse = argparse.ArgumentParser.parse_args

    def taken(parser: argparse.ArgumentParser, arguments: list[str] | None = None) -> None:
        parse(parser, arguments)
        raise _Taken

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", taken)
    monkeypatch.setattr(sys, "argv", [module, *given])
    with pytest.raises(SystemExit if "--help" in given else _Taken):
        pytest.importorskip(module).main()
    monkeypatch.setattr(sys, "argv", [module, "--no-such-option"])
    with pytest.raises(SystemExit, match="2"):
        importlib.import_module(module).main()


def test_attacks_of_ones_own_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, = [block for block in blocks(DOCS / "how-to" / "measure.md") if "def names" in block.text]
    (tmp_path / "my_attacks.py").write_text(own.text, "utf-8")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(saved(photo(224, 256), "PNG"))
    pytest.importorskip("skimage")  # which the extra bench installs
    from benchmarks import image_robustness
    image_robustness.main(["--pictures", str(tmp_path / "pictures"), "--attacks", str(tmp_path / "my_attacks.py")])
    assert "| **mine** | 100" in capsys.readouterr().out


def test_evidence_is_written_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one small picture: the lines of sound and films do not come."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "MEDIA").mkdir()
    (tmp_path / "MEDIA" / "a.png").write_bytes(saved(photo(224, 256), "PNG"))
    made, checked = aside("how-to/evidence.md")
    follow(re.sub("^(sound|films): .*\n", "", made.text, flags=re.MULTILINE), "how-to/evidence.md")
    follow(checked.text, "how-to/evidence.md")


def test_a_presentation_is_labelled_and_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    presentation(tmp_path / "film", *FRAGMENTED, seconds=2)
    shown, = aside("how-to/streams.md")
    follow(shown.text, "how-to/streams.md")


class _Upstream:
    """What an OpenAI-shaped model streams."""

    def __iter__(self) -> Iterator[dict[str, object]]:
        for index, text in enumerate(("Hello", ", world")):
            yield {"id": "1", "object": "chat.completion.chunk", "choices": [
                {"index": 0, "delta": {"content": text}, "finish_reason": "stop" if index else None}]}


def test_the_stream_of_a_chat_is_labelled() -> None:
    sent: list[dict[str, object]] = []
    part, = [block for block in aside("how-to/label-chat.md") if block.language == "python"]
    exec(compile(part.text, "label-chat.md", "exec"), {"upstream": _Upstream(), "send": sent.append})
    said = "".join(str(chunk["choices"][0]["delta"]["content"]) for chunk in sent)  # type: ignore[index]
    assert "AI" in said and said.endswith("Hello, world")
    assert lk.verify(said, format="txt", layers=[lk.Layer.EXPLICIT])[lk.Layer.EXPLICIT].status is lk.Status.VALID


class _Chatterbox:
    """A model with the face of Chatterbox."""

    watermarker: Watermarker

    @classmethod
    def from_pretrained(cls, device: str) -> _Chatterbox:
        return cls()

    def generate(self, text: str) -> np.ndarray:
        return self.watermarker.apply_watermark(VOICE, sample_rate=24_000)


def test_speech_is_labelled_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                             signer: lk.Signer) -> None:
    monkeypatch.chdir(tmp_path)
    drop_in, files, streams = [block for block in aside("how-to/label-speech.md") if block.language == "python"]
    names: dict[str, object] = {
        "ChatterboxTTS": _Chatterbox, "new_label": lambda: LABEL, "label": LABEL, "lk": lk,
        "samples": VOICE, "tensor": VOICE[None], "signer": signer}
    exec(compile(drop_in.text, "label-speech.md", "exec"), names)
    assert lk.verify(np.asarray(names["wav"]), rate=24_000)[lk.Layer.WATERMARK].status is lk.Status.VALID
    exec(compile(files.text, "label-speech.md", "exec"), names)
    for name in ("hello.wav", "hello.flac"):
        lk.verify(name).require(lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)
    for line in streams.text.splitlines():
        data = asyncio.run(_gathered(line, names))
        if "pcm" not in line:
            lk.verify(data).require(lk.Layer.EXPLICIT, lk.Layer.WATERMARK, lk.Layer.METADATA)


async def _gathered(line: str, names: dict[str, object]) -> bytes:
    """All that a line `async for data in ...: ...` gives."""
    async def voice() -> AsyncIterator[np.ndarray]:
        for part in np.array_split(VOICE, 40):
            yield part

    source = line.partition("#")[0].rpartition(":")[0].replace("async for data in ", "", 1)
    made = eval(source, {**names, "stream": stream, "voice": voice()})
    return b"".join([data async for data in made])
