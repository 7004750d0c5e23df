# SPDX-License-Identifier: Apache-2.0
"""The label log: a record of every labelling. It finds the label of a file from the payload of its watermark, and it is
the record that Article 9 of the Labeling Measures requires when the explicit label is waived.

    log = LabelLog("labels.db")                         # SQLite; or LabelLog("postgresql://host/database")
    log.record(Entry(time, label, payload, plan=plan, sha256_after=digest, fingerprint=fingerprint(rgb)))
    for record in log.find(payload=found.payload):
        print(record.label.produce_id, record.time, record.waiver)
    result = log.verify(head=published)                 # AuditResult: intact, or what was tampered with

Records are only appended. Each contains the SHA-256 of the one before, so `verify` finds changed, inserted and missing
records. Whoever can rewrite the whole file can also rewrite the chain; a head (number and hash of the newest record)
that was stored elsewhere reveals that. No record is removed before a labelling in the log is 184 days younger.

Beside the records a log can keep the manifests of the labelled files (`keep`), to which `labelkit.resolve` and the
service lead from a mark.
"""

from labelkit.log.audit import AuditResult, audit_lines
from labelkit.log.entry import KEEP_DAYS, Entry, Head, Record, Waiver
from labelkit.log.fingerprint import distance, fingerprint
from labelkit.log.manifests import Kept
from labelkit.log.store import LabelLog

__all__ = ["KEEP_DAYS", "AuditResult", "Entry", "Head", "Kept", "LabelLog", "Record", "Waiver", "audit_lines",
           "distance", "fingerprint"]
