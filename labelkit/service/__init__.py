# SPDX-License-Identifier: Apache-2.0
"""The service: verify, check, label and propagate over HTTP, with the JSON of the command line (the extra `service`).

    settings = service.Settings(producer="001191440300708461136T1XGW3", limits=service.Limits(processes=4))
    app = service.Service(settings, service.Access("keys.jsonl"))       # an ASGI app
    service.http_server(app, host="127.0.0.1", port=8080).run()

It is built on Starlette and served by uvicorn. Both are kept by their makers, BSD-3-Clause, pure Python and typed, and
nearly every ASGI server and host of 2026 is made of them, so operators know them. FastAPI adds models of JSON bodies,
which this service does not have: its bodies are files, and its JSON has a schema already. aiohttp and Litestar bring
more that would not be used; gRPC is nothing that a browser or curl speaks.

The way of a request: who asks (`keys`), is there room (`gate`), take the file within its bounds (`upload`), read the
parameters (`parameters`), wait for a process, work (`verbs`, in the pools of `labelkit.isolation`), answer (`answers`).
`front` stands around it: a line of log, the figures for Prometheus, and answers that are sent piece by piece. Every
bound is in `limits`. Files of strangers are decoded in processes with limits; this process only tells
their format, by the bounded readers of `labelkit.container`. Nothing is kept: files are in memory alone, or, while
films and long sound are labelled, in temporary files of the process that labels them. Where the operator names a place
for `jobs`, films and long sound are kept there until their result is fetched, so that no kill loses them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from labelkit.distribution import install_hint
from labelkit.errors import InvalidArgument
from labelkit.service.keys import SCOPES, Access, Caller, add as add_key
from labelkit.service.limits import Limits

if TYPE_CHECKING:
    from labelkit.service.app import Service as Service
    from labelkit.service.server import http_server as http_server
    from labelkit.service.verbs import Settings as Settings

__all__ = ["SCOPES", "Access", "Caller", "Limits", "Service", "Settings", "add_key", "http_server"]
_WITH_EXTRA = {"Service": "app", "Settings": "verbs", "http_server": "server"}


def __getattr__(name: str) -> Any:
    """What wants the extra, imported when it is first asked for; raises InvalidArgument that names it."""
    if name not in _WITH_EXTRA:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"{__name__}.{_WITH_EXTRA[name]}"), name)
    except ModuleNotFoundError as error:
        raise InvalidArgument("the service needs {module}", module=error.name,
                              hint=install_hint("service")) from error
