/** What every command has: someone to ask, and a way to answer. */
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

/** Says that an answer may be old, where it is one. */
export function noteStale({ output }: Pick<Context, "output">, stale: string | null): void {
  if (stale !== null) output.note(`this answer may be incomplete: ${stale}`);
}
