// Shoppers, the cart of one of them, and the causal token that the shopper carries.

import { h, morph } from "./dom.js";
import { button } from "./members.js";
import { changed, colour, on, shown, state } from "./state.js";
import { clock, span } from "./text.js";

function tab(p) {
  return h("button", { type: "button", class: `person ${colour(p.home)}`, "data-key": p.id, "data-act": "choose", "data-id": p.id, "aria-pressed": String(p === shown()) },
    h("span", { class: "avatar" }, p.name[0]), h("span", null, p.name), h("span", { class: "faint" }, p.city.name));
}

const money = (minor, currency) => (minor / 100).toFixed(2) + " " + currency;

function items(cart) {
  if (!cart.items?.length) return h("p", { class: "faint empty" }, "The cart is empty.");
  return h("ul", { class: "items" }, cart.items.map((i) => h("li", { "data-key": i.sku, "data-sku": i.sku },
    h("span", { class: "many" }, i.quantity + " ×"), h("span", null, i.sku),
    i.delays?.length ? h("span", { class: "badge gone" }, "delayed") : null,
    h("span", { class: "price" }, money(i.price * i.quantity, i.currency)))),
    cart.shipping && h("li", { class: "shipping", "data-key": "shipping" }, h("span", { class: "many" }), h("span", null, "shipping from " + cart.shipping.warehouse),
      h("span", { class: "price" }, money(cart.shipping.cost, cart.shipping.currency))));
}

function verdict(read) {
  if (!read) return null;
  const how = read.withToken ? "with the token" : "without the token";
  if (read.error) return h("p", { class: "verdict late", id: "verdict", "data-key": "verdict" }, `A read ${how} got no cart: ${read.error}`);
  const stale = read.version < read.known;
  return h("p", { class: stale ? "verdict late" : "verdict", id: "verdict", "data-key": "verdict", "data-stale": String(stale) },
    stale ? `Stale: ${read.from} answered with version ${read.version}, ${how}; version ${read.known} was seen before.`
      : `${read.from} answered with version ${read.version} in ${span(read.took)}, ${how}: nothing older than what was seen before.`);
}

const stamp = (t) => [clock(t.seconds * 1000), h("span", { class: "faint" }, " #" + t.number)];

// token shows what a token holds, and what each part is for.
function token(t) {
  if (!t) return h("p", { class: "faint" }, "There is no token before the first answer.");
  return [
    h("code", { class: "token", id: "token" }, t.text),
    h("p", { class: "faint" }, `${t.text.length} characters go with each request of the shopper, to whatever datacenter. The shop there reads nothing older than what the token has seen.`),
    t.open ? h("dl", null,
      h("dt", null, "made in"), h("dd", { id: "token-home" }, t.home),
      h("dt", null, "operation time"), h("dd", { id: "token-operation" }, stamp(t.operation), h("small", null, "a read waits until the copy that answers has everything up to here")),
      h("dt", null, "cluster time"), h("dd", null, stamp(t.cluster), h("small", null, "the newest time that was heard of; servers move their clocks up to it")),
      h("dt", null, "issued"), h("dd", null, clock(t.issued), h("small", null, "taken until " + clock(t.expires))),
      h("dt", null, "seal"), h("dd", null, "HMAC of the shop", h("small", null, "a forged or changed token is refused before the database hears of it")),
    ) : h("p", { class: "faint" }, t.error ?? "The page's server has no key to look into it."),
  ];
}

const options = (list, value) => list.map((o) => h("option", { value: o.value, "data-key": o.value, selected: o.value === value }, o.text));

function detail(p) {
  const cities = state.setup.cities.map((c) => ({ value: c.name, text: c.name }));
  const goods = state.setup.products.map((g) => ({ value: g.sku, text: g.name }));
  return h("div", { class: "detail", "data-key": "shopper-" + p.id, "data-shopper": p.name },
    h("div", { class: "where" },
      h("span", null, "in ", h("b", null, p.city.name)),
      h("span", { class: "pill " + colour(p.at) }, "gateway ", p.at),
      h("span", { class: "pill full " + colour(p.home), id: "cart-home" }, "cart at home in ", p.home),
      h("span", { class: "faint" }, "version ", h("span", { id: "cart-version" }, p.cart.version))),
    items(p.cart),
    h("form", { "data-act": "item", class: "line" }, h("label", { class: "hidden", for: "sku" }, "Product"), h("select", { id: "sku", name: "sku" }, options(goods, "console")), h("button", { class: "primary" }, "Add item")),
    h("form", { "data-act": "travel", class: "line" }, h("label", { class: "hidden", for: "to" }, "City"), h("select", { id: "to", name: "city" }, options(cities, "Tokyo")), h("button", null, "Travel there")),
    h("div", { class: "line" }, button("read", { token: "yes" }, "Read the cart"), button("read", { token: "no" }, "Read without the token")),
    verdict(p.read),
    h("details", { open: true, "data-key": "token" }, h("summary", null, "The causal token"), token(p.token)));
}

function draw({ shoppers, setup }) {
  morph(document.getElementById("city"), options(setup.cities.map((c) => ({ value: c.name, text: c.name })), "San Francisco"));
  morph(document.getElementById("people"), shoppers.map(tab));
  const chosen = shown();
  morph(document.getElementById("shopper"), chosen ? detail(chosen)
    : h("p", { class: "faint empty", "data-key": "nobody" }, "Choose a city and let somebody shop there. The gateway nearest to the city gets the request; the cart is at home where it was made."));
}

export function start() {
  on(["shoppers", "setup", "cluster"], draw);
  changed("shoppers");
}
