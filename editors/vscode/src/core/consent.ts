/** What a user is told before anything is installed. */
import type { Source } from "./install";
import type { Found } from "./locate";
import { FETCHED_VERSION, type PythonPlan } from "./python";
import { size } from "./transfer";

export interface Proposal {
  readonly source: Source;
  /** Whether PyTorch is installed. */
  readonly torch: boolean;
  /** Whether this machine has a GPU that PyTorch computes on. */
  readonly gpu: boolean;
  readonly python: PythonPlan;
  /** The server that is used now. */
  readonly used: Found | undefined;
  /** The setting serverPath. */
  readonly configured: string;
  readonly folder: string;
}

/** All that a user may want to know, for a dialog. */
export function consentDetail(proposal: Proposal): string {
  return [
    usedNow(proposal),
    `${whatIsFetched(proposal)} All of it goes into an environment of its own in ${proposal.folder}.`,
    pythonText(proposal.python),
    "The model is not fetched yet: the server asks before it fetches one.",
  ]
    .filter((one) => one !== "")
    .join("\n\n");
}

/** The same in a sentence, for a message. */
export function consentSummary(source: Source): string {
  const bytes = source.kind === "bundled" ? source.download_bytes : undefined;
  const much = bytes === undefined ? "" : ` about ${size(bytes)} of`;
  return `pip fetches${much} libraries from PyPI, into an environment of the extension's own.`;
}

/** What becomes of the server that is used now; empty if there is none. */
function usedNow({ used, configured }: Proposal): string {
  if (configured !== "") {
    const named = used === undefined ? `${configured}, which is no program that can be run` : used.program;
    return (
      `The setting serverPath names ${named}. It is left as it is, and what is installed is used only if the ` +
      'setting is emptied, as "Install and Switch" does.'
    );
  }
  switch (used?.origin) {
    case undefined:
    case "setting":
      return "";
    case "own environment":
      return "It takes the place of the one that was installed before.";
    case "PATH":
    case "workspace":
      return (
        `Now ${used.program} is used, which is left as it is: update it the way that you installed it. If you go on, ` +
        "what is installed here is used in its place."
      );
  }
}

function whatIsFetched(proposal: Proposal): string {
  const { source, torch, gpu } = proposal;
  if (source.kind === "unchecked") {
    return (
      `As the setting installSource says, pip installs ${source.name} and the libraries that it needs, PyTorch ` +
      "among them, without checking their hashes."
    );
  }
  const { download_bytes: download, disk_bytes: disk } = source;
  const sizes =
    download === undefined || disk === undefined
      ? ""
      : ` It is about ${size(download)}, and ${size(disk)} on disk.`;
  const why = torch
    ? "PyTorch is among them."
    : gpu
      ? "PyTorch is not among them, and the GPU not used."
      : "PyTorch is not among them: there is no GPU here for it, and listed models in .gguf files need none.";
  return (
    "The server comes with the extension. The libraries that it needs are what pip fetches and checks by their " +
    `hashes, from PyPI or from the index that it is configured with.${sizes} ${why}`
  );
}

function pythonText(plan: PythonPlan): string {
  switch (plan.kind) {
    case "found":
      return `It runs with ${plan.python.program} (Python ${plan.python.version.join(".")}).`;
    case "uv":
      return `There is no Python that fits, so uv (${plan.uv}) fetches Python ${FETCHED_VERSION}, about 30 MB, from GitHub.`;
    case "pip":
      return (
        `${plan.python.program} is Python ${plan.python.version.join(".")}, which is too old. So pip fetches uv, about ` +
        `20 MB, and uv fetches Python ${FETCHED_VERSION}, about 30 MB, from GitHub.`
      );
  }
}
