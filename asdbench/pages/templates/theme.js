// Light or dark as the system says, until the reader chooses; the choice is remembered where the browser allows it.
(() => {
  const root = document.documentElement;
  const store = {
    get: () => { try { return localStorage.getItem("asdbench-theme"); } catch { return null; } },
    set: (value) => { try { localStorage.setItem("asdbench-theme", value); } catch { /* a private window */ } },
  };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = store.get();
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  const now = () => root.dataset.theme || (system.matches ? "dark" : "light");
  addEventListener("DOMContentLoaded", () => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "theme-toggle";
    const say = () => { button.textContent = now() === "dark" ? "Light" : "Dark"; };
    button.setAttribute("aria-label", "Switch between light and dark colours");
    button.addEventListener("click", () => {
      root.dataset.theme = now() === "dark" ? "light" : "dark";
      store.set(root.dataset.theme);
      say();
    });
    system.addEventListener("change", say);
    say();
    document.body.prepend(button);
  });
})();
