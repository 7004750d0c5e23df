# SPDX-License-Identifier: Apache-2.0
"""`labelkit serve`: verify, check, label and propagate over HTTP."""

from __future__ import annotations

import argparse
import datetime
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from labelkit import service
from labelkit.cli.embed import plan_of
from labelkit.cli.options import checks, key_of, result_signer_of, sm2_signer_of
from labelkit.cli.outcome import OK, UNANSWERED, note
from labelkit.cli.serve_options import limits_of
from labelkit.cli.text import one_line
from labelkit.errors import InvalidArgument
from labelkit.label import Kind, Label
from labelkit.messages import Message
from labelkit.preconditions import VerifySettings
from labelkit.resolve import Client, Fetcher, Guard

if TYPE_CHECKING:
    import uvicorn

    from labelkit.service import Service


def run(options: argparse.Namespace) -> int:
    """Serve until a signal comes, or add a key; returns the exit code."""
    if options.new_key is not None:
        return _add_key(options)
    if not options.api_keys and not options.open:
        raise InvalidArgument("nobody could use the service: there are no API keys, and nothing is open",
                              hint="give --api-keys FILE, to which --new-key adds keys, or --open verify")
    if bool(options.tls_certificate) != bool(options.tls_key):
        raise InvalidArgument("TLS needs --tls-certificate and --tls-key together")
    app = _service(options)
    server = service.http_server(app, host=options.host, port=options.port, socket=options.socket, proxy=options.proxy,
                                 certificate=options.tls_certificate, key=options.tls_key, on_start=lambda: note(
                                     Message("serving at {address}", address=_address(options, server)), options))
    _log_to_stderr()
    try:
        server.run()
    except KeyboardInterrupt:  # the signal that stopped it, raised again
        pass
    except SystemExit:  # the address is in use, or the key does not fit: the log has said so
        return UNANSWERED
    return OK if server.started else UNANSWERED


def _service(options: argparse.Namespace) -> Service:
    given, limits = checks(options), limits_of(options)
    plan, log = plan_of(options), None
    for party in (options.producer, options.propagator):
        if party is not None:  # a wrong one is refused before the first file
            Label(Kind.GENERATED, party, "check")
    if options.log:
        from labelkit.log import LabelLog
        log = LabelLog(options.log)
    if options.keep_manifests and not options.log:
        raise InvalidArgument("--keep-manifests needs --log, the log that they are kept in")
    if options.ask_also and not options.keep_manifests:
        raise InvalidArgument("--ask-also needs --keep-manifests: without it, nothing is looked up")
    if options.job_files and not options.job_store:
        raise InvalidArgument("--job-files needs --job-store, the place that the jobs themselves are kept in")
    hosts = tuple(options.reference_hosts)
    settings = service.Settings(
        checks=VerifySettings(trust=given["trust"], pins=given["pins"], effort=given["effort"], ocr=given["ocr"]),
        plan=plan, producer=options.producer, propagator=options.propagator, key=key_of(options), log=log,
        manifests=options.keep_manifests, peers=[Client(url) for url in options.ask_also],
        references=Fetcher(Guard(hosts), limits.receive_seconds, limits.body_bytes) if hosts else None,
        sm2=sm2_signer_of(options), results=result_signer_of(options), jobs=options.job_store,
        job_files=options.job_files, language=options.lang, limits=limits)
    return service.Service(settings, service.Access(options.api_keys, options.open),
                           page=Path(options.page) if options.page else None)


def _add_key(options: argparse.Namespace) -> int:
    if not options.api_keys:
        raise InvalidArgument("--new-key needs --api-keys, the file that it is added to")
    now = datetime.datetime.now(datetime.UTC)
    print(service.add_key(options.api_keys, options.new_key, options.scopes, now.isoformat(timespec="seconds")))
    note(Message("{path} has its hash; the key itself is shown only now", path=one_line(options.api_keys)), options)
    return OK


def _log_to_stderr() -> None:
    """A line of JSON for each request, and what the server says."""
    for name, level, formatter in (("labelkit.service", logging.INFO, logging.Formatter("%(message)s")),
                                   ("uvicorn", logging.WARNING, _OfServer())):
        handler, logger = logging.StreamHandler(sys.stderr), logging.getLogger(name)
        handler.setFormatter(formatter)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


class _OfServer(logging.Formatter):
    """What uvicorn says, as JSON too."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        from labelkit.service.front import line

        return line(server=super().format(record))


def _address(options: argparse.Namespace, server: uvicorn.Server) -> str:
    """Where a server listens; port 0 has become one that was free."""
    if options.socket:
        return str(options.socket)
    port = server.servers[0].sockets[0].getsockname()[1]
    host = f"[{options.host}]" if ":" in options.host else options.host
    return f"{'https' if options.tls_certificate else 'http'}://{host}:{port}"
