// ---- The run: objects, their states, causes ------------------------------------------------------------------------

const WORDS = {
  Pod: "pod", StatefulSet: "sts", PersistentVolumeClaim: "pvc", PersistentVolume: "pv", Node: "node",
  Service: "service", Deployment: "deploy", ReplicaSet: "rs", ControllerRevision: "revision",
  PodDisruptionBudget: "pdb", VolumeAttachment: "volumeattachment", EndpointSlice: "endpointslice",
};
const VERSION_LINE = "\u0001";

/// The number of entries of a list sorted by `key` that are not later than a time.
function upTo(list, time, key = (entry) => entry.time) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (key(list[middle]) <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/// Applies edits: keep, drop, n, line * n again and again; the rest is kept.
function applyEdits(old, edits) {
  const lines = [];
  let at = 0;
  for (let n = 0; n < edits.length; n += 3 + edits[n + 2]) {
    const [keep, drop, count] = [edits[n], edits[n + 1], edits[n + 2]];
    for (let k = 0; k < keep; k++) lines.push(old[at + k]);
    for (let k = 0; k < count; k++) lines.push(edits[n + 3 + k]);
    at += keep + drop;
  }
  for (; at < old.length; at++) lines.push(old[at]);
  return lines;
}

/// One play.
class World {
  constructor(raw, index) {
    Object.assign(this, { raw, index, texts: raw.texts, end: raw.end, name: raw.name });
    this.titles = new Map(Object.entries(raw.titles).map(([kind, list]) => [kind, new Map(list.map((t, n) => [t, n]))]));
    this.objects = raw.objects.map((row, number) => this.object(row, number));
    this.identities = new Map();
    for (const object of this.objects) {
      const lives = this.identities.get(object.key) || [];
      object.life = lives.push(object);
      this.identities.set(object.key, lives);
    }
    this.byKind = Map.groupBy ? Map.groupBy(this.objects, (o) => o.kind) : groupBy(this.objects, (o) => o.kind);
    const text = (number) => this.texts[number];
    this.happenings = raw.happenings.map(([time, object, subject, what, cause, rule, actor, told], number) => ({
      number, time, object, subject: text(subject), what: text(what), cause, rule: text(rule), actor: text(actor), told: told === 1,
    }));
    this.happenings.forEach((h) => h.object !== null && this.objects[h.object].happenings.push(h));
    raw.notes.forEach(([time, object, warning, note]) =>
      this.objects[object].notes.push({ time, warning: warning === 1, text: text(note) }));
    raw.roles.forEach(([time, object, role]) => this.objects[object].roles.push({ time, role }));
    raw.machines.forEach(([time, object, state]) => this.objects[object].machine.push({ time, state }));
    raw.waiting.forEach(([time, object, flat, stuck]) => this.objects[object].waiting.push({
      time, stuck: stuck.map(text), waits: Array.from({ length: flat.length / 4 }, (_, n) => ({
        depth: flat[4 * n], text: text(flat[4 * n + 1]), end: text(flat[4 * n + 2]), rule: text(flat[4 * n + 3]),
      })),
    }));
    this.running = raw.running.map(([object, node, from, to]) => ({ object, node, from, to: to ?? Infinity }));
    this.running.forEach((run) => this.objects[run.object].running.push(run));
    this.marks = raw.marks;
    this.dns = raw.dns.map(([time, fresh, gone]) => ({ time, fresh, gone }));
    const times = this.happenings.filter((h) => h.told).map((h) => h.time).concat(this.marks.map((m) => m.time));
    this.moments = [...new Set([0, ...times, this.end])].sort((a, b) => a - b);
  }

  object([kind, namespace, name, uid, born, gone, like, rows], number) {
    let [time, facts] = [born, []];
    const states = rows.map(([since, revision, changed, edits]) => {
      time += since;
      facts = facts.slice();
      for (let n = 0; n < changed.length; n += 2) facts[changed[n]] = changed[n + 1];
      return { time, revision, facts, edits };
    });
    const inside = namespace && namespace !== "default" ? namespace + "/" : "";
    const key = `${WORDS[kind] || kind.toLowerCase()}/${inside}${name}`;
    return {
      number, world: this, kind, namespace, name, uid, born, gone: gone ?? Infinity, like, states, key,
      happenings: [], notes: [], roles: [], machine: [], waiting: [], running: [], cache: null,
    };
  }

  /// The number of the state an object is in; -1: it is not there.
  stateAt(object, time) {
    return time >= object.gone ? -1 : upTo(object.states, time) - 1;
  }

  /// Objects of a kind that are there.
  there(kind, time) {
    return (this.byKind.get(kind) || []).filter((object) => this.stateAt(object, time) >= 0);
  }

  /// A fact about an object; empty if it is not there.
  fact(object, time, title) {
    return this.factOf(object, this.stateAt(object, time), title);
  }

  factOf(object, state, title) {
    const at = this.titles.get(object.kind)?.get(title);
    return state < 0 || at === undefined ? "" : this.texts[object.states[state].facts[at]] ?? "";
  }

  /// The incarnation that is there, or else the last that was, or else the first that will be.
  incarnation(key, time) {
    const lives = this.identities.get(key) || [];
    const begun = lives.filter((object) => object.born <= time);
    return begun.find((object) => time < object.gone) || begun.at(-1) || lives[0];
  }

  /// Numbers of the lines of an object's YAML in a state.
  lines(object, state) {
    if (object.cache?.state === state) return object.cache.lines;
    let [lines, from] = [[], 0];
    if (object.cache && object.cache.state < state) {
      [lines, from] = [object.cache.lines, object.cache.state + 1];
    } else if (object.like !== null) {
      lines = applyEdits([], this.objects[object.like].states[0].edits);
    }
    for (let n = from; n <= state; n++) lines = applyEdits(lines, object.states[n].edits);
    object.cache = { state, lines };
    return lines;
  }

  /// What `kubectl get -o yaml` printed, line by line: the text, and whether it is new in this state.
  yaml(object, state) {
    const old = state > 0 ? new Set(this.lines(object, state - 1)) : null;
    const version = `  resourceVersion: "${object.states[state].revision}"`;
    return this.lines(object, state).map((line) => ({
      text: this.texts[line] === VERSION_LINE ? version : this.texts[line],
      fresh: old !== null && !old.has(line) && this.texts[line] !== VERSION_LINE,
    }));
  }

  /// The last thing that happened to an object, and what led to it, the latest first.
  chain(object, time) {
    const told = object.happenings.filter((h) => h.time <= time);
    const chain = [];
    for (let h = told.at(-1); h && chain.length < 12; h = h.cause === null ? null : this.happenings[h.cause]) chain.push(h);
    return chain;
  }

  /// What an instance of a database does in a pod.
  role(object, time) {
    return object.roles[upTo(object.roles, time) - 1]?.role || "";
  }

  /// `off`, `cut off` or nothing, of a node.
  machine(object, time) {
    return object.machine[upTo(object.machine, time) - 1]?.state || "";
  }

  /// What an object waits for, and what that waits for; undefined: nothing, as far as is known.
  waiting(object, time) {
    const told = object.waiting[upTo(object.waiting, time) - 1];
    if (told?.waits.length && this.stateAt(object, time) >= 0) return told;
    const waits = this.fact(object, time, "waits");
    return waits ? { waits: [{ depth: 0, text: waits, end: "", rule: "" }], stuck: [] } : undefined;
  }

  /// Machines on which containers of a pod really run.
  nodesOf(object, time) {
    return object.running.filter((run) => run.from <= time && time < run.to).map((run) => run.node);
  }

  /// The records of the DNS server.
  records(time) {
    const records = new Set();
    for (const change of this.dns.slice(0, upTo(this.dns, time))) {
      change.gone.forEach((record) => records.delete(record));
      change.fresh.forEach((record) => records.add(record));
    }
    return [...records].map((record) => {
      const [name, type, ...value] = record.split(" ");
      return { name, type, value: value.join(" ") };
    });
  }
}

function groupBy(list, key) {
  const groups = new Map();
  list.forEach((one) => (groups.get(key(one)) || groups.set(key(one), []).get(key(one))).push(one));
  return groups;
}

/// Names in the order of their ordinals.
function byName(a, b) {
  return a.name.localeCompare(b.name, "en", { numeric: true });
}

/// How a pod stands: the sign that colours, patterns and letters are chosen by.
function podSign(world, pod, state) {
  if (state < 0) return "gone";
  const fact = (title) => world.factOf(pod, state, title);
  if (fact("deleting")) return "terminating";
  const status = fact("Status");
  if (status === "Running") return fact("ready") ? "ready" : "running";
  if (["Completed", "Succeeded"].includes(status)) return "done";
  if (status === "Pending") return fact("Node") === "<none>" ? "pending" : "creating";
  if (["ContainerCreating", "PodInitializing"].includes(status) || /^Init:\d/.test(status)) return "creating";
  return "failed";
}

function nodeSign(world, node, state, time) {
  if (state < 0) return "gone";
  const status = world.factOf(node, state, "Status");
  if (world.machine(node, time) === "off") return "failed";
  if (!status.startsWith("Ready")) return "terminating";
  return status.includes("SchedulingDisabled") ? "running" : "ready";
}

function claimSign(world, object, state) {
  if (state < 0) return "gone";
  if (world.factOf(object, state, "deleting")) return "terminating";
  return { Bound: "ready", Available: "creating", Pending: "pending", Released: "done" }[world.factOf(object, state, "Status")] || "failed";
}

/// Signs: a letter, a word and what it means.
const SIGNS = {
  pending: ["P", "Pending", "no node yet"],
  creating: ["C", "Creating", "volumes, images, containers"],
  running: ["R", "Running", "not ready"],
  ready: ["\u2713", "Ready", "in order"],
  terminating: ["T", "Terminating", "being deleted, or unreachable"],
  failed: ["F", "Failed", "crashed, or without power"],
  done: ["D", "Done", "ended in good order, or released"],
  gone: ["", "Gone", "not there"],
};
