# SPDX-License-Identifier: Apache-2.0
"""The options of `labelkit serve` that no other command has: where it listens, who may ask, and every limit."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from labelkit.cli import values
from labelkit.cli.text import _
from labelkit.service.keys import SCOPES
from labelkit.service.limits import Limits

if TYPE_CHECKING:
    from labelkit.cli.usage import Parser

_MEGABYTES = {"body": "body_bytes", "held": "held_bytes", "memory": "memory_bytes", "made": "made_bytes",
              "job-files": "job_bytes"}
_NUMBERS = ("media_seconds", "work_seconds", "receive_seconds", "wait_seconds", "processes", "waiting", "callers_share",
            "job_processes", "job_seconds", "job_keep_seconds", "jobs", "callers_jobs")


def add_listening(command: Parser) -> None:
    """Where the service listens, and what it shows there."""
    group = command.add_argument_group(_("the server"))
    group.add_argument("--host", metavar=_("ADDRESS"), default="127.0.0.1",
                       help=_("address to listen at; 127.0.0.1, this machine alone, by default"))
    group.add_argument("--port", type=values.port, metavar="N", default=8080, help=_("port; 8080 by default"))
    group.add_argument("--socket", metavar=_("FILE"), help=_("Unix socket to listen at instead"))
    group.add_argument("--tls-certificate", metavar="PEM", help=_("certificate chain, for https"))
    group.add_argument("--tls-key", metavar="PEM", help=_("its key"))
    group.add_argument("--proxy", metavar=_("ADDRESS"),
                       help=_("proxy whose X-Forwarded-For and X-Forwarded-Proto are believed"))
    group.add_argument("--page", metavar=_("FOLDER"), help=_("verify page to show at /, made by labelkit page"))


def add_access(command: Parser) -> None:
    """Who may ask for what."""
    group = command.add_argument_group(_("who may ask"))
    known = ", ".join(SCOPES)
    group.add_argument("--api-keys", metavar=_("FILE"), help=_("API keys, kept as hashes; --new-key adds one"))
    group.add_argument("--open", type=values.scopes, metavar=_("LIST"), default=[],
                       help=_("what needs no key: some of {scopes}").format(scopes=known))
    group.add_argument("--new-key", metavar=_("NAME"),
                       help=_("add a key with this name to --api-keys, print it and exit"))
    group.add_argument("--scopes", type=values.scopes, metavar=_("LIST"), default=["verify"],
                       help=_("what the new key allows: some of {scopes}; verify by default").format(scopes=known))


def add_lookup(command: Parser) -> None:
    """Who else is asked, and what is fetched."""
    group = command.add_argument_group(_("other hosts"))
    group.add_argument("--reference-hosts", type=values.words, metavar=_("LIST"), default=[],
                       help=_("hosts that files may be fetched from, for the parameter url and for "
                              "matches/byReference; *.example.com for all below one; none by default"))
    group.add_argument("--ask-also", type=values.words, metavar="URL", default=[],
                       help=_("other services that are asked too where a mark is looked up; none by default"))


def add_jobs(command: Parser) -> None:
    """Films and long sound that are answered later."""
    group, limits = command.add_argument_group(_("jobs")), {
        field.name: field.default for field in dataclasses.fields(Limits)}
    group.add_argument("--job-store", metavar=_("FOLDER|URL"),
                       help=_("answer films and long sound with 202 and a job, which is kept in this folder, or in "
                              "PostgreSQL or Redis for services on several machines; without it they are answered at "
                              "once and nothing is kept"))
    group.add_argument("--job-files", metavar="URL",
                       help=_("keep the files of jobs in an object store, below this prefix, such as s3://bucket/jobs; "
                              "by default where the jobs are"))
    for option, name, metavar, what in (
            ("--job-processes", "job_processes", "N", _("jobs at a time; {default:g} by default")),
            ("--max-job", "job_seconds", _("SECONDS"), _("that the work on a job may take; {default:g} s by default")),
            ("--keep-results", "job_keep_seconds", _("SECONDS"),
             _("that a result waits to be fetched; {default:g} s by default")),
            ("--max-jobs", "jobs", "N", _("jobs waiting, at work and not fetched; {default:g} by default")),
            ("--callers-jobs", "callers_jobs", "N",
             _("of them of one key, or of all who have none; {default:g} by default"))):
        group.add_argument(option, type=values.count, dest=name, metavar=metavar, default=limits[name],
                           help=what.format(default=limits[name]))


def add_limits(command: Parser) -> None:
    """The bounds that operators change; the others are in `labelkit.service.Limits`."""
    group, limits = command.add_argument_group(_("limits")), {
        field.name: field.default for field in dataclasses.fields(Limits)}

    def megabytes(option: str, what: str) -> None:
        default = limits[_MEGABYTES[option]]
        assert isinstance(default, int)
        group.add_argument(f"--max-{option}", type=values.count, metavar="MB", default=default >> 20,
                           help=what.format(default=default >> 20))

    megabytes("body", _("of a request; {default} MB by default"))
    megabytes("held", _("of the bodies of all requests together; {default} MB by default"))
    megabytes("memory", _("of each process; {default} MB by default"))
    megabytes("job-files", _("of the files of all jobs and their results; {default} MB by default"))
    megabytes("made", _("of a labelled file; {default} MB by default"))
    group.add_argument("--max-megapixels", type=values.count, default=134, metavar="N",
                       help=_("limit for all frames of a picture together, and for one frame of a film; 134 by "
                              "default"))
    for option, name, what in (
            ("--max-media", "media_seconds", _("length of sound and films; {default:g} s by default")),
            ("--max-work", "work_seconds", _("for one file, and 2 s more for each MB; {default:g} s by default")),
            ("--max-receive", "receive_seconds", _("for the body of a request; {default:g} s by default")),
            ("--max-wait", "wait_seconds", _("for a process to be free; {default:g} s by default"))):
        group.add_argument(option, type=values.count, dest=name, metavar=_("SECONDS"), default=limits[name],
                           help=what.format(default=limits[name]))
    group.add_argument("--processes", type=values.count, metavar="N",
                       help=_("files at a time; one per core by default"))
    group.add_argument("--waiting", type=values.count, metavar="N", default=limits["waiting"],
                       help=_("requests beside these, before more are refused; {default} by default").format(
                           default=limits["waiting"]))
    group.add_argument("--callers-share", type=values.count, metavar="N", default=limits["callers_share"],
                       help=_("requests at a time of one key, or of one address; {default} by default").format(
                           default=limits["callers_share"]))


def limits_of(options: argparse.Namespace) -> Limits:
    """The limits that the options name; raises InvalidArgument."""
    given = {name: getattr(options, name) for name in _NUMBERS if getattr(options, name) is not None}
    given |= {name: getattr(options, f"max_{option.replace('-', '_')}") << 20 for option, name in _MEGABYTES.items()}
    return Limits(**given, pixels=options.max_megapixels * 1_000_000)
