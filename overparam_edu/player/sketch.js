// A prediction drawn into the picture before the run is seen, and held against it afterwards.
//
// A scene's `sketch` (scene.py) names the trace that is the truth. The reader draws over its panel by
// mouse, touch or keys, and the panel has the picture for itself; Reveal plays the run over what was
// drawn and says how far off that is. The truth is in the arrays that the player has, so no kernel is
// needed. One script with player.js, which calls `adopt`, `place`, `position`, `dress` and `refresh`.

const KNOTS = 48; // places along a curve where it is held against the truth
const NEAR = 0.1; // decades by which a truth may differ and still be the one that was guessed
const SVG = "http://www.w3.org/2000/svg";
const RUNS = "Here comes the run …";

// Where a line through points stands above `x`; nothing outside of it.
function between(points, x) {
  const n = points.findIndex(([other]) => other >= x - 0.01);
  if (n < 1) return n < 0 || points[0][0] > x + 0.01 ? null : points[0][1];
  const [[a, ya], [b, yb]] = [points[n - 1], points[n]];
  return b > a ? ya + (Math.min(1, (x - a) / (b - a))) * (yb - ya) : yb;
}

// Where a line, given from left to right by positive numbers, stays below `level` from.
function arrival(points, level) {
  const n = points.findLastIndex(([, y]) => y > level);
  if (n === points.length - 1) return Infinity;
  if (n < 0) return points[0][0];
  const [[x0, y0], [x1, y1]] = points.slice(n, n + 2).map((point) => point.map(Math.log));
  return Math.exp(x0 + ((x1 - x0) * (Math.log(level) - y0)) / (y1 - y0));
}

const rounded = (factor) => shown(Number(factor.toPrecision(2)));
// Whether a guess is one: what a page keeps is read as it is found.
const sound = (guess) => Boolean(guess?.at) && Array.isArray(guess.points) && guess.points.length > 0
  && guess.points.every((point) => Array.isArray(point) && point.length === 3 && point.every(Number.isFinite));
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

class Sketch {
  // `guesses` tells what was drawn before under a name, { at, points }: the position of the axes that
  // choose the curve, and x, drawn and true y for each place. `keep` hears of a new one.
  constructor(player, guesses, keep) {
    // `phase`: "off" without a sketch, "drawing", "running" over what was drawn, or "shown" in the
    // whole picture; `keys` says that the pen is in the keys' hands.
    Object.assign(this, { player, guesses, keep, guess: null, name: null, phase: "off", xs: [], ys: [], pen: 0, keys: false });
    this.words = element("p", { role: "status" });
    const made = (word, name, press) => {
      const button = element("button", { ...OURS, type: "button", class: name }, word);
      button.addEventListener("click", press);
      return button;
    };
    this.reveal = made("Reveal", "oe-reveal", () => this.show());
    this.skip = made("Skip", "oe-skip", () => this.end());
    this.skip.append(element("span", {}, " (Esc)"));
    this.again = made("Draw again", "oe-again", () => this.begin());
    this.all = made("Whole picture", "oe-all", () => this.end());
    this.bar = element("div", { class: "oe-sketch", role: "group", "aria-label": "Your prediction" }, this.words, this.reveal, this.skip, this.again, this.all);
    this.surface = element("div", { ...OURS, class: "oe-surface", role: "slider", tabindex: 0, "aria-valuemin": 0 });
    this.layer = document.createElementNS(SVG, "svg");
    this.layer.setAttribute("class", "oe-drawn");
    this.layer.setAttribute("aria-hidden", true);
    this.watch();
  }

  get spec() {
    return this.player.spec.sketch;
  }

  get drawing() {
    return this.phase === "drawing";
  }

  get alone() {
    return this.drawing || this.phase === "running";
  }

  // ------------------------------------------------------------ what the player asks

  // Another scene has come, with its numbers.
  adopt() {
    const name = this.spec?.name ?? null;
    this.bar.hidden = !name;
    if (name !== this.name) {
      const known = name && this.guesses?.(name);
      this.guess = sound(known) ? known : null;
      Object.assign(this, { name, phase: !name ? "off" : this.guess ? "shown" : "drawing" });
    }
    if (this.drawing) this.xs = [];
    this.player.root.classList.toggle("oe-sketching", this.drawing);
    this.player.root.classList.toggle("oe-alone", this.alone);
    const chosen = this.spec?.y.axes ?? [];
    for (const { name } of this.player.spec.axes) this.player.controls[name].row.classList.toggle("oe-hidden", !chosen.includes(name));
  }

  // Where a track stands: while the reader draws, what may be known is seen whole, and of the run only
  // its beginning, wherever another view or Python has it.
  position({ trace, trail }, at) {
    if (!this.drawing) return at;
    if (!trail || !this.spec.whole.includes(trace)) return { ...at, [this.spec.along]: 0 };
    return { ...at, [trail]: this.player.spec.axes.find(({ name }) => name === trail).stops.length - 1 };
  }

  // Give the panel the whole picture, and take away what gives the answer away.
  dress(data, layout) {
    if (!this.alone) return;
    const { spec } = this, { xaxis = "x", yaxis = "y" } = data[spec.trace];
    const inside = ({ xref = "paper", yref = "paper" }) => xref.split(" ")[0] === xaxis && yref.split(" ")[0] === yaxis;
    data.forEach((trace, n) => {
      const elsewhere = (trace.xaxis ?? "x") !== xaxis || (trace.yaxis ?? "y") !== yaxis;
      if (elsewhere || (this.drawing && spec.hidden.includes(n))) trace.opacity = 0;
    });
    for (const part of [...(layout.annotations ?? []), ...(layout.shapes ?? [])]) if (!inside(part)) part.visible = false;
    const own = [xaxis, yaxis].map((name) => name.replace(/^[xy]/, "$&axis"));
    for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
      if (own.includes(name)) layout[name].domain = [0, 1];
      else layout[name].visible = false;
    }
    layout.margin = { ...layout.margin, t: 44 }; // room for one heading
    const along = this.player.spec.axes.find(({ name }) => name === spec.along);
    own.forEach((name, n) => (layout[name].title ??= { text: [spec.points ? "" : along.label, spec.points ? "" : spec.of][n] }));
  }

  // Lay the drawing over its panel, which has just been drawn or has another size.
  place() {
    if (!this.spec || !this.player.Plotly) return;
    const { x, y } = this.panel();
    const box = { left: x._offset, top: y._offset, width: x._length, height: y._length };
    for (const [name, value] of Object.entries(box)) {
      for (const node of [this.surface, this.layer]) node.style[name] = `${value}px`;
    }
    if (!this.surface.isConnected) this.player.picture.append(this.layer, this.surface);
    this.surface.hidden = !this.drawing;
    if (this.drawing && !this.xs.length) this.start();
    this.refresh();
  }

  // Draw what was drawn, and say what is to be said.
  refresh() {
    if (!this.spec || !this.player.Plotly || !this.surface.isConnected) return;
    const { drawing, player, spec } = this, fits = !drawing && this.fits();
    const asks = spec.asks.replace(/\{(\w+)\}/g, (_, name) => shown(player.spec.axes.find((axis) => axis.name === name).stops[player.at[name]]));
    let words = asks;
    if (!drawing) words = !this.guess ? "" : fits ? (player.playing && this.alone ? RUNS : this.verdict()) : this.elsewhere();
    if (this.words.textContent !== words) this.words.textContent = words;
    this.again.textContent = this.guess && fits ? "Draw again" : "Draw this one";
    for (const button of [this.reveal, this.skip]) button.hidden = !drawing;
    this.again.hidden = drawing || Boolean(player.playing && this.alone);
    this.all.hidden = this.phase !== "running";
    this.reveal.disabled = this.points().length < 2;
    this.trace(drawing ? this.points() : fits ? this.guess.points : []);
  }

  // ------------------------------------------------------------ beginning and ending

  begin() {
    this.phase = "drawing";
    this.player.pause();
    this.player.moveHere(this.spec.along, 0);
    this.changed();
    this.surface.focus({ preventScroll: true });
    this.player.rest();
  }

  // The places where heights are wanted: along a curve whose first one is known, or at each point.
  start() {
    const { x } = this.panel(), truth = this.truth(), [[first, height]] = truth;
    const last = Math.min(truth.at(-1)[0], x._length);
    const even = Array.from({ length: KNOTS }, (_, n) => first + ((last - first) * n) / (KNOTS - 1));
    this.xs = (this.spec.points ? truth.map(([px]) => px) : even).map((px) => x.p2d(px));
    this.ys = this.xs.map(() => null);
    if (!this.spec.points) this.ys[0] = this.panel().y.p2d(height);
    this.pen = 0;
    this.surface.setAttribute("aria-label", `Your ${this.spec.of}. Right and left move the pen, up and down lift and lower it`);
    this.surface.setAttribute("aria-valuemax", this.xs.length - 1);
    this.read();
  }

  end() {
    const held = this.bar.contains(document.activeElement) || document.activeElement === this.surface;
    this.phase = "shown";
    this.changed();
    if (held) this.again.focus({ preventScroll: true });
    this.unfold();
  }

  show() {
    const drawn = this.points();
    if (drawn.length < 2) return;
    const { x, y } = this.panel(), truth = this.truth(), { player, spec } = this;
    const real = drawn.map(([at]) => between(truth, x.d2p(at)));
    const round = (value) => Number(value.toPrecision(4));
    const points = drawn.map(([at, height], n) => [at, height, real[n] === null ? null : y.p2d(real[n])]).filter(([, , known]) => known !== null);
    this.guess = { at: Object.fromEntries(spec.y.axes.map((name) => [name, player.at[name]])), points: points.map((one) => one.map(round)) };
    this.keep?.(spec.name, this.guess);
    this.phase = "running";
    this.changed();
    this.all.focus({ preventScroll: true });
    this.unfold();
    if (spec.points) return;
    player.moveHere(spec.along, 0);
    player.play(spec.along);
  }

  changed() {
    this.adopt();
    this.player.drawn = null;
    this.player.settle();
  }

  // "What to find" after the picture opens by itself.
  unfold() {
    const after = (node) => this.player.root.compareDocumentPosition(node) & Node.DOCUMENT_POSITION_FOLLOWING;
    const found = [...document.querySelectorAll("details")].find((node) => after(node) && /^What to find/.test(node.textContent.trim()));
    if (found) found.open = true;
  }

  // ------------------------------------------------------------ the truth

  panel() {
    const [x, y] = axesOf(this.player.picture, this.spec.trace);
    return { x, y };
  }

  // In pixels of its panel, from left to right; what lies above or below is at the edge.
  truth() {
    const { x, y } = this.panel(), { floats, at } = this.player;
    const [xs, ys] = [this.spec.x, this.spec.y].map((item) => Array.from(slice(item, floats, at)));
    const height = (value) => (value > 0 ? Math.min(Math.max(y.d2p(value), 0), y._length) : y._length);
    return xs.map((value, n) => [x.d2p(value), ys[n] === null ? NaN : height(ys[n])]).filter((point) => point.every(Number.isFinite));
  }

  // Whether the picture shows the truth that was guessed.
  fits() {
    if (!this.guess) return false;
    const { x, y } = this.panel(), truth = this.truth(), { at, points } = this.guess;
    const same = ([place, , real]) => Math.abs(Math.log10(y.p2d(between(truth, x.d2p(place)) ?? NaN) / real)) < NEAR;
    return Object.entries(at).every(([name, stop]) => this.player.at[name] === stop) && points.every(same);
  }

  elsewhere() {
    const { axes } = this.player.spec;
    const other = axes.filter(({ name }) => name in this.guess.at && this.guess.at[name] !== this.player.at[name]);
    const said = other.map(({ name, label, stops }) => `${label} = ${shown(stops[this.guess.at[name]] ?? NaN)}`);
    return `What you drew is ${said.length ? `at ${said.join(", ")}` : "for other settings"}.`;
  }

  // ------------------------------------------------------------ how far off

  verdict() {
    const { never } = this.spec, moving = this.guess.points.filter(([, , real]) => real < never);
    const ratios = (this.spec.points ? moving : this.guess.points.slice(1)).map(([, drawn, real]) => Math.log10(drawn / real));
    const off = 10 ** mean(ratios.map(Math.abs)), lean = Math.abs(mean(ratios)) > Math.log10(off) / 2 ? mean(ratios) : 0;
    const [above, below] = this.spec.points ? ["long", "short"] : ["high", "low"];
    const side = lean ? `, mostly too ${lean > 0 ? above : below}` : "";
    const far = off < 1.1 ? `right to ${Math.ceil(100 * (off - 1))} % on average` : `off by a factor of ${rounded(off)} on average${side}`;
    const first = ratios.length ? `Your ${this.spec.points ? "guess" : "curve"} is ${far}.` : "";
    return `${first} ${this.spec.points ? this.saidOfNever() : this.saidOfArrival()}`.trim();
  }

  saidOfNever() {
    const { never } = this.spec, still = this.guess.points.filter(([, , real]) => real >= never);
    if (!still.length) return "";
    const names = still.map(([x]) => shown(x)).join(", "), said = still.filter(([, drawn]) => drawn >= never).length;
    const noun = `At ${(this.panel().x.title.text ?? "").split(" ")[0]} ${names}`;
    return `${noun} the true answer is never: ${said === still.length ? "so you said" : said ? `you said so of ${said}` : "you did not say so"}.`;
  }

  saidOfArrival() {
    if (!this.spec.arrival) return "";
    const [level, there] = ["level", "steps"].map((name) => slice(this.spec.arrival[name], this.player.floats, this.player.at));
    const here = arrival(this.guess.points, level), run = there === null ? Infinity : there;
    if (here === Infinity && run === Infinity) return "Neither arrives.";
    if (run === Infinity) return `The run does not arrive; yours does at ${shown(Math.round(here))}.`;
    if (here === Infinity) return `The run arrives at ${shown(run)}; yours does not.`;
    const factor = Math.max(here, 1) / Math.max(run, 1), late = factor > 1;
    const judged = Math.max(factor, 1 / factor) < 1.1 ? "well timed" : `too ${late ? "late" : "early"} by a factor of ${rounded(late ? factor : 1 / factor)}`;
    return `The run arrives at ${shown(run)}, yours at ${shown(Math.round(here))}: ${judged}.`;
  }

  // ------------------------------------------------------------ drawing

  points() {
    return this.xs.map((x, n) => [x, this.ys[n]]).filter(([, y]) => y !== null);
  }

  watch() {
    let last = null;
    const { surface } = this;
    surface.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      surface.setPointerCapture(event.pointerId);
      this.keys = false;
      last = this.pixel(event);
      this.paint(last, last);
      surface.focus({ preventScroll: true });
      event.preventDefault();
    });
    surface.addEventListener("pointermove", (event) => {
      for (const one of last ? event.getCoalescedEvents?.() ?? [event] : []) {
        const next = this.pixel(one);
        this.paint(last, next);
        last = next;
      }
    });
    for (const name of ["pointerup", "pointercancel"]) surface.addEventListener(name, () => (last = null));
    surface.addEventListener("keydown", (event) => this.press(event));
    surface.addEventListener("focus", () => ((this.keys = !last), this.refresh()));
    surface.addEventListener("blur", () => ((this.keys = false), this.refresh()));
    // The hand that draws has the mouse over the picture, and the focus often elsewhere.
    this.escape = (event) => {
      const { root } = this.player;
      if (event.key !== "Escape" || !this.drawing || !(root.contains(document.activeElement) || root.matches(":hover"))) return;
      event.preventDefault();
      event.stopPropagation();
      this.end();
    };
    document.addEventListener("keydown", this.escape, { capture: true });
  }

  // In the panel's pixels, however the page is scaled.
  pixel({ clientX, clientY }) {
    const { left, top, width, height } = this.surface.getBoundingClientRect(), { x, y } = this.panel();
    const [px, py] = [((clientX - left) / width) * x._length, ((clientY - top) / height) * y._length];
    return [px, Math.min(Math.max(py, 0), y._length)];
  }

  // Put all places from one point to another on the line between them.
  paint([x0, y0], [x1, y1]) {
    const { x, y } = this.panel(), places = this.xs.map((value) => x.d2p(value));
    const nearest = (px) => places.reduce((best, place, n) => (Math.abs(place - px) < Math.abs(places[best] - px) ? n : best), 0);
    const [from, to] = [nearest(x0), nearest(x1)], way = Math.sign(to - from);
    for (let n = from; ; n += way) {
      if (n || this.spec.points) this.ys[n] = y.p2d(n === to ? y1 : y0 + ((y1 - y0) * (n - from)) / (to - from));
      if (n === to) break;
    }
    this.pen = to;
    this.read();
  }

  // Like a pen that never leaves the paper: it draws to the right, and lifts or lowers all from there on.
  press(event) {
    const { y } = this.panel(), last = this.xs.length - 1;
    const across = { ArrowRight: 1, ArrowLeft: -1, Home: -last, End: last }[event.key];
    const up = { ArrowUp: -1, ArrowDown: 1, PageUp: -5, PageDown: 5 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || (across === undefined && up === undefined && event.key !== "Enter")) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Enter") return this.show();
    this.keys = true;
    const height = this.height();
    if (across) {
      this.pen = Math.min(Math.max(this.pen + across, 0), last);
      if (this.ys[this.pen] === null && Math.abs(across) === 1) this.ys[this.pen] = height;
    } else {
      const lift = (value) => y.p2d(Math.min(Math.max(y.d2p(value) + (up * y._length) / 50, 0), y._length));
      const first = Math.max(this.pen, this.spec.points ? 0 : 1), end = this.spec.points ? first : last;
      this.ys[first] ??= height;
      for (let n = first; n <= end; n += 1) if (this.ys[n] !== null) this.ys[n] = lift(this.ys[n]);
      this.pen = first;
    }
    this.read();
  }

  // The pen's: where the curve is, or else as high as it was before, or in the middle.
  height() {
    const { y } = this.panel(), before = this.ys.slice(0, this.pen + 1).filter((value) => value !== null);
    return this.ys[this.pen] ?? before.at(-1) ?? y.p2d(y._length / 2);
  }

  read() {
    const { x } = this.panel(), place = this.xs[this.pen], name = x.title.text ?? "";
    this.surface.setAttribute("aria-valuenow", this.pen);
    this.surface.setAttribute("aria-valuetext", `${name} ${shown(place > 10 ? Math.round(place) : place)}: ${this.spec.of} ${shown(this.height())}`);
    this.refresh();
  }

  // The drawing: a broad soft line, or a ring for each point; the pen, where keys hold it; a hint.
  trace(points) {
    const { x, y } = this.panel(), { drawing, spec } = this;
    const pixels = points.map(([at, height]) => [x.d2p(at), y.d2p(height)]);
    const parts = [], add = (tag, attributes, ...text) => {
      const node = document.createElementNS(SVG, tag);
      Object.entries(attributes).forEach((pair) => node.setAttribute(...pair));
      node.append(...text);
      parts.push(node);
    };
    if (pixels.length > 1) add("polyline", { points: pixels.map((pixel) => pixel.join()).join(" ") });
    if (spec.points) pixels.forEach(([cx, cy]) => add("circle", { class: "oe-guess", cx, cy, r: 9 }));
    const held = this.keys && document.activeElement === this.surface;
    this.surface.classList.toggle("oe-keys", held);
    if (drawing && (held || (!spec.points && pixels.length < 2))) {
      const pen = held ? [x.d2p(this.xs[this.pen]), y.d2p(this.height())] : pixels[0];
      if (pen) add("circle", { class: "oe-pen", cx: pen[0], cy: pen[1], r: 8 });
    }
    if (drawing && pixels.length < 2) add("text", { x: 0.97 * x._length, y: 0.15 * y._length, "text-anchor": "end" }, "✎ draw here");
    else if (pixels.length) {
      const [cx, cy] = pixels.at(-1);
      add("text", { x: Math.min(cx, x._length) - 4, y: cy > 34 ? cy - 14 : cy + 28, "text-anchor": "end" }, "you");
    }
    this.layer.replaceChildren(...parts);
  }

  destroy() {
    document.removeEventListener("keydown", this.escape, { capture: true });
  }
}

