// Small copies of a panel above the picture: one trail of it at some stops of an axis, played together.
//
// A scene's `strip` (scene.py) names the trail, which is a path in the plane, the axis and its stops.
// The numbers are those that the player has; what lies under the path is a picture of Plotly's own
// contours. One script with player.js, which calls `adopt`, `place` and `draw`.

class Strip {
  constructor(player) {
    Object.assign(this, { player, tiles: [], looks: "" });
    this.box = element("div", { class: "oe-strip", role: "radiogroup" });
  }

  get spec() {
    return this.player.spec.strip;
  }

  // Another scene has come.
  adopt() {
    this.box.hidden = !this.spec;
    const axis = this.player.spec.axes.find(({ name }) => name === this.spec?.axis);
    const looks = JSON.stringify(axis && [axis.label, this.spec.stops.map((stop) => [stop, axis.stops[stop]])]);
    if (looks === this.looks) return; // a tile stays in the hand that holds it
    this.looks = looks;
    this.words = axis && `${axis.label}, side by side`;
    this.box.setAttribute("aria-label", this.words ?? "");
    const name = crypto.randomUUID?.() ?? String(Math.random());
    this.tiles = (this.spec?.stops ?? []).map((stop) => {
      const radio = element("input", { ...OURS, type: "radio", name });
      radio.addEventListener("change", () => this.player.moveHere(axis.name, stop));
      radio.addEventListener("keydown", ({ key }) => key === "Enter" && radio.click());
      const svg = document.createElementNS(SVG, "svg"), [path, now] = [0, 1].map(() => document.createElementNS(SVG, "path"));
      svg.append(path, now);
      svg.setAttribute("preserveAspectRatio", "none");
      const words = `${axis.label.split(" ").at(-1)} = ${shown(axis.stops[stop])}`;
      return { stop, radio, svg, path, now, label: element("label", {}, radio, svg, element("span", {}, words)) };
    });
    this.ground = null; // new tiles have none
    this.box.replaceChildren(...this.tiles.map(({ label }) => label));
  }

  // The panel has been drawn, at some size: its contours lie under every path.
  place() {
    const { picture, sketch } = this.player;
    if (!this.spec || sketch.alone) return;
    const { xaxis = "x", yaxis = "y" } = picture._fullData[this.spec.trace], [wide, tall] = this.axes().map(({ _length }) => _length);
    const { color } = this.player.spec.figure.data[this.spec.trace].line;
    for (const { svg } of this.tiles) {
      svg.setAttribute("viewBox", `0 0 ${wide} ${tall}`);
      svg.style.stroke = color;
    }
    const contours = picture.querySelector(`.subplot.${xaxis}${yaxis} .contourlayer`)?.innerHTML ?? "";
    this.lay(`<svg xmlns="${SVG}" width="${wide}" height="${tall}" viewBox="0 0 ${wide} ${tall}">${contours}</svg>`);
    this.draw();
  }

  // As pixels: to draw the contours again below each path that moves would cost more than the paths.
  lay(ground) {
    if (ground === this.ground) return;
    const image = new Image();
    image.onload = () => {
      if (ground !== this.ground) return; // another came meanwhile
      const canvas = element("canvas", { width: 240, height: 160 });
      canvas.getContext("2d").drawImage(image, 0, 0, 240, 160);
      for (const { svg } of this.tiles) svg.style.backgroundImage = `url(${canvas.toDataURL()})`;
    };
    this.ground = ground;
    image.src = `data:image/svg+xml,${encodeURIComponent(ground)}`;
  }

  axes() {
    return axesOf(this.player.picture, this.spec.trace);
  }

  draw() {
    if (!this.spec || !this.player.picture._fullData) return;
    const { spec, player } = this, [x, y] = this.axes();
    const lines = "xy".split("").map((letter) => player.spec.tracks.find(({ trace, attribute }) => trace === spec.trace && attribute === letter));
    for (const { stop, radio, path, now } of this.tiles) {
      radio.checked = player.at[spec.axis] === stop;
      const [xs, ys] = lines.map((line) => slice(line, player.floats, { ...player.at, [spec.axis]: stop }));
      const points = Array.from(xs.slice(0, ys.length), (at, n) => `${x.d2p(at).toFixed(1)} ${y.d2p(ys[n]).toFixed(1)}`);
      path.setAttribute("d", points.length ? `M${points.join("L")}` : "");
      now.setAttribute("d", points.length ? `M${points.at(-1)}h0` : "");
    }
  }
}
