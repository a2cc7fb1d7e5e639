/** Colours for code in the panel: comments, strings, numbers, keywords, by rough rules that languages share. */

export type PieceKind = "plain" | "comment" | "string" | "number" | "keyword";

export interface Piece {
  readonly kind: PieceKind;
  readonly text: string;
}

const KEYWORDS =
  "abstract and as assert async await bool break case catch char class const continue def default defer del do " +
  "double elif else end enum except export extends extern false False final finally float fn for from func function " +
  "global go if impl implements import in int interface is lambda let local long loop match mod module mut new nil " +
  "None nonlocal not null of or package pass private protected pub public raise return self short static string " +
  "struct super switch this then throw throws trait true True try type typeof union unsafe unsigned until use using " +
  "var void where while with yield";

const HASH = String.raw`(?<![^\s])#[^\n]*`;
const DASHES = String.raw`(?<![^\s])--[^\n]*`;
const SLASHES = String.raw`\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*`;
/** Comments in the languages in which the signs of others mean something else, such as `//` in Python. */
const COMMENTS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ["python", "ruby", "shellscript", "perl", "r", "julia", "elixir", "yaml", "toml"].map((id) => [id, HASH]),
  ),
  ...Object.fromEntries(
    [
      "c",
      "cpp",
      "csharp",
      "go",
      "java",
      "javascript",
      "typescript",
      "javascriptreact",
      "typescriptreact",
    ].map((id) => [id, SLASHES]),
  ),
  ...Object.fromEntries(["lua", "sql", "haskell"].map((id) => [id, DASHES])),
};
const ANY_COMMENT = `${SLASHES}|${HASH}|${DASHES}`;
const STRING = String.raw`"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|${"`"}(?:\\.|[^${"`"}\\])*${"`"}?`;
const NUMBER = String.raw`\b\d[\w.]*`;
const KEYWORD = String.raw`\b(?:${KEYWORDS.replaceAll(" ", "|")})\b`;

function token(language: string): RegExp {
  const comment = COMMENTS[language] ?? ANY_COMMENT;
  return new RegExp(
    `(?<comment>${comment})|(?<string>${STRING})|(?<number>${NUMBER})|(?<keyword>${KEYWORD})`,
    "g",
  );
}

const KINDS = ["comment", "string", "number", "keyword"] as const;

/** Split `code` of a language into pieces, which joined together give `code` again. */
export function pieces(code: string, language: string): readonly Piece[] {
  const all: Piece[] = [];
  let from = 0;
  for (const match of code.matchAll(token(language))) {
    if (match.index > from) {
      all.push({ kind: "plain", text: code.slice(from, match.index) });
    }
    const kind = KINDS.find((name) => match.groups?.[name] !== undefined) ?? "plain";
    all.push({ kind, text: match[0] });
    from = match.index + match[0].length;
  }
  if (from < code.length) {
    all.push({ kind: "plain", text: code.slice(from) });
  }
  return all;
}
