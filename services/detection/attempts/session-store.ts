/** Sessions by their names, in bounded room: the longest untouched make way. */
import { dropOldest } from "./bounded-map.ts";
import { noAttempts, type SessionAttempts } from "./session-attempts.ts";

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
  /**
   * The session of a line that was written at `at`: `known`, which `find` has found, or a new one.
   * `now` is the time of the newest line.
   */
  ensure(name: string, known: Session | undefined, at: number, now: number): Session;
  /** Forgets what was last touched before. */
  forget(before: number): void;
  snapshot(): [string, Session][];
  readonly size: number;
}

const MOVE_AFTER_MS = 150_000;

/** Of most sessions there is nothing but the end. */
export const NO_LINES: Record<string, SessionAttempts> = {};

/** What the lines of `source` have reported of the session. */
export function linesOf(session: Session, source: string): SessionAttempts {
  if (session.bySource === NO_LINES) session.bySource = {};
  return (session.bySource[source] ??= noAttempts());
}

export function createSessionStore(
  max: number,
  known: readonly [string, Session][] = [],
): SessionStore {
  const sessions = new Map<string, Session>(structuredClone(known as [string, Session][]));
  return {
    find: (name) => sessions.get(name),
    ensure(name, found, at, now) {
      if (found === undefined) {
        if (sessions.size >= max) dropOldest(sessions);
        const made = { lastAt: at, counted: 0, bySource: NO_LINES, isEnded: false };
        sessions.set(name, made);
        return made;
      }
      if (now - found.lastAt >= MOVE_AFTER_MS) {
        // The Map keeps the order of insertion: the first are the longest untouched, but for that.
        sessions.delete(name);
        sessions.set(name, found);
      }
      found.lastAt = at;
      return found;
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
