// Zones, and the chunks by shard.

import { h, morph } from "./dom.js";
import { colourOfShard, on } from "./state.js";
import { ago, count } from "./text.js";

function shard(p) {
  return h("li", { class: colourOfShard(p.id), "data-key": p.id, "data-placed": p.id },
    h("span", { class: "dot" }), h("b", null, p.id),
    h("span", { class: "zone" }, p.zones.length ? "zone " + p.zones.join(", ") : "no zone"),
    h("span", { class: "faint" }, count(p.chunks, "chunk", "chunks") + " · " + count(p.documents, "document", "documents") + (p.orphans ? " · " + count(p.orphans, "orphan", "orphans") : "")));
}

function tile(c) {
  return h("span", { class: `chunk ${colourOfShard(c.shard)}${c.zone ? "" : " gap"}${c.astray ? " astray" : ""}`, title: `${c.range}: on ${c.shard}, ${c.zone ? "zone " + c.zone : "no zone"}` }, c.zone);
}

function collection(c) {
  return h("div", { class: "collection", "data-key": c.name, "data-collection": c.name }, h("span", { class: "name" }, c.name),
    h("span", { class: "chunks" }, c.chunks.map(tile), c.more > 0 && h("span", { class: "faint" }, "+" + c.more)));
}

function migrations(layout) {
  const way = (m) => `${m.collection}: ${m.from} → ${m.to}`;
  if (layout.moving.length) return layout.moving.map((m) => h("li", { class: "moving" }, h("span", { class: "spin", "aria-hidden": "true" }), way(m) + ", since " + ago(m.at)));
  const last = layout.moved[0];
  return h("li", { class: "none" }, "No migration in flight.", last ? ` The last: ${way(last)}${last.failed ? ", given up" : ""}, ${ago(last.at)}.` : "");
}

// A count of documents that is older than this is said to be.
const lateAfter = 8000;

function draw({ layout }) {
  if (!layout || !layout.shards) return;
  morph(document.getElementById("placed"), layout.shards.map(shard));
  morph(document.getElementById("collections"), layout.collections.map(collection));
  morph(document.getElementById("migrations"), migrations(layout));
  const late = layout.counted && layout.taken - layout.counted > lateAfter;
  morph(document.getElementById("layout-error"), layout.error ? `The catalogue was last read ${ago(layout.taken)}: ${layout.error}` : late ? `Documents were counted ${ago(layout.counted)}: a shard has no primary to ask.` : "");
}

export const start = () => on(["layout", "cluster"], draw);
