"use strict";
// Filters and sorts the table of claims, and sorts the others; what is chosen stands in the address, so that a link can choose.
(function () {
  const body = document.querySelector(".claims tbody");
  const rows = Array.from(body.rows);
  const buttons = Array.from(document.querySelectorAll(".filters button"));
  const group = document.getElementById("group");
  const words = document.getElementById("words");
  const shown = document.getElementById("shown");
  const wrong = new Set(["corrected", "refuted"]);
  let verdict = "";

  function fits(row) {
    const mine = row.dataset.verdict;
    const asked = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = row.textContent.toLowerCase();
    return (!verdict || mine === verdict || (verdict === "not as printed" && wrong.has(mine)))
      && (!group.value || row.dataset.group === group.value)
      && asked.every((word) => text.includes(word));
  }

  function show() {
    let number = 0;
    for (const row of rows) {
      row.hidden = !fits(row);
      number += row.hidden ? 0 : 1;
    }
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.verdict === verdict));
    }
    shown.value = number + " of " + rows.length + " claims";
  }

  function choose() {
    const asked = new URLSearchParams(location.hash.slice(1));
    const known = buttons.some((button) => button.dataset.verdict === asked.get("verdict"));
    verdict = known ? asked.get("verdict") : "";
    group.value = asked.get("group") || "";
    if (group.selectedIndex < 0) { group.value = ""; }
    words.value = asked.get("words") || "";
    show();
  }

  function remember() {
    const asked = new URLSearchParams();
    if (verdict) { asked.set("verdict", verdict); }
    if (group.value) { asked.set("group", group.value); }
    if (words.value) { asked.set("words", words.value); }
    history.replaceState(null, "", "#" + asked.toString());
    show();
  }

  function key(row, column) {
    const cell = row.cells[column];
    const value = cell.dataset.value === undefined ? cell.textContent.trim() : cell.dataset.value;
    return value !== "" && isFinite(value) ? Number(value) : value;
  }

  function compare(a, b) {
    const numbers = (typeof a === "number") - (typeof b === "number");
    if (numbers) { return -numbers; }
    return typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
  }

  function sort(head, body, rows) {
    const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    for (const other of head.parentNode.cells) { other.setAttribute("aria-sort", "none"); }
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const column = head.cellIndex;
    rows.sort((a, b) => sign * compare(key(a, column), key(b, column)));
    body.append(...rows);
  }

  for (const button of buttons) {
    button.addEventListener("click", () => { verdict = button.dataset.verdict; remember(); });
  }
  group.addEventListener("change", remember);
  words.addEventListener("input", remember);
  for (const head of document.querySelectorAll(".claims th[aria-sort]")) {
    head.querySelector("button").addEventListener("click", () => sort(head, body, rows));
  }
  for (const head of document.querySelectorAll(".plain th[aria-sort]")) {
    const plain = head.closest("table").tBodies[0];
    head.querySelector("button").addEventListener("click", () => sort(head, plain, Array.from(plain.rows)));
  }
  window.addEventListener("hashchange", choose);
  choose();
})();
