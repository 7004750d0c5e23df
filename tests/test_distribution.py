# SPDX-License-Identifier: Apache-2.0
"""The name under which labelkit is installed, its version, and a folder shared with PyPI's labelkit."""

import ast
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import pytest

import labelkit
from labelkit import distribution
from labelkit.errors import UnsupportedFormat

PACKAGE = Path(labelkit.__file__).parent
ROOT = PACKAGE.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
OTHER_SPELLING = re.compile(r"(?<!aigc-)labelkit\["
                            r"|pip3? +install(?: +[\w.=<>,\[\]-]+)*? +[\\\"']*labelkit(?![\w./-])")


def _tracked() -> list[Path]:
    """The files under version control, or every text of a tree without it."""
    done = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True,
                          text=True) if shutil.which("git") else None
    names = [name for name in done.stdout.split("\0") if name] if done else []
    if "README.md" not in names:
        names = [str(path.relative_to(ROOT)) for path in ROOT.glob("*") if path.suffix in (".md", ".toml")]
        names += [str(path.relative_to(ROOT)) for room in ("labelkit", "tests", "benchmarks", "samples")
                  for path in (ROOT / room).rglob("*") if path.suffix in (".py", ".json", ".md")]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def _misspelt(path: Path) -> list[str]:
    text = path.read_bytes().decode("utf-8", "replace")
    return [line for line in text.splitlines() if OTHER_SPELLING.search(line)]


def test_nothing_asks_for_the_other_projects_package():
    wrong = {str(path.relative_to(ROOT)): lines for path in _tracked() if (lines := _misspelt(path))}
    assert len(wrong.pop("CHANGELOG.md", [])) <= 1  # where the change of name is explained
    assert not wrong


def test_the_other_spellings_are_recognised():
    for name in ("labelkit", "labelkit" + "[video]"):
        for line in (f"pip install {name}", f'hint="pip install \\"{name}\\""', f"pip3 install -U gmalg {name}"):
            assert OTHER_SPELLING.search(line), line
    assert OTHER_SPELLING.search("needs " + "labelkit" + "[ocr]")
    for line in ('pip install "aigc-labelkit[ocr]"', "pip install aigc-labelkit", "pip uninstall labelkit",
                 "pip install dist/aigc_labelkit-1-py3-none-any.whl", "labelkit embed", "labelkit.embed"):
        assert not OTHER_SPELLING.search(line), line


def test_every_hint_names_an_extra_that_exists():
    named = [node.args[0].value for path in PACKAGE.rglob("*.py")
             for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)
             and getattr(node.func, "id", "") in ("install_hint", "extra") and isinstance(node.args[0], ast.Constant)]
    assert len(named) >= 6 and set(named) <= set(PROJECT["optional-dependencies"])
    assert distribution.install_hint("video") == f'pip install "{PROJECT["name"]}[video]"'


def test_a_hint_reaches_the_user(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)  # as where it is not installed
    from labelkit.codec import backends as library
    with pytest.raises(UnsupportedFormat) as raised:
        library.pyav("a.mp4", "MP4")
    for language in ("en", "zh-CN"):
        assert 'pip install "aigc-labelkit[video]"' in raised.value.hint.text(language)


def test_one_version():
    assert labelkit.__version__ == distribution.__version__ == importlib.metadata.version("aigc-labelkit")
    release = re.match(r"[\d.]+?(?=\.dev|$)", labelkit.__version__)[0]
    assert re.search(r"^## \[?([\d.]+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)[1] == release


@pytest.mark.parametrize("name", ["grid_search.py", "llm.py", "steps"])
def test_files_of_the_other_project_are_noticed(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.warns(distribution.SharedFolderWarning) as caught:
        distribution.warn_of_foreign_files(str(tmp_path))
    said = str(caught[0].message)
    assert str(tmp_path) in said and "pip uninstall labelkit" in said and said.endswith(" aigc-labelkit")


def test_a_folder_of_our_own_is_no_reason_to_warn(tmp_path):
    for name in ("__init__.py", "pipeline.py", "label.py"):
        (tmp_path / name).touch()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        distribution.warn_of_foreign_files(str(tmp_path))
        distribution.warn_of_foreign_files()


def _run(folder: Path, code: str) -> subprocess.CompletedProcess:
    """Runs `code` with the package in `folder` and nothing that is installed."""
    start = f"import sys; sys.path.insert(0, {str(folder)!r}); "
    return subprocess.run([sys.executable, "-I", "-S", "-c", start + code], capture_output=True, text=True, timeout=600)


@pytest.fixture
def shared(tmp_path):
    """A copy of the package beside the files of the other project."""
    without = shutil.ignore_patterns("*.so", "__pycache__", "fonts", "speech")
    shutil.copytree(PACKAGE, tmp_path / "labelkit", ignore=without)
    (tmp_path / "labelkit" / "steps").mkdir()
    return tmp_path


def test_the_import_warns_once_of_a_shared_folder(shared):
    done = _run(shared, "import labelkit, labelkit.plan; print(labelkit.__version__)")
    assert done.stderr.count("SharedFolderWarning") == 1 and done.stdout.strip() == labelkit.__version__
    (shared / "labelkit" / "steps").rmdir()
    assert _run(shared, "import labelkit, labelkit.plan").stderr == ""


def test_the_command_says_that_its_package_was_replaced(shared):
    command = "from labelkit.cli.main import main; sys.exit(main(['--lang', 'en', '--version']))"
    done = _run(shared, command)
    assert (done.returncode, done.stdout) == (0, f"labelkit {labelkit.__version__}\n")
    (shared / "labelkit" / "__init__.py").write_text("from . import steps\n")
    done = _run(shared, command)
    assert done.returncode == 2 and "pip uninstall labelkit" in done.stderr and "Traceback" not in done.stderr
