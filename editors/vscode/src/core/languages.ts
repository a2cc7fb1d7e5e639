/** The languages with suggestions. */

export type Languages = Readonly<Record<string, boolean>>;

/** Whether `language` has suggestions; `*` stands for all that are not named. */
export function isLanguageOn(languages: Languages, language: string): boolean {
  return languages[language] ?? languages["*"] ?? true;
}

/** A scope's `own` languages with those for `language` toggled, which all scopes together set to `languages`. */
export function toggledLanguage(own: Languages, languages: Languages, language: string): Languages {
  return { ...own, [language]: !isLanguageOn(languages, language) };
}

/** The setting's value if it is valid; otherwise all languages are on. */
export function readLanguages(value: unknown): Languages {
  if (typeof value !== "object" || value === null) {
    return { "*": true };
  }
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, boolean] => typeof entry[1] === "boolean"),
  );
}

/** The languages that are on in any of the folders, each of which has its own. */
export function onInAny(folders: readonly Languages[]): Languages {
  const names = new Set(folders.flatMap((languages) => ["*", ...Object.keys(languages)]));
  return Object.fromEntries(
    [...names].map((name) => [name, folders.some((languages) => isLanguageOn(languages, name))]),
  );
}
