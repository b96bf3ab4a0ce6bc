// The page: it hears of the cluster by server-sent events, and draws what has changed.

import { wire } from "./act.js";
import { h, morph } from "./dom.js";
import { button } from "./members.js";
import { changed, listen, on, state } from "./state.js";
import { count } from "./text.js";
import * as charts from "./charts.js";
import * as feed from "./feed.js";
import * as layout from "./layout.js";
import * as map from "./map.js";
import * as members from "./members.js";
import * as shoppers from "./shoppers.js";

function head({ cluster, live, traffic }) {
  const sign = document.getElementById("live");
  sign.dataset.live = String(live);
  sign.textContent = live ? "live" : "not connected";
  morph(document.getElementById("traffic"), button("traffic", { on: traffic.on ? "no" : "yes" }, traffic.on ? "Stop the steady traffic" : "Start steady traffic"));
  if (!cluster) return;
  const all = cluster.shards.flatMap((s) => s.members);
  const up = all.filter((m) => m.state === "up").length;
  morph(document.getElementById("about"),
    h("span", null, h("b", null, cluster.name)),
    h("span", { class: up === all.length ? null : "bad" }, `${up} of ${count(all.length, "member", "members")} up`),
    h("span", null, `MongoDB ${cluster.server}, ${cluster.router}`));
  document.title = (up === all.length ? "" : "! ") + "geoshard · " + cluster.name;
}

function note({ note }) {
  const box = document.getElementById("note");
  box.hidden = !note;
  morph(box, note && [h("div", null, h("b", null, note.text), note.hint && h("span", null, note.hint)), button("dismiss", {}, "Dismiss", "small")]);
}

function theme() {
  const root = document.documentElement;
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const toggle = document.getElementById("theme");
  const show = () => {
    toggle.setAttribute("aria-pressed", String(dark()));
    toggle.textContent = dark() ? "Light" : "Dark";
  };
  toggle.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("geoshard-theme", root.dataset.theme); } catch { /* it holds until the page is closed */ }
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  show();
}

theme();
on(["cluster", "live", "traffic"], head);
on(["note"], note);
for (const part of [map, members, shoppers, charts, layout, feed]) part.start();
wire();
listen();
changed("live");
document.documentElement.dataset.ready = "true";
setInterval(() => changed("lags"), 1000); // time goes on when nothing happens
