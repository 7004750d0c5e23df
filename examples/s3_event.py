# SPDX-License-Identifier: Apache-2.0
"""An AWS Lambda function that labels each object as it is created: handler s3_event.handler.

Environment: OUTPUT_BUCKET (another bucket than the one that is watched), PRODUCER, and if you like SIGNER and KEY, the
paths of a signer and a watermark key in the image; MAX_BYTES (by default 256 MB). An event that comes twice gives the
same label. What cannot be labelled raises, so that S3 tries again and then puts the event into your dead-letter queue;
nothing unlabelled is written.
"""

from __future__ import annotations

import functools
import os
import urllib.parse
from typing import Any

import boto3

import labelkit as lk


@functools.cache
def plan() -> lk.Plan:
    signer = os.environ.get("SIGNER")
    return lk.Plan(provenance=lk.Signer.load(signer) if signer else None)


@functools.cache
def key() -> lk.Key | None:
    return lk.Key.load(os.environ["KEY"]) if "KEY" in os.environ else None


def label_object(s3: Any, bucket: str, name: str, target: str) -> str:
    """Label one object into another bucket under its name; returns the produce id."""
    found = s3.get_object(Bucket=bucket, Key=name)
    if found["ContentLength"] > int(os.environ.get("MAX_BYTES", 256 << 20)):
        raise lk.LabelkitError("{where} is too large for this function", where=f"{bucket}/{name}")
    number = found["ETag"].strip('"')  # of the content: what comes again gets the same label
    label = lk.Label(lk.Kind.GENERATED, os.environ["PRODUCER"], produce_id=number)
    made = lk.embed(found["Body"].read(), label=label, plan=plan(), key=key())
    s3.put_object(Bucket=target, Key=name, Body=made, ContentType=found["ContentType"])
    return number


def handler(event: dict, context: object) -> dict[str, str]:
    """The names of the objects that were labelled, and their produce ids."""
    s3, target, made = boto3.client("s3"), os.environ["OUTPUT_BUCKET"], {}
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        if bucket == target:
            raise lk.LabelkitError("OUTPUT_BUCKET is the bucket that is watched: {bucket}", bucket=bucket)
        name = urllib.parse.unquote_plus(record["s3"]["object"]["key"])
        made[name] = label_object(s3, bucket, name, target)
    return made
