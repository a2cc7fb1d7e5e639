/** When a server that has crashed is started again. */

const DELAYS_S = [1, 2, 4, 8, 16] as const;
/** Crashes longer ago than this do not count. */
const FORGOTTEN_AFTER_S = 300;

/** When the recent crashes happened, in seconds of one clock. */
export type Crashes = readonly number[];

export interface Verdict {
  readonly crashes: Crashes;
  /** How long to wait before the next start; undefined gives up. */
  readonly delay_s: number | undefined;
}

/** Count one more crash and decide about the next start. */
export function afterCrash(earlier: Crashes, now_s: number): Verdict {
  const recent = earlier.filter((at_s) => now_s - at_s < FORGOTTEN_AFTER_S);
  return { crashes: [...recent, now_s], delay_s: DELAYS_S[recent.length] };
}
