/** What the status bar shows. */
import { readMark, type ExampleMark } from "./candidates";
import { readCode, type ReasonCode } from "./reasons";

export type ServerState = "loading" | "ready" | "thinking" | "off" | "error";

/** The server's status, as `didChangeStatus` reports it. */
export interface ServerStatus {
  readonly state: ServerState;
  readonly percent: number | undefined;
  readonly message: string;
  readonly model: string;
  /** The hosts of the remote engine that runs the model; empty if the server runs it itself. */
  readonly engine: string;
  /** Why the server chose the model; empty if the settings name it. */
  readonly choice: string;
  /** Why there are no suggestions; undefined if there are, or if the server does not say. */
  readonly reason: ReasonCode | undefined;
  /** What the function's examples say of the suggestion that the user has asked for, if they were checked. */
  readonly examples: ExampleMark | undefined;
}

/** The state of the server's process, as the extension sees it. */
export type Phase =
  | { readonly kind: "idle" }
  | { readonly kind: "missing"; readonly message: string }
  | { readonly kind: "installing" }
  | { readonly kind: "starting" }
  | { readonly kind: "running"; readonly status: ServerStatus }
  | { readonly kind: "restarting"; readonly delay_s: number; readonly why: string }
  | { readonly kind: "failed"; readonly message: string };

/** The user's switches. */
export interface Switches {
  readonly enabled: boolean;
  /** Whether the workspace has them off, whatever the user has elsewhere. */
  readonly isOffHere: boolean;
  /** Whether a workspace is open, which can have a switch of its own. */
  readonly hasWorkspace: boolean;
  /** Whether suggestions come while the user types; otherwise only when the user asks. */
  readonly automatic: boolean;
  /** The active document's language; undefined if no document that can have suggestions is active. */
  readonly language: { readonly id: string; readonly on: boolean } | undefined;
  /** VS Code's own switch for ghost text of all extensions. */
  readonly ghostText: boolean;
}

export interface StatusView {
  readonly text: string;
  /** The first line of the tooltip, also read out by screen readers. */
  readonly summary: string;
  /** What to do about it; empty if nothing needs to be done. */
  readonly remedy: string;
  /** Where the source is sent; empty if it stays in the server. */
  readonly privacy: string;
  /** Why the server chose the model; empty if the settings name it. */
  readonly choice: string;
  readonly severity: "normal" | "warning" | "error";
}

const NAME = "Copilot Server";
const STATES: readonly string[] = ["loading", "ready", "thinking", "off", "error"] satisfies ServerState[];

/** Before the server has sent its status. */
export const UNKNOWN_STATUS: ServerStatus = {
  state: "loading",
  percent: undefined,
  message: "",
  model: "",
  engine: "",
  choice: "",
  reason: undefined,
  examples: undefined,
};
/** The number of characters of a host that fit in a status bar. */
const SHORT = 28;

/** Read the parameters of a `didChangeStatus`; undefined if they are not valid. */
export function readStatus(params: unknown): ServerStatus | undefined {
  if (typeof params !== "object" || params === null) {
    return undefined;
  }
  const { state, percent, message, model, engine, choice, reason, examples } = params as Record<
    string,
    unknown
  >;
  if (typeof state !== "string" || !STATES.includes(state)) {
    return undefined;
  }
  return {
    state: state as ServerState,
    percent: typeof percent === "number" ? Math.round(Math.min(100, Math.max(0, percent))) : undefined,
    message: typeof message === "string" ? message : "",
    model: typeof model === "string" ? model : "",
    engine: typeof engine === "string" ? engine : "",
    choice: typeof choice === "string" ? choice : "",
    reason: readCode(reason),
    examples: readMark(examples),
  };
}

/** The hosts of the remote engine that runs the model; empty if there is none. */
export function engineOf(phase: Phase): string {
  return phase.kind === "running" ? phase.status.engine : "";
}

/** Why the server chose the model; empty if the settings name it, or nothing is chosen yet. */
export function choiceOf(phase: Phase): string {
  return phase.kind === "running" ? phase.status.choice : "";
}

/** Why the server that runs has no suggestions. */
export function reasonOf(phase: Phase): ReasonCode | undefined {
  return phase.kind === "running" ? phase.status.reason : undefined;
}

/** The model's name; `configured` is the model that the settings name for the server itself. */
export function modelOf(phase: Phase, configured: string): string {
  const said = phase.kind === "running" ? phase.status.model : "";
  return engineOf(phase) === "" ? said || configured : said;
}

/** What to show for a phase of the server and the user's switches. */
export function statusView(phase: Phase, switches: Switches): StatusView {
  if (phase.kind === "missing" || phase.kind === "failed") {
    return failing(phase);
  }
  const off = whyOff(switches);
  if (off !== undefined) {
    return off;
  }
  switch (phase.kind) {
    case "idle":
      return normal("$(circle-outline)", "starts with the first document you open");
    case "installing":
      return normal("$(loading~spin)", "installing the server");
    case "starting":
      return normal("$(loading~spin)", "starting");
    case "restarting":
      return {
        ...normal("$(sync~spin)", `restarting in ${phase.delay_s} s`),
        remedy: phase.why,
        severity: "warning",
      };
    case "running":
      return running(phase.status, switches);
  }
}

function running(status: ServerStatus, { automatic }: Switches): StatusView {
  const view = status.engine === "" || status.state === "off" ? local(status) : remote(status);
  const manner = status.state === "ready" && !automatic ? "; suggestions come when you ask" : "";
  return { ...view, summary: view.summary + manner, choice: status.choice };
}

function local(status: ServerStatus): StatusView {
  const model = status.model === "" ? "" : ` (${status.model})`;
  switch (status.state) {
    case "loading": {
      const percent = status.percent === undefined ? "" : ` ${status.percent}%`;
      return {
        ...normal(`$(loading~spin)${percent}`, `loading the model${percent}${model}`),
        remedy: status.message,
      };
    }
    case "ready":
      return { ...normal(readyIcon(status), `ready${model}`), remedy: aboutSuggestion(status) };
    case "thinking":
      return normal("$(loading~spin)", `thinking${model}`);
    case "off":
      return normal("$(circle-slash)", status.message || "suggestions are off");
    case "error":
      return status.reason === "consent" ? unfetched(status.message) : failed(status.message);
  }
}

/** Whether the suggestion that the user has asked for passes the function's examples. */
function readyIcon({ examples }: ServerStatus): string {
  const icons = {
    passed: "$(testing-passed-icon)",
    failed: "$(testing-failed-icon)",
    unchecked: "$(sparkle)",
  };
  return icons[examples ?? "unchecked"];
}

/**
 * Why there is no suggestion where the user is although all is ready, or what the examples say of it; empty if
 * nobody has asked.
 */
function aboutSuggestion({ reason, examples, message }: ServerStatus): string {
  const isSaid = examples !== undefined || (reason !== undefined && reason !== "manual");
  return isSaid ? message.replace(/^Ready\. /, "") : "";
}

/** The same for a model that a remote engine runs: the user sees where the source is sent. */
function remote(status: ServerStatus): StatusView {
  const { state, engine, model } = status;
  const view =
    state === "loading"
      ? normal("$(loading~spin)", `connecting to ${engine}`)
      : local({ ...status, model: model === "" ? `at ${engine}` : `${model} at ${engine}` });
  return {
    ...view,
    text: `${view.text}: ${shortened(engine)}`,
    privacy: `What is completed is sent to the engine at ${engine}.`,
  };
}

/** The first of the hosts, and how many more there are. */
function shortened(hosts: string): string {
  const [first = "", ...more] = hosts.split(", ");
  const host = first.length > SHORT ? `${first.slice(0, SHORT - 1)}…` : first;
  return more.length === 0 ? host : `${host} +${more.length}`;
}

function failed(message: string): StatusView {
  return {
    ...normal("$(error)", "error"),
    remedy: message || "The log says more.",
    severity: "error",
  };
}

function unfetched(message: string): StatusView {
  return {
    ...normal("$(cloud-download)", "the model is not on this machine"),
    remedy: message,
    severity: "warning",
  };
}

function failing(phase: Phase & { kind: "missing" | "failed" }): StatusView {
  if (phase.kind === "failed") {
    return failed(phase.message);
  }
  return {
    ...normal("$(cloud-download)", "the server is not installed"),
    remedy: phase.message,
    severity: "warning",
  };
}

function whyOff(switches: Switches): StatusView | undefined {
  if (!switches.enabled) {
    return normal("$(circle-slash)", `suggestions are off${switches.isOffHere ? " in this workspace" : ""}`);
  }
  if (switches.language !== undefined && !switches.language.on) {
    return normal("$(circle-slash)", `suggestions are off for ${switches.language.id}`);
  }
  if (!switches.ghostText) {
    return {
      ...normal("$(warning)", "VS Code shows no ghost text"),
      remedy: "The setting editor.inlineSuggest.enabled is off.",
      severity: "warning",
    };
  }
  return undefined;
}

function normal(icon: string, what: string): StatusView {
  return {
    text: `${icon} ${NAME}`,
    summary: `${NAME}: ${what}`,
    remedy: "",
    privacy: "",
    choice: "",
    severity: "normal",
  };
}
