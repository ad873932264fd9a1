// A link to a machine type opens it; printing opens all.
(() => {
  const open = () => {
    const part = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (part && part.tagName === "DETAILS") { part.open = true; part.scrollIntoView(); }
  };
  addEventListener("hashchange", open);
  addEventListener("beforeprint", () => { for (const part of document.querySelectorAll("details.machine")) part.open = true; });
  open();
})();
