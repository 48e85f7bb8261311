// ---- Texts and nodes: the only way from a text into the page -------------------------------------------------------

/// Characters that nobody sees and that could deceive a reader: controls, directional overrides, zero-width ones.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/;

/// Adds a text to a node. Hidden characters stay in it, each boxed in and with a sign that says what it is.
function write(node, text) {
  let rest = String(text);
  for (let at = rest.search(HIDDEN); at >= 0; at = rest.search(HIDDEN)) {
    if (at > 0) node.append(rest.slice(0, at));
    const box = document.createElement("span");
    box.className = "hidden-character";
    box.dataset.code = "U+" + rest.charCodeAt(at).toString(16).toUpperCase().padStart(4, "0");
    box.textContent = rest[at];
    node.append(box);
    rest = rest.slice(at + 1);
  }
  if (rest) node.append(rest);
  return node;
}

/// A text for a canvas or an attribute: hidden characters are written as what they are.
function plain(text) {
  return Array.from(String(text), (c) => (HIDDEN.test(c) ? "\\u" + c.charCodeAt(0).toString(16) : c)).join("");
}

/// A new element. Children are nodes, texts, lists of these, or nothing.
function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "onclick") node.addEventListener("click", value);
    else node.setAttribute(name, value === true ? "" : plain(value));
  }
  add(node, children);
  return node;
}

function add(node, child) {
  if (Array.isArray(child)) child.forEach((one) => add(node, one));
  else if (child instanceof Node) node.append(child);
  else if (child !== undefined && child !== null && child !== false) write(node, child);
}

const byId = (id) => document.getElementById(id);

/// Nanoseconds as the timeline of `stsim run` shows them: 1m23.456s.
function clock(nanos) {
  const all = Math.floor(nanos / 1e6);
  const millis = String(all % 1000).padStart(3, "0");
  const seconds = Math.floor(all / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (n) => String(n).padStart(2, "0");
  if (h) return `${h}h${two(m)}m${two(s)}.${millis}s`;
  return m ? `${m}m${two(s)}.${millis}s` : `${s}.${millis}s`;
}

/// A short label for the ruler, exact to a part of the distance to the next one.
function tick(nanos, distance) {
  const digits = Math.max(0, Math.min(6, Math.ceil(-Math.log10(distance / 2e9))));
  const s = Number((nanos / 1e9).toFixed(digits));
  if (s < 60) return `${s}s`;
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  const rest = +(s % 60).toFixed(digits);
  if (h) return `${h}h${m ? String(m).padStart(2, "0") + "m" : ""}`;
  return `${m}m${rest ? String(rest).padStart(2, "0") + "s" : ""}`;
}

/// 83.077s, 1m23s, 1h2m3.5s or plain seconds as nanoseconds; null if it is none of these.
function parseClock(text) {
  const match = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)(?:\.(\d{1,9}))?s?)?$/.exec(text);
  if (!match || !text) return null;
  const [h, m, s] = [match[1], match[2], match[3]].map((part) => Number(part || 0));
  return (h * 3600 + m * 60 + s) * 1e9 + Number((match[4] || "0").padEnd(9, "0"));
}

/// Nanoseconds as seconds, exactly.
function seconds(nanos) {
  const fraction = String(nanos % 1e9).padStart(9, "0").replace(/0+$/, "");
  return Math.floor(nanos / 1e9) + (fraction && "." + fraction);
}

const plural = (n, one, many) => `${n} ${n === 1 ? one : many || one + "s"}`;
