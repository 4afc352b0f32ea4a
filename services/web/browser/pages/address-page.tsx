/** Everything that the fleet knows about an address or a network. */
import type { ComponentChildren } from "preact";
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
import { Time } from "../parts/time.tsx";
import { Timeline } from "../parts/timeline.tsx";
import { parseAddress } from "../text/addresses.ts";
import {
  awaitsRelease,
  describeEvidence,
  describeStanding,
  faultsOf,
  isBanned,
  kindOf,
} from "../text/ban-words.ts";
import { count } from "../text/numbers.ts";

type Answer = Reply<"ban.show">;

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
  const query = useQuery("ban.show", { address, trace: true }, { everyMs: 15_000 });
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
          <p>There is no ban of it, and no failure is on record.</p>
        </Empty>
      )}
      {answer ? (
        <Known address={address} answer={answer} />
      ) : (
        !query.error && <Loading what="what is known" />
      )}
    </>
  );
}

function Known({ address, answer }: { address: string; answer: Answer }) {
  const { bans, total, traces = [], stale } = answer;
  const isOwn = (ban: Ban) => ban.address === address;
  const due = bans
    .filter((ban) => !["lifted", "expired"].includes(kindOf(ban, Date.now())))
    .sort((a, b) => Number(isOwn(b)) - Number(isOwn(a)));
  return (
    <>
      <Stale reason={stale} />
      <AddressVerdict address={address} answer={answer} />
      {due.map((ban) => (
        <BanPanel key={ban.jail + ban.address} ban={ban} answer={answer} />
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
          <PeriodChart title="Failures of it" filter={{ address }} />
        </div>
      </div>
    </>
  );
}

/** The answer to the first question of everybody who opens this page. */
function AddressVerdict({ address, answer }: { address: string; answer: Answer }) {
  const { bans, standing, allowed, machine } = answer;
  const now = Date.now();
  const inForce = bans.filter((ban) => isBanned(ban, now));
  const banned = inForce.find((ban) => ban.address === address) ?? inForce[0];
  const held = bans.find((ban) => awaitsRelease(ban, now));
  const faults = banned && standing ? faultsOf(standing) : [];
  if (banned) {
    const level = faults.length > 0 ? "look" : "banned";
    return (
      <VerdictLine level={level}>
        <p class="sentence">
          Banned in {banned.jail}
          {banned.until === null ? " for ever" : ", "}
          {banned.until !== null && (
            <>
              it ends <Time at={banned.until} isRelative />
            </>
          )}
          {standing ? `; ${describeStanding(standing)}.` : "."}
        </p>
        {faults.map((fault) => (
          <p class="detail">
            <Foreign text={fault} length={200} />
          </p>
        ))}
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

function BanPanel({ ban, answer }: { ban: Ban; answer: Answer }) {
  const own = answer.local?.find(({ jail, address }) => {
    return jail === ban.jail && address === ban.address;
  });
  const standing = own?.standing ?? answer.standing;
  const { reason, by, offence, basis, held, hosts, changedAt, policyVersion } = ban;
  return (
    <section class="panel">
      <header>
        <h2>
          <AddressName address={ban.address} /> in {ban.jail}
        </h2>
        <BanState ban={ban} isWithEnd />
        {awaitsRelease(ban, Date.now()) && <HeldActions ban={ban} />}
      </header>
      <Facts>
        <Fact name="Because">
          <Foreign text={reason} length={256} />
        </Fact>
        {held !== undefined && (
          <Fact name="Held">
            <Foreign text={held} length={256} />
          </Fact>
        )}
        <Fact name="Decided">
          <Time at={changedAt} isExact /> by <Foreign text={by} />
          {policyVersion !== undefined && <span class="faint"> (policy {policyVersion})</span>}
        </Fact>
        <Fact name="In force">
          {isBanned(ban, Date.now()) && standing ? describeStanding(standing) : "nowhere"}
          {hosts && ` (${hosts.join(", ")} alone, until another host confirms)`}
        </Fact>
        <Fact name="Failures">{describeEvidence(ban)}</Fact>
        {basis?.addresses && (
          <Fact name="Addresses">
            {basis.addresses.map(({ address, failures }) => `${address} (${failures})`).join(", ")}
          </Fact>
        )}
        {basis?.bans && (
          <Fact name="Bans">
            {basis.bans.map(({ jail, bans }) => `${jail} ${bans}`).join(", ")}
          </Fact>
        )}
        {basis?.knownGood !== undefined && (
          <Fact name="Known good">{basis.knownGood} times the usual count was needed</Fact>
        )}
        <Fact name="Offence">number {offence} of this address in this jail</Fact>
      </Facts>
    </section>
  );
}

function AddressFacts({ answer }: { answer: Answer }) {
  const { allowed, allowedInJails = [], machine, logins } = answer;
  const entries = [...(allowed ? [allowed] : []), ...allowedInJails];
  return (
    <section class="panel">
      <h2>What spares it</h2>
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
            ? "none that is known (only jails with knownGood ask for them)"
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
