/** The server's settings: which of them are sent to it, and when. */
import { isDeepStrictEqual } from "node:util";

/** Names in package.json without the section. The server has the same names, with underscores. */
export const SERVER_SETTINGS = [
  "model",
  "device",
  "dtype",
  "offline",
  "fetch",
  "enabled",
  "automatic",
  "verify",
  "languages",
  "exclude",
  "workspace",
  "statistics",
  "debounce",
  "share",
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
  "remote.apiKeyHosts",
  "remote.apiKeyOverHttp",
  "remote.allowHttp",
  "remote.connectTimeoutS",
  "remote.readTimeoutS",
  "remote.deadlineS",
] as const;

export type ServerSetting = (typeof SERVER_SETTINGS)[number];
export type Values = Readonly<Partial<Record<ServerSetting, unknown>>>;

/**
 * What the server lets only its start set freely (`GUARDED` in `copilot_server/lsp/settings.py`): where source is sent,
 * which weights are loaded, which files are read, what is written to the disk, and when what the model wrote is run.
 */
export function isGuarded(name: ServerSetting): boolean {
  return (GUARDED as readonly string[]).includes(name.split(".", 1)[0] ?? name);
}

const GUARDED = [
  "model",
  "offline",
  "fetch",
  "automatic",
  "verify",
  "exclude",
  "workspace",
  "statistics",
  "share",
  "engine",
  "remote",
] as const;
/** Those of them that a workspace may set, too. The server lets a workspace only exclude more, or switch off. */
const SHARED = ["exclude", "workspace", "statistics"] as const satisfies readonly ServerSetting[];

/**
 * What may be switched off at any time, and on again only if the server was not started without it. So no server is:
 * it gets this setting afterwards, and a change needs no other server.
 */
const SWITCHED_LATER = "automatic" satisfies ServerSetting;

/** What a server is started with: the settings, and apart from the user's own those that the workspace has. */
export type StartSettings = Values & { readonly projectSettings?: Values };

/** Reads a setting: its value, its default, whether it is set, and the user's and the workspace's own values. */
export interface Reader {
  value(name: ServerSetting): unknown;
  fallback(name: ServerSetting): unknown;
  isSet(name: ServerSetting): boolean;
  users(name: ServerSetting): unknown;
  workspaces(name: ServerSetting): unknown;
}

/**
 * The settings to start a server with, which are those that have been set.
 * A default that was sent too would override the server's own settings file.
 */
export function startSettings(reader: Reader): StartSettings {
  const isOwn = (name: ServerSetting): boolean => !isShared(name) && !isSwitchedLater(name, reader);
  const own = SERVER_SETTINGS.filter((name) => reader.isSet(name) && isOwn(name));
  const projects = given(SHARED, (name) => reader.workspaces(name));
  return {
    ...given(own, (name) => reader.value(name)),
    ...given(SHARED, (name) => reader.users(name)),
    ...(Object.keys(projects).length > 0 ? { projectSettings: projects } : {}),
  };
}

/** The settings that have been set and that the server takes while it runs. */
export function chosenSettings(reader: Reader): Values {
  const isTaken = (name: ServerSetting): boolean => !isGuarded(name) || isSwitchedLater(name, reader);
  const chosen = SERVER_SETTINGS.filter((name) => reader.isSet(name) && isTaken(name));
  return given(chosen, (name) => reader.value(name));
}

/** Whether a server that was started with other settings must be restarted. */
export function needsRestart(reader: Reader, started: StartSettings): boolean {
  const chosen = startSettings(reader);
  const guarded = SERVER_SETTINGS.filter((name) => isGuarded(name) && name !== SWITCHED_LATER);
  return (["projectSettings", ...guarded] as const).some(
    (name) => !isDeepStrictEqual(chosen[name], started[name]),
  );
}

function isSwitchedLater(name: ServerSetting, reader: Reader): boolean {
  return name === SWITCHED_LATER && reader.value(name) === false;
}

function isShared(name: ServerSetting): boolean {
  return (SHARED as readonly string[]).includes(name);
}

function given(names: readonly ServerSetting[], read: (name: ServerSetting) => unknown): Values {
  const values = names.map((name) => [name, read(name)] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

/** Whether these settings must be sent to a server that was started with other ones. */
export function haveChanged(reader: Reader, started: StartSettings): boolean {
  return isSwitchedLater(SWITCHED_LATER, reader) || !isDeepStrictEqual(startSettings(reader), started);
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
export function changedSettings(reader: Reader, started: StartSettings): Values {
  const removed = SERVER_SETTINGS.filter(
    (name) => name in started && !reader.isSet(name) && !isGuarded(name),
  );
  const defaults = Object.fromEntries(removed.map((name) => [name, reader.fallback(name)]));
  return { ...defaults, ...chosenSettings(reader) };
}
