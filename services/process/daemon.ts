/**
 * A daemon's life: start, run until a signal or until a part fails, release.
 *
 * The first failing part ends the process, also in the middle of its start; systemd
 * starts it again. A second signal ends it at once.
 */
import { onEndSignals } from "./end-signals.ts";
import { explainExit, EXIT, type ExitCode } from "./exit.ts";
import type { Release } from "./release.ts";
import { starting } from "./release.ts";
import { createServiceManager } from "./service-manager.ts";

export interface Life {
  /** Notes how to undo a step of the start. */
  onRelease: (undo: Release) => void;
  /** Ends the process because a part of it failed; the first call counts. */
  fail: (error: unknown) => void;
  /** From now on SIGHUP calls `work`, beside what it calls already, and does not end the process. */
  onHangUp: (work: () => void) => void;
  /** Reports to systemd that the daemon works, again and again as long as `isAlive` resolves. */
  ready: (isAlive?: () => Promise<unknown>) => void;
}

const RELEASE_WITHIN_MS = 10_000;

/** Runs `start` and returns the exit code when everything is released again. */
export async function runDaemon(
  program: string,
  start: (life: Life) => Promise<void>,
): Promise<ExitCode> {
  let end: (code: ExitCode) => void = () => {};
  const ended = new Promise<ExitCode>((resolve) => (end = resolve));
  const fail = (error: unknown) => end(explainExit(program, error));
  const manager = createServiceManager(process.env, process.pid);
  const ready: Life["ready"] = (isAlive = () => Promise.resolve()) => {
    manager.ready(isAlive).catch(fail);
  };
  const hangUps: (() => void)[] = [];
  onEndSignals(
    () => end(EXIT.ok),
    () => process.exit(EXIT.unavailable),
    () => {
      for (const work of hangUps) work();
      return hangUps.length > 0;
    },
  );
  const onHangUp: Life["onHangUp"] = (work) => void hangUps.push(work);
  // The terminal may be gone before the process is.
  process.stdout.on("error", () => {});
  process.stderr.on("error", () => {});
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  const cancelled = ended.then((code) => {
    setTimeout(() => {
      process.stderr.write(`${program}: shutdown took longer than 10 s, ending without it\n`);
      process.exit(code === EXIT.ok ? EXIT.unavailable : code);
    }, RELEASE_WITHIN_MS).unref();
    manager.stopping().catch(() => {});
    throw new Cancelled();
  });
  try {
    const [, release] = await starting(
      async (onRelease) => start({ onRelease, onHangUp, fail, ready }),
      cancelled,
    );
    const code = await ended;
    await release();
    return code;
  } catch (error) {
    return error instanceof Cancelled ? await ended : explainExit(program, error);
  }
}

/** The start need not go on, because the process is to end. */
class Cancelled extends Error {}
