# SPDX-License-Identifier: Apache-2.0
"""The explicit label in XMind: a floating topic above or below the map, and everything else as it was."""

import json
from xml.etree import ElementTree

import pytest

import labelkit as lk
from labelkit import codec, compliance, container, metadata
from labelkit.container import Reader
from labelkit.errors import HostTooSmall, LabelkitError
from labelkit.report import Status
from tests.cost import within
from tests.explicit.test_office import members, packed
from tests.files import LABEL

PLAN = lk.Plan(watermark=None)
XMAP = "urn:xmind:xmap:xmlns:content:2.0"
IN_XMAP, IN_SVG = "{urn:xmind:xmap:xmlns:content:2.0}", "{http://www.w3.org/2000/svg}"
META = '<meta xmlns="urn:xmind:xmap:xmlns:meta:2.0" version="2.0"><Author><Name>某人</Name></Author></meta>'
LIST = '<manifest xmlns="urn:xmind:xmap:xmlns:manifest:1.0"><file-entry full-path="content.xml"/></manifest>'


def topic(title: str, *attached: dict, **more: object) -> dict:
    return {"id": title, "title": title, **({"children": {"attached": list(attached)}} if attached else {}), **more}


def new_map(*roots: dict) -> bytes:
    sheets = [{"id": str(number), "class": "sheet", "rootTopic": root} for number, root in enumerate(roots)]
    return packed({"content.json": json.dumps(sheets, indent=1, ensure_ascii=False), "metadata.json": "{}",
                   "content.xml": "<xmap-content><sheet/></xmap-content>"})


def old_map(*roots: str, parts: dict[str, str] | None = None) -> bytes:
    sheets = "".join(f'<sheet id="{number}"><topic id="t{number}">{root}</topic></sheet>'
                     for number, root in enumerate(roots))
    return packed({"content.xml": f'<?xml version="1.0"?><xmap-content xmlns="{XMAP}" version="2.0">{sheets}'
                   "</xmap-content>", "META-INF/manifest.xml": LIST, **(parts or {"meta.xml": META})})


def explicit(data: bytes) -> lk.Finding:
    return lk.verify(data)[lk.Layer.EXPLICIT]


def labelled(data: bytes, **settings: object) -> bytes:
    return lk.embed(data, label=LABEL, plan=lk.Plan(explicit=lk.Explicit(**settings), watermark=None))


def floating(data: bytes) -> list[list[tuple[str, float]]]:
    """The floating topics of each sheet as another hand reads them: the words, and how far below the middle."""
    held = members(data)
    if "content.json" in held:
        roots = [sheet["rootTopic"] for sheet in json.loads(held["content.json"])]
        return [[(one["title"], one["position"]["y"]) for one in root.get("children", {}).get("detached", ())]
                for root in roots]
    found = []
    for sheet in ElementTree.fromstring(held["content.xml"]):
        path = "/".join(IN_XMAP + name for name in ("topic", "children", "topics[@type='detached']", "topic"))
        found.append([(one.findtext(IN_XMAP + "title"), float(one.find(IN_XMAP + "position").get(IN_SVG + "y")))
                      for one in sheet.findall(path)])
    return found


BRANCHES = ("<title>山</title><children><topics type='attached'><topic><title>AI生成</title></topic><topic>"
            "<title>水</title></topic></topics></children>")
MAPS = {
    "new": lambda: new_map(topic("山", topic("AI生成"), topic("水"))),
    "new, bare": lambda: new_map(topic("山")),
    "new, with floating": lambda: new_map({**topic("山"), "children": {"detached": [
        topic("云", position={"x": 5, "y": -30})]}}),
    "old": lambda: old_map(BRANCHES),
    "old, bare": lambda: old_map("<title>山</title>"),
    "old, with floating": lambda: old_map(
        '<title>山</title><children><topics type="detached"><topic><title>云</title><position xmlns:s='
        '"http://www.w3.org/2000/svg" s:x="5" s:y="-30"/></topic></topics></children>'),
}


@pytest.mark.parametrize("make", MAPS.values(), ids=MAPS.keys())
def test_the_label_floats_above_and_below_and_the_rest_stays(make):
    before = make()
    assert explicit(before).status is Status.ABSENT, "a branch called AI生成 is content"
    after = labelled(before, place="both")
    old, new = floating(before), floating(after)
    assert [one for sheet in new for one in sheet if one not in old[0]] == [
        one for sheet in new for one in sheet if one[0] == "AI生成"]
    above, below = sorted(y for text, y in new[0] if text == "AI生成")
    assert above < -100 and below > 100
    found = explicit(after)
    assert found.status is Status.VALID and found.evidence.place == "start"
    assert metadata.read(after).label == LABEL
    changed = {name for name, data in members(after).items() if members(before).get(name) != data}
    assert changed == ({"content.json", "metadata.json"} if "metadata.json" in members(before) else
                       {"content.xml", "meta.xml"})
    assert labelled(after, place="both") == after, "what is there is not put there again"
    passed = {one.rule for one in compliance.check(lk.verify(after)) if one.outcome is compliance.Outcome.PASS}
    assert "explicit-label" in passed


@pytest.mark.parametrize("maps", [lambda *names: new_map(*map(topic, names)),
                                  lambda *names: old_map(*(f"<title>{name}</title>" for name in names))])
def test_places_and_marks(maps):
    one, three = maps("a"), maps("a", "b", "c")
    assert [len(sheet) for sheet in floating(labelled(three, place="start"))] == [1, 0, 0]
    assert [len(sheet) for sheet in floating(labelled(three, place="end"))] == [0, 0, 1]
    assert [len(sheet) for sheet in floating(labelled(three, place="middle"))] == [0, 1, 0]
    assert explicit(labelled(three, place="middle")).evidence.place == "middle"
    with pytest.raises(HostTooSmall):
        labelled(one, place="middle")
    marked = labelled(one, style="icon")
    assert floating(marked)[0][0][0] == "AI"
    assert explicit(marked).evidence.wording == "mark"


def test_a_map_of_many_branches_is_not_covered():
    many = new_map(topic("山", *(topic(str(number)) for number in range(100))))
    assert floating(labelled(many))[0][0][1] < -2500


def test_labels_of_others_are_found_and_branches_about_ai_are_none():
    said = topic("预算")
    said["children"] = {"attached": [topic("收入")],
                        "detached": [topic("本思维导图由人工智能生成", position={"x": 0, "y": 300})]}
    assert explicit(new_map(said)).status is Status.VALID
    for title in ("AI生成内容的法律问题", "怎样让AI生成一份周报?", "AI生成"):
        assert explicit(new_map(topic(title, topic("AI生成图片"), topic("AI生成")))).status is Status.ABSENT
        assert explicit(old_map(f"<title>{title}</title>")).status is Status.ABSENT


def test_metadata_of_xmind_8_without_a_member_for_them():
    before = old_map("<title>山</title>", parts={"styles.xml": "<a/>"})
    after = metadata.write(before, LABEL)
    assert metadata.read(after).label == LABEL and metadata.write(after, LABEL) == after
    assert 'full-path="meta.xml"' in members(after)["META-INF/manifest.xml"].decode()
    assert ElementTree.fromstring(members(after)["meta.xml"])[0].text == LABEL.to_json()


def test_broken_maps_are_refused():
    for data in (new_map(), packed({"content.json": "[{]", "metadata.json": "{}"}), old_map(),
                 new_map({**topic("x"), "title": 3})):
        try:
            found = codec.decode(Reader.of(data))
            assert not found.blocks
        except LabelkitError:
            pass
    assert container.sniff(new_map(topic("x"))).name == container.sniff(old_map("<title>x</title>")).name == "xmind"
    for whole in (MAPS["new"](), MAPS["old"]()):
        for cut in range(0, len(whole), 11):
            for broken in (whole[:cut], whole[:cut] + b"\xff\0{" + whole[cut + 3:]):
                try:
                    labelled(broken)
                except LabelkitError:
                    pass


def test_large_maps_take_time_that_grows_with_their_size():
    many = "".join(f"<topic><title>{number}</title></topic>" for number in range(20_000))
    old = old_map(f"<title>山</title><children><topics type='attached'>{many}</topics></children>")
    assert within(lambda: codec.decode(Reader.of(old)), 10)


@pytest.mark.parametrize("place, is_above", [("-5", True), ("5.5", False), ("--5", False), ("-", False), ("٣", False)])
def test_places_that_are_no_numbers_count_as_none(place, is_above):
    float_ = ('<children><topics type="detached"><topic><title>loose</title><position '
              f'xmlns:svg="http://www.w3.org/2000/svg" svg:y="{place}"/></topic></topics></children>')
    blocks = codec.decode(Reader.of(old_map("<title>map</title>" + float_), "a.xmind")).blocks
    assert [one.text for one in blocks] == (["loose", "map"] if is_above else ["map", "loose"])
