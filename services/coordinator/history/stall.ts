/** Whether PostgreSQL records a stream although it is there, and why it does not. */
import type { Log } from "../../process/log.ts";

export interface Stall {
  began(reason: string): void;
  /** Something was recorded. */
  over(): void;
  /** undefined: PostgreSQL records the stream. */
  reason(): string | undefined;
}

export function createStall(stream: string, log: Log): Stall {
  let current: string | undefined;
  return {
    began(reason) {
      if (reason !== current) {
        log.error({ stream, reason }, "PostgreSQL records nothing now, keeps trying");
      }
      current = reason;
    },
    over() {
      if (current !== undefined) log.info({ stream }, "PostgreSQL records again");
      current = undefined;
    },
    reason: () => current,
  };
}
