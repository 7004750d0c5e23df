# SPDX-License-Identifier: Apache-2.0
"""The label log: what was labelled, as what, for whom. It leads from the payload of a stripped file back to its label,
and it is the record that Article 9 of the Labeling Measures asks for where the explicit label is waived.

    log = LabelLog("labels.db")                         # SQLite; or LabelLog("postgresql://host/database")
    log.record(Entry(time, label, payload, plan=plan, sha256_after=digest, fingerprint=fingerprint(rgb)))
    for record in log.find(payload=found.payload):
        print(record.label.produce_id, record.time, record.waiver)
    audit = log.verify(head=published)                  # an answer: intact, or what was tampered with

Records are only ever appended. Each holds the SHA-256 of the one before, so a changed, inserted or missing record is
found by `verify`; whoever can rewrite the whole file can also rewrite the chain, and is found by a head (number and
hash of the newest record) that was kept elsewhere. Nothing is removed before it is 184 days old.
"""

from labelkit.log.audit import Audit, audit_lines
from labelkit.log.entry import KEEP_DAYS, Entry, Head, Record, Waiver
from labelkit.log.fingerprint import distance, fingerprint
from labelkit.log.store import LabelLog

__all__ = ["KEEP_DAYS", "Audit", "Entry", "Head", "LabelLog", "Record", "Waiver", "audit_lines", "distance",
           "fingerprint"]
