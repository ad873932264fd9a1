// Sorting, filters and details. Without this script the page is a plain table with everything in it.
(() => {
  const table = document.querySelector("table.board");
  if (!table) return;
  document.documentElement.classList.add("js");
  const heads = [...table.querySelectorAll("tr.columns > th")];
  const entries = [...table.tBodies];

  const valueAt = (entry, column) => entry.rows[0].cells[column].dataset.value ?? "";
  const compare = (column, direction) => (one, other) => {
    const [a, b] = [valueAt(one, column), valueAt(other, column)];
    if (a === "" || b === "") return (a === "") - (b === ""); // what is missing stays below, either way
    const numeric = !isNaN(a) && !isNaN(b);
    const order = numeric ? a - b : a.localeCompare(b, "en", { sensitivity: "base" });
    return direction * order || entries.indexOf(one) - entries.indexOf(other);
  };
  const sort = (head) => {
    const column = heads.indexOf(head);
    const now = head.getAttribute("aria-sort");
    const upwards = head.matches(".rank, .text") ? now !== "ascending" : now === "descending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", upwards ? "ascending" : "descending");
    table.append(...[...entries].sort(compare(column, upwards ? 1 : -1)));
  };
  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    const label = head.querySelector(".label") ?? head;
    button.append(...label.childNodes);
    label.append(button);
    button.addEventListener("click", () => sort(head));
  }

  for (const entry of entries) {
    const more = entry.querySelector("tr.more");
    if (!more) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "opener";
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-label", `Details of ${entry.dataset.name}`);
    button.addEventListener("click", () => {
      const open = more.classList.toggle("open");
      more.querySelector("details").open = open;
      button.setAttribute("aria-expanded", String(open));
    });
    entry.querySelector(".system").prepend(button);
  }

  const controls = document.querySelector("form.controls");
  const find = controls.querySelector("#find");
  const every = controls.querySelector(".every");
  const chips = [...controls.querySelectorAll(".chip[data-machine]")];
  const shown = controls.querySelector(".shown");
  const group = table.querySelector(".of-machines");
  controls.hidden = false;
  controls.addEventListener("submit", (event) => event.preventDefault());

  const filterSystems = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const entry of entries) {
      const text = entry.rows[0].querySelector(".system").textContent.toLowerCase();
      entry.hidden = !words.every((word) => text.includes(word));
      count += !entry.hidden;
    }
    shown.textContent = words.length ? `${count} of ${entries.length} rows` : "";
  };
  find.addEventListener("input", filterSystems);

  const pressed = (chip) => chip.getAttribute("aria-pressed") === "true";
  const filterMachines = () => {
    const wanted = new Set(chips.filter(pressed).map((chip) => chip.dataset.machine));
    for (const cell of table.querySelectorAll("[data-machine]")) cell.hidden = !wanted.has(cell.dataset.machine);
    group.hidden = wanted.size === 0;
    group.colSpan = Math.max(wanted.size, 1);
    every.setAttribute("aria-pressed", String(wanted.size === chips.length));
    every.textContent = wanted.size === chips.length ? "all" : "show all";
  };
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      // The first choice picks that machine type alone; further ones add and remove.
      if (chips.every(pressed)) chips.forEach((other) => other.setAttribute("aria-pressed", String(other === chip)));
      else chip.setAttribute("aria-pressed", String(!pressed(chip)));
      if (!chips.some(pressed)) chips.forEach((other) => other.setAttribute("aria-pressed", "true"));
      filterMachines();
    });
  }
  every.addEventListener("click", () => {
    chips.forEach((chip) => chip.setAttribute("aria-pressed", "true"));
    filterMachines();
  });
})();
