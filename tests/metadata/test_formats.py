# SPDX-License-Identifier: Apache-2.0
"""What must hold in every format: the label reads back, here and in other programs; everything else stays."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from labelkit import container, metadata
from labelkit.report import Status
from tests import files
from tests.files import LABEL, OTHER


@dataclass
class Case:
    """A file without label, how its payload is read, and the file ending by which ffprobe shows its label, if any."""

    make: Callable[[], bytes]
    payload: Callable[[bytes], object]
    ffprobe: str = ""


CASES = {
    "wav": Case(lambda: files.sound("WAV"), files.packets),
    "wav 24 bit": Case(lambda: files.sound("WAV", "PCM_24"), files.packets),
    "rf64": Case(lambda: files.sound("RF64"), files.packets),
    "flac": Case(lambda: files.sound("FLAC"), files.packets, ".flac"),
    "ogg vorbis": Case(lambda: files.sound("OGG", "VORBIS"), files.packets, ".ogg"),
    "ogg opus": Case(lambda: files.sound("OGG", "OPUS"), files.packets, ".opus"),
    "mp3": Case(lambda: files.sound("MP3"), files.packets, ".mp3"),
}


@pytest.fixture(params=CASES)
def case(request) -> Case:
    return CASES[request.param]


def test_the_label_reads_back_and_the_payload_stays(case):
    host = case.make()
    out = metadata.write(host, LABEL)
    finding = metadata.read(out)
    assert (finding.status, finding.label) == (Status.VALID, LABEL)
    assert len(finding.evidence["carriers"]) == 1 and not finding.evidence["carriers"][0]["deviations"]
    assert case.payload(out) == case.payload(host)


def test_a_plain_file_has_no_label_and_no_trace(case):
    finding = metadata.read(case.make())
    assert (finding.status, finding.label) == (Status.ABSENT, None)
    assert finding.evidence["carriers"] == [] and finding.evidence["traces"] == []


def test_writing_again_replaces_the_label(case):
    first = metadata.write(case.make(), OTHER)
    second = metadata.write(first, LABEL)
    assert metadata.read(second).label == LABEL
    assert len(metadata.read(second).evidence["carriers"]) == 1
    assert OTHER.produce_id.encode() not in second
    assert metadata.write(second, LABEL) == second
    assert case.payload(second) == case.payload(case.make())


def test_other_slots_keep_their_bodies(case):
    def bodies(data: bytes) -> list[tuple]:
        with container.opened(data) as reader:
            return [(slot.kind, slot.key, slot.load()) for slot in container.slots(reader) if slot.key != "AIGC"]
    host = case.make()
    assert bodies(metadata.write(host, LABEL)) == bodies(host)


def test_ffprobe_reads_the_label_once(case, tmp_path):
    if not case.ffprobe:
        pytest.skip("ffprobe does not show labels of this format")
    labels = files.ffprobe_labels(metadata.write(case.make(), LABEL), case.ffprobe, tmp_path)
    assert labels == [LABEL.to_json()]
    assert files.ffprobe_labels(case.make(), case.ffprobe, tmp_path) == []


def test_file_to_file_gives_the_same_bytes(case, tmp_path):
    (tmp_path / "a").write_bytes(case.make())
    metadata.write_file(tmp_path / "a", tmp_path / "b", LABEL)
    assert (tmp_path / "b").read_bytes() == metadata.write(case.make(), LABEL)
