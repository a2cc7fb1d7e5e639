import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { JSDOM } from "jsdom";
import { readCandidates, withNew } from "../src/core/candidates";
import { dedented } from "../src/core/dedent";
import { pieces } from "../src/core/highlight";
import { readFromPage, type FromPage, type ToPage } from "../src/core/panelMessages";
import { panelPage } from "../src/core/panelPage";

/** What a model that means harm could write. Each would run, if it came to be HTML. */
const HOSTILE = [
  "<script>window.harmed = true</script>",
  "<img src=x onerror='window.harmed = true'>",
  "</code></pre><svg onload=window.harmed=true>",
  '"><iframe srcdoc="<script>parent.harmed = true</script>"></iframe>',
  "<style>* { display: none }</style>",
  "'''<b onclick=window.harmed=true>#</b>\u202e",
] as const;

const CURSOR = { line: 3, character: 4 };
const SCRIPT = readFileSync(path.resolve(import.meta.dirname, "../../dist/panel.js"), "utf8");

interface Page {
  readonly window: JSDOM["window"];
  readonly sent: FromPage[];
  tell(message: ToPage): void;
}

/** The page as a webview has it: the real HTML, the real bundled script, a document that runs what it is given. */
function openPage(): Page {
  const html = panelPage({ nonce: "n0nce", script: "s", style: "s", source: "vscode-webview:" });
  const { window } = new JSDOM(html, { runScripts: "dangerously", pretendToBeVisual: true });
  const sent: FromPage[] = [];
  Object.assign(window, {
    acquireVsCodeApi: () => ({ postMessage: (said: FromPage) => sent.push({ ...said }) }),
  });
  window.document.hasFocus = () => true; // which jsdom lacks
  window.eval(SCRIPT);
  const tell = (message: ToPage): void => {
    window.dispatchEvent(new window.MessageEvent("message", { data: message }));
  };
  return { window, sent, tell };
}

function showAll(page: Page, texts: readonly string[], before = ""): void {
  page.tell({ kind: "start", where: texts[0] ?? "", before, language: "python" });
  for (const [index, text] of texts.entries()) {
    page.tell({ kind: "candidate", index, text, examples: { mark: "failed", message: text } });
  }
  page.tell({ kind: "end", message: texts[0] ?? "" });
}

test("hostile candidates are shown as text, and run nothing", () => {
  const page = openPage();
  showAll(page, HOSTILE, HOSTILE[0]);
  const { document } = page.window;
  const shown = [...document.querySelectorAll("#candidates code")].map((code) => code.textContent);
  assert.deepEqual(
    shown,
    HOSTILE.map((text) => HOSTILE[0] + text),
  );
  assert.equal(document.querySelectorAll("#candidates :is(script, img, svg, iframe, style, b)").length, 0);
  assert.equal(document.querySelectorAll("header :is(script, img)").length, 0);
  assert.equal((page.window as unknown as Record<string, unknown>)["harmed"], undefined);
});

test("what the examples say of a candidate is shown as text, above its code", () => {
  const page = openPage();
  showAll(page, HOSTILE);
  const notes = [...page.window.document.querySelectorAll("#candidates .examples.failed")];
  assert.deepEqual(
    notes.map((note) => note.textContent),
    HOSTILE.map((text) => `✗ ${text}`),
  );
});

test("a candidate without examples has no note", () => {
  const page = openPage();
  page.tell({ kind: "candidate", index: 0, text: "pass", examples: undefined });
  assert.equal(page.window.document.querySelectorAll(".examples").length, 0);
});

test("what a server says of examples is read, and nothing else", () => {
  const read = (examples: unknown): unknown =>
    readCandidates({ items: [{ insertText: "x", examples }] }, { line: 0, character: 0 })[0]?.examples;
  const note = { mark: "passed", message: "1 of 1 example passes" };
  assert.deepEqual(read({ ...note, passed: 1, examples: 1 }), note);
  for (const wrong of [
    undefined,
    null,
    "passed",
    { mark: "great", message: "x" },
    { mark: "passed", message: 1 },
  ]) {
    assert.equal(read(wrong), undefined);
  }
});

test("the same text as HTML does harm, so that the test above can fail", () => {
  const page = openPage();
  const { document } = page.window;
  const cards = document.getElementById("candidates");
  assert.ok(cards);
  cards.innerHTML = HOSTILE.join("");
  assert.notEqual(document.querySelectorAll("#candidates :is(script, img, svg, iframe, style, b)").length, 0);
  document.querySelector("img")?.dispatchEvent(new page.window.Event("error"));
  assert.equal((page.window as unknown as Record<string, unknown>)["harmed"], true);
});

test("only the page's own script may run, and nothing may be fetched from other origins", () => {
  const { document } = new JSDOM(
    panelPage({ nonce: "n0nce", script: 'a"><b>&', style: "s", source: "vscode-webview:" }),
  ).window;
  const policy = document.querySelector("meta[http-equiv]")?.getAttribute("content");
  assert.equal(
    policy,
    "default-src 'none'; script-src 'nonce-n0nce'; style-src vscode-webview:; base-uri 'none'; form-action 'none'",
  );
  assert.deepEqual(
    [...document.scripts].map((script) => script.nonce),
    ["n0nce"],
  );
  assert.equal(document.querySelector("b"), null);
});

test("the page reports that it is ready, and what was chosen by a key or a click", () => {
  const page = openPage();
  showAll(page, ["one", "two"]);
  const { document, KeyboardEvent } = page.window;
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "2" }));
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "9" })); // there is no ninth
  document.querySelector<HTMLElement>("article button")?.click();
  document.getElementById("again")?.click();
  assert.deepEqual(page.sent, [
    { kind: "ready" },
    { kind: "accept", index: 1 },
    { kind: "accept", index: 0 },
    { kind: "again" },
  ]);
});

test("the arrows go round the cards, and Enter accepts the one in focus", () => {
  const page = openPage();
  showAll(page, ["one", "two"]);
  const { document, KeyboardEvent } = page.window;
  const press = (key: string): void => {
    document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  };
  press("ArrowRight");
  press("Enter");
  press("ArrowRight");
  press("Enter");
  assert.deepEqual(page.sent.slice(1), [
    { kind: "accept", index: 1 },
    { kind: "accept", index: 0 },
  ]);
});

test("a new request clears the results of the last one", () => {
  const page = openPage();
  showAll(page, ["one", "two"]);
  page.tell({ kind: "start", where: "a.py, line 1", before: "", language: "python" });
  assert.equal(page.window.document.querySelectorAll("article").length, 0);
  assert.ok(page.window.document.body.classList.contains("busy"));
});

test("only valid messages of the page are read", () => {
  assert.deepEqual(readFromPage({ kind: "accept", index: 2, more: 1 }), { kind: "accept", index: 2 });
  for (const wrong of [null, 1, {}, { kind: "accept" }, { kind: "accept", index: 0.5 }, { kind: "run" }]) {
    assert.equal(readFromPage(wrong), undefined);
  }
});

test("items are read with their range and their command", () => {
  const range = { start: { line: 1, character: 0 }, end: { line: 1, character: 2 } };
  const command = { title: "t", command: "accepted", arguments: ["id"] };
  assert.deepEqual(readCandidates({ items: [{ insertText: "x", range, command }] }, CURSOR), [
    { text: "x", span: range, examples: undefined, command: { command: "accepted", arguments: ["id"] } },
  ]);
  assert.deepEqual(readCandidates({ items: [{ insertText: "x" }] }, CURSOR), [
    { text: "x", span: { start: CURSOR, end: CURSOR }, examples: undefined, command: undefined },
  ]);
});

test("invalid items are ignored", () => {
  for (const wrong of [null, undefined, [], { items: 3 }, { items: [null, 1, {}, { insertText: "" }] }]) {
    assert.deepEqual(readCandidates(wrong, CURSOR), []);
  }
});

test("a text that is already shown is not shown again", () => {
  const [one, two] = readCandidates({ items: [{ insertText: "1" }, { insertText: "2" }] }, CURSOR);
  assert.ok(one && two);
  assert.deepEqual(withNew([one], [{ ...one }, two]), [one, two]);
});

test("coloured pieces joined together are the code, whatever it is", () => {
  const codes = [
    ...HOSTILE,
    "",
    "if x: # c\n  return 'a' + \"b\" // d\n",
    '"""never closed',
    "/* never closed",
    "`a\n`",
  ];
  const asked = codes.flatMap((code) =>
    ["python", "java", "lua", "brainf"].map((language) => ({ code, language })),
  );
  for (const { code, language } of asked) {
    assert.equal(
      pieces(code, language)
        .map(({ text }) => text)
        .join(""),
      code,
    );
  }
});

test("what begins a comment in another language does not in this one", () => {
  const comments = (code: string, language: string): string[] =>
    pieces(code, language)
      .filter(({ kind }) => kind === "comment")
      .map(({ text }) => text);
  assert.deepEqual(comments("n // 2 # half", "python"), ["# half"]);
  assert.deepEqual(comments("n --; // less # not", "java"), ["// less # not"]);
  assert.deepEqual(comments("n // 2 -- half", "lua"), ["-- half"]);
});

test("code is coloured by its syntax", () => {
  const kinds = pieces("return x + 12 # if\n's' // y", "").map(({ kind, text }) => `${kind}:${text.trim()}`);
  assert.deepEqual(kinds, [
    "keyword:return",
    "plain:x +",
    "number:12",
    "plain:",
    "comment:# if",
    "plain:",
    "string:'s'",
    "plain:",
    "comment:// y",
  ]);
});

test("the indentation that all lines share is not shown", () => {
  assert.deepEqual(dedented("    ", "if x:\n        a\n\n    b"), { before: "", text: "if x:\n    a\n\nb" });
  assert.deepEqual(dedented("\t\tx = ", "1"), { before: "x = ", text: "1" });
});

test("lines that are indented less or differently keep their indentation", () => {
  assert.deepEqual(dedented("    ", "a\nb"), { before: "    ", text: "a\nb" });
  assert.deepEqual(dedented("  ", "a\n\tb"), { before: "  ", text: "a\n\tb" });
  assert.deepEqual(dedented("", ""), { before: "", text: "" });
  assert.deepEqual(dedented("    ", "\n    a"), { before: "", text: "\na" });
});
