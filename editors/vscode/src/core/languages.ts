/** The languages with suggestions. */

export type Languages = Readonly<Record<string, boolean>>;

/** Whether `language` has suggestions; `*` stands for all that are not named. */
export function isLanguageOn(languages: Languages, language: string): boolean {
  return languages[language] ?? languages["*"] ?? true;
}

/** `languages` with suggestions for `language` toggled. */
export function toggledLanguage(languages: Languages, language: string): Languages {
  return { ...languages, [language]: !isLanguageOn(languages, language) };
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
