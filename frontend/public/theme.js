/* Runs before the first paint, so that a remembered choice never flashes. A file, because the page allows no inline script. */
try {
  var choice = localStorage.getItem("pyk8s-theme");
  if (choice === "light" || choice === "dark") document.documentElement.dataset.theme = choice;
} catch {
  /* Storage is forbidden here: the system decides. */
}
