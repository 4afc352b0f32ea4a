/**
 * Publishes the policy to agents: what the configuration says of jails and of the allowlist. It is
 * published again when it has changed, when somebody has tampered with it, and into a new bucket.
 */
import type { Jail } from "../../wire/settings.ts";
import { withPauses, type JailPauses } from "../../policy/jail-pause.ts";
import { isOver, type AllowedEntry } from "../allowed-config.ts";
import type { Settings, WantedEntry } from "../buckets/settings-store.ts";
import type { AllowedNames } from "./allowed-names.ts";

export interface PublishedPolicy {
  jails: readonly Jail[];
  /** The same as agents get them. */
  published: readonly Jail[];
  allowed: readonly AllowedEntry[];
  /** Seconds. */
  longestFindtime: number;
  /** Seconds that an ended ban of a jail is remembered. */
  keptSeconds: (jail: string) => number;
}

export interface PolicyPublisherOptions {
  settings: Pick<Settings, "publish" | "takeTampered">;
  pauses: Pick<JailPauses, "of" | "changes">;
  /** What the configuration says now. */
  policy: () => PublishedPolicy;
  names: Pick<AllowedNames, "entries" | "keeps" | "changes">;
  now: () => number;
}

/** What was published last. */
interface Published {
  /** The bans bucket that it was published for. */
  created: string;
  policy: PublishedPolicy;
  /** The state of the host names and of the paused jails. */
  changes: string;
}

export class PolicyPublisher {
  readonly #options: PolicyPublisherOptions;
  #published: Published | undefined;

  constructor(options: PolicyPublisherOptions) {
    this.#options = options;
  }

  /** What was published may not stand there any more. */
  forget(): void {
    this.#published = undefined;
  }

  /** `created` names the bans bucket. */
  async publishChanged(created: string): Promise<void> {
    const { settings, pauses, names } = this.#options;
    const policy = this.#options.policy();
    const changes = `${names.changes} ${pauses.changes}`;
    const isTampered = settings.takeTampered();
    if (!isTampered && this.#isPublished({ created, policy, changes })) return;
    const jails = policy.published.map((jail) => withPauses(jail, pauses.of(jail.name)));
    const entries = this.#wantedEntries(policy);
    await settings.publish(jails, { entries, keeps: (name) => names.keeps(name) });
    this.#published = { created, policy, changes };
  }

  #isPublished({ created, policy, changes }: Published): boolean {
    const last = this.#published;
    return last?.created === created && last.policy === policy && last.changes === changes;
  }

  #wantedEntries({ allowed }: PublishedPolicy): WantedEntry[] {
    const { names, now } = this.#options;
    const ofAddresses = allowed.flatMap((entry): WantedEntry[] => {
      if (!("address" in entry) || isOver(entry, now())) return [];
      return [{ ...entry, comment: entry.comment ?? "coordinator's configuration" }];
    });
    // What is named as an address, too, stays when the name has another one.
    return [...names.entries(), ...ofAddresses];
  }
}
