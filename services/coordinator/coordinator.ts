/** The coordinator's parts and how they hang together: the picture of ARCHITECTURE.md as code. */
import { randomUUID } from "node:crypto";
import { jetstream } from "@nats-io/jetstream";
import type { Life } from "../process/daemon.ts";
import type { Log } from "../process/log.ts";
import type { NatsSession } from "../nats/session.ts";
import { createWarningLog } from "../process/warning-log.ts";
import { readVersion } from "../process/version.ts";
import { allowEndpoints } from "./api/allow-endpoints.ts";
import { allowImportEndpoint } from "./api/allow-import-endpoint.ts";
import { banEndpoints } from "./api/ban-endpoints.ts";
import { banImportEndpoint } from "./api/ban-import-endpoint.ts";
import { banRestoreEndpoint } from "./api/ban-restore-endpoint.ts";
import type { ApiContext } from "./api/api-context.ts";
import { failureEndpoints } from "./api/failure-endpoints.ts";
import { createAnswer } from "./api/api-server.ts";
import { answerNatsRequests, hasOperators } from "./api/nats-requests.ts";
import { webLoginEndpoint } from "./api/web-login-endpoint.ts";
import { jailEndpoints } from "./api/jail-endpoints.ts";
import { jailSettingEndpoints } from "./api/jail-setting-endpoints.ts";
import { notifyEndpoints } from "./api/notify-endpoints.ts";
import { createSupportLimits } from "./api/support-limits.ts";
import { statusEndpoints } from "./api/status-endpoints.ts";
import { openBanStore } from "./buckets/ban-store.ts";
import { watchClock } from "./hosts/clock-check.ts";
import type { CoordinatorConfig } from "./coordinator-config.ts";
import { createChanges, type NewChange } from "../policy/ban-memory.ts";
import { createDecider } from "./decide/decider.ts";
import { createDeciding, type Deciding } from "./decide/deciding.ts";
import { horizonOf, policyOf, type Policy } from "./decide/policy.ts";
import { createPolicyReload, type PolicyReload } from "./decide/policy-reload.ts";
import { createAllowedBans, type AllowedBans } from "./upkeep/allowed-bans.ts";
import { createAllowedNames } from "./upkeep/allowed-names.ts";
import { resolveName } from "./upkeep/resolve-name.ts";
import { createUpkeep } from "./upkeep/upkeep.ts";
import { createJailPauses } from "../policy/jail-pause.ts";
import { createJailSettings } from "./buckets/jail-settings.ts";
import { createQuarantines } from "./buckets/quarantines.ts";
import { createBanGuard } from "./decide/ban-guard.ts";
import { manyBansEndpoints } from "./api/many-bans-endpoints.ts";
import { quarantineEndpoint } from "./api/quarantine-endpoint.ts";
import type { Ban } from "../wire/ban.ts";
import type { Setting } from "../wire/settings.ts";
import { whyDistrusted } from "./hosts/broken-logins.ts";
import { createOwnMachines } from "./hosts/own-machines.ts";
import { createRefusedPolicies, PUBLISH_EVERY_MS } from "./hosts/refused-policies.ts";
import { watchSurroundings } from "./hosts/own-surroundings.ts";
import { createFleetStatus } from "./hosts/fleet-status.ts";
import { createLogRollout } from "./decide/log-rollout.ts";
import { startFailureFeed } from "./decide/failure-feed.ts";
import { createKnownGood } from "./decide/known-good.ts";
import type { Health } from "./http/health.ts";
import { openHistory } from "./history/history.ts";
import { followHosts } from "./hosts/hosts.ts";
import { bucketStream } from "../nats/follow-bucket.ts";
import { measureClock } from "../nats/measure-clock.ts";
import { readLatest } from "../nats/read-latest.ts";
import { openLease, type Lease } from "./buckets/lease.ts";
import { HOST_SILENT_AFTER_MS, type HostStatus } from "../wire/status.ts";
import { BANS_BUCKET, LEASE_BUCKET, LEASE_KEY } from "../wire/subjects.ts";
import { createMissedOffences } from "./decide/missed-offences.ts";
import { createSignsOfLife } from "./decide/signs-of-life.ts";
import { SIGN_OF_LIFE_EVERY_MS } from "../wire/settings.ts";
import { createSparedOffences } from "./decide/spared-offences.ts";
import { failureAddEndpoint } from "./api/failure-add-endpoint.ts";
import { rateEndpoint } from "./api/rate-endpoint.ts";
import { seriesEndpoint } from "./api/series-endpoint.ts";
import { accountEndpoint } from "./api/account-endpoint.ts";
import { aboutEndpoint } from "./api/about-endpoint.ts";
import { simulationEndpoint } from "./api/simulation-endpoint.ts";
import { createRates } from "./decide/rates.ts";
import { createWatch, watchEndpoint } from "./api/watch-endpoint.ts";
import { watchFailures } from "./decide/failure-watch.ts";
import { createLiveFeed } from "./decide/live-feed.ts";
import { drillEndpoint } from "./api/drill-endpoint.ts";
import { createEndedDrills } from "./upkeep/ended-drills.ts";
import { createDrills } from "./hosts/drills.ts";
import { metricEndpoint } from "./api/metric-endpoint.ts";
import type { Metrics } from "./metrics/metrics.ts";
import { startNotifier } from "./notify/notifier.ts";
import type { Sink } from "./notify/sink.ts";
import type { LookUpInDatabases } from "./notify/whois/databases.ts";
import { openSettings } from "./buckets/settings-store.ts";
import { keepStreams } from "./upkeep/ensure-streams.ts";
import { credentialsOf } from "../nats/connect.ts";
import { siteOf } from "../web/server/web-config.ts";
import { openWeb, type LocalLogin } from "../web/server/web.ts";

const ROUND_EVERY_MS = 1_000;
const SWEEP_EVERY_MS = 10_000;
const CLOCK_EVERY_MS = 10_000;
const WARNINGS_EVERY_MS = 10_000;
/** Every host that is up has reported since the start. */
const HOSTS_HEARD_AFTER_MS = 2 * HOST_SILENT_AFTER_MS;
/** The CLI waits for an answer twice as long. */
const RELOAD_ANSWERED_WITHIN_MS = 5_000;
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
  const { id, config, sinks, inDatabases: lookUp, session, health, metrics, log } = options;
  const { connection, link, expiry } = session;
  const { onRelease } = life;
  const filePolicy = policyOf(config);
  const now = Date.now;
  const newId = randomUUID;
  const startedAt = now();

  const { replicas, failuresMaxBytes } = config;
  const later: {
    deciding?: Deciding;
    lease?: Lease;
    reload?: PolicyReload;
    allowedBans?: AllowedBans;
  } = {};
  const policy = () => later.deciding?.policy() ?? filePolicy;
  const wantedStreams = () => ({
    longestFindtime: policy().longestFindtime,
    replicas,
    failuresMaxBytes,
  });
  const onWaiting = health.waitsFor;
  const streams = await keepStreams(connection, wantedStreams, log, onWaiting);
  const isLeader = () => later.lease?.isLeader() ?? false;
  const databaseUrl = config.database.url;
  const { retention } = config;
  const history = openHistory({ databaseUrl, connection, isLeader, retention, lookUp, log });
  onRelease(() => history.close());
  const horizon = () => horizonOf(policy());
  const quarantines = createQuarantines({
    horizon,
    onBegin: (host) => later.deciding?.forgetHost(host),
  });
  const isQuarantined = (host: string) => quarantines.of(host) !== undefined;
  const machines = createOwnMachines({ isQuarantined, now });
  const drills = createDrills();
  const feed = createLiveFeed({ isAlwaysKept: config.web.listen !== undefined, now });
  const rates = createRates(now);
  const watcher = watchFailures([drills, feed]);
  const endedDrills = createEndedDrills();
  const onStatus = (status: HostStatus, seenAt: number) => {
    drills.noteStatus(status);
    machines.noteStatus(status);
    history.hostSeen(status, seenAt);
  };
  const notifier = startNotifier({
    ...{ connection, sinks, replicas, isLeader, now, log },
    readFleet: async () => (now() - startedAt < HOSTS_HEARD_AFTER_MS ? undefined : readFleet()),
    onOutcome: (sink, { type }) => metrics.events.notified(sink, type),
  });
  const jailSettings = createJailSettings();
  const pauses = createJailPauses();
  const refused = createRefusedPolicies({ id, settings: () => settings, now, log });
  const onSetting = (key: string, setting: Setting | undefined) => {
    quarantines.noteSetting(key, setting);
    pauses.noteSetting(key, setting);
    if (jailSettings.noteSetting(key, setting)) later.reload?.settingsChanged();
    refused.noteSetting(key, setting);
    machines.noteSetting(key, setting);
    endedDrills.noteSetting(key, setting);
    later.allowedBans?.noteSetting(key);
    if (setting) later.reload?.noteSetting(setting);
    if (setting?.type === "resend") notifier.resend(setting.sink, setting.resend);
  };
  const hosts = followHosts({ connection, now, log, onStatus });
  const settings = openSettings({ connection, onSetting, log });
  const { allowlist } = settings;
  const onBan = (ban: Ban, previous: Ban | undefined) => {
    rates.noteBan(ban, previous);
    later.deciding?.observe(ban);
    later.allowedBans?.noteBan(ban);
    drills.noteBan(ban);
  };
  const onChange = (ban: Ban, previous: Ban | undefined) => {
    metrics.events.banChanged(ban, previous);
    feed.noteBan(ban, bans.revision());
  };
  const bans = openBanStore({ connection, log, onBan, onChange });
  const allowedBans = createAllowedBans({ bans, allowlist, now, newId, log });
  later.allowedBans = allowedBans;
  const lease = openLease({ connection, id, log, onTaken: () => later.deciding?.submitDue() });
  later.lease = lease;
  onRelease(() => lease.release());
  // Before the lease is given back: two coordinators would send.
  onRelease(() => notifier.stop());
  await Promise.all([bans.ready, settings.ready]);

  const jails = () => policy().jails;
  const changesBy = ({ jails, memory, version }: Policy) =>
    createChanges({ jails, bans, memory, policyVersion: version, now, newId });
  const newChange: NewChange = (jail, address) => changesBy(policy())(jail, address);
  const common = {
    ...{ bans, settings, history, hosts, machines, quarantines, pauses, jailSettings },
    ...{ isLeader, now, newId, newChange, log },
  };
  const jailOf = (name: string) => jails().find((jail) => jail.name === name);
  const onBanned = createLogRollout({ bans, jailOf, hosts, now, log, measure: metrics.events });
  const missed = createMissedOffences(now);
  const spared = createSparedOffences({ ...common, allowlist });
  const distrust = (host: string) =>
    policy().guard.outages ? whyDistrusted(hosts.status(host)) : undefined;
  const limits = () => policy().guard;
  const guard = createBanGuard({ limits, isQuarantined, distrust, now });
  const knownGood = createKnownGood({ connection, replicas, isQuarantined, now, log });
  const reload = createPolicyReload({
    ...{ id, config, settings, refused, jailSettings, now, log },
    load: options.loadConfig,
    replace: (policy) => deciding.replace(policy),
    inUse: policy,
    patienceMs: RELOAD_ANSWERED_WITHIN_MS,
  });
  later.reload = reload;
  const names = createAllowedNames({
    ...{ entries: filePolicy.allowed, resolve: resolveName, now, log },
  });
  const deciding = createDeciding({
    policy: reload.policy(),
    create: (policy, isInUse) =>
      createDecider({
        ...{ ...common, guard, onBanned, jails: policy.jails, newChange: changesBy(policy) },
        isLeader: () => isInUse() && isLeader(),
        hasLoggedIn: knownGood.hasLoggedIn,
        watcher: { isWatching: () => isInUse() && watcher.isWatching(), note: watcher.note },
        onCounted: (attempts, storedAt) => isInUse() && rates.noteFailures(attempts, storedAt),
        // What a decider finds in the past before it is in use is nobody's miss.
        missed: { note: (due) => isInUse() && missed.note(due) },
        spared: {
          isSpared: spared.isSpared,
          spares: (address, jail) =>
            isInUse() ? spared.spares(address, jail) : spared.isSpared(address, jail),
        },
      }),
    startFeed(policy, take) {
      const loginsRead = knownGood.follow(policy.jails);
      const prepare = () => loginsRead;
      return startFailureFeed({ connection, horizon: horizonOf(policy), take, prepare, log });
    },
    onReplaced(policy) {
      names.follow(policy.allowed);
      void streams.ensure();
    },
  });
  later.deciding = deciding;
  const upkeep = createUpkeep({ ...common, names, policy, allowedBans, endedDrills, horizon });
  onRelease(repeat(ROUND_EVERY_MS, upkeep.round));
  onRelease(repeat(ROUND_EVERY_MS, deciding.submitDue));
  onRelease(repeat(SWEEP_EVERY_MS, deciding.sweep));
  onRelease(repeat(SWEEP_EVERY_MS, knownGood.sweep));
  const giveSign = createSignsOfLife({
    ...{ ...common, id, feed: deciding, counters: deciding.counters },
  });
  onRelease(repeat(SIGN_OF_LIFE_EVERY_MS, giveSign));
  const natsUrl = config.nats.url;
  const lookAround = watchSurroundings({ id, natsUrl, connection, databaseUrl });
  const publishOwn = () =>
    lookAround()
      .then((own) => machines.publishOwn(settings, own))
      .catch((error: unknown) => log.debug({ err: error }, "own addresses are not published"));
  void publishOwn();
  onRelease(repeat(OWN_ADDRESSES_EVERY_MS, publishOwn));

  health.watch({ link, history, feed: deciding, lease });
  const clock = watchClock({
    readLease: () => readLatest(connection, LEASE_BUCKET, LEASE_KEY),
    now,
  });
  onRelease(repeat(CLOCK_EVERY_MS, clock.look));
  const readFleet = async () => {
    const { rows: listed, stale } = await fleet.listHosts();
    const rows = [...listed.values()].map((describe) => describe());
    const lag = await history.lag();
    return { rows, stale, lag, warnings: fleet.warnings(rows, lag) };
  };
  // This coordinator's file is in order, whatever stands there of a run that was killed.
  void refused.publish();
  onRelease(repeat(PUBLISH_EVERY_MS, refused.publish));
  onRelease(refused.withdraw);
  life.onHangUp(reload.hangUp);
  const version = readVersion();
  const isVerified = hasOperators(connection, config.nats);
  const site = siteOf(config.web);
  const localLogin = isVerified ? undefined : options.localLogin;
  const web = site && openWeb({ site, connection, replicas, localLogin, version, now, log });
  onRelease(() => Promise.resolve(web?.stop()));
  const fleet = createFleetStatus({
    ...{ ...common, names, missed, streams, lease, clock, expiry },
    ...{ sinks: notifier.states, knownGood, refused },
    web: web ?? { warnings: () => [] },
    idleSettings: () => policy().idle,
  });
  const readWarnings = async () => (await readFleet()).warnings;
  const logWarnings = createWarningLog(log, now);
  onRelease(repeat(WARNINGS_EVERY_MS, async () => logWarnings(await readWarnings())));
  const { counters } = deciding;
  metrics.watch({ ...common, counters, missed, spared, lease, jails, version, readFleet });
  const context: ApiContext = {
    ...common,
    id,
    version,
    startedAt,
    jails,
    policyVersion: () => policy().version,
    counters,
    reload,
    missed,
    spared,
    streams,
    lease,
    clock,
    expiry,
    fleet,
    natsTimes: {
      aheadMs: () => measureClock(connection, bucketStream(BANS_BUCKET), now),
      readBan: (key) => readLatest(connection, BANS_BUCKET, key),
    },
    knownGood,
    feed,
    rates,
    failuresKnownSince: startedAt - horizonOf(filePolicy),
    drills,
    metrics,
    notifier,
    lookUp,
  };
  const account = () => (isVerified ? credentialsOf(config.nats)?.account : undefined);
  const endpoints = {
    ...webLoginEndpoint({ web, account, now }),
    ...banEndpoints(context),
    ...manyBansEndpoints(context),
    ...banImportEndpoint(context),
    ...banRestoreEndpoint(context),
    ...quarantineEndpoint(context),
    ...allowEndpoints(context),
    ...allowImportEndpoint(context),
    ...jailEndpoints(context),
    ...jailSettingEndpoints(context),
    ...statusEndpoints(context),
    ...failureEndpoints(context),
    ...notifyEndpoints(context),
    ...metricEndpoint(context),
    ...drillEndpoint(context),
    ...watchEndpoint(context),
    ...rateEndpoint(context),
    ...seriesEndpoint(context),
    ...accountEndpoint(context),
    ...aboutEndpoint(context),
    ...simulationEndpoint(context),
    ...failureAddEndpoint(context, (...message) => jetstream(connection).publish(...message)),
  };
  const answer = createAnswer({
    ...{ endpoints, onAnswered: metrics.events.answered, log },
    whyNotSupport: createSupportLimits(common),
  });
  answerNatsRequests({ connection, answer, isVerified });
  if (web) {
    const server = await web.serve(answer, createWatch(context));
    onRelease(() => server.close());
  }
  log.info({ id, jails: jails().map(({ name }) => name) }, "coordinator is ready");
}

/** Calls `work` every `ms` milliseconds; returns a function that stops it. */
function repeat(ms: number, work: () => unknown): () => Promise<void> {
  const timer = setInterval(work, ms);
  return () => {
    clearInterval(timer);
    return Promise.resolve();
  };
}
