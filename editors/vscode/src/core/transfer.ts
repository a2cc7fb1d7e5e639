/** How far an installation is, in bytes and time. */
import { readdir, stat } from "node:fs/promises";
import path from "node:path";

const POLL_MS = 500;
/** The rate is that of so many seconds. */
const WINDOW_S = 10;

export interface Transfer {
  readonly fetched_bytes: number;
  /** What is to be fetched in all, about; undefined if nobody knows. */
  readonly total_bytes: number | undefined;
  /** The time left; undefined while there is nothing to tell it by. */
  readonly left_s: number | undefined;
}

/** Tells how much of `total_bytes` has been fetched, and how long the rest will take. */
export class Meter {
  private samples: { readonly at_s: number; readonly bytes: number }[] = [];

  constructor(private readonly total_bytes: number | undefined) {}

  measured(bytes: number, at_s: number): Transfer {
    this.samples = [...this.samples.filter((one) => at_s - one.at_s <= WINDOW_S), { at_s, bytes }];
    const [first] = this.samples;
    const rate = first === undefined || at_s === first.at_s ? 0 : (bytes - first.bytes) / (at_s - first.at_s);
    const left = this.total_bytes === undefined ? undefined : Math.max(0, this.total_bytes - bytes);
    return {
      fetched_bytes: bytes,
      total_bytes: this.total_bytes,
      left_s: left === undefined || rate <= 0 ? undefined : left / rate,
    };
  }
}

/** Report what pip has fetched into a folder of temporary files, until the function that is returned is called. */
export function watchFolder(
  folder: string,
  total_bytes: number | undefined,
  onTransfer: (transfer: Transfer) => void,
): () => void {
  const meter = new Meter(total_bytes);
  let most_bytes = 0;
  const timer = setInterval(() => {
    void wheelBytes(folder).then((bytes) => {
      most_bytes = Math.max(most_bytes, bytes); // pip removes what it has unpacked
      onTransfer(meter.measured(most_bytes, performance.now() / 1000));
    });
  }, POLL_MS);
  return () => {
    clearInterval(timer);
  };
}

/** Such as "12 of 95 MB, about 2 min left"; empty if nothing has been fetched. */
export function described({ fetched_bytes, total_bytes, left_s }: Transfer): string {
  if (fetched_bytes === 0) {
    return "";
  }
  const isWhole = total_bytes === undefined || fetched_bytes >= total_bytes;
  const [amount, unit] = isWhole ? split(fetched_bytes) : split(total_bytes);
  const done = isWhole ? amount : rounded(fetched_bytes / UNITS[unit]);
  const bytes = isWhole ? `${done} ${unit}` : `${done} of ${amount} ${unit}`;
  return isWhole || left_s === undefined ? bytes : `${bytes}, about ${duration(left_s)} left`;
}

/** Such as "95 MB" or "2.8 GB". */
export function size(bytes: number): string {
  return split(bytes).join(" ");
}

const UNITS = { kB: 1e3, MB: 1e6, GB: 1e9 } as const;

function split(bytes: number): [string, keyof typeof UNITS] {
  const unit = bytes >= 1e9 ? "GB" : bytes >= 1e6 ? "MB" : "kB";
  return [rounded(bytes / UNITS[unit]), unit];
}

function rounded(amount: number): string {
  return amount < 10 ? String(Number(amount.toFixed(1))) : String(Math.round(amount));
}

function duration(left_s: number): string {
  return left_s < 90 ? `${Math.max(1, Math.round(left_s))} s` : `${Math.round(left_s / 60)} min`;
}

/** The bytes of the wheels in a folder and in those in it. */
async function wheelBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  let sum = 0;
  for (const entry of entries) {
    const inside = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      sum += await wheelBytes(inside);
    } else if (entry.name.endsWith(".whl")) {
      sum += await stat(inside).then(
        (found) => found.size,
        () => 0,
      );
    }
  }
  return sum;
}
