// Elements without a framework: h and s make them, morph changes what is on the page into what it should be and leaves everything else, above all the focus.

const SVG = "http://www.w3.org/2000/svg";

function fill(el, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    el.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    el.append(child instanceof Node ? child : String(child));
  }
  return el;
}

export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.nodeType !== Node.ELEMENT_NODE || a.getAttribute("data-key") === b.getAttribute("data-key"));

// morph makes the children of an element those of the list.
export function morph(el, ...children) {
  const focused = el.contains(document.activeElement) ? document.activeElement : null;
  morphChildren(el, fill(document.createDocumentFragment(), null, children));
  if (focused && !focused.isConnected) (el.closest("[tabindex]") ?? document.querySelector("main")).focus(); // never back to the beginning of the page
}

function morphChildren(el, next) {
  let old = el.firstChild;
  for (const want of [...next.childNodes]) {
    const key = want.nodeType === Node.ELEMENT_NODE ? want.getAttribute("data-key") : null;
    if (key !== null && old && !same(old, want)) { // it may be further on: what stands before it is gone
      let found = old;
      while (found && !same(found, want)) found = found.nextSibling;
      while (found && old !== found) {
        const gone = old;
        old = old.nextSibling;
        gone.remove();
      }
    }
    if (old && same(old, want)) {
      morphNode(old, want);
      old = old.nextSibling;
    } else if (old && key === null) {
      const replaced = old;
      old = old.nextSibling;
      replaced.replaceWith(want);
    } else {
      el.insertBefore(want, old);
    }
  }
  while (old) {
    const gone = old;
    old = old.nextSibling;
    gone.remove();
  }
}

// morphNode leaves to the reader what the reader has opened or closed, and to act.js what is busy.
function morphNode(old, want) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== want.nodeValue) old.nodeValue = want.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) if (!want.hasAttribute(name) && name !== "open" && !(name === "aria-busy" && old.busy)) old.removeAttribute(name);
  for (const { name, value } of want.attributes) if (old.getAttribute(name) !== value && name !== "open") old.setAttribute(name, value);
  morphChildren(old, want);
}
