"use strict";
// On a page of a lesson: links to the same place of the live one. A page from a disk has none, since a
// browser runs Python only for a website.
(() => {
  const { edition, megabytes } = document.currentScript.dataset;
  if (location.protocol === "file:") return;
  const name = decodeURIComponent(location.pathname.split("/").pop()).replace(/(\.html)?$/, ".ipynb");
  const link = (cell, words) => {
    const path = `path=${encodeURIComponent(`${edition}/${name}`)}`;
    return Object.assign(document.createElement("a"), {
      className: "live", textContent: words, href: `live/notebooks/index.html?${path}${cell && `#cell=${cell}`}`,
    });
  };
  document.addEventListener("DOMContentLoaded", () => {
    const top = document.createElement("p");
    top.className = "live";
    top.append(link("", "Run and change this lesson here"), ` Nothing to install; about ${megabytes} MB the first time.`);
    document.querySelector("#lesson > .note")?.remove(); // it says that only a notebook runs code
    document.querySelector("#lesson").prepend(top);
    for (const code of document.querySelectorAll("details.code[data-cell]")) {
      code.append(link(code.dataset.cell, "Run and change this here"));
    }
  });
})();
