// ---- The page: one instant, one chosen object, and what follows from them --------------------------------------------

const data = JSON.parse(byId("data").textContent);
const rules = data.rules;
const PLAY_SECONDS = 24;
const LANES_ON_PAPER = 30;
const CALM = window.matchMedia("(prefers-reduced-motion: reduce)");

class App {
  constructor() {
    this.worlds = data.worlds.map((raw, index) => new World(raw, index));
    this.shown = this.worlds.slice(0, 2);
    this.end = Math.max(...this.worlds.map((world) => world.end));
    this.moments = [...new Set(this.worlds.flatMap((world) => world.moments))].sort((a, b) => a - b);
    [this.time, this.chosen, this.playing] = [0, null, false];
    this.even = isMostlyQuiet(this.moments);
    this.scale = new Scale(this.moments, this.even);
    this.lanes = new Lanes(this);
    this.story = new Story(this);
    this.inspector = new Inspector(this);
    this.pictures = this.worlds.map((world) => new Picture(this, world));
  }

  begin() {
    byId("title").replaceChildren();
    const names = this.worlds.map((world) => world.name);
    const stem = names[0].split(" ")[0];
    // Plays of a matrix have one name and values; others have names of their own.
    const ofMatrix = names.length > 1 && names.every((name) => name.startsWith(`${stem} `));
    write(byId("title"), ofMatrix ? stem : names.join(" | "));
    write(byId("about"), this.worlds[0].raw.about);
    byId("even").setAttribute("aria-pressed", String(this.even));
    this.verdict();
    this.legend();
    this.tools();
    this.showWorlds();
    if (!this.follow(location.hash)) this.open();
    window.addEventListener("hashchange", () => this.follow(location.hash));
    new ResizeObserver(() => this.draw()).observe(byId("lanes"));
    window.addEventListener("resize", () => this.recolour());
    window.addEventListener("beforeprint", () => this.print(true));
    window.addEventListener("afterprint", () => this.print(false));
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour());
    document.addEventListener("keydown", (event) => this.key(event));
  }

  /// A report without a link opens where what was applied is in order, or at the end, with what owns the pods.
  open() {
    const world = this.worlds[0];
    const time = world.marks.length > 1 ? world.marks[1].time : this.end;
    const owner = world.there("StatefulSet", time)[0] || world.there("Deployment", time)[0];
    if (owner) this.chosen = { world, key: owner.key };
    this.go(time);
  }

  /// The steps of the play whose story is told.
  marks() {
    return this.story.world.marks;
  }

  verdict() {
    const all = this.worlds.flatMap((world) => world.raw.verdicts.map(([word]) => word));
    const failed = all.filter((word) => word === "fail").length;
    const text = failed ? `\u2717 ${failed} of ${all.length} failed` : all.length ? `\u2713 ${plural(all.length, "expectation")} held` : "";
    byId("verdict").className = failed ? "failed" : all.length ? "held" : "";
    byId("verdict").textContent = all.some((word) => word === "undecided" || word === "vacuous") && !failed ? "? not all decided" : text;
    byId("verdict").title = `stsim ${data.version}, seed ${this.worlds[0].raw.seed}, ${this.worlds.map((w) => w.raw.ended).join("; ")}`;
  }

  legend() {
    const signs = Object.entries(SIGNS).filter(([sign]) => sign !== "gone");
    byId("legend").replaceChildren(...signs.map(([sign, [letter, word]]) =>
      make("span", {}, make("i", { class: `swatch ${sign}` }, letter), word)),
    make("span", {}, make("i", { class: "swatch thin-line" }), "really runs, or is attached"),
    make("span", {}, make("i", { class: "swatch new-life" }), "a new life under the name"));
  }

  tools() {
    const on = (id, action) => byId(id).addEventListener("click", action);
    on("play", () => this.play(!this.playing));
    on("back", () => this.step(-1));
    on("forth", () => this.step(1));
    on("even", () => this.setEven(!this.even));
    on("zoom-in", () => this.zoom(0.5));
    on("zoom-out", () => this.zoom(2));
    on("ask", () => this.help());
    on("theme", () => this.setTheme(this.isDark() ? "light" : "dark"));
    byId("scrubber").addEventListener("input", (event) => {
      this.play(false);
      this.go(this.scale.time(event.target.value / 1e6));
    });
    byId("lanes").addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 0.8 : 1.25);
    }, { passive: false });
    if (this.worlds.length > 1) {
      byId("worlds").replaceChildren(...this.worlds.map((world) => make("button", {
        type: "button", "aria-pressed": String(this.shown.includes(world)), "data-world": world.index, onclick: () => this.toggle(world),
      }, world.name.split(" ").slice(1).join(" ") || world.name)));
    }
  }

  /// Shows a play, or no longer; one is always shown.
  toggle(world) {
    const without = this.shown.filter((one) => one !== world);
    if (!without.length) return;
    this.shown = without.length < this.shown.length ? without : this.worlds.filter((one) => one === world || this.shown.includes(one));
    if (this.chosen && !this.shown.includes(this.chosen.world)) this.chosen = null;
    for (const button of byId("worlds").children) {
      button.setAttribute("aria-pressed", String(this.shown.includes(this.worlds[button.dataset.world])));
    }
    this.showWorlds();
    this.draw();
  }

  showWorlds() {
    byId("picture").replaceChildren(...this.shown.map((world) => this.pictures[world.index].node));
    byId("picture").className = this.shown.length > 1 ? "several" : "";
    this.pictures.forEach((picture) => (picture.signature = ""));
    this.story.show(this.shown[0]);
    this.lanes.show(this.shown);
  }

  // ---- Moving ----

  go(time) {
    this.time = Math.max(0, Math.min(this.end, Math.round(time)));
    this.scale.show(this.time);
    this.draw();
    this.link();
  }

  choose(world, key) {
    this.chosen = { world, key };
    if (this.story.world !== world) this.story.show(world);
    this.lanes.reveal(world, key);
    this.draw();
    this.link();
  }

  step(by) {
    this.play(false);
    const at = upTo(this.moments, this.time, (time) => time);
    const exact = this.moments[at - 1] === this.time;
    const next = by > 0 ? at : exact ? at - 2 : at - 1;
    this.go(this.moments[Math.max(0, Math.min(this.moments.length - 1, next))]);
  }

  /// To the step before or after.
  leap(by) {
    this.play(false);
    const times = this.marks().map((mark) => mark.time);
    const next = by > 0 ? times.find((time) => time > this.time) : times.filter((time) => time < this.time).at(-1);
    this.go(next ?? (by > 0 ? this.end : 0));
  }

  play(on) {
    if (on === this.playing) return;
    this.playing = on;
    byId("play").textContent = on ? "Pause" : "Play";
    byId("play").setAttribute("aria-label", on ? "Pause" : "Play");
    if (!on) return;
    if (this.time >= this.end) this.go(0);
    if (CALM.matches) this.playCalmly();
    else this.playOn(performance.now());
  }

  playOn(before) {
    requestAnimationFrame((now) => {
      if (!this.playing) return;
      const place = this.scale.whole(this.time) + (now - before) / 1000 / PLAY_SECONDS;
      this.go(this.scale.instant(Math.min(1, place)));
      if (place >= 1) this.play(false);
      else this.playOn(now);
    });
  }

  /// From moment to moment, without anything that moves.
  playCalmly() {
    setTimeout(() => {
      if (!this.playing) return;
      const next = this.moments.find((time) => time > this.time);
      if (next === undefined) return this.play(false);
      this.go(next);
      this.playCalmly();
    }, 900);
  }

  zoom(factor) {
    this.scale.zoom(factor, this.time);
    this.draw();
  }

  setEven(even) {
    this.even = even;
    this.scale = new Scale(this.moments, even);
    byId("even").setAttribute("aria-pressed", String(even));
    this.draw();
  }

  // ---- Links: #t=83.5s&o=pod/web-1 ----

  link() {
    const parts = [`t=${seconds(this.time)}s`];
    if (this.chosen) {
      const world = this.chosen.world.index ? `${this.chosen.world.index + 1}:` : "";
      parts.push(`o=${world}${this.chosen.key.split("/").map(encodeURIComponent).join("/")}`);
    }
    this.hash = `#${parts.join("&")}`;
    if (!this.playing && location.hash !== this.hash) history.replaceState(null, "", this.hash);
  }

  /// Goes where a link points to. False: it points nowhere.
  follow(hash) {
    if (hash === this.hash) return true;
    let time = null;
    for (const part of hash.slice(1).split("&")) {
      const [name, value] = [part.split("=")[0], part.slice(part.indexOf("=") + 1)];
      if (name === "t") time = parseClock(value);
      if (name === "o") this.chooseText(value);
    }
    if (time === null) return false;
    this.go(time);
    return true;
  }

  chooseText(value) {
    let text = value;
    try {
      text = decodeURIComponent(value);
    } catch {
      return;
    }
    const match = /^(?:(\d+):)?(.+)$/.exec(text);
    const world = this.worlds[match?.[1] ? Number(match[1]) - 1 : 0];
    if (world && match) this.chosen = { world, key: match[2] };
  }

  // ---- Drawing ----

  draw() {
    byId("clock").textContent = clock(this.time);
    const mark = this.marks()[upTo(this.marks(), this.time) - 1];
    byId("now").replaceChildren();
    if (mark) write(byId("now"), mark.title);
    const scrubber = byId("scrubber");
    scrubber.value = Math.round(Math.max(0, Math.min(1, this.scale.place(this.time))) * 1e6);
    scrubber.setAttribute("aria-valuetext", clock(this.time));
    this.ruler();
    this.shown.forEach((world) => this.pictures[world.index].draw(Math.min(this.time, world.end)));
    this.story.draw(this.time);
    this.inspector.draw(this.time);
    this.lanes.draw();
  }

  ruler() {
    const canvas = byId("ruler");
    const pen = penOf(canvas, 18);
    pen.font = "11px ui-sans-serif, system-ui, sans-serif";
    pen.textBaseline = "bottom";
    let free = -Infinity;
    const ticks = this.scale.ticks(Math.max(2, Math.floor(pen.wide / 90)));
    for (const [n, time] of ticks.entries()) {
      const x = this.scale.place(time) * pen.wide;
      pen.fillStyle = ink("--faint");
      pen.fillRect(x, 0, 1, 5);
      const text = tick(time, Math.abs((ticks[n + 1] ?? ticks[n - 1] ?? 0) - time) || 1e9);
      const wide = pen.measureText(text).width;
      const at = Math.max(0, Math.min(pen.wide - wide, x - wide / 2));
      if (at < free + 8) continue;
      pen.fillStyle = ink("--quiet");
      pen.fillText(text, at, 18);
      free = at + wide;
    }
    this.drawMarks();
  }

  drawMarks() {
    const inSight = this.marks().map((mark, n) => [mark, n, this.scale.place(mark.time)]).filter(([, , x]) => x >= 0 && x <= 1);
    const signature = inSight.map(([, n, x]) => `${n}:${x.toFixed(4)}`).join();
    if (signature === this.marksShown) return;
    this.marksShown = signature;
    byId("marks").replaceChildren(...inSight.slice(0, 80).map(([mark, n, x]) => {
      const button = make("button", {
        type: "button", class: `mark ${mark.deed}`, tabindex: -1, title: `${clock(mark.time)} ${mark.title}`,
        "aria-label": `Step at ${clock(mark.time)}: ${mark.title}`, "data-key": `mark ${n}`, onclick: () => this.go(mark.time),
      }, { fault: "\u26a1", command: "$", apply: "$" }[mark.deed] || "\u203a");
      button.style.left = `${x * 100}%`;
      return button;
    }));
  }

  // ---- Keys, themes, paper ----

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    const inButton = event.target.closest?.("button, summary, a");
    const keys = {
      ArrowLeft: () => (event.shiftKey ? this.leap(-1) : this.step(-1)),
      ArrowRight: () => (event.shiftKey ? this.leap(1) : this.step(1)),
      PageUp: () => this.leap(-1),
      PageDown: () => this.leap(1),
      Home: () => this.go(0),
      End: () => this.go(this.end),
      "+": () => this.zoom(0.5),
      "=": () => this.zoom(0.5),
      "-": () => this.zoom(2),
      c: () => this.setEven(!this.even),
      "?": () => this.help(),
      Escape: () => { this.chosen = null; this.draw(); this.link(); },
      " ": inButton ? null : () => this.play(!this.playing),
    };
    const action = keys[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  help() {
    const keys = [["\u2190 \u2192", "the moment before, the next moment"], ["Shift \u2190 \u2192, Page", "the step before, the next step"],
      ["Home, End", "the beginning, the end"], ["Space", "play, pause"], ["+ \u2212, Ctrl wheel", "zoom"],
      ["c", "shorten quiet times"], ["Esc", "choose nothing"], ["?", "this help"]];
    const signs = Object.entries(SIGNS).filter(([sign]) => sign !== "gone");
    byId("help").replaceChildren(
      make("h2", {}, "Keys"), make("dl", {}, keys.map(([key, what]) => [make("dt", {}, key), make("dd", {}, what)])),
      make("h2", {}, "Signs"), make("dl", {}, signs.map(([sign, [letter, word, what]]) => [
        make("dt", {}, make("i", { class: `swatch ${sign}` }, letter), " ", word), make("dd", {}, what)])),
      make("p", {}, "A link to this moment and object is in the address. Nothing here asks any other machine for anything."),
      make("form", { method: "dialog" }, make("button", { type: "button", onclick: () => byId("help").close() }, "Close")));
    byId("help").showModal();
  }

  isDark() {
    const own = document.documentElement.dataset.theme;
    return own ? own === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
  }

  setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    this.recolour();
  }

  recolour() {
    inks.clear();
    this.pictures.forEach((picture) => (picture.signature = ""));
    this.draw();
  }

  /// On paper everything is light, and as many lanes are drawn as a page has room for.
  print(on) {
    document.documentElement.classList.toggle("paper", on);
    byId("lanes").scrollTop = 0;
    byId("lanes").style.height = on ? `${Math.min(this.lanes.rows.length, LANES_ON_PAPER) * ROW}px` : "";
    this.recolour();
  }
}

const app = new App();
app.begin();
