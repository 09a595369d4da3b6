/* Draws one explanation. Whatever comes from the text, the tokens, the labels or the model's name goes in as text nodes,
   and what is drawn is tables and lists where it can be, which screen readers can read; D3 brings selections that keep
   what has the focus, colours between which the eye sees even steps, and the lines of attention. */
import { color } from "d3-color";
import { interpolateRgb } from "d3-interpolate";
import { create, pointer, select, selectAll } from "d3-selection";
import { linkHorizontal } from "d3-shape";

export const data = JSON.parse(document.getElementById("data").textContent);
export const state = { lang: data.lang, step: 0, head: -1, word: -1, side: "read", open: false, glosses: 0 };
const told = ([en, es]) => state.lang === "es" ? es : en;
const say = (key, otherwise = key) => Object.hasOwn(data.words, key) ? told(data.words[key]) : otherwise;
const FEW = 8;  // labels that are shown above the steps
const MANY = 26;  // tokens, up to which lines of attention can be told apart

// ---- where one is: steps in groups, those before all layers, those of each layer of each stack, those behind

const groups = [];
for (const [i, step] of data.steps.entries()) {
  const stack = step.layer === null ? null : step.name.split(".")[0];
  const kind = step.kind === "norm" ? "settled" : step.kind !== "vectorization" ? "after" : groups.length ? "begins" : "before";
  const id = stack ? `${stack}.${step.layer}` : step.kind === "norm" ? step.name : kind;
  if (groups.at(-1)?.id !== id) groups.push({ id, kind, stack, layer: step.layer, steps: [] });
  groups.at(-1).steps.push(i);
}
const groupOf = (i) => groups.find((group) => group.steps.includes(i));
const stacks = new Set(groups.map((group) => group.stack).filter(Boolean));
const within = (step) => step.name.slice(step.layer === null ? 0 : groupOf(data.steps.indexOf(step)).id.length);

function groupName(group) {
  if (group.stack === null) return say(group.kind);
  return (stacks.size > 1 ? say(group.stack) + ", " : "") + say("layer").toLowerCase() + " " + (group.layer + 1);
}

export function go(i) {
  state.step = Math.max(0, Math.min(data.steps.length - 1, i));
  draw();
}

function goGroup(group) {  // to the same step of another layer, where it has that step
  const here = within(data.steps[state.step]);
  go(group.steps.find((i) => within(data.steps[i]) === here) ?? group.steps[0]);
}

function otherGroup(direction) {
  const next = groups[groups.indexOf(groupOf(state.step)) + direction];
  if (next) goGroup(next);
}

// ---- colours, of the theme that is on

const themed = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function shades() {
  const [paper, plus, minus] = ["--card", "--plus", "--minus"].map(themed);
  const more = interpolateRgb(paper, plus), less = interpolateRgb(paper, minus);
  return (share) => share >= 0 ? more(Math.min(1, share)) : less(Math.min(1, -share));
}

function luminance(fill) {  // https://www.w3.org/TR/WCAG21/#dfn-relative-luminance
  const { r, g, b } = color(fill), part = (c) => c <= 10.31 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4;
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
}

function paint(cell, fill) {  // with black or white ink, whichever stands out more: 4.5 to 1 at least
  cell.style("background-color", fill).style("color", luminance(fill) > 0.179 ? "#000" : "#fff");
}

// ---- numbers

const NOISE = 1e-4, MAX_FIXED = 1e5, SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

export function number(value, decimals = 4, sign = false) {  // as `format_number` in i18n.py: what is below NOISE is 0
  const size = Math.abs(value);
  let text = "∞";
  if (size < NOISE) return "0";
  if (size < MAX_FIXED) text = size.toFixed(Number.isInteger(value) ? 0 : decimals);
  else if (Number.isFinite(size)) {
    const [mantissa, power] = size.toExponential(1).split("e+"), ten = "10" + [...power].map((digit) => SUPERSCRIPTS[digit]).join("");
    text = size === Number(`1e${power}`) ? ten : `${mantissa}·${ten}`;
  }
  const mark = !/[1-9∞]/.test(text) ? "" : value < 0 ? "−" : sign ? "+" : "";
  return mark + (state.lang === "es" ? text.replace(".", ",") : text);
}

// ---- words

function place(event) {  // what a word means stays within the window
  const hint = event.currentTarget.querySelector(".gloss");
  hint.style.left = "0";
  const over = hint.getBoundingClientRect().right - document.documentElement.clientWidth + 8;
  if (over > 0) hint.style.left = `${-over}px`;
}

function glossed(at, text) {  // its words, those of the glossary with what they mean, told on hover and on focus
  const terms = Object.entries(data.glossary[state.lang]).map(([name, meaning]) => [name.replace(/ \(.*\)$/, ""), meaning]);  // without the English
  terms.sort(([a], [b]) => b.length - a.length);
  const plural = (name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/ón$/, "[oó]n").replace(/ |$/g, "(?:e?s)?$&");
  const found = new RegExp(`(?<![\\p{L}\\p{N}-])(?:${terms.map(([name]) => `(${plural(name)})`).join("|")})(?![\\p{L}\\p{N}-])`, "giu"), seen = new Set();
  let end = 0;
  for (const match of text.matchAll(found)) {
    const [name, meaning] = terms[match.findIndex((part, i) => i && part !== undefined) - 1];
    if (seen.has(name)) continue;  // once a paragraph
    seen.add(name);
    const id = `gloss-${state.glosses++}`;
    at.append("span").text(text.slice(end, match.index));
    const term = at.append("span").attr("class", "term").attr("tabindex", 0).attr("aria-describedby", id).text(match[0]);
    term.append("span").attr("class", "gloss").attr("role", "tooltip").attr("id", id).text(meaning);
    term.on("mouseenter focus", place).on("keydown", (event) => { if (event.key === "Escape") event.target.blur(); });
    end = match.index + match[0].length;
  }
  at.append("span").text(text.slice(end));
  return at;
}

const caption = (name) => say(`tensors.${name}`, name);
const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

function region(at, label) {  // what is too wide is moved sideways, by the keyboard too
  return at.append("div").attr("class", "scroll").attr("tabindex", 0).attr("role", "region").attr("aria-label", label);
}

function captioned(at, text) {  // a table under its caption, which stays in sight when the table is moved sideways
  const box = at.append("div").attr("class", "captioned"), id = `caption-${state.glosses++}`;
  box.append("p").attr("class", "soft small").attr("id", id).text(text);
  return region(box, text).append("table").attr("aria-labelledby", id);
}

// ---- one word, or all of them

const LOOKED_AT = ["K", "V", "memory"];  // whose rows are looked at, so they are there whichever word looks
const shown = (rows) => rows.map((_, r) => r).filter((r) => state.word < 0 || r === state.word);

function words(at, step) {  // which word is followed; a word that is written, say, at its time
  const side = step.name.startsWith("decoder") || step.kind === "next" ? "written" : "read";
  if (side !== state.side || state.word >= step.rows.length) state.word = -1;  // it is of the other text
  state.side = side;
  if (step.rows.length < 2 || step.work.length || !step.tensors.some((one) => ["probs", "scores", "next", "vectors"].includes(one.kind))) return;
  const box = at.append("div").attr("class", "words").attr("role", "group").attr("aria-label", say("follow"));
  box.append("span").attr("class", "label soft").text(say("follow"));
  [say("all"), ...step.rows].forEach((token, i) => box.append("button").attr("type", "button").attr("data-word", i - 1)
    .attr("aria-pressed", i - 1 === state.word).text(token)
    .on("click", () => { state.word = i - 1; draw(); select(`.words [data-word="${i - 1}"]`).node()?.focus(); }));
}

// ---- attention

function mean(heads) {
  return heads[0].map((row, r) => row.map((one, c) => one === null ? null : heads.reduce((sum, head) => sum + head[r][c], 0) / heads.length));
}

function unpacked({ values, shape: [heads, rows, columns], scale }) {  // 16 bits a number; the least stands for what is masked
  const whole = new DataView(bytesOf(values).buffer);
  const at = (i) => whole.getInt16(2 * i, true), value = (i) => at(i) === -32768 ? null : at(i) / scale;
  const range = (count) => Array.from({ length: count }, (_, i) => i);
  return range(heads).map((h) => range(rows).map((r) => range(columns).map((c) => value((h * rows + r) * columns + c))));
}

function attention(at, step, tensor) {
  const heads = tensor.heads ?? unpacked(tensor);
  const scores = tensor.kind === "scores", shade = shades();
  state.head = Math.max(scores && heads.length > 1 ? 0 : -1, Math.min(state.head, heads.length - 1));  // each head has its own softmax
  const values = state.head < 0 ? mean(heads) : heads[state.head];
  const tint = (of) => {  // shares as they are; scores by the largest that is shown
    const most = scores ? Math.max(...of.map(Math.abs)) || 1 : 1;
    return (value) => shade((value ?? 0) / most);
  };
  if (heads.length > 1) thumbnails(at, heads, tint(heads.flat(2)), scores);
  const rows = step.rows.slice(0, values.length), columns = step.columns.slice(0, values[0].length);
  if (!scores && step.name.includes(".cross.")) alignment(at, rows, columns, values);
  const beside = at.append("div").attr("class", "beside");
  heat(beside, rows, columns, values, { scores, shade: tint(values.flat()), decimals: step.decimals });
  if (!scores && Math.max(rows.length, columns.length) <= MANY) lines(beside, rows, columns, values);
  at.append("p").attr("class", "soft").text(say(scores ? "scored" : "hover"));
}

function thumbnails(at, heads, shade, scores) {  // all heads side by side, to look which one is worth a look
  const box = at.append("div").attr("class", "heads").attr("role", "group").attr("aria-label", say("head"));
  const button = (head, values, name, whole) => {
    const one = box.append("button").attr("type", "button").attr("data-head", head).attr("aria-label", whole).attr("title", whole).attr("aria-pressed", head === state.head)
      .on("click", () => { state.head = head; draw(); select(`.heads [data-head="${head}"]`).node()?.focus(); });
    const canvas = one.append("canvas").attr("width", values[0].length).attr("height", values.length).node(), context = canvas.getContext("2d");
    values.forEach((row, r) => row.forEach((value, c) => { context.fillStyle = shade(value); context.fillRect(c, r, 1, 1); }));
    one.append("span").text(name);
  };
  if (!scores) button(-1, mean(heads), say("mean"), say("means"));
  heads.forEach((head, h) => button(h, head, h + 1, `${say("head")} ${h + 1}`));
}

function heat(at, rows, columns, values, { scores, shade, decimals }) {
  const table = captioned(at, say(scores ? "agrees" : "looks")).attr("class", "heat");
  const top = table.append("thead").append("tr");
  top.append("td");
  columns.forEach((token, c) => top.append("th").attr("scope", "col").attr("data-c", c).text(token));
  const body = table.append("tbody");
  shown(rows).forEach((r) => {
    const row = body.append("tr").attr("tabindex", 0).attr("data-r", r).on("mouseenter focus", () => look(r, values[r])).on("mouseleave blur", () => look(-1, []));
    row.append("th").attr("scope", "row").text(rows[r]);
    values[r].forEach((value, c) => paint(row.append("td").attr("data-r", r).attr("data-c", c).text(number(value ?? -Infinity, decimals)), shade(value)));
  });
}

function look(r, values) {  // where a word looks: its row, the words it looks at most, and its lines
  const most = Math.max(...values), least = Math.min(...values.filter((value) => value !== null)), far = (most + least) / 2;
  selectAll(".heat tbody tr").classed("on", function () { return Number(this.dataset.r) === r; });
  selectAll(".heat thead th").classed("on", (_, c) => r >= 0 && values[c] !== null && values[c] > far);
  selectAll(".links path").classed("off", function () { return r >= 0 && Number(this.dataset.r) !== r; });
  selectAll(".links .left").classed("on", (_, i) => i === r);
  selectAll(".links .right").classed("on", (_, c) => r >= 0 && values[c] !== null && values[c] > far);
}

function lines(at, rows, columns, values) {  // the same once more, for the eye alone
  const step = 24, height = step * Math.max(rows.length, columns.length), middle = [130, 270];
  const svg = at.append("svg").attr("class", "links").attr("viewBox", `0 0 400 ${height}`).attr("aria-hidden", "true");
  const place = (i, of) => (i + 0.5) * step + (height - of * step) / 2, curve = linkHorizontal();
  values.forEach((row, r) => row.forEach((value, c) => {
    if ((state.word >= 0 && r !== state.word) || value < 0.03 || row.filter((other) => other > value).length > 2) return;  // the three strongest of each word
    svg.append("path").attr("data-r", r).attr("d", curve({ source: [middle[0], place(r, rows.length)], target: [middle[1], place(c, columns.length)] }))
      .attr("stroke-width", 1 + 5 * value).attr("opacity", 0.12 + 0.88 * value);
  }));
  const side = (tokens, name, x, anchor) => tokens.forEach((token, i) => svg.append("text").attr("class", name).attr("x", x).attr("y", place(i, tokens.length))
    .attr("text-anchor", anchor).attr("dominant-baseline", "middle").text(token.length > 14 ? token.slice(0, 13) + "…" : token)
    .on("mouseenter", () => name === "left" && look(i, values[i])).on("mouseleave", () => look(-1, [])));
  side(rows, "left", middle[0] - 8, "end");
  side(columns, "right", middle[1] + 8, "start");
}

function alignment(at, rows, columns, values) {  // each word that was written, and what of the source it came from
  const table = captioned(at, say("aligned")).attr("class", "alignment");
  const top = table.append("thead").append("tr");
  for (const name of ["writes", "from"]) top.append("th").attr("scope", "col").text(say(name));
  const body = table.append("tbody");
  shown(rows).forEach((r) => {
    const row = body.append("tr"), best = values[r].map((value, c) => [value, columns[c]]).sort((a, b) => b[0] - a[0]).slice(0, 3);
    row.append("th").attr("scope", "row").text(rows[r]);
    const cell = row.append("td");
    best.filter(([value], i) => !i || value >= best[0][0] / 2).forEach(([value, word]) => {
      const one = cell.append("span").attr("class", "source").text(word);
      one.append("small").text(number(value, 2));
    });
  });
}

// ---- vectors, shares, tokens

function strips(at, tensor) {
  const strip = data.strips[tensor.strip], bytes = bytesOf(strip.bytes), width = strip.width;
  const count = bytes.length / width, labels = tensor.rows.length ? tensor.rows : null;
  const heading = glossed(at.append("h3"), caption(tensor.name) + " ");
  heading.append("span").attr("class", "soft").text(`${tensor.shape.join("×")}`);
  if (width <= 4) {  // so few that they are written
    table(at, strip.first.map((row, r) => [labels ? labels[r] : count > 1 ? r + 1 : "", ...row.map((one) => number(one))]));
    return;
  }
  const box = at.append("div").attr("class", "strip").attr("role", "img").attr("aria-label", `${caption(tensor.name)}, ${tensor.shape.join("×")}`);
  const shade = shades(), palette = Array.from({ length: 256 }, (_, byte) => {
    const value = (byte - 128) / 127, { r, g, b } = color(shade(Math.sign(value) * Math.sqrt(Math.abs(value))));
    return [r, g, b, 255];
  });
  const hint = create("p").attr("class", "soft hint").attr("aria-hidden", "true").text(strip.every > 1 ? say("every").replace("{}", strip.every) : "\u00a0");
  const follow = labels && !LOOKED_AT.includes(tensor.name);
  for (let r = 0; r < count; r++) {
    if (follow && state.word >= 0 && r !== state.word) continue;
    box.append("span").attr("class", "soft").text(labels ? labels[r] : count > 1 ? r + 1 : "");
    const canvas = box.append("canvas").attr("width", width).attr("height", 1), context = canvas.node().getContext("2d"), image = context.createImageData(width, 1);
    for (let c = 0; c < width; c++) image.data.set(palette[bytes[r * width + c]], c * 4);
    context.putImageData(image, 0, 0);
    canvas.on("pointermove", (event) => {
      const c = Math.max(0, Math.min(width - 1, Math.floor(pointer(event)[0] / canvas.node().clientWidth * width)));
      hint.text(`${labels ? `\u2068${labels[r]}\u2069` : ""}[${c * strip.every + 1}] ≈ ${number((bytes[r * width + c] - 128) / 127 * strip.most)}`);
    });
  }
  at.append(() => hint.node());
  const more = at.append("details").attr("open", state.open ? "" : null).on("toggle", (event) => { state.open = event.currentTarget.open; });
  more.append("summary").text(say("numbers"));
  table(more, strip.first.map((row, r) => [labels ? labels[r] : r + 1, ...row.map((one) => number(one)), row.length < tensor.shape.at(-1) ? "…" : ""]));
}

function table(at, rows) {
  const body = at.append("div").attr("class", "scroll").attr("tabindex", 0).append("table").append("tbody");
  for (const [name, ...cells] of rows) {
    const line = body.append("tr");
    line.append("th").attr("scope", "row").text(name);
    for (const cell of cells) line.append("td").text(cell);
  }
}

function weights(at, step) {  // what the model brings to the step: the shapes, and how they begin
  const more = at.append("details");
  more.append("summary").text(`${say("weights")}: ${step.weights.map(([name, shape]) => `${told(name)} ${shape}`).join(" · ")}`);
  table(more, step.weights.map(([name, shape, first]) => [told(name), shape, ...first.map((one) => number(one)), "…"]));
}

const spread = (values) => [Math.min(0, ...values), Math.max(0, ...values)];

const scale = (scores) => scores.some((score) => score < 0 || score > 1) ? spread(scores) : [0, 1];  // the former: a regression

function bars(at, labels, values, [least, most] = spread(values)) {  // from a zero line: negative to the left, positive to the right
  const list = at.append("ul").attr("class", "bars"), percent = (value) => `${(100 * value / (most - least || 1)).toFixed(1)}%`;
  list.style("--zero", percent(-least));
  labels.forEach((label, i) => {
    const item = list.append("li");
    item.append("span").text(label);
    item.append("i").append("b").attr("data-sign", values[i] < 0 ? "-" : "+")
      .style("left", percent(Math.min(0, values[i]) - least)).style("width", percent(Math.abs(values[i])));
    item.append("span").text(number(values[i]));
  });
}

function strongest(at, { rows }, { values }) {  // the words that add most or least, as they stand in the text
  const least = values.map(Math.abs).sort((a, b) => b - a)[FEW - 1] ?? 0, which = rows.map((_, i) => i).filter((i) => Math.abs(values[i]) >= least);
  bars(at, which.map((i) => rows[i]), which.map((i) => values[i]));
}

function signed(at, { rows }, { values, rest }) {  // all words, and apart from them what is no word
  const names = Object.keys(rest), others = Object.values(rest), range = spread([...values, ...others]);
  bars(at, rows, values, range);
  at.append("h3").text(say("rest"));
  bars(at, names.map(caption), others, range);
  glossed(at.append("p").attr("class", "soft"), say("signed"));
}

function likeliest(at, step, tensor) {
  const shade = shades();
  const table = captioned(at, say("likeliest")).attr("class", "likeliest");
  const body = table.append("tbody");
  shown(tensor.values).forEach((r) => {
    const row = body.append("tr");
    row.append("th").attr("scope", "row").text(`${step.rows[r]} →`);
    for (const [word, share] of tensor.values[r]) {
      const cell = row.append("td").classed("chosen", word === step.columns[r]).text(word);
      cell.append("small").text(number(share, 2));
      paint(cell, shade(share * 0.8));
    }
  });
}

function ids(at, step, tensor) {
  const list = at.append("ul").attr("class", "tokens");
  tensor.values.forEach((id, i) => list.append("li").text(step.rows[i]).append("small").text(id));
  const marks = Object.keys(data.words).filter((key) => key.startsWith("marks.")).map((key) => key.slice(6)).filter((mark) => step.rows.some((token) => token.includes(mark)));
  if (marks.length) at.append("p").attr("class", "soft small").text(marks.map((mark) => `${mark} ${say(`marks.${mark}`)}`).join("; ") + ".");
}

const drawers = {
  probs: attention, scores: attention,
  shares: (at, _, tensor) => { glossed(at.append("h3"), caption(tensor.name)); bars(at, tensor.labels, tensor.values, scale(tensor.values)); },
  logits: (at, _, tensor) => { glossed(at.append("h3"), caption(tensor.name)); bars(at, tensor.labels, tensor.values); },
  signed, ids,
  next: likeliest,
  vectors: (at, _, tensor) => strips(at, tensor),
};

// ---- the page

function mismatch(at, diagnosis) {  // that the model was not made for the text, and what shows it
  const box = at.append("section").attr("class", "banner").attr("id", "diagnosis");
  box.append("h2").text(say("mismatch"));
  box.append("p").text(told(diagnosis.advice));
  const list = box.append("dl");
  for (const [name, value] of diagnosis.rows) {
    list.append("dt").text(told(name));
    list.append("dd").text(told(value));
  }
  if (diagnosis.fragmented.length) {
    list.append("dt").text(say("fragmented"));
    const words = list.append("dd").attr("class", "fragmented");
    for (const pieces of diagnosis.fragmented) {
      const word = words.append("span");
      for (const piece of pieces) word.append("b").text(piece);
    }
  }
}

function answered(at) {
  if (!data.answer.length && !data.written.length) return;
  const box = at.append("section").attr("class", "card").attr("id", "answer"), why = data.steps.findIndex((step) => step.kind === "attribution");
  box.append("h2").text(say(data.answer.length ? "answer" : "written"));
  const [labels, scores] = [0, 1].map((i) => data.answer.slice(0, FEW).map((one) => one[i]));
  if (labels.length) bars(box, labels, scores, scale(scores));
  else {
    box.append("p").attr("class", "big").text(data.text_written);
    box.append("ul").attr("class", "tokens").selectAll("li").data(data.written).join("li").text((token) => token);
  }
  if (data.answer.length > FEW) box.append("p").attr("class", "soft small").text(`+ ${data.answer.length - FEW} …`);
  if (why < 0) return;
  box.append("h3").text(`${told(data.steps[why].title)}: ${data.answer[0][0]}`);
  for (const note of data.steps[why].notes) box.append("p").attr("class", "note").text(told(note));
  strongest(box, data.steps[why], data.steps[why].tensors[0]);
  glossed(box.append("p").attr("class", "soft small"), say("signed"));
}

function chips(at, items, key) {  // buttons with names before some of them; what has the focus stays
  return at.selectAll(":scope > *").data(items, key).join((enter) => enter.append((item) => document.createElement(item.label ? "span" : "button")))
    .order().filter((item) => item.label ? null : true).attr("type", "button");
}

function labelled(items, label) {  // a name in front of the first one of each kind, where there are several kinds
  const kinds = new Set(items.map(label).filter(Boolean));
  return items.flatMap((item, i) => kinds.size > 1 && label(item) && (!i || label(items[i - 1]) !== label(item)) ? [{ label: label(item) }, item] : [item]);
}

function part(i) {  // of a layer with two attentions, which of its two or three parts a step is of
  const step = data.steps[i];
  if (step.layer === null || !data.steps.some((one) => one.name.startsWith(groupOf(i).id + ".cross."))) return "";
  return step.name.includes(".cross.") ? "cross" : step.number < 7 ? "self" : "forward";
}

function map() {  // layers, then the steps of the one that is open
  const here = groupOf(state.step);
  const layers = select("#layers").attr("aria-label", say("layers")), steps = select("#steps").attr("aria-label", say("steps"));
  chips(layers, labelled(groups, (group) => group.stack), (item) => item.label ?? item.id)
    .attr("aria-current", (group) => group === here ? "true" : null).attr("aria-label", groupName).attr("title", groupName)
    .on("click", (_, group) => goGroup(group)).text((group) => group.stack === null ? groupName(group) : group.layer + 1);
  chips(steps, labelled(here.steps.map((i) => ({ i })), ({ i }) => part(i)), (item) => item.label ?? within(data.steps[item.i]))
    .attr("aria-current", ({ i }) => i === state.step ? "step" : null).attr("data-step", ({ i }) => data.steps[i].name)
    .on("click", (_, { i }) => go(i)).each(function ({ i }) {
      select(this).selectAll("span").data([data.steps[i].number, told(data.steps[i].short)]).join("span").text((one) => one);
    });
  for (const at of [layers, steps]) {
    at.selectAll(":scope > span").attr("class", "label").text((item) => say(item.label));
    const box = at.node(), open = at.select("[aria-current]").node();  // on a phone they scroll sideways
    box.scrollLeft = open.offsetLeft - box.offsetLeft - (box.clientWidth - open.clientWidth) / 2;
  }
}

function glossaryList() {  // all of it, in the language that is on
  const box = select("#glossary");
  box.select("summary").text(say("glossary"));
  box.select("dl").selectAll("div").data(Object.entries(data.glossary[state.lang])).join((enter) => {
    const pair = enter.append("div");
    pair.append("dt");
    pair.append("dd");
    return pair;
  }).each(function (pair) { select(this).select("dt").text(pair[0]); select(this).select("dd").text(pair[1]); });
}

function draw() {
  const step = data.steps[state.step], group = groupOf(state.step);
  document.documentElement.lang = state.lang;
  state.glosses = 0;
  document.title = `${data.text} · gatonegro`;
  select("#model").text(`${say("model")}: ${data.model}`);
  select("footer").text(`${say("foot")} ${say("counts")}`);
  select("#keys").text(say("keys"));
  select("#theme").attr("aria-label", say("theme")).attr("title", say("theme"));
  for (const lang of ["es", "en"]) select(`#${lang}`).attr("aria-pressed", lang === state.lang);
  select("#before").text("← " + say("previous")).attr("aria-disabled", state.step === 0);
  select("#after").text(say("next") + " →").attr("aria-disabled", state.step === data.steps.length - 1);

  const top = select("#top");
  top.selectChildren().remove();
  if (data.diagnosis) mismatch(top, data.diagnosis);
  for (const note of data.notes) top.append("p").attr("class", "banner calm").attr("role", "note").text(told(note));
  answered(top);
  map();

  select("#where").text(step.layer === null ? "" : [groupName(group), part(state.step) && say(part(state.step))].filter(Boolean).join(" · "));
  const title = select("#title").text("");
  glossed(title, `${step.number}. ${told(step.title)}`);
  const card = select("#body");
  card.selectChildren().remove();
  glossed(card.append("p"), told(step.text));
  glossed(card.append("p").attr("class", "formula").attr("tabindex", 0), told(step.formula));
  for (const note of step.notes) glossed(card.append("p").attr("class", "note"), told(note));
  if (step.work.length) {
    const work = card.append("details").attr("open", "");
    work.append("summary").text(say("work"));
    const list = work.append("ul").attr("class", "work").attr("tabindex", 0);
    for (const line of step.work) list.append("li").text(told(line).replace(/\[[^\]]*\]/g, (vector) => vector.replaceAll(" ", "\u00a0")));  // a vector is not broken
  }
  words(card, step);
  if (step.weights.length && !step.work.length) weights(card, step);
  for (const tensor of step.tensors) drawers[tensor.kind](card, step, tensor);
  if (card.select(".strip").node()) card.append("p").attr("class", "soft").text(say("strips"));
}

for (const lang of ["es", "en"]) select(`#${lang}`).on("click", () => { state.lang = lang; glossaryList(); draw(); });
select("#theme").on("click", () => {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  draw();  // colours of the theme are in what is drawn
});
for (const [name, move] of [["before", -1], ["after", 1]]) select(`#${name}`).on("click", () => {
  go(state.step + move);
  select("#step").node().scrollIntoView({ block: "start" });  // the buttons stand below a long step
});
select("#text").text(data.text);
select(window).on("keydown", (event) => {
  if (event.target.closest("pre, .scroll, .work, .formula") || event.altKey || event.ctrlKey || event.metaKey) return;
  const direction = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (direction) {
    event.preventDefault();
    if (event.shiftKey) otherGroup(direction);
    else go(state.step + direction);
  }
});
document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
glossaryList();
draw();
