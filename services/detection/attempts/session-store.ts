/** Sessions by their names, in bounded room: the longest untouched make way. */
import { dropOldest } from "./bounded-map.ts";
import type { SessionAttempts } from "./session-attempts.ts";

export interface Session {
  lastAt: number;
  /** Attempts that have been counted. */
  counted: number;
  /** What the lines of each source have reported. */
  bySource: Record<string, SessionAttempts>;
  /** An end that names no session was taken for its own. */
  isEnded: boolean;
}

export interface SessionStore {
  find(name: string): Session | undefined;
  /** Makes it where there is none; `now` is the time of the last line. */
  ensure(name: string, now: number): Session;
  /** Forgets what was last touched before. */
  forget(before: number): void;
  snapshot(): [string, Session][];
  readonly size: number;
}

const MOVE_AFTER_MS = 150_000;

/** Of most sessions there is nothing but the end. */
export const NO_LINES: Record<string, SessionAttempts> = {};

/** A part of a line would keep all of the line in memory. */
export const copyOf = (text: string): string => ` ${text}`.slice(1);

export function createSessionStore(
  max: number,
  known: readonly [string, Session][] = [],
): SessionStore {
  const sessions = new Map<string, Session>(structuredClone(known as [string, Session][]));
  return {
    find: (name) => sessions.get(name),
    ensure(name, now) {
      const found = sessions.get(name);
      if (found) {
        if (now - found.lastAt < MOVE_AFTER_MS) return found;
        // The Map keeps the order of insertion: the first are the longest untouched, but for that.
        sessions.delete(name);
        sessions.set(name, found);
        return found;
      }
      if (sessions.size >= max) dropOldest(sessions);
      const made = { lastAt: now, counted: 0, bySource: NO_LINES, isEnded: false };
      sessions.set(copyOf(name), made);
      return made;
    },
    forget(before) {
      for (const [name, { lastAt }] of sessions) {
        if (lastAt >= before) break; // those behind it were touched later
        sessions.delete(name);
      }
    },
    snapshot: () => structuredClone([...sessions]),
    get size() {
      return sessions.size;
    },
  };
}
