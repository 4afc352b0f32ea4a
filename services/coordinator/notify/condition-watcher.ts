/** Looks at the fleet's hosts and warnings again and again, and announces what begins and is over. */
import { withResolvers } from "../../process/with-resolvers.ts";
import type { HostRow } from "../../wire/api.ts";
import type { Warning } from "../../wire/warnings.ts";
import {
  afterAnnouncing,
  conditionsOf,
  createSettling,
  eventsDue,
  nextConditions,
  type KeptCondition,
} from "./conditions.ts";
import type { ConditionType, NotifyEvent } from "./event.ts";
import type { NotifyBucket } from "./notify-bucket.ts";
import type { Outbox } from "./outbox.ts";

export interface ConditionWatcher {
  /** Rejects when another coordinator has taken over, or NATS is away. */
  readonly over: Promise<void>;
  stop(): Promise<void>;
}

/** Every host, and every warning of the fleet. */
export interface Fleet {
  warnings: readonly Warning[];
  rows: readonly HostRow[];
  /** Why hosts may be missing that nobody has heard for long; null: none is. */
  stale: string | null;
}

export interface ConditionWatcherOptions {
  outbox: Outbox;
  bucket: NotifyBucket;
  isWanted: (event: NotifyEvent) => boolean;
  onAppended: () => void;
  readFleet: () => Promise<Fleet | undefined>;
  now: () => number;
}

const LOOK_EVERY_MS = 5_000;
/** Hosts are behind for a moment after every ban; a host that was just restarted is soon back. */
const LASTS_MS: Readonly<Record<ConditionType, number>> = {
  "host-silent": 30_000,
  "host-behind": 60_000,
  "credentials-expire": 0,
  coverage: 60_000,
};

export function startConditionWatcher(options: ConditionWatcherOptions): ConditionWatcher {
  const { outbox, bucket, isWanted, onAppended, readFleet, now } = options;
  const settling = createSettling((type) => LASTS_MS[type], now);
  let kept: { conditions: readonly KeptCondition[]; revision: number } | undefined;
  let looking: Promise<void> | undefined;
  const over = withResolvers();

  async function write(conditions: readonly KeptCondition[], revision: number): Promise<void> {
    kept = { conditions, revision: await bucket.writeConditions(conditions, revision) };
  }

  async function look(): Promise<void> {
    const fleet = await readFleet();
    if (!fleet) return;
    if (!kept) {
      const { value = [], revision } = await bucket.readConditions();
      kept = { conditions: value, revision };
    }
    const holding = conditionsOf(fleet.warnings, fleet.rows);
    const settled = settling(holding);
    const names = new Set(fleet.rows.map(({ host }) => host));
    const isUnknown = (host: string) => fleet.stale !== null && !names.has(host);
    const next = nextConditions(kept.conditions, { settled, holding, isUnknown }, now());
    const events = eventsDue(next);
    if (events.length === 0) return;
    await write(next, kept.revision);
    const wanted = events.filter(isWanted);
    if (wanted.length > 0) await outbox.append(wanted);
    await write(afterAnnouncing(next), kept.revision);
    if (wanted.length > 0) onAppended();
  }

  const lookOnce = () => {
    looking ??= look()
      .catch((error: unknown) => over.reject(error))
      .finally(() => (looking = undefined));
  };
  lookOnce();
  const timer = setInterval(lookOnce, LOOK_EVERY_MS);
  return {
    over: over.promise,
    async stop() {
      clearInterval(timer);
      over.resolve();
      await looking;
    },
  };
}
