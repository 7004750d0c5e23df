// SPDX-License-Identifier: Apache-2.0
// A file by its address, page?url=...: fetched on a click alone, and before the page forbids itself all connections.

import { say } from "./card.js";

const MAX_BYTES = 1 << 29;

// The address in the page's own, if it is one of the web.
export function given() {
  const text = new URLSearchParams(location.search).get("url");
  if (!text) return null;
  try {
    const address = new URL(text, location.href);
    return ["https:", "http:"].includes(address.protocol) && !address.username && !address.password ? address : null;
  } catch {
    return null;
  }
}

// Asks whether to fetch it. Gives the file; null where the visitor says no, or has chosen files (`refuse`).
export function offered(address) {
  const offer = document.getElementById("offer");
  const [fetching, refusing] = offer.querySelectorAll("button");
  document.getElementById("asked").textContent = address.href;
  offer.hidden = false;
  const stop = new AbortController();
  let refuse;
  const file = new Promise((resolve, reject) => {
    refuse = () => { stop.abort(); resolve(null); };
    refusing.addEventListener("click", refuse, { once: true });
    fetching.addEventListener("click", () => {
      fetching.disabled = refusing.disabled = true;
      fetched(address, stop.signal).then(resolve, reject);
    }, { once: true });
  });
  return { file: file.finally(() => { offer.hidden = true; }), refuse };
}

// Neither a cookie nor the page's own address is sent.
async function fetched(address, signal) {
  const answer = await fetch(address, { signal, credentials: "omit", referrerPolicy: "no-referrer",
                                        cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  const parts = [], reader = answer.body.getReader();
  for (let held = 0; ;) {
    const { done, value } = await reader.read();
    if (done) break;
    if ((held += value.length) > MAX_BYTES) {
      reader.cancel();
      throw new Error(`> ${MAX_BYTES >> 20} MB`);
    }
    parts.push(value);
  }
  return new File(parts, name(address));
}

function name(address) {
  const last = address.pathname.split("/").pop();
  try {
    return decodeURIComponent(last) || address.host;
  } catch {
    return last;
  }
}

// Says on the page why there is no file.
export function failed(error) {
  say(document.getElementById("unfetched"), "unfetched", String(error && error.message || error));
}
