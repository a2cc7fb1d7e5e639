/** The messages between the panel's page and the extension. */
import type { ExampleNote } from "./candidates";

export type ToPage =
  | {
      readonly kind: "start";
      /** The position of the candidates, for the heading. */
      readonly where: string;
      /** The line before the cursor, shown in grey before each candidate. */
      readonly before: string;
      /** The language of the document, by its id. */
      readonly language: string;
    }
  | {
      readonly kind: "candidate";
      readonly index: number;
      readonly text: string;
      readonly examples: ExampleNote | undefined;
    }
  | { readonly kind: "end"; readonly message: string };

export type FromPage =
  | { readonly kind: "ready" }
  | { readonly kind: "again" }
  | { readonly kind: "accept"; readonly index: number };

/** Read a message of the page; undefined if it is not valid. */
export function readFromPage(message: unknown): FromPage | undefined {
  const { kind, index } = (message ?? {}) as Record<string, unknown>;
  if (kind === "ready" || kind === "again") {
    return { kind };
  }
  if (kind === "accept" && typeof index === "number" && Number.isInteger(index)) {
    return { kind, index };
  }
  return undefined;
}
