// ---- The picture: set, pods, claims, volumes, zones and nodes, services and their names -----------------------------

/// So many pods are drawn as columns; of more, those around the chosen one are, and all as small squares.
const COLUMNS = 12;
const WINDOW = 6;
const NODES_OF_A_ZONE = 8;
const RECORDS = 12;
const SQUARE = 15;

/// The picture of a play at an instant.
class Picture {
  constructor(app, world) {
    Object.assign(this, { app, world });
    this.node = make("article", { class: "world", "aria-label": world.name });
    this.signature = "";
  }

  /// Draws what has changed.
  draw(time) {
    const { world, app } = this;
    const kinds = ["StatefulSet", "Deployment", "ReplicaSet", "Pod", "PersistentVolumeClaim", "PersistentVolume",
      "VolumeAttachment", "Node", "Service", "EndpointSlice"];
    const states = kinds.flatMap((kind) => (world.byKind.get(kind) || []).map((o) => world.stateAt(o, time)));
    const roles = (world.byKind.get("Pod") || []).map((pod) => world.role(pod, time) + world.nodesOf(pod, time));
    const machines = (world.byKind.get("Node") || []).map((node) => world.machine(node, time));
    const chosen = app.chosen?.world === world ? app.chosen.key : "";
    const signature = [states, roles, machines, upTo(world.dns, time), chosen].join("|");
    if (signature === this.signature) return;
    this.signature = signature;
    this.time = time;
    this.attachments = world.there("VolumeAttachment", time);
    const claims = world.there("PersistentVolumeClaim", time);
    this.claims = new Map(claims.map((claim) => [claim.namespace + "/" + claim.name, claim]));
    this.volumes = new Map(world.there("PersistentVolume", time).map((volume) => [volume.name, volume]));
    const title = app.shown.length > 1 && make("h2", { class: "world-title" }, world.name);
    const focused = document.activeElement?.dataset?.key;
    const owners = make("div", { class: "blocks" }, this.owners());
    this.node.replaceChildren(...[title, owners, this.zones(), this.services()].filter(Boolean));
    this.drawSquares();
    if (focused) this.node.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  fact(object, title) {
    return this.world.fact(object, this.time, title);
  }

  /// A card that stands for an object and can be chosen.
  card(object, type, ...children) {
    const chosen = this.app.chosen?.world === this.world && this.app.chosen.key === object.key;
    return make("button", {
      type: "button", class: `card ${type}`, "data-key": object.key, "aria-pressed": String(chosen),
      onclick: () => this.app.choose(this.world, object.key),
    }, children);
  }

  owners() {
    const pods = this.world.there("Pod", this.time);
    const sets = this.world.there("StatefulSet", this.time);
    const deployments = this.world.there("Deployment", this.time);
    const replicaSets = this.world.there("ReplicaSet", this.time);
    const known = new Set();
    const of = (owner) => pods.filter((pod) => pod.namespace === owner.namespace
      && this.fact(pod, "owner") === `${owner.kind}/${owner.name}` && known.add(pod));
    const blocks = sets.sort(byName).map((set) => this.set(set, of(set)));
    for (const deployment of deployments.sort(byName)) {
      const own = replicaSets.filter((rs) => this.fact(rs, "owner") === `Deployment/${deployment.name}`);
      blocks.push(this.deployment(deployment, own, own.flatMap(of)));
    }
    const rest = pods.filter((pod) => !known.has(pod));
    if (rest.length) blocks.push(this.block(null, rest.sort(byName), []));
    return blocks;
  }

  set(set, pods) {
    const fact = (title) => this.fact(set, title);
    const waits = fact("waits");
    const primaries = pods.filter((pod) => this.world.role(pod, this.time) === "primary").length;
    const head = this.card(set, "owner",
      make("span", { class: "kind" }, "StatefulSet"), make("strong", {}, set.name),
      make("span", { class: "facts" }, `replicas: ${fact("replicas")}`, make("br"), `serviceName: ${fact("service") || "none"}`),
      make("span", { class: "count" }, fact("Ready"), " ready"),
      primaries > 1 && make("span", { class: "alarm" }, `${primaries} primaries accept writes`),
      waits && make("span", { class: "waits" }, "waits for ", waits));
    // A claim stays when its pod goes: its column stays, too.
    const ends = new RegExp(`-${set.name.replace(/[^\w-]/g, "\\$&")}-(\\d+)$`);
    const names = new Set(pods.map((pod) => pod.name));
    const orphans = [...this.claims.values()].map((claim) => [ends.exec(claim.name), claim])
      .filter(([match]) => match).map(([match]) => `${set.name}-${match[1]}`).filter((name) => !names.has(name));
    const ghosts = [...new Set(orphans)].map((name) => ({ ghost: true, name, namespace: set.namespace, set: set.name }));
    return this.block(head, [...pods, ...ghosts].sort(byName), ends);
  }

  deployment(deployment, own, pods) {
    const live = own.filter((rs) => this.fact(rs, "replicas") !== "0" || this.fact(rs, "Current") !== "0");
    const head = make("div", { class: "owners" },
      this.card(deployment, "owner",
        make("span", { class: "kind" }, "Deployment"), make("strong", {}, deployment.name),
        make("span", { class: "facts" }, `replicas: ${this.fact(deployment, "replicas")}`),
        make("span", { class: "count" }, this.fact(deployment, "Ready"), " ready")),
      live.sort(byName).map((rs) => this.card(rs, "owner minor",
        make("span", { class: "kind" }, "ReplicaSet"), make("strong", {}, rs.name),
        make("span", { class: "count" }, `${this.fact(rs, "Ready")} of ${this.fact(rs, "replicas")} ready`))));
    return this.block(head, pods.sort(byName), []);
  }

  block(head, pods) {
    const many = pods.length > COLUMNS;
    let shown = pods;
    if (many) {
      const chosen = this.app.chosen?.world === this.world ? this.app.chosen.key : "";
      const worst = pods.findIndex((pod) => !pod.ghost && podSign(this.world, pod, this.world.stateAt(pod, this.time)) !== "ready");
      const at = pods.findIndex((pod) => pod.key === chosen);
      const from = Math.max(0, Math.min(pods.length - WINDOW, (at >= 0 ? at : Math.max(0, worst)) - 2));
      shown = pods.slice(from, from + WINDOW);
    }
    return make("section", { class: "block" }, head,
      many && this.squares(pods, shown),
      this.columns(shown, head));
  }

  /// Columns side by side, their cards in rows.
  columns(pods, head) {
    const columns = pods.map((pod) => this.column(pod));
    const rows = Math.max(1, ...columns.map((column) => column.children.length));
    columns.forEach((column) => (column.style.gridRow = `span ${rows}`));
    return make("div", { class: "columns" + (head ? " tied" : "") }, columns);
  }

  /// All pods, one small square each: more than columns have room for.
  squares(pods, shown) {
    this.many = pods;
    const canvas = make("canvas", { class: "squares", role: "img", "aria-label": this.summary(pods) });
    canvas.addEventListener("click", (event) => {
      const bounds = canvas.getBoundingClientRect();
      const across = Math.max(1, Math.floor(bounds.width / SQUARE));
      const at = Math.floor((event.clientY - bounds.top) / SQUARE) * across + Math.floor((event.clientX - bounds.left) / SQUARE);
      if (pods[at]?.key) this.app.choose(this.world, pods[at].key);
    });
    const range = `${shown[0].name} to ${shown.at(-1).name} below`;
    return make("div", { class: "many" }, make("p", { class: "summary" }, this.summary(pods), "; ", range), canvas);
  }

  summary(pods) {
    const counts = new Map();
    for (const pod of pods) {
      const sign = pod.ghost ? "gone" : podSign(this.world, pod, this.world.stateAt(pod, this.time));
      counts.set(sign, (counts.get(sign) || 0) + 1);
    }
    const parts = Object.keys(SIGNS).filter((sign) => counts.has(sign)).map((sign) => `${counts.get(sign)} ${SIGNS[sign][1].toLowerCase()}`);
    return `${plural(pods.length, "pod")}: ${parts.join(", ")}`;
  }

  drawSquares() {
    const canvas = this.node.querySelector("canvas.squares");
    if (!canvas) return;
    const across = Math.max(1, Math.floor((canvas.clientWidth || 300) / SQUARE));
    const pen = penOf(canvas, Math.ceil(this.many.length / across) * SQUARE);
    this.many.forEach((pod, n) => {
      const sign = pod.ghost ? "gone" : podSign(this.world, pod, this.world.stateAt(pod, this.time));
      drawSign(pen, sign, (n % across) * SQUARE + 1, Math.floor(n / across) * SQUARE + 1, SQUARE - 3, SQUARE - 3);
    });
  }

  column(pod) {
    const names = pod.ghost
      ? [...this.claims.values()].filter((claim) => claim.name.endsWith(`-${pod.name}`)).map((claim) => claim.name)
      : this.fact(pod, "claims").split(",").filter(Boolean);
    const claims = names.map((name) => this.claims.get(pod.namespace + "/" + name)).filter(Boolean);
    return make("div", { class: "column" }, pod.ghost ? this.ghost(pod) : this.pod(pod), claims.map((claim) => this.claim(claim)));
  }

  ghost(pod) {
    return make("div", { class: "card pod ghost" }, make("strong", {}, pod.name), make("span", { class: "status" }, "no pod"));
  }

  pod(pod) {
    const { world, time } = this;
    const state = world.stateAt(pod, time);
    const sign = podSign(world, pod, state);
    const fact = (title) => world.factOf(pod, state, title);
    const role = world.role(pod, time);
    const set = fact("owner").startsWith("StatefulSet/");
    const service = set && this.setOf(fact("owner").slice(12), pod.namespace);
    const ordinal = /-(\d+)$/.exec(pod.name);
    const really = world.nodesOf(pod, time);
    const node = world.there("Node", time).find((one) => one.name === fact("Node"));
    const machine = node ? world.machine(node, time) : "";
    return this.card(pod, `pod ${sign}`,
      make("strong", {}, pod.name),
      make("span", { class: "line" }, badge(sign, fact("Status")),
        pod.life > 1 && make("span", { class: "life", title: "How many pods have borne this name" }, `life ${pod.life}`)),
      role && make("span", { class: "role " + (role.startsWith("primary") ? "primary" : "replica") }, role.toUpperCase()),
      make("span", { class: "facts" },
        fact("Node") === "<none>" ? "no node yet"
          : [fact("Node"), " \u00b7 ", make("wbr"), fact("IP") === "<none>" ? "no address yet" : fact("IP")],
        fact("Restarts") !== "0" && [make("br"), plural(Number(fact("Restarts")), "restart")]),
      service && make("span", { class: "host", title: "Stable hostname" },
        `${pod.name}.`, make("wbr"), `${service}.`, make("wbr"), `${pod.namespace}.svc`),
      set && ordinal && make("span", { class: "ordinal" }, `Ordinal: ${ordinal[1]}`),
      sign === "terminating" && really.length > 0 && make("span", { class: "waits" }, `still runs on ${really.join(", ")}`),
      machine && make("span", { class: "alarm" }, `its machine is ${machine}`));
  }

  setOf(name, namespace) {
    const set = this.world.there("StatefulSet", this.time).find((one) => one.name === name && one.namespace === namespace);
    return set ? this.fact(set, "service") : "";
  }

  claim(claim) {
    const sign = claimSign(this.world, claim, this.world.stateAt(claim, this.time));
    const volume = this.volumes.get(this.fact(claim, "volume"));
    return [
      this.card(claim, `claim ${sign}`,
        make("span", { class: "line" }, make("span", { class: "kind" }, "PVC"), badge(sign, this.fact(claim, "Status"))),
        make("strong", {}, claim.name), make("span", { class: "facts" }, this.fact(claim, "Capacity"))),
      volume && this.volume(volume),
    ];
  }

  volume(volume) {
    const sign = claimSign(this.world, volume, this.world.stateAt(volume, this.time));
    return this.card(volume, `volume ${sign}`,
      make("span", { class: "line" }, make("span", { class: "kind" }, "PV"), make("span", { class: "facts" }, this.fact(volume, "zone") || "any zone")),
      make("strong", {}, shortened(this.fact(volume, "disk") || volume.name)),
      make("span", { class: "facts" }, this.attachedTo(volume) || "not attached"));
  }

  attachedTo(volume) {
    const here = this.attachments.filter((one) => this.fact(one, "PV") === volume.name);
    return here.map((one) => `${this.fact(one, "Attached") === "true" ? "on" : "attaching to"} ${this.fact(one, "Node")}`).join(", ");
  }

  zones() {
    const zones = groupBy(this.world.there("Node", this.time).sort(byName), (node) => this.fact(node, "zone"));
    if (!zones.size) return null;
    const pods = groupBy(this.world.there("Pod", this.time), (pod) => this.fact(pod, "Node"));
    const volumes = groupBy([...this.volumes.values()], (volume) => this.fact(volume, "zone"));
    const names = [...new Set([...zones.keys(), ...volumes.keys()])].filter((name) => zones.has(name)).sort();
    return make("section", { class: "zones", "aria-label": "Zones and nodes" }, names.map((name) => {
      const nodes = zones.get(name);
      const sign = (node) => nodeSign(this.world, node, this.world.stateAt(node, this.time), this.time);
      const order = nodes.length > NODES_OF_A_ZONE
        ? nodes.filter((n) => sign(n) !== "ready").concat(nodes.filter((n) => sign(n) === "ready")) : nodes;
      const hidden = order.length - NODES_OF_A_ZONE;
      return make("div", { class: "zone" }, make("h3", {}, name || "no zone"),
        order.slice(0, NODES_OF_A_ZONE).map((node) => this.nodeCard(node, pods.get(node.name) || [])),
        hidden > 0 && make("p", { class: "more" }, `and ${plural(hidden, "more node")}`),
        make("p", { class: "disks" }, this.disks(volumes.get(name) || [])));
    }));
  }

  disks(volumes) {
    if (volumes.length > COLUMNS) return plural(volumes.length, "disk");
    return volumes.sort((a, b) => byName({ name: this.fact(a, "claim") }, { name: this.fact(b, "claim") })).map((volume) =>
      this.card(volume, "disk", "\u25a4 ", this.fact(volume, "claim") || shortened(this.fact(volume, "disk"))));
  }

  nodeCard(node, pods) {
    const { world, time } = this;
    const state = world.stateAt(node, time);
    const sign = nodeSign(world, node, state, time);
    const machine = world.machine(node, time);
    const taints = world.factOf(node, state, "taints");
    const chips = pods.sort(byName).slice(0, COLUMNS).map((pod) => {
      const its = podSign(world, pod, world.stateAt(pod, time));
      return make("span", { class: `chip ${its}` }, make("b", {}, SIGNS[its][0]), " ", pod.name);
    });
    // Processes whose pod the API does not know any more, or knows elsewhere.
    const strays = world.running.filter((run) => run.node === node.name && run.from <= time && time < run.to
      && world.stateAt(world.objects[run.object], time) < 0).map((run) => world.objects[run.object].name);
    return this.card(node, `node ${sign}`, make("strong", {}, node.name), badge(sign, machine || world.factOf(node, state, "Status")),
      taints && make("span", { class: "taints" }, taints),
      make("span", { class: "chips" }, chips, pods.length > COLUMNS && make("span", { class: "chip" }, `+${pods.length - COLUMNS}`)),
      strays.length > 0 && make("span", { class: "waits" }, `still runs here, unknown to the API: ${strays.join(", ")}`));
  }

  services() {
    const services = this.world.there("Service", this.time).filter((service) => service.name !== "kubernetes").sort(byName);
    if (!services.length) return null;
    const records = this.world.records(this.time);
    const slices = this.world.there("EndpointSlice", this.time);
    return make("section", { class: "services", "aria-label": "Services and names" }, services.map((service) => {
      const headless = this.fact(service, "Cluster-IP") === "None";
      const own = `${service.name}.${service.namespace}.svc.`;
      const of = records.filter((r) => r.type !== "SRV" && (headless ? r.name.includes("." + own) : r.name.startsWith(own)));
      const parts = slices.filter((slice) => slice.namespace === service.namespace && this.fact(slice, "service") === service.name);
      const sum = (title) => parts.reduce((all, slice) => all + Number(this.fact(slice, title)), 0);
      const rows = of.sort((a, b) => byName(a, b)).slice(0, RECORDS).map((r) =>
        make("li", {}, make("span", {}, r.name), make("b", {}, ` \u2192 ${r.value}`)));
      return this.card(service, "service",
        make("span", { class: "kind" }, headless ? "Headless Service" : "Service"), make("strong", {}, service.name),
        make("span", { class: "facts" }, `clusterIP: ${this.fact(service, "Cluster-IP")}`, make("br"),
          `${sum("ready")} of ${plural(sum("members"), "endpoint")} ready`),
        make("ul", { class: "records" }, rows.length ? rows : make("li", { class: "none" }, "no DNS records"),
          of.length > RECORDS && make("li", {}, `and ${of.length - RECORDS} more`)));
    }));
  }
}

/// A sign as a letter in a shape, and the word the API has for it.
function badge(sign, word) {
  return make("span", { class: `badge ${sign}` }, make("b", { "aria-hidden": "true" }, SIGNS[sign][0]), " ", word || SIGNS[sign][1]);
}

function shortened(name) {
  return name.length > 16 ? `${name.slice(0, 12)}\u2026` : name;
}
