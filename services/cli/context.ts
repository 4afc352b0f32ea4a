/** The parts that every command has: a coordinator to ask, and an output. */
import type { Ask } from "./client.ts";
import type { Output } from "./output.ts";

export interface Context {
  ask: Ask;
  output: Output;
  now: () => number;
}

/** The option that every command has. */
export interface JsonOption {
  json?: true;
}
export const JSON_OPTION = ["--json", "print the answer as one JSON document"] as const;

/** Notes that an answer may be old, if it may be. */
export function noteStale({ output }: Pick<Context, "output">, stale: string | null): void {
  if (stale !== null) output.note(`this answer may be incomplete: ${stale}`);
}
