// SPDX-License-Identifier: Apache-2.0
// Signed results on the page: whose key signed them, which file they are about, what they say. As labelkit.results
// checks them: neither the key nor the algorithm is taken from the JWS.

import { button, made, say } from "./card.js";

const TYPE = "labelkit-result+jws", SCHEMA = "labelkit.result/1", STAMP = "adoTst";
const KINDS = {  // of keys: each has one algorithm
  "EC P-256": ["ES256", { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }],
  "EC P-384": ["ES384", { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" }],
  "OKP Ed25519": ["Ed25519", { name: "Ed25519" }],
};
const MAX_BYTES = 16 << 20, SKEW_SECONDS = 300;
const keys = new Map(), known = new Map(), shown = [];

const encoded = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
  .replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
const decoded = (part) => Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")),
  (letter) => letter.charCodeAt(0));
const json = (bytes) => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// Believes the keys of a set (RFC 7517), by their thumbprints (RFC 7638) and by their names.
export async function believe(jwks, source) {
  for (const one of jwks.keys) {
    const { kty, crv, x, y } = one || {}, kind = KINDS[`${kty} ${crv}`];
    if (!kind || (one.use ?? "sig") !== "sig" || (one.alg ?? kind[0]) !== kind[0]) continue;
    const bare = kty === "EC" ? { crv, kty, x, y } : { crv, kty, x };
    try {
      const key = await crypto.subtle.importKey("jwk", bare, kind[1], false, ["verify"]);
      const print = encoded(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(bare))));
      for (const name of [print, one.kid]) {
        if (typeof name === "string" && !keys.has(name)) keys.set(name, { key, kind, print, source });
      }
    } catch {
      // no key of its kind, or one that this browser cannot use: what it signed is not believed
    }
  }
  await refresh();
}

// Notes a file that is verified here.
export async function know(name, bytes) {
  if (!crypto.subtle) return;
  known.set(hex(await crypto.subtle.digest("SHA-256", bytes)), name);
  await refresh();
}

// Takes a file that holds results or keys; false for any other.
export async function take(file) {
  if (!/\.(jws|jwks|json|jsonl|txt)$/i.test(file.name) || file.size > MAX_BYTES || !crypto.subtle) return false;
  const found = held(await file.text());
  if (found.keys) await believe(found, file.name);
  for (const signed of found.results || []) {
    const place = made("article", { className: "result" });
    shown.push({ file, signed, place });
    document.getElementById("cards").append(place);
  }
  await refresh();
  return Boolean(found.keys || found.results);
}

function held(text) {
  try {
    const trimmed = text.trim();
    if (!trimmed.startsWith("{")) return typeOf(trimmed) === TYPE ? { results: [trimmed] } : {};
    const whole = lines(trimmed);
    if (whole.length === 1 && Array.isArray(whole[0].keys)) return whole[0];
    const results = whole.map((one) => one.signed_result).filter((one) => typeof one === "string");
    return results.length ? { results } : {};
  } catch {
    return {};
  }
}

function lines(text) {
  try {
    return [JSON.parse(text)];
  } catch {
    return text.split("\n").filter((line) => line.trim()).map((line) => JSON.parse(line));
  }
}

const typeOf = (signed) => json(decoded(signed.split(".")[0])).typ;

// What a result says, or { refused }, the name of the text that says why it says nothing.
async function checked(signed) {
  try {
    const [head, payload, signature, ...more] = signed.split("."), header = json(decoded(head));
    const names = Object.keys(header).filter((name) => name !== STAMP).sort().join();
    if (more.length || names !== "alg,kid,typ" || header.typ !== TYPE) return { refused: "result-malformed" };
    const by = keys.get(header.kid);
    if (!by) return { refused: "result-unknown", detail: String(header.kid).slice(0, 80) };
    const holds = header.alg === by.kind[0] && await crypto.subtle.verify(by.kind[1], by.key, decoded(signature),
      new TextEncoder().encode(`${head}.${payload}`));
    if (!holds) return { refused: "result-broken" };
    const claims = json(decoded(payload));
    if (claims.schema !== SCHEMA || !/^[0-9a-f]{64}$/.test(claims.content.sha256) || !Number.isInteger(claims.iat) ||
        typeof claims.report.verdict !== "string") return { refused: "result-malformed" };
    if (claims.iat > Date.now() / 1000 + SKEW_SECONDS) return { refused: "result-future" };
    return { claims, by, stamped: STAMP in header };
  } catch {
    return { refused: "result-malformed" };
  }
}

let queue = Promise.resolve();
const refresh = () => (queue = queue.then(async () => {
  for (const one of shown) draw(one, await checked(one.signed));
}));

function draw(one, { refused, detail, claims, by, stamped }) {
  const chip = made("span", { className: `chip ${refused ? "invalid" : "valid"}` });
  say(chip, refused ? "result-refused" : "result-holds");
  const rows = made("dl", {});
  const row = (name, ...what) => {
    const term = made("dt");
    say(term, name);
    rows.append(term, made("dd", {}, ...what));
  };
  const words = (name, more = "") => { const span = made("span"); say(span, name, more); return span; };
  if (refused) {
    row("result-why", words(refused, detail));
  } else {
    const { content, detector = {}, report, iat } = claims, name = known.get(content.sha256);
    row("result-key", made("code", {}, by.print), " ", by.source ? words("result-given", by.source)
      : words("result-own"));
    row("result-content", made("code", {}, content.sha256), " ", name ? words("result-fits", name)
      : words(known.size ? "result-other" : "result-alone"));
    row("result-verdict", words(`verdict-${report.verdict}`));
    const reasons = Array.isArray(report.reasons) ? report.reasons : [];
    if (reasons.length) row("result-because", reasons.map(String).join("; "));
    row("result-detector", [detector.name, detector.version, detector.url].filter((part) => part).join(" "));
    row("result-time", new Date(1000 * iat).toISOString().replace("T", " ").replace(/\.\d+Z/, " UTC"), " ",
      words(stamped ? "result-stamped" : "result-stated"));
  }
  const gone = () => { shown.splice(shown.indexOf(one), 1); one.place.remove(); };
  one.place.replaceChildren(made("div", { className: "title" }, made("h2", {}, one.file.name), chip), rows,
    made("p", { className: "buttons" }, button("remove", gone)));
}
