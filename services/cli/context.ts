/** What every command has: someone to ask, a way to answer, and whose order it is. */
import type { Ask } from "./client.ts";
import type { Output } from "./output.ts";

export interface Context {
  ask: Ask;
  output: Output;
  /** "operator root@mx1". */
  by: string;
  now: () => number;
}

/** The option that every command has. */
export interface JsonOption {
  json?: true;
}
export const JSON_OPTION = ["--json", "print the answer as one JSON document"] as const;

/** Says that an answer may be old, where it is one. */
export function noteStale({ output }: Pick<Context, "output">, stale: string | null): void {
  if (stale !== null) output.note(`this answer may be incomplete: ${stale}`);
}
