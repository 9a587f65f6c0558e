"use strict";
// Above a live lesson: whose copy it is, and the way to the original. Opens it at `#cell=ID`.
(() => {
  const { edition } = document.currentScript.dataset;
  const path = new URLSearchParams(location.search).get("path") ?? "";
  const name = path.split("/").pop();

  const button = (words, press) => {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: words });
    made.addEventListener("click", press);
    return made;
  };
  const open = (other) => { location.search = `?path=${encodeURIComponent(other)}`; };

  async function bar(app, panel) {
    const { contents } = app.serviceManager;
    const root = (await contents.get("", { content: true })).content.map((one) => one.name);
    const page = `../../${name.replace(/\.ipynb$/, ".html")}`;
    const row = document.createElement("div");
    row.className = "overparam-edu-live";
    row.setAttribute("role", "note");
    row.append(
      "Your changes stay in this browser. ",
      button("Download my copy", () => app.commands.execute("docmanager:download")),
      button("Original", async () => {
        // Nothing is lost: the copy takes another name beside the original.
        await panel.context.save();
        const time = new Date().toISOString().slice(0, 19).replace(/[T:]/g, "-");
        await contents.rename(path, path.replace(/\.ipynb$/, ` (mine ${time}).ipynb`));
        await contents.delete(path).catch(() => {}); // what the browser keeps under this name
        location.reload();
      }),
      Object.assign(document.createElement("a"), { href: page, textContent: "Page" }),
    );
    for (const other of root.filter((one) => one.startsWith("lessons-") && one !== edition)) {
      const found = await contents.get(`${other}/${name}`, { content: false }).catch(() => null);
      if (found) row.append(button(`My copy of ${other.slice(8)}`, () => open(found.path)));
    }
    if (path.startsWith("lessons-") && !path.startsWith(`${edition}/`)) {
      row.append(" There is a newer edition: ", button("open it", () => open(`${edition}/${name}`)));
    }
    Object.assign(row.style, {
      padding: "4px 12px", font: "14px system-ui, sans-serif", display: "flex", gap: "10px", flexWrap: "wrap",
    });
    document.body.prepend(row);
    app.shell.node.style.top = `${row.offsetHeight}px`; // the notebook fills the rest of the window
    window.dispatchEvent(new Event("resize"));
  }

  function go(panel) {
    const id = new URLSearchParams(location.hash.slice(1)).get("cell");
    const at = panel.content.widgets.findIndex((cell) => cell.model.id === id);
    if (at < 0) return;
    panel.content.activeCellIndex = at;
    panel.content.scrollToItem(at, "start");
  }

  const look = setInterval(async () => {
    const app = window.jupyterapp, panel = app?.shell?.currentWidget;
    if (!panel?.context?.isReady || panel.context.path !== path) return;
    clearInterval(look);
    await panel.revealed;
    go(panel);
    bar(app, panel);
  }, 200);
})();
