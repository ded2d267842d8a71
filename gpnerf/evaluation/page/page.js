"use strict";
{
  const byId = (id) => document.getElementById(id);

  function make(name, properties = {}, ...children) {
    const node = Object.assign(document.createElement(name), properties);
    node.append(...children);
    return node;
  }

  // A button that copies the command; it selects the text if the browser denies access to the clipboard.
  function copyButton(box) {
    const button = make("button", { type: "button", className: "button", textContent: "Copy" });
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(box.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(box);
        button.textContent = "Selected";
      }
    });
    box.after(button);
  }

  // The confusion matrix is one stop of the Tab key; arrow keys move inside it. A line above describes the cell.
  function confusion(table) {
    const rows = [...table.tBodies[0].rows].map((row) => [...row.querySelectorAll("td")]);
    const heads = [...table.tHead.rows[0].querySelectorAll("th")];
    const places = new Map();
    rows.forEach((cells, row) => cells.forEach((cell, column) => {
      places.set(cell, [row, column]);
      cell.setAttribute("aria-label", cell.title);
      cell.tabIndex = -1;
    }));
    let current = rows[0][0];
    current.tabIndex = 0;
    let lit = [];
    byId("cell").textContent = "Point at a cell, or go to the first one with Tab and on with the arrow keys.";

    function say(cell) {
      const place = places.get(cell);
      if (!place) return;
      for (const head of lit) head.classList.remove("lit");
      lit = [heads[place[1]], cell.parentNode.cells[0]];
      for (const head of lit) head.classList.add("lit");
      byId("cell").textContent = cell.getAttribute("aria-label");
    }

    function go(row, column) {
      current.tabIndex = -1;
      current = rows[row][column];
      current.tabIndex = 0;
      current.focus();
    }

    table.addEventListener("mouseover", (event) => say(event.target.closest("td")));
    table.addEventListener("focusin", (event) => say(event.target));
    table.addEventListener("keydown", (event) => {
      const last = rows.length - 1;
      const [row, column] = places.get(current);
      const next = {
        ArrowUp: [Math.max(0, row - 1), column],
        ArrowDown: [Math.min(last, row + 1), column],
        ArrowLeft: [row, Math.max(0, column - 1)],
        ArrowRight: [row, Math.min(last, column + 1)],
        Home: [row, 0],
        End: [row, last],
      }[event.key];
      if (!next) return;
      event.preventDefault();
      go(...next);
    });
  }

  const pictureOf = (view, key) =>
    [...view.querySelectorAll(".map")].find((map) => map.dataset.map === key);
  const captionOf = (map) => map.querySelector("figcaption").textContent;

  // Entries of the page's legend for the classes in these pictures.
  function legendOf(maps) {
    const wanted = new Set(maps.flatMap((map) => (map?.dataset.classes ?? "").split(" ").filter(Boolean)));
    if (!wanted.size || !byId("legend")) return null;
    const entries = [...byId("legend").querySelectorAll("[data-class]")];
    const chosen = entries.filter((entry) => wanted.has(entry.dataset.class));
    return make("ul", { className: "legend" }, ...chosen.map((entry) => entry.cloneNode(true)));
  }

  // Two pictures on top of each other; a range input over them moves the boundary.
  function comparison(view) {
    const box = view.querySelector(".comparison");
    if (!box) return null;
    const stage = box.querySelector(".stage");
    const slider = box.querySelector("input");
    const choice = box.querySelector(".choice");
    const select = choice.querySelector("select");
    const tags = stage.querySelectorAll(".tag");

    function move() {
      stage.style.setProperty("--cut", `${slider.value}%`);
      slider.setAttribute("aria-valuetext", `${slider.value} % ${tags[0].textContent}`);
    }

    function show(pair) {
      if (![...select.options].some((option) => option.value === pair)) return;
      select.value = pair;
      const maps = pair.split("|").map((key) => pictureOf(view, key));
      const [left, right] = maps.map((map) => map.querySelector("img").cloneNode());
      left.classList.add("over");
      left.alt = right.alt = "";
      for (const old of stage.querySelectorAll("img")) old.remove();
      stage.prepend(right, left);
      tags.forEach((tag, side) => { tag.textContent = captionOf(maps[side]); });
      choice.querySelector(".legend")?.remove();
      const legend = legendOf(maps);
      if (legend) choice.append(legend);
      move();
    }

    slider.addEventListener("input", move);
    select.addEventListener("change", () => show(select.value));
    box.hidden = false;
    view.classList.add("enhanced");
    show(select.value);
    return show;
  }

  // One dialog for all pictures; arrow keys step through the pictures of a view.
  function zoom() {
    const dialog = byId("zoom");
    let maps = [];
    let place = 0;

    function show(next) {
      place = (next + maps.length) % maps.length;
      const map = maps[place];
      const picture = map.querySelector("img").cloneNode();
      picture.loading = "eager";
      picture.style.setProperty("--ratio", picture.width / picture.height);
      byId("zoom-name").textContent = `${captionOf(map)} · ${map.closest(".view").querySelector("h3").textContent}`;
      byId("zoom-picture").replaceChildren(picture);
      byId("zoom-legend").replaceChildren(...[legendOf([map])].filter(Boolean));
    }

    byId("previous").addEventListener("click", () => show(place - 1));
    byId("next").addEventListener("click", () => show(place + 1));
    byId("close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") show(place - 1);
      if (event.key === "ArrowRight") show(place + 1);
    });
    return (map) => {
      maps = [...map.parentNode.querySelectorAll(".map")];
      show(maps.indexOf(map));
      dialog.showModal();
    };
  }

  function gallery(box) {
    const views = [...box.children];
    const open = zoom();
    for (const map of box.querySelectorAll(".map")) {
      const picture = map.querySelector("img");
      const button = make("button", { type: "button", className: "zoom" });
      button.setAttribute("aria-haspopup", "dialog");
      picture.replaceWith(button);
      button.append(picture);
      button.addEventListener("click", () => open(map));
    }
    const shows = views.map(comparison);
    const ranks = new Map(views.map((view) => [view, JSON.parse(view.dataset.ranks)]));
    const [order, scene, pair] = ["order", "scene", "pair"].map(byId);

    function arrange() {
      const [key, first] = order.value.split(" ");
      const sign = first === "worst" ? 1 : -1;
      // Views without the score come last in both orders.
      const placeOf = (view) => (key in ranks.get(view) ? sign * ranks.get(view)[key] : Infinity);
      box.append(...[...views].sort((a, b) => placeOf(a) - placeOf(b) || 0));
    }

    function filter() {
      for (const view of views) view.hidden = Boolean(scene.value) && view.dataset.scene !== scene.value;
      const shown = views.filter((view) => !view.hidden).length;
      byId("count").textContent = shown === views.length ? `${shown} views` : `${shown} of ${views.length} views`;
    }

    order.addEventListener("change", arrange);
    scene.addEventListener("change", filter);
    pair?.addEventListener("change", () => { for (const show of shows) show?.(pair.value); });
    byId("toolbar").addEventListener("submit", (event) => event.preventDefault());
    byId("toolbar").hidden = false;
    arrange();
    filter();
  }

  document.querySelectorAll(".command pre").forEach(copyButton);
  if (byId("confusion")) confusion(byId("confusion"));
  if (byId("gallery")) gallery(byId("gallery"));
}
