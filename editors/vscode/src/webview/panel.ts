/** The page of the panel, which shows what the extension sends and reports what the user chooses. */
import type { FromPage, ToPage } from "../core/panelMessages";
import { candidateCard } from "./candidateCard";

declare function acquireVsCodeApi(): { postMessage(message: FromPage): void };

const editor = acquireVsCodeApi();
const cards = element("candidates");
let before = "";
let language = "";

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) {
    throw new Error(`The page has no ${id}.`);
  }
  return found;
}

function accept(index: number): void {
  editor.postMessage({ kind: "accept", index });
}

function show(message: ToPage): void {
  switch (message.kind) {
    case "start":
      ({ before, language } = message);
      cards.replaceChildren();
      element("where").textContent = message.where;
      element("state").textContent = "Asking the model…";
      document.body.classList.add("busy");
      break;
    case "candidate":
      cards.append(candidateCard(document, { ...message, before, language, accept }));
      if (message.index === 0 && document.hasFocus()) {
        cards.querySelector("article")?.focus();
      }
      break;
    case "end":
      element("state").textContent = message.message;
      document.body.classList.remove("busy");
      break;
  }
}

/** A digit accepts a candidate, and the arrows move between the cards. */
function keyPressed(event: KeyboardEvent): void {
  const all = [...cards.querySelectorAll("article")];
  if (/^[1-9]$/.test(event.key) && Number(event.key) <= all.length) {
    accept(Number(event.key) - 1);
    return;
  }
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step !== undefined && all.length > 0) {
    const at = all.findIndex((card) => card.contains(document.activeElement));
    all[(at + step + all.length) % all.length]?.focus();
    event.preventDefault();
  }
}

window.addEventListener("message", (event: MessageEvent<ToPage>) => {
  show(event.data);
});
document.addEventListener("keydown", keyPressed);
element("again").addEventListener("click", () => {
  editor.postMessage({ kind: "again" });
});
editor.postMessage({ kind: "ready" });
