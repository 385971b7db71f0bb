"use strict";
// Draws curves, rows and answers. Text of the run goes in by textContent alone: none of it is ever markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const seen = (id) => document.getElementById(id);

  function make(tag, settings = {}, ...children) {
    const node = tag.startsWith("svg:") ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
    for (const [name, value] of Object.entries(settings)) {
      if (value !== undefined && value !== null) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== undefined && child !== null));
    return node;
  }

  const text = (tag, kind, words) => make(tag, { class: kind }, String(words));

  // Figures

  function written(value, form = "number") {
    if (value === undefined || value === null) return "–";
    if (form === "percent") return `${(100 * value).toFixed(1)} %`;
    if (form === "whole") return Math.round(value).toLocaleString("en");
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
    return size >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(4)));
  }

  const signed = (value) => (value > 0 ? "+" : "") + written(value);

  function ticks(low, high, wanted) {
    const rough = (high - low) / wanted;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough * 0.999);
    const found = [];
    for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at += 1) found.push(at * step);
    return found.length < 3 && wanted < 16 ? ticks(low, high, wanted * 2) : found; // one or two tell no scale
  }

  function tick(value, form) {
    if (form === "percent") return `${Math.round(100 * value)} %`;
    const size = Math.abs(value);
    if (size >= 1e4) return `${Number((value / 1000).toPrecision(3))}k`;
    if (size !== 0 && size < 1e-3) return value.toExponential(1).replace(".0e", "e");
    return String(Number(value.toPrecision(4)));
  }

  // Curves

  const FROM_ZERO = new Set(["gradient_norm", "tokens_per_second", "completion_tokens", "learning_rate"]);

  function span(chart) {
    const values = [];
    for (const one of chart.series) {
      for (const [, value] of one.points ?? []) values.push(value);
      for (const [, value] of one.smooth ?? []) values.push(value);
      for (const [, low, high] of one.band ?? []) values.push(low, high);
    }
    let low = values.reduce((one, other) => Math.min(one, other), Infinity);
    let high = values.reduce((one, other) => Math.max(one, other), -Infinity);
    if (FROM_ZERO.has(chart.name)) low = 0;
    if (chart.form === "percent") [low, high] = [0, Math.max(high, 0.1)];
    if (high - low < 1e-12) [low, high] = [low - (Math.abs(low) * 0.1 || 1), high + (Math.abs(high) * 0.1 || 1)];
    const room = (high - low) * 0.05;
    return [FROM_ZERO.has(chart.name) || chart.form === "percent" ? low : low - room, high + room];
  }

  function nearest(points, step) {
    let best;
    for (const point of points) if (!best || Math.abs(point[0] - step) < Math.abs(best[0] - step)) best = point;
    return best;
  }

  // So many points a series has that was thinned: most of its steps are not among them.
  const THINNED = 300;

  function reading(chart, step) {
    const parts = chart.series.flatMap((one) => {
      const raw = nearest(one.points ?? [], step);
      const exact = one.measured || one.points.length < THINNED;
      if (!raw || (exact && raw[0] !== step)) return [];
      const smooth = one.smooth?.length ? nearest(one.smooth, step) : undefined;
      const band = one.band?.length ? nearest(one.band, step) : undefined;
      const said = [written(raw[1], chart.form)];
      if (smooth) said.push(`mean ${written(smooth[1], chart.form)}`);
      else if (band) said.push(`${written(band[1], chart.form)} to ${written(band[2], chart.form)}`);
      return [`${chart.series.length > 1 ? `${one.name} ` : ""}${said.join(", ")}`];
    });
    return `step ${step}: ${parts.join(" · ") || "–"}`;
  }

  function drawn(chart, width, height) {
    const [low, high] = span(chart);
    const xs = chart.steps;
    const first = xs[0];
    const last = xs[xs.length - 1] === first ? first + 1 : xs[xs.length - 1];
    const marks = ticks(low, high, height > 200 ? 5 : 4);
    const labels = marks.map((mark) => tick(mark, chart.form));
    const left = Math.max(34, 12 + 6.5 * Math.max(...labels.map((label) => label.length)));
    const right = 12, top = 10, bottom = 24;
    const x = (step) => left + ((step - first) / (last - first)) * (width - left - right);
    const y = (value) => top + (1 - (value - low) / (high - low)) * (height - top - bottom);
    const path = (points) => points.map(([step, value], at) => `${at ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`).join("");
    const picture = make("svg:svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    marks.forEach((mark, at) => {
      picture.append(
        make("svg:line", { class: "grid", x1: left, x2: width - right, y1: y(mark), y2: y(mark) }),
        make("svg:text", { class: "axis", x: left - 6, y: y(mark) + 4, "text-anchor": "end" }, labels[at]),
      );
    });
    picture.append(make("svg:text", { class: "axis", x: left - 6, y: height - 6, "text-anchor": "end" }, "step"));
    for (const mark of ticks(first, last, Math.max(2, Math.min(8, width / 90))).filter(Number.isInteger)) {
      picture.append(make("svg:text", { class: "axis", x: x(mark), y: height - 6, "text-anchor": "middle" }, String(mark)));
    }
    chart.series.forEach((one, at) => {
      const group = make("svg:g", { class: `c${at % 6}` });
      const band = one.band ?? [];
      if (band.length > 1) {
        const edge = [...band.map(([step, , end]) => [step, end]), ...band.map(([step, end]) => [step, end]).reverse()];
        group.append(make("svg:path", { class: "band", d: `${path(edge)}Z` }));
      }
      const points = one.points ?? [];
      const dash = at ? `${2 + 4 * at} ${3}` : undefined;
      group.append(make("svg:path", { class: one.smooth?.length ? "curve raw" : "curve", d: path(points), "stroke-dasharray": one.smooth?.length ? undefined : dash }));
      if (one.smooth?.length) group.append(make("svg:path", { class: "curve", d: path(one.smooth), "stroke-dasharray": dash }));
      if (one.measured || points.length === 1) {
        for (const [step, value] of points) group.append(make("svg:circle", { class: "dot", cx: x(step), cy: y(value), r: 3.5 }));
      }
      picture.append(group);
    });
    const cursor = make("svg:line", { class: "cursor", y1: top, y2: height - bottom, visibility: "hidden" });
    picture.append(cursor);
    const move = (step) => {
      cursor.setAttribute("visibility", step === undefined ? "hidden" : "visible");
      if (step !== undefined) for (const end of ["x1", "x2"]) cursor.setAttribute(end, x(step));
    };
    const at = (place) => {
      const step = first + ((place * width - left) / (width - left - right)) * (last - first);
      return xs.reduce((best, one, index) => (Math.abs(one - step) < Math.abs(xs[best] - step) ? index : best), 0);
    };
    return { picture, move, at };
  }

  function tableOf(chart) {
    const columns = chart.series.map((one) => new Map(one.points ?? []));
    const head = make("tr", {}, make("th", { scope: "col" }, "step"), ...chart.series.map((one) => make("th", { scope: "col", class: "n" }, one.name)));
    const rows = chart.steps.map((step) =>
      make("tr", {}, make("th", { scope: "row" }, String(step)), ...columns.map((column) => text("td", "n", written(column.get(step), chart.form)))));
    const region = { class: "scroll", tabindex: "0", role: "group", "aria-label": `Table: ${chart.title}` };
    return make("div", region, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
  }

  function lazily(summary, build) {
    const details = make("details", {}, make("summary", {}, summary));
    details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) details.append(build()); });
    return details;
  }

  function legend(chart) {
    if (chart.series.length < 2) return undefined;
    return make("ul", { class: "legend" }, ...chart.series.map((one, at) =>
      make("li", {}, make("svg:svg", { class: `c${at % 6}`, width: 26, height: 10, "aria-hidden": "true" },
        make("svg:path", { class: "curve", d: "M1 5H25", "stroke-dasharray": at ? `${2 + 4 * at} 3` : undefined }),
        one.measured ? make("svg:circle", { class: "dot", cx: 13, cy: 5, r: 3.5 }) : undefined), one.name)));
  }

  function chartOf(chart, wide) {
    chart.steps = [...new Set(chart.series.flatMap((one) => (one.points ?? []).map(([step]) => step)))].sort((one, other) => one - other);
    const last = chart.steps.length - 1;
    const said = text("p", "reading", reading(chart, chart.steps[last]));
    const slider = make("input", { type: "range", min: 0, max: last, value: last, "aria-label": `Step of ${chart.title}` });
    const plot = make("div", { class: "plot" }, slider);
    const figure = make("figure", { class: "chart" },
      make("figcaption", {}, make("h3", {}, chart.title), make("small", {}, chart.unit ?? "")),
      said, plot, legend(chart), chart.note ? text("p", "hint", chart.note) : undefined,
      lazily(`Table: ${chart.title}`, () => tableOf(chart)));
    let now;
    const show = (index, on) => {
      const step = chart.steps[index];
      said.textContent = reading(chart, step);
      slider.setAttribute("aria-valuetext", said.textContent);
      now.move(on ? step : undefined);
    };
    slider.addEventListener("input", () => show(Number(slider.value), true));
    slider.addEventListener("focus", () => show(Number(slider.value), true));
    slider.addEventListener("blur", () => show(last, false));
    plot.addEventListener("pointermove", (event) => {
      const box = plot.getBoundingClientRect();
      show(now.at((event.clientX - box.left) / box.width), true);
    });
    plot.addEventListener("pointerleave", () => show(last, false));
    const draw = () => {
      now?.picture.remove();
      now = drawn(chart, Math.max(220, plot.clientWidth), wide ? 260 : 190);
      plot.prepend(now.picture);
      show(last, false);
    };
    return { figure, draw };
  }

  function drawCharts() {
    const place = seen("charts");
    if (!place) return;
    const made = data.charts.map((chart, at) => chartOf(chart, at === 0));
    place.append(...made.map((one) => one.figure));
    const all = () => made.forEach((one) => one.draw());
    all();
    let width = place.clientWidth;
    window.addEventListener("resize", () => requestAnimationFrame(() => {
      if (place.clientWidth !== width) { width = place.clientWidth; all(); }
    }));
  }

  // Candidates of a search

  function drawCandidates() {
    const place = seen("candidates");
    const all = (data.candidates ?? []).filter((one) => one.mean !== undefined).sort((one, other) => one.number - other.number);
    if (!place || !all.length) return;
    const width = Math.max(260, place.clientWidth), height = 240, left = 46, right = 14, top = 12, bottom = 26;
    const ends = all.flatMap((one) => [one.interval?.low ?? one.mean, one.interval?.high ?? one.mean]);
    let low = Math.min(...ends), high = Math.max(...ends);
    if (high - low < 1e-9) [low, high] = [low - 0.5, high + 0.5];
    const x = (at) => left + 10 + (all.length > 1 ? at / (all.length - 1) : 0.5) * (width - left - right - 20);
    const y = (value) => top + (1 - (value - low) / (high - low)) * (height - top - bottom);
    const picture = make("svg:svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Scores of ${all.length} prompts in the order in which they were thought of; the list below has them all.` });
    for (const mark of ticks(low, high, 4)) picture.append(
      make("svg:line", { class: "grid", x1: left, x2: width - right, y1: y(mark), y2: y(mark) }),
      make("svg:text", { class: "axis", x: left - 6, y: y(mark) + 4, "text-anchor": "end" }, tick(mark)));
    const places = new Map(all.map((one, at) => [one.id, [x(at), y(one.mean)]]));
    for (const one of all) for (const parent of one.parents ?? []) if (places.has(parent) && parent !== one.id) {
      const [[x1, y1], [x2, y2]] = [places.get(parent), places.get(one.id)];
      picture.append(make("svg:path", { class: "edge", d: `M${x1} ${y1}C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2} ${x2} ${y2}` }));
    }
    all.forEach((one, at) => {
      const good = one.state === "best" || one.state === "accepted" || one.state === "first";
      const group = make("svg:g", { class: one.state === "best" ? "c1" : good ? "c0" : "c5", opacity: good ? 1 : 0.6 });
      if (one.interval) group.append(make("svg:line", { class: "whisker", x1: x(at), x2: x(at), y1: y(one.interval.low), y2: y(one.interval.high) }));
      group.append(make("svg:circle", { class: good ? "dot full" : "dot", cx: x(at), cy: y(one.mean), r: one.state === "best" ? 6 : 4 }),
        make("svg:title", {}, `${one.state}: ${written(one.mean)}`));
      picture.append(group);
    });
    picture.append(make("svg:text", { class: "axis", x: width - right, y: height - 6, "text-anchor": "end" }, "in order →"));
    place.append(make("div", { class: "chart" }, make("div", { class: "plot" }, picture)));
  }

  // Rows with their mask

  function maskedText(row) {
    const block = make("pre", {});
    (row.pieces ?? []).forEach(([words, trained], at) => {
      const special = /^[<[][^\s]*[>\]]$/.test(words) && words.length > 2;
      const shown = words.replaceAll("\n", "⏎\n").replaceAll("\t", "⇥\t");
      const read = row.read && at >= row.read[0] && at < row.read[1];
      block.append(text("span", `${trained ? "trained" : read ? "passage" : ""}${at % 2 ? " odd" : ""}${special ? " special" : ""}`.trim(), shown));
    });
    return block;
  }

  function toldOf(one) {
    const told = [];
    if (one.procedure) told.push(`procedure ${one.procedure}${one.version ? `, version ${one.version}` : ""} (${one.mode === "off" ? "held out: went without it" : one.mode})`);
    if (one.without) told.push(`went without the memory: ${one.without}`);
    return told;
  }

  function givenTo(row) {
    const told = toldOf(row);
    return make("div", {}, told.length ? text("p", "hint", told.join(" · ")) : undefined, memoryOf(row.memory, "from the memory: "));
  }

  function drawRows() {
    const place = seen("masked");
    if (!place) return;
    data.rows.forEach((row, at) => {
      const cut = row.truncated ? ", cut off" : "";
      const details = lazily(`${row.source} · ${row.place ?? ""} · ${row.tokens} tokens, ${row.trained_tokens ?? 0} trained${cut}`, () => make("div", {}, givenTo(row), maskedText(row), row.left_out ? text("p", "hint", `${row.left_out.toLocaleString("en")} tokens more are not in this page.`) : undefined));
      details.className = "row";
      place.append(details);
      if (at === 0) details.open = true;
    });
  }

  // Answers

  function scale(value, low, high) {
    const picture = make("svg:svg", { class: "scale", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
    const x = (one) => (100 * (Math.min(Math.max(one, low), high) - low)) / (high - low || 1);
    const zero = x(0), end = x(value ?? 0);
    picture.append(make("svg:rect", { class: "track", width: 100, height: 10 }),
      make("svg:rect", { class: value < 0 ? "minus" : "plus", x: Math.min(zero, end), width: Math.abs(end - zero), height: 10 }),
      make("svg:rect", { class: "zero", x: Math.min(zero, 99), width: 1, height: 10 }));
    return picture;
  }

  // Steps of surprise in nats: probabilities down to 0.6, 0.37, 0.14, 0.05, 0.007, and below.
  const SURPRISE = [0.5, 1, 2, 3, 5];

  function tokensOf(answer, said, rest) {
    const block = make("pre", { class: "tokens" });
    answer.pieces.forEach((words, at) => {
      const chance = answer.log_probs[at];
      const level = chance === null ? 0 : SURPRISE.filter((limit) => -chance > limit).length;
      const node = text("span", `t${chance === null ? " told" : level ? ` t${level}` : ""}`, words);
      node.dataset.at = at;
      block.append(node);
    });
    block.append(rest);
    block.addEventListener("pointerover", (event) => {
      const at = event.target.dataset?.at;
      if (at === undefined) return;
      const chance = answer.log_probs[at];
      said.textContent = `${JSON.stringify(answer.pieces[at])}: ${chance === null ? "not drawn by the model" : `probability ${Math.exp(chance).toPrecision(3)}, ${chance} nats`}`;
    });
    return block;
  }

  function tokenTable(answer) {
    const head = make("tr", {}, ...["token", "probability", "nats"].map((name, at) => make("th", { scope: "col", class: at ? "n" : "" }, name)));
    const rows = answer.pieces.map((words, at) => {
      const chance = answer.log_probs[at];
      return make("tr", {}, make("th", { scope: "row" }, make("code", {}, JSON.stringify(words))),
        text("td", "n", chance === null ? "–" : Math.exp(chance).toPrecision(3)), text("td", "n", chance === null ? "told" : chance));
    });
    return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Tokens" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
  }

  function memoryOf(chunks, title) {
    if (!chunks?.length) return undefined;
    return make("p", { class: "parts" }, title, ...chunks.map((chunk) =>
      make("span", {}, make("code", {}, chunk.place), chunk.score === undefined ? "" : chunk.score.toFixed(2))));
  }

  function passagesOf(chunks, title, note) {
    const known = (chunks ?? []).filter((chunk) => chunk.id && data.passages[chunk.id] !== undefined);
    if (!known.length) return memoryOf(chunks, title);
    return make("div", {}, memoryOf(chunks, title), lazily(note, () =>
      make("div", { class: "quoted" }, ...known.flatMap((chunk) => [text("p", "place", chunk.place), text("pre", "", data.passages[chunk.id])]))));
  }

  function overlapOf(words) {
    if (!words?.length) return undefined;
    return make("p", { class: "overlap" }, "overlap with the passages: ", ...words.flatMap((word) => [text("mark", "", word), " "]));
  }

  function answerOf(answer, number, low, high) {
    const head = make("header", {},
      make("strong", {}, `#${number} · ${answer.reward === undefined ? "no reward" : `reward ${answer.reward.toFixed(2)}`}`),
      answer.reward === undefined ? undefined : scale(answer.reward, low, high),
      answer.advantage === undefined ? undefined : text("span", answer.advantage > 0 ? "up" : answer.advantage < 0 ? "down" : "", `advantage ${signed(answer.advantage)}`),
      text("span", "", `${answer.tokens ?? 0} tokens`),
      answer.kl === undefined ? undefined : text("span", "", `kl ${answer.kl.toFixed(4).replace(/^-(0\.0+)$/, "$1")}`),
      answer.finished === false ? text("span", "tag look", "cut off") : undefined,
      answer.verdict ? text("span", "tag", answer.verdict) : undefined,
      ...(answer.reasons ?? []).map((reason) => text("span", "tag", reason)),
      answer.turns > 1 ? text("span", "tag", `${answer.turns} turns`) : undefined,
      ...Object.entries(answer.tools ?? {}).map(([name, count]) => text("span", "tag", `${name} × ${count}`)));
    const parts = Object.entries(answer.parts ?? {});
    const said = text("p", "reading", "");
    // Of a long answer only the first tokens were kept: its other words come from its text.
    const untold = answer.pieces ? Math.max(0, (answer.tokens ?? 0) - answer.pieces.length) : 0;
    const start = answer.pieces?.join("") ?? "";
    const rest = untold && answer.text?.startsWith(start) ? answer.text.slice(start.length) : "";
    return make("li", { class: "answer" }, head,
      parts.length > 1 || (parts.length && parts[0][1] !== answer.reward) ? make("p", { class: "parts" }, ...parts.map(([name, value]) => make("span", {}, name, scale(value, Math.min(low, 0), Math.max(high, 1)), written(value)))) : undefined,
      memoryOf(answer.memory, "from the memory: "),
      passagesOf(answer.found, "found by its search: ", "What the search answered (told, not learnt)"),
      overlapOf(answer.overlap),
      answer.pieces ? tokensOf(answer, said, rest) : make("pre", {}, answer.text ?? ""),
      untold ? text("p", "hint", `${untold.toLocaleString("en")} tokens more: of the first ${answer.pieces.length.toLocaleString("en")} alone the probability was kept${rest ? "; the rest has no shade" : ", and completions.jsonl has the text of all"}.`) : undefined,
      answer.left_out && (untold || !answer.pieces) ? text("p", "hint", `${answer.left_out.toLocaleString("en")} characters more are in completions.jsonl.`) : undefined,
      answer.pieces ? said : undefined,
      answer.pieces ? lazily("Table of the tokens", () => tokenTable(answer)) : undefined);
  }

  function spread(group) {
    const rewards = group.answers.map((one) => one.reward).filter((one) => one !== undefined);
    return rewards.length ? Math.max(...rewards) - Math.min(...rewards) : 0;
  }

  const cut = (group) => group.answers.filter((one) => one.finished === false).length;
  const furthest = (group) => Math.max(...group.answers.map((one) => one.kl ?? -Infinity));
  const JUMPS = {
    "answers that differ most": spread,
    "the best answers": (group) => group.mean ?? -Infinity,
    "the worst answers": (group) => -(group.mean ?? Infinity),
    "most answers cut off": cut,
    "farthest from the reference": furthest,
    "passages of the memory": (group) => (group.memory?.length ? 1 : 0) + group.answers.filter((one) => one.memory || one.found).length + group.answers.filter((one) => one.overlap).length,
    "a procedure": (group) => (group.procedure && group.mode !== "off" ? spread(group) + 1 : 0),
    "tokens by probability": (group) => (group.answers[0].pieces ? spread(group) + 1 : 0),
  };

  const WHERE_THERE = new Set(["passages of the memory", "a procedure"]);

  function explore() {
    const place = seen("explorer");
    if (!place) return;
    const groups = data.groups;
    const steps = [...new Set(groups.map((group) => group.step ?? 0))];
    const byStep = new Map(steps.map((step) => [step, []]));
    groups.forEach((group, at) => byStep.get(group.step ?? 0).push(at));
    let low = 0, high = 1e-9;
    for (const group of groups) for (const answer of group.answers) {
      low = Math.min(low, answer.reward ?? 0);
      high = Math.max(high, answer.reward ?? 0);
    }
    const kept = groups.some((group) => group.answers.some((answer) => answer.pieces));
    let now = 0;

    const slider = make("input", { type: "range", min: 0, max: steps.length - 1, value: 0, id: "step" });
    const where = make("output", { for: "step" });
    const before = make("button", { type: "button" }, "← previous prompt");
    const after = make("button", { type: "button" }, "next prompt →");
    const jump = make("select", {}, make("option", { value: "" }, "jump to …"), ...Object.keys(JUMPS).filter((name) => !WHERE_THERE.has(name) || groups.some((group) => JUMPS[name](group) > 0)).map((name) => make("option", { value: name }, name)));
    const find = make("input", { type: "search", placeholder: "find in the answers", "aria-label": "Find in questions and answers" });
    const found = make("span", { class: "reading", role: "status" });
    const list = make("div", { class: "prompts", role: "group", tabindex: "-1" });
    const detail = make("div", {});
    const map = mapOf(groups, steps, byStep, (at) => choose(at));
    place.append(
      make("div", { class: "controls" }, make("label", { class: "steps" }, "step", slider, where), before, after,
        make("label", {}, make("span", { class: "hidden" }, "jump to a prompt with"), jump), find, found),
      map.node, list, detail);

    function choose(at, quiet) {
      now = (at + groups.length) % groups.length;
      const group = groups[now];
      const index = steps.indexOf(group.step ?? 0);
      slider.value = index;
      where.textContent = `${group.step ?? 0} of ${steps[steps.length - 1]}`;
      slider.setAttribute("aria-valuetext", `step ${where.textContent}`);
      prompts(group.step ?? 0);
      detail.replaceChildren(...groupOf(group));
      map.mark(index, byStep.get(group.step ?? 0).indexOf(now));
      if (!quiet) found.textContent = "";
    }

    // What the questions of a step begin with alike tells nothing: it is left out of their buttons.
    function apart(its) {
      const asked = [...new Set(its.map((at) => groups[at].question ?? ""))];
      if (asked.length < 2) return 0;
      let alike = 0;
      while (alike < asked[0].length && asked.every((one) => one[alike] === asked[0][alike])) alike += 1;
      const word = asked[0].lastIndexOf(" ", alike) + 1;
      return word > 16 ? word : 0;
    }

    function prompts(step) {
      const from = apart(byStep.get(step));
      list.setAttribute("aria-label", `Prompts of step ${step}`);
      const focused = list.contains(document.activeElement);
      list.replaceChildren(...byStep.get(step).map((at) => {
        const group = groups[at];
        const button = make("button", { type: "button", "aria-pressed": String(at === now) },
          text("span", "q", `${from ? "… " : ""}${(group.question ?? "").slice(from, from + 200)}` || "(no question)"),
          text("small", "", `mean ${written(group.mean)}, ${group.answers.length} answers${spread(group) ? "" : ", all alike"}${group.replaced ? ", replaced" : ""}`),
          scale(group.mean ?? 0, low, high));
        button.addEventListener("click", () => choose(at));
        return button;
      }));
      if (focused) list.querySelector('[aria-pressed="true"]')?.focus();
    }

    function groupOf(group) {
      const told = [`step ${group.step ?? 0}, prompt ${(group.prompt ?? 0) + 1}`, `mean reward ${written(group.mean)}`, `${cut(group)} of ${group.answers.length} cut off`];
      if (group.replaced) told.push("nothing could be learnt from it: another prompt was asked in its place");
      told.push(...toldOf(group));
      const tokens = group.answers.some((answer) => answer.pieces);
      return [
        make("div", { class: "question" }, make("pre", {}, group.question ?? ""), text("p", "hint", told.join(" · ")), passagesOf(group.memory, "from the memory: ", "The passages as they stood before the question (read, not learnt)")),
        tokens ? make("p", { class: "hint" }, "How likely each token was when it was drawn: ", text("span", "key", "likely"), " ", text("span", "key k1", "p < 0.6"), " ", text("span", "key k3", "p < 0.14"), " ", text("span", "key k5", "p < 0.007")) : text("p", "hint", kept ? "Of this prompt no tokens were kept; of one prompt a step they are." : "This run has kept no tokens with their probabilities."),
        make("ol", { class: "answers" }, ...group.answers.map((answer, at) => answerOf(answer, at + 1, low, high))),
      ];
    }

    slider.addEventListener("input", () => choose(byStep.get(steps[Number(slider.value)])[0]));
    before.addEventListener("click", () => choose(now - 1));
    after.addEventListener("click", () => choose(now + 1));
    jump.addEventListener("change", () => {
      const rank = JUMPS[jump.value];
      if (rank) choose(groups.reduce((best, group, at) => (rank(group) > rank(groups[best]) ? at : best), 0));
      jump.value = "";
    });
    find.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !find.value) return;
      const wanted = find.value.toLowerCase();
      const has = (group) => (group.question ?? "").toLowerCase().includes(wanted) || group.answers.some((answer) => (answer.text ?? "").toLowerCase().includes(wanted));
      for (let further = 1; further <= groups.length; further += 1) {
        const at = (now + further) % groups.length;
        if (has(groups[at])) { choose(at, true); found.textContent = "found; Enter goes on"; return; }
      }
      found.textContent = "nowhere";
    });
    choose(Math.max(0, groups.findIndex((group) => group.answers.some((answer) => answer.pieces))));
  }

  function mapOf(groups, steps, byStep, choose) {
    const deepest = Math.max(...[...byStep.values()].map((its) => its.length));
    const tall = Math.max(4, Math.min(14, 160 / deepest));
    const picture = make("svg:svg", { viewBox: `0 0 ${steps.length} ${deepest * tall}`, preserveAspectRatio: "none", height: deepest * tall, "aria-hidden": "true" });
    const means = groups.map((group) => group.mean).filter((mean) => mean !== undefined);
    const low = means.reduce((one, other) => Math.min(one, other), Infinity), high = means.reduce((one, other) => Math.max(one, other), -Infinity);
    steps.forEach((step, x) => byStep.get(step).forEach((at, y) => {
      const mean = groups[at].mean;
      const strength = mean === undefined ? 0.15 : 0.12 + 0.88 * (high > low ? (mean - low) / (high - low) : 1);
      picture.append(make("svg:rect", { x: x + 0.04, y: y * tall + 0.5, width: 0.92, height: tall - 1, opacity: strength.toFixed(2), class: mean === undefined ? "void" : "" }));
    }));
    const here = make("svg:rect", { class: "here", width: 1, height: tall, "vector-effect": "non-scaling-stroke" });
    picture.append(here);
    picture.addEventListener("click", (event) => {
      const box = picture.getBoundingClientRect();
      const x = Math.min(steps.length - 1, Math.floor(((event.clientX - box.left) / box.width) * steps.length));
      const its = byStep.get(steps[x]);
      choose(its[Math.min(its.length - 1, Math.floor(((event.clientY - box.top) / box.height) * deepest))]);
    });
    const node = make("div", { class: "map" }, text("p", "hint", "A column is a step, a cell a prompt: the darker or brighter, the higher the mean reward of its answers."), picture);
    return { node, mark: (x, y) => { here.setAttribute("x", x); here.setAttribute("y", y * tall); } };
  }

  seen("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  drawCharts();
  drawCandidates();
  drawRows();
  explore();
  document.documentElement.dataset.ready = Math.round(performance.now());
})();
