/** Why there is no suggestion, and what may be done about it. */
import {
  AUTOMATIC,
  INSTALL,
  LOG,
  RESTART,
  RESUME,
  SET_PATH,
  TURN_ON,
  turnOnFor,
  type Action,
} from "./actions";
import type { Phase, Switches } from "./status";

/** The codes of the server's reasons; a newer server may have others, which have no remedy here. */
const CODES = [
  "off",
  "snoozed",
  "manual",
  "language",
  "excluded",
  "loading",
  "consent",
  "engine",
  "unlikely",
  "missing",
  "rejected",
  "filtered",
  "nothing",
] as const;

export type ReasonCode = (typeof CODES)[number];

/** What to show a user whose request has no suggestion. */
export interface Answer {
  readonly message: string;
  readonly actions: readonly Action[];
  /** Whether the server asks the user about it in a message of its own, which has the buttons. */
  readonly isQuestion?: boolean;
}

/** Read a reason's code; undefined if it is none, or one that is not known. */
export function readCode(value: unknown): ReasonCode | undefined {
  return CODES.find((code) => code === value);
}

/** Read the server's answer to `copilotServer/whyNothing` for a document in `language`; undefined for none. */
export function readWhyNothing(value: unknown, language: string): Answer | undefined {
  const { code, message, percent } = (value ?? {}) as Record<string, unknown>;
  if (typeof message !== "string" || message === "") {
    return undefined;
  }
  const share = typeof percent === "number" && !message.includes("%") ? ` (${Math.round(percent)} %)` : "";
  const actions = actionsFor(readCode(code), language);
  return { message: message + share, actions, isQuestion: code === "consent" };
}

/** What the user may do about a reason in a document in `language`. */
export function actionsFor(code: ReasonCode | undefined, language: string): readonly Action[] {
  const remedies: Readonly<Partial<Record<ReasonCode, readonly Action[]>>> = {
    off: [TURN_ON],
    snoozed: [RESUME],
    manual: [AUTOMATIC],
    language: [turnOnFor(language)],
    engine: [RESTART, LOG],
  };
  return (code && remedies[code]) ?? [];
}

/** Why the server cannot be asked now; undefined if it can. */
export function obstacle(phase: Phase, switches: Switches): Answer | undefined {
  if (switches.language === undefined) {
    return { message: "Suggestions are for files, untitled documents and notebooks.", actions: [] };
  }
  if (!switches.enabled) {
    const where = switches.isOffHere ? " in this workspace" : "";
    return { message: `Suggestions are off${where}.`, actions: [TURN_ON] };
  }
  switch (phase.kind) {
    case "missing":
      return { message: phase.message, actions: [INSTALL, SET_PATH] };
    case "failed":
      return { message: phase.message, actions: [RESTART, LOG] };
    case "restarting":
      return { message: `${phase.why} It restarts in ${phase.delay_s} s.`, actions: [RESTART, LOG] };
    case "installing":
      return { message: "The server is being installed.", actions: [] };
    case "starting":
      return { message: "The server is starting.", actions: [] };
    case "idle":
    case "running":
      return undefined;
  }
}
