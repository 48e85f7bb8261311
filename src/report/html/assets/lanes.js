// ---- Lanes: what became of each name, volume and node over the whole run -------------------------------------------

const ROW = 24;

/// What is drawn of a lane: stretches with a sign and a text, and thin ones for what really ran.
function laneOf(world, key, lives) {
  const kind = lives[0].kind;
  const stretches = [];
  for (const object of lives) {
    const push = (from, sign, text) => {
      const last = stretches.at(-1);
      if (last && last.object === object && last.sign === sign && last.text === text) return;
      if (last && last.object === object) last.to = from;
      stretches.push({ from, to: Math.min(object.gone, world.end), sign, text, object });
    };
    const moments = object.states.map((state) => state.time).concat(object.machine.map((m) => m.time));
    for (const time of [...new Set(moments)].sort((a, b) => a - b)) push(time, ...lookOf(world, object, time));
  }
  const thin = lives.flatMap((object) => object.running.map((run) => ({ ...run, life: object.life })));
  return { world, key, kind, lives, stretches, thin };
}

/// Sign and text of an object at an instant.
function lookOf(world, object, time) {
  const state = world.stateAt(object, time);
  const fact = (title) => world.factOf(object, state, title);
  if (object.kind === "Pod") return [podSign(world, object, state), fact("Node") === "<none>" ? "" : fact("Node")];
  if (object.kind === "Node") {
    const machine = world.machine(object, time);
    return [nodeSign(world, object, state, time), machine || (fact("Status") === "Ready" ? "" : fact("Status"))];
  }
  return [claimSign(world, object, state), fact("claim")];
}

/// Attachments are drawn into the lane of their volume.
function attachmentsOf(world) {
  const of = new Map();
  for (const object of world.byKind.get("VolumeAttachment") || []) {
    const volume = world.factOf(object, 0, "PV");
    const node = world.factOf(object, 0, "Node");
    const attached = object.states.findIndex((_, n) => world.factOf(object, n, "Attached") === "true");
    const from = attached < 0 ? Infinity : object.states[attached].time;
    const list = of.get(volume) || of.set(volume, []).get(volume);
    list.push({ from, to: object.gone, node, life: object.life });
  }
  return of;
}

/// All lanes of a play, kind by kind, with headings.
function lanesOf(world) {
  const rows = [];
  const attachments = attachmentsOf(world);
  const groups = [["Pod", "Pods"], ["PersistentVolume", "Volumes"], ["Node", "Nodes"]];
  for (const [kind, heading] of groups) {
    const keys = [...world.identities.keys()].filter((key) => world.identities.get(key)[0].kind === kind);
    if (!keys.length) continue;
    rows.push({ heading: `${heading} (${keys.length})`, world });
    const lanes = keys.map((key) => laneOf(world, key, world.identities.get(key)));
    const label = (lane) => laneLabel(world, lane);
    lanes.sort((a, b) => label(a).localeCompare(label(b), "en", { numeric: true }));
    for (const lane of lanes) {
      if (kind === "PersistentVolume") lane.thin = attachments.get(lane.lives[0].name) || [];
      rows.push(lane);
    }
  }
  return rows;
}

/// What stands before a lane: volumes are known by the claim they were made for.
function laneLabel(world, lane) {
  const object = lane.lives[0];
  if (lane.kind !== "PersistentVolume") return lane.key.slice(lane.key.indexOf("/") + 1);
  const claims = object.states.map((_, n) => world.factOf(object, n, "claim"));
  return claims.find((claim) => claim) || object.name;
}

/// The lanes on screen: a canvas for those in sight, buttons for their names.
class Lanes {
  constructor(app) {
    this.app = app;
    this.box = byId("lanes");
    this.canvas = byId("lane-canvas");
    this.labels = byId("lane-labels");
    this.rows = [];
    this.box.addEventListener("scroll", () => this.draw());
    this.canvas.addEventListener("click", (event) => this.clicked(event));
  }

  show(worlds) {
    this.rows = worlds.flatMap((world) => {
      const rows = (world.lanes ||= lanesOf(world));
      return worlds.length > 1 ? [{ heading: world.name, world, first: true }, ...rows] : rows;
    });
    byId("lane-space").style.height = `${this.rows.length * ROW}px`;
  }

  clicked(event) {
    const bounds = this.canvas.getBoundingClientRect();
    const row = this.rows[Math.floor((event.clientY - bounds.top + this.box.scrollTop) / ROW)];
    this.app.go(this.app.scale.time((event.clientX - bounds.left) / bounds.width));
    if (row?.key) this.app.choose(row.world, row.key);
  }

  /// Scrolls so that the lane of what was chosen is in sight.
  reveal(world, key) {
    const at = this.rows.findIndex((row) => row.key === key && row.world === world);
    if (at < 0) return;
    const [top, bottom] = [at * ROW, (at + 1) * ROW];
    if (top < this.box.scrollTop) this.box.scrollTop = top - ROW;
    else if (bottom > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = bottom - this.box.clientHeight;
  }

  draw() {
    const height = this.box.clientHeight;
    const first = Math.floor(this.box.scrollTop / ROW);
    const offset = this.box.scrollTop - first * ROW;
    const shown = this.rows.slice(first, first + Math.ceil(height / ROW) + 1);
    byId("lane-view").style.height = `${height}px`;
    this.drawLabels(shown, first, offset);
    const pen = penOf(this.canvas, height);
    pen.font = "11px ui-sans-serif, system-ui, sans-serif";
    pen.textBaseline = "middle";
    shown.forEach((row, n) => {
      const y = n * ROW - offset;
      if (row.heading) this.drawHeading(pen, y);
      else this.drawLane(pen, row, y);
    });
    this.drawMarks(pen, height);
  }

  drawLabels(shown, first, offset) {
    const chosen = this.app.chosen;
    const nodes = shown.map((row, n) => {
      if (row.heading) return make("div", { class: row.first ? "lane-heading world" : "lane-heading", role: "presentation" }, row.heading);
      const lives = row.lives.length > 1 ? `, ${row.lives.length} lives` : "";
      const current = chosen?.key === row.key && chosen.world === row.world;
      const sign = SIGNS[this.signAt(row)];
      return make("div", { role: "listitem", class: "lane-label" },
        make("button", {
          type: "button", "data-key": `lane ${row.world.index} ${row.key}`, "aria-pressed": String(current), tabindex: -1,
          "aria-label": `${row.key}: ${sign[1]}${lives}`, title: row.key,
          onclick: () => this.app.choose(row.world, row.key),
        }, laneLabel(row.world, row), row.lives.length > 1 && make("sup", {}, row.lives.length)));
    });
    this.labels.replaceChildren(...nodes);
    this.labels.style.transform = `translateY(${-offset}px)`;
    this.labels.setAttribute("aria-label", plural(this.rows.length, "lane"));
    this.labels.dataset.first = first;
  }

  signAt(row) {
    const at = row.stretches.find((s) => s.from <= this.app.time && this.app.time < s.to) || row.stretches.at(-1);
    return at && this.app.time < at.to && this.app.time >= at.from ? at.sign : "gone";
  }

  drawHeading(pen, y) {
    pen.fillStyle = ink("--line");
    pen.fillRect(0, y + ROW - 2, pen.wide, 1);
  }

  drawLane(pen, lane, y) {
    const chosen = this.app.chosen;
    if (chosen?.key === lane.key && chosen.world === lane.world) {
      pen.fillStyle = ink("--chosen");
      pen.fillRect(0, y, pen.wide, ROW);
    }
    let before = null;
    for (const stretch of lane.stretches) {
      const [x, to] = [this.x(pen, stretch.from), this.x(pen, stretch.to)];
      if (to < 0 || x > pen.wide) continue;
      const width = Math.max(1.5, to - x);
      drawSign(pen, stretch.sign, x, y + 3, width, ROW - 10);
      const born = before && before !== stretch.object;
      if (born || lane.lives.length > 1) this.drawLife(pen, stretch, x, y, before !== stretch.object);
      before = stretch.object;
      drawText(pen, stretch, Math.max(x, 0), y + 3 + (ROW - 10) / 2, Math.min(to, pen.wide) - Math.max(x, 0), lane.lives.length > 1);
    }
    pen.fillStyle = ink("--ink");
    for (const run of lane.thin) {
      const [x, to] = [this.x(pen, run.from), this.x(pen, Math.min(run.to, lane.world.end))];
      if (to > 0 && x < pen.wide) pen.fillRect(x, y + ROW - 5, Math.max(1, to - x), 2);
    }
  }

  /// A new life under an old name begins with a bar.
  drawLife(pen, stretch, x, y, isNew) {
    if (!isNew || stretch.object.life === 1) return;
    pen.fillStyle = ink("--ink");
    pen.fillRect(x - 1, y + 1, 2, ROW - 4);
  }

  x(pen, time) {
    return this.app.scale.place(time) * pen.wide;
  }

  drawMarks(pen, height) {
    for (const mark of this.app.marks()) {
      const x = this.x(pen, mark.time);
      if (mark.until) {
        pen.fillStyle = ink("--fault-wash");
        pen.fillRect(x, 0, this.x(pen, mark.until) - x, height);
      }
      pen.fillStyle = ink(mark.deed === "fault" ? "--failed" : "--faint");
      pen.fillRect(x, 0, mark.deed === "fault" ? 1.5 : 1, height);
    }
    pen.fillStyle = ink("--accent");
    pen.fillRect(this.x(pen, this.app.time) - 1, 0, 2, height);
  }
}

/// A canvas as wide as its place, sharp on any screen.
function penOf(canvas, height) {
  const [wide, ratio] = [canvas.clientWidth || 300, window.devicePixelRatio || 1];
  canvas.width = Math.round(wide * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.wide = wide;
  return pen;
}

const inks = new Map();

/// A colour of the style, by name.
function ink(name) {
  if (!inks.has(name)) inks.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return inks.get(name);
}

/// Each sign has a colour and a pattern of its own.
function drawSign(pen, sign, x, y, width, height) {
  if (sign === "gone") return;
  pen.save();
  pen.beginPath();
  pen.roundRect(x, y, width, height, Math.min(3, width / 2));
  pen.clip();
  pen.fillStyle = ink(`--${sign}-soft`);
  pen.fillRect(x, y, width, height);
  pen.strokeStyle = pen.fillStyle = ink(`--${sign}`);
  pen.lineWidth = 1.25;
  const lines = (step, lean) => {
    pen.beginPath();
    for (let at = x - height; at < x + width + height; at += step) {
      pen.moveTo(at, y + height);
      pen.lineTo(at + lean, y);
    }
    pen.stroke();
  };
  if (sign === "ready") pen.fillRect(x, y, width, height);
  if (sign === "running") pen.fillRect(x, y + height / 2, width, height / 2);
  if (sign === "creating") lines(6, height);
  if (sign === "terminating") { lines(5, height); lines(5, -height); }
  if (sign === "failed") lines(4, 0);
  if (sign === "pending" || sign === "done") {
    for (let at = x + 3; at < x + width; at += 6) pen.fillRect(at, y + height / 2 - 1, sign === "done" ? 4 : 2, 2);
  }
  pen.strokeRect(x, y, width, height);
  pen.restore();
}

function drawText(pen, stretch, x, y, width, withLife) {
  const life = withLife && stretch.object.life > 1 ? `#${stretch.object.life} ` : "";
  const text = plain(`${SIGNS[stretch.sign][0]} ${life}${stretch.text}`);
  if (width < 16 || stretch.sign === "gone") return;
  const room = Math.floor((width - 10) / 6);
  const cut = text.length > room ? text.slice(0, Math.max(1, room)) : text;
  pen.fillStyle = ink(stretch.sign === "ready" ? "--on-ready" : "--ink");
  if (stretch.sign !== "ready") {
    const wide = pen.measureText(cut).width;
    pen.save();
    pen.fillStyle = ink(`--${stretch.sign}-soft`);
    pen.fillRect(x + 3, y - 6, wide + 4, 12);
    pen.restore();
    pen.fillStyle = ink("--ink");
  }
  pen.fillText(cut, x + 5, y + 0.5);
}
