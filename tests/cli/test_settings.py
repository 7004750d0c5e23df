# SPDX-License-Identifier: Apache-2.0
"""Language and defaults: command line, then environment, then file."""

from pathlib import Path

import pytest

import labelkit as lk
from labelkit import metadata
from labelkit.cli.text import taken, wrapped
from tests.cli.conftest import PRODUCER, write


def test_chinese_by_option_environment_and_locale(run, monkeypatch):
    write("cat.jpg")
    run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER)
    out = run("verify", "out.jpg", "--lang", "zh-CN")[1]
    assert out.startswith("out.jpg: 属于人工智能生成合成内容\n  显式标识    有效 ")
    assert "用法：labelkit embed" in run("embed", "--help", "--lang=zh")[1]
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert run("verify", "missing.jpg")[2].startswith("missing.jpg 无法打开")
    assert run("embed", "x", "-o", "y")[2].startswith("缺少必需的参数：--producer\n提示：")
    monkeypatch.setenv("LABELKIT_LANG", "en")
    assert "cannot be opened" in run("verify", "missing.jpg")[2]


def test_chinese_help_is_chinese_throughout(run):
    for command in ("embed", "verify", "inspect", "keygen"):
        english, chinese = run(command, "--help")[1], run(command, "--help", "--lang", "zh-CN")[1]
        left_over = [line for line in chinese.splitlines()[1:] if len(line) > 60 and line.isascii()]
        assert not left_over and english != chinese


@pytest.mark.parametrize("command", ["embed", "verify", "check", "propagate", "log"])
def test_chinese_help_fills_its_lines_and_is_no_wider_than_the_english(command, run):
    lines = run(command, "--help", "--lang", "zh-CN")[1].splitlines()[1:]
    assert 90 < max(map(taken, lines)) <= 110
    assert not any(line.lstrip().startswith(tuple("，。；：、）”》")) for line in lines)
    assert wrapped("退出码 0：全部已标识。", 10) == ["退出码 0：", "全部已标", "识。"]
    assert wrapped("one two", 5) == ["one", "two"] and wrapped("文 AI生成", 99) == ["文 AI生成"]


def test_each_number_has_its_own_name_in_chinese(run):
    """GB 45438-2025 6.1 a): the producer's number is one thing, the propagator's another."""
    produced, spread = (run(command, "--help", "--lang", "zh-CN")[1] for command in ("embed", "propagate"))
    assert "内容制作编号" in produced and "内容传播编号" not in produced
    assert "内容传播编号" in spread and "内容制作编号" not in spread


def test_settings_come_from_file_and_environment_in_order(run, monkeypatch):
    write("cat.jpg")
    Path("labelkit.toml").write_text('producer = "from-file"\nlayers = ["metadata"]\nkind = "possible"\n'
                                     'explicit-present = true\nrequire = "metadata"\n')
    assert run("embed", "cat.jpg", "-o", "out.jpg")[0] == 0
    label = metadata.read("out.jpg").label
    assert (label.content_producer, label.kind) == ("from-file", lk.Kind.POSSIBLE)
    monkeypatch.setenv("LABELKIT_PRODUCER", "from-environment")
    run("embed", "cat.jpg", "-o", "out.jpg")
    assert metadata.read("out.jpg").label.content_producer == "from-environment"
    run("embed", "cat.jpg", "-o", "out.jpg", "--producer", "from-words")
    assert metadata.read("out.jpg").label.content_producer == "from-words"


def test_settings_with_mistakes_are_refused(run, monkeypatch):
    write("cat.jpg")
    Path("labelkit.toml").write_text('producr = "acme"\n')
    code, _, err = run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER)
    assert code == 2 and "labelkit.toml: producr is not an option" in err
    Path("labelkit.toml").write_text("producer = \n")
    assert "not a file of settings" in run("embed", "cat.jpg", "-o", "out.jpg")[2]
    monkeypatch.setenv("LABELKIT_CONFIG", "missing.toml")
    assert "missing.toml cannot be opened" in run("verify", "cat.jpg")[2]


def test_paths_in_settings_are_relative_to_them(run, monkeypatch, keys):
    write("cat.jpg")
    Path("elsewhere").mkdir()
    Path("elsewhere/signer.pem").write_bytes((keys / "signer.pem").read_bytes())
    Path("elsewhere/settings.toml").write_text('producer = "acme"\nsigner = "signer.pem"\nin-place = false\n')
    monkeypatch.setenv("LABELKIT_CONFIG", "elsewhere/settings.toml")
    assert run("embed", "cat.jpg", "-o", "out.jpg")[0] == 0
    assert "signed by Acme Imaging" in run("verify", "out.jpg")[1]


def test_a_password_of_the_signer_comes_from_the_environment(run, monkeypatch, keys):
    from cryptography.hazmat.primitives import serialization
    write("cat.jpg")
    pem = (keys / "signer.pem").read_bytes()
    key = serialization.load_pem_private_key(pem[pem.index(b"-----BEGIN PRIVATE"):], None)
    locked = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                               serialization.BestAvailableEncryption(b"open sesame"))
    Path("signer.pem").write_bytes(pem[:pem.index(b"-----BEGIN PRIVATE")] + locked)
    words = ("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--signer", "signer.pem")
    assert run(*words)[0] == 2
    monkeypatch.setenv("LABELKIT_SIGNER_PASSWORD", "open sesame")
    assert run(*words)[0] == 0
