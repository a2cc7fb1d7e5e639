/** Which of the suggestions that an editor gets is on the screen. */
import type { Position, Span } from "./candidates";

/** A text that replaces a range; without one, at the cursor. */
interface Replacement {
  readonly text: string;
  readonly range: Span | undefined;
}

/**
 * Whether VS Code shows a suggestion beside the `selected` item of its completion list: only if it begins with that
 * item, and replaces what the item replaces. See `SelectedCompletionInfo` in VS Code's interface.
 */
export function isVisible(
  suggestion: Replacement,
  selected: { readonly text: string; readonly range: Span } | undefined,
): boolean {
  if (selected === undefined) {
    return true;
  }
  const { range, text } = suggestion;
  return range !== undefined && isAt(range.start, selected.range.start) && text.startsWith(selected.text);
}

/** Whether `text` is what is left of the suggestion `before` after the user has typed some or none of it. */
export function continues(before: string, text: string): boolean {
  return text !== "" && before.endsWith(text);
}

/** The id of a suggestion, which is the first argument of its item's command. */
export function idOf(args: readonly unknown[] | undefined): string | undefined {
  const [id] = args ?? [];
  return typeof id === "string" ? id : undefined;
}

function isAt(one: Position, other: Position): boolean {
  return one.line === other.line && one.character === other.character;
}
