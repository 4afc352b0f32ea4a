/** Everything that the fleet knows about an address or a network. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Ban, Reply } from "../api/messages.ts";
import { describeAbout } from "../api/use-about.ts";
import { useQuery } from "../api/use-query.ts";
import { useApp } from "../app-context.ts";
import { AllowButton, BanButton, UnbanButton } from "../commands/buttons.tsx";
import { HeldActions } from "../commands/held-actions.tsx";
import { BanTrace } from "../parts/ban-trace.tsx";
import { Fact, Facts } from "../parts/facts.tsx";
import { Foreign } from "../parts/foreign.tsx";
import { Icon } from "../parts/icon.tsx";
import { AddressName, BanState } from "../parts/names.tsx";
import { PeriodChart } from "../parts/period-chart.tsx";
import { Empty, Failed, Loading, Stale } from "../parts/states.tsx";
import { isEverywhere, StandingFaults } from "../parts/standing-faults.tsx";
import { Time } from "../parts/time.tsx";
import { Timeline } from "../parts/timeline.tsx";
import { parseAddress } from "../text/addresses.ts";
import {
  awaitsRelease,
  describeEvidence,
  describeHosts,
  describeStanding,
  isBanned,
  kindOf,
  standingOf,
} from "../text/ban-words.ts";
import { count } from "../text/numbers.ts";

type Answer = Reply<"ban.show">;

const JAILS = 1000;
const EVERY_MS = 15_000;
/** While hosts have not reported a new ban yet. */
const ARRIVING_EVERY_MS = 2_000;

export function AddressPage({ address: given }: { address: string }) {
  const { go } = useApp();
  const address = parseAddress(given);
  if (address === undefined) {
    return (
      <>
        <h1>Address</h1>
        <Empty title={given === "" ? "Which address?" : "This is no address."}>
          <p>Type an address, a network or a user into the search: the key / leads there.</p>
        </Empty>
      </>
    );
  }
  // One address has one page: 192.0.2.7/24 is 192.0.2.0/24.
  if (address !== given) go("address", address, {}, { replace: true });
  return <KnownAddress address={address} />;
}

function KnownAddress({ address }: { address: string }) {
  const { data: whereabouts } = useQuery("about.show", { addresses: [address] });
  const [isArriving, setIsArriving] = useState(false);
  const everyMs = isArriving ? ARRIVING_EVERY_MS : EVERY_MS;
  const query = useQuery("ban.show", { address, trace: true }, { everyMs });
  const missing = query.data?.standing?.counts.missing ?? 0;
  useEffect(() => setIsArriving(missing > 0), [missing]);
  const about = describeAbout(whereabouts?.about[0] ?? null);
  const isUnknown = query.error?.status === 404;
  const answer = isUnknown ? undefined : query.data;
  const banned = (answer?.bans ?? []).filter((ban) => isBanned(ban, Date.now()));
  const own = banned.filter((ban) => ban.address === address);
  return (
    <>
      <header class="page-head">
        <div>
          <h1 class="mono">{address}</h1>
          {about !== "" && (
            <p class="about">
              <Foreign text={about} length={120} />
            </p>
          )}
        </div>
        <div class="buttons">
          {own.length > 0 && <UnbanButton address={address} bans={own} />}
          <BanButton address={address} />
          <AllowButton address={address} />
        </div>
      </header>
      {query.error && !isUnknown && <Failed error={query.error} retry={query.refresh} />}
      {isUnknown && (
        <Empty title="The fleet knows nothing of this address.">
          <p>No ban of it and no failure of it is on record.</p>
        </Empty>
      )}
      {answer ? (
        <Known address={address} answer={answer} retry={query.refresh} />
      ) : (
        !query.error && <Loading what="what is known" />
      )}
    </>
  );
}

interface KnownProps {
  address: string;
  answer: Answer;
  retry: () => void;
}

function Known({ address, answer, retry }: KnownProps) {
  const { bans, total, traces = [], stale } = answer;
  const { data: policy } = useQuery("jail.list", { after: null, limit: JAILS });
  const isOwn = (ban: Ban) => ban.address === address;
  const due = bans
    .filter((ban) => !["lifted", "expired"].includes(kindOf(ban, Date.now())))
    .sort((a, b) => Number(isOwn(b)) - Number(isOwn(a)));
  return (
    <>
      <Stale reason={stale} retry={retry} />
      <AddressVerdict address={address} answer={answer} />
      {due.map((ban) => (
        <BanPanel
          key={ban.jail + ban.address}
          {...{ address, ban, answer }}
          rule={policy?.jails.find(({ jail }) => jail.name === ban.jail)?.sentences ?? []}
        />
      ))}
      {total > bans.length && <p>and {count(total - bans.length, "more ban")} within it.</p>}
      {traces.map((trace) => (
        <BanTrace key={trace.jail + trace.address} trace={trace} />
      ))}
      <div class="columns">
        <section class="panel">
          <h2>What has happened</h2>
          <Timeline answer={answer} />
        </section>
        <div>
          <AddressFacts answer={answer} />
          <PeriodChart title="Its failures" filter={{ address }} />
        </div>
      </div>
    </>
  );
}

/** The answer to the first question of everybody who opens this page. */
function AddressVerdict({ address, answer }: { address: string; answer: Answer }) {
  const { bans, allowed, machine } = answer;
  const now = Date.now();
  const inForce = bans.filter((ban) => isBanned(ban, now));
  const banned = inForce.find((ban) => ban.address === address) ?? inForce[0];
  const held = bans.find((ban) => awaitsRelease(ban, now));
  if (banned) {
    const standing = standingOf(banned, answer);
    const level = standing && !isEverywhere(standing) ? "look" : "banned";
    return (
      <VerdictLine level={level}>
        <p class="sentence">
          Banned in {banned.jail}
          {banned.until === null ? (
            " for ever"
          ) : (
            <>
              {" "}
              until <Time at={banned.until} /> (<Time at={banned.until} isRelative />)
            </>
          )}
          {standing ? `: ${describeStanding(standing)}.` : "."}
        </p>
        {standing && <StandingFaults standing={standing} />}
      </VerdictLine>
    );
  }
  if (held) {
    return (
      <VerdictLine level="look">
        <p class="sentence">Held: in force nowhere until you release it.</p>
      </VerdictLine>
    );
  }
  return (
    <VerdictLine level={allowed || machine ? "well" : "empty"}>
      <p class="sentence">
        {allowed
          ? "Not banned, and on the allowlist."
          : machine
            ? "Not banned: a machine of the fleet."
            : "Not banned now."}
      </p>
    </VerdictLine>
  );
}

function VerdictLine(props: { level: string; children: ComponentChildren }) {
  const isBan = props.level === "banned";
  return (
    <section class={`verdict small ${props.level}`}>
      <Icon name={isBan ? "ban" : props.level === "well" ? "ok" : "clock"} />
      <div>{props.children}</div>
    </section>
  );
}

interface BanPanelProps {
  /** Of the page. */
  address: string;
  ban: Ban;
  answer: Answer;
  /** The jail as it is now, in sentences; empty: it is not known. */
  rule: readonly string[];
}

function BanPanel({ address, ban, answer, rule }: BanPanelProps) {
  const standing = standingOf(ban, answer);
  const { reason, by, offence, basis, held, hosts, changedAt, policyVersion } = ban;
  return (
    <section class="panel">
      <header>
        <h2>
          {ban.address === address ? address : <AddressName address={ban.address} />} in {ban.jail}
        </h2>
        <BanState ban={ban} isWithEnd />
        {awaitsRelease(ban, Date.now()) && <HeldActions ban={ban} />}
      </header>
      <Facts>
        <Fact name="Because">
          <Foreign text={reason} length={256} />
        </Fact>
        {ban.evidence.length > 0 && rule.length > 0 && (
          <Fact name="Rule now">
            {rule.map((sentence) => (
              <p>
                <Foreign text={sentence} length={400} />
              </p>
            ))}
          </Fact>
        )}
        {held !== undefined && (
          <Fact name="Held">
            <Foreign text={held} length={256} />
          </Fact>
        )}
        <Fact name="Decided">
          <Time at={changedAt} isExact /> by <Foreign text={by} />
          {policyVersion !== undefined && (
            <span class="faint"> (policy version {policyVersion})</span>
          )}
        </Fact>
        <Fact name="In force">
          {isBanned(ban, Date.now()) && standing ? describeHosts(standing) : "nowhere"}
          {hosts && ` (${hosts.join(", ")} only, until another host confirms)`}
          {isBanned(ban, Date.now()) && standing && <StandingFaults standing={standing} />}
        </Fact>
        <Fact name="Failures">{describeEvidence(ban)}</Fact>
        <BasisFacts basis={basis} />
        <Fact name="Offence">number {offence} of this address in this jail</Fact>
      </Facts>
    </section>
  );
}

/** More on what the ban rests on, where that is not failures of the address alone. */
function BasisFacts({ basis }: { basis: Ban["basis"] }) {
  return (
    <>
      {basis?.addresses && (
        <Fact name="Addresses">
          {basis.addresses.map(({ address, failures }) => `${address} (${failures})`).join(", ")}
        </Fact>
      )}
      {basis?.bans && (
        <Fact name="Bans">{basis.bans.map(({ jail, bans }) => `${jail} ${bans}`).join(", ")}</Fact>
      )}
      {basis?.knownGood !== undefined && (
        <Fact name="Known good">{basis.knownGood} times the usual count was needed</Fact>
      )}
    </>
  );
}

function AddressFacts({ answer }: { answer: Answer }) {
  const { allowed, allowedInJails = [], machine, logins } = answer;
  const entries = [...(allowed ? [allowed] : []), ...allowedInJails];
  return (
    <section class="panel">
      <h2>What protects it from bans</h2>
      <Facts>
        <Fact name="Allowlist">
          {entries.length === 0
            ? "no"
            : entries.map((entry) => (
                <p>
                  {entry.address}
                  {entry.jail === undefined ? "" : ` in jail ${entry.jail}`}:{" "}
                  <Foreign text={entry.comment || entry.by} />
                  {entry.until !== undefined && (
                    <>
                      , ends <Time at={entry.until} isRelative />
                    </>
                  )}
                </p>
              ))}
        </Fact>
        <Fact name="Machine of the fleet">
          {machine ? (
            <>
              yes: <Foreign text={machine.what} />
            </>
          ) : (
            "no"
          )}
        </Fact>
        <Fact name="Successful logins">
          {logins === undefined || logins.length === 0
            ? "none is known (hosts report logins only for jails with knownGood)"
            : logins.map(({ host, at }) => (
                <p>
                  on {host} <Time at={at} isRelative />
                </p>
              ))}
        </Fact>
      </Facts>
    </section>
  );
}
