/** `fleetban-coordinator run`: opens what the coordinator stands on, and starts it. */
import { isLoopback, parseListen } from "../config/listen.ts";
import type { Environment } from "../process/environment.ts";
import type { Life } from "../process/daemon.ts";
import { createLog } from "../process/log.ts";
import { natsOptions } from "../nats/connect.ts";
import { openNatsSession } from "../nats/session.ts";
import { coordinatorId, type CoordinatorConfig } from "./coordinator-config.ts";
import { startCoordinator } from "./coordinator.ts";
import { createHealth } from "./http/health.ts";
import { serveHttp } from "./http/http-server.ts";
import { createMetrics } from "./metrics/metrics.ts";
import type { OpenedSinks } from "./notify/open-sinks.ts";
import { whoAsks } from "../process/who-asks.ts";
import type { LocalLogin } from "../web/server/web.ts";

/** The program, as its log and NATS know it. */
export const NAME = "fleetban-coordinator";
/** Of 256 bits in base64url. */
const MIN_TOKEN_LENGTH = 43;
/** What is away may be away for long: systemd then waits no longer, and /readyz says so. */
const READY_AFTER_MS = 5_000;

/**
 * systemd is told that the start has succeeded when the coordinator is at work, or when it can only
 * wait for others. So a coordinator that cannot start fails its `systemctl start`.
 */
function readyOnce(life: Pick<Life, "ready" | "onRelease">): () => void {
  let isSaid = false;
  const ready = () => {
    if (!isSaid) life.ready();
    isSaid = true;
  };
  const timer = setTimeout(ready, READY_AFTER_MS);
  life.onRelease(() => {
    clearTimeout(timer);
    isSaid = true;
    return Promise.resolve();
  });
  return ready;
}

/** `npm start` has made the token, and shows its link on the terminal. */
export function localLoginOf(
  { web }: CoordinatorConfig,
  environment: Environment,
): LocalLogin | undefined {
  const token = environment["FLEETBAN_WEB_TOKEN"] ?? "";
  const isLocal = web.listen !== undefined && isLoopback(parseListen(web.listen).host);
  if (token.length < MIN_TOKEN_LENGTH || !isLocal) return undefined;
  const name = `${whoAsks()} (unverified)`;
  return { token, person: { name, role: "operator", key: null, keyUntil: null } };
}

export interface RunOptions {
  localLogin: LocalLogin | undefined;
  config: CoordinatorConfig;
  loadConfig: () => Promise<CoordinatorConfig>;
  opened: OpenedSinks;
  pid: number;
}

export async function runCoordinator(
  { config, opened, pid, ...again }: RunOptions,
  life: Life,
): Promise<void> {
  const log = createLog(NAME, config.log.level);
  // A reload before the coordinator is at work must not end it, for example while NATS is away.
  life.onHangUp(() => {});
  const id = coordinatorId(config, pid);
  const health = createHealth();
  const metrics = createMetrics(opened.sinks.map(({ name }) => name));
  const http = await serveHttp({ ...parseListen(config.http.listen), health, metrics });
  life.onRelease(() => http.close());
  const ready = readyOnce(life);
  const onTrouble = (reason: string) => {
    health.unreached(reason);
    ready();
  };
  const session = await openNatsSession(
    {
      ...{ config: config.nats, log, onTrouble },
      options: (onCertificate) => natsOptions(config.nats, `${NAME} ${id}`, onCertificate),
    },
    life,
  );
  // NATS may be away for long: the start goes on beside the signals that end it.
  const started = session.opened.then(async (session) => {
    if (session) {
      const parts = { session, health, metrics, log };
      await startCoordinator({ id, config, ...opened, ...parts, ...again }, life);
    }
    ready();
  });
  started.catch(life.fail);
}
