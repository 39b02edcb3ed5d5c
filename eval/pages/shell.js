"use strict";
// The switch between light and dark: follows the reader's system until it is pressed.
(() => {
  const button = document.querySelector("button.theme");
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  let kept = null;
  try { kept = localStorage.getItem("ppubench-theme"); } catch { /* a file opened from disk may have no storage */ }
  if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  const dark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const say = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-label", `Switch to ${dark() ? "light" : "dark"} colours`); };
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("ppubench-theme", root.dataset.theme); } catch { /* as above */ }
    say();
  });
  system.addEventListener("change", say);
  say();
})();
