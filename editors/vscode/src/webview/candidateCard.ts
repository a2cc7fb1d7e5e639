/** A candidate on the page. A model wrote its text, so it is inserted as text and never as HTML. */
import type { ExampleMark, ExampleNote } from "../core/candidates";
import { dedented } from "../core/dedent";
import { pieces } from "../core/highlight";

const SIGNS: Readonly<Record<ExampleMark, string>> = { passed: "✓", unchecked: "–", failed: "✗" };

export interface CardParts {
  readonly index: number;
  readonly before: string;
  readonly text: string;
  readonly language: string;
  readonly examples: ExampleNote | undefined;
  readonly accept: (index: number) => void;
}

/** Create the card. */
export function candidateCard(page: Document, parts: CardParts): HTMLElement {
  const { index, text, examples, accept } = parts;
  const card = page.createElement("article");
  card.tabIndex = 0;
  card.dataset["index"] = String(index);
  card.setAttribute("aria-label", `Suggestion ${index + 1}`);
  card.append(cardHead(page, index, text, accept));
  if (examples !== undefined) {
    card.append(exampleNote(page, examples));
  }
  card.append(cardCode(page, parts));
  card.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target === card) {
      accept(index);
    }
  });
  return card;
}

function cardHead(page: Document, index: number, text: string, accept: (index: number) => void): HTMLElement {
  const head = page.createElement("div");
  head.className = "head";
  const lines = text.split("\n").length;
  const title = page.createElement("span");
  title.textContent = `${index + 1}`;
  title.className = "number";
  const size = page.createElement("span");
  size.textContent = lines === 1 ? "1 line" : `${lines} lines`;
  size.className = "size";
  const button = page.createElement("button");
  button.type = "button";
  button.textContent = "Accept";
  button.title = index < 9 ? `Accept (${index + 1})` : "Accept";
  button.addEventListener("click", () => {
    accept(index);
  });
  head.append(title, size, button);
  return head;
}

/** A line that says whether the candidate passes the function's examples. A program wrote a part of it. */
function exampleNote(page: Document, { mark, message }: ExampleNote): HTMLElement {
  const note = page.createElement("p");
  note.className = `examples ${mark}`;
  note.textContent = `${SIGNS[mark]} ${message}`;
  return note;
}

function cardCode(page: Document, { before, text, language }: CardParts): HTMLElement {
  const shown = dedented(before, text);
  const code = page.createElement("code");
  code.append(coloured(page, "before", shown.before));
  for (const piece of pieces(shown.text, language)) {
    code.append(coloured(page, piece.kind, piece.text));
  }
  const block = page.createElement("pre");
  block.append(code);
  return block;
}

function coloured(page: Document, kind: string, text: string): HTMLElement {
  const span = page.createElement("span");
  span.className = `code-${kind}`;
  span.textContent = text;
  return span;
}
