/** What completes the steps of the walkthrough: a step is done when the user has done what it says. */

/** Each is the name of a context key in package.json's `completionEvents`, with the id of its step. */
export const STEPS = {
  found: "server",
  accepted: "write",
  compared: "choose",
  chosen: "model",
  tested: "prove",
} as const;

export type Milestone = keyof typeof STEPS;

type Watch = (milestone: Milestone) => void;

const happened = new Set<Milestone>();
let watch: Watch | undefined;

/** Note what the user has done. */
export function reached(milestone: Milestone): void {
  if (!happened.has(milestone)) {
    happened.add(milestone);
    watch?.(milestone);
  }
}

/** Report each milestone once, those that have been reached already at once. */
export function onReached(report: Watch): void {
  watch = report;
  happened.forEach(report);
}
