# SPDX-License-Identifier: Apache-2.0
"""The verify page in Chromium: it judges as labelkit does natively, and asks for nothing while it does.

`make test-page` runs it.
"""

from __future__ import annotations

import datetime
import json
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import labelkit as lk
from labelkit import kernels
from labelkit.messages import Message
from labelkit.page import shell, site
from tests.media import photo, saved
from tests.page import chromium, verified_files
from tests.page.axe import RULES
from tests.page.chromium import Page, Server, verified
from tests.page.conftest import KERNELS

AXE = Path(lk.__file__).parents[1] / "build" / "page" / "axe.min.js"
TOLERANCE = 0.05  # of a score: decoders differ in the last bits
MEASURED = ("score", "contrast", "height_share", "false_positive_rate")
PLACED = ("box", "lattice", "period", "angle", "spans", "begin_seconds", "end_seconds", "heard", "segments", "start_s",
          "end_s", "tempo", "pitch", "speed", "level_db", "loudness_lufs", "contrast_db", "unit_s", "geometry")


def native(file: Path) -> dict:
    try:
        return lk.verify(file, now=datetime.datetime.now(datetime.UTC)).to_dict()
    except lk.LabelkitError as error:
        return {"error": str(error)}


def differences(want: object, got: object, name: str = "") -> Iterator[str]:
    """Where two reports say other things: texts apart, and numbers that depend on the last bits of a decoder."""
    if isinstance(want, dict) and isinstance(got, dict):
        for key in want.keys() | got.keys():
            if key not in ("summary", "reasons", "unseen", "missed", "doubts", "error", *PLACED):
                yield from differences(want.get(key), got.get(key), f"{name}.{key}")
    elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        for index, (one, other) in enumerate(zip(want, got, strict=True)):
            yield from differences(one, other, f"{name}[{index}]")
    elif name.endswith(MEASURED) and isinstance(want, float) and isinstance(got, float):
        near = (want > 0) == (got > 0) if "rate" in name else math.isclose(want, got, rel_tol=TOLERANCE, abs_tol=0.5)
        if not near:
            yield f"{name}: {want} natively, {got} on the page"
    elif want != got:
        yield f"{name}: {want} natively, {got} on the page"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, signer: lk.Signer) -> list[Path]:
    return list(verified_files.made(tmp_path_factory.mktemp("files"), signer))


def test_the_page_judges_as_labelkit_does(page: Page, served: Server, files: list[Path]) -> None:
    """Of every kind of file: verdict, statuses, labels, payloads and evidence. And nothing is asked for meanwhile."""
    asked, requested = len(served.asked), len(page.requests)
    wrong, verdicts = {}, set()
    for file in files:
        want, got = native(file), verified(page, file)
        verdicts.add(want.get("verdict", "error"))
        if "error" in want or "error" in got:
            if str(want.get("error")) not in str(got.get("error")):
                wrong[file.name] = [want.get("error"), got]
        elif found := list(differences(want, got)):
            wrong[file.name] = found
    assert wrong == {}
    assert verdicts == {"confirmed", "suspected", "none", "undetermined", "error"}
    assert served.asked[asked:] == []
    assert [one for one in page.requests[requested:] if not one.startswith(("blob:", "data:"))] == []
    assert page.console == []


def test_the_comparison_can_fail(files: list[Path]) -> None:
    reports = {file.name: native(file) for file in files if file.name in ("labelled.png", "plain.png", "cropped.png")}
    assert list(differences(reports["labelled.png"], reports["plain.png"]))
    assert list(differences(reports["labelled.png"], reports["cropped.png"]))
    assert not list(differences(reports["labelled.png"], reports["labelled.png"]))


@pytest.mark.parametrize("reach", ["fetch('licences.txt')", "fetch('https://example.org/')",
                                   "new Promise((done, failed) => { const image = new Image(); image.onload = done;"
                                   " image.onerror = failed; image.src = 'icon.svg'; })",
                                   "new Promise((done, failed) => { const request = new XMLHttpRequest();"
                                   " request.onload = done; request.onerror = failed;"
                                   " request.open('GET', 'licences.txt'); request.send(); })"])
def test_the_ready_page_can_open_no_connection(page: Page, served: Server, reach: str) -> None:
    asked = len(served.asked)
    assert page.run(f"{reach}.then(() => 'open', () => 'refused')") == "refused"
    page.run("navigator.sendBeacon('beacon', 'x')")
    assert served.asked[asked:] == []
    page.console.clear()  # what the policy refused


def test_a_worker_of_the_ready_page_can_open_no_connection(page: Page, served: Server) -> None:
    asked = len(served.asked)
    script = f"fetch('{served.url}licences.txt').then(() => postMessage('open'), () => postMessage('refused'))"
    assert page.run(f"""new Promise((done) => {{
        const worker = new Worker(URL.createObjectURL(new Blob([{json.dumps(script)}])));
        worker.onmessage = (event) => done(event.data);
    }})""") == "refused"
    assert served.asked[asked:] == []
    page.console.clear()


def test_before_it_is_sealed_a_page_can(served: Server) -> None:
    """The negative twin: the same server answers the same requests of a page without the policy."""
    with chromium.browser() as other:
        other.open(served.url + "licences.txt")
        assert other.run("fetch('licences.txt').then(() => 'open', () => 'refused')") == "open"


def test_a_changed_file_of_the_runtime_is_refused(built: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(built, copy)
    library = copy / "runtime" / "labelkit.zip"
    library.write_bytes(library.read_bytes() + b"\0")
    with Server(copy) as server, chromium.browser() as page:
        page.open(server.url)
        with pytest.raises(chromium.Failed, match="could not be loaded"):
            chromium.wait_until_ready(page)


def test_the_card_shows_label_and_limits_in_both_languages(page: Page, files: list[Path]) -> None:
    file = next(file for file in files if file.name == "labelled.jpg")
    report = verified(page, file)
    card = page.run("[...document.querySelectorAll('article')].at(-1).id")
    page.wait(f"document.querySelector('#{card} .seen svg rect')")
    x, y, width, height = report["layers"]["explicit"]["evidence"]["box"]
    shown = page.run(f"""(() => {{ const one = document.querySelector('#{card} .seen svg rect');
        return ['x', 'y', 'width', 'height'].map((name) => Number(one.getAttribute(name))); }})()""")
    assert shown[0] <= x and shown[1] <= y and shown[0] + shown[2] >= x + width and shown[1] + shown[3] >= y + height
    for language, button in (("zh-CN", "zh"), ("en", "en")):
        page.run(f"document.getElementById('{button}').click()")
        text = page.run(f"document.querySelector('#{card}').innerText")
        for message in ("confirmed AI-generated", "What this does not prove",
                        "A mark of a private key cannot be read here, because a page can keep no secret: ask the "
                        "service of the producer."):
            assert Message(message).text(language) in text
        assert page.run("document.documentElement.lang") == language


def test_the_history_has_the_small_pictures_of_its_manifests(
        page: Page, files: list[Path], signer: lk.Signer, tmp_path: Path) -> None:
    first, second = tmp_path / "first.jpg", tmp_path / "second.jpg"
    plan = lk.Plan(provenance=signer.with_thumbnails())
    lk.embed(saved(photo(480, 640), "JPEG", quality=90), first, verified_files.LABEL, plan=plan)
    lk.embed(first, second, verified_files.LABEL, plan=plan, replace=True)
    verified(page, second)
    card = page.run("[...document.querySelectorAll('article')].at(-1).id")
    page.wait(f"[...document.querySelectorAll('#{card} .tree img')].every((one) => one.complete)")
    sizes = page.run(f"[...document.querySelectorAll('#{card} .tree img')].map((one) => one.naturalWidth)")
    assert sizes == [512, 512]
    verified(page, next(file for file in files if file.name == "labelled.jpg"))  # whose manifest has none
    assert page.run("![...document.querySelectorAll('article')].at(-1).querySelector('.tree')")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_is_accessible(page: Page, files: list[Path], language: str, width: int, dark: bool) -> None:
    """WCAG 2.1 AA as far as axe-core sees, and no scrolling sideways, with reports of all kinds on it."""
    if not AXE.is_file():
        pytest.skip("axe-core is missing: make build/page/axe.min.js")
    if not page.run("!!window.axe"):
        page.run(AXE.read_text("utf-8") + "; 0")
        for name in ("labelled.mp4", "noise.bin", "broken-manifest.png", "labelled.wav"):
            verified(page, next(file for file in files if file.name == name))
    page.run(f"document.getElementById('{language}').click()")
    page.look(width, 900, dark=dark)
    found = page.run(f"axe.run(document, {{runOnly: {json.dumps(RULES)}}}).then((all) => all.violations.map((one) => "
                     "one.id + ': ' + one.nodes.map((node) => node.html.slice(0, 200)).slice(0, 3)))")
    page.look(1280, 900)
    assert found == []
    assert page.run("document.documentElement.scrollWidth <= innerWidth")


def test_a_name_from_a_file_becomes_no_markup(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "<img src=x onerror=document.title='owned'>.png"
    file.write_bytes(saved(photo(96, 128), "PNG"))
    verified(page, file)
    assert page.run("document.title") != "owned"
    said = page.run("document.getElementById('said').textContent")
    assert said.startswith(file.name) and Message("no sign of AI generation").text("en") in said  # to screen readers
    assert page.run("[...document.querySelectorAll('article h2')].at(-1).textContent") == file.name


def test_a_file_is_cancelled_and_the_next_is_verified(page: Page, files: list[Path]) -> None:
    slow, next_one = (next(file for file in files if file.name == name) for name in ("plain.mp4", "labelled.png"))
    page.choose("#files", [slow])
    page.wait("document.querySelector('article.pending progress')")
    card = page.run("document.querySelector('article.pending').id")
    page.run(f"document.querySelector('#{card} .buttons button').click()")
    assert "Cancelled" in page.run(f"document.querySelector('#{card} .stage').textContent")
    assert verified(page, next_one)["verdict"] == "confirmed"
    assert page.run(f"!document.querySelector('#{card} .layers')")


def test_the_page_works_offline(built: Path, files: list[Path]) -> None:
    file = next(file for file in files if file.name == "labelled.jpg")
    with chromium.browser() as page:
        with Server(built) as server:
            page.open(server.url)
            chromium.wait_until_ready(page)
            url = server.url
        page.open(url)
        chromium.wait_until_ready(page)
        assert verified(page, file)["verdict"] == "confirmed"


@pytest.fixture
def elsewhere(files: list[Path]) -> Iterator[Server]:
    """Another server, with the files."""
    with Server(files[0].parent, to_others=True) as server:
        yield server


def asking(folder: Path, *origins: str) -> Path:
    """The page, built for these servers."""
    site.build(folder, kernels=KERNELS, fetch_from=origins)
    return folder


def until_asked(page: Page) -> None:
    page.wait("document.getElementById('state').dataset.state === 'asking'", 300)


def answer(page: Page, place: int) -> None:
    page.run(f"document.querySelectorAll('#offer button')[{place}].click()")


def shown(page: Page) -> str:
    page.wait("document.querySelector('article .layers')", 300)
    return str(page.run("document.querySelector('article').innerText"))


def test_a_file_is_fetched_from_its_address_on_a_click_and_then_nothing_is(
        elsewhere: Server, tmp_path: Path) -> None:
    with Server(asking(tmp_path / "page", elsewhere.url[:-1])) as server, chromium.browser() as page:
        page.open(f"{server.url}?url={elsewhere.url}labelled.jpg")
        until_asked(page)
        assert page.run("document.getElementById('asked').textContent") == f"{elsewhere.url}labelled.jpg"
        assert elsewhere.asked == []
        answer(page, 0)
        assert "labelled.jpg" in shown(page) and "confirmed AI-generated" in page.text()
        assert elsewhere.asked == ["/labelled.jpg"]
        assert not {"Referer", "Cookie"} & set(elsewhere.headers[0])
        assert page.run(f"fetch('{elsewhere.url}plain.png').then(() => 'open', () => 'refused')") == "refused"
        assert elsewhere.asked == ["/labelled.jpg"]


def test_nothing_is_fetched_where_the_visitor_says_no_or_chooses_a_file(
        elsewhere: Server, files: list[Path], tmp_path: Path) -> None:
    with Server(asking(tmp_path / "page", elsewhere.url[:-1])) as server, chromium.browser() as page:
        for chosen in (False, True):
            page.open(f"{server.url}?url={elsewhere.url}labelled.jpg&n={chosen}")
            until_asked(page)
            if chosen:
                page.choose("#files", [next(file for file in files if file.name == "plain.png")])
                assert "plain.png" in shown(page)
            else:
                answer(page, 1)
            chromium.wait_until_ready(page)
            assert page.run("document.getElementById('offer').hidden")
        assert elsewhere.asked == []


def test_a_server_for_which_the_page_was_not_built_is_not_asked(served: Server, elsewhere: Server) -> None:
    with chromium.browser() as other:
        other.open(f"{served.url}?url={elsewhere.url}labelled.jpg")
        until_asked(other)
        answer(other, 0)
        chromium.wait_until_ready(other)
        assert "could not be fetched" in other.run("document.getElementById('unfetched').textContent")
        assert elsewhere.asked == []
        other.open(f"{served.url}?url=javascript:alert(1)")
        chromium.wait_until_ready(other)
        assert other.run("document.getElementById('offer').hidden")


def test_kernels_as_webassembly_agree_to_the_bit(served: Server) -> None:
    """A picture is marked alike, and picture and sound are judged alike: natively, and by both kernels of the page."""
    script = """
import hashlib, json, sys
import numpy as np
sys.path.insert(0, "/tmp/lib")
import labelkit as lk
from labelkit import kernels

def results():
    chance = np.random.default_rng(5)
    picture = (chance.random((256, 320, 3)) * 120 + np.arange(320)[None, :, None] / 3).astype(np.uint8)
    wave = (0.2 * np.sin(np.arange(96_000) * 0.05) + 0.05 * chance.standard_normal(96_000)).astype(np.float32)[:, None]
    label = lk.Label(lk.Kind.GENERATED, "001191440300708461136T1XGW3", "2026-000017")
    payload = lk.Payload.of(label)
    marked = lk.watermark.image.embed(picture, payload)
    found = lk.watermark.image.detect(marked)
    sound = lk.watermark.audio.detect(wave, 16_000)
    return [hashlib.sha256(marked.tobytes()).hexdigest(), found.payload.hex], [found.score, sound.score]

told = {}
for name in kernels.backends():
    kernels.use(name)
    told[name] = results()
json.dumps(told)
"""
    names: dict[str, object] = {}
    exec(script.replace("json.dumps(told)", "").replace("told[name] = results()", "pass"), names)
    before = kernels.backend()
    try:
        want = names["results"]()
    finally:
        kernels.use(before)
    with chromium.browser() as page:
        page.open(served.url + "licences.txt")
        got = json.loads(str(page.run(f"""(async () => {{
            const script = document.createElement('script');
            script.src = 'runtime/pyodide.js';
            await new Promise((done) => {{ script.onload = done; document.head.append(script); }});
            const python = await loadPyodide({{ indexURL: '{served.url}runtime/' }});
            await python.loadPackage(['numpy', 'pillow']);
            const library = await (await fetch('runtime/labelkit.zip')).arrayBuffer();
            python.unpackArchive(library, 'zip', {{ extractDir: '/tmp/lib' }});
            return python.runPython({json.dumps(script)});
        }})()""")))
    assert set(got) == {"numpy", "scalar"}
    assert got["scalar"][0] == got["numpy"][0] == want[0]
    for name in got:  # scores come by transforms, which differ in their last bits
        assert got[name][1] == pytest.approx(want[1], abs=0.01)


def test_every_text_of_the_scripts_is_in_the_page() -> None:
    """So it is in both catalogues: no script holds a text of its own."""
    folder = Path(lk.__file__).parent / "page" / "verify"
    said = {name for file in folder.glob("*.js") for name in re.findall(r'(?:say|tell|button|stage)\([^"()]*"(\w+)"',
                                                                        file.read_text("utf-8"))}
    said |= {name for file in folder.glob("*.js") for name in re.findall(r'"(result-\w+)"', file.read_text("utf-8"))}
    said |= {f"verdict-{verdict.value}" for verdict in lk.Verdict}
    html = shell.page([], [], "", "en")
    assert said and all(f'id="text-{name}"' in html for name in said)
