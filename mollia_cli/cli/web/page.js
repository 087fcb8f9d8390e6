"use strict";
// The page of `mollia review --web`. What it shows is text, never markup; acts are done one after the other, each on
// the item whose turn it is by then, however fast the keys come.
const the = (id) => document.getElementById(id);
let state = null;
let queue = Promise.resolve();
let asking = "";

function made(tag, text = "", kind = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = kind;
  return element;
}

function share(scores, k) {
  const cell = made("td", "", "share");
  if (scores === null) {
    cell.textContent = k === 0 ? "…" : "";
  } else if (scores[k] >= 0.005) {
    const bar = made("meter");
    bar.value = scores[k];
    cell.append(bar, `${Math.round(100 * scores[k])}%`);
  }
  return cell;
}

function row(label, k) {
  const line = made("tr", "", k === state.decided ? "decided" : k === state.verdict && state.decided === null ? "verdict" : "");
  const button = made("button");
  const mark = k === state.decided ? "✓" : k === state.verdict ? "▸" : "";
  button.append(made("span", mark, "mark"), made("kbd", label.key), made("bdi", label.name));
  button.addEventListener("click", () => send({ act: "label", label: k }));
  const cell = made("td");
  cell.append(button);
  line.append(cell, ...state.opinions.map((one) => share(one.scores, k)), made("td", label.description, "what"));
  return line;
}

function list(id, pairs) {
  the(id).replaceChildren(...pairs.flatMap(([term, meaning]) => [made("dt", term), made("dd", meaning)]));
}

function draw() {
  const open = state.item !== null;
  document.title = `${state.place} · mollia review`;
  for (const id of ["title", "place", "who", "said"]) the(id).textContent = state[id];
  if (state.ended) the("said").textContent = "Ended; every decision is stored. This tab can be closed.";
  the("acts").hidden = state.ended;
  if (the("text").dataset.item !== String(state.item)) the("text").scrollTop = 0;
  the("text").dataset.item = String(state.item);
  the("text").textContent = open ? state.text : "That was the last text. ← goes back, q ends.";
  the("remark").textContent = open ? state.remark : "";
  the("labels").replaceChildren();
  if (open && !state.ended) {
    const head = made("tr");
    head.append(...["", ...state.opinions.map((one) => one.name), ""].map((name) => made("th", name)));
    the("labels").append(head, ...state.labels.map(row));
  }
  the("guidelines").hidden = !state.guidelines;
  the("guidelines").lastChild.textContent = state.guidelines;
  list("meanings", state.labels.map((label) => [`${label.key}  ${label.name}`, label.description]));
  list("keys", state.meanings);
  the("names").replaceChildren(...state.labels.map((label) => Object.assign(made("option"), { value: label.name })));
}

async function ask(path, body) {
  try {
    const options = body ? { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } } : {};
    const answer = await fetch(path, options);
    if (!answer.ok) throw new Error(await answer.text());
    state = await answer.json();
    draw();
    if (state.waiting) setTimeout(refresh, 700);
  } catch (error) {
    the("said").textContent = error instanceof TypeError ? "mollia has ended: nothing is stored any more. Start it again in the terminal." : error.message;
  }
}

function send(act) {
  queue = queue.then(() => {
    if (state === null || state.ended) return null;
    if (state.item === null && ["label", "ignore", "note", "name"].includes(act.act)) return null;
    return ask("/act", { item: state.item, ...act });
  });
}

function refresh() {
  queue = queue.then(() => (state === null || !state.ended ? ask("/state") : null));
}

function question(act) {
  asking = act;
  the("asked").textContent = state.questions[act];
  the("answer").value = act === "note" ? state.note : "";
  if (act === "name") the("answer").setAttribute("list", "names");
  else the("answer").removeAttribute("list");
  the("question").showModal();
  the("answer").focus();
}

const ACTS = {
  skip: () => send({ act: "skip", steps: 1 }),
  back: () => send({ act: "skip", steps: -1 }),
  undo: () => send({ act: "undo" }),
  ignore: () => send({ act: "ignore" }),
  end: () => send({ act: "end" }),
  note: () => state.item !== null && question("note"),
  name: () => state.item !== null && question("name"),
  find: () => question("find"),
  help: () => the("help").showModal(),
};
const KEYS = {
  " ": "skip", ArrowRight: "skip", ArrowLeft: "back", u: "undo", Backspace: "undo", i: "ignore", n: "note",
  "/": "find", ":": "name", "?": "help", F1: "help", q: "end",
};

document.addEventListener("keydown", (event) => {
  if (state === null || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (the("question").open) {
    if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      the("question").close();
      send({ act: asking, text: the("answer").value });
    }
    return;
  }
  if (the("help").open) {
    if (["q", "?", "F1"].includes(event.key)) the("help").close();
    return;
  }
  const onButton = document.activeElement instanceof HTMLButtonElement;
  if (onButton && event.key === " ") return;
  const label = state.labels.findIndex((one) => one.key === event.key);
  if (label < 0 && !(event.key in KEYS)) return;
  event.preventDefault();
  if (label >= 0) send({ act: "label", label });
  else ACTS[KEYS[event.key]]();
});
for (const button of document.querySelectorAll("[data-act]")) {
  button.addEventListener("click", () => {
    button.blur(); // the next key is a key of the program again
    if (state !== null) ACTS[button.dataset.act]();
  });
}
the("close").addEventListener("click", () => the("help").close());
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh()); // another tab may have gone on
addEventListener("focus", refresh);
refresh();
