// SPDX-License-Identifier: Apache-2.0
// The worker: Python with labelkit, and the C2PA library. Stands behind Pyodide's own scripts in one blob.

const files = new Map();
const TYPES = { wasm: "application/wasm", json: "application/json" };
const PACKAGES = "/lib/python3.12/site-packages";
let browser = null, settings = "", c2pa = null, content = null;

// Pyodide asks for its files by address: they are here, and nothing else can be had.
self.fetch = async (address) => {
  const name = String(address.url || address).split("/").pop();
  if (!files.has(name)) throw new TypeError(`${name} is not there, and nothing is loaded`);
  return new Response(files.get(name), { headers: { "Content-Type": TYPES[name.split(".").pop()] || "" } });
};

async function start(given) {
  for (const [name, held] of given) files.set(name, held);
  const python = await loadPyodide({ indexURL: "https://page.invalid/", stdout: () => {}, stderr: () => {} });
  await python.loadPackage(["numpy", "pillow"]);
  python.unpackArchive(files.get("labelkit.zip"), "zip", { extractDir: PACKAGES });
  python.pyimport("labelkit.page.c2pa_results").install();
  browser = python.pyimport("labelkit.page.browser");
  settings = browser.settings();
  c2pa = later();
}

// What the first file would wait for, once the page has said that it is ready: it is wanted after that file was chosen.
async function later() {
  await new Promise((resolve) => setTimeout(resolve));
  browser.warm_up();
  return startC2pa();
}

async function startC2pa() {
  const address = URL.createObjectURL(new Blob([files.get("c2pa.js")], { type: "text/javascript" }));
  const library = await import(address);
  await library.default({ module_or_path: await WebAssembly.compile(files.get("c2pa_bg.wasm")) });
  files.clear();
  return library;
}

// What the library says of a file's manifests, as JSON for labelkit.
async function manifests(mime) {
  let reader = null;
  try {
    reader = await (await c2pa).WasmReader.fromBytes(mime, new Uint8Array(content), settings);
    return JSON.stringify({ json: reader.json(), crjson: reader.crJson() });
  } catch (error) {
    return JSON.stringify({ error: String(error && error.message || error) });
  } finally {
    if (reader) reader.free();
  }
}

const answers = {
  start: ({ files: given }) => start(given),
  look({ name, bytes }) {
    content = bytes;
    return JSON.parse(browser.look(name, new Uint8Array(content)));
  },
  async verify({ name, mime, manifest, media, moment, number }) {
    const stated = manifest ? await manifests(mime) : "";
    const { buffers = [], ...told } = media || {};
    const text = browser.verify(name, new Uint8Array(content), media ? JSON.stringify(told) : "", buffers, stated,
      moment, number, (stage) => postMessage({ stage }));
    content = null;
    return JSON.parse(text);
  },
};

self.onmessage = async ({ data }) => {
  try {
    postMessage({ id: data.id, answer: await answers[data.ask](data) });
  } catch (error) {
    postMessage({ id: data.id, failed: String(error && error.message || error) });
  }
};
