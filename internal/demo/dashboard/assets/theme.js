// Runs before the page is painted, so that it has the reader's colours from the beginning.
"use strict";
(() => {
  const known = ["light", "dark"];
  let theme = "";
  try { theme = localStorage.getItem("geoshard-theme") || ""; } catch { /* no storage: the system's colours */ }
  if (known.includes(theme)) document.documentElement.dataset.theme = theme;
})();
