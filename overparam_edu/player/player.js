// The player: a Plotly picture and its controls, moved by hand or by Play without a kernel.
//
// Python (scene.py, wire.py) gives a figure with everything static in it, named slider axes, and
// tracks: arrays whose leading dimensions are those axes. This file slices them at the sliders'
// position and hands Plotly what changed. It runs in a notebook (`render`, called by anywidget)
// and in an exported page without a kernel (`mount`).

const PATIENCE = 30_000; // ms to wait for plotly.js before saying that the kernel is silent
const SILENCE = 2_500; // ms to wait for a new picture before saying the same
const LIVE = 700; // ms for an answer above which what is dragged is asked for on release only
const FULL_RUN = 6_000; // ms in which Play walks a whole axis
const STILLS = 10; // how many pictures Play shows where motion is unwelcome
const SAMPLE = 200; // how many values are looked at for the longest, and boards for the tallest
const SIZE = 18; // CSS pixels of a picture's type
const SMALL = 14; // CSS pixels of a narrow picture's headings
const [STRIP, BAR, NARROW_BAR] = [84, 62, 100]; // CSS pixels that a picture gives up for what is above it
const NARROW = 640; // CSS pixels below which a scene's `narrow` layout holds
const GONE = "The kernel is gone. Sliders still move; for all else, run every cell again, or reload a presentation.";
const AWAY = "No connection to the kernel. Sliders still move; the rest waits until it is back.";
const FLAT = " (this browser has no WebGL)";
const SILENT = "The kernel is busy, stopped or out of reach. The picture is still the one before.";
const WAITING = "The kernel is busy, stopped or out of reach. The picture comes when it answers.";
const OLD = "this browser has no DecompressionStream. Chrome or Edge 80, Firefox 113, Safari 16.4 and later have it.";
const INSTANT = { mode: "immediate", frame: { duration: 0, redraw: false }, transition: { duration: 0 } };

// ---------------------------------------------------------------- plotly.js, once per page

// It is 4.8 MB, so a page asks a kernel for it once, whatever the number of players, notebooks
// and copies of this file in it.
const pagePlotly = () => (parseInt(window.Plotly?.version) >= 3 ? window.Plotly : null);

function loadPlotly(ask, say) {
  if (pagePlotly()) return Promise.resolve(pagePlotly());
  if (!ask) return Promise.reject(new Error("This page lacks plotly.js, version 3 or later."));
  const shared = page(), now = performance.now();
  shared.plotly ??= new Promise((resolve, reject) => {
    shared.arrived = (source) => {
      pagePlotly() || runScript(source); // a busy kernel may have been asked twice
      if (pagePlotly()) resolve(pagePlotly());
      else reject(new Error("plotly.js arrived but did not start: it must be version 3 or later."));
    };
  });
  if (!(now < shared.asked + PATIENCE)) { // nobody has asked, or a kernel that has gone since
    shared.asked = now;
    ask("plotly.js");
  }
  setTimeout(() => pagePlotly() || say(WAITING), PATIENCE);
  return shared.plotly;
}

// plotly.js is a UMD bundle: where a page has AMD or CommonJS names it would hide in them.
function runScript(source) {
  const aside = ["define", "module", "exports"].filter((name) => name in window);
  const values = aside.map((name) => window[name]);
  aside.forEach((name) => (window[name] = undefined));
  const script = element("script", {}, source);
  document.head.append(script); // an inline script has run when this returns
  script.remove();
  aside.forEach((name, i) => (window[name] = values[i]));
}

// ---------------------------------------------------------------- slicing

const bytesOf = (buffer) => new Uint8Array(buffer.buffer ?? buffer, buffer.byteOffset ?? 0, buffer.byteLength);

// Undo wire.py: inflate, put the four bytes of each number together, add up the differences.
async function unpack(buffer) {
  if (!window.DecompressionStream) throw new Error(OLD);
  const stream = new Blob([bytesOf(buffer)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const count = bytes.length / 4;
  const bits = new Int32Array(count);
  for (let i = 0, sum = 0; i < count; i += 1) {
    for (let k = 0; k < 4; k += 1) sum = (sum + (bytes[k * count + i] << (8 * k))) | 0;
    bits[i] = sum;
  }
  return new Float32Array(bits.buffer);
}

function nested(values, [rows, ...rest]) {
  if (!rest.length) return values;
  const size = values.length / rows;
  return Array.from({ length: rows }, (_, i) => nested(values.slice(i * size, (i + 1) * size), rest));
}

// The value of a track, or of a field of the reading, at `position`; frame() in frames.py does the
// same. Plotly gets finite numbers only: a trail ends before the first that is not, an array has
// a gap there, a lone one is left out.
function slice(item, floats, position) {
  const axes = item.trail ? item.axes.slice(0, -1) : item.axes;
  const rest = item.shape.slice(axes.length);
  const size = rest.reduce((a, b) => a * b, 1);
  const index = axes.reduce((sum, name, i) => sum * item.shape[i] + position[name], 0);
  const source = item.words ?? floats.subarray(item.offset, item.offset + item.length);
  const values = source.slice(index * size, (index + 1) * size);
  const bad = item.words ? -1 : values.findIndex((value) => !Number.isFinite(value));
  if (item.trail) return values.slice(0, Math.min(position[item.trail] + 1, bad < 0 ? size : bad));
  if (rest.length) return nested(bad < 0 ? values : Array.from(values, (value) => (Number.isFinite(value) ? value : null)), rest);
  const value = bad < 0 ? values[0] : null;
  if (item.attribute !== "x" && item.attribute !== "y") return value;
  return value === null ? [] : [value];
}

function put(target, path, value) {
  const keys = path.split(/[.[\]]+/).filter(Boolean);
  const last = keys.pop();
  for (const key of keys) target = target[key] ??= {};
  target[last] = value;
}

// Three significant digits, whole numbers in full; number_text() in frames.py does the same.
function shown(value) {
  if (typeof value === "string") return value;
  if (!Number.isFinite(value)) return "not finite";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value).replace("-", "−");
  const [digits, exponent] = value.toExponential(2).split("e").map(Number);
  const plain = exponent >= -3 && exponent < 5;
  const raised = [...String(exponent)].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("");
  return (plain ? String(Number(value.toPrecision(3))) : `${digits}×10${raised}`).replace("-", "−");
}

// ---------------------------------------------------------------- positions

// Where sliders stand, for a scene that comes after this one: `carried` in frames.py says the rule.
function standing(axes, at) {
  const stood = ({ name, stops }) => ({ stop: at[name], value: stops[at[name]], end: at[name] === stops.length - 1 && at[name] > 0 });
  return Object.fromEntries(axes.map((axis) => [axis.name, stood(axis)]));
}

function stopFor({ stops, start, play }, stood) {
  if (!stood) return start;
  const { stop, value, end } = stood;
  if (play && end) return stops.length - 1;
  if (stops[stop] === value) return stop;
  if (typeof value === "string" || typeof stops[0] === "string") return stops.includes(value) ? stops.indexOf(value) : start;
  return stops.reduce((best, other, n) => (Math.abs(other - value) < Math.abs(stops[best] - value) ? n : best), 0);
}

// ---------------------------------------------------------------- controls

// JupyterLab takes arrow keys and Space away from whatever has the focus, unless it has this mark.
const OURS = { "data-lm-suppress-shortcuts": true };

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

let webgl; // whether this browser draws in space
const offered = ({ webgl: word }, stop) =>
  word !== stop || (webgl ??= Boolean(document.createElement("canvas").getContext("webgl")));

// Native inputs: they bring roles, focus and keys along, and unlike an ipywidgets slider, which
// sends a message per move even under jslink, they leave the kernel in peace.
function slider(axis, move) {
  const input = element("input", { ...OURS, type: "range", min: 0, "aria-label": axis.label });
  const readout = element("output", { "aria-hidden": true });
  input.addEventListener("input", () => move(Number(input.value)));
  const set = (stop) => {
    input.value = stop;
    readout.textContent = shown(axis.stops[stop]);
    input.setAttribute("aria-valuetext", readout.textContent);
  };
  const adopt = (next) => (input.max = (axis = next).stops.length - 1);
  adopt(axis);
  return { nodes: [input, readout], set, adopt };
}

function choice(axis, move) {
  const name = crypto.randomUUID?.() ?? String(Math.random());
  const radios = axis.stops.map((text, stop) => {
    const radio = element("input", { ...OURS, type: "radio", name });
    radio.disabled = !offered(axis, text);
    radio.addEventListener("change", () => move(stop));
    return radio;
  });
  const labels = axis.stops.map((text, stop) => element("label", {}, radios[stop], radios[stop].disabled ? text + FLAT : text));
  const box = element("div", { class: "oe-choice", role: "radiogroup", "aria-label": axis.label }, ...labels);
  return { nodes: [box], set: (stop) => (radios[stop].checked = true) };
}

function button(axis, press, word) {
  const made = element("button", { ...OURS, type: "button" });
  made.addEventListener("click", press);
  made.call = (name) => {
    made.className = `oe-${name.toLowerCase()}`;
    made.title = name;
    made.setAttribute("aria-label", `${name} ${axis.label}`);
  };
  made.call(word);
  return made;
}

function control(axis, { move, step, toggle }) {
  const made = (typeof axis.stops[0] === "string" ? choice : slider)(axis, move);
  const label = element("span", { class: "oe-label", "aria-hidden": true }, axis.label);
  made.row = element("div", { class: "oe-row", "data-axis": axis.name }, label, ...made.nodes);
  const play = button(axis, toggle, "Play");
  made.playing = (on) => play.call(on ? "Pause" : "Play");
  const looks = ({ label, stops, play: plays, buttons: steps }) => JSON.stringify([label, plays, steps, typeof stops[0] === "string" && stops]);
  // Take another axis that looks the same, so that the slider stays in the hand that holds it.
  made.suits = (next) => looks(next) === looks(axis) && (made.adopt?.(next), true);
  const buttons = axis.play ? [play] : [];
  if (axis.buttons) buttons.push(button(axis, () => step(-1), "Back"), button(axis, () => step(1), "Next"));
  if (buttons.length) made.row.prepend(element("div", { class: "oe-buttons" }, ...buttons));
  return made;
}

// ---------------------------------------------------------------- the player

// How tall a part of a player is with the tallest of these texts in it, all laid out at once. What
// is marked as spare, such as a proof's earlier lines, takes what room is left.
function tallest(node, width, texts) {
  const twins = texts.map((text) => {
    const twin = element("div", { class: node.className, style: "grid-area: 1 / 1; min-width: 0; margin: 0" });
    if (node.matches(".oe-board")) twin.innerHTML = text;
    else twin.textContent = text;
    for (const part of twin.querySelectorAll("[data-spare]")) part.remove();
    return twin;
  });
  const style = `position: absolute; visibility: hidden; display: grid; align-items: start; width: ${width}px`;
  const all = element("div", { "aria-hidden": true, style }, ...twins);
  node.after(all);
  const height = all.offsetHeight;
  all.remove();
  return height;
}

// Plotly's axes of a trace, across and up.
function axesOf({ _fullLayout: layout, _fullData: traces }, trace) {
  const { xaxis = "x", yaxis = "y" } = traces[trace];
  return [xaxis, yaxis].map((name) => layout[name.replace(/^[xy]/, "$&axis")]);
}

// What a hand can put elsewhere: a button over the first point of a trace, which draws it.
class Handle {
  constructor(player) {
    Object.assign(this, { player, drag: null });
    this.button = element("button", { ...OURS, type: "button", class: "oe-handle" });
    this.button.addEventListener("pointerdown", (event) => event.button || this.grab(event));
    this.button.addEventListener("pointermove", (event) => this.drag && this.follow(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) this.button.addEventListener(end, () => this.release());
    this.button.addEventListener("keydown", (event) => this.press(event));
    this.button.addEventListener("blur", () => (this.keys = false));
  }

  axes() {
    return axesOf(this.player.picture, this.spec.trace);
  }

  // Where it is by Python's word, unless a hand holds it, or has moved it since.
  adopt(spec) {
    this.spec = spec;
    this.put(this.at && (this.drag || this.player.owes?.()) ? this.at : spec.at);
  }

  put(at) {
    this.at = at;
    const { picture } = this.player;
    if (!picture._fullData?.[this.spec.trace]) return;
    const [left, top] = this.axes().map((axis, n) => axis._offset + axis.d2p(at[n]));
    Object.assign(this.button.style, { left: `${picture.offsetLeft + left}px`, top: `${picture.offsetTop + top}px` });
    const words = at.map((value) => shown(Number(value.toPrecision(3)))).join(", ");
    this.button.setAttribute("aria-label", `${this.spec.label} at (${words}); arrow keys move it`);
  }

  grab(event) {
    event.preventDefault(); // neither a zoom nor a selection begins
    this.button.focus({ preventScroll: true });
    this.button.setPointerCapture(event.pointerId);
    this.keys = false;
    const box = this.button.getBoundingClientRect();
    this.drag = { x: event.clientX - box.x - box.width / 2, y: event.clientY - box.y - box.height / 2 };
    this.player.haunt(this.spec.ghost);
  }

  follow({ clientX, clientY }) {
    const box = this.player.picture.getBoundingClientRect();
    const place = [clientX - this.drag.x - box.x, clientY - this.drag.y - box.y];
    this.move(this.axes().map((axis, n) => axis.p2d(place[n] - axis._offset)), false);
  }

  release() {
    if (!this.drag) return;
    this.drag = null;
    this.move(this.at, true);
  }

  press(event) {
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
    if (x === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (!this.keys || !this.player.ghost) this.player.haunt(this.spec.ghost);
    this.keys = true;
    const steps = event.shiftKey ? 10 : 1, sizes = this.spec.within.map(([low, high]) => high - low);
    const offered = this.player.places?.(this.spec.name), by = (place, n) => (place[n] - this.at[n]) / sizes[n];
    // Where only some places are on offer, the next one on that side.
    const ahead = (place) => Math.abs(x ? by(place, 0) : by(place, 1)) > 1e-9 && by(place, 0) * x + by(place, 1) * y > 0;
    const next = offered?.filter(ahead).sort((a, b) => Math.hypot(by(a, 0), by(a, 1)) - Math.hypot(by(b, 0), by(b, 1)))[0];
    if (!offered) this.move([x, y].map((to, n) => this.at[n] + to * steps * this.spec.step[n]), true);
    else if (next) this.move(next, true);
  }

  // The multiple of a step that is nearest, within limits; Handle.values in scene.py does the same.
  move(wanted, rest) {
    this.player.unroll(this.spec.ghost);
    const { within, step, name } = this.spec;
    this.put(wanted.map((value, n) => Math.round(Math.min(Math.max(value, within[n][0]), within[n][1]) / step[n]) * step[n]));
    this.player.onEdit({ handle: name, place: this.at }, rest);
  }
}

// Make all type of a layout, and its margins, so many times as large.
function enlarge(part, times) {
  for (const [key, value] of Object.entries(part)) {
    if (/font$/.test(key) && value?.size) value.size *= times;
    else if (key === "margin") for (const side of "lrtb") value[side] *= times;
    else if (value && typeof value === "object") enlarge(value, times);
  }
}

class Player {
  constructor(el, { spec, buffer, position, onPosition, onRest, onEdit, onDrawn, onGuess, guesses, ask }) {
    // `drawn` is the position in the picture; null asks for a complete drawing. `playing` is
    // { name, head, stop, time } of the axis that plays.
    Object.assign(this, { onPosition, onRest, onEdit, onDrawn, ask, alive: true, drawn: null, playing: null });
    Object.assign(this, { handles: {}, ghost: null });
    this.at = this.within(spec, position); // axis name -> stop
    this.controls = {};
    this.picture = element("div", { class: "oe-picture", role: "group" });
    this.status = element("p", { class: "oe-reading", role: "status", "aria-live": "polite" });
    this.panel = element("div", { class: "oe-controls" });
    this.root = element("div", { class: "oe-player", "data-frames": 0 });
    this.board = element("div", { class: "oe-board", tabindex: 0 });
    this.notice = element("p", { class: "oe-notice", role: "alert" });
    this.stale = element("p", { class: "oe-stale", role: "status" });
    this.more = element("details", { class: "oe-more" }, element("summary"), element("div", { class: "oe-controls" }));
    this.root.append(this.picture, this.panel, this.status, this.more, this.notice, this.stale);
    this.sketch = new Sketch(this, guesses, onGuess);
    this.strip = new Strip(this);
    this.light = new Light(this);
    this.above = element("div", { class: "oe-above" }, this.sketch.bar);
    this.root.prepend(this.above);
    el.append(this.root);
    this.watchHands();
    this.more.addEventListener("toggle", () => window.dispatchEvent(new Event("resize"))); // who laid this out, again
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.root);
    this.refit = () => this.reserve(); // formulas are as tall as their font says
    document.fonts.addEventListener("loadingdone", this.refit);
    this.say("Loading the picture …");
    this.show(spec, buffer);
  }

  begin(library) {
    if (!this.alive) return;
    Object.assign(this, { Plotly: library, trouble: false });
    this.settle();
  }

  async show(spec, buffer) {
    const stood = this.spec && standing(this.spec.axes, this.at);
    if (stood) this.at = Object.fromEntries(spec.axes.map((axis) => [axis.name, stopFor(axis, stood[axis.name])]));
    // The sliders are the new scene's at once; its numbers take a moment, and until then nothing is drawn.
    Object.assign(this, { spec, floats: null, drawn: null });
    this.picture.hidden = !spec.figure;
    this.strip.adopt();
    if (spec.figure) this.picture.style.height = `${this.layout().height}px`;
    this.buildControls();
    const floats = await unpack(buffer).catch((error) => this.say(`No picture: ${error.message}`));
    if (!floats || !this.alive || this.spec !== spec) return; // a later scene is on its way
    this.floats = floats;
    this.sketch.adopt();
    this.reserve();
    if (this.Plotly || !spec.figure) this.trouble = false;
    else loadPlotly(this.ask, (words) => this.say(words)).then((library) => this.begin(library), (error) => this.say(error.message));
    if (JSON.stringify(spec.board ?? "").includes("<math")) loadMathFont(this.ask); // before any move
    this.settle();
  }

  // A slider that looks the same stays, in the hand that holds it.
  buildControls() {
    const { axes } = this.spec, before = this.controls;
    const held = this.isControl(document.activeElement) && document.activeElement;
    const name = held && held.closest("[data-axis]")?.dataset.axis;
    const same = (axis) => before[axis.name]?.suits(axis) && before[axis.name];
    this.controls = Object.fromEntries(axes.map((axis) => [axis.name, same(axis) || this.build(axis)]));
    const rows = Object.values(this.controls).map(({ row }) => row), experts = this.more.querySelector(".oe-controls");
    for (const { row } of Object.values(before)) rows.includes(row) || row.remove();
    for (const [panel, expert] of [[this.panel, false], [experts, true]]) {
      const own = rows.filter((_, n) => axes[n].expert === expert);
      own.forEach((row, n) => panel.children[n] === row || panel.insertBefore(row, panel.children[n] ?? null));
    }
    this.fold();
    for (const { name } of axes) this.controls[name].set(this.at[name]);
    this.controls[this.playing?.name]?.playing(true);
    if (held && !this.isControl(held)) this.controls[name]?.row.querySelector(held.tagName)?.focus();
    this.held &&= this.isControl(document.activeElement);
  }

  isControl(node) {
    return this.root.contains(node) && Boolean(node.closest(".oe-row, .oe-strip"));
  }

  // Room for the longest sentence and the tallest board, so that nothing below them moves.
  reserve() {
    const { axes, reading, board } = this.spec, width = this.panel.clientWidth;
    if (!this.floats || !width) return;
    const longest = (values) => values.map(shown).reduce((a, b) => (b.length > a.length ? b : a), "");
    const some = (values) => [...values].filter((_, n) => n % Math.ceil(values.length / SAMPLE) === 0);
    const values = ({ words, offset, length }) => some(words ?? this.floats.subarray(offset, offset + length));
    const words = Object.fromEntries(axes.map(({ name, stops }) => [name, longest(stops)]));
    for (const [name, field] of Object.entries(reading?.fields ?? {})) words[name] = longest(values(field));
    const text = reading?.template.replace(/\{(\w+)\}/g, (_, name) => words[name] ?? "") ?? "";
    this.status.style.minHeight = `${tallest(this.status, width, [text])}px`;
    this.board.style.minHeight = board && !board.folded ? `${tallest(this.board, width, some(board.words))}px` : "";
  }

  // A board is the picture, or stands below the sentence, or is folded away with what experts move.
  // Small pictures are above the picture, where there is room.
  fold() {
    const { figure, board, axes, strip } = this.spec, { box } = this.strip;
    if (board?.folded) this.more.append(this.board);
    else (figure ? this.status : this.picture).after(this.board);
    const [home, place] = this.narrow ? [this.more, 1] : [this.above, 0];
    if (box.parentNode !== home) home.insertBefore(box, home.children[place]);
    const experts = axes.filter(({ expert }) => expert).map(({ label }) => label);
    const folded = [strip && this.narrow && this.strip.words, ...experts, board?.folded].filter(Boolean);
    this.more.querySelector("summary").textContent = `More: ${folded.join(", ")}`;
    this.more.hidden = !folded.length;
  }

  // What can be moved in the picture, after it in the order of the keys.
  placeHandles() {
    const seen = ({ trace }) => this.picture._fullData?.[trace]?.visible === true;
    const given = (this.onEdit && this.spec.handles?.filter(seen)) ?? [], before = this.handles;
    this.handles = Object.fromEntries(given.map(({ name }) => [name, before[name] ?? new Handle(this)]));
    for (const name in before) name in this.handles || before[name].button.remove();
    given.reduce((last, spec) => {
      const handle = this.handles[spec.name];
      if (last.nextSibling !== handle.button) last.after(handle.button);
      handle.adopt(spec);
      return handle.button;
    }, this.picture);
  }

  // Keep how these traces are now, whole, to stand pale behind what a hand makes of them.
  haunt(traces) {
    if (!this.floats || !this.drawn) return;
    const { figure, tracks, axes } = this.spec, ghosts = tracks.filter(({ trace }) => traces.includes(trace));
    const runs = new Set(ghosts.map(({ trail }) => trail));
    const end = Object.fromEntries(axes.map(({ name, stops }) => [name, runs.has(name) ? stops.length - 1 : this.at[name]]));
    const data = traces.map((trace) => {
      const made = structuredClone(figure.data[trace]);
      for (const track of ghosts) if (track.trace === trace) put(made, track.attribute, slice(track, this.floats, end));
      return { ...made, uid: `${made.uid} before`, opacity: 0.35 };
    });
    const still = ghosts.flatMap((track) => track.axes).filter((name) => !runs.has(name));
    this.ghost = { data, stood: standing(axes.filter(({ name }) => still.includes(name)), this.at) };
  }

  // A path that has not begun to run can't follow a hand: show all of it.
  unroll(traces) {
    const runs = this.spec.tracks.filter(({ trace, trail }) => trail && traces.includes(trace)).map(({ trail }) => trail);
    const { name, stops } = this.spec.axes.find((axis) => runs.includes(axis.name)) ?? {};
    if (name && this.at[name] === 0) this.moveHere(name, stops.length - 1);
  }

  // A ghost is of the values that it was made at.
  laid() {
    const now = standing(this.spec.axes, this.at);
    return !Object.entries(this.ghost.stood).every(([name, { value }]) => now[name]?.value === value);
  }

  build(axis) {
    const { name } = axis;
    const move = (stop) => this.pause(name) || this.moveHere(name, stop);
    const step = (by) => move(this.within(this.spec, { ...this.at, [name]: this.at[name] + by })[name]);
    return control(axis, { move, step, toggle: () => this.toggle(name) });
  }

  within({ axes }, wanted) {
    const stop = ({ name, start }) => (Number.isInteger(wanted[name]) ? wanted[name] : start);
    const near = (axis) => Math.min(Math.max(stop(axis), 0), axis.stops.length - 1);
    const kept = (axis) => (offered(axis, axis.stops[near(axis)]) ? near(axis) : axis.start);
    return Object.fromEntries(axes.map((axis) => [axis.name, kept(axis)]));
  }

  // ------------------------------------------------------------ drawing

  // One redraw per animation frame; whatever comes in between, the latest position wins.
  async settle() {
    this.read();
    if (this.busy || !this.floats || (this.spec.figure && !this.Plotly)) return;
    this.root.ariaBusy = this.busy = true;
    try {
      while (this.alive && this.floats && this.spec.axes.some(({ name }) => this.drawn?.[name] !== this.at[name])) {
        const nextFrame = new Promise(requestAnimationFrame), began = performance.now();
        await this.redraw();
        this.light.apply();
        this.milliseconds = performance.now() - began;
        await nextFrame;
        this.read();
        this.root.dataset.frames = Number(this.root.dataset.frames) + 1;
        this.onDrawn?.();
      }
    } catch (error) {
      if (!this.alive) return;
      this.say(`The picture could not be drawn: ${error?.message ?? error}`);
      this.onDrawn?.();
      console.error(error);
    } finally {
      this.root.ariaBusy = this.busy = false;
    }
  }

  // Whether what is drawn is of the scene at hand: another may have come while Plotly drew.
  current() {
    return this.alive && this.floats && this.pictured === this.spec;
  }

  async redraw() {
    const before = this.drawn;
    this.drawn = { ...this.at };
    this.pictured = this.spec;
    const html = this.spec.board ? slice(this.spec.board, this.floats, this.at) : "";
    if (html !== this.html) this.board.innerHTML = this.html = html;
    if ((this.picture.hidden = !this.spec.figure)) return;
    const laid = this.ghost && this.laid();
    if (laid) this.ghost = null;
    if (!before || laid) return this.drawAll();
    const moved = ({ axes }) => axes.some((name) => before[name] !== this.drawn[name]);
    const turned = this.spec.tracks.filter(moved);
    if (turned.some(({ attribute }) => attribute === "visible")) return this.drawAll();
    const changed = turned.filter(({ trace }) => this.picture.data[trace]?.visible !== false);
    const isPoint = ({ trace, attribute }) => this.isScatter(trace) && /^[xy]$/.test(attribute);
    // A restyle draws everything again: points that move beside other things go with them.
    if (!changed.every(isPoint)) await this.restyle(changed);
    else if (changed.length) await this.movePoints(changed);
    if (this.current()) this.strip.draw();
  }

  async drawAll() {
    const figure = this.wholeFigure();
    this.fold();
    await this.Plotly.react(this.picture, figure);
    if (!this.current()) return;
    this.sketch.place();
    this.strip.place();
    this.picture.removeAllListeners("plotly_afterplot");
    this.picture.on("plotly_afterplot", () => this.placeHandles()); // other widths, other ranges
    this.placeHandles();
    // A picture in space that a hand has turned stays so; Plotly notes it in a layout that has gone.
    this.turned ??= this.picture.on("plotly_relayout", ({ "scene.camera": camera }) => camera && put(this.picture.layout, "scene.camera", camera));
  }

  // The layout at this width.
  layout() {
    const layout = structuredClone(this.spec.figure.layout);
    this.narrow = (this.width = this.root.clientWidth) > 0 && this.width < NARROW;
    if (this.narrow) Object.entries(this.spec.narrow).forEach((patch) => put(layout, ...patch));
    if (this.narrow) for (const { font } of layout.annotations ?? []) if (font?.size > SMALL) font.size = SMALL;
    for (const axis of Object.keys(layout).filter((name) => /^[xy]axis/.test(name)).map((name) => layout[name])) {
      if (this.narrow) Object.assign(axis, { tickangle: 0, title: { ...axis.title, font: { size: SMALL } } });
      // Plotly writes powers of ten a quarter larger than it is told.
      if (axis.type !== "log" || axis.exponentformat !== "power") continue;
      axis.tickfont = { ...axis.tickfont, size: (axis.tickfont?.size ?? layout.font?.size ?? SIZE) / 1.25 };
    }
    layout.height ??= 480;
    if ((this.type = this.typeSize()) > 1) enlarge(layout, this.type);
    // What stands above the picture takes its room from it.
    const { sketch, strip } = this.spec;
    layout.height -= this.narrow ? (sketch ? NARROW_BAR : 0) : strip ? STRIP : sketch ? BAR : 0;
    return layout;
  }

  // How many times as large as usual the page wants a picture's type.
  typeSize() {
    return Number(getComputedStyle(this.root).getPropertyValue("--oe-type")) || 1;
  }

  wholeFigure() {
    const data = structuredClone(this.spec.figure.data), layout = this.layout();
    this.spec.tracks.forEach((track) => put(data[track.trace] ?? layout, track.attribute, this.value(track)));
    for (const { textfont } of data) if (textfont?.size && this.type > 1) textfont.size *= this.type;
    this.sketch.dress(data, layout);
    data.push(...(this.ghost?.data ?? []));
    this.picture.style.height = `${layout.height}px`;
    this.picture.setAttribute("aria-label", this.spec.alt);
    return { data, layout, config: { displaylogo: false, displayModeBar: false, scrollZoom: false } };
  }

  value(track) {
    return slice(track, this.floats, this.sketch.position(track, this.at));
  }

  isScatter(trace) {
    return (this.spec.figure.data[trace]?.type ?? (trace === null ? "" : "scatter")) === "scatter";
  }

  // Plotly.animate moves points at a third of a restyle's cost, since axes and contours aren't drawn
  // again. But it brings the traces that move to the front, so all take part, and takes away the
  // layers of other types, contours for instance, so these are put back before the screen is painted.
  async movePoints(tracks) {
    const data = this.spec.figure.data.map(() => ({}));
    for (const track of tracks) data[track.trace][track.attribute] = this.value(track);
    const traces = [...data.keys()].filter((trace) => this.isScatter(trace));
    const layers = [...this.picture.querySelectorAll("g.mlayer")].reverse();
    const places = layers.map((layer) => [layer, layer.parentNode, layer.nextSibling]);
    const keeper = new MutationObserver(() => {
      for (const [layer, parent, next] of places) layer.parentNode ?? parent.insertBefore(layer, next);
    });
    new Set(places.map(([, parent]) => parent)).forEach((parent) => keeper.observe(parent, { childList: true }));
    await this.Plotly.animate(this.picture, { data: traces.map((trace) => data[trace]), traces }, INSTANT);
    keeper.disconnect();
  }

  restyle(tracks) {
    const traces = [...new Set(tracks.map(({ trace }) => trace))].filter((trace) => trace !== null);
    const style = {}, layout = {};
    for (const track of tracks) {
      const value = this.value(track);
      if (track.trace === null) layout[track.attribute] = value;
      else (style[track.attribute] ??= Array(traces.length))[traces.indexOf(track.trace)] = value;
    }
    if (!traces.length) return this.Plotly.relayout(this.picture, layout);
    return this.Plotly.update(this.picture, style, layout, traces);
  }

  fit() {
    const width = this.root.clientWidth;
    if (width !== this.fitted) this.reserve();
    this.fitted = width;
    if (!this.drawn || !this.spec.figure || !width || width === this.width) return; // hidden, or not there yet
    if (this.narrow !== width < NARROW || this.type !== this.typeSize()) this.drawn = null;
    else this.Plotly.Plots.resize(this.picture).then(() => this.alive && (this.sketch.place(), this.strip.place()));
    this.width = width;
    this.settle();
  }

  // ------------------------------------------------------------ reading

  read() {
    const values = { milliseconds: Math.round(this.milliseconds ?? 0) };
    for (const { name, stops } of this.spec.axes) values[name] = stops[this.at[name]];
    for (const name in this.controls) this.controls[name].set(this.at[name]);
    if (this.trouble || !this.floats) return;
    const { template = "", fields = {} } = this.spec.reading ?? {};
    for (const name in fields) values[name] = slice(fields[name], this.floats, this.at);
    const text = template.replace(/\{(\w+)\}/g, (_, name) => shown(values[name]));
    if (text !== this.status.textContent) this.status.textContent = text;
    this.status.hidden = !text;
    this.sketch.refresh();
  }

  // The picture is not of what is set: say what it waits for, over it, so that nothing moves.
  mark(text) {
    this.root.classList.toggle("oe-behind", Boolean(text));
    if (text !== this.stale.textContent) this.stale.textContent = text;
  }

  say(text) {
    this.trouble = true; // the sentence stays until there is a picture again
    this.status.textContent = text;
    this.status.hidden = false;
  }

  // ------------------------------------------------------------ moving

  move(wanted) {
    this.at = this.within(this.spec, { ...this.at, ...wanted });
    this.settle();
  }

  moveHere(name, stop) {
    this.move({ [name]: stop });
    this.onPosition?.({ ...this.at }, name);
  }

  watchHands() {
    this.root.addEventListener("focusin", ({ target }) => (this.held = this.isControl(target)));
    this.root.addEventListener("focusout", ({ relatedTarget }) => {
      this.held = this.isControl(relatedTarget);
      this.rest();
    });
    // Some browsers don't focus a slider that is dragged; there, the end of the drag is the rest.
    this.root.addEventListener("change", () => this.rest());
  }

  rest() {
    if (!this.held) this.onRest?.();
  }

  toggle(name) {
    const before = this.playing?.name;
    this.pause();
    if (before !== name) this.play(name);
  }

  play(name) {
    const last = this.spec.axes.find((axis) => axis.name === name).stops.length - 1;
    if (this.at[name] >= last) this.moveHere(name, 0);
    this.playing = { name, head: this.at[name], stop: this.at[name], time: performance.now() };
    this.controls[name].playing(true);
    this.status.setAttribute("aria-live", "off"); // no one can listen to sixty sentences a second
    requestAnimationFrame((now) => this.step(now, this.playing));
  }

  pause(name = this.playing?.name) {
    if (!this.playing || this.playing.name !== name) return;
    this.controls[this.playing.name]?.playing(false);
    this.playing = null;
    this.status.setAttribute("aria-live", "polite");
    this.sketch.refresh();
    this.rest();
  }

  step(now, run) {
    if (!this.alive || this.playing !== run) return;
    const axis = this.spec.axes.find(({ name }) => name === run.name);
    if (!axis?.play) return this.pause();
    const last = axis.stops.length - 1;
    if (this.at[run.name] !== run.stop) run.head = this.at[run.name]; // moved from elsewhere
    const elapsed = Math.min(Math.max(0, now - run.time), 500); // a page out of sight stands still
    run.head = Math.min(last, run.head + (elapsed * last) / FULL_RUN);
    const parts = matchMedia("(prefers-reduced-motion: reduce)").matches ? STILLS : last;
    const reached = Math.floor((Math.floor((run.head * parts) / last) * last) / parts);
    Object.assign(run, { time: now, stop: Math.max(reached, this.at[run.name]) });
    if (run.stop !== this.at[run.name]) this.moveHere(run.name, run.stop);
    if (run.stop >= last) this.pause();
    else requestAnimationFrame((later) => this.step(later, run));
  }

  destroy() {
    this.alive = false;
    this.playing = null;
    this.observer.disconnect();
    document.fonts.removeEventListener("loadingdone", this.refit);
    this.sketch.destroy();
    this.Plotly?.purge(this.picture);
    this.root.remove();
  }
}

/**
 * Draw a scene inside `el`, in any page.
 *
 * `onPosition` hears of each move made here; `onRest`, when the hand has left the controls; `onEdit`,
 * where a hand has put a handle, and whether it has let go; `ask` requests "plotly.js" or a "font" if the page
 * has none. The result has `move(position)`, `show(spec, buffer)` and `destroy()`.
 */
export function mount(el, options) {
  return new Player(el, options);
}

// What this page owes Python, and Python this page, of one model: each has a copy of this file.
// `moves` counts those made here, `told` is the last that was sent and `heard` the last that Python
// has told back; `mine` are the axes moved since. As long as there are any, the hand knows better.
// `began` is the move that was a Reset: only Python knows where it leads, but what follows it counts.
// `edits` counts where a hand put handles, and `answers` is the last that Python has answered.
const me = crypto.randomUUID?.() ?? String(Math.random());
const views = new Set();
let moves = 0, told = 0, heard = 0, began = 0, order = null, scene = null, edits = 0, answers = 0;
const mine = new Set();

function moved(view, position, name) {
  moves += 1;
  mine.add(name);
  for (const other of views) if (other !== view) other.move(position);
}

function tell(model, view) {
  if (moves === heard || !view) return;
  const stood = standing(view.spec.axes, view.at), known = [...mine].filter((name) => name in stood);
  told = moves;
  model.send({ kind: "moved", author: me, number: moves, order, moved: Object.fromEntries(known.map((name) => [name, stood[name]])) });
}

function hear(model) {
  const place = model.get("_place"), { edit } = model.get("_drawn");
  if (edit?.[0] === me) answers = Math.max(answers, edit[1]);
  if (scene !== (scene = model.get("_scene"))) {
    for (const view of views) {
      if (String(edit) === String(view.edit)) view.ghost = null; // not a handle's doing
      view.show(scene.spec, scene.buffer);
    }
  }
  if (order !== (order = place.order)) told = heard = moves; // code has the last word
  else if (place.author === me) heard = Math.max(heard, place.number);
  if (moves === heard) mine.clear();
  const theirs = heard < began ? [] : Object.entries(place.position).filter(([name]) => !mine.has(name));
  for (const view of views) {
    view.move(Object.fromEntries(theirs));
    if (String(edit) !== String(view.edit)) view.heard?.(edit);
    view.settle();
  }
}

// Listening belongs to the model, not to a view: the answer counts even if the view that asked has
// gone, since other players of the page wait for it too.
function initialize({ model }) {
  ({ order } = model.get("_place"));
  scene = model.get("_scene");
  model.on("change", () => hear(model));
  model.on("msg:custom", (content, [source]) => {
    if (content?.kind === "plotly.js") page().arrived?.(new TextDecoder().decode(bytesOf(source)));
    if (content?.kind === "font") takeMathFont(bytesOf(source));
  });
}

function render({ model, el }) {
  const { kernel } = model.widget_manager;
  let next = null, waits = null, slow = false; // of places for handles
  const view = mount(el, {
    ...scene,
    position: [...views][0]?.at ?? model.get("_place").position,
    onPosition: (position, name) => moved(view, position, name),
    onRest: () => moves > told && tell(model, view),
    onEdit: (edited, rest) => {
      next = { edited, rest };
      put();
    },
    onDrawn: () => look(),
    guesses: (name) => model.get("_guesses")[name],
    onGuess: (name, guess) => model.send({ kind: "guessed", name, guess }),
    ask: (kind) => model.send({ kind }),
  });
  view.edit = model.get("_drawn").edit;
  views.add(view);

  // One place at a time: the next goes when Python has drawn the last. A picture that takes long to
  // make is asked for when the hand lets go.
  const put = () => {
    if (waits || !next || (slow && !next.rest)) return;
    waits = { number: (edits += 1), since: performance.now() };
    model.send({ kind: "edited", author: me, number: waits.number, ...next.edited });
    next = null;
    look();
  };
  view.owes = () => Boolean(waits || next);
  view.heard = (edit) => {
    view.edit = edit;
    if (edit?.[0] === me && edit[1] === waits?.number) {
      slow = performance.now() - waits.since > LIVE;
      waits = null;
    }
    if (!waits && !next) view.drawn && view.placeHandles(); // where Python says, be it that it refused
    put();
  };

  // The picture is of the settings that are set, or says what is the matter.
  let controls = [], since = null, timer = null;
  const state = () => JSON.stringify(controls.map(({ attributes }) => ("index" in attributes ? attributes.index : attributes.value)));
  const look = () => {
    const { settings, failed, why } = model.get("_drawn"), now = state(), answered = answers >= edits;
    const done = !controls.length || (answered && JSON.stringify(settings) === now);
    clearTimeout(timer);
    if (done && (view.pictured === view.spec || since === null)) return (since = null), view.mark("");
    if (!done && answered && JSON.stringify(failed) === now) return (since = null), view.mark(why);
    since ??= performance.now();
    const left = since + SILENCE - performance.now();
    if (left > 0) timer = setTimeout(look, left);
    view.mark(view.notice.textContent || (left > 0 ? "Computing …" : SILENT));
  };
  const find = (tries) => Promise.all(model.get("_controls").map(([id]) => model.widget_manager.get_model(id))).then(
    (found) => {
      controls = found;
      controls.forEach((control) => control.on("change", look));
      look();
    },
    () => tries && setTimeout(find, 500, tries - 1), // a page that is loaded again gets its models one by one
  );
  find(20);

  const begin = () => model.send({ kind: "reset", author: me, number: began, order });
  const reset = ({ target }) => {
    if (!target.closest?.(".oe-reset")?.closest(".widget-vbox")?.contains(el)) return;
    for (const one of views) {
      one.pause();
      one.move(Object.fromEntries(one.spec.axes.map(({ name, start }) => [name, start])));
    }
    mine.clear();
    next = null;
    began = told = moves += 1;
    begin();
    controls.forEach((control, n) => { // a choice that waits to be sent would come after the Reset
      control.set("index" in control.attributes ? "index" : "value", model.get("_controls")[n][1]);
      control.save_changes();
    });
  };
  document.addEventListener("click", reset, { capture: true });

  // What a kernel leaves behind when it ends works on by itself; a new one knows nothing of it.
  let lost = false;
  const status = (_, now) => {
    lost ||= /restarting|dead/.test(now);
    if (now === "connected") { // what was said while the line was cut may be lost
      if (heard < began) begin();
      tell(model, view);
      waits = null;
    }
    view.notice.textContent = lost ? GONE : /connecting|disconnected/.test(kernel.connectionStatus) ? AWAY : "";
    look();
  };
  kernel?.statusChanged.connect(status);
  kernel?.connectionStatusChanged.connect(status);
  model.on("change", look); // after `hear`
  return () => {
    kernel?.statusChanged.disconnect(status);
    kernel?.connectionStatusChanged.disconnect(status);
    model.off("change", look);
    controls.forEach((control) => control.off("change", look));
    document.removeEventListener("click", reset, { capture: true });
    clearTimeout(timer);
    views.delete(view);
    view.destroy();
  };
}

export default { initialize, render };
