// SPDX-License-Identifier: Apache-2.0
// Decodes what Python cannot in a browser: sound, films, and pictures such as AVIF, by the browser's own decoders.

const OPENING = [0, 1, 1.9];  // seconds: the explicit label stands for two from the first frame on
const FRAMES = 16;
const MAX_PIXELS = 1 << 26;
const WAIT_MS = 20000;

// Calls `onShare` with the share of a film's frames that it has; what that raises ends the decoding.
export async function decoded(found, file, onShare) {
  try {
    if (found.decode === "sound") return { kind: "sound", ...await sound(file, found.rate) };
    if (found.decode === "film") return await film(file, found.rate, onShare);
    return await picture(file);
  } catch {
    return { kind: "none" };
  }
}

async function sound(file, rate) {
  const context = new OfflineAudioContext(1, 1, rate);
  const held = await context.decodeAudioData(await file.arrayBuffer());
  const buffers = Array.from({ length: held.numberOfChannels },
    (_, channel) => new Uint8Array(held.getChannelData(channel).slice().buffer));
  return { rate: held.sampleRate, channels: held.numberOfChannels, buffers };
}

async function picture(file) {
  const image = await createImageBitmap(file, { premultiplyAlpha: "none", colorSpaceConversion: "none" });
  const { width, height } = image;
  const pen = canvas(width, height);
  pen.drawImage(image, 0, 0);
  return { kind: "picture", width, height, buffers: [new Uint8Array(pen.getImageData(0, 0, width, height).data.buffer)] };
}

function canvas(width, height) {
  if (width * height > MAX_PIXELS || !width || !height) throw new Error("too large");
  return new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
}

async function film(file, rate, onShare) {
  const video = document.createElement("video");
  video.muted = true;
  video.preload = "auto";
  const address = video.src = URL.createObjectURL(file);
  try {
    await happened(video, "loadeddata");
    const { videoWidth: width, videoHeight: height, duration } = video;
    const pen = canvas(width, height), seconds = Number.isFinite(duration) ? duration : null;
    const times = [], planes = [], wanted = moments(seconds);
    for (const time of wanted) {
      onShare(times.length / wanted.length);
      await sought(video, time);
      planes.push(luma(await painted(video, pen, width, height), height));
      times.push(time);
    }
    const heard = await sound(file, rate).catch(() => ({ rate, channels: 0, buffers: [] }));
    return { kind: "film", width, height, seconds, times, rate: heard.rate, channels: heard.channels,
             buffers: [...planes, ...heard.buffers] };
  } finally {
    URL.revokeObjectURL(address);
    video.removeAttribute("src");
  }
}

// The times at which frames are taken: the opening, and evenly spaced over the whole.
function moments(seconds) {
  if (!seconds) return OPENING;
  const end = Math.max(0, seconds - 0.05);
  const spread = Array.from({ length: FRAMES }, (_, i) => end * i / (FRAMES - 1));
  const opening = OPENING.map((time) => time * Math.min(1, seconds / 2));
  return [...new Set([...opening, ...spread].map((time) => Math.round(time * 1000) / 1000))].sort((a, b) => a - b);
}

// The pixels of the frame. A busy browser says that it has it before it can paint it: the canvas then stays empty.
async function painted(video, pen, width, height) {
  for (let left = WAIT_MS / 50; left; left--) {
    pen.clearRect(0, 0, width, height);
    pen.drawImage(video, 0, 0);
    const { data } = pen.getImageData(0, 0, width, height);
    if (data[3]) return data;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("no frame");
}

async function sought(video, time) {
  const done = happened(video, "seeked");
  video.currentTime = time;
  await done;
}

function happened(video, name) {
  return new Promise((resolve, reject) => {
    const end = setTimeout(() => reject(new Error("no answer")), WAIT_MS);
    const stop = (then) => (event) => { clearTimeout(end); then(event); };
    video.addEventListener(name, stop(resolve), { once: true });
    video.addEventListener("error", stop(reject), { once: true });
  });
}

// Luma of RGBA, by the weights with which browsers made the colours (BT.709 from 720 lines on, else BT.601).
function luma(rgba, height) {
  const [r, g, b] = height >= 720 ? [0.2126, 0.7152, 0.0722] : [0.299, 0.587, 0.114];
  const plane = new Uint8Array(rgba.length / 4);
  for (let i = 0, at = 0; i < plane.length; i++, at += 4) {
    plane[i] = r * rgba[at] + g * rgba[at + 1] + b * rgba[at + 2] + 0.5;
  }
  return plane;
}
