// Three charts: how long requests take, how far copies are behind, and what changes of primaries cost.

import { h, morph, s } from "./dom.js";
import { colour, on, state } from "./state.js";
import { clock, median, span } from "./text.js";

const width = 420, height = 170, left = 40, right = 8, top = 10, bottom = 20;
const window_ = 150_000; // how much of the past is shown
const ways = [["read", "read, copy here"], ["local", "write, home here"], ["remote", "write, another home"]];

const x = (at, now) => left + (width - left - right) * (1 - (now - at) / window_);

function axis(ticks, y, now) {
  const minutes = [];
  for (let t = Math.ceil((now - window_) / 30000) * 30000; t <= now; t += 30000) minutes.push(t);
  return [
    ticks.map(([value, text]) => s("g", { class: "grid" }, s("line", { x1: left, x2: width - right, y1: y(value), y2: y(value) }), s("text", { x: left - 6, y: y(value) + 3.5, class: "end" }, text))),
    minutes.map((t) => s("text", { class: "tick", x: x(t, now).toFixed(1), y: height - 5 }, clock(t).slice(3))),
  ];
}

// line is a path through points; a gap of several seconds breaks it.
function line(points, gap) {
  let d = "", last = -Infinity;
  for (const [at, px, py] of points) {
    d += (at - last > gap ? "M" : "L") + px.toFixed(1) + " " + py.toFixed(1);
    last = at;
  }
  return d;
}

// medians of slots of time, so that a line can be seen among the dots.
function medians(points, slot) {
  const slots = new Map();
  for (const p of points) {
    const k = Math.floor(p.at / slot);
    if (!slots.has(k)) slots.set(k, []);
    slots.get(k).push(p.took);
  }
  return [...slots].sort((a, b) => a[0] - b[0]).map(([k, list]) => ({ at: (k + 0.5) * slot, took: median(list) }));
}

function tile(look, text, value) {
  return h("div", { class: "tile " + look, "data-key": text }, h("b", null, value), h("span", null, h("i"), text));
}

function latency({ latencies }) {
  const now = Date.now();
  const recent = latencies.filter((p) => now - p.at < window_);
  const low = Math.log10(1), high = Math.log10(30000);
  const y = (ms) => top + (height - top - bottom) * (1 - (Math.log10(Math.max(1, ms)) - low) / (high - low));
  const shown = (way) => recent.filter((p) => p.way === way);
  morph(document.getElementById("latency-tiles"), ways.map(([way, text]) => tile("way-" + way, text, span(median(shown(way).slice(-15).map((p) => p.took))))));
  morph(document.getElementById("latency"), axis([[1, "1 ms"], [10, "10 ms"], [100, "0.1 s"], [1000, "1 s"], [10000, "10 s"]], y, now),
    ways.map(([way]) => s("g", { class: "way-" + way },
      s("path", { class: "dots", d: shown(way).map((p) => `M${x(p.at, now).toFixed(1)} ${y(p.took).toFixed(1)}h0`).join("") }),
      s("path", { class: "line", d: line(medians(shown(way), 4000).filter((p) => now - p.at < window_).map((p) => [p.at, x(p.at, now), y(p.took)]), 15000) }))));
}

function staleness({ lags, cluster }) {
  const now = Date.now();
  const recent = lags.filter((p) => now - p.at < window_);
  const most = Math.max(1000, ...recent.flatMap((p) => Object.values(p.lag)));
  const ceiling = [1000, 2000, 5000, 10000, 20000, 50000, 100000].find((c) => c >= most) ?? most;
  const y = (ms) => top + (height - top - bottom) * (1 - ms / ceiling);
  const dcs = cluster?.datacenters ?? [];
  morph(document.getElementById("staleness-tiles"), dcs.map((dc) => tile(colour(dc.id), "copies in " + dc.name, span(lags.at(-1)?.lag[dc.id]))));
  morph(document.getElementById("staleness"), axis([0, ceiling / 2, ceiling].map((v) => [v, v / 1000 + " s"]), y, now),
    dcs.map((dc) => s("path", { class: "line " + colour(dc.id), "data-key": dc.id, d: line(recent.filter((p) => dc.id in p.lag).map((p) => [p.at, x(p.at, now), y(p.lag[dc.id])]), 5000) })));
}

function failovers({ failovers }) {
  const most = Math.max(1000, ...failovers.map((f) => Math.max(f.gap, f.longest)));
  const part = (ms) => Math.max(1, Math.round(ms / most * 1000) / 10);
  const shard = (f) => colour((state.cluster?.shards ?? []).find((one) => one.id === f.shard)?.home);
  const bar = (look, ms, text) => h("div", { class: "bar" }, s("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect", { class: look, width: part(ms), height: 6, rx: 1 })), h("span", null, text));
  morph(document.getElementById("failover"), failovers.length === 0
    ? h("p", { class: "faint empty" }, "No primary has changed yet. Kill one and watch: writes are held, not lost.")
    : h("ol", null, [...failovers].reverse().slice(0, 4).map((f) => h("li", { class: shard(f), "data-key": f.shard + f.at, "data-shard": f.shard },
      h("div", { class: "what" }, h("span", { class: "dot" }), h("b", null, f.shard), f.from === f.to ? ` ${f.to} again` : ` ${f.from.split("/")[1]} → ${f.to.split("/")[1]}`, h("span", { class: "faint" }, clock(f.at))),
      f.gap ? bar("gap", f.gap, span(f.gap) + " without a primary") : h("div", { class: "bar" }, "no moment without a primary was seen"),
      f.longest ? bar("longest", f.longest, "longest write over it: " + span(f.longest)) : null))));
}

export function start() {
  const draw = () => { latency(state); staleness(state); };
  for (const id of ["latency", "staleness"]) document.getElementById(id).setAttribute("viewBox", `0 0 ${width} ${height}`);
  on(["latencies", "lags", "cluster"], throttled(draw, 500));
  on(["failovers", "cluster"], failovers);
  draw();
}

// throttled draws at once, and then no more often than that.
function throttled(draw, every) {
  let last = 0, waiting = null;
  return () => {
    if (waiting) return;
    waiting = setTimeout(() => { waiting = null; last = Date.now(); draw(); }, Math.max(0, last + every - Date.now()));
  };
}
