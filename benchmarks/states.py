# SPDX-License-Identifier: Apache-2.0
"""Random histories of a label log, and random damage to the certificates of a signed picture.

    python -m benchmarks.states --seconds 300 [--dsn postgresql://...] [--seed 1]

Logs: what is recorded, found, expired, exported and tampered with must give the same answers in SQLite and, with --dsn
(of an empty database), in PostgreSQL; a log that was tampered with is never intact, one that was not always is.
Certificates: a picture of a trusted signer whose certificate was changed, in its dates above all, is never valid; the
one whose certificate ended stays invalid, whatever is changed. Revocation is not looked up: verify uses no network.
"""

from __future__ import annotations

import argparse
import datetime
import io
import random
import sqlite3
import tempfile
import time
from pathlib import Path

from labelkit.errors import LabelkitError
from labelkit.label import Kind, Label
from labelkit.log import Entry, LabelLog
from labelkit.payload import Payload
from labelkit.provenance import Claim, Signer, TrustList, keygen, sign, validate
from labelkit.report import Status
from tests.files import picture
from tests.provenance.certificates import NOW

START = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
TAMPERING = ("UPDATE labelkit_records SET body = replace(body, '\"1\"', '\"2\"') WHERE number = {number}",
             "DELETE FROM labelkit_records WHERE number = {number}",
             "UPDATE labelkit_records SET produce_id = 'x' WHERE number = {number}",
             "UPDATE labelkit_records SET hash = '" + "0" * 64 + "' WHERE number = {number}")
EXPIRED = Path(__file__).parents[1] / "tests" / "data" / "provenance"


def history(targets: list[str], draw: random.Random) -> None:
    """One history in every log; raises AssertionError where two differ or one is judged wrongly."""
    logs, day, count = [LabelLog(target) for target in targets], 0, 0
    for _ in range(draw.randrange(3, 15)):
        act, day = draw.randrange(4), day + draw.randrange(90)
        number = draw.randrange(max(count, 1)) + 1
        label = Label(draw.choice(list(Kind)), "producer", draw.choice(("id", "id-2", f"id-{count}")))
        if act < 2:
            made = [Entry(time=START + datetime.timedelta(days=day), label=label, payload=Payload.of(label))
                    for _ in range(draw.randrange(1, 4))]
            answers = [[(one.number, one.hash) for one in log.record(*made)] for log in logs]
            count += len(made)
        elif act == 2:
            answers = [[one.number for one in log.find(produce_id=label.produce_id)] for log in logs]
        else:
            answers = [log.expire(now=START + datetime.timedelta(days=day)) for log in logs]
            count += answers[0] > 0
        assert all(one == answers[0] for one in answers), answers
    exports = []
    for log in logs:
        out = io.StringIO()
        log.export(out)
        exports.append(out.getvalue())
        assert log.verify().intact
    assert len(set(exports)) == 1
    statement = draw.choice(TAMPERING).format(number=number)
    for target, log in zip(targets, logs, strict=True):
        head = log.head()
        log.close()
        if tampered(target, statement):
            with LabelLog(target) as again:
                assert not again.verify(head=head).intact, statement


def tampered(target: str, statement: str) -> bool:
    """Change a log behind its back; whether a record was there to be changed."""
    if target.startswith("postgresql"):
        import psycopg
        with psycopg.connect(target, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            before = connection.execute("SELECT * FROM labelkit_records ORDER BY number").fetchall()
            connection.execute(statement)
            return before != connection.execute("SELECT * FROM labelkit_records ORDER BY number").fetchall()
    with sqlite3.connect(target) as connection:
        for name in ("labelkit_append_only", "labelkit_kept"):
            connection.execute(f"DROP TRIGGER IF EXISTS {name}")
        before = connection.execute("SELECT * FROM labelkit_records ORDER BY number").fetchall()
        connection.execute(statement)
        return before != connection.execute("SELECT * FROM labelkit_records ORDER BY number").fetchall()


def damaged(data: bytes, draw: random.Random) -> bytes:
    """The picture with one to three bytes changed in its signer's certificate, mostly in the dates."""
    out, start = bytearray(data), data.index(b"\x30\x82", data.index(b"jumb"))
    length = int.from_bytes(data[start + 2:start + 4]) + 4
    dates = [at for at in range(start, start + length - 13) if data[at:at + 2] == b"\x17\x0d"]
    for _ in range(draw.choice((1, 1, 3))):
        in_date = bool(dates) and draw.random() < 0.7
        at = draw.choice(dates) + 2 + draw.randrange(12) if in_date else start + draw.randrange(length)
        new = draw.choice(b"0123456789") if in_date else draw.randrange(256)
        out[at] = new if new != out[at] else out[at] ^ 1
    return bytes(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--dsn")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    draw, folder = random.Random(given.seed), Path(tempfile.mkdtemp())
    label = Label(Kind.GENERATED, "producer", "id")
    signer, anchors = keygen(folder, "Acme", now=NOW)
    good = sign(picture("JPEG"), Claim(label, Payload.of(label)), Signer.load(signer))
    trust, ended = TrustList.load(anchors), (EXPIRED / "expired.jpg").read_bytes()
    old = TrustList.load(EXPIRED / "expired_anchors.pem")
    assert validate(good, trust=trust).status is Status.VALID
    end, histories, pictures = time.monotonic() + given.seconds, 0, 0
    while time.monotonic() < end:
        targets = [str(folder / f"{histories}.db")]
        if given.dsn:
            import psycopg
            with psycopg.connect(given.dsn, autocommit=True) as connection:
                connection.execute(f"CREATE SCHEMA h{given.seed}_{histories}")
            targets.append(f"{given.dsn}&options=-csearch_path%3Dh{given.seed}_{histories}")
        history(targets, draw)
        histories += 1
        for data, roots in [(good, trust), (ended, old)] * 10:
            changed = damaged(data, draw)
            try:
                found = validate(changed, trust=roots, now=NOW)
            except LabelkitError:
                continue
            assert found.status is not Status.VALID or changed == data, "a changed certificate is valid"
            pictures += 1
    print(f"{histories} histories in {len(targets)} logs, {pictures} damaged manifests: nothing found")


if __name__ == "__main__":
    main()
