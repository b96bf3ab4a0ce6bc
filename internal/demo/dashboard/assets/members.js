// The members: a row for each shard, a column for each datacenter, and the buttons that break them.

import { h, morph } from "./dom.js";
import { colour, on } from "./state.js";
import { span } from "./text.js";

// button is one that does something on the server; see act.js.
export function button(act, args, text, look = "", label = null) {
  const data = Object.fromEntries(Object.entries(args).map(([k, v]) => ["data-" + k, v]));
  return h("button", { type: "button", class: look, "data-act": act, ...data, "aria-label": label }, text);
}

// A lag below this is what replication takes.
const noticeable = 150;

function says(member, shard) {
  if (member.state !== "up") return h("span", { class: "badge gone" }, member.state);
  if (member.role === "primary") return h("span", { class: "badge leads" }, shard && shard.primary !== member.name ? "old primary" : "primary");
  return h("span", { class: "badge copies" }, member.role);
}

function cell(member, shard) {
  return h("div", { class: "member", "data-key": member.name, "data-member": member.name, "data-state": member.state, "data-role": member.role },
    says(member, shard),
    member.home && h("span", { class: "home", title: "the topology wants the primary here" }, "home"),
    member.state === "up" && member.role !== "primary" && member.lag !== null &&
      h("span", { class: member.lag >= noticeable ? "lag late" : "lag" }, member.lag < 1 ? "in step" : span(member.lag) + " behind"),
    member.state !== "up" && button("start", { member: member.name }, member.state === "paused" ? "Resume" : "Restart", "small", "Restart " + member.name));
}

function row(shard, datacenters) {
  return h("tr", { class: colour(shard.home), "data-key": shard.id, "data-shard": shard.id },
    h("th", { scope: "row" }, h("div", { class: "lead" },
      h("div", { class: "shard" }, h("span", { class: "dot" }), h("b", null, shard.id),
        shard.primary ? h("span", { class: "faint" }, "led in " + shard.primary.split("/")[1]) : h("span", { class: "electing", role: "status" }, "electing, " + span(shard.without)),
      ),
      button("kill", { shard: shard.id }, "Kill primary", "small danger", `Kill the primary of ${shard.id}`))),
    datacenters.map((dc) => h("td", { class: dc.cut ? "off" : null }, shard.members.filter((m) => m.dc === dc.id).map((m) => cell(m, shard)))));
}

function others(name, kinds, cluster) {
  const list = cluster.others.filter((m) => kinds.includes(m.role) || kinds.includes(m.name.split("/")[0]));
  return h("tr", { class: "others", "data-key": name }, h("th", { scope: "row" }, name),
    cluster.datacenters.map((dc) => h("td", { class: dc.cut ? "off" : null },
      list.filter((m) => m.dc === dc.id).map((m) => h("div", { class: "member", "data-key": m.name, "data-member": m.name, "data-state": m.state },
        m.state === "up" ? h("span", { class: "badge copies" }, m.role === "config-primary" ? "catalogue, primary" : m.role === "config" ? "catalogue" : "up") : says(m, null),
        m.state !== "up" && button("start", { member: m.name }, "Restart", "small", "Restart " + m.name))))));
}

function draw({ cluster }) {
  if (!cluster) return;
  const dcs = cluster.datacenters;
  morph(document.getElementById("members"),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, h("span", { class: "faint" }, "shard")),
      dcs.map((dc) => h("th", { scope: "col", class: colour(dc.id), "data-key": dc.id, "data-dc": dc.id, "data-cut": String(dc.cut) },
        h("div", { class: "column" }, h("span", { class: "dot" }), h("span", null, dc.name),
          dc.cut ? button("heal", {}, "Heal", "small", `Heal the network, ${dc.name} is cut off`) : button("isolate", { dc: dc.id }, "Cut off", "small danger", `Cut ${dc.name} off`)))))),
    h("tbody", null, cluster.shards.map((shard) => row(shard, dcs)),
      others("config servers", ["config"], cluster), others("query routers", ["router"], cluster)));
  const copies = cluster.shards.flatMap((shard) => shard.members.filter((m) => m.role !== "arbiter").map((m) => m.name));
  morph(document.getElementById("lag-member"), copies.map((name) => h("option", { value: name, "data-key": name }, name)));
  morph(document.getElementById("faults"), cluster.faults.length
    ? cluster.faults.map((f) => h("li", { "data-key": f }, f))
    : h("li", { class: "none" }, "no fault in force"));
  const heal = document.getElementById("heal");
  heal.classList.toggle("primary", cluster.faults.length > 0);
}

export const start = () => on(["cluster"], draw);
