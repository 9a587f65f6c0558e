// What belongs together lights together: a word of a key, an arrow, a curve, all of one colour.
//
// In a picture one colour has one role (style.py). A mouse on a word of a key, or on a line that has
// such a word, dims all other lines; a finger taps. One script with player.js, which calls `apply`.

const REACH = 9; // CSS pixels from a line that still are on it
const probe = document.createElement("i");
const ink = (colour) => ((probe.style.color = ""), (probe.style.color = colour ?? ""), probe.style.color);

class Light {
  constructor(player) {
    Object.assign(this, { player, colour: null });
    const look = (event) => this.turn(event.buttons && event.type === "pointermove" ? null : this.under(event));
    player.picture.addEventListener("pointermove", (event) => event.pointerType === "mouse" && look(event));
    player.picture.addEventListener("pointerup", (event) => {
      look(event);
      setTimeout(() => this.apply(), 50); // Plotly answers a tap by drawing its words anew
    }, true);
    player.picture.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && this.turn(null));
  }

  // The words of keys, by their colour.
  words() {
    return [...this.player.picture.querySelectorAll(".annotation-text tspan")].map((word) => [word.style.fill, word]).filter(([colour]) => colour);
  }

  under({ clientX: x, clientY: y }) {
    const { picture, sketch } = this.player;
    if (sketch.alone || !picture.calcdata) return null;
    const words = this.words(), offered = words.map(([colour]) => colour);
    const on = ({ left, right, top, bottom }) => x >= left - 3 && x <= right + 3 && y >= top - 3 && y <= bottom + 3;
    const word = words.find(([, node]) => on(node.getBoundingClientRect()));
    if (word) return word[0];
    const frame = picture.getBoundingClientRect();
    const lines = picture.calcdata.map((points, n) => [this.colourOf(picture._fullData[n]), points, axesOf(picture, n)]);
    const near = lines.filter(([colour]) => offered.includes(colour)).map(([colour, ...line]) => [far(...line, [x - frame.left, y - frame.top]), colour]);
    const [nearest] = near.filter(([distance]) => distance < REACH).sort(([a], [b]) => a - b);
    return nearest?.[1] ?? null;
  }

  colourOf(trace) {
    return trace?.type === "scatter" ? ink(trace.mode?.includes("lines") ? trace.line.color : trace.marker?.color) : null;
  }

  turn(colour) {
    if (colour !== this.colour) this.apply(colour);
  }

  // Again after each drawing, which makes some of its parts anew.
  apply(colour = this.colour) {
    if (!colour && !this.colour) return;
    this.colour = colour;
    const dim = (node, own) => node.classList.toggle("oe-dim", Boolean(colour) && own !== colour);
    for (const trace of this.player.picture._fullData ?? []) {
      const node = this.player.picture.querySelector(`.scatterlayer .trace${trace.uid}`);
      if (node) dim(node, this.colourOf(trace));
    }
    for (const [own, word] of this.words()) dim(word, own);
  }
}

// How far a place in the picture is from a line of Plotly's, or from its one point.
function far(points, axes, [x, y]) {
  const drawn = points.map(({ x: a, y: b }) => axes.map((axis, n) => axis._offset + axis.c2p([a, b][n])));
  const places = drawn.filter((place) => place.every(Number.isFinite));
  return places.reduce((least, [bx, by], n) => {
    const [ax, ay] = places[Math.max(0, n - 1)], [dx, dy] = [bx - ax, by - ay];
    const part = Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1)));
    return Math.min(least, Math.hypot(ax + part * dx - x, ay + part * dy - y));
  }, Infinity);
}
