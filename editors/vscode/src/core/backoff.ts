/** When to restart a server that has crashed. */

const DELAYS_S = [1, 2, 4, 8, 16] as const;
/** Crashes before this time do not count. */
const FORGOTTEN_AFTER_S = 300;

/** The times of the recent crashes, in seconds of one clock. */
export type Crashes = readonly number[];

export interface Verdict {
  readonly crashes: Crashes;
  /** How long to wait before the next start; undefined to give up. */
  readonly delay_s: number | undefined;
}

/** Count another crash and decide about the next start. */
export function afterCrash(earlier: Crashes, now_s: number): Verdict {
  const recent = earlier.filter((at_s) => now_s - at_s < FORGOTTEN_AFTER_S);
  return { crashes: [...recent, now_s], delay_s: DELAYS_S[recent.length] };
}
