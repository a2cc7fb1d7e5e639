// Sorts and filters the failures; everything else on the page works without a script.
"use strict";
(() => {
  const controls = document.getElementById("controls");
  if (!controls) return;
  const list = document.getElementById("entries");
  const entries = [...list.children];
  const field = (name) => document.getElementById(name)?.value ?? "";
  const texts = new Map();

  function textOf(entry) {
    if (!texts.has(entry)) texts.set(entry, entry.textContent.toLowerCase());
    return texts.get(entry);
  }

  function matches(entry, text, kind, variant) {
    return (
      (!kind || entry.dataset.kind.split(" ").includes(kind)) &&
      (!variant || entry.dataset.variant === variant) &&
      (!text || textOf(entry).includes(text))
    );
  }

  function filter() {
    const text = field("text").trim().toLowerCase();
    let shown = 0;
    for (const entry of entries) {
      entry.hidden = !matches(entry, text, field("kind"), field("variant"));
      shown += entry.hidden ? 0 : 1;
    }
    document.getElementById("none").hidden = shown > 0;
    document.getElementById("shown").textContent = `${shown} of ${entries.length}`;
  }

  function sort() {
    const key = field("order").replace("-", "");
    const sign = field("order").startsWith("-") ? -1 : 1;
    const value = (entry) => parseFloat(entry.dataset[key]);
    const number = (entry) => Number(entry.dataset.order);
    entries.sort((a, b) => sign * (value(a) - value(b)) || number(a) - number(b));
    list.append(...entries);
  }

  // A problem of the grid leads to its failure, even to one that is closed or filtered out.
  function reveal() {
    const entry = entries.find((one) => `#${one.id}` === location.hash);
    if (!entry) return;
    if (entry.hidden) {
      controls.reset();
      filter();
      sort();
    }
    entry.open = true;
    entry.scrollIntoView();
  }

  controls.hidden = false;
  controls.addEventListener("input", filter);
  controls.addEventListener("change", sort);
  controls.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", reveal);
  filter();
  reveal();
})();
