"use strict";
// Makes screens of a lesson's blocks, listens to the keys, and keeps all that is seen in the address.
// A block is a paragraph, an item, a picture, a printed result. A lecture shows fewer than there are,
// and ends a screen where the class is asked for a prediction. Blocks and pictures are named by their
// cells' ids, so that an address means the same in each run.
window.overparamPresenter = (() => {
  const HEIGHT = 720; // of the stage, which is enlarged to the window's
  const SMALLEST = 0.62, LARGEST = 1.5; // how far a picture may be scaled to fill its screen
  const ROOMY = 0.95; // below this scale a picture may have its sliders beside it
  const BESIDE = 1270; // pixels that picture and sliders beside each other need
  const COLUMN = 350; // pixels of the sliders beside a picture
  const COLUMNS = [400, 460, 520]; // pixels of text beside a picture, the first that will do
  const LEGIBLE = 0.7; // scale below which a picture is better off alone
  const SHORT = 0.3; // of a screen's height, of text above or below a picture
  const TYPE = 1.1; // of a picture's smallest type, 14.4 pixels, so that it is 2.2 % of the screen's height
  const LARGE = 1.3, SPARSE = 0.6; // how far a few lines are made larger, and how full their screen may be then
  const DENSE = 0.88; // how far text is made smaller to spare a screen with two lines on it
  const ANSWER = { lines: 8, signs: 80 }; // of what is printed that a class can read
  const LONG = 160; // signs of a paragraph that says more than what comes next
  const PATIENCE = 20_000; // ms to wait for pictures before the curtain opens all the same
  const element = (id) => document.getElementById(id);
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const told = JSON.parse(element("told").textContent); // of the whole lecture

  let blocks = [], screens = [], now = 0, bookmark = null, opening = {}, ready = false;
  let shown = { code: false, full: false, dark: matchMedia("(prefers-color-scheme: dark)").matches };

  // ------------------------------------------------------------ blocks

  const isHeading = (block) => /^H[1-6]$/.test(block.tagName);
  const isLive = (block) => block.classList.contains("live");
  const isText = (block) => block.cell.classList.contains("prose");
  const asks = (block) => isText(block) && all("strong", block).some((node) => /^predict/i.test(node.textContent));
  const ends = (block, signs) => block.tagName === "P" && signs.test(block.textContent.trim());
  const leads = (block) => isHeading(block) || ends(block, /[^.?!)”"…]$/); // to what must be on the same screen
  // The sentence that says what a picture shows is heard, not seen: the picture is there.
  function isCaption(block, before) {
    const { firstElementChild: first } = block;
    return block.tagName === "P" && block.firstChild === first && first?.tagName === "EM" && /^The (picture|board)/.test(first.textContent) && before && isLive(before);
  }

  // Folded text is for the next press, and a list goes on on the next screen.
  function unfold(cell) {
    for (const folded of all("details", cell)) {
      const title = document.createElement("p"), [summary, ...rest] = folded.childNodes[0].tagName ? folded.childNodes : [...folded.childNodes].slice(1);
      title.className = "revealed";
      title.innerHTML = `<strong>${summary.innerHTML}:</strong>`;
      folded.replaceWith(title, ...rest);
    }
    for (const list of [...cell.children].filter(({ tagName }) => /^[UO]L$/.test(tagName))) {
      const items = [...list.children].map((item, i) => {
        const one = list.cloneNode(false);
        if (list.tagName === "OL") one.start = list.start + i;
        one.append(item);
        return one;
      });
      list.replaceWith(...items);
    }
  }

  function readBlocks() {
    blocks = all(".cell", element("screen")).flatMap((cell) => {
      if (cell.matches(".prose")) unfold(cell);
      return [...cell.children].map((block, i) => Object.assign(block, { cell, key: i ? `${cell.dataset.cell}.${i}` : cell.dataset.cell }));
    });
    blocks.forEach((block, i) => {
      block.classList.toggle("caption", isCaption(block, blocks[i - 1]));
      if (isText(block)) block.asking = asks(block) || (blocks[i - 1]?.cell === block.cell && blocks[i - 1].asking && !isHeading(block));
    });
  }

  // What the lecture leaves out.
  function chosen() {
    const printed = (block) => block.matches(".result") && block.firstElementChild?.matches("pre");
    const answers = (block) => {
      const before = blocks.slice(0, blocks.indexOf(block)).findLast((one) => one.cell !== block.cell), text = block.textContent.trim(), lines = text.split("\n");
      return before && (before.asking || (ends(before, /:$/) && before.textContent.length > LONG)) && lines.length <= ANSWER.lines && lines.every(({ length }) => length <= ANSWER.signs) && !/e-1\d/.test(text); // nor rounding
    };
    const left = (block) => {
      const { classList: tags } = block.cell;
      if (block.matches(".source")) return !shown.code;
      if (shown.full) return false;
      return tags.contains("lecture-skip") || tags.contains("questions") || (printed(block) && !tags.contains("lecture-output") && !answers(block));
    };
    const kept = new Set(blocks.filter((block) => !left(block)));
    if (shown.full) return kept;
    for (const [i, block] of [...blocks.entries()].reverse()) { // what leads to nothing
      if (!kept.has(block) || !isText(block)) continue;
      const caption = block.classList.contains("caption") && !kept.has(blocks[i - 1]); // of a picture that is left out
      const next = blocks[i + 1], rest = blocks.slice(i + 1).find((one) => kept.has(one));
      const checks = block.tagName === "P" && /^Check/.test(block.querySelector("strong")?.textContent ?? "");
      const empty = !block.textContent.replace(all(".lab", block).map((node) => node.textContent).join(""), "").trim();
      const hangs = next && next.cell !== block.cell && !isText(next) && !blocks.some((one) => one.cell === next.cell && kept.has(one));
      const bare = isHeading(block) && (!rest || (isHeading(rest) && rest.tagName <= block.tagName));
      if (caption || (empty && !all("img, math, table", block).length) || (((ends(block, /:$/) && block.textContent.length <= LONG) || checks) && hangs) || bare) kept.delete(block);
    }
    return kept;
  }

  // ------------------------------------------------------------ screens

  function room() {
    const scale = Math.min(innerHeight / HEIGHT, innerWidth / 960);
    const stage = element("stage");
    stage.style.transform = `scale(${scale})`;
    stage.style.width = `${innerWidth / scale}px`;
    stage.style.height = `${innerHeight / scale}px`;
    const { clientWidth, clientHeight } = element("screen");
    stage.style.setProperty("--room", `${clientWidth}px`);
    return { width: clientWidth, height: clientHeight };
  }

  // How a picture fills what is left of its screen: its scale, and whether its sliders stand beside
  // it, under so many pixels of text. Its type grows as it shrinks.
  function put(block, { width, k, beside, column, above }) {
    const { style } = block;
    block.classList.toggle("beside", beside);
    style.setProperty("--column", `${beside && above ? column / k : COLUMN}px`);
    style.setProperty("--above", `${above / k}px`);
    style.setProperty("--oe-type", Math.max(1, TYPE / k));
    style.width = `${width / k}px`;
    style.transform = `scale(${k})`;
    return block.offsetHeight;
  }

  function use(block, how) {
    block.expected = how.height / how.k;
    return put(block, how);
  }

  function scaled(block, { width, height }, largest, how) {
    let k = SMALLEST;
    for (let up = largest, round = 0; round < 6; round += 1) { // halve; first try the largest
      const middle = round ? (k + up) / 2 : largest;
      if (middle * put(block, { width, k: middle, ...how }) <= height) k = middle;
      else up = middle;
    }
    return { width, k, ...how, height: k * put(block, { width, k, ...how }) };
  }

  // One that is too tall has its sliders beside it, if it becomes larger so.
  function fit(block, space, largest = LARGEST) {
    const below = scaled(block, space, largest, { beside: false, above: 0 });
    if (below.k >= ROOMY || !panels(block) || panels(block) > 2) return below;
    const beside = scaled(block, space, Math.min(largest, space.width / BESIDE), { beside: true, above: 0 });
    return beside.k > below.k * 1.02 ? beside : below;
  }

  const panels = (live) => all(".oe-picture:not([hidden]) .subplot", live).length;

  function tall(block) {
    if (block.classList.contains("caption")) return 0;
    const { marginTop, marginBottom } = getComputedStyle(block);
    return block.offsetHeight + parseFloat(marginTop) + parseFloat(marginBottom);
  }

  function inColumn(texts, column, then) {
    texts.forEach((block) => (block.classList.add("aside"), (block.style.width = `${column}px`)));
    const result = then();
    texts.forEach((block) => (block.classList.remove("aside"), (block.style.width = "")));
    return result;
  }

  // Text in a column beside a picture, as much of it as there is room for; null if that spoils either.
  function sideBySide(texts, live, space) {
    const picture = live.querySelector(".oe-picture:not([hidden])");
    if (!texts.length || !picture) return null;
    const many = panels(live), columns = many > 1 ? COLUMNS.slice(0, 2) : COLUMNS; // two panels need width
    if (many > 2) return null;
    const controls = all(".oe-player > .oe-controls > *, .oe-player > .oe-more", live).reduce((sum, node) => sum + node.offsetHeight, 0);
    const fits = columns.map((column) => inColumn(texts, column, () => {
      if (texts.some((block) => all("math[display=block], table, pre", block).concat(block).some((node) => node.scrollWidth > node.clientWidth + 1 && node.clientWidth))) return { count: 0 };
      const heights = texts.map(tall);
      let count = 0, height = 0;
      while (count < texts.length && height + heights[count] <= space.height - 12 - LEGIBLE * controls) height += heights[count++];
      while (count && count < texts.length && leads(texts[count - 1])) height -= heights[--count];
      return { column, count, height };
    }));
    const most = Math.max(...fits.map(({ count }) => count));
    if (!most) return null;
    const { column, count, height } = fits.find((one) => one.count === most);
    const largest = Math.min(LARGEST, space.width / (BESIDE + column - COLUMN));
    const how = scaled(live, space, Math.max(largest, LEGIBLE), { beside: true, column, above: height });
    return how.k < LEGIBLE || how.height > space.height + 1 ? null : { live, how, column, texts: texts.slice(0, count) };
  }

  // Make a table that is too wide for its screen smaller, and return by how much.
  function narrow(block) {
    const wide = () => [block, ...all(".scrolls", block)].some((one) => one.scrollWidth > one.clientWidth + 1);
    let k = 1;
    while (k > SMALLEST && wide()) block.style.zoom = k -= 0.02;
    return k;
  }

  function layOut() {
    const space = room(), before = screens[now]?.own, kept = chosen();
    const seen = blocks.filter((block) => !(block.hidden = !kept.has(block)));
    seen.forEach((block) => (block.classList.add("waiting"), block.classList.remove("aside"), Object.assign(block.style, { zoom: "", top: "", width: "" })));
    const heights = new Map(seen.map((block) => [block, isLive(block) ? Math.min(fit(block, space, 1).height, space.height) : tall(block)]));
    const sum = (some) => some.reduce((total, block) => total + heights.get(block), 0);
    screens = [];
    let screen = null, section = "";
    const roomFor = (live, text) => text <= SHORT * space.height && fit(live, { ...space, height: space.height - text }).k >= LEGIBLE;
    const open = () => screens.push((screen = { blocks: [], section, done: false }));
    for (let i = 0; i < seen.length; i += 1) {
      const block = seen[i], above = blocks.slice(0, blocks.indexOf(block) + 1).findLast((one) => /^H[12]$/.test(one.tagName));
      section = above?.textContent ?? "";
      if (i && block.cell.dataset.part !== seen[i - 1].cell.dataset.part) screen.done = true; // the next part of a plan
      const headed = !screen?.done && screen?.blocks.every(isHeading);
      if (block.classList.contains("caption")) {
        screen?.blocks.push(block);
        continue;
      }
      if (isLive(block)) {
        const texts = screen && !screen.done ? screen.blocks : [], heads = texts.filter(isHeading);
        const body = texts.filter((one) => !heads.includes(one)), question = body.slice(body.findLastIndex((one) => !one.asking) + 1);
        const still = question.length && !all("[data-axis]", block).some(({ offsetHeight }) => offsetHeight); // shows the answer
        const later = still || block.cell.classList.contains("lecture-reveal") || texts.some(({ tagName }) => tagName === "H1");
        const whole = (some, above) => {
          const found = !later && some.every(isText) && sideBySide(some, block, { ...space, height: space.height - sum(above) });
          return found && found.texts.length === some.length ? found : null;
        };
        const stack = !later && panels(block) > 1 && body.length && roomFor(block, sum(texts)); // panels need the width
        let beside = stack ? null : whole(body, heads);
        if (!beside && !stack && question.length < body.length && (beside = whole(question, []))) { // the question goes to its picture
          screen.blocks = texts.filter((one) => !question.includes(one));
          open();
          screen.blocks = question;
        }
        if (!beside && !later && sum(texts) > SHORT * space.height && sum(question) < SHORT * space.height && question.length && question.length < body.length) {
          screen.blocks = texts.filter((one) => !question.includes(one));
          open();
          screen.blocks = question;
        }
        if (beside) Object.assign(screen, { beside });
        else if (!screen || screen.done || later || !(headed || roomFor(block, sum(screen.blocks)))) open();
        screen.blocks.push(block);
        screen.done = true;
        const run = seen.slice(i + 1), end = run.findIndex((one, j) => isHeading(one) || !isText(one) || (run[j - 1]?.asking && !one.asking));
        const found = run.slice(0, end < 0 ? run.length : end).filter((one) => !one.classList.contains("caption"));
        const answer = block.querySelector(".oe-question") ? null : sideBySide(found, block, space);
        if (!answer && found.length && !block.querySelector(".oe-question") && roomFor(block, sum(found))) {
          open();
          Object.assign(screen, { blocks: [block, ...found], repeats: 1, done: true });
          i = seen.indexOf(found.at(-1));
        }
        if (answer) {
          open();
          Object.assign(screen, { blocks: [...answer.texts, block], beside: answer, done: true });
          i = seen.indexOf(answer.texts.at(-1));
        }
        continue;
      }
      const group = [block];
      if (block.asking && !seen[i - 1]?.asking) for (let j = i + 1; seen[j]?.asking && seen[j].cell === block.cell; j += 1) group.push(seen[j]);
      else for (let j = i; seen[j + 1] && leads(seen[j]); j += 1) group.push(seen[j + 1]);
      const roomy = (screen?.blocks ?? []).some(isLive) ? 1 : 1 / DENSE;
      const full = screen && sum(screen.blocks) + Math.min(sum(group), space.height) > space.height * roomy;
      const reveals = seen[i - 1]?.asking && !block.asking && !isHeading(block);
      const asked = reveals && !screen.done ? screen.blocks : [];
      if (asked.length && sum(asked) + sum(group) <= space.height) { // the answer, under its question
        open();
        Object.assign(screen, { blocks: [...asked], repeats: asked.length });
      } else if (!screen || screen.done || reveals || (!headed && (full || /^H[12]$/.test(block.tagName)))) open();
      screen.blocks.push(block);
    }
    for (const screen of screens) Object.assign(screen, { own: screen.blocks[screen.repeats ?? 0], sizes: new Map(), zooms: new Map() });
    screens.forEach((screen) => settle(screen, space));
    for (const screen of [...screens].reverse()) for (const [block, how] of screen.sizes) use(block, how);
    show(before ? screenOf(before.key) : now);
  }

  // Find how large things are on a screen.
  function settle(screen, space) {
    const { beside, blocks: together, sizes, zooms } = screen;
    if (beside) return sizes.set(beside.live, beside.how);
    const texts = together.filter((block) => !isLive(block)), pictures = together.filter(isLive);
    const height = () => texts.reduce((total, block) => total + tall(block) * (block.style.zoom || 1), 0);
    texts.forEach(({ style }) => (style.zoom = "")); // as on its screen before
    const widths = texts.map(narrow);
    for (let k = 1; !pictures.length && height() > space.height && k > SMALLEST; k -= 0.02) {
      texts.forEach((block, i) => (block.style.zoom = Math.min(k, widths[i])));
    }
    const asked = screens[screens.indexOf(screen) - 1]?.zooms, again = screen.repeats && asked; // as large as before
    const lines = texts.filter((block) => !isHeading(block) && (!again || asked.has(block)));
    const enlarge = (zoom) => lines.forEach((block) => Object.assign(block.style, { zoom: zoom(block), width: `${space.width / (zoom(block) || 1)}px` }));
    const plain = !pictures.length && texts.every(({ style }) => !style.zoom);
    const fits = (zoom, share) => (enlarge(zoom), height() <= share * space.height);
    let k = LARGE;
    if (plain && again) fits((block) => asked.get(block), 1) || enlarge(() => "");
    else if (plain) while (!fits(() => k, SPARSE) && (k -= 0.05) > 1);
    if (k <= 1) enlarge(() => "");
    lines.forEach((block) => (block.style.width = ""));
    texts.forEach((block) => zooms.set(block, block.style.zoom));
    const left = Math.max(space.height - height(), 0) / pictures.length;
    pictures.forEach((block) => sizes.set(block, fit(block, { width: space.width, height: left })));
    return screen;
  }

  // Pictures that have become taller or lower: the screens stay what they are.
  function refit(changed) {
    if (!changed.length) return;
    const space = room(), concerned = screens.filter(({ blocks: some }) => some.some((block) => changed.includes(block)));
    for (const screen of concerned) {
      const { beside } = screen, heads = screen.blocks.filter(isHeading).reduce((sum, block) => sum + tall(block), 0);
      if (!beside) settle(screen, space);
      else {
        const { column, above } = beside.how, size = { ...space, height: space.height - heads };
        beside.how = scaled(beside.live, size, Math.min(LARGEST, space.width / (BESIDE + column - COLUMN)), { beside: true, column, above });
        screen.sizes.set(beside.live, beside.how);
      }
    }
    for (const screen of [...concerned].reverse()) for (const [block, how] of screen.sizes) use(block, how);
    show(now);
  }

  // The screen on which a block stands, or the last one before it.
  function screenOf(key) {
    const number = blocks.findIndex((block) => block.key === key);
    const exact = screens.findIndex(({ own }) => own.key === key);
    const holds = screens.findIndex(({ blocks: some }) => some.some((block) => block.key === key));
    const before = screens.findLastIndex(({ own }) => blocks.indexOf(own) <= number);
    return Math.max(0, [exact, holds, before].find((found) => found >= 0) ?? 0);
  }

  function show(number) {
    now = Math.min(Math.max(number, 0), screens.length - 1);
    const { blocks: here, beside, sizes, zooms, section, own } = screens[now];
    for (const block of blocks) {
      block.classList.toggle("waiting", !here.includes(block));
      block.classList.remove("aside");
    }
    for (const block of here) Object.assign(block.style, { width: "", zoom: zooms.get(block) ?? "" });
    const texts = beside?.texts ?? [];
    texts.forEach((block) => block.classList.add("aside"));
    for (const [block, how] of sizes) {
      const natural = use(block, how);
      block.style.marginBottom = `${(how.k - 1) * natural}px`;
      all(".js-plotly-plot", block).forEach((picture) => Plotly.Plots.resize(picture));
    }
    if (beside) { // under the picture's own buttons
      const { live } = beside, stage = element("screen").getBoundingClientRect(), card = live.querySelector(".oe-player").getBoundingClientRect();
      let top = ((card.top - stage.top) * element("screen").offsetHeight) / stage.height + 8;
      for (const block of texts) {
        Object.assign(block.style, { width: `${beside.column}px`, top: `${top}px` });
        top += tall(block);
      }
    }
    if (document.activeElement?.closest(".waiting")) document.activeElement.blur();
    element("screen").scrollTop = 0;
    const lesson = own.cell.dataset.lesson || told.title;
    element("where").textContent = section && section !== told.title ? `${lesson}  ·  ${section}` : lesson;
    element("count").textContent = `${now + 1} / ${screens.length}`;
  }

  function listContents() {
    const starts = screens.map((screen, number) => ({ number, first: screen.blocks[0] }));
    const items = starts.filter(({ first }) => /^H[12]$/.test(first.tagName)).map(({ number, first }) => {
      const item = document.createElement("li"), link = document.createElement("a");
      Object.assign(link, { href: "#", textContent: first.textContent });
      link.addEventListener("click", (event) => (event.preventDefault(), element("help").close(), show(number)));
      item.append(link);
      return item;
    });
    element("contents").replaceChildren(...items);
  }

  // ------------------------------------------------------------ pictures

  const onScreen = (selector) => all(selector, element("screen")).filter((node) => !node.closest(".waiting"));
  const seen = (node) => node.offsetHeight && getComputedStyle(node).visibility === "visible"; // nor kept back until the guess
  const PLAYER = ".oe-player, .oe-question";
  const players = () => all(PLAYER);
  const rows = (player) => all("[data-axis]", player).filter((row) => row.offsetHeight);
  const input = (row) => row.querySelector("input:checked, input[type=range]") ?? row.querySelector("input");

  function stopOf(row) {
    const range = row.querySelector("input[type=range]");
    return range ? Number(range.value) : all("input", row).findIndex((radio) => radio.checked);
  }

  function moveTo(row, stop) {
    const range = row.querySelector("input[type=range]"), radios = all("input[type=radio]", row);
    if (range) {
      range.value = stop;
      for (const kind of ["input", "change"]) range.dispatchEvent(new Event(kind, { bubbles: true }));
    } else if (radios[stop]) radios[stop].click();
    else if (stop === -1) radios.forEach((radio) => (radio.checked = false)); // a question still open
  }

  const position = (player) => Object.fromEntries(rows(player).map((row) => [row.dataset.axis, stopOf(row)]));

  // A picture's name: its cell's, and which of the cell's it is.
  function keyOf(player) {
    const cell = player.closest(".cell"), number = all(PLAYER, cell).indexOf(player);
    return number ? `${cell.dataset.cell}.${number}` : cell.dataset.cell;
  }

  function place(player, wanted) {
    for (const row of rows(player)) {
      const stop = wanted[row.dataset.axis];
      if (stop !== undefined && stop !== stopOf(row)) moveTo(row, stop);
    }
  }

  let held = null; // the row whose control was used last
  document.addEventListener("focusin", ({ target }) => (held = target.closest("[data-axis]") ?? held));

  function step(by) {
    const here = onScreen("[data-axis]").filter(seen);
    const row = here.includes(held) ? held : here.find((one) => one.querySelector(".oe-play")) ?? here[0];
    if (row) moveTo(row, stopOf(row) + by);
    else element("screen").scrollBy(0, by * -0.7 * HEIGHT); // a long table
  }

  function reset() {
    onScreen(".oe-reset").forEach((button) => button.click()); // an explorer's own
    for (const player of onScreen(PLAYER)) player.closest(".live").querySelector(".oe-reset") || place(player, opening[keyOf(player)] ?? {});
  }

  // ------------------------------------------------------------ keys

  // The code that made what is looked at may be on another screen; the same key comes back.
  let left = null; // the block that was looked at, and the screen of its code
  function showCode() {
    const home = screens[now].own, back = left?.at === screens[now].own.key ? left.home : null;
    shown.code = !shown.code;
    layOut();
    if (!shown.code) return void (back && show(screenOf(back)));
    const code = (screens[now].blocks.find(isLive) ?? home).cell.querySelector(".source");
    if (code && !screens[now].blocks.includes(code)) show(screenOf(code.key));
    left = { home: home.key, at: screens[now].own.key };
  }

  // ------------------------------------------------------------ lessons, the clock and the notes

  const partOf = (number) => screens[number]?.own.cell.dataset.part ?? "";
  const part = () => told.parts[partOf(now)];

  // The clock starts when the first screen is left, so that a rehearsal does not count.
  function go(number) {
    if (!now || !clock()) sessionStorage.setItem(CLOCK, Date.now());
    show(number);
  }

  // The next part of a plan, or the next lesson of its folder.
  function leap(by) {
    const name = told.next[by < 0 ? 0 : 1];
    if (!told.parts.length) return void (name && location.assign(encodeURIComponent(name)));
    const wanted = Number(partOf(now)) + by, at = screens.findIndex((_, number) => Number(partOf(number)) === wanted);
    if (at >= 0) go(at);
  }

  const CLOCK = `overparam-edu ${told.title}`; // an address has a token at first
  const clock = () => Number(sessionStorage.getItem(CLOCK));
  const time = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

  let notes = null; // the speaker's window
  function openNotes() {
    notes = open("", "overparam-notes", "popup,width=760,height=520");
    if (!notes) return;
    notes.document.title = "Notes";
    notes.document.body.style.cssText = "margin:24px;font:26px/1.4 system-ui,sans-serif;background:#10151c;color:#f2f5f9";
    tick();
  }

  function tick() {
    const plan = part(), passed = clock() ? (Date.now() - clock()) / 1000 : 0, { parts } = told, last = parts.at(-1);
    if (plan) element("clock").textContent = `${time(passed)} of ${last.start + last.minutes} min`;
    if (!notes || notes.closed) return;
    const next = screens[now + 1]?.blocks.map((block) => (isLive(block) ? "[picture]" : block.textContent.trim())).join(" · ") ?? "the end";
    const lines = [
      [plan ? `${time(passed)} · this part ${plan.start} to ${plan.start + plan.minutes} min` : "", "font-size:36px;font-weight:600"],
      [`${element("where").textContent} (${element("count").textContent})`, "color:#b4c0cd"],
      [plan?.say ?? "", ""],
      [`Next: ${next.slice(0, 260)}`, "color:#b4c0cd;font-size:20px"],
    ];
    const body = notes.document.body;
    body.replaceChildren(...lines.map(([text, style]) => Object.assign(notes.document.createElement("p"), { textContent: text, style })));
  }

  // ------------------------------------------------------------ votes

  const votes = {}; // question -> counts of its answers
  const asked = () => onScreen(".oe-question").find(seen);

  function count(form, letter, by) {
    const { question } = form.dataset, letters = all("input", form).map(({ value }) => value);
    votes[question] ??= letters.map(() => 0);
    if (letter === "0") votes[question].fill(0);
    else votes[question][letters.indexOf(letter)] = Math.max(0, votes[question][letters.indexOf(letter)] + by);
    tally();
  }

  function tally() {
    for (const form of all(".oe-question")) {
      const counts = votes[form.dataset.question] ?? [], most = Math.max(1, ...counts);
      all("label", form).forEach((label, i) => {
        if (counts.some(Boolean)) label.dataset.votes = counts[i];
        else delete label.dataset.votes;
        label.style.setProperty("--share", (counts[i] ?? 0) / most);
      });
    }
  }

  // ------------------------------------------------------------ what is pressed

  const OWN = "input, select, textarea, button, summary, a, [role=slider], [contenteditable=true]";
  const actions = {
    ArrowRight: () => go(now + 1),
    ArrowLeft: () => go(now - 1),
    ArrowUp: () => step(1),
    ArrowDown: () => step(-1),
    Home: () => show(0),
    End: () => show(screens.length - 1),
    " ": () => (onScreen(".oe-reveal:enabled, .oe-play, .oe-pause").find(seen) ?? { click: () => go(now + 1) }).click(),
    Escape: () => (onScreen(".oe-skip").find(seen) ?? { click: () => document.activeElement?.blur() }).click(),
    F5: () => document.fullscreenElement || fullScreen(), // a clicker's key to begin
    b: () => blank(true),
    ".": () => blank(true),
    c: showCode,
    d: () => ((shown.dark = !shown.dark), paint()),
    e: () => ((shown.full = !shown.full), layOut(), listContents()),
    f: () => (document.fullscreenElement ? document.exitFullscreen() : fullScreen()),
    n: () => leap(1),
    p: () => leap(-1),
    q: () => element("pages").showModal(),
    r: reset,
    s: openNotes,
    "?": () => (element("help").open ? element("help").close() : element("help").showModal()),
  };

  const fullScreen = () => document.documentElement.requestFullscreen().catch(() => {});
  const blank = (dark) => (element("blank").hidden = !dark);
  const paint = () => (document.documentElement.dataset.theme = shown.dark ? "dark" : "light");

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !ready) return;
    const { target } = event, key = event.key.length > 1 ? event.key : event.key.toLowerCase(); // Caps Lock may be on
    if (key === "F5" && trouble) return; // the page is loaded again
    if (document.querySelector("dialog[open]") && key !== "?") return;
    const flips = { PageDown: 1, PageUp: -1 }[key]; // a clicker's keys, whatever has the focus
    const own = target.closest?.(OWN), form = asked();
    const typing = own?.matches("textarea, select, [contenteditable=true], input:not([type=range], [type=radio], [type=checkbox])");
    const letter = form && !typing && all("input", form).map(({ value }) => value).concat("0").find((one) => one.toLowerCase() === key);
    if (!element("blank").hidden) blank(/^(Shift|CapsLock)$/.test(key));
    else if (!flips && key !== "F5" && (typing || (own && key !== "Escape" && !letter && (key.length > 1 || key === " ")))) return;
    else if (letter) count(form, letter, event.shiftKey ? -1 : 1);
    else if (/^[1-9]$/.test(key)) input(onScreen("[data-axis]")[key - 1] ?? document)?.focus();
    else if (flips) go(now + flips);
    else if (Object.hasOwn(actions, key)) actions[key]();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // ------------------------------------------------------------ when Python is out of reach

  const WORDS = {
    server: "The presentation has been stopped; sliders still move. Start it again, then press F5.",
    python: "Python is gone; sliders still move. F5 runs the lesson again and comes back here.",
  };
  let trouble = "";
  async function listen() {
    const { baseUrl, kernelId } = JSON.parse(element("jupyter-config-data").textContent);
    const lost = all(".oe-notice").some((node) => /kernel is gone/.test(node.textContent));
    const answer = await fetch(`${baseUrl}api/kernels/${kernelId}`, { signal: AbortSignal.timeout(1_900), cache: "no-store" }).catch(() => null);
    trouble = !answer ? "server" : lost || answer.status === 404 ? "python" : "";
    if (element("trouble").textContent !== (WORDS[trouble] ?? "")) element("trouble").textContent = WORDS[trouble] ?? "";
    // What nobody answers can't be set: a choice would be shown that the picture does not have.
    element("stage").classList.toggle("unanswered", Boolean(trouble));
    all(".overparam-controls").forEach((controls) => (controls.inert = Boolean(trouble)));
    setTimeout(listen, 700);
  }

  // ------------------------------------------------------------ the address

  function address() {
    const parts = new URLSearchParams({ at: screens[now].own.key });
    for (const what of ["code", "full"]) if (shown[what]) parts.set(what, 1);
    parts.set("theme", shown.dark ? "dark" : "light");
    for (const player of players()) {
      const key = keyOf(player), moved = Object.entries(position(player)).filter(([axis, stop]) => stop !== opening[key]?.[axis]);
      if (moved.length) parts.set(`p-${key}`, moved.map(([axis, stop]) => `${axis}.${stop}`).join("~"));
    }
    for (const [question, counts] of Object.entries(votes)) if (counts.some(Boolean)) parts.set(`v-${question}`, counts.join("."));
    const settings = bookmark?.get("settings") ?? {};
    if (Object.keys(settings).length) parts.set("set", JSON.stringify(settings));
    return `#${parts}`;
  }

  let written = "";
  function write() {
    if (!ready || document.hidden) return;
    if (location.hash && location.hash !== written) return; // a bookmark is on its way
    const hash = address();
    if (hash !== written) history.replaceState(null, "", (written = hash));
  }

  async function read() {
    const wanted = location.hash, parts = new URLSearchParams(wanted.slice(1));
    ready = false;
    for (const what of ["code", "full"]) shown[what] = parts.has(what);
    if (parts.has("theme")) shown.dark = parts.get("theme") === "dark";
    paint();
    layOut();
    show(screenOf(parts.get("at")));
    for (const name in votes) delete votes[name];
    for (const [name, value] of parts) if (/^v-\w+$/.test(name) && /^\d{1,4}(\.\d{1,4}){1,5}$/.test(value)) votes[name.slice(2)] = value.split(".").map(Number);
    tally();
    await set(parsed(parts.get("set") ?? "{}"));
    players().forEach((player) => {
      const key = keyOf(player), moved = (parts.get(`p-${key}`) ?? "").split("~").filter((pair) => /^\w+\.-?\d+$/.test(pair)).map((pair) => pair.split("."));
      place(player, { ...opening[key], ...Object.fromEntries(moved.map(([axis, stop]) => [axis, Number(stop)])) });
    });
    written = location.hash;
    ready = true;
  }

  // An address that was typed wrongly, or cut off, brings back what it can.
  function parsed(text) {
    try {
      return JSON.parse(text) ?? {};
    } catch {
      return {};
    }
  }

  // Python computes what the settings show; the sliders' positions wait for it.
  async function set(settings) {
    const text = JSON.stringify(settings);
    if (!bookmark || (text === "{}" && text === JSON.stringify(bookmark.get("settings")))) return;
    let restored = false;
    bookmark.on("msg:custom", () => (restored = true));
    bookmark.send({ settings });
    await until(() => restored, 10_000);
    await new Promise((resolve) => setTimeout(resolve, 100)); // for the scenes that came before the answer
  }

  // ------------------------------------------------------------ beginning

  async function until(holds, patience) {
    const end = performance.now() + patience;
    while (!holds() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
  }

  function drawn() {
    const places = all('script[type="application/vnd.voila.cell-output+json"]').length;
    const empty = all(".live").filter((live) => !live.querySelector(`.jupyter-widgets, ${PLAYER}`));
    return !places && !empty.length && players().every((player) => player.dataset.frames !== "0");
  }

  // Until fonts are there and no picture has changed its size for some frames.
  async function still() {
    await document.fonts.ready;
    let known = "", frames = 0;
    for (const end = performance.now() + 2_000; frames < 5 && performance.now() < end; frames += 1) {
      await new Promise(requestAnimationFrame);
      const now = all(".live").map(({ offsetHeight }) => offsetHeight).join();
      if (now !== known) [known, frames] = [now, 0];
    }
  }

  async function begin() {
    readBlocks();
    room();
    await until(drawn, PATIENCE);
    await still();
    opening = Object.fromEntries(players().map((player) => [keyOf(player), position(player)]));
    await read();
    listContents();
    element("curtain").remove();
    let waits = 0; // for pictures that grow or shrink
    const other = ({ offsetHeight, expected }) => offsetHeight > expected + 1 || offsetHeight < 0.97 * expected; // else it would go on and on
    const look = () => (waits = waits || setTimeout(() => ((waits = 0), refit(blocks.filter((block) => isLive(block) && other(block)))), 50));
    const observer = new ResizeObserver(look);
    blocks.filter(isLive).forEach((block) => observer.observe(block));
    addEventListener("resize", layOut);
    addEventListener("pagehide", write);
    addEventListener("hashchange", () => location.hash === written || read());
    setInterval(() => (write(), tick()), 300);
    listen();
    const search = new URLSearchParams(location.search); // a bookmark is no key
    if (search.has("token")) search.delete("token"), history.replaceState(null, "", `${location.pathname}${search.size ? `?${search}` : ""}${location.hash}`);
  }

  window.voila_heartbeat = () => {}; // Voila calls it while a cell takes long
  addEventListener("keydown", pressed, { capture: true });
  document.addEventListener("DOMContentLoaded", () => {
    all("[data-press]").forEach((button) => button.addEventListener("click", () => actions[button.dataset.press]()));
    document.title = told.title;
    paint();
    begin();
  });

  return {
    ran(cell, cells) {
      const [words, bar] = element("curtain").children;
      words.textContent = `Running the lesson: ${cell} of ${cells} cells`;
      Object.assign(bar, { value: cell, max: cells });
    },
    remember: (model) => (bookmark = model),
  };
})();
