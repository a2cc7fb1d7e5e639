// Bundles the extension and the page of the panel; with --tests, the unit tests instead.
import { readdirSync } from "node:fs";
import { build, context } from "esbuild";

const flags = new Set(process.argv.slice(2));
const production = flags.has("--production");

const common = { bundle: true, logLevel: "warning", sourcemap: production ? false : "linked" };

const extension = {
  ...common,
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.js",
  platform: "node",
  target: "node20",
  format: "cjs",
  external: ["vscode"],
  minify: production,
};

const web = {
  ...extension,
  entryPoints: ["src/web.ts"],
  outfile: "dist/web.js",
  platform: "browser",
};

const page = {
  ...common,
  entryPoints: ["src/webview/panel.ts"],
  outfile: "dist/panel.js",
  platform: "browser",
  target: "es2022",
  format: "iife",
  minify: production,
};

const tests = {
  ...common,
  entryPoints: readdirSync("test")
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `test/${name}`),
  outdir: "out/test",
  outExtension: { ".js": ".mjs" },
  platform: "node",
  target: "node20",
  format: "esm",
  packages: "external",
};

if (flags.has("--watch")) {
  for (const options of [extension, web, page]) {
    await (await context(options)).watch();
  }
} else {
  await Promise.all(
    (flags.has("--tests") ? [tests, page] : [extension, web, page]).map((options) => build(options)),
  );
}
