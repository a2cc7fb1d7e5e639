/** The buttons under messages: what may be done about something. */

export interface Action {
  readonly title: string;
  readonly command: string;
  readonly args?: readonly unknown[];
}

export const LOG: Action = { title: "Show Log", command: "copilot-server.showLog" };
export const RESTART: Action = { title: "Restart", command: "copilot-server.restart" };
/** The message says what is fetched, so nothing more is asked. */
export const INSTALL: Action = { title: "Install", command: "copilot-server.install", args: [true] };
export const UPDATE: Action = { title: "Update…", command: "copilot-server.install" };
export const SET_PATH: Action = {
  title: "Set Path",
  command: "workbench.action.openSettings",
  args: ["copilot-server.serverPath"],
};
export const TURN_ON: Action = { title: "Turn On", command: "copilot-server.toggle" };
export const RESUME: Action = { title: "Resume", command: "copilot-server.resume" };
export const AUTOMATIC: Action = {
  title: "Suggest Automatically",
  command: "copilot-server.toggleAutomatic",
};

/** Turns suggestions on for a language. */
export function turnOnFor(language: string): Action {
  return { title: `Turn On for ${language}`, command: "copilot-server.toggleLanguage" };
}
