// SPDX-License-Identifier: Apache-2.0
// Loads the verifier's files by their hashes, forbids all connections, and starts the worker that verifies.

const facts = JSON.parse(document.getElementById("facts").textContent);
const SCRIPTS = ["pyodide.asm.js", "pyodide.js", "worker.js"];

const last = (name) => name.slice(name.lastIndexOf("/") + 1);

// The files by name. The browser refuses one whose hash is not that of index.html.
export async function load(onShare) {
  const all = facts.files.reduce((sum, file) => sum + file.bytes, 0);
  let done = 0;
  const files = await Promise.all(facts.files.map(async ({ name, bytes, integrity }) => {
    const answer = await fetch(name, { integrity });
    if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
    const held = await answer.arrayBuffer();
    onShare((done += bytes) / all);
    return [name, held];
  }));
  await Promise.all([keepOffline(files), document.fonts.load('1em "LabelKit Pages"', "中")]);
  return new Map(files.map(([name, held]) => [last(name), held]));
}

// Stores the page for its service worker, which is there before the page is sealed: nothing is asked for after.
async function keepOffline(files) {
  try {
    const store = await caches.open(`labelkit-${facts.version}`);
    if (!(await store.match("index.html"))) {
      await Promise.all(files.map(([name, held]) => store.put(name, new Response(held, { headers: { "Content-Type":
        name.endsWith(".js") ? "text/javascript" : "application/octet-stream" } }))));
      await store.addAll(facts.small);
    }
    await navigator.serviceWorker.register("sw.js");
    await navigator.serviceWorker.ready;
  } catch {
    // a private window, or a server without https: the page works, but not offline
  }
}

// From now on neither the page nor the workers that it makes can open a connection: policies are never taken back.
export function seal() {
  const policy = document.createElement("meta");
  policy.httpEquiv = "Content-Security-Policy";
  policy.content = facts.sealed;
  document.head.append(policy);
}

// A worker made of a blob is under the page's policies. Resolves once Python runs in it.
export function startWorker(files) {
  const script = new Blob(SCRIPTS.flatMap((name) => [files.get(name), "\n"]), { type: "text/javascript" });
  const worker = new Worker(URL.createObjectURL(script));
  const open = new Map();
  let number = 0;
  const ask = (message, transfer = []) => new Promise((resolve, reject) => {
    open.set(++number, { resolve, reject });
    worker.postMessage({ ...message, number: message.number ?? 0, id: number }, transfer);
  });
  worker.onmessage = ({ data }) => {
    if (data.stage !== undefined) return worker.onstage && worker.onstage(data.stage);
    const { resolve, reject } = open.get(data.id);
    open.delete(data.id);
    data.failed ? reject(new Error(data.failed)) : resolve(data.answer);
  };
  worker.onerror = (event) => open.forEach(({ reject }) => reject(new Error(event.message)));
  const given = [...files].filter(([name]) => !SCRIPTS.includes(name));
  return ask({ ask: "start", files: given }).then(() => ({ worker, ask }));
}
