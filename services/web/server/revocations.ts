/**
 * Which credentials are revoked, as far as sessions of the web page were opened with them.
 * `fleetban key revoke` writes `revoked.KEY` into the bucket `fleetban_web` by itself: the entry
 * waits there for a coordinator that is down.
 *
 * Invariant: a revocation holds, whatever NATS has lost. An entry that was lost is written again.
 */
import type { MirrorEntry, MirrorEvent } from "../../nats/bucket-mirror.ts";
import { revokedKey } from "../../wire/subjects.ts";
import type { WebEntry } from "../../wire/web-sessions.ts";

export interface Revocations {
  /** Is this the public key of revoked credentials? null: the session needed none. */
  isRevoked(publicKey: string | null): boolean;
  /** Every event of the bucket, in order. */
  note(event: MirrorEvent<WebEntry>): void;
}

export interface RevocationsOptions {
  /** The entries of the bucket. */
  entries: () => ReadonlyMap<string, MirrorEntry<WebEntry>>;
  /** The entry under this key is a session or a link of credentials that were revoked just now. */
  onRevoked: (key: string) => void;
  /** Writes an entry where there is none. */
  write: (key: string, entry: WebEntry) => Promise<unknown>;
}

export function createRevocations(options: RevocationsOptions): Revocations {
  const { entries, onRevoked, write } = options;

  function reportEntriesOf(revoked: string): void {
    for (const [key, { value }] of entries()) {
      if (value.type !== "grant" || value.key === null) continue;
      if (revokedKey(value.key) === revoked) onRevoked(key);
    }
  }

  return {
    isRevoked: (publicKey) => publicKey !== null && entries().has(revokedKey(publicKey)),
    note(event) {
      if (event.type === "put" && event.value.type === "revoked") {
        reportEntriesOf(event.key);
      } else if (event.type === "rolled-back" && event.previous.type === "revoked") {
        // Another coordinator may be quicker.
        void write(event.key, event.previous).catch(() => {});
      }
    },
  };
}
