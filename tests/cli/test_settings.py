# SPDX-License-Identifier: Apache-2.0
"""Language and defaults: command line, then environment, then file."""

import re
from pathlib import Path

import pytest

import labelkit as lk
from labelkit import metadata
from labelkit.cli.text import width, wrapped
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
    assert 90 < max(map(width, lines)) <= 110
    assert not any(line.lstrip().startswith(tuple("，。；：、）”》")) for line in lines)
    assert wrapped("退出码 0：全部已标识。", 10) == ["退出码 0：", "全部已标", "识。"]
    assert wrapped("one two", 5) == ["one", "two"] and wrapped("文 AI生成", 99) == ["文 AI生成"]


COMMANDS = ["embed", "verify", "check", "propagate", "inspect", "log", "keygen"]


@pytest.mark.parametrize("command", COMMANDS)
def test_usage_and_placeholders_are_chinese_too(command, run):
    english, chinese = run(command, "--help")[1], run(command, "--help", "--lang", "zh-CN")[1]
    left_over = re.findall(r"\b(?:FILE|FOLDER|OUT|CODE|NAME|LIST|NUMBER|SECONDS|WHAT|options)\b", chinese)
    assert not left_over and "[选项]" in chinese.splitlines()[0]
    assert "[options]" in english.splitlines()[0], "the negative twin"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_columns_of_the_help_are_aligned_in_both_languages(command, run):
    for language in ("en", "zh-CN"):
        heads = re.findall(r"^  -.*?\S  +(?=\S)", run(command, "--help", "--lang", language)[1], re.MULTILINE)
        starts = set(map(width, heads))
        assert len(starts) == 1, (language, starts)


def test_each_number_has_its_own_name_in_chinese(run):
    """GB 45438-2025 6.1 a): the producer's number is one thing, the propagator's another."""
    produced, spread = (run(command, "--help", "--lang", "zh-CN")[1] for command in ("embed", "propagate"))
    assert "内容制作编号" in produced and "内容传播编号" not in produced
    assert "内容传播编号" in spread and "内容制作编号" not in spread


def test_settings_come_from_file_and_environment_in_order(run, monkeypatch):
    write("cat.jpg")
    monkeypatch.setenv("LABELKIT_CONFIG", "labelkit.toml")
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
    monkeypatch.setenv("LABELKIT_CONFIG", "labelkit.toml")
    code, _, err = run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER)
    assert code == 2 and "labelkit.toml: producr is not an option" in err
    Path("labelkit.toml").write_text("producer = \n")
    assert "not a settings file" in run("embed", "cat.jpg", "-o", "out.jpg")[2]
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


EVIL = """signer = "pkcs11:token=x;object=y?module-path=./evil.so"
trust = "anchors.pem"
layers = ["explicit"]
"""


def test_a_settings_file_in_the_current_directory_is_not_read(run):
    write("cat.jpg")
    Path("labelkit.toml").write_text(EVIL)
    run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER)
    code, out, err = run("verify", "out.jpg")
    assert code == 0 and "CONFIRMED" in out, "neither its layers nor its trust list count"
    assert err.startswith("labelkit.toml in the current directory is not read; --config labelkit.toml uses it\n")
    Path("labelkit.toml").unlink()
    assert "is not read" not in run("verify", "out.jpg")[2]


@pytest.mark.parametrize("words", [("--config", "mine.toml", "verify", "out.jpg"),
                                   ("verify", "--config=mine.toml", "out.jpg"),
                                   ("verify", "out.jpg", "--config", "mine.toml")])
def test_a_file_that_is_named_is_used_and_said(words, run):
    write("out.jpg")
    Path("mine.toml").write_text('require = ["explicit"]\n')
    code, _, err = run(*words)
    assert code == 1 and err.startswith("settings: mine.toml\nrequired explicit: ")
    assert run("verify", "out.jpg")[2].startswith("required metadata: "), "the negative twin: not named, not used"
    assert "none.toml cannot be opened" in run("verify", "out.jpg", "--config", "none.toml")[2]


def test_the_users_own_file_is_used_and_one_named_takes_its_place(run, monkeypatch, tmp_path):
    write("out.jpg")
    own = tmp_path / "home" / ".config" / "labelkit" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text('require = ["explicit"]\n')
    Path("mine.toml").write_text('require = ["watermark"]\n')
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert run("verify", "out.jpg")[2].startswith(f"settings: {own}\nrequired explicit: ")
    assert run("verify", "out.jpg", "--config", "mine.toml")[2].startswith("settings: mine.toml\nrequired watermark: ")


@pytest.mark.parametrize("home", ["", "~", "."])
def test_a_configuration_folder_is_never_one_below_the_current_directory(home, run, monkeypatch):
    write("out.jpg")
    for folder in ("~/.config/labelkit", ".config/labelkit", "labelkit"):
        Path(folder).mkdir(parents=True)
        Path(folder, "config.toml").write_text('require = ["explicit"]\n')
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", home)
    assert run("verify", "out.jpg")[2].startswith("required metadata: ")
    monkeypatch.setenv("XDG_CONFIG_HOME", home)
    assert run("verify", "out.jpg")[2].startswith("required metadata: ")


@pytest.mark.parametrize("key", ["signer", "key", "trust", "sm2-pin", "sm2-key", "log", "ta-url"])
def test_a_folder_that_is_worked_on_decides_neither_secrets_nor_trust(key, run, monkeypatch):
    write("in/cat.jpg")
    Path("in/labelkit.toml").write_text(f'{key} = "x"\n')
    code, out, err = run("embed", "in", "-o", "out", *PRODUCER, "--config", "in/labelkit.toml")
    assert code == 2 and f"in/labelkit.toml: {key} must not come from in, a folder that is worked on" in err
    monkeypatch.setenv("LABELKIT_CONFIG", "in/labelkit.toml")
    assert "must not come from" in run("embed", "./in/", "-o", "out", *PRODUCER)[2]
    Path("link.toml").symlink_to("in/labelkit.toml")
    assert "must not come from" in run("embed", "in", "-o", "out", *PRODUCER, "--config", "link.toml")[2]
    assert not Path("out").exists()


def test_other_settings_may_come_from_the_folder_and_all_from_another_one(run, keys):
    write("in/cat.jpg")
    Path("in/labelkit.toml").write_text('producer = "acme"\n')
    assert run("embed", "in", "-o", "out", "--config", "in/labelkit.toml")[0] == 0
    Path("mine.toml").write_text(f'producer = "acme"\nsigner = "{keys / "signer.pem"}"\n')
    assert run("embed", "in", "-o", "signed", "--config", "mine.toml")[0] == 0
    assert "signed by Acme Imaging" in run("verify", "signed")[1]


@pytest.mark.parametrize(("line", "wanted"), [
    ("producer = 5", "a text in quotes"), ("producer = true", "a text in quotes"), ('producer = ["a"]', "a text"),
    ("producer = {a = 1}", "a text in quotes"),
    ('in-place = "yes"', "true or false"), ("in-place = 1", "true or false"),
    ("strength = true", "a number"), ("jobs = [1]", "a number"), ("layers = [1]", "a list of texts"),
    ("layers = 3", "a list of texts"), ("media = [1]", "a list of texts"), ("kind = 1", "a text in quotes")])
def test_a_value_of_another_type_is_refused(line, wanted, run):
    write("cat.jpg")
    Path("mine.toml").write_text(line + "\n")
    code, _, err = run("embed", "cat.jpg", "-o", "out.jpg", *PRODUCER, "--config", "mine.toml")
    assert code == 2 and f"mine.toml: {line.split()[0]} must be {wanted}" in err and not Path("out.jpg").exists()


def test_values_of_the_right_type_are_taken(run, monkeypatch):
    write("cat.jpg")
    Path("mine.toml").write_text('producer = "5"\nstrength = 1\nheight = 0.06\njobs = 2\nlayers = "metadata"\n'
                                 'explicit-present = true\njson = false\nshow = "whole"\nmedia = ["jpg"]\n')
    assert run("embed", "cat.jpg", "-o", "out.jpg", "--config", "mine.toml")[0] == 0
    assert metadata.read("out.jpg").label.content_producer == "5"
    monkeypatch.setenv("LABELKIT_JSON", "no")
    assert run("verify", "out.jpg")[1].startswith("out.jpg: ")
    monkeypatch.setenv("LABELKIT_JSON", "perhaps")
    code, _, err = run("verify", "out.jpg")
    assert code == 2 and err == "LABELKIT_JSON: json must be true or false, got 'perhaps'\n"
