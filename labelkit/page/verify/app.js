// SPDX-License-Identifier: Apache-2.0
// The page: takes files in, hands them to the worker one after the other, and shows a card for each.

import * as address from "./address.js";
import { Card, say } from "./card.js";
import { load, seal, startWorker } from "./load.js";
import { decoded } from "./media.js";
import * as results from "./results.js";

const state = document.getElementById("state");
const bar = document.getElementById("loaded");
const waiting = [];
let runtime = null, verifier = null, current = null, count = 0, refuse = () => {};

function tell(name, detail = "") {
  state.dataset.state = name;
  say(state, name, detail);
}

async function prepare() {
  tell("loading");
  runtime = await load((share) => { bar.value = share; });
  const asked = await fromAddress();
  tell("starting");
  seal();
  const own = runtime.get("result-keys.json");
  if (own && crypto.subtle) await results.believe(JSON.parse(new TextDecoder().decode(own)), "");
  if (asked) add([asked]);
  await restart();
}

// The file that the page's address names, where the visitor wants it; one that was chosen before goes first.
async function fromAddress() {
  const wanted = address.given();
  if (!wanted || waiting.length) return null;
  tell("asking");
  const offer = address.offered(wanted);
  refuse = offer.refuse;
  return offer.file.catch(address.failed);
}

async function restart() {
  verifier = null;
  const started = await startWorker(runtime);
  verifier = started;
  bar.hidden = true;
  tell("ready");
  next();
}

async function add(files) {
  if (files.length) refuse();
  for (const file of files) {
    if (await results.take(file)) continue;
    const card = new Card(count++, file, cancel);
    waiting.push(card);
    document.getElementById("cards").append(card.element);
  }
  next();
}

function cancel(card) {
  const place = waiting.indexOf(card);
  if (place >= 0) {
    waiting.splice(place, 1);
  } else if (current === card) {  // Python cannot be interrupted: its worker ends, and another takes its place
    verifier.worker.terminate();
    verifier = current = null;
    restart().catch(failed);
  }
  card.cancelled();
}

async function next() {
  if (!verifier || current || !waiting.length) return;
  const card = current = waiting.shift(), mine = verifier;
  try {
    card.show(await verified(card, mine));
  } catch (error) {
    if (current === card) card.unreadable(error);
  }
  if (current === card) current = null;
  next();
}

async function verified(card, { ask, worker }) {
  worker.onstage = (stage) => card.stage(stage);
  card.stage("look");
  const bytes = await card.file.arrayBuffer();
  await results.know(card.file.name, bytes);
  const found = await ask({ ask: "look", name: card.file.name, bytes });
  if (found.error) return found;
  let media = null;
  if (found.decode) {
    card.stage("media");
    media = await decoded(found, card.file, (share) => {
      if (card.isCancelled) throw new Error("cancelled");
      card.stage(share);
    });
  }
  const answer = await ask({ ask: "verify", name: card.file.name, mime: found.mime, manifest: found.manifest, media,
                             moment: new Date().toISOString(), number: card.number });
  return { ...answer, found };
}

function failed(error) {
  tell("failed", String(error && error.message || error));
}

function language() {
  const known = localStorage.getItem("language") || (navigator.language.startsWith("zh") ? "zh" : "en");
  const show = (short) => { document.documentElement.lang = short === "zh" ? "zh-CN" : "en"; };
  for (const short of ["en", "zh"]) {
    const button = document.getElementById(short);
    button.checked = short === known;
    button.addEventListener("change", () => { localStorage.setItem("language", short); show(short); });
  }
  show(known);
}

function entrances() {
  for (const id of ["files", "folder"]) {
    const input = document.getElementById(id);
    input.addEventListener("change", () => { add([...input.files]); input.value = ""; });
  }
  const drop = document.getElementById("drop");
  addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  addEventListener("dragleave", () => drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    dropped(event.dataTransfer).then(add);
  });
  addEventListener("paste", (event) => add([...event.clipboardData.files]));
}

// The files that were dropped, those in folders too.
async function dropped(given) {
  const entries = [...given.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry());
  if (!entries.some((entry) => entry && entry.isDirectory)) return [...given.files];
  const found = [];
  for (const entry of entries) if (entry) await walk(entry, found);
  return found;
}

async function walk(entry, found) {
  if (entry.isFile) return void found.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
  const reader = entry.createReader();
  for (;;) {  // a reader gives its entries in parts, and an empty one at the end
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!part.length) return;
    for (const inner of part) await walk(inner, found);
  }
}

language();
entrances();
prepare().catch(failed);
