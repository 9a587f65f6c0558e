// What a reader takes away from a page: a picture as a file.

// The texts that are seen inside a node, line by line, each with its place and its look.
function lines(node, origin) {
  const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT), range = document.createRange();
  const pen = document.createElement("canvas").getContext("2d"), found = [];
  while (walker.nextNode()) {
    const text = walker.currentNode, style = getComputedStyle(text.parentElement);
    let last = null;
    for (const { 0: word, index } of text.data.matchAll(/\S+\s*/g)) {
      range.setStart(text, index);
      range.setEnd(text, index + word.trimEnd().length);
      const box = range.getBoundingClientRect();
      if (!box.width) continue;
      pen.font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
      const y = box.top - origin.top + (box.height + pen.measureText(word).fontBoundingBoxAscent - pen.measureText(word).fontBoundingBoxDescent) / 2;
      if (last?.y === y) last.text += word;
      else found.push((last = { text: word, x: box.left - origin.left, y, style }));
    }
  }
  return found;
}

// A player's picture, sentence and open table as SVG, or null where formulas are among them.
async function svg(player) {
  const { root, picture, status, board, Plotly, spec } = player;
  const below = [status, board].filter((node) => node.getClientRects().length);
  if (!spec.figure || below.some((node) => node.querySelector("math"))) return null;
  const origin = root.getBoundingClientRect(), place = picture.getBoundingClientRect();
  const bottom = Math.max(...[picture, ...below].map((node) => node.getBoundingClientRect().bottom)) - origin.top + 14;
  const size = { width: Math.ceil(place.width), height: Math.ceil(place.height) };
  const plot = decodeURIComponent((await Plotly.toImage(picture, { format: "svg", ...size })).replace(/^[^,]*,/, ""));
  const made = (tag, attributes, text = "") => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.textContent = text;
    return node;
  };
  const whole = made("svg", { xmlns: "http://www.w3.org/2000/svg", width: origin.width, height: bottom, viewBox: `0 0 ${origin.width} ${bottom}` });
  whole.append(made("rect", { width: "100%", height: "100%", fill: getComputedStyle(root).backgroundColor }));
  const inside = new DOMParser().parseFromString(plot, "image/svg+xml").documentElement;
  inside.setAttribute("x", place.left - origin.left);
  inside.setAttribute("y", place.top - origin.top);
  whole.append(inside);
  for (const { text, x, y, style } of below.flatMap((node) => lines(node, origin))) {
    const look = { "font-family": style.fontFamily, "font-size": style.fontSize, "font-weight": style.fontWeight, fill: style.color };
    whole.append(made("text", { x: x.toFixed(2), y: y.toFixed(2), ...look }, text.trimEnd()));
  }
  return new XMLSerializer().serializeToString(whole);
}

window.overparamEduSvg = svg;
