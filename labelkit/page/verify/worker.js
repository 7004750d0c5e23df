// SPDX-License-Identifier: Apache-2.0
// The worker: Python with labelkit, and the C2PA library. Stands behind Pyodide's own scripts in one blob.

const files = new Map();
const TYPES = { wasm: "application/wasm", json: "application/json" };
const PACKAGES = "/lib/python3.12/site-packages";
const RELATIONS = { parentOf: "parent", componentOf: "component" }, MAX_PICTURES = 24;
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

// What the library says of a file's manifests, as JSON for labelkit, and the bytes of their small pictures.
async function manifests(mime) {
  let reader = null;
  try {
    reader = await (await c2pa).WasmReader.fromBytes(mime, new Uint8Array(content), settings);
    const json = reader.json(), pictures = [...small(reader, JSON.parse(json).manifests || {})];
    const told = pictures.map(({ manifest, relation, title }) => ({ manifest, relation, title }));
    return [JSON.stringify({ json, crjson: reader.crJson(), pictures: told }), pictures.map(({ bytes }) => bytes)];
  } catch (error) {
    return [JSON.stringify({ error: String(error && error.message || error) }), []];
  } finally {
    if (reader) reader.free();
  }
}

// The small pictures of the files that the manifests are of, and of what these were made from without a manifest.
function* small(reader, stated) {
  let count = 0;
  for (const [manifest, { thumbnail, ingredients }] of Object.entries(stated)) {
    const parts = (ingredients || []).filter((part) => !part.active_manifest && RELATIONS[part.relationship]);
    const wanted = [{ thumbnail, relation: "", title: "" }, ...parts.map((part) => (
      { thumbnail: part.thumbnail, relation: RELATIONS[part.relationship], title: String(part.title || "") }))];
    for (const { thumbnail: picture, relation, title } of wanted) {
      if (!picture || count === MAX_PICTURES) continue;
      try {
        const bytes = reader.resourceToBytes(picture.identifier);
        count++;
        yield { manifest, relation, title, bytes };
      } catch {
        // the manifest names a picture that it does not hold
      }
    }
  }
}

const answers = {
  start: ({ files: given }) => start(given),
  look({ name, bytes }) {
    content = bytes;
    return JSON.parse(browser.look(name, new Uint8Array(content)));
  },
  async verify({ name, mime, manifest, media, moment, number }) {
    const [stated, pictures] = manifest ? await manifests(mime) : ["", []];
    const { buffers = [], ...told } = media || {};
    const text = browser.verify(name, new Uint8Array(content), media ? JSON.stringify(told) : "", buffers, stated,
      pictures, moment, number, (stage) => postMessage({ stage }));
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
