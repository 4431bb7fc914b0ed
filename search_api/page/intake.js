// The ways a photo comes in: chosen, taken, dropped anywhere, pasted.

/** Calls `onPhoto` with each file that comes in as a photo. */
export function takePhotos(onPhoto) {
  fromButtons(onPhoto);
  fromDrops(onPhoto);
  fromClipboard(onPhoto);
}

/** Opens the system's choice of files. */
export function choosePhoto() {
  document.getElementById("file-choose").click();
}

function fromButtons(onPhoto) {
  document.addEventListener("click", (event) => {
    const way = event.target.closest?.("[data-photo]")?.dataset.photo;
    if (way) document.getElementById(`file-${way}`).click();
  });
  for (const input of document.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      const [file] = input.files;
      if (file) onPhoto(file);
      input.value = ""; // so that the same file can be chosen again
    });
  }
}

function fromDrops(onPhoto) {
  const overlay = document.getElementById("drop");
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  let hiding = 0;
  // dragover comes several times a second while a file hovers: when it stops, so does the drag, however it ended
  const visible = (shown) => {
    clearTimeout(hiding);
    if (overlay.classList.contains("shown") !== shown) {
      overlay.classList.toggle("shown", shown);
      if (overlay.showPopover) overlay[shown ? "showPopover" : "hidePopover"](); // above an open dialog
    }
    if (shown) hiding = setTimeout(() => visible(false), 400);
  };
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      visible(true);
    });
  }
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    visible(false);
    const file = firstPhoto(event.dataTransfer);
    if (file) onPhoto(file);
  });
}

function fromClipboard(onPhoto) {
  document.addEventListener("paste", (event) => {
    const data = event.clipboardData;
    const file = data && firstPhoto(data, { imagesOnly: true });
    const wantsText = event.target.matches?.("input, textarea") && data?.types.includes("text/plain");
    if (!file || wantsText) return; // office programs put a picture of a text beside the text
    event.preventDefault();
    onPhoto(file);
  });
}

function firstPhoto(transfer, { imagesOnly = false } = {}) {
  const files = [...transfer.files];
  return files.find((file) => file.type.startsWith("image/")) ?? (imagesOnly ? null : files[0]);
}
