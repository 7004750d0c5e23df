# SPDX-License-Identifier: Apache-2.0
"""Completion in the shells themselves, and help in both languages."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

import labelkit as lk
from labelkit.cli import parser


def test_completion_knows_every_command_and_option(run):
    commands = parser.build()._subparsers._group_actions[0].choices
    for shell in ("bash", "zsh", "fish"):
        code, out, _ = run("completion", shell)
        assert code == 0
        for name, command in commands.items():
            options = [option for action in command._actions for option in action.option_strings]
            assert name in out and all(option.lstrip("-") in out for option in options)
    assert run("completion", "tcsh")[0] == 2


def _completed(script: str, *words: str) -> list[str]:
    line = " ".join(f"'{word}'" for word in words)
    asked = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _labelkit; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-c", f"{script}\n{asked}"], capture_output=True, text=True, timeout=600)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes(run):
    script = run("completion", "bash")[1]
    assert _completed(script, "labelkit", "em") == ["embed"]
    assert _completed(script, "labelkit", "embed", "--prod") == ["--producer", "--produce-id"]
    assert _completed(script, "labelkit", "embed", "--kind", "") == ["generated", "possible", "suspected"]
    assert _completed(script, "labelkit", "log", "fi") == ["find"]
    assert _completed(script, "labelkit", "embed", "no-such") == []


ASKED = (("labelkit em", ["embed"]), ("labelkit embed --prod", ["--producer", "--produce-id"]),
         ("labelkit embed --kind ", ["generated", "possible", "suspected"]), ("labelkit log fi", ["find"]),
         ("labelkit --ver", ["--version"]), ("labelkit embed --no-such", []))


def test_fish_completes(run, tmp_path):
    fish = shutil.which("fish")
    if not fish:
        pytest.skip("fish is not installed")
    (tmp_path / "labelkit.fish").write_text(run("completion", "fish")[1])
    for line, wanted in ASKED:
        done = subprocess.run([fish, "--no-config", "-c", f"source {tmp_path / 'labelkit.fish'}; complete -C '{line}'"],
                              capture_output=True, text=True, timeout=600, check=True)
        assert [found.split("\t")[0] for found in done.stdout.splitlines()] == wanted, line


_ZSH = r"""
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PROMPT=; autoload -Uz compinit; compinit -u -D; source $1; bindkey '^I' complete-word"
zpty -w z "echo START''ED"
zpty -r z out '*STARTED*'
zpty -w -n z "$2"$'\t'
zpty -w -n z $'\C-a'"echo '<<<' "$'\C-e'" '>>>'"$'\n'
zpty -r z out '*>>>*
*>>>*'
print -r -- "$out"
zpty -d z
"""


def test_zsh_completes(run, tmp_path):
    """One line in a terminal: what is found alone is written out."""
    zsh = shutil.which("zsh")
    if not zsh:
        pytest.skip("zsh is not installed")
    (tmp_path / "_labelkit").write_text(run("completion", "zsh")[1])
    (tmp_path / "ask.zsh").write_text(_ZSH)
    for line, wanted in (("labelkit em", "labelkit embed"), ("labelkit log fi", "labelkit log find"),
                         ("labelkit embed --produce-", "labelkit embed --produce-id"),
                         ("labelkit embed --no-such", "labelkit embed --no-such")):
        found = None
        for _ in range(20):  # on a busy machine the terminal now and then gives the line before it is completed
            done = subprocess.run([zsh, "-f", tmp_path / "ask.zsh", tmp_path / "_labelkit", line], cwd=tmp_path,
                                  capture_output=True, text=True, timeout=600, check=True)
            found = re.search(r"^<<< (.*?) *>>>", done.stdout, re.MULTILINE)
            if found and found[1] == wanted:
                break
        assert found and found[1] == wanted


_NAMES = {"labelkit", "GB", "TC", "JSON", "PEM", "URI", "URL", "UUID", "ISO", "HTML", "SQLite", "WAV", "AI", "SM", "PA",
          "ID", "shell", "source", "compinit", "ReservedCode", "pa", "en", "zh", "CN", "none", "whole", "toml",
          "producer", "LABELKIT", "PRODUCER", "config", "aigc", "ocr", "pkcs", "store", "SB", "WebAssembly", "WASM",
          "XMP", "MB", "ZIP",
          "HTTP", "POST", "SIGINT", "SIGTERM", "API", "JWS", "JWKS", "TLS", "Unix", "https", "Forwarded", "For",
          "Redis", "Proto", "PostgreSQL", "metrics", "verify", "label", "recover", "service", "MCP", "roots", "url",
          "mcp", "tar", "jpg", "png", "Parquet", "tgz", "gz", "parquet", "Ray", "Daft", "auto", "Lance", "lance"}
"""Words in Latin letters that Chinese help has because they are names, of programs, formats and files."""


def leftovers(text: str, language: str, names: set[str]) -> set[str]:
    """What of a help text is not in its language."""
    if language == "en":
        return set(re.findall(r"[\u4e00-\u9fff]+", text.replace("AI生成", "")))
    prose = re.sub(r"--?[A-Za-z][\w-]*|\S*[/:_|=]\S*|\S+\.\S+", " ", text)
    return set(re.findall(r"[A-Za-z]{2,}", prose)) - names


def test_help_is_wholly_in_its_language(run):
    commands = parser.build()._subparsers._group_actions[0].choices
    choices = {word for command in commands.values() for action in command._actions for choice in action.choices or ()
               for word in re.findall(r"[A-Za-z]+", str(choice))}
    layers = {layer.value for layer in lk.Layer}
    names = _NAMES | set(commands) | choices | layers | {"veryfast", "medium", "bash", "zsh", "fish", "all"}
    for language in ("en", "zh-CN"):
        for name in ("", *commands):
            code, out, err = run(*filter(None, (name,)), "--lang", language, "--help")
            assert code == 0 and err == "" and len(out) > 200
            assert leftovers(out, language, names) == set(), name
    assert leftovers("  --text TEXT  the place", "zh-CN", names) == {"TEXT", "the", "place"}
    assert leftovers("  --text 文字  of the label", "en", names) == {"文字"}
