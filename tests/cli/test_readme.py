# SPDX-License-Identifier: Apache-2.0
"""The README and the pages of docs/ say what the program says."""

import re
import shlex
import sys
from pathlib import Path

import pytest

import labelkit
from labelkit.cli import main as cli, parser, settings, values

README = Path(labelkit.__file__).parents[1] / "README.md"
DOCS = README.parent / "docs"


@pytest.fixture(autouse=True)
def english(monkeypatch):
    for name in ("LC_ALL", "LC_MESSAGES", "LABELKIT_LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")


def test_the_help_is_the_programs_own(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert f"```\n$ labelkit --help\n{capsys.readouterr().out}```\n" in README.read_text("utf-8")


def test_every_command_line_parses():
    """Of the README; tests/docs runs those of the pages."""
    lines = re.findall(r"^ {4}(?:\$ )?(labelkit \w+ .*)$", README.read_text("utf-8"), re.MULTILINE)
    assert len(lines) >= 6
    for line in lines:
        words = shlex.split(line.partition(" #")[0].partition(" > ")[0])[1:]
        assert parser.build().parse_args(words).command == words[0]


def test_the_negative_twin_a_wrong_option_does_not_parse(capsys):
    with pytest.raises(SystemExit):
        parser.build().parse_args(["verify", "x", "--no-such-option"])


def test_the_python_example_runs(monkeypatch, tmp_path):
    from tests.media import photo, saved
    from tests.sounds import speech
    (tmp_path / "cat.png").write_bytes(saved(photo(), "PNG"))
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)[1]
    exec(compile(code, "README.md", "exec"), {"rgb": photo(), "speech": speech(5.0, 24_000)})
    assert Path("cat.labelled.png").exists() and labelkit.verify("cat.webp").verdict is labelkit.Verdict.CONFIRMED


def test_the_settings_example_is_accepted(tmp_path):
    (tmp_path / "labelkit").mkdir()
    example = re.search(r"```toml\n(.*?)```", (DOCS / "reference" / "settings.md").read_text("utf-8"), re.DOTALL)[1]
    (tmp_path / "labelkit" / "config.toml").write_text(example)
    words, _ = settings.with_defaults(["embed", "x", "-o", "y"], parser.build(), {"XDG_CONFIG_HOME": str(tmp_path)})
    options = parser.build().parse_args(words)
    assert (options.corner, options.layers) == ("top-left", list(values.LAYERS))


@pytest.mark.skipif(sys.platform == "win32", reason="make")
def test_every_file_that_is_named_exists():
    text = "".join(page.read_text("utf-8") for page in (README, *DOCS.rglob("*.md")))
    named = re.findall(r"`((?:labelkit|native|tests|benchmarks)/[\w/.]+)`", text)
    assert len(named) > 30 and [
        name for name in named if "NAME" not in name and name != "labelkit/config.toml"
        and not (README.parent / name).exists()] == []
