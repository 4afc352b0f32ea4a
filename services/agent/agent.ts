/** The agent's parts and how they hang together: the picture of ARCHITECTURE.md as code. */
import { randomUUID } from "node:crypto";
import type { NatsSession } from "../nats/session.ts";
import { warningsOfUnread } from "../nats/warn-of-unread.ts";
import type { Life } from "../process/daemon.ts";
import type { Log } from "../process/log.ts";
import type { AgentConfig } from "./agent-config.ts";
import { explainDuplicateAgent } from "./duplicate-agent.ts";
import { startEnforcing } from "./enforce/enforcing.ts";
import type { Choice } from "./enforce/firewall/choice.ts";
import { createFleetSettings } from "./fleet-settings.ts";
import { readLastSettings } from "./saved-settings.ts";
import { createSeenLogins } from "./seen-logins.ts";
import { standAloneIfWanted } from "./alone/standing-alone.ts";
import { startReporting } from "./report/reporting.ts";
import { ensureStateDir } from "./state/state-file.ts";
import { createStateHealth } from "./state/state-health.ts";
import { startHostStatus } from "./status/host-status.ts";

/**
 * A fleet whose coordinator has never been at work has no settings. A slow host may need long for
 * 10,000 entries of the allowlist, and longer still if it begins to read all bans beside.
 */
const SETTINGS_WITHIN = { beginMs: 2_000, readMs: 30_000 };

export async function startAgent(
  config: AgentConfig,
  { kind, passedOver }: Choice,
  /** Resolves when NATS was reached for the first time; undefined: it never will be. */
  connected: Promise<NatsSession | undefined>,
  log: Log,
  { onRelease, fail, ready }: Life,
): Promise<void> {
  const { host, stateDir } = config;
  const instance = randomUUID();
  const state = createStateHealth(stateDir, log);
  await ensureStateDir(stateDir, state.of("checkpoint").failed);
  const settings = createFleetSettings({
    ...{ stateDir, state, log, host, instance },
    last: await readLastSettings(stateDir),
    onDuplicate: (notice) => fail(explainDuplicateAgent(host, notice)),
  });

  // The rules stand before anything else.
  const enforcing = await startEnforcing({ config, kind, settings, state, log, onFailed: fail });
  onRelease(enforcing.stop);
  ready(enforcing.settled);

  const logins = createSeenLogins(Date.now);
  const alone = await standAloneIfWanted({ config, settings, logins, enforcing, state, log });
  onRelease(() => alone?.stop() ?? Promise.resolve());
  // The log is its own spool: where nothing is counted here, nothing is read before it can be published.
  if (!alone) await connected;
  const reporting = await startReporting({
    ...{ config, connected, settings, logins, state, log, onFailed: fail },
    onFound: (jail, found) => alone?.note(jail, found),
    ownAddresses: enforcing.ownAddresses,
  });
  onRelease(reporting.stop);

  const session = await connected;
  if (!session) return;
  const { connection, link } = session;
  alone?.follow({ isConnected: link.isUp, storedUpTo: reporting.storedUpTo });
  // The allowlist first: until it is known, no automatic ban comes into force ahead of others, and
  // it would come behind all bans.
  settings.follow(connection);
  const following = enforcing.follow(session, settings.known(SETTINGS_WITHIN)).catch(fail);

  const status = startHostStatus({
    ...{ host, instance, kind, passedOver, enforcing, reporting, connection, log },
    alone: () => alone?.trouble(),
    stateTrouble: state.trouble,
    ofNats: () => [...warningsOfUnread(connection, "agent", host), ...session.expiry.warnings()],
    now: Date.now,
  });
  enforcing.onApplied(status.soon);
  reporting.onLoginTrouble(status.soon);
  reporting.onDrill(status.soon);
  settings.onRollCall(status.soon);
  onRelease(status.stop);
  await following;
  log.info({ host, firewall: kind }, "agent is at work");
}
