// The map: datacenters, links, members, shoppers, and requests on their way.

import { s, morph } from "./dom.js";
import { arrived, colour, colourOfShard, on, state } from "./state.js";
import { columns, north, rows, west } from "./land.js";
import { span } from "./text.js";

const width = 1000, height = 500;
let view = { long: -180, lat: 80, scale: width / 360 }; // the upper left corner, and units for a degree

const project = (lat, long) => [(long - view.long) * view.scale, (view.lat - lat) * view.scale];

// frameAll chooses what part of the world is shown: all datacenters, with room around them.
function frameAll(places) {
  const lats = places.map((p) => p[0]), longs = places.map((p) => p[1]);
  const middle = [(Math.min(...lats) + Math.max(...lats)) / 2, (Math.min(...longs) + Math.max(...longs)) / 2];
  const degrees = Math.min(360, Math.max(70, (Math.max(...longs) - Math.min(...longs)) * 1.22, (Math.max(...lats) - Math.min(...lats)) * 1.7 * width / height));
  const scale = width / degrees;
  const high = height / scale;
  const lat = Math.min(84, middle[0] + high / 2 + high * 0.04);
  const long = Math.max(-180, Math.min(180 - degrees, middle[1] - degrees / 2));
  view = { long, lat, scale };
}

// land is dots, a degree apart, or two where they would be too close.
function land() {
  const stride = view.scale < 5 ? 2 : 1;
  let path = "";
  for (let i = 0; i < rows.length; i += stride) {
    for (let c = 0; c < columns; c += stride) {
      if (!(parseInt(rows[i][c >> 2], 16) & (8 >> (c & 3)))) continue;
      const [x, y] = project(north - i, west + c);
      if (x < -width || x > 2 * width || y < -height || y > 2 * height) continue; // around the frame there may be room
      path += `M${x.toFixed(1)} ${y.toFixed(1)}h0`;
    }
  }
  return s("path", { d: path, class: "land", "stroke-width": (stride * view.scale * 0.5).toFixed(2) });
}

// places are the datacenters' positions; where the topology has none they stand in a row.
function places(datacenters) {
  const known = datacenters.every((d) => d.at);
  const at = new Map();
  if (known) frameAll(datacenters.map((d) => d.at));
  datacenters.forEach((d, i) => at.set(d.id, known ? project(...d.at) : [width * (i + 1) / (datacenters.length + 1), height / 2]));
  return { at, known };
}

function arc([x1, y1], [x2, y2]) {
  const bend = Math.hypot(x2 - x1, y2 - y1) * 0.18;
  return { d: `M${x1.toFixed(1)} ${y1.toFixed(1)}Q${((x1 + x2) / 2).toFixed(1)} ${((y1 + y2) / 2 - bend).toFixed(1)} ${x2.toFixed(1)} ${y2.toFixed(1)}`, middle: [(x1 + x2) / 2, (y1 + y2) / 2 - bend / 2] };
}

const linkID = (a, b) => "link-" + a + "-" + b;

function link(l, at) {
  const { d, middle: [x, y] } = arc(at.get(l.a), at.get(l.b));
  const text = l.cut ? "cut" : span(l.rtt);
  const wide = 16 + text.length * 6.6;
  return s("g", { class: l.cut ? "link cut" : "link", "data-key": linkID(l.a, l.b) },
    s("title", null, `${l.a} – ${l.b}: ${l.cut ? "cut" : "round trip " + span(l.rtt)}`),
    s("path", { d, id: linkID(l.a, l.b) }),
    s("rect", { x: (x - wide / 2).toFixed(1), y: (y - 10).toFixed(1), width: wide.toFixed(1), height: 20, rx: 10 }),
    s("text", { x: x.toFixed(1), y: (y + 4).toFixed(1) }, text));
}

// pip is a member: full for a primary, a ring for a copy, a point for an arbiter, a cross for one that is not there.
function pip(member, shard, x, y) {
  const kind = member.state !== "up" ? "gone" : { primary: "leads", arbiter: "votes" }[member.role] ?? "copies";
  return s("g", { class: `pip ${kind} ${colourOfShard(shard.id)}`, "data-key": member.name },
    s("title", null, `${member.name}: ${member.state === "up" ? member.role : member.state}${member.lag ? ", " + span(member.lag) + " behind" : ""}`),
    kind === "gone" ? s("path", { d: `M${x - 4} ${y - 4}l8 8m0-8l-8 8` }) : s("circle", { cx: x, cy: y, r: 5 }));
}

function datacenter(dc, cluster, [x, y]) {
  const members = cluster.shards.flatMap((shard) => shard.members.filter((m) => m.dc === dc.id).map((m) => [m, shard]));
  const wide = Math.max(92, 22 + dc.name.length * 7.4 + dc.id.length * 7, dc.cut ? 70 + members.length * 16 : 0);
  const below = y < height - 86; // where the label stands
  const top = below ? y + 18 : y - 62;
  const left = Math.min(Math.max(x - wide / 2, 6), width - wide - 6);
  return s("g", { class: `dc ${colour(dc.id)}${dc.cut ? " off" : ""}`, "data-key": dc.id },
    s("circle", { class: "halo", cx: x, cy: y, r: 17 }),
    s("circle", { class: "core", cx: x, cy: y, r: 8 }),
    s("rect", { class: "plate", x: left, y: top, width: wide, height: 44, rx: 8 }),
    s("text", { class: "name", x: left + 10, y: top + 18 }, dc.name, s("tspan", { class: "id", dx: 6 }, dc.id)),
    members.map(([m, shard], i) => pip(m, shard, left + 16 + i * 16, top + 32)),
    dc.cut && s("text", { class: "cutoff", x: left + 18 + members.length * 16, y: top + 36 }, "cut off"));
}

function shopper(p, at) {
  const [x, y] = project(p.city.lat, p.city.long);
  const dc = at.get(p.at);
  if (!dc || x < 8 || x > width - 8 || y < 8 || y > height - 8) return null;
  const beside = state.shoppers.filter((q) => q.city.name === p.city.name && q.id < p.id).length; // several in one city stand side by side
  const sx = x + beside * 15 - (Math.hypot(dc[0] - x, dc[1] - y) < 20 ? 26 : 0), sy = y - (Math.hypot(dc[0] - x, dc[1] - y) < 20 ? 12 : 0);
  return s("g", { class: `shopper ${colour(p.home)}`, "data-key": "shopper-" + p.id },
    s("title", null, `${p.name} in ${p.city.name}, served by ${p.at}, the cart at home in ${p.home}`),
    s("line", { x1: sx, y1: sy, x2: dc[0], y2: dc[1] }),
    s("circle", { cx: sx, cy: sy, r: 9 }),
    s("text", { x: sx, y: sy + 3.5 }, p.name[0]));
}

let drawn = "";

function draw({ cluster, shoppers }) {
  if (!cluster) return;
  const { at, known } = places(cluster.datacenters);
  const frame = JSON.stringify([known, view]);
  if (frame !== drawn) {
    drawn = frame;
    morph(document.getElementById("map-land"), known ? land() : null);
  }
  morph(document.getElementById("map-links"), cluster.links.filter((l) => at.has(l.a) && at.has(l.b)).map((l) => link(l, at)));
  morph(document.getElementById("map-nodes"), known ? shoppers.map((p) => shopper(p, at)) : null, cluster.datacenters.map((dc) => datacenter(dc, cluster, at.get(dc.id))));
}

// Requests that leave their datacenter fly along a link; those that stay are a ring around it.
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const mostFlights = 40;
let flights = [];

function fly(request) {
  if (calm.matches || document.hidden || flights.length >= mostFlights || !request.from || !state.cluster) return;
  const layer = document.getElementById("map-flights");
  const dot = s("circle", { class: `flight ${request.kind} ${colour(request.owner || request.from)}`, r: 4.5 });
  const line = document.getElementById(linkID(request.from, request.to)) ?? document.getElementById(linkID(request.to, request.from));
  if (request.to && request.to !== request.from && !line) return;
  layer.append(dot);
  flights.push({ dot, line: request.to && request.to !== request.from ? line : null, turned: line?.id === linkID(request.to, request.from), dc: request.from, began: performance.now(), length: 650 + Math.min(1200, request.took * 2) });
  if (flights.length === 1) requestAnimationFrame(move);
}

function move(now) {
  const datacenters = state.cluster.datacenters;
  flights = flights.filter((f) => {
    const t = Math.max(0, (now - f.began) / f.length); // a frame's time may be before that of the event that it follows
    if (t >= 1) {
      f.dot.remove();
      return false;
    }
    if (f.line) {
      const there = t < 0.5 ? t * 2 : 2 - t * 2; // there and back
      const eased = there * there * (3 - 2 * there);
      const point = f.line.getPointAtLength(f.line.getTotalLength() * (f.turned ? 1 - eased : eased));
      f.dot.setAttribute("cx", point.x);
      f.dot.setAttribute("cy", point.y);
    } else {
      const dc = datacenters.find((d) => d.id === f.dc);
      const at = places(datacenters).at.get(dc?.id);
      if (!at) return false;
      f.dot.classList.add("stays");
      f.dot.setAttribute("cx", at[0]);
      f.dot.setAttribute("cy", at[1]);
      f.dot.setAttribute("r", (8 + t * 16).toFixed(1));
      f.dot.setAttribute("opacity", (1 - t).toFixed(2));
    }
    return true;
  });
  if (flights.length) requestAnimationFrame(move);
}

export function start() {
  document.getElementById("map").setAttribute("viewBox", `0 0 ${width} ${height}`);
  on(["cluster", "shoppers"], draw);
  arrived("requests", fly);
}
