"use strict";
// Above a live lesson: whose copy it is, and the way to the original and to other copies. Opens it at
// `#cell=ID`.
(() => {
  const { edition, store } = document.currentScript.dataset;
  const path = new URLSearchParams(location.search).get("path") ?? "";
  const [, lesson] = path.match(/([^/]*?)(?: \(mine .*\))?\.ipynb$/) ?? [];
  const home = `${edition}/${lesson}.ipynb`;

  // In time, so that no browser asks the host for one of its own.
  document.head.append(Object.assign(document.createElement("link"), { rel: "icon", href: "../lab/favicon.ico" }));

  const button = (words, press) => {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: words });
    made.addEventListener("click", press);
    return made;
  };
  const open = (other) => { location.search = `?path=${encodeURIComponent(other)}`; };

  // What this browser keeps, of every edition: a site knows no folder of an earlier one.
  const kept = () => new Promise((done) => {
    const asked = indexedDB.open(store);
    asked.onerror = () => done([]);
    asked.onsuccess = () => {
      const files = asked.result.transaction("files").objectStore("files").getAllKeys();
      files.onsuccess = () => { asked.result.close(); done(files.result); };
    };
  });

  async function copies() {
    const choice = document.createElement("select");
    choice.append(new Option("My other copies", ""));
    for (const other of (await kept()).filter((one) => one !== path && one.endsWith(".ipynb"))) {
      const [folder, name] = other.split("/");
      if (name !== `${lesson}.ipynb` && !name?.startsWith(`${lesson} (mine `)) continue;
      const time = name.match(/\(mine (.*)\)/)?.[1] ?? "";
      choice.append(new Option([folder === edition ? "" : folder, time].join(" ").trim() || "the lesson", other));
    }
    choice.addEventListener("change", () => open(choice.value));
    choice.hidden = choice.length === 1;
    return choice;
  }

  async function bar(app, panel) {
    const { contents } = app.serviceManager;
    const row = document.createElement("div");
    row.className = "overparam-edu-live";
    row.setAttribute("role", "note");
    row.append(
      button("Run up to here", async () => {
        await app.commands.execute("notebook:run-all-above");
        await app.commands.execute("notebook:run-cell");
      }),
      "Your changes stay in this browser. ",
      button("Download my copy", () => app.commands.execute("docmanager:download")),
      button("Original", async () => {
        if (path !== home) return open(home);
        // Nothing is lost: the copy takes another name beside the original.
        await panel.context.save();
        const time = new Date().toLocaleString("sv").replaceAll(":", ".");
        await contents.rename(path, path.replace(/\.ipynb$/, ` (mine ${time}).ipynb`));
        await contents.delete(path).catch(() => {}); // what the browser keeps under this name
        location.reload();
      }),
      await copies(),
      Object.assign(document.createElement("a"), {
        href: `../../${lesson}.html`, textContent: "Back to the page", style: "text-decoration: underline",
      }),
    );
    if (path !== home) {
      row.append(path.startsWith(`${edition}/`) ? " This is a copy." : " This is of an earlier edition.");
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
