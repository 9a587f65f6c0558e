// The player: a Plotly picture and its controls, moved by hand or by Play without a kernel.
//
// Python (scene.py, wire.py) gives a figure with everything static in it, named slider axes, and
// tracks: arrays whose leading dimensions are those axes. This file slices them at the sliders'
// position and hands Plotly what changed. It runs in a notebook (`render`, called by anywidget)
// and in an exported page without a kernel (`mount`).

const PATIENCE = 30_000; // ms to wait for plotly.js before saying that the kernel is silent
const FULL_RUN = 6_000; // ms in which Play walks a whole axis
const NARROW = 640; // CSS pixels below which a scene's `narrow` layout holds
const GONE = "The kernel is gone. Sliders still move; for all else, run every cell again, or reload a presentation.";
const OLD = "this browser has no DecompressionStream. Chrome or Edge 80, Firefox 113, Safari 16.4 and later have it.";
const MATH_FONT = "STIX Two Math";
const INSTANT = { mode: "immediate", frame: { duration: 0, redraw: false }, transition: { duration: 0 } };

// ---------------------------------------------------------------- plotly.js and a font, once per page

// It is 4.8 MB, so a page asks a kernel for it once, whatever the number of players, notebooks
// and copies of this file in it.
const page = () => (window.overparamEduPage ??= { plotly: null, arrived: null, font: false });
const pagePlotly = () => (parseInt(window.Plotly?.version) >= 3 ? window.Plotly : null);

function loadPlotly(ask) {
  if (pagePlotly()) return Promise.resolve(pagePlotly());
  if (!ask) return Promise.reject(new Error("This page lacks plotly.js, version 3 or later."));
  const shared = page();
  const request = (resolve, reject) => {
    const silence = "plotly.js did not arrive: is the kernel alive? Run this cell again.";
    const timer = setTimeout(reject, PATIENCE, new Error(silence));
    shared.arrived = (source) => {
      clearTimeout(timer);
      runScript(source);
      if (pagePlotly()) resolve(pagePlotly());
      else reject(new Error("plotly.js arrived but did not start: it must be version 3 or later."));
    };
    ask("plotly.js");
  };
  return (shared.plotly ??= new Promise(request).catch((error) => {
    shared.plotly = null; // so that a later player may try again
    throw error;
  }));
}

// Few systems have a font that can lower a subscript. A page asks for one once, and does without it
// until it is there.
function loadMathFont(ask) {
  if (!ask || page().font || [...document.fonts].some(({ family }) => family.includes(MATH_FONT))) return;
  page().font = true;
  ask("font");
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

// ---------------------------------------------------------------- controls

// JupyterLab takes arrow keys and Space away from whatever has the focus, unless it has this mark.
const OURS = { "data-lm-suppress-shortcuts": true };

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// Native inputs: they bring roles, focus and keys along, and unlike an ipywidgets slider, which
// sends a message per move even under jslink, they leave the kernel in peace.
function slider(axis, move) {
  const last = axis.stops.length - 1;
  const input = element("input", { ...OURS, type: "range", min: 0, max: last, "aria-label": axis.label });
  const readout = element("output", { "aria-hidden": true });
  input.addEventListener("input", () => move(Number(input.value)));
  const set = (stop) => {
    input.value = stop;
    readout.textContent = shown(axis.stops[stop]);
    input.setAttribute("aria-valuetext", readout.textContent);
  };
  return { nodes: [input, readout], set };
}

function choice(axis, move) {
  const name = crypto.randomUUID?.() ?? String(Math.random());
  const radios = axis.stops.map((_, stop) => {
    const radio = element("input", { ...OURS, type: "radio", name });
    radio.addEventListener("change", () => move(stop));
    return radio;
  });
  const labels = axis.stops.map((text, stop) => element("label", {}, radios[stop], text));
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
  const buttons = axis.play ? [play] : [];
  if (axis.buttons) buttons.push(button(axis, () => step(-1), "Back"), button(axis, () => step(1), "Next"));
  if (buttons.length) made.row.prepend(element("div", { class: "oe-buttons" }, ...buttons));
  return made;
}

// ---------------------------------------------------------------- the player

class Player {
  constructor(el, { spec, buffer, position, onPosition, onRest, onEdit, ask }) {
    // `drawn` is the position in the picture; null asks for a complete drawing. `playing` is
    // { name, head, stop, time } of the axis that plays.
    Object.assign(this, { onPosition, onRest, onEdit, ask, alive: true, drawn: null, playing: null });
    this.wanted = { ...position }; // axis name -> stop, as last asked for
    this.picture = element("div", { class: "oe-picture", role: "group" });
    this.status = element("p", { class: "oe-reading", role: "status", "aria-live": "polite" });
    this.panel = element("div", { class: "oe-controls" });
    this.root = element("div", { class: "oe-player", "data-frames": 0 });
    this.board = element("div", { class: "oe-board", tabindex: 0 });
    this.notice = element("p", { class: "oe-notice", role: "alert" });
    this.root.append(this.picture, this.board, this.status, this.panel, this.notice);
    el.append(this.root);
    this.watchHands();
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.root);
    this.say("Loading the picture …");
    this.show(spec, buffer);
  }

  begin(library) {
    if (!this.alive) return;
    Object.assign(this, { Plotly: library, trouble: false });
    this.settle();
  }

  async show(spec, buffer) {
    this.newest = spec;
    const floats = await unpack(buffer).catch((error) => this.say(`No picture: ${error.message}`));
    if (!floats || !this.alive || this.newest !== spec) return; // a later scene is on its way
    const sameAxes = JSON.stringify(spec.axes) === JSON.stringify(this.spec?.axes);
    Object.assign(this, { spec, floats, drawn: null });
    if (this.Plotly || !spec.figure) this.trouble = false;
    else loadPlotly(this.ask).then((library) => this.begin(library), (error) => this.say(error.message));
    this.wanted = this.at = this.inside(this.wanted);
    if (JSON.stringify(spec.board ?? "").includes("<math")) loadMathFont(this.ask); // before any move
    if (!sameAxes) this.buildControls(); // otherwise the slider stays in the hand that holds it
    this.settle();
  }

  buildControls() {
    const held = this.panel.contains(document.activeElement) && document.activeElement;
    const name = held && held.closest("[data-axis]")?.dataset.axis;
    this.controls = Object.fromEntries(
      this.spec.axes.map((axis) => {
        const move = (stop) => this.pause(axis.name) || this.moveHere(axis.name, stop);
        const step = (by) => move(this.inside({ ...this.at, [axis.name]: this.at[axis.name] + by })[axis.name]);
        return [axis.name, control(axis, { move, step, toggle: () => this.toggle(axis.name) })];
      }),
    );
    this.panel.replaceChildren(...Object.values(this.controls).map(({ row }) => row));
    if (held) this.controls[name]?.row.querySelector(held.tagName)?.focus();
    this.controls[this.playing?.name]?.playing(true);
  }

  inside(wanted) {
    const stop = ({ name, start }) => (Number.isInteger(wanted[name]) ? wanted[name] : start);
    const kept = (axis) => Math.min(Math.max(stop(axis), 0), axis.stops.length - 1);
    return Object.fromEntries(this.spec.axes.map((axis) => [axis.name, kept(axis)]));
  }

  // ------------------------------------------------------------ drawing

  // One redraw per animation frame; whatever comes in between, the latest position wins.
  async settle() {
    if (this.spec) this.read();
    if (this.busy || !this.spec || (this.spec.figure && !this.Plotly)) return;
    this.root.ariaBusy = this.busy = true;
    try {
      while (this.alive && this.spec.axes.some(({ name }) => this.drawn?.[name] !== this.at[name])) {
        const nextFrame = new Promise(requestAnimationFrame), began = performance.now();
        await this.redraw();
        this.milliseconds = performance.now() - began;
        await nextFrame;
        this.read();
        this.root.dataset.frames = Number(this.root.dataset.frames) + 1;
      }
    } catch (error) {
      if (!this.alive) return;
      this.say(`The picture could not be drawn: ${error?.message ?? error}`);
      console.error(error);
    } finally {
      this.root.ariaBusy = this.busy = false;
    }
  }

  async redraw() {
    const before = this.drawn;
    this.drawn = { ...this.at };
    const html = this.spec.board ? slice(this.spec.board, this.floats, this.at) : "";
    if (html !== this.html) this.board.innerHTML = this.html = html;
    if ((this.picture.hidden = !this.spec.figure)) return;
    if (!before) return this.drawAll();
    const moved = ({ axes }) => axes.some((name) => before[name] !== this.drawn[name]);
    const changed = this.spec.tracks.filter(moved);
    const isPoint = ({ trace, attribute }) => this.isScatter(trace) && /^[xy]$/.test(attribute);
    // A restyle draws everything again: points that move beside other things go with them.
    if (!changed.every(isPoint)) await this.restyle(changed);
    else if (changed.length) await this.movePoints(changed);
  }

  async drawAll() {
    await this.Plotly.react(this.picture, this.wholeFigure());
    this.picture.removeAllListeners("plotly_relayout");
    this.picture.on("plotly_relayout", (patch) => this.busy || this.onEdit?.(patch));
  }

  wholeFigure() {
    const { data, layout } = structuredClone(this.spec.figure);
    this.narrow = (this.width = this.root.clientWidth) > 0 && this.width < NARROW;
    if (this.narrow) Object.entries(this.spec.narrow).forEach((patch) => put(layout, ...patch));
    const value = (track) => slice(track, this.floats, this.at);
    this.spec.tracks.forEach((track) => put(data[track.trace] ?? layout, track.attribute, value(track)));
    layout.editrevision = this.revision = (this.revision ?? 0) + 1; // Python knows of all dragging
    this.picture.style.height = `${(layout.height ??= 480)}px`;
    this.picture.setAttribute("aria-label", this.spec.alt);
    const shapePosition = (layout.shapes ?? []).some(({ editable }) => editable);
    return { data, layout, config: { displaylogo: false, displayModeBar: false, edits: { shapePosition } } };
  }

  isScatter(trace) {
    return (this.spec.figure.data[trace]?.type ?? (trace === null ? "" : "scatter")) === "scatter";
  }

  // Plotly.animate moves points at a third of a restyle's cost, since axes and contours aren't drawn
  // again. But it brings the traces that move to the front, so all take part, and takes away the
  // layers of other types, contours for instance, so these are put back before the screen is painted.
  async movePoints(tracks) {
    const data = this.spec.figure.data.map(() => ({}));
    for (const track of tracks) data[track.trace][track.attribute] = slice(track, this.floats, this.at);
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
      const value = slice(track, this.floats, this.at);
      if (track.trace === null) layout[track.attribute] = value;
      else (style[track.attribute] ??= Array(traces.length))[traces.indexOf(track.trace)] = value;
    }
    if (!traces.length) return this.Plotly.relayout(this.picture, layout);
    return this.Plotly.update(this.picture, style, layout, traces);
  }

  fit() {
    const width = this.root.clientWidth;
    if (!this.drawn || !this.spec.figure || !width || width === this.width) return; // hidden, or not there yet
    if (this.narrow !== width < NARROW) this.drawn = null;
    else this.Plotly.Plots.resize(this.picture);
    this.width = width;
    this.settle();
  }

  // ------------------------------------------------------------ reading

  read() {
    const values = { milliseconds: Math.round(this.milliseconds ?? 0) };
    for (const { name, stops } of this.spec.axes) values[name] = stops[this.at[name]];
    for (const name in this.controls) this.controls[name].set(this.at[name]);
    if (this.trouble) return;
    const { template = "", fields = {} } = this.spec.reading ?? {};
    for (const name in fields) values[name] = slice(fields[name], this.floats, this.at);
    const text = template.replace(/\{(\w+)\}/g, (_, name) => shown(values[name]));
    if (text !== this.status.textContent) this.status.textContent = text;
    this.status.hidden = !text;
  }

  say(text) {
    this.trouble = true; // the sentence stays until there is a picture again
    this.status.textContent = text;
    this.status.hidden = false;
  }

  // ------------------------------------------------------------ moving

  move(wanted) {
    this.moved = false; // whoever moves us knows where we are
    this.wanted = { ...this.wanted, ...wanted };
    if (this.spec) this.at = this.inside(this.wanted);
    this.settle();
  }

  moveHere(name, stop) {
    this.move({ [name]: stop });
    this.onPosition?.({ ...this.at });
    this.moved = true;
  }

  watchHands() {
    this.panel.addEventListener("focusin", () => (this.held = true));
    this.panel.addEventListener("focusout", ({ relatedTarget }) => {
      this.held = this.panel.contains(relatedTarget);
      this.rest();
    });
    // Some browsers don't focus a slider that is dragged; there, the end of the drag is the rest.
    this.panel.addEventListener("change", () => this.rest());
  }

  rest() {
    if (this.held || !this.moved) return;
    this.moved = false;
    this.onRest?.();
  }

  toggle(name) {
    const before = this.playing?.name;
    this.pause();
    if (before !== name) this.play(name);
  }

  play(name) {
    const last = this.spec.axes.find((axis) => axis.name === name).stops.length - 1;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.moveHere(name, last);
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
    this.rest();
  }

  step(now, run) {
    if (!this.alive || this.playing !== run) return;
    const axis = this.spec.axes.find(({ name }) => name === run.name);
    if (!axis?.play) return this.pause();
    const last = axis.stops.length - 1;
    if (this.at[run.name] !== run.stop) run.head = this.at[run.name]; // moved from elsewhere
    run.head = Math.min(last, run.head + (Math.max(0, now - run.time) * last) / FULL_RUN);
    Object.assign(run, { time: now, stop: Math.floor(run.head) });
    if (run.stop !== this.at[run.name]) this.moveHere(run.name, run.stop);
    if (run.stop >= last) this.pause();
    else requestAnimationFrame((later) => this.step(later, run));
  }

  destroy() {
    this.alive = false;
    this.observer.disconnect();
    this.Plotly?.purge(this.picture);
    this.root.remove();
  }
}

/**
 * Draw a scene inside `el`, in any page.
 *
 * `onPosition` hears of each move made here; `onRest`, when the hand has left the controls; `onEdit`
 * what of the layout was changed by hand, such as shapes; `ask` requests "plotly.js" or a "font" if the page
 * has none. The result has `move(position)`, `show(spec, buffer)` and `destroy()`.
 */
export function mount(el, options) {
  return new Player(el, options);
}

// Listening belongs to the model, not to a view: the answer counts even if the view that asked has
// gone, since other players of the page wait for it too.
function initialize({ model }) {
  model.on("msg:custom", (content, [source]) => {
    if (content?.kind === "plotly.js") page().arrived?.(new TextDecoder().decode(bytesOf(source)));
    if (content?.kind === "font") document.fonts.add(new FontFace(MATH_FONT, bytesOf(source)));
  });
}

function render({ model, el }) {
  const player = mount(el, {
    ...model.get("_scene"),
    position: model.get("position"),
    onPosition: (position) => model.set("position", position), // other views hear, not the kernel
    onRest: () => model.save_changes(),
    onEdit: (edited) => {
      if (!Object.keys(edited)[0]?.startsWith("shapes[")) return; // a new size, for instance
      model.set("edited", edited);
      model.save_changes();
    },
    ask: (kind) => model.send({ kind }),
  });
  const show = () => player.show(model.get("_scene").spec, model.get("_scene").buffer);
  const move = () => player.move(model.get("position"));
  // What a kernel leaves behind when it ends works on by itself; a new one knows nothing of it.
  const { kernel } = model.widget_manager;
  const mourn = (_, status) => /restarting|dead/.test(status) && (player.notice.textContent = GONE);
  kernel?.statusChanged.connect(mourn);
  model.on("change:_scene", show);
  model.on("change:position", move);
  return () => {
    kernel?.statusChanged.disconnect(mourn);
    model.off("change:_scene", show);
    model.off("change:position", move);
    player.destroy();
  };
}

export default { initialize, render };
