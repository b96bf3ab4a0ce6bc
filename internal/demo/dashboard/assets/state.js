// What the server has said, and who wants to hear of it.

export const state = {
  setup: { cities: [], products: [] },
  cluster: null, layout: null, shoppers: [], traffic: { on: false }, failovers: [],
  requests: [], happenings: [], lags: [], latencies: [],
  live: false,
  chosen: null, // the shopper that was chosen, or made: the answer to that may come before the event that has the shopper
  onlyShoppers: false,
  note: null, // what the last action came to: {kind, text, hint}
};

// lists grow by what is sent; each keeps as many as the page shows.
const lists = { requests: 60, happenings: 80, lags: 240, latencies: 1500 };

const renderers = [];
const wanted = new Set();
let asked = false;

// on draws a part of the page whenever one of the topics has changed.
export function on(topics, draw) { renderers.push({ topics, draw }); }

// changed draws what depends on a topic, once for all changes of a moment.
export function changed(topic) {
  wanted.add(topic);
  if (asked) return;
  asked = true;
  requestAnimationFrame(flush);
}

function flush() {
  asked = false;
  const topics = new Set(wanted);
  wanted.clear();
  for (const r of renderers) if (r.topics.some((t) => topics.has(t))) r.draw(state);
}

// arrived hears each new entry of a list, but not those of before.
const hearers = [];
export const arrived = (topic, hear) => hearers.push({ topic, hear });

export function listen() {
  const source = new EventSource("api/events");
  let before = true; // what comes now was before the page
  source.addEventListener("hello", () => {
    for (const topic of Object.keys(lists)) state[topic] = [];
    before = true;
  });
  source.addEventListener("ready", () => {
    before = false;
    state.live = true;
    changed("live");
  });
  source.onerror = () => {
    state.live = false;
    changed("live");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 3000); // refused, as one page too many: it does not try again by itself
  };
  for (const topic of ["setup", "cluster", "layout", "shoppers", "traffic", "failovers"]) {
    source.addEventListener(topic, (e) => {
      state[topic] = JSON.parse(e.data);
      changed(topic);
    });
  }
  for (const [topic, most] of Object.entries(lists)) {
    source.addEventListener(topic, (e) => {
      const entries = JSON.parse(e.data);
      state[topic] = [...state[topic], ...entries].slice(-most);
      if (!before) for (const { topic: t, hear } of hearers) if (t === topic) entries.forEach(hear);
      changed(topic);
    });
  }
}

// shown is the shopper whose cart is shown: the chosen one, or else the newest.
export const shown = () => state.shoppers.find((p) => p.id === state.chosen) ?? state.shoppers.at(-1);

// colour is the class of a datacenter's colour; a shard has that of its home. It means the same all over the page.
export function colour(dc) {
  const i = (state.cluster?.datacenters ?? []).findIndex((d) => d.id === dc);
  return i < 0 ? "c-none" : "c" + (i % 7);
}
export const colourOfShard = (id) => colour((state.cluster?.shards ?? []).find((x) => x.id === id)?.home);
