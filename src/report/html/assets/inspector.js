// ---- The inspector: one object at one instant ------------------------------------------------------------------------

class Inspector {
  constructor(app) {
    this.app = app;
    this.node = byId("inspector");
    this.shown = "";
  }

  draw(time) {
    const chosen = this.app.chosen;
    const object = chosen && chosen.world.incarnation(chosen.key, time);
    if (!object) return this.empty(chosen);
    const world = chosen.world;
    const state = world.stateAt(object, time);
    const signature = [world.index, object.number, state, upTo(object.happenings, time), upTo(object.notes, time),
      world.role(object, time), upTo(object.waiting, time)].join("|");
    if (signature === this.shown) return;
    this.shown = signature;
    const focused = document.activeElement?.dataset?.key;
    this.node.replaceChildren(
      this.heading(world, object, state),
      this.lives(world, object, time),
      this.waiting(world, object, time),
      this.causes(world, object, time),
      this.events(object, time),
      this.manifest(world, object, state));
    if (focused) this.node.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  empty(chosen) {
    if (this.shown === "none" + chosen?.key) return;
    this.shown = "none" + chosen?.key;
    const text = chosen ? `There is no ${chosen.key} in this run.`
      : "Choose a pod, a claim, a volume, a node or a service: its YAML at this moment, what led there, and what it waits for.";
    this.node.replaceChildren(make("p", { class: "hint" }, text));
  }

  heading(world, object, state) {
    const titles = [...(world.titles.get(object.kind) || new Map()).keys()].filter((title) => /^[A-Z]/.test(title));
    const rows = state < 0 ? [] : titles.map((title) => [title, world.factOf(object, state, title)])
      .filter(([, value]) => value && value !== "<none>" && value !== "<unset>");
    const time = this.app.time;
    const absent = time < object.born ? `It will be made at ${clock(object.born)}.` : `It was gone at ${clock(object.gone)}.`;
    return make("header", {},
      make("h2", {}, object.key),
      state < 0 && make("p", { class: "absent" }, absent),
      world.role(object, time) && make("p", { class: "role-line" }, world.role(object, time)),
      make("dl", { class: "columns-of-kubectl" }, rows.map(([title, value]) => [make("dt", {}, title), make("dd", {}, value)])));
  }

  /// All that have borne this name.
  lives(world, object, time) {
    const all = world.identities.get(object.key);
    if (all.length < 2) return make("span", {});
    const items = all.slice(0, 50).map((one) => make("li", {}, make("button", {
      type: "button", "data-key": `life ${one.life}`, "aria-current": one === object ? "true" : null,
      onclick: () => this.app.go(Math.max(one.born, 0)),
    }, `life ${one.life}`), ` ${clock(one.born)} to ${one.gone === Infinity ? "the end" : clock(one.gone)} `,
    make("code", {}, one.uid.slice(0, 8))));
    return make("details", { class: "lives", open: all.length < 6 }, make("summary", {}, `${all.length} lives under one name`), make("ol", {}, items));
  }

  /// From the object downwards: who waits for what, and what ends it.
  waiting(world, object, time) {
    const waiting = world.waiting(object, time);
    if (!waiting) return make("span", {});
    const items = waiting.waits.map((wait) => {
      const item = make("li", {}, wait.text, wait.rule && [" ", rule(wait.rule)],
        wait.end && make("div", { class: "end" }, wait.end));
      item.style.marginLeft = `${wait.depth * 0.9}rem`;
      return item;
    });
    return make("section", { class: "waiting" }, make("h3", {}, "What it waits for"), make("ol", {}, items),
      waiting.stuck.map((text) => make("p", { class: "stuck" }, text)));
  }

  causes(world, object, time) {
    const chain = world.chain(object, time);
    if (!chain.length) return make("span", {});
    const items = chain.map((h, n) => make("li", {},
      make("button", {
        type: "button", class: "when", "data-key": `cause ${h.number}`, onclick: () => this.follow(world, h),
      }, clock(h.time)), " ",
      make("span", { class: "subject" }, h.subject), " ", h.what,
      h.rule && [" ", rule(h.rule)],
      n === 0 && make("small", {}, ` by ${h.actor}`)));
    return make("section", { class: "causes" }, make("h3", {}, "What happened last, and what led to it"), make("ol", {}, items));
  }

  follow(world, happening) {
    this.app.go(happening.time);
    if (happening.object !== null) this.app.choose(world, world.objects[happening.object].key);
  }

  events(object, time) {
    const notes = object.notes.filter((note) => note.time <= time).slice(-8).reverse();
    if (!notes.length) return make("span", {});
    const items = notes.map((note) => make("li", { class: note.warning ? "warning" : "" },
      make("button", { type: "button", class: "when", onclick: () => this.app.go(note.time) }, clock(note.time)), " ",
      note.warning && make("b", {}, "Warning "), note.text));
    return make("section", { class: "events" }, make("h3", {}, "Events"), make("ol", {}, items));
  }

  manifest(world, object, state) {
    if (state < 0) return make("span", {});
    const space = object.namespace && object.namespace !== "default" ? ` -n ${object.namespace}` : "";
    const command = `kubectl get ${object.key.replace(/\/(.*\/)?/, " ")}${space} -o yaml`;
    const pre = make("pre", { id: "yaml", tabindex: 0, "aria-label": `YAML of ${object.key}` });
    for (const line of world.yaml(object, state)) {
      pre.append(line.fresh ? make("mark", {}, line.text) : write(document.createDocumentFragment(), line.text), "\n");
    }
    return make("section", { class: "manifest" }, make("h3", {}, make("code", {}, command)), pre);
  }
}

/// A rule of the reference, with its title to hover over.
function rule(id) {
  return make("abbr", { class: "rule", title: rules[id] || id }, id);
}
