/** The models that `copilot-server models --json` lists. */

export interface Model {
  readonly id: string;
  readonly title: string;
  readonly parameters: number;
  readonly size_bytes: number;
  readonly licence: string;
  readonly isOnDisk: boolean;
  /** The best published pass@1 on HumanEval. */
  readonly score_percent: number | undefined;
  /** Whether it is the one that `auto` chooses among those on this machine. */
  readonly isChosen: boolean;
  /** Whether `auto` would choose it if it were on this machine. */
  readonly isSuited: boolean;
  /** Why; empty if it is neither. */
  readonly reason: string;
}

/** The setting that leaves the choice to the server. */
export const AUTO = "auto";

export interface ModelRow {
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly detail: string;
}

/**
 * Read the list.
 *
 * @throws Error - If it is not a valid list.
 */
export function readModels(json: string): readonly Model[] {
  const rows: unknown = JSON.parse(json);
  if (!Array.isArray(rows)) {
    throw new TypeError("The list of models is not a list.");
  }
  return rows.map(readModel);
}

/** How a model is shown in the picker. */
export function modelRow(model: Model, current: string): ModelRow {
  const facts = [`${(model.parameters / 1e9).toFixed(1)} B parameters`, model.licence];
  if (model.score_percent !== undefined) {
    facts.push(`HumanEval ${model.score_percent.toFixed(1)} %`);
  }
  return {
    id: model.id,
    label: model.id === current ? `$(check) ${model.id}` : model.id,
    description: model.isOnDisk ? "on this machine" : `to be fetched, ${gigabytes(model.size_bytes)}`,
    detail: facts.join("  ·  "),
  };
}

/** How the choice by the server is shown in the picker, beside the `models`; `configured` is the setting. */
export function autoRow(models: readonly Model[], configured: string): ModelRow {
  const chosen = models.find((model) => model.isChosen) ?? models.find((model) => model.isSuited);
  return {
    id: AUTO,
    label: configured === AUTO ? `$(check) ${AUTO}` : AUTO,
    description: "the largest on this machine that is fast enough on it",
    detail: chosen?.reason ?? "",
  };
}

/** What would have to be fetched for `auto` to serve what suits this machine; undefined for nothing. */
export function missingFor(models: readonly Model[]): Model | undefined {
  return models.find((model) => model.isSuited && !model.isOnDisk);
}

/** A human-readable size. */
export function gigabytes(size_bytes: number): string {
  return `${(size_bytes / 1e9).toFixed(1)} GB`;
}

function readModel(row: unknown): Model {
  if (typeof row !== "object" || row === null || typeof (row as { id?: unknown }).id !== "string") {
    throw new TypeError("A model in the list has no id.");
  }
  const { id, title, parameters, size_bytes, licence, on_disk, humaneval, auto, suits, reason } =
    row as Record<string, unknown>;
  return {
    id: String(id),
    title: typeof title === "string" ? title : String(id),
    parameters: Number(parameters),
    size_bytes: Number(size_bytes),
    licence: typeof licence === "string" ? licence : "licence unknown",
    isOnDisk: on_disk === true,
    score_percent: bestScore(humaneval),
    isChosen: auto === true,
    isSuited: suits === true,
    reason: typeof reason === "string" ? reason : "",
  };
}

function bestScore(humaneval: unknown): number | undefined {
  const scores = (Array.isArray(humaneval) ? humaneval : [])
    .map((score: unknown) => Number((score as Record<string, unknown> | null)?.["pass_at_1_percent"]))
    .filter(Number.isFinite);
  return scores.length > 0 ? Math.max(...scores) : undefined;
}
