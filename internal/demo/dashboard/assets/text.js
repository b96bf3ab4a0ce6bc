// How numbers, times and reasons are written.

export function span(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 10) return ms.toFixed(1) + " ms";
  if (ms < 1000) return Math.round(ms) + " ms";
  if (ms < 60000) return (ms / 1000).toFixed(ms < 10000 ? 1 : 0) + " s";
  return Math.round(ms / 60000) + " min";
}

export const clock = (at) => new Date(at).toLocaleTimeString("en-GB");

export function ago(at) {
  const seconds = Math.max(0, Math.round((Date.now() - at) / 1000));
  return seconds < 60 ? seconds + " s ago" : Math.round(seconds / 60) + " min ago";
}

export const count = (n, one, many) => `${n.toLocaleString("en-GB")} ${n === 1 ? one : many}`;

// The gateway's reasons, in words. An unknown one is shown as it is.
const reasons = {
  "owner": "a write goes to the record's home",
  "primary": "the shard is led elsewhere now",
  "detour": "the shop beside the primary is silent",
  "election": "held until a primary is elected",
  "owner-down": "held: its home is lost",
  "read": "read from the copy here",
  "read-elsewhere": "the nearest shop that answers",
  "read-only": "read, though it cannot be written now",
  "explicit": "the client chose",
  "country": "nearest by country",
  "country-distance": "nearest by country's distance",
  "distance": "nearest by distance",
  "rtt": "new, so at home here",
  "default": "the default datacenter",
  "unknown-home": "nobody is the home of it",
  "bad-handle": "it names no record",
  "no-directory": "nobody can look up its home",
  "nobody": "no shop answers",
};
export const because = (reason) => reasons[reason] ?? reason;

export function median(list) {
  if (!list.length) return null;
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
