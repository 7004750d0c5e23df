# SPDX-License-Identifier: Apache-2.0
"""The blocks of the documentation that want a server, a presentation or a model, run with one of ours in its place."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

import labelkit as lk
from labelkit.integrations.speech import Watermarker, stream
from tests.docs.pages import DOCS, PAGES, Block, blocks, commands, program, run
from tests.docs.test_pages import follow, name_of
from tests.media import LABEL, photo, saved
from tests.playlist.test_hls import MP4 as FRAGMENTED, made as presentation
from tests.sounds import speech

VOICE = (0.5 * speech(5.0, 24_000)).astype(np.float32)
ZH = DOCS / "zh"
TWINS = [page for page in PAGES if page.is_relative_to(ZH) and (DOCS / page.relative_to(ZH)).exists()]


def aside(page: str) -> list[Block]:
    """The blocks of a page that its own test does not run."""
    return [block for block in blocks(DOCS / page) if not block.runs]


def shape(block: Block) -> object:
    """What a block does, whatever language its comments, texts and answers are in."""
    if block.language == "python":
        parsed = ast.parse("async def part():\n" + textwrap.indent(block.text, " "))
        return re.sub(r"value='[^']*'", "", ast.dump(parsed))
    if block.language == "console":
        return [step.words.replace("--lang zh-CN ", "") for step in commands(block.text)]
    return re.sub(r"\s*#.*", "", block.text)


@pytest.mark.parametrize("page", TWINS, ids=map(name_of, TWINS))
def test_a_chinese_page_shows_what_the_english_one_runs(page: Path) -> None:
    theirs = [block for block in blocks(page) if not block.runs]
    ours = [shape(block) for block in aside(page.relative_to(ZH).as_posix())]
    assert [shape(block) for block in theirs if shape(block) not in ours] == [], name_of(page)


def test_the_negative_twin_another_command_is_noticed() -> None:
    assert shape(Block("console", "$ labelkit verify a\nA\n", 1)) != shape(Block("console", "$ labelkit check a", 1))
    assert shape(Block("python", "f(a, 'x')  # one", 1)) == shape(Block("python", "f(a, '一')", 1))
    assert shape(Block("python", "f(a)", 1)) != shape(Block("python", "f(b)", 1))


@contextlib.contextmanager
def served(folder: Path, app: str) -> Iterator[int]:
    """The port on which uvicorn serves an app of a folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, "-m", "uvicorn", app, "--port", str(port)], cwd=folder,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
        try:
            for _ in range(600):
                assert server.poll() is None, server.stdout and server.stdout.read().decode()
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.1)
            yield port
        finally:
            server.terminate()


def test_the_server_answers_curl_with_a_labelled_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is missing")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(DOCS.parent / "samples", tmp_path / "samples")
    program_of_page, = [block for block in blocks(DOCS / "how-to" / "server.md") if "@app.get" in block.text]
    (tmp_path / "server.py").write_text(program_of_page.text, "utf-8")
    asked = [block for block in aside("how-to/server.md") if block.language == "console"]
    assert len(asked) == 1
    with served(tmp_path, "server:app") as port:
        for step in commands(asked[0].text):
            if program(step.words) == "curl":
                code, said = run(step.words.replace("curl", "curl -s").replace("localhost:8000", f"127.0.0.1:{port}"))
                assert code == 0, said
        follow(asked[0].text, "how-to/server.md")


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
