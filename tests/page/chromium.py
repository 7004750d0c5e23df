# SPDX-License-Identifier: Apache-2.0
"""Chromium without a window, driven over a pipe by its DevTools protocol, and a server that notes what it is asked."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions",
          "--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio",
          "--force-color-profile=srgb", "--remote-debugging-pipe"]

_AS_3_AND_4 = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(word), fcntl.F_DUPFD, 10) for word in sys.argv[1:3])
os.dup2(read, 3)
os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""  # the protocol wants its pipe as files 3 and 4


class Failed(AssertionError):
    """The page threw, or the protocol refused."""


class Page:
    """One tab. `console` holds what its scripts wrote or threw."""

    def __init__(self, program: str, profile: str) -> None:
        here, there = os.pipe(), os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _AS_3_AND_4, str(here[0]), str(there[1]), program, *_FLAGS,
             f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(here[0], there[1]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(here[0])
        os.close(there[1])
        self._to, self._from = os.fdopen(here[1], "wb", buffering=0), os.fdopen(there[0], "rb")
        self._number, self._session, self._held = 0, None, b""
        self.console: list[str] = []
        self.requests: list[str] = []
        target = next(one for one in self.send("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self._session = self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "DOM", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: object) -> dict:
        """Call a method of the protocol, and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise Failed(f"{method}: {answer['error']}")
                return answer["result"]

    def _next(self) -> dict:
        while b"\0" not in self._held:
            part = self._from.read1(1 << 16)
            if not part:
                raise Failed("Chromium has ended")
            self._held += part
        text, _, self._held = self._held.partition(b"\0")
        answer = json.loads(text)
        self._note(answer.get("method"), answer.get("params", {}))
        return answer

    def _note(self, method: str | None, told: dict) -> None:
        if method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.console.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled":
            self.console.append(" ".join(str(one.get("value", one.get("description"))) for one in told["args"]))
        elif method == "Log.entryAdded":
            self.console.append(told["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])

    def run(self, script: str) -> object:
        """The value of a script, waited for where it is a promise."""
        result = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise Failed(json.dumps(result["exceptionDetails"], indent=1))
        return result["result"].get("value")

    def wait(self, condition: str, seconds: float = 120) -> None:
        """Until a condition holds on the page; raises Failed after so many seconds, far more than are needed."""
        if not self.run(f"""new Promise((resolve) => {{
                const end = Date.now() + {1000 * seconds};
                const look = () => ({condition}) ? resolve(true)
                    : Date.now() > end ? resolve(false) : setTimeout(look, 20);
                look();
            }})"""):
            raise Failed(f"{condition} did not come true; the page shows {self.text()!r}; console: {self.console}")

    def text(self) -> str:
        """What the page shows as text."""
        return str(self.run("document.body.innerText"))

    def look(self, width: int, height: int, *, dark: bool = False) -> None:
        """Make the window so many pixels large; a phone's below 600."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)
        self.send("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, url: str) -> None:
        """Go to an address."""
        self.look(1280, 900)
        self.send("Page.navigate", url=url)
        self.wait(f"document.readyState === 'complete' && location.href.startsWith({json.dumps(url)})")

    def choose(self, selector: str, files: list[Path]) -> None:
        """Choose files in an <input>."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(file.resolve()) for file in files])

    def screenshot(self, target: Path, *, whole: bool = True) -> None:
        """A PNG of the page."""
        made = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        target.write_bytes(base64.b64decode(made["data"]))

    def close(self) -> None:
        """End Chromium."""
        self._session = None
        with contextlib.suppress(Failed, OSError):
            self.send("Browser.close")
        self._process.wait(20)
        self._to.close()
        self._from.close()


@contextlib.contextmanager
def browser() -> Iterator[Page]:
    """A new Chromium with a profile of its own."""
    assert PROGRAM
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        page = Page(PROGRAM, profile)
        try:
            yield page
        finally:
            page.close()


class Server:
    """Serves a folder on this machine, to pages of other servers too if asked; `asked` lists the paths of all requests,
    `headers` what each had."""

    def __init__(self, folder: Path, *, to_others: bool = False) -> None:
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        handler = functools.partial(_Handler, self, to_others, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, owner: Server, to_others: bool, *args: object, **keywords: object) -> None:
        self._owner, self._to_others = owner, to_others
        super().__init__(*args, **keywords)

    def end_headers(self) -> None:
        if self._to_others:
            self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_request(self, code: object = "-", size: object = "-") -> None:
        self._owner.asked.append(self.path)
        self._owner.headers.append(dict(self.headers))

    def log_message(self, *args: object) -> None:
        pass


def wait_until_ready(page: Page) -> None:
    """Until the verify page has loaded; raises Failed where it cannot."""
    page.wait("['ready', 'failed'].includes(document.getElementById('state').dataset.state)", 300)
    if page.run("document.getElementById('state').dataset.state") != "ready":
        raise Failed(page.text())


def verified(page: Page, file: Path) -> dict:
    """The report of a file that the verify page gives for download, or {"error": text}."""
    number = page.run("Math.max(-1, ...[...document.querySelectorAll('article')].map((one) => one.id.slice(5))) + 1")
    page.choose("#files", [file])
    card = f"document.querySelector('#file-{number}')"
    page.wait(f"{card} && ({card}.querySelector('.layers') || !{card}.querySelector('progress'))", 300)
    if not page.run(f"!!{card}.querySelector('.layers')"):
        return {"error": page.run(f"{card}.querySelector('.stage').textContent")}
    return json.loads(str(page.run(f"""(() => {{
        const button = [...{card}.querySelectorAll('button')].find((one) => one.textContent.includes('JSON'));
        const make = URL.createObjectURL, click = HTMLAnchorElement.prototype.click;
        let held;
        URL.createObjectURL = (blob) => {{ held = blob; return make(blob); }};
        HTMLAnchorElement.prototype.click = () => {{}};
        button.click();
        URL.createObjectURL = make;
        HTMLAnchorElement.prototype.click = click;
        return held.text();
    }})()""")))
