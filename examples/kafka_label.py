# SPDX-License-Identifier: Apache-2.0
"""Label what comes through Kafka: KAFKA=localhost:9092 PRODUCER=acme faststream run kafka_label:app

Each message of the topic `generated` holds one file, and its key identifies the content. The labelled file goes to the
topic `labelled` under the same key, from which its produce id is made: a message that is delivered twice gets the same
label. A file that cannot be labelled goes to `unlabelled` with the reason in a header; no topic but this one ever holds
it. A message is acknowledged once its result is in Kafka, so that a crash loses none.

Kafka takes messages of 1 MB unless told otherwise: max.message.bytes of the topics bounds the files.
"""

from __future__ import annotations

import hashlib
import os

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

import labelkit as lk
from labelkit import aio
from labelkit.batch import derived_id

PRODUCER = os.environ["PRODUCER"]
broker = KafkaBroker(os.environ.get("KAFKA", "localhost:9092"))
app = FastStream(broker)


async def as_it_is(message: KafkaMessage) -> bytes:
    """The bytes of a message, which are a file and not JSON."""
    return message.body


@broker.subscriber("generated", group_id="labelkit", ack_policy=AckPolicy.NACK_ON_ERROR, decoder=as_it_is)
async def label(file: bytes, message: KafkaMessage) -> None:
    key = message.raw_message.key or hashlib.sha256(file).digest()
    try:
        made = await aio.embed(file, label=lk.Label(lk.Kind.GENERATED, PRODUCER, derived_id(PRODUCER, key.hex())))
    except lk.LabelkitError as error:
        await broker.publish(file, "unlabelled", key=key, headers={"reason": str(error)})
        return
    await broker.publish(made, "labelled", key=key)
