/** The lane from the bans bucket to the kernel. */
import type { NatsConnection } from "@nats-io/nats-core";
import { mirrorBucket } from "../../nats/bucket-mirror.ts";
import type { NatsSession } from "../../nats/session.ts";
import { createListeners } from "../../process/listeners.ts";
import type { Log } from "../../process/log.ts";
import type { Address } from "../../wire/address.ts";
import type { Jail } from "../../wire/settings.ts";
import { BANS_BUCKET } from "../../wire/subjects.ts";
import type { AgentConfig } from "../agent-config.ts";
import type { FleetSettings } from "../fleet-settings.ts";
import type { StateHealth } from "../state/state-health.ts";
import { BY_THIS_HOST, decodeHostBan, type HostBan } from "./ban-filter.ts";
import type { Choice } from "./firewall/choice.ts";
import { createLeftBehind } from "./firewall/left-behind.ts";
import { FirewallError } from "./firewall/command.ts";
import { openFirewall } from "./firewall/opening.ts";
import { createPatientFirewall } from "./firewall/patient-firewall.ts";
import { createRemains } from "./firewall/remains.ts";
import { createKernelSync, type FirewallTrouble, type KernelSyncState } from "./kernel-sync.ts";
import { createNeverBan } from "./never-ban.ts";
import { createSavedBans, readSavedBans } from "./saved-bans.ts";

export interface Enforcing {
  /**
   * Follows the bans bucket from here on, and reads all of it when the settings are read, because
   * the allowlist decides which bans apply. Resolves then.
   */
  follow(
    session: Pick<NatsSession, "connection" | "connectBeside">,
    settingsRead: Promise<void>,
  ): Promise<void>;
  /** Calls `listener` whenever something was applied, and the kernel has confirmed it. */
  onApplied(listener: () => void): void;
  /** Bans what this host has decided alone, by its own clock, beside the fleet's bans. */
  banLocally(ban: LocalBan): void;
  /** Ends such a ban; the fleet's ban of the address, if there is one, stays. */
  endLocally(ban: Pick<LocalBan, "jail" | "address">): void;
  /** Calls `listener` when the fleet has a new state of such a ban; see KernelSyncOptions. */
  onFleetBan(listener: (ban: HostBan, isHere: boolean) => void): void;
  /** The fleet's ban as this host knows it, in whatever state. */
  fleetBan(jail: string, address: Address): HostBan | undefined;
  /** Why this host never bans the address, whatever others say; undefined: it may. */
  whyNeverBanned(address: Address): string | undefined;
  /** Resolves when everything that was to be done by now is done. */
  settled(): Promise<void>;
  /** Counts what is in force, in the kernel. */
  recount(): Promise<void>;
  /** Looks for bans of another back end that are still in force. */
  lookLeftBehind(): Promise<void>;
  /** Looks again for the addresses of this host and of NATS, which are never banned. */
  refreshOwnAddresses(): Promise<void>;
  state(): KernelSyncState;
  trouble(): FirewallTrouble & { leftBehind: readonly string[] };
  ownAddresses(): Address[];
  stop(): Promise<void>;
}

export type LocalBan = Pick<HostBan, "jail" | "address" | "until">;

export interface EnforcingOptions {
  config: AgentConfig;
  kind: Choice["kind"];
  settings: FleetSettings;
  state: StateHealth;
  log: Log;
  onFailed: (error: unknown) => void;
}

/**
 * The rules stand when this resolves, with the bans that the kernel still has or had. If the firewall
 * refuses them for now, that is shown, and tried again until the firewall takes them.
 */
export async function startEnforcing(options: EnforcingOptions): Promise<Enforcing> {
  const { config, kind, settings, state, log, onFailed } = options;
  const { chains, repairEvery } = config.firewall;
  const now = Date.now;
  const jails = settings.jails();
  const say = (what: string, facts: object) => log.info(facts, what);
  const firewall = createPatientFirewall(kind, (wanted) =>
    openFirewall({ kind, chains, jails: wanted, now, say }),
  );
  const jailsOpen = await firewall.open(jails).then(() => jails, noneIfRefused);
  const leftBehind = createLeftBehind({ kind, remains: createRemains(now), log });
  await leftBehind.look();

  const neverBan = createNeverBan(config.ignoreip);
  let connection: NatsConnection | undefined;
  /** URLs of NATS as configured, and the server in use, which may be another one of the cluster. */
  const natsServers = () => {
    const configured = config.nats.url.split(",");
    return connection ? [...configured, connection.getServer()] : configured;
  };
  const applied = createListeners<[]>();
  const fleetBan = createListeners<[ban: HostBan, isHere: boolean]>();
  const kernelSync = createKernelSync({
    ...{ host: config.host, firewall, jails, jailsOpen, settings },
    ...{ neverBan, now, log, onFailed },
    repairEveryMs: repairEvery * 1000,
    onFleetBan: fleetBan.call,
    onApplied: applied.call,
  });
  const savedBans = createSavedBans({
    ...{ folder: config.stateDir, bans: kernelSync.held, health: state.of("bans") },
  });
  applied.add(savedBans.touch);
  settings.onChange(kernelSync.settingsChanged);
  await kernelSync.restore(await readSavedBans(config.stateDir));

  return {
    async follow({ connection: opened, connectBeside }, settingsRead) {
      connection = opened;
      await neverBan.refresh(natsServers());
      const bucket = { connection: opened, bucket: BANS_BUCKET, decode: decodeHostBan, log };
      kernelSync.follow((onEvent, onEntry) =>
        mirrorBucket({
          ...{ ...bucket, onEvent, readWhen: settingsRead },
          ahead: { connectBeside, onEntry },
        }),
      );
      await settingsRead;
    },
    onApplied: applied.add,
    banLocally({ jail, address, until }) {
      kernelSync.banLocally({ jail, address, state: "active", until, by: BY_THIS_HOST });
    },
    endLocally: ({ jail, address }) => kernelSync.endLocally(jail, address),
    onFleetBan: fleetBan.add,
    fleetBan: kernelSync.fleetBan,
    whyNeverBanned: neverBan.reason,
    settled: kernelSync.settled,
    recount: kernelSync.recount,
    lookLeftBehind: leftBehind.look,
    refreshOwnAddresses: () => neverBan.refresh(natsServers()),
    state: kernelSync.state,
    trouble: () => ({ ...kernelSync.trouble(), leftBehind: leftBehind.found() }),
    ownAddresses: neverBan.own,
    async stop() {
      await savedBans.close();
      await kernelSync.stop();
    },
  };
}

function noneIfRefused(error: unknown): readonly Jail[] {
  if (error instanceof FirewallError) return [];
  throw error;
}
