# SPDX-License-Identifier: Apache-2.0
"""The tests of a watermark that the EU Code of Practice asks a provider for, on the provider's own media.

Measure 3.3 lists transformations and attacks; until there are benchmarks, documented tests of one's own are accepted
(measure 4.2). `labelkit evidence` runs them:

    media  >  subject (mark, change, detect)  >  measure (all of it, resumable)  >  tally  >  report, page

`pictures`, `sounds` and `films` are the tables of trials; `screens`, `acoustics` and `forging` do the changes. Paper,
cameras, loudspeakers and networks are imitated, and the report says so.
"""
