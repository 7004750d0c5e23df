# SPDX-License-Identifier: Apache-2.0
"""From a mark to its manifest: C2PA's Soft Binding Resolution API 2.4, asked (the service answers it).

    client = resolve.Client("https://labels.example/v1")
    for match in client.by_binding("org.labelkit.watermark.image.1", payload):
        store = client.manifest(match.id)
    found = resolve.recover("cat.jpg", lk.verify("cat.jpg"), client, trust=anchors)

Nothing else in labelkit asks the network what a mark means; `verify` never does. What is sent is the number of the
mark, never the content. What comes back is believed only as far as it fits the content (`provenance.recovered`).
"""

from labelkit.resolve.asking import Client, Match
from labelkit.resolve.fetching import Fetcher, Guard
from labelkit.resolve.recovery import Recovery, recover

__all__ = ["Client", "Fetcher", "Guard", "Match", "Recovery", "recover"]
