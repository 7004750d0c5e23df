# SPDX-License-Identifier: Apache-2.0
"""The distribution: its name, version and extras, and a check for files of another one in the same folder.

The distribution is called aigc-labelkit, the package that it installs labelkit. PyPI's `labelkit` is an unrelated
project whose package has the same folder: installed together, each replaces files of the other.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labelkit.messages import Message

DISTRIBUTION = "aigc-labelkit"
__version__ = "0.2.0.dev0"  # the only place that states it: pyproject.toml reads this line

_FOLDER = os.path.dirname(os.path.abspath(__file__))
_FOREIGN = ("grid_search.py", "llm.py", "steps")  # in PyPI's labelkit 0.1.0, never in this package


class SharedFolderWarning(UserWarning):
    """Another distribution has installed files into the folder of this package."""


def extra(name: str) -> str:
    """An extra as pip takes it: `aigc-labelkit[video]` for "video"."""
    return f"{DISTRIBUTION}[{name}]"


def install_hint(name: str) -> str:
    """The command that installs an extra, the same in every language."""
    return f'pip install "{extra(name)}"'


def warn_of_foreign_files(folder: str = _FOLDER) -> None:
    """Issue a SharedFolderWarning if `folder` holds files of PyPI's labelkit; a few microseconds if it does not."""
    if any(os.path.exists(os.path.join(folder, name)) for name in _FOREIGN):
        warnings.warn(str(shared_folder(folder)), SharedFolderWarning, stacklevel=3)


def shared_folder(folder: str = _FOLDER) -> Message:
    """What is wrong with a folder that two projects share, and how to repair it."""
    from labelkit.messages import Message

    # uninstalling theirs removes the files that both have, so ours must be written again
    return Message("{folder} also holds files of another project, PyPI's labelkit, and either may have replaced files "
                   "of the other; to repair it: {uninstall}, then {reinstall}", folder=folder,
                   uninstall="pip uninstall labelkit",
                   reinstall=f"pip install --force-reinstall --no-deps {DISTRIBUTION}")
