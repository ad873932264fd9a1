// Whatever scrolls sideways says so: its cut edge fades (see base.css) as long as something lies beyond it.
addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll(".scroll, nav")) {
    const look = () => {
      const hidden = box.scrollWidth - box.clientWidth;
      box.classList.toggle("scrolls", hidden > 1);
      box.classList.toggle("more-right", box.scrollLeft < hidden - 1);
      box.classList.toggle("more-left", hidden > 1 && box.scrollLeft > 1);
    };
    box.addEventListener("scroll", look, { passive: true });
    const watch = new ResizeObserver(look);
    for (const part of [box, ...box.children]) watch.observe(part);
    look();
  }
});
