// ---- The story: what the author says, what is done, what came of it --------------------------------------------------

class Story {
  constructor(app) {
    this.app = app;
    this.node = byId("story");
  }

  /// The story of a play: built once, then only what is current changes.
  show(world) {
    this.world = world;
    const steps = world.marks.map((mark, n) => this.step(mark, n));
    this.node.replaceChildren(...[
      world.raw.head && make("details", { class: "head", open: world.raw.head.length < 300 }, make("summary", {}, "About"), paragraphs(world.raw.head)),
      make("h2", {}, "Steps"),
      make("ol", { class: "steps" }, steps),
      make("h2", {}, "What happens now"),
      make("ol", { id: "log" }),
      world.raw.verdicts.length > 0 && make("h2", {}, "Verdicts"),
      make("ul", { class: "verdicts" }, world.raw.verdicts.map((verdict) => this.verdict(verdict))),
    ].filter(Boolean));
    this.steps = [...this.node.querySelectorAll(".steps > li")];
    this.shown = null;
  }

  step(mark, n) {
    const letter = { fault: "\u26a1", command: "$", apply: "$" }[mark.deed] || "\u203a";
    return make("li", { class: mark.deed },
      mark.comment && make("div", { class: "comment" }, paragraphs(mark.comment)),
      make("button", { type: "button", "data-key": `step ${n}`, onclick: () => this.app.go(mark.time) },
        make("span", { class: "letter", "aria-hidden": "true" }, letter), make("span", { class: "when" }, clock(mark.time)), " ",
        make("code", {}, mark.title)),
      mark.output && make("details", { class: "output" }, make("summary", {}, "what it printed"), make("pre", {}, mark.output)));
  }

  verdict([word, what, why, time, about]) {
    return make("li", { class: word },
      make("b", {}, { pass: "\u2713 pass", fail: "\u2717 FAIL", undecided: "? undecided", vacuous: "\u2013 vacuous" }[word]), " ", what,
      why && make("p", {}, why), about && word !== "pass" && make("p", {}, about),
      time !== null && make("button", { type: "button", class: "when", onclick: () => this.app.go(time) }, clock(time)));
  }

  draw(time) {
    const world = this.world;
    const current = upTo(world.marks, time) - 1;
    const told = (world.told ||= world.happenings.filter((h) => h.told));
    const to = upTo(told, time);
    if (this.shown === `${current} ${to}`) return;
    this.shown = `${current} ${to}`;
    this.steps.forEach((step, n) => {
      step.classList.toggle("past", n < current);
      if (n === current) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    });
    byId("log").replaceChildren(...told.slice(Math.max(0, to - 7), to).reverse().map((h) => make("li", {},
      make("span", { class: "when" }, clock(h.time)), " ",
      h.object === null ? make("span", { class: "subject" }, h.subject)
        : make("button", { type: "button", class: "subject", "data-key": `log ${h.number}`, onclick: () => this.app.choose(world, world.objects[h.object].key) }, h.subject),
      " ", h.what, h.rule && [" ", rule(h.rule)])));
  }
}

/// A text as paragraphs; indented lines stay as they are.
function paragraphs(text) {
  return text.split(/\n\n+/).map((part) => (/^ /m.test(part) ? make("pre", {}, part) : make("p", {}, part)));
}
