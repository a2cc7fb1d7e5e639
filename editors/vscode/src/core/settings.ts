/** The server's settings: which of them are sent to it, and when. */
import { isDeepStrictEqual } from "node:util";

/** Names in package.json without the section. The server has the same names, with underscores. */
export const SERVER_SETTINGS = [
  "model",
  "device",
  "dtype",
  "offline",
  "enabled",
  "languages",
  "exclude",
  "workspace",
  "statistics",
  "debounce",
  "completion.maxPromptTokens",
  "completion.maxNewTokens",
  "completion.candidates",
  "completion.temperature",
  "completion.topP",
  "completion.protocol",
  "completion.eagerness",
  "speed.fast",
  "speed.prefixCache",
  "speed.drafts",
  "speed.cudaGraphs",
  "speed.ahead",
  "speed.threads",
  "engine",
  "remote.model",
  "remote.fim",
  "remote.apiKeyFile",
  "remote.allowHttp",
  "remote.connectTimeoutS",
  "remote.readTimeoutS",
  "remote.deadlineS",
] as const;

export type ServerSetting = (typeof SERVER_SETTINGS)[number];
export type Values = Readonly<Partial<Record<ServerSetting, unknown>>>;

/** Reads a setting: its value, its default, and whether it is set. */
export interface Reader {
  value(name: ServerSetting): unknown;
  fallback(name: ServerSetting): unknown;
  isSet(name: ServerSetting): boolean;
}

/**
 * The settings to start a server with, which are those that have been set.
 * A default that was sent too would override the server's own settings file.
 */
export function chosenSettings(reader: Reader): Values {
  const chosen = SERVER_SETTINGS.filter((name) => reader.isSet(name));
  return Object.fromEntries(chosen.map((name) => [name, reader.value(name)]));
}

/**
 * Whether a server that was started with other settings must be restarted. It reads the settings of remote engines,
 * which decide where source is sent, only when it starts.
 */
export function needsRestart(reader: Reader, started: Values): boolean {
  const chosen = chosenSettings(reader);
  const settled = SERVER_SETTINGS.filter((name) => name === "engine" || name.startsWith("remote."));
  return settled.some((name) => !isDeepStrictEqual(chosen[name], started[name]));
}

/** Whether these settings must be sent to a server that was started with other ones. */
export function haveChanged(reader: Reader, started: Values): boolean {
  return !isDeepStrictEqual(chosenSettings(reader), started);
}

/**
 * The settings as flags of the self-test. The others have no flags, and the self-test reads them from the server's
 * own file. What a remote engine decides itself is left out.
 */
export function selfTestFlags(reader: Reader): readonly string[] {
  const engines = [reader.value("engine")].flat().filter((url) => typeof url === "string");
  const names = engines.length > 0 ? (["model"] as const) : (["model", "device", "dtype"] as const);
  const chosen = names.filter((name) => reader.isSet(name));
  return [
    ...engines.flatMap((url) => ["--engine", url]),
    ...chosen.flatMap((name) => [`--${name}`, String(reader.value(name)).trim()]),
    ...(reader.value("offline") === true ? ["--offline"] : []),
  ];
}

/**
 * The settings to send after a change.
 * The server keeps the settings of its start until it gets others, so a setting that has since been removed is
 * sent with its default.
 */
export function changedSettings(reader: Reader, started: Values): Values {
  const removed = SERVER_SETTINGS.filter((name) => name in started && !reader.isSet(name));
  const defaults = Object.fromEntries(removed.map((name) => [name, reader.fallback(name)]));
  return { ...defaults, ...chosenSettings(reader) };
}
