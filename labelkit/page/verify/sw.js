// SPDX-License-Identifier: Apache-2.0
// Serves the page from what it stored (load.js), so that it works offline.

const STORE = "labelkit-VERSION";
const HOME = new URL("./", self.location).pathname;

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => event.waitUntil((async () => {
  const old = (await caches.keys()).filter((name) => name.startsWith("labelkit-") && name !== STORE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
})()));

self.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== self.location.origin || !pathname.startsWith(HOME)) return;
  event.respondWith(served(event.request, pathname));
});

// The page itself is asked for first, so that a new version is seen; its parts are of one version, by their hashes.
async function served(request, pathname) {
  const store = await caches.open(STORE);
  const kept = await store.match(pathname === HOME ? `${HOME}index.html` : pathname);
  if (request.mode !== "navigate") return kept || fetch(request);
  return fetch(request).catch((error) => { if (kept) return kept; throw error; });
}
