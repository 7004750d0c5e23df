// SPDX-License-Identifier: Apache-2.0
// One file on the page: its progress, then its report with the file itself and where its labels lie.

const SVG = "http://www.w3.org/2000/svg";

// Shows a text of index.html in both languages.
export function say(element, name, detail = "") {
  element.replaceChildren(document.getElementById(`text-${name}`).content.cloneNode(true));
  if (detail) element.append(`: ${detail}`);
}

export function made(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export function button(name, onClick) {
  const element = made("button", { type: "button", className: "button quiet" });
  say(element, name);
  element.addEventListener("click", onClick);
  return element;
}

export class Card {
  constructor(number, file, onCancel) {
    this.number = number;
    this.file = file;
    this.isCancelled = false;
    this.status = made("p", { className: "stage" });
    this.status.setAttribute("role", "status");
    this.progress = made("progress");
    this.progress.setAttribute("aria-labelledby", `name-${number}`);
    this.buttons = made("p", { className: "buttons" }, button("cancel", () => onCancel(this)));
    this.element = made("article", { id: `file-${number}`, className: "pending" },
      made("div", { className: "title" }, made("h2", { id: `name-${number}` }, file.name)),
      this.status, this.progress, this.buttons);
    this.element.setAttribute("aria-labelledby", `name-${number}`);
    this.stage("waiting");
  }

  // What is done now; a number is how far that is, 0 to 1.
  stage(name) {
    if (typeof name === "number") {
      this.progress.value = name;
    } else {
      this.progress.removeAttribute("value");
      say(this.status, name);
    }
  }

  cancelled() {
    this.isCancelled = true;
    this.ended("cancelled");
  }

  unreadable(error) {
    this.ended("unreadable", error && error.message);
  }

  ended(name, detail) {
    say(this.status, name, detail);
    this.progress.remove();
    this.element.classList.remove("pending");
    this.buttons.replaceChildren(button("remove", () => this.remove()));
  }

  // Shows the worker's answer. Its HTML comes from labelkit, which escapes everything that a file holds.
  show(answer) {
    if (answer.error) {
      const languages = Object.entries(answer.error).map(([lang, text]) => made("span", { lang }, text));
      this.ended("unreadable");
      this.status.append(": ", ...languages);
      return;
    }
    const held = document.createElement("template");
    held.innerHTML = answer.card;
    const article = held.content.firstElementChild;
    article.tabIndex = -1;
    article.append(this.downloads(answer));
    this.preview(article.querySelector(".seen"), answer);
    const hadFocus = this.element.contains(document.activeElement);
    this.element.replaceWith(article);
    this.element = article;
    if (hadFocus) article.focus();
    const verdict = article.querySelector(".title .chip").cloneNode(true);
    document.getElementById("said").replaceChildren(`${this.file.name}: `, ...verdict.childNodes);
  }

  remove() {
    this.element.remove();
    URL.revokeObjectURL(this.address);
  }

  downloads({ report, pages }) {
    const language = () => document.documentElement.lang;
    return made("p", { className: "buttons" },
      button("print", () => save(pages[language()], "text/html", `${this.file.name}.report.html`)),
      button("json", () => save(JSON.stringify(report, null, 1), "application/json", `${this.file.name}.report.json`)),
      button("remove", () => this.remove()));
  }

  preview(place, { report, found }) {
    const box = report.layers.explicit.evidence.box;
    const kinds = { image: "img", video: "video", audio: "audio" };
    if (!kinds[found.family]) return place.remove();
    this.address = URL.createObjectURL(this.file);
    const shown = made(kinds[found.family], { src: this.address, preload: "auto" });
    shown.addEventListener("error", () => place.remove(), { once: true });
    if (found.family === "image") shown.alt = this.file.name; else shown.controls = true;
    const frame = made("div", { className: "frame" }, shown);
    const caption = made("figcaption");
    place.append(made("figure", {}, frame, caption));
    if (found.family === "audio") {
      shown.addEventListener("loadedmetadata", () => timeline(place, caption, report, shown.duration), { once: true });
      return;
    }
    say(caption, box ? "seen" : "unseen");
    const name = found.family === "image" ? "load" : "loadedmetadata";
    shown.addEventListener(name, () => {
      const size = [shown.naturalWidth || shown.videoWidth, shown.naturalHeight || shown.videoHeight];
      if (box) {
        const drawing = outline(size, box);
        frame.append(drawing);
        shown.addEventListener("play", () => drawing.remove(), { once: true });  // it is that of the opening
      }
      if (found.family === "video") timeline(place, caption, report, shown.duration);
    }, { once: true });
  }
}

function outline([width, height], [x, y, w, h]) {
  const margin = Math.max(width, height) / 150;
  const drawing = document.createElementNS(SVG, "svg"), line = document.createElementNS(SVG, "rect");
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.setAttribute("aria-hidden", "true");
  const values = { x: x - margin, y: y - margin, width: w + 2 * margin, height: h + 2 * margin, rx: margin };
  for (const [name, value] of Object.entries(values)) line.setAttribute(name, value);
  drawing.append(line);
  return drawing;
}

// Where in time the watermark lies, as a bar below the player and in words.
function timeline(place, caption, report, duration) {
  const found = report.layers.watermark.evidence, heard = found && found.soundtrack;
  const geometry = found && found.geometry || {};
  const spans = geometry.spans || (geometry.segments || []).map((one) => [one.start_s, one.end_s]);
  const sound = (heard && heard.geometry && heard.geometry.segments || []).map((one) => [one.start_s, one.end_s]);
  const all = [...spans, ...sound];
  if (!all.length || !Number.isFinite(duration)) return;
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", "0 0 1000 12");
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("class", "timeline");
  drawing.setAttribute("aria-hidden", "true");
  for (const [begin, end] of all) {
    const part = document.createElementNS(SVG, "rect");
    const values = { x: 1000 * begin / duration, y: 0, width: Math.max(2, 1000 * (end - begin) / duration), height: 12 };
    for (const [name, value] of Object.entries(values)) part.setAttribute(name, value);
    drawing.append(part);
  }
  const words = made("p", { className: "soft" });
  say(words, "marked", all.map(([begin, end]) => `${begin.toFixed(1)}–${end.toFixed(1)} s`).join(", "));
  caption.append(words);
  caption.before(drawing);
}

function save(text, type, name) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  made("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}
