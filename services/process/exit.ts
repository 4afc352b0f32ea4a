import type { Writable } from "node:stream";

/** Exit codes, from sysexits.h. systemd and scripts act on them. */
export const EXIT = {
  ok: 0,
  /** The CLI's "no": there is no such thing, or it may not be done. */
  refused: 1,
  /** `status --exit-code`: something does not work. */
  critical: 2,
  usage: 64,
  noInput: 66,
  unavailable: 69,
  bug: 70,
  /** The answer cannot be written, for example because the disk is full. */
  output: 74,
  permission: 77,
  config: 78,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * An error that its message explains to the user: no stack is shown for it.
 * Everything else that reaches `main` is a bug and shows its stack.
 */
export class PlainError extends Error {
  override name = "PlainError";
  readonly exitCode: ExitCode;
  constructor(message: string, exitCode: ExitCode, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Ends the process with this code; everything has been printed already. */
export class SilentExit extends Error {
  override name = "SilentExit";
  readonly exitCode: ExitCode;
  constructor(exitCode: ExitCode) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** Prints on stderr why `program` ends, and returns its exit code. */
export function explainExit(
  program: string,
  error: unknown,
  stderr: Pick<Writable, "write"> = process.stderr,
): ExitCode {
  if (error instanceof SilentExit) return error.exitCode;
  if (error instanceof PlainError) {
    stderr.write(`${program}: ${error.message}\n`);
    return error.exitCode;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  stderr.write(`${program}: this is a bug, please report it\n${text}\n`);
  return EXIT.bug;
}
