// The requests as they were routed, and the log.

import { h, morph, s } from "./dom.js";
import { changed, colour, on, state } from "./state.js";
import { because, clock, span } from "./text.js";

const shown = 12;

function place(dc) {
  return dc ? h("span", { class: "pill " + colour(dc) }, dc) : h("span", { class: "faint" }, "–");
}

// what a request is about, without the cart's long name.
const what = (r) => r.method + " " + r.path.replace(/\.[0-9A-Z]{26}/, (id) => "." + id.slice(1, 4) + "…" + id.slice(-3)).replace(/^\/v1/, "");

// answered says who did it; the whole of X-Served-By, which docs/cartdemo.md explains, is in the title. Behind a query router the member is expected, not known.
function answered(served) {
  const [dc, member, role, stale] = served.split("; ");
  if (!member) return "–";
  return h("span", { title: served }, role === "nearest" ? "nearest copy" : role, h("span", { class: "faint" }, " · " + dc.replace(" expected", "")),
    stale && stale !== "0s" && stale !== "unknown" ? h("span", { class: "faint" }, ", at most " + stale + " old") : null);
}

function row(r) {
  const fine = r.status >= 200 && r.status < 300;
  const part = Math.max(0, Math.min(1, Math.log10(Math.max(1, r.took)) / 4.5));
  return h("tr", { class: fine ? null : "failed", "data-key": r.at + r.who + r.from + r.path, "data-who": r.who, "data-kind": r.kind, "data-reason": r.reason },
    h("td", { class: "time" }, clock(r.at)), h("td", null, r.who), h("td", null, h("code", null, what(r))),
    h("td", { class: "way" }, place(r.from), h("span", { class: "arrow" }, "→"), place(r.to)),
    h("td", { class: "why" }, because(r.reason), r.tries > 1 ? h("span", { class: "faint" }, `, sent ${r.tries} times`) : null),
    h("td", { class: "took" }, s("svg", { viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect", { width: (part * 100).toFixed(1), height: 4, rx: 1 })), h("span", null, span(r.took))),
    h("td", null, fine ? answered(r.served) : h("span", { class: "error" }, `${r.status || "no answer"} ${r.error ?? ""}`)));
}

function requests({ requests }) {
  const list = requests.filter((r) => !state.onlyShoppers || r.who !== "traffic").slice(-shown).reverse();
  morph(document.getElementById("requests"), list.length ? list.map(row) : h("tr", { "data-key": "none" }, h("td", { colspan: 7, class: "faint empty" }, "No request yet.")));
}

function log({ happenings }) {
  morph(document.getElementById("log"), happenings.slice(-40).reverse().map((e) => h("li", { class: e.kind, "data-key": e.at + e.text }, h("time", null, clock(e.at)), h("span", null, e.text))));
}

export function start() {
  on(["requests", "cluster", "only"], requests);
  on(["happenings"], log);
  const only = document.getElementById("only-shoppers");
  only.addEventListener("change", () => {
    state.onlyShoppers = only.checked;
    changed("only");
  });
}
