// What buttons do. A button or form names its action in data-act; the token came behind the # of the address, and stays in this tab alone.

import { state, changed, shown } from "./state.js";

const name = "geoshard-dashboard-token";

function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) {
    sessionStorage.setItem(name, token);
    history.replaceState(null, "", location.pathname + location.search); // not for those who look over the shoulder
  }
  return sessionStorage.getItem(name) ?? "";
}

const token = takeToken();

async function post(path, body) {
  const answer = await fetch("api/" + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Geoshard-Dashboard-Token": token },
    body: JSON.stringify(body),
  });
  if (answer.status === 204) return null;
  const value = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(value.error), { hint: value.hint });
  return value;
}

export function note(kind, text, hint) {
  state.note = text ? { kind, text, hint } : null;
  changed("note");
}

const actions = {
  "shopper": (a) => post("shoppers", { city: a.city }).then((v) => { choose(v.id); }),
  "choose": (a) => choose(Number(a.id)),
  "item": (a) => post(`shoppers/${shown().id}/items`, { sku: a.sku }),
  "travel": (a) => post(`shoppers/${shown().id}/travel`, { city: a.city }),
  "read": (a) => post(`shoppers/${shown().id}/read`, { token: a.token === "yes" }),
  "delay": (a) => post("notices", { sku: a.sku }),
  "traffic": (a) => post("traffic", { on: a.on === "yes" }),
  "kill": (a) => post("faults/kill", { shard: a.shard }),
  "start": (a) => post("faults/start", { member: a.member }),
  "isolate": (a) => post("faults/isolate", { dc: a.dc }),
  "heal": () => post("faults/heal", {}),
  "lag": (a) => post("faults/lag", { member: a.member, lag: a.lag }),
  "dismiss": () => note(),
};

function choose(id) {
  state.chosen = id;
  changed("shoppers");
}

// run does an action. While that goes on its button says so, does it no second time, and keeps the focus: it is not disabled.
async function run(act, args, button) {
  if (button.busy) return;
  button.busy = true;
  button.setAttribute("aria-busy", "true");
  try {
    await actions[act](args);
    if (act !== "choose" && state.note?.kind === "bad") note();
  } catch (error) {
    note("bad", error.message, error.hint);
  } finally {
    button.busy = false;
    button.removeAttribute("aria-busy");
  }
}

export async function wire() {
  document.addEventListener("click", (e) => {
    const button = e.target.closest("button[data-act]");
    if (!button) return;
    const { act, ...args } = button.dataset;
    run(act, args, button);
  });
  document.addEventListener("submit", (e) => {
    const form = e.target.closest("form[data-act]");
    if (!form) return;
    e.preventDefault();
    run(form.dataset.act, Object.fromEntries(new FormData(form)), form.querySelector("button"));
  });
  try {
    await post("hello", {});
  } catch (error) {
    note("bad", "You can look, but not press: " + error.message, error.hint);
  }
}
