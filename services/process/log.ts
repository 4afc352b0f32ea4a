/** One JSON object per line on stderr, which journald keeps; pino's levels. */
import { pino, type Logger } from "pino";

export type Log = Logger;
export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Synchronous, so that lines logged before a crash are written. */
export function createLog(program: string, level: LogLevel): Log {
  return pino(
    {
      name: program,
      level,
      base: { name: program },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
