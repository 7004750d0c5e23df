# SPDX-License-Identifier: Apache-2.0
"""Every bound of the service, in one place."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from labelkit import threads
from labelkit.errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class Limits:
    """What requests may take; a request that needs more is refused, and the others go on.

    body_bytes        of a request's body, counted as it comes, whatever its head says; 413
    pixels            of a picture over all its frames, of a film those of one frame; 413
    media_seconds     of sound or film, as the file states its length; 413
    work_seconds      that a file may take in its process, and `work_seconds_per_megabyte` more for each; 413
    memory_bytes      of each process; 413
    made_bytes        of a labelled file; 413
    receive_seconds   for the whole body of a request; 408
    send_seconds      for each 64 kB of an answer, and for the head of a request; the connection is closed
    processes         files that are worked on at a time. Labelling has as many processes of its own; they start with
                      the first file
    waiting           requests that come in or wait beside those; 503
    wait_seconds      that a request waits for a process; 503
    callers_share     requests at a time of one API key, or of one address without keys; 429
    held_bytes        of the bodies of all requests together, and of the files that go back; 503
    connections       at a time; 503

    Where there are jobs:

    direct_sound_bytes
                      of a sound that is answered at once; a larger one is a job, as every film is
    job_processes     jobs that are worked on at a time, in processes of their own, of as many again for labelling
    job_seconds       in the place of `work_seconds`
    job_keep_seconds  that a result waits to be fetched
    jobs              waiting, at work and not fetched; 503
    callers_jobs      of one API key, or of all callers without one; 429
    job_bytes         of the files of all jobs and their results; 503
    """

    body_bytes: int = 64 << 20
    pixels: int = 1 << 27  # that of `codec`, which the command line does not load for its help
    media_seconds: float = 600.0
    work_seconds: float = 30.0
    work_seconds_per_megabyte: float = 2.0
    memory_bytes: int = 2 << 30
    made_bytes: int = 256 << 20
    receive_seconds: float = 60.0
    send_seconds: float = 30.0
    processes: int = dataclasses.field(default_factory=threads.cores)
    waiting: int = 32
    wait_seconds: float = 20.0
    callers_share: int = 16
    held_bytes: int = 512 << 20
    connections: int = 1000
    direct_sound_bytes: int = 4 << 20
    job_processes: int = 1
    job_seconds: float = 1800.0
    job_keep_seconds: float = 3600.0
    jobs: int = 200
    callers_jobs: int = 100
    job_bytes: int = 8 << 30

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            whole = field.type == "int"
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not (
                    0 < value < math.inf):
                raise InvalidArgument("{name} must be a number above 0, got {got}", name=field.name, got=repr(value))
