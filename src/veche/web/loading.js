// Loads the page again if one of its parts could not be loaded, which would leave it empty. It is no module, because a
// module does not run if one that it imports is missing.

(() => {
  const FIRST_MS = 1_000;
  const LAST_MS = 30_000;
  const [visit] = performance.getEntriesByType("navigation");

  addEventListener("error", ({ target }) => {
    if (!(target instanceof HTMLScriptElement)) return;
    document.getElementById("loading").textContent = "The page could not be loaded. It is tried again.";
    loadAgain(visit?.type === "reload" ? LAST_MS / 3 : FIRST_MS); // not every second, if a part stays missing
  }, true);

  // A page that is loaded while the server is away gives its place to the browser's own error page. So look first.
  function loadAgain(afterMs) {
    setTimeout(async () => {
      const there = await fetch("/page.js", { cache: "no-store" }).then(({ ok }) => ok, () => false);
      if (there) location.reload();
      else loadAgain(Math.min(2 * afterMs, LAST_MS));
    }, afterMs);
  }
})();
