/** The page of the panel. It contains no text of a model, which comes in messages and is inserted as text. */

export interface PageParts {
  readonly nonce: string;
  /** URLs from which the webview may load the script and the style. */
  readonly script: string;
  readonly style: string;
  /** The source from which the webview loads them. */
  readonly source: string;
}

/** The HTML. Only our own script may run in it, and it may make no requests. */
export function panelPage({ nonce, script, style, source }: PageParts): string {
  const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src ${source}; base-uri 'none'; form-action 'none'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escaped(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${escaped(style)}">
<title>Suggestions</title>
</head>
<body>
<header>
<h1 id="where"></h1>
<p id="state" role="status"></p>
<button id="again" type="button">Ask again</button>
</header>
<main id="candidates"></main>
<script nonce="${escaped(nonce)}" src="${escaped(script)}"></script>
</body>
</html>`;
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll('"', "&quot;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}
