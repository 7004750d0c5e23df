# SPDX-License-Identifier: Apache-2.0
"""Tools for assistants: verify, inspect, check and embed over the Model Context Protocol (the extra `mcp`).

    settings = mcp.Settings([Path("pictures")], producer="001191440300708461136T1XGW3")
    mcp.server(settings).run()                              # over stdin and stdout, as `labelkit mcp pictures`

It is built on the protocol's official SDK. A model chooses the arguments of a call, and what it reads may have been
written to mislead it, so nothing here trusts them: files are opened only under the folders that were granted
(`roots`), no URL is fetched, nothing is written over, and files are verified in processes with limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labelkit.distribution import install_hint
from labelkit.errors import InvalidArgument
from labelkit.mcp.roots import Roots
from labelkit.mcp.tools import Settings, Tools

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

__all__ = ["Roots", "Settings", "Tools", "server"]


def server(settings: Settings) -> MCPServer[dict[str, Any]]:
    """The server, ready to run; raises InvalidArgument that names the extra, and for what is no folder."""
    try:
        from labelkit.mcp.protocol import build
    except ModuleNotFoundError as error:
        raise InvalidArgument("tools for assistants need {module}", module=error.name,
                              hint=install_hint("mcp")) from error
    return build(settings)
