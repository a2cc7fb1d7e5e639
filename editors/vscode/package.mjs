// Packs the extension: node package.mjs [--repository URL] [--out FILE].
// It is packed in a copy of its folder, whose manifest names the repository, and whose README has links and pictures
// of it. Without a repository there are neither, since they would lead nowhere.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { createVSIX } from "@vscode/vsce";

const { values } = parseArgs({ options: { repository: { type: "string" }, out: { type: "string" } } });
const PACKED = [".vscodeignore", "CHANGELOG.md", "LICENSE", "dist", "media", "server", "walkthrough"];
/** Where the extension is in the repository. */
const FOLDER = "editors/vscode";

/** The manifest with the addresses that the galleries show. */
function manifest(text, repository) {
  const whole = JSON.parse(text);
  delete whole.scripts; // vsce would run one
  const addresses = repository && {
    repository: { type: "git", url: `${repository}.git`, directory: FOLDER },
    bugs: { url: `${repository}/issues` },
    homepage: `${repository}/tree/HEAD/${FOLDER}#readme`,
  };
  return `${JSON.stringify({ ...whole, ...addresses }, null, 2)}\n`;
}

/** The README, without relative pictures and links if there is no repository. */
function readme(text, repository) {
  if (repository) {
    return text;
  }
  const isRelative = "(?!\\w+:|#)[^)]*";
  return text
    .replace(new RegExp(`^!\\[[^\\]]*\\]\\(${isRelative}\\)\\n\\n?`, "gm"), "")
    .replace(new RegExp(`(?<!!)\\[([^\\]]*)\\]\\(${isRelative}\\)`, "g"), "$1");
}

execFileSync(process.execPath, ["esbuild.mjs", "--production"], { stdio: "inherit" });
const repository = values.repository?.replace(/(\.git|\/)$/, "");
const copy = mkdtempSync(path.join(tmpdir(), "vsix-"));
try {
  for (const name of PACKED) {
    cpSync(name, path.join(copy, name), { recursive: true });
  }
  writeFileSync(path.join(copy, "package.json"), manifest(readFileSync("package.json", "utf8"), repository));
  writeFileSync(path.join(copy, "README.md"), readme(readFileSync("README.md", "utf8"), repository));
  await createVSIX({
    cwd: copy,
    packagePath: path.resolve(values.out ?? "copilot-server.vsix"),
    dependencies: false,
    allowMissingRepository: true,
    ...(repository && {
      baseContentUrl: `${repository}/blob/HEAD/${FOLDER}`,
      baseImagesUrl: `${repository}/raw/HEAD/${FOLDER}`,
    }),
  });
} finally {
  rmSync(copy, { recursive: true, force: true });
}
