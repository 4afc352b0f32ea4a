/** Is the fleet well, and does somebody have to do something? */
import type { ComponentChildren } from "preact";
import type { Status, Warning } from "../api/messages.ts";
import { useQuery } from "../api/use-query.ts";
import { HeldBans } from "../parts/held-bans.tsx";
import { Foreign } from "../parts/foreign.tsx";
import { Icon } from "../parts/icon.tsx";
import { Link } from "../parts/link.tsx";
import { LiveFeed } from "../parts/live-feed.tsx";
import { HostName } from "../parts/names.tsx";
import { RateChart } from "../parts/rate-chart.tsx";
import { Failed, Loading } from "../parts/states.tsx";
import { Time } from "../parts/time.tsx";
import { count, formatNumber } from "../text/numbers.ts";
import {
  groupWarnings,
  heldToName,
  hostOfWarning,
  textOfWarning,
  verdictOf,
  type Verdict,
} from "../text/verdict.ts";

const STATUS_EVERY_MS = 5_000;

export function NowPage() {
  const {
    data: status,
    error,
    refresh,
  } = useQuery("status.show", {}, { everyMs: STATUS_EVERY_MS });
  return (
    <>
      <h1 class="unseen">Now</h1>
      {error && <Failed error={error} retry={refresh} />}
      {status ? <Overview status={status} /> : !error && <Loading what="the state of the fleet" />}
    </>
  );
}

function Overview({ status }: { status: Status }) {
  const verdict = verdictOf(status);
  return (
    <>
      <VerdictBox verdict={verdict} />
      {verdict.level === "empty" && <FirstSteps />}
      <Warnings status={status} />
      {(status.heldBans ?? 0) > 0 && <HeldBans total={status.heldBans ?? 0} />}
      <Figures status={status} />
      <div class="columns">
        <RateChart />
        <LiveFeed />
      </div>
    </>
  );
}

const ICONS = { well: "ok", look: "alert", act: "alert", empty: "clock" } as const;

function VerdictBox({ verdict: { level, sentence, detail } }: { verdict: Verdict }) {
  return (
    <section class={`verdict ${level}`} aria-label="Does somebody have to do something?">
      <Icon name={ICONS[level]} />
      <div>
        <p class="sentence" role="status">
          {sentence}
        </p>
        <p class="detail">{detail}</p>
      </div>
    </section>
  );
}

function Warnings({ status }: { status: Status }) {
  const { warnings, warningCounts, heldBans = 0 } = status;
  const { high, medium, low } = warningCounts;
  const rest = high + medium + low - warnings.length;
  if (warnings.length === 0 && heldToName(status) === 0) return null;
  return (
    <section>
      <h2 class="unseen">What needs you</h2>
      <ul class="warnings">
        {heldToName(status) > 0 && (
          <li class="warning medium">
            <span class="severity">medium</span>
            <p>
              {count(heldBans, "ban waits", "bans wait")} for you to release or to discard:{" "}
              <Link page="bans" filters={{ state: "held" }}>
                see the held bans
              </Link>
            </p>
          </li>
        )}
        {groupWarnings(warnings).map(({ first, others }) => (
          <WarningItem key={first.code} warning={first} others={others} />
        ))}
      </ul>
      {rest > 0 && (
        <p>
          and {count(rest, "more warning")}: <Link page="hosts">see the hosts</Link>
        </p>
      )}
    </section>
  );
}

function WarningItem({ warning, others }: { warning: Warning; others: readonly Warning[] }) {
  return (
    <li class={`warning ${warning.severity}`}>
      <span class="severity">{warning.severity}</span>
      <div>
        <WarningText warning={warning} />
        {others.length > 0 && (
          <details>
            <summary>and {count(others.length, "more like this", "more like this")}</summary>
            {others.map((other) => (
              <WarningText warning={other} />
            ))}
          </details>
        )}
        <p class="faint">
          <code>{warning.code}</code> in troubleshooting.md
          {warning.code === "bans-held" && (
            <>
              {" · "}
              <Link page="bans" filters={{ state: "held" }}>
                see the held bans
              </Link>
            </>
          )}
          {warning.code.startsWith("jail-") && (
            <>
              {" · "}
              <Link page="policy">see the policy</Link>
            </>
          )}
        </p>
      </div>
    </li>
  );
}

function WarningText({ warning }: { warning: Warning }) {
  const host = hostOfWarning(warning);
  return (
    <p>
      {host !== undefined && (
        <>
          <HostName host={host} />:{" "}
        </>
      )}
      <Foreign text={textOfWarning(warning)} length={500} />
    </p>
  );
}

function Figures({ status }: { status: Status }) {
  const { hosts, bans, allowed, decider, postgres, failures, startedAt } = status;
  const { awaited = 0 } = hosts;
  const all = hosts.up + hosts.down + awaited;
  return (
    <dl class="figures">
      <Figure name="Hosts that report" isBad={hosts.down > 0}>
        <Link page="hosts">
          {formatNumber(hosts.up)}
          <small>/{formatNumber(all)}</small>
        </Link>
        <p>
          {all === 0
            ? "none has reported yet"
            : awaited > 0
              ? `${formatNumber(awaited)} not heard yet since the coordinator started`
              : hosts.up === hosts.current
                ? "all that report have every ban"
                : `${formatNumber(hosts.up - hosts.current)} behind`}
        </p>
      </Figure>
      <Figure name="Bans in force">
        <Link page="bans">{formatNumber(bans)}</Link>
        <p>
          <Link page="allowlist">{count(allowed, "entry", "entries")}</Link> on the allowlist
        </p>
      </Figure>
      <Figure name="Failures counted">
        <Link page="failures">{formatNumber(failures)}</Link>
        <p>
          since <Time at={startedAt} />
        </p>
      </Figure>
      <Figure name="Decides" isBad={decider === null}>
        <span class="word">{decider ?? "nobody"}</span>
        <p>{decider === null ? "no new bans" : "on new bans"}</p>
      </Figure>
      <Figure name="Record" isBad={!postgres.reachable}>
        <span class="word">{wordOfRecord(postgres)}</span>
        <p>{describeRecord(postgres)}</p>
      </Figure>
    </dl>
  );
}

function wordOfRecord({ reachable, lag }: Status["postgres"]): string {
  if (!reachable) return "away";
  return lag === null || lag === 0 ? "up to date" : "recording";
}

function describeRecord({ reachable, lag }: Status["postgres"]): string {
  if (!reachable) return "PostgreSQL is away; bans go on";
  if (lag === null) return "PostgreSQL is reachable";
  return lag === 0 ? "PostgreSQL has everything" : `${count(lag, "message")} not recorded yet`;
}

function Figure(props: { name: string; isBad?: boolean; children: ComponentChildren }) {
  return (
    <div class={props.isBad ? "figure bad" : "figure"}>
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}

/** What to do with a fleet that has no hosts. */
function FirstSteps() {
  return (
    <section class="panel">
      <h2>Add the first mail server</h2>
      <ol class="steps">
        <li>
          Make credentials for it: <code>fleetban key agent NAME</code>
        </li>
        <li>
          Install the package <code>fleetban-agent</code> there, and bring the credentials to it.
        </li>
        <li>
          <code>fleetban-agent setup</code> finds Dovecot’s logs and writes <code>agent.yaml</code>.
        </li>
        <li>
          <code>fleetban host drill NAME</code> shows that a failed login comes through.
        </li>
      </ol>
      <p class="faint">docs/installation.md has every step.</p>
    </section>
  );
}
