/**
 * The coordinator's parts and how they hang together: the picture of ARCHITECTURE.md as code. The
 * parts are built in the order of its arrows, and subscribe to what happens before them.
 */
import { randomUUID } from "node:crypto";
import { jetstream } from "@nats-io/jetstream";
import { credentialsOf } from "../nats/connect.ts";
import { bucketStream } from "../nats/follow-bucket.ts";
import { measureClock } from "../nats/measure-clock.ts";
import { readLatest } from "../nats/read-latest.ts";
import type { NatsSession } from "../nats/session.ts";
import { warningsOfUnread } from "../nats/warn-of-unread.ts";
import { createJailPauses } from "../policy/jail-pause.ts";
import type { Life } from "../process/daemon.ts";
import type { Log } from "../process/log.ts";
import { readVersion } from "../process/version.ts";
import { createWarningLog } from "../process/warning-log.ts";
import { openWeb, type LocalLogin } from "../web/server/web.ts";
import { siteOf } from "../web/server/web-config.ts";
import type { Address } from "../wire/address.ts";
import { SIGN_OF_LIFE_EVERY_MS } from "../wire/settings.ts";
import { HOST_SILENT_AFTER_MS } from "../wire/status.ts";
import { BANS_BUCKET, LEASE_BUCKET, LEASE_KEY } from "../wire/subjects.ts";
import type { ApiContext } from "./api/api-context.ts";
import { createAnswer } from "./api/api-server.ts";
import { endpointsOf } from "./api/endpoints.ts";
import { answerNatsRequests, hasOperators } from "./api/nats-requests.ts";
import { createSupportLimits } from "./api/support-limits.ts";
import { createWatch } from "./api/watch-endpoint.ts";
import { openBanStore } from "./buckets/ban-store.ts";
import { createJailSettings } from "./buckets/jail-settings.ts";
import { openLease } from "./buckets/lease.ts";
import { createQuarantines } from "./buckets/quarantines.ts";
import { openSettings } from "./buckets/settings-store.ts";
import type { CoordinatorConfig } from "./coordinator-config.ts";
import { watchFailures } from "./decide/failure-watch.ts";
import { createLeaderWatch } from "./decide/leader-watch.ts";
import { createLiveFeed } from "./decide/live-feed.ts";
import { horizonOf, policyOf } from "./decide/policy.ts";
import { PolicyInUse } from "./decide/policy-in-use.ts";
import { createRates } from "./decide/rates.ts";
import { createSignsOfLife } from "./decide/signs-of-life.ts";
import { startDeciding, type DecidingLane } from "./decide/start-deciding.ts";
import { createFleetEvents } from "./buckets/fleet-events.ts";
import { openHistory } from "./history/history.ts";
import { createBrokenHosts } from "./hosts/broken-logins.ts";
import { watchClock } from "./hosts/clock-check.ts";
import { createDrills } from "./hosts/drills.ts";
import { createLateHosts } from "./hosts/late-hosts.ts";
import { createUndecodableMessages } from "./hosts/undecodable-messages.ts";
import { FleetStatus } from "./hosts/fleet-status.ts";
import { Hosts } from "./hosts/hosts.ts";
import { createOwnMachines } from "./hosts/own-machines.ts";
import { watchSurroundings } from "./hosts/own-surroundings.ts";
import { createRefusedPolicies, PUBLISH_EVERY_MS } from "./hosts/refused-policies.ts";
import { callRoll } from "./hosts/roll-call.ts";
import type { Health } from "./http/health.ts";
import type { Metrics } from "./metrics/metrics.ts";
import { startNotifier } from "./notify/notifier.ts";
import type { Sink } from "./notify/sink.ts";
import type { LookUpInDatabases } from "./notify/whois/databases.ts";
import { createAllowedBans } from "./upkeep/allowed-bans.ts";
import { AllowedNames } from "./upkeep/allowed-names.ts";
import { createEndedDrills } from "./upkeep/ended-drills.ts";
import { keepStreams, type Streams } from "./upkeep/ensure-streams.ts";
import { resolveName } from "./upkeep/resolve-name.ts";
import { Upkeep } from "./upkeep/upkeep.ts";

const ROUND_EVERY_MS = 1_000;
const SWEEP_EVERY_MS = 10_000;
const CLOCK_EVERY_MS = 10_000;
const WARNINGS_EVERY_MS = 10_000;
/** Longer than hosts are awaited (see fleet-status.ts): before that, silence is no news. */
const NOTIFY_AFTER_MS = 2 * HOST_SILENT_AFTER_MS;
const OWN_ADDRESSES_EVERY_MS = 60_000;

export interface CoordinatorOptions {
  id: string;
  config: CoordinatorConfig;
  /** Reads the configuration again; throws a ConfigError. */
  loadConfig: () => Promise<CoordinatorConfig>;
  sinks: readonly Sink[];
  /** Of `npm start`: a link to the web page that works again and again. */
  localLogin: LocalLogin | undefined;
  /** What the operator's databases say of an address; undefined: there are none. */
  inDatabases: LookUpInDatabases | undefined;
  session: NatsSession;
  health: Health;
  metrics: Metrics;
  log: Log;
}

export async function startCoordinator(options: CoordinatorOptions, life: Life): Promise<void> {
  const { id, config, session, health, log } = options;
  const policy = new PolicyInUse(policyOf(config));
  const streams = await keepStreams(
    session.connection,
    () => ({
      longestFindtime: policy.current().longestFindtime,
      replicas: config.replicas,
      failuresMaxBytes: config.failuresMaxBytes,
    }),
    log,
    health.waitsFor,
  );
  const base = {
    ...{ id, policy, streams, startedAt: Date.now(), events: createFleetEvents() },
    ...{ now: Date.now, newId: randomUUID, version: readVersion(), log },
  };
  const stores = openStores(base, options, life);
  const fleet = followFleet({ ...base, ...stores }, options, life);
  await Promise.all([stores.bans.ready, stores.settings.ready]);
  await callRoll({ ...base, ...stores, ...fleet });
  const deciding = decideAndKeep({ ...base, ...stores, ...fleet }, options, life);
  await answerOperators({ ...base, ...stores, ...fleet, ...deciding }, options, life);
  log.info({ id, jails: policy.current().jails.map(({ name }) => name) }, "coordinator is ready");
}

interface Base {
  id: string;
  policy: PolicyInUse;
  streams: Streams;
  startedAt: number;
  events: ReturnType<typeof createFleetEvents>;
  now: () => number;
  newId: () => string;
  version: string;
  log: Log;
}
type Stores = ReturnType<typeof openStores>;
type Fleet = ReturnType<typeof followFleet>;
type Deciding = ReturnType<typeof decideAndKeep>;

/** What outlives this process: the lease, bans and settings in NATS, the record in PostgreSQL. */
function openStores({ id, events, log }: Base, options: CoordinatorOptions, { onRelease }: Life) {
  const { config, session, inDatabases: lookUp } = options;
  const { connection } = session;
  const lease = openLease({ connection, id, log, onTaken: events.leaseTaken.call });
  const isLeader = () => lease.isLeader();
  const { retention } = config;
  const databaseUrl = config.database.url;
  const history = openHistory({ databaseUrl, connection, isLeader, retention, lookUp, log });
  const settings = openSettings({ connection, onSetting: events.setting.call, log });
  const { ban, banChanged } = events;
  const bans = openBanStore({ connection, log, onBan: ban.call, onChange: banChanged.call });
  onRelease(() => history.close());
  onRelease(() => lease.release());
  return { lease, isLeader, history, settings, bans };
}

/** What this coordinator knows of hosts and operators, and shows of what happens. */
function followFleet(base: Base & Stores, options: CoordinatorOptions, { onRelease }: Life) {
  const { id, policy, events, bans, settings, history, lease, isLeader, now, newId, log } = base;
  const { config, sinks, session, metrics } = options;
  const { connection } = session;
  const undecodable = createUndecodableMessages(now);
  const hosts = new Hosts({
    ...{ connection, now, log, onStatus: events.status.call, onUndecodable: undecodable.note },
  });
  const lateHosts = createLateHosts({ bans, now });
  const leader = createLeaderWatch({ holder: () => lease.holder(), now });
  const horizon = () => horizonOf(policy.current());
  const brokenHosts = createBrokenHosts({ horizon, now });
  const quarantines = createQuarantines({
    horizon,
    onBegin: events.quarantined.call,
  });
  const machines = createOwnMachines({
    isQuarantined: (host) => quarantines.of(host) !== undefined,
    now,
  });
  const drills = createDrills();
  const endedDrills = createEndedDrills();
  const feed = createLiveFeed({ isAlwaysKept: config.web.listen !== undefined, now });
  const rates = createRates(now);
  const jailSettings = createJailSettings();
  const pauses = createJailPauses();
  const refused = createRefusedPolicies({ id, settings: () => settings, now, log });
  const { allowlist } = settings;
  const allowedBans = createAllowedBans({ bans, allowlist, now, newId, log });
  const notifier = startNotifier({
    ...{ connection, sinks, replicas: config.replicas, isLeader, now, log },
    onOutcome: (sink, { type }) => metrics.events.notified(sink, type),
  });
  // Before the lease is given back: two coordinators would send.
  onRelease(() => notifier.stop());

  events.status.add(drills.noteStatus);
  events.status.add(lateHosts.noteStatus);
  events.status.add((status) => machines.noteStatus(status));
  events.status.add(brokenHosts.noteStatus);
  events.status.add(history.hostSeen);
  events.setting.add(quarantines.noteSetting);
  events.setting.add((_, setting) => leader.noteSetting(setting));
  events.setting.add(pauses.noteSetting);
  events.setting.add((key, setting) => {
    if (jailSettings.noteSetting(key, setting)) events.jailSettings.call();
  });
  events.setting.add(refused.noteSetting);
  events.setting.add((key, setting) => machines.noteSetting(key, setting));
  events.setting.add(brokenHosts.noteSetting);
  events.setting.add(endedDrills.noteSetting);
  events.setting.add(allowedBans.noteSetting);
  events.setting.add((_, setting) => {
    if (setting?.type === "resend") notifier.resend(setting.sink, setting.resend);
  });
  events.ban.add(rates.noteBan);
  events.ban.add(allowedBans.noteBan);
  events.ban.add(drills.noteBan);
  events.banChanged.add(metrics.events.banChanged);
  events.banChanged.add((ban) => feed.noteBan(ban, bans.revision()));
  return {
    ...{ hosts, quarantines, machines, brokenHosts, drills, endedDrills, feed, rates },
    ...{ undecodable, lateHosts, leader },
    ...{ jailSettings, pauses, refused, allowedBans, notifier },
  };
}

/** Decides on bans, and does what must be done again and again. */
function decideAndKeep(base: Base & Stores & Fleet, options: CoordinatorOptions, life: Life) {
  const { id, policy, streams, settings, machines, drills, feed, refused, now, log } = base;
  const { config, loadConfig, metrics } = options;
  const { connection } = options.session;
  const { onRelease } = life;
  const names = new AllowedNames({
    ...{ entries: policy.current().allowed, resolve: resolveName, now, log },
  });
  const lane: DecidingLane = startDeciding({
    ...{ ...base, config, loadConfig, connection, measure: metrics.events },
    watcher: watchFailures([drills, feed]),
    onReplaced({ allowed }) {
      names.follow(allowed);
      void streams.ensure();
    },
  });
  const { deciding, knownGood, reload, newChange } = lane;
  const upkeep = new Upkeep({
    ...{ ...base, names, newChange },
    policy: () => policy.current(),
    horizon: () => horizonOf(policy.current()),
  });
  onRelease(repeat(ROUND_EVERY_MS, () => upkeep.round()));
  onRelease(repeat(ROUND_EVERY_MS, deciding.submitDue));
  onRelease(repeat(SWEEP_EVERY_MS, deciding.sweep));
  onRelease(repeat(SWEEP_EVERY_MS, knownGood.sweep));
  const giveSign = createSignsOfLife({ ...base, feed: deciding, counters: deciding.counters });
  onRelease(repeat(SIGN_OF_LIFE_EVERY_MS, giveSign));
  const natsUrl = config.nats.url;
  const lookAround = watchSurroundings({
    ...{ id, natsUrl, connection, databaseUrl: config.database.url },
  });
  const publishOwn = () =>
    lookAround()
      .then((own) => machines.publishOwn(settings, own))
      .catch((error: unknown) => log.debug({ err: error }, "own addresses are not published"));
  void publishOwn();
  onRelease(repeat(OWN_ADDRESSES_EVERY_MS, publishOwn));
  // This coordinator's file is in order, whatever stands there of a run that was killed.
  void refused.publish();
  onRelease(repeat(PUBLISH_EVERY_MS, refused.publish));
  onRelease(refused.withdraw);
  life.onHangUp(reload.hangUp);
  return { ...lane, names };
}

/** Shows how the fleet is, and answers the CLI and the web page. */
async function answerOperators(
  base: Base & Stores & Fleet & Deciding,
  options: CoordinatorOptions,
  life: Life,
): Promise<void> {
  const { id, policy, startedAt, version, history, lease, deciding, notifier, now, log } = base;
  const { onRelease, onHangUp } = life;
  const { config, session, health, metrics, inDatabases: lookUp } = options;
  const { connection, link, expiry } = session;
  health.watch({ link, history, feed: deciding, lease });
  const clock = watchClock({
    readLease: () => readLatest(connection, LEASE_BUCKET, LEASE_KEY),
    now,
  });
  onRelease(repeat(CLOCK_EVERY_MS, clock.look));
  const isVerified = hasOperators(connection, config.nats);
  const { replicas } = config;
  const site = siteOf(config.web);
  const localLogin = isVerified ? undefined : options.localLogin;
  const web = site && openWeb({ site, connection, replicas, localLogin, version, now, log });
  onRelease(() => Promise.resolve(web?.stop()));
  const jails = () => policy.current().jails;
  const fleet = new FleetStatus({
    ...{ ...base, clock, expiry, sinks: notifier.states },
    unread: { warnings: () => warningsOfUnread(connection, "coordinator", id) },
    web: web ?? { warnings: () => [] },
    idleSettings: () => policy.current().idle,
  });
  const readFleet = sayFleet(base, fleet, life);
  const { counters } = deciding;
  metrics.watch({ ...base, counters, jails, readFleet });
  const context: ApiContext = {
    ...{ ...base, id, jails, counters, clock, expiry, fleet, metrics, lookUp },
    policyVersion: () => policy.current().version,
    natsTimes: {
      aheadMs: () => measureClock(connection, bucketStream(BANS_BUCKET), now),
      readBan: (key) => readLatest(connection, BANS_BUCKET, key),
    },
    failuresKnownSince: startedAt - horizonOf(policyOf(config)),
  };
  const account = () => (isVerified ? credentialsOf(config.nats)?.account : undefined);
  const endpoints = endpointsOf({
    context,
    login: { web, account, now },
    publish: (...message) => jetstream(connection).publish(...message),
  });
  const answer = createAnswer({
    ...{ endpoints, onAnswered: metrics.events.answered, log },
    whyNotSupport: createSupportLimits(base),
  });
  const onAsked = (who: string, address: Address) => {
    base.machines.noteCli(base.settings, who, address).catch((error: unknown) => {
      log.debug({ err: error }, "the address of a CLI is not published");
    });
  };
  const hasPage = web !== undefined;
  answerNatsRequests({ connection, answer, version, isVerified, hasPage, onAsked });
  if (web) {
    const server = await web.serve(answer, createWatch(context));
    onRelease(() => server.close());
    onHangUp(web.hangUp);
  }
}

/** Says in the log and in notifications how the fleet is; returns how to read that. */
function sayFleet(base: Base & Stores & Fleet, fleet: FleetStatus, { onRelease }: Life) {
  const { startedAt, history, notifier, now, log } = base;
  const readFleet = async () => {
    const { rows: listed, stale } = await fleet.listHosts();
    const rows = [...listed.values()].map((describe) => describe());
    const lag = await history.lag();
    return { rows, stale, lag, warnings: fleet.warnings(rows, lag) };
  };
  notifier.watchFleet(async () => (now() - startedAt < NOTIFY_AFTER_MS ? undefined : readFleet()));
  const logWarnings = createWarningLog(log, now);
  const sayWarnings = async () => logWarnings((await readFleet()).warnings);
  onRelease(repeat(WARNINGS_EVERY_MS, sayWarnings));
  return readFleet;
}

/** Calls `work` every `ms` milliseconds; returns a function that stops it. */
function repeat(ms: number, work: () => unknown): () => Promise<void> {
  const timer = setInterval(work, ms);
  return () => {
    clearInterval(timer);
    return Promise.resolve();
  };
}
