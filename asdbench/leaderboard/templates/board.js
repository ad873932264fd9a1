// Sorting, filters and details. Without this script the page is a plain table with everything in it.
(() => {
  const table = document.querySelector("table.board");
  if (!table) return;
  document.documentElement.classList.add("js");
  const heads = [...table.querySelectorAll("tr.columns > th")];
  const entries = [...table.tBodies];
  const nameOf = (head) => (head.querySelector(".label") ?? head).textContent.trim();

  // Orders: by a column, or by a number of the details, which then stands below each score.
  const figures = (entry) => [...entry.querySelectorAll(".figures > div")];
  const figure = (entry, label) => figures(entry).find((one) => one.firstElementChild.textContent === label)?.lastElementChild;
  const orders = new Map(heads.map((head, column) => [nameOf(head), (entry) => entry.rows[0].cells[column]]));
  const labels = new Set(entries.flatMap((entry) => figures(entry).map((one) => one.firstElementChild.textContent)));
  for (const label of labels) if (!orders.has(label)) orders.set(label, (entry) => figure(entry, label));
  const lowFirst = (name) => /^(rank|system|cost|parameters|multiply-accumulates|seeds)$|, m?s$/i.test(name);

  const sort = (name, upwards) => {
    const valueOf = (entry) => orders.get(name)(entry)?.dataset.value ?? "";
    const compare = (one, other) => {
      const [a, b] = [valueOf(one), valueOf(other)];
      if (a === "" || b === "") return (a === "") - (b === ""); // what is missing stays below, either way
      const order = isNaN(a) || isNaN(b) ? a.localeCompare(b, "en", { sensitivity: "base" }) : a - b;
      return (upwards ? order : -order) || entries.indexOf(one) - entries.indexOf(other);
    };
    for (const head of heads) head.removeAttribute("aria-sort");
    const head = heads.find((one) => nameOf(one) === name);
    head?.setAttribute("aria-sort", upwards ? "ascending" : "descending");
    for (const entry of entries) {
      entry.querySelector(".chosen")?.remove();
      if (head) continue;
      const shown = document.createElement("small");
      shown.className = "chosen";
      shown.textContent = `${name} ${orders.get(name)(entry)?.textContent ?? "–"}`;
      entry.querySelector(".score").append(shown);
    }
    order.value = name;
    table.append(...[...entries].sort(compare));
  };

  const controls = document.querySelector("form.controls");
  const order = controls.querySelector("#order");
  for (const name of orders.keys()) order.append(new Option(name, name));
  order.value = "Score";
  order.addEventListener("change", () => sort(order.value, lowFirst(order.value)));
  for (const head of heads) {
    const name = nameOf(head);
    const button = document.createElement("button");
    button.type = "button";
    const label = head.querySelector(".label") ?? head;
    button.append(...label.childNodes);
    label.append(button);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      sort(name, now ? now === "descending" : lowFirst(name));
    });
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

  const find = controls.querySelector("#find");
  const shown = controls.querySelector(".shown");
  controls.hidden = false;
  controls.addEventListener("submit", (event) => event.preventDefault());
  find.addEventListener("input", () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const entry of entries) {
      const text = `${entry.querySelector(".system").textContent} ${entry.dataset.find}`.toLowerCase();
      entry.hidden = !words.every((word) => text.includes(word));
      count += !entry.hidden;
    }
    shown.textContent = words.length ? `${count} of ${entries.length} rows` : "";
  });
})();
