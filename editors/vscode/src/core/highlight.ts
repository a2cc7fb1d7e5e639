/** Colours for code in the panel: comments, strings, numbers, keywords, by the same rough rules for all languages. */

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

const COMMENT = String.raw`\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*|(?<![^\s])#[^\n]*|(?<![^\s])--[^\n]*`;
const STRING = String.raw`"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|${"`"}(?:\\.|[^${"`"}\\])*${"`"}?`;
const NUMBER = String.raw`\b\d[\w.]*`;
const KEYWORD = String.raw`\b(?:${KEYWORDS.replaceAll(" ", "|")})\b`;

const TOKEN = new RegExp(
  `(?<comment>${COMMENT})|(?<string>${STRING})|(?<number>${NUMBER})|(?<keyword>${KEYWORD})`,
  "g",
);
const KINDS = ["comment", "string", "number", "keyword"] as const;

/** Split `code` into pieces, which joined together give `code` again. */
export function pieces(code: string): readonly Piece[] {
  const all: Piece[] = [];
  let from = 0;
  for (const match of code.matchAll(TOKEN)) {
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
