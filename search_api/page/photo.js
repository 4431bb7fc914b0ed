// A shopper's photo: made small enough to send, and kept for the way back.

import { tooLarge } from "./api.js";
import { Problem } from "./http.js";
import { text } from "./language.js";

const LONGER_SIDE_PX = 1600;
const AS_IT_IS_BYTES = 3_000_000; // a file of that size and few pixels is sent untouched
const MAX_BYTES = 100_000_000;
const JPEG_QUALITY = 0.9;
const SENT_AS_THEY_ARE = new Set(["image/jpeg", "image/png", "image/webp", "image/gif", "image/avif", "image/bmp"]);
const KEPT = 20;
const STORED_CHARS = 2_000_000;
const STORAGE_KEY = "vitrine.photo";

const photos = new Map();

/** Takes a file as a photo to search with; `ready` is what will be sent. */
export function keepPhoto(file) {
  const photo = {
    id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, // randomUUID is missing on plain http
    name: file.name || "photo",
    url: URL.createObjectURL(file),
    ready: prepared(file),
  };
  photo.ready.then((blob) => store(photo, blob)).catch(() => {}); // whoever sends it hears of the failure
  remember(photo);
  return photo;
}

/** The photo of that id, also after a reload of the page; null if it is gone. */
export function recallPhoto(id) {
  return photos.get(id) ?? restored(id);
}

function remember(photo) {
  photos.set(photo.id, photo);
  if (photos.size <= KEPT) return;
  const [oldest, { url }] = photos.entries().next().value;
  URL.revokeObjectURL(url);
  photos.delete(oldest);
}

/** What is sent: small photos untouched, others turned upright and made smaller, what cannot be drawn as it is. */
async function prepared(file) {
  const name = file.name || "photo";
  if (file.type !== "" && !file.type.startsWith("image/") && file.type !== "application/octet-stream") {
    throw new Problem("image_not_an_image", text("detailNotPicture", { name }));
  }
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new Problem("image_damaged", text("detailUnreadable", { name })); // a folder, or a file that went away
  }
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => null);
  if (bitmap === null) return sendable(file, name);
  try {
    const scale = Math.min(1, LONGER_SIDE_PX / Math.max(bitmap.width, bitmap.height));
    if (scale === 1 && file.size <= AS_IT_IS_BYTES && SENT_AS_THEY_ARE.has(file.type)) return file;
    return (await drawn(bitmap, scale)) ?? sendable(file, name);
  } finally {
    bitmap.close();
  }
}

function sendable(file, name) {
  if (file.size <= MAX_BYTES) return file;
  throw tooLarge(file, name);
}

function drawn(bitmap, scale) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  if (context === null) return null;
  context.fillStyle = "#fff"; // what is transparent becomes white, as in the index
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", JPEG_QUALITY));
}

// The last photo survives a reload: phones drop a tab in the background while its visitor looks at a shop's page.
function store(photo, blob) {
  const reader = new FileReader();
  reader.onload = () => {
    if (reader.result.length > STORED_CHARS) return;
    try {
      sessionStorage.setItem(STORAGE_KEY, JSON.stringify({ id: photo.id, name: photo.name, data: reader.result }));
    } catch {
      // storage is full or forbidden: then a reload forgets the photo
    }
  };
  reader.readAsDataURL(blob);
}

function restored(id) {
  try {
    const stored = JSON.parse(sessionStorage.getItem(STORAGE_KEY));
    if (stored?.id !== id) return null;
    const [head, base64] = stored.data.split(",");
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const blob = new Blob([bytes], { type: head.slice("data:".length).split(";")[0] });
    const photo = { id, name: stored.name, url: URL.createObjectURL(blob), ready: Promise.resolve(blob) };
    remember(photo);
    return photo;
  } catch {
    return null;
  }
}
