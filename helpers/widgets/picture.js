// A picture that the kernel draws, with a line of words and its code below it.
// Pointer and keys on the picture go to the kernel, one at a time: while the answer to one is
// under way, only the newest movement is kept.

const PATIENCE = 3000; // ms; after that an answer is no longer waited for

function element(tag, attributes, parent) {
  const made = Object.assign(document.createElement(tag), attributes);
  parent.appendChild(made);
  return made;
}

function render({ model, el }) {
  el.classList.add("course-picture");
  const frame = element("div", { className: "course-frame", tabIndex: 0 }, el);
  frame.setAttribute("role", "application");
  const image = element("img", { draggable: false }, frame);
  const overlay = element("canvas", {}, frame);
  const words = element("p", { className: "course-words" }, el);
  words.setAttribute("role", "status");
  const details = element("details", {}, el);
  element("summary", { textContent: "The code of this picture" }, details);
  const copy = element("button", { type: "button", textContent: "Copy the code" }, details);
  const code = element("pre", { tabIndex: 0 }, details);
  code.setAttribute("aria-label", "The code of this picture");

  let address = null;
  function showImage() {
    const bytes = model.get("image");
    if (!bytes.byteLength) return;
    const old = address;
    address = URL.createObjectURL(new Blob([bytes], { type: "image/webp" }));
    image.onload = () => {
      if (old) URL.revokeObjectURL(old);
      claimKeys();
      overlay.width = image.naturalWidth;
      overlay.height = image.naturalHeight;
      el.dataset.drawn = model.get("drawn");
    };
    image.src = address;
  }
  function showWords() {
    words.textContent = model.get("words");
    code.textContent = model.get("code");
    image.alt = model.get("alt");
    frame.setAttribute("aria-label", model.get("help"));
  }

  let waiting = 0; // when the last event was sent, or 0
  let next = null; // the newest movement that has not been sent
  function send(event) {
    const now = performance.now();
    if (waiting && now - waiting < PATIENCE) {
      next = event;
      return;
    }
    waiting = now;
    next = null;
    model.send(event);
  }
  function answered() {
    waiting = 0;
    if (next) send(next);
  }

  // ------------------------------------------------------------------------------ pointer
  function place(event) {
    const box = image.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }
  function areaAt([x, y]) {
    return model.get("areas").find(({ box: [l, t, r, b] }) => x >= l && x <= r && y >= t && y <= b);
  }
  let held = null; // the area that was pressed, and the way since
  frame.addEventListener("pointerdown", (event) => {
    const at = place(event);
    const area = areaAt(at);
    if (event.button !== 0 || !area) return;
    frame.focus({ preventScroll: true });
    frame.setPointerCapture(event.pointerId);
    held = { area, path: [at], more: event.shiftKey };
    if (area.gesture === "drag") send({ kind: "drag", area: area.name, at, first: true });
    event.preventDefault();
  });
  frame.addEventListener("pointermove", (event) => {
    const at = place(event);
    if (!held) {
      const area = areaAt(at);
      const shapes = { drag: "ew-resize", lasso: "crosshair", click: "pointer" };
      frame.style.cursor = area ? shapes[area.gesture] : "default";
      return;
    }
    held.path.push(at);
    if (held.area.gesture === "drag") send({ kind: "drag", area: held.area.name, at });
    if (held.area.gesture === "lasso") drawPath(held.path);
  });
  function release(event) {
    if (!held) return;
    const { area, path, more } = held;
    held = null;
    overlay.getContext("2d").clearRect(0, 0, overlay.width, overlay.height);
    if (event.type === "pointercancel") return;
    const at = path[path.length - 1];
    const far = path.some(([x, y]) => Math.hypot(x - path[0][0], y - path[0][1]) > 0.01);
    if (area.gesture === "lasso" && far) send({ kind: "lasso", area: area.name, path, more });
    else if (area.gesture !== "drag") send({ kind: "click", area: area.name, at, more });
    else send({ kind: "drag", area: area.name, at });
  }
  frame.addEventListener("pointerup", release);
  frame.addEventListener("pointercancel", release);
  function drawPath(path) {
    const pen = overlay.getContext("2d");
    pen.clearRect(0, 0, overlay.width, overlay.height);
    pen.lineWidth = 2;
    for (const [colour, dash] of [["white", []], ["black", [6, 4]]]) {
      pen.strokeStyle = colour;
      pen.setLineDash(dash);
      pen.beginPath();
      for (const [x, y] of path) pen.lineTo(x * overlay.width, y * overlay.height);
      pen.closePath();
      pen.stroke();
    }
  }

  // --------------------------------------------------------------------------------- keys
  frame.addEventListener("keydown", (event) => {
    if (!model.get("pressable").includes(event.key) || event.ctrlKey || event.metaKey || event.altKey)
      return;
    event.preventDefault();
    event.stopPropagation(); // or the notebook moves to another cell
    send({ kind: "key", key: event.key, more: event.shiftKey });
  });

  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(model.get("code"));
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code); // where the clipboard is closed to pages
      copy.textContent = "Selected: copy it with Ctrl+C";
    }
    setTimeout(() => (copy.textContent = "Copy the code"), 2000);
  });

  // ------------------------------------------------------------------------------- its twin
  // The static twin stands in the same output. While the picture lives it shows on paper only.
  const twins = () => document.querySelectorAll(`[data-course-twin="${model.get("twin")}"]`);
  const hide = () => twins().forEach((twin) => twin.classList.add("course-paper-only"));
  hide();
  // JupyterLab would take arrows and letters on a control for its own shortcuts. It leaves alone
  // what carries this attribute; it asks the focused element itself.
  function claimKeys() {
    const box = el.closest(".widget-vbox");
    if (!box || box.dataset.courseKeys) return;
    box.dataset.courseKeys = "claimed";
    box.addEventListener("focusin", ({ target }) =>
      target.setAttribute("data-lm-suppress-shortcuts", "true"));
  }
  const later = setTimeout(() => (hide(), claimKeys()), 300); // when all is in the page

  model.on("change:image", showImage);
  model.on("change:words change:code change:alt change:help", showWords);
  model.on("change:drawn", answered);
  showImage();
  showWords();
  return () => {
    clearTimeout(later);
    twins().forEach((twin) => twin.classList.remove("course-paper-only"));
    if (address) URL.revokeObjectURL(address);
  };
}

export default { render };
