"use strict";
/* Draws one explanation. Whatever comes from the text, the tokens, the labels or the model's name goes in as text nodes. */
const data = JSON.parse(document.getElementById("data").textContent);
const words = {
  en: { layer: "Layer", head: "Head", mean: "mean of all heads", answer: "The answer", step: "Step", theme: "Dark or light",
        looks: "Each row: how much a word looks at each of the words", numbers: "Numbers", model: "model", work: "Every product",
        written: "What was written", before: "Before the layers", after: "After the layers", strips: "Each strip is a vector: blue for positive, orange for negative numbers, the stronger the larger",
        weights: "Weights", decoder: "decoder", encoder: "encoder", foot: "Made by gatonegro. This page asks no one for anything." },
  es: { layer: "Capa", head: "Cabeza", mean: "media de todas las cabezas", answer: "La respuesta", step: "Paso", theme: "Oscuro o claro",
        looks: "Cada fila: cuánto mira una palabra a cada una de las palabras", numbers: "Números", model: "modelo", work: "Cada producto",
        written: "Lo que se escribió", before: "Antes de las capas", after: "Después de las capas", strips: "Cada tira es un vector: azul los números positivos, naranja los negativos, más fuerte cuanto mayores",
        weights: "Pesos", decoder: "decodificador", encoder: "codificador", foot: "Hecho por gatonegro. Esta página no pide nada a nadie." },
};
const DARKEST = 0.45;  // of a colour behind words, so that they can be read in both themes
const state = { lang: data.lang, step: 0, head: -1, row: -1 };
const say = (key) => words[state.lang][key];
const told = (pair) => pair[state.lang];

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function glossed(text) {  // its words, those of the glossary with what they mean, told on hover and on focus
  const glossary = data.glossary[state.lang], names = Object.keys(glossary).sort((a, b) => b.length - a.length);
  const plain = names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  const found = new RegExp(`(?<![\\p{L}\\p{N}-])(${plain})(?![\\p{L}\\p{N}-])`, "giu"), out = [], seen = new Set();
  let end = 0;
  for (const match of text.matchAll(found)) {
    const name = names.find((one) => one.toLowerCase() === match[0].toLowerCase());
    if (seen.has(name)) continue;  // once a paragraph
    seen.add(name);
    const id = `gloss-${seen.size}`;
    out.push(text.slice(end, match.index), make("span", { class: "term", tabindex: 0, "aria-describedby": id }, match[0],
      make("span", { class: "gloss", role: "tooltip", id }, glossary[name])));
    end = match.index + match[0].length;
  }
  return [...out, text.slice(end)];
}

const groups = [];  // steps side by side: those before all layers, those of each layer of each stack, those behind
for (const [i, step] of data.steps.entries()) {
  const name = step.layer === null ? (groups.length ? "after" : "before") : step.name.split(".").slice(0, 2).join(".");
  if (!groups.length || groups.at(-1).name !== name) groups.push({ name, first: i, steps: [] });
  groups.at(-1).steps.push(i);
}
const groupOf = (i) => groups.find((group) => group.steps.includes(i));

function groupName(group) {
  const [stack, number] = group.name.split(".");
  if (number === undefined) return say(group === groups[0] ? "before" : "after");
  const both = data.steps.some((step) => step.name.startsWith("encoder.")) && data.steps.some((step) => step.name.startsWith("decoder."));
  return (both ? say(stack) + ", " : "") + say("layer").toLowerCase() + " " + (Number(number) + 1);
}

function go(i) {
  state.step = Math.max(0, Math.min(data.steps.length - 1, i));
  draw();
  document.getElementById("step").focus({ preventScroll: true });
}

function other(direction) {  // the same step of another layer
  const here = data.steps[state.step], at = groups.indexOf(groupOf(state.step));
  const next = groups[at + direction];
  if (!next) return;
  go(next.steps.find((i) => data.steps[i].kind === here.kind) ?? next.first);
}

function sides(step) {
  if (step.name.includes(".cross.")) return [data.written.slice(1), data.tokens];  // who looks is told by the word it writes
  const looks = step.name.startsWith("decoder.") ? data.written.slice(0, -1) : data.tokens;
  return [looks, looks];
}

function heat(step, tensor) {
  const [rows, columns] = sides(step), heads = tensor.values;
  const of = (r, c) => state.head >= 0 ? heads[state.head][r][c] : heads.reduce((sum, head) => sum + head[r][c], 0) / heads.length;
  const table = make("table", {}, make("caption", {}, say("looks")));
  table.append(make("thead", {}, make("tr", {}, make("td"), ...columns.map((token, c) => make("th", { scope: "col", "data-c": c }, token)))));
  const body = make("tbody");
  rows.forEach((token, r) => {
    const row = make("tr", { tabindex: 0, "aria-label": token, onmouseenter: () => look(table, r), onfocus: () => look(table, r) },
      make("th", { scope: "row" }, token));
    columns.forEach((_, c) => {
      const value = of(r, c) / 1000;
      const cell = make("td", { "data-r": r, "data-c": c }, value.toFixed(2));
      cell.style.setProperty("--share", (DARKEST * Math.min(1, value)).toFixed(3));
      row.append(cell);
    });
    body.append(row);
  });
  table.append(body);
  const picker = make("select", { "aria-label": say("head"), onchange: (event) => { state.head = Number(event.target.value); draw(); } },
    make("option", { value: -1 }, say("mean")), ...heads.map((_, h) => make("option", { value: h }, say("head") + " " + (h + 1))));
  picker.value = state.head;
  return make("div", {}, heads.length > 1 ? picker : null, make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": say("looks") }, table));
}

function look(table, r) {  // where a word looks: its row, and the words it looks at most
  const cells = [...table.querySelectorAll(`td[data-r="${r}"]`)];
  const most = Math.max(...cells.map((cell) => Number(cell.textContent)));
  table.querySelectorAll(".on").forEach((node) => node.classList.remove("on"));
  table.tBodies[0].rows[r].classList.add("on");
  for (const cell of cells)
    if (Number(cell.textContent) >= most / 2) table.querySelector(`thead th[data-c="${cell.dataset.c}"]`).classList.add("on");
}

function strips(name, tensor) {
  const [width, bytes] = [tensor.shape.at(-1), Uint8Array.from(atob(tensor.bytes), (c) => c.charCodeAt(0))];
  const count = bytes.length / width, labels = count === data.tokens.length ? data.tokens : count === data.written.length - 1 ? data.written : null;
  const box = make("div", { class: "strip", role: "img", "aria-label": `${name} (${tensor.shape.join("×")})` });
  for (let r = 0; r < count; r++) {
    const canvas = make("canvas", { width, height: 1 }), context = canvas.getContext("2d"), image = context.createImageData(width, 1);
    for (let c = 0; c < width; c++) {
      const value = (bytes[r * width + c] - 128) / 127, strength = Math.sqrt(Math.abs(value));
      image.data.set([...(value >= 0 ? [40, 120, 210] : [217, 95, 2]), Math.round(255 * strength)], c * 4);
    }
    context.putImageData(image, 0, 0);
    box.append(make("span", { class: "soft" }, labels ? labels[r] : String(r + 1)), canvas);
  }
  const first = tensor.first.map((n) => n.toPrecision(4)).join("  ");
  return make("div", {}, make("h3", {}, `${name} `, make("span", { class: "soft" }, `(${tensor.shape.join("×")})`)), box,
    make("details", {}, make("summary", {}, say("numbers")), make("pre", {}, first + " …")));
}

function bars(labels, values) {
  return make("div", {}, ...labels.map((label, i) => {
    const bar = make("div", { class: "bar" }, make("span", {}, label), make("i"), make("span", {}, values[i].toFixed(3)));
    bar.children[1].style.setProperty("--width", (100 * values[i]).toFixed(1) + "%");
    return bar;
  }));
}

function signed(values) {
  const most = Math.max(...values.map(Math.abs)) || 1;
  return make("ul", { class: "tokens" }, ...values.map((value, i) => {
    const item = make("li", { "data-sign": value < 0 ? "-" : "+" }, data.tokens[i], make("small", {}, (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2)));
    item.style.setProperty("--share", (DARKEST * Math.abs(value) / most).toFixed(3));
    return item;
  }));
}

function body(step) {
  const out = [];
  for (const [name, tensor] of Object.entries(step.tensors)) {
    if (tensor.kind === "attention") out.push(make("h3", {}, name), heat(step, tensor));
    else if (tensor.kind === "shares") out.push(make("h3", {}, name), bars(tensor.labels, tensor.values));
    else if (tensor.kind === "signed") out.push(signed(tensor.values));
    else if (tensor.kind === "ids") out.push(make("ul", { class: "tokens" }, ...tensor.values.map((id, i) => make("li", {}, data.tokens[i] ?? data.written[i], make("small", {}, String(id))))));
    else if (tensor.kind === "next") out.push(...tensor.values.map((some, r) => make("div", {}, make("h3", {}, (data.written[r] ?? "") + " →"), bars(some.map((one) => one[0]), some.map((one) => one[1])))));
    else if (tensor.kind === "vectors") out.push(strips(name, tensor));
  }
  if (out.some((node) => node.querySelector?.("canvas"))) out.push(make("p", { class: "soft" }, say("strips")));
  return out;
}

function draw() {
  const step = data.steps[state.step], group = groupOf(state.step);
  document.documentElement.lang = state.lang;
  document.title = `${data.text} · gatonegro`;
  const nav = make("nav", { "aria-label": say("step") },
    groups.length > 1 ? make("select", { "aria-label": say("layer"), id: "layer", onchange: (event) => { const next = groups[event.target.value]; go(next.steps.find((i) => data.steps[i].kind === step.kind) ?? next.first); } },
      ...groups.map((one, i) => make("option", { value: i, selected: one === group }, groupName(one)))) : null,
    ...group.steps.map((i) => make("button", { type: "button", "aria-current": i === state.step ? "step" : null, onclick: () => go(i), "data-step": data.steps[i].name }, `${data.steps[i].number}. ${told(data.steps[i].title)}`)));
  const card = make("section", { class: "card", id: "step", tabindex: -1, "aria-live": "polite" },
    make("h2", {}, `${step.number}. ${told(step.title)}`, step.layer === null ? "" : ` · ${groupName(group)}`),
    make("p", {}, ...glossed(told(step.text))), make("p", { class: "formula", tabindex: 0 }, step.formula),
    ...step.notes.map((note) => make("p", { class: "note" }, told(note))),
    step.work.length ? make("details", { open: true }, make("summary", {}, say("work")), make("ol", { class: "work", tabindex: 0 }, ...step.work.map((line) => make("li", {}, told(line))))) : null,
    ...body(step));
  const answer = data.answer.length ? make("section", { class: "card", id: "answer" }, make("h2", {}, say("answer")), bars(data.answer.map((one) => one[0]), data.answer.map((one) => one[1])))
    : data.written.length ? make("section", { class: "card", id: "answer" }, make("h2", {}, say("written")), make("ul", { class: "tokens" }, ...data.written.map((token) => make("li", {}, token)))) : null;
  const notes = [...data.notes, ...(data.fit ? [data.fit] : [])].map((note) => make("p", { class: "banner", role: "note" }, told(note)));
  document.querySelector("main").replaceChildren(...notes, ...(answer ? [answer] : []), nav, card);
  document.getElementById("model").textContent = `${say("model")}: ${data.model}`;
  document.querySelector("footer").textContent = say("foot");
  document.getElementById("theme").textContent = say("theme");
  for (const lang of ["es", "en"]) document.getElementById(lang).setAttribute("aria-pressed", String(lang === state.lang));
}

for (const lang of ["es", "en"]) document.getElementById(lang).addEventListener("click", () => { state.lang = lang; draw(); });
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
});
document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
document.getElementById("text").textContent = data.text;
addEventListener("keydown", (event) => {
  if (event.target.closest("select, pre, .scroll") || event.altKey || event.ctrlKey || event.metaKey) return;
  const move = { ArrowRight: () => go(state.step + 1), ArrowLeft: () => go(state.step - 1), PageDown: () => other(1), PageUp: () => other(-1) }[event.key];
  if (move) { event.preventDefault(); move(); }
});
draw();
