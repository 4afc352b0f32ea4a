/**
 * The signals that ask a process to end: Ctrl-C, SIGTERM, a terminal that was closed.
 *
 * One Ctrl-C may arrive twice: the terminal sends it to every process, and npm passes it on to its child.
 */
const ECHO_MS = 1_000;

/**
 * Calls `first` once, and `again` for every signal that somebody has sent after it. SIGHUP ends the
 * process as well, unless `onHangUp` returns true.
 */
export function onEndSignals(
  first: () => void,
  again: () => void,
  onHangUp: () => boolean = () => false,
): void {
  let firstAt: number | undefined;
  const listen = () => {
    const now = performance.now();
    if (firstAt === undefined) {
      firstAt = now;
      first();
    } else if (now - firstAt >= ECHO_MS) again();
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, listen);
  process.on("SIGHUP", () => {
    if (!onHangUp()) listen();
  });
}
