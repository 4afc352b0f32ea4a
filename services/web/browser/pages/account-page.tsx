/** The attacks on a mailbox: from which addresses, on which hosts, and did anybody get in? */
import { useMemo, useState } from "preact/hooks";
import type { Reply } from "../api/messages.ts";
import { useQuery } from "../api/use-query.ts";
import { useApp, useFilters } from "../app-context.ts";
import { attemptsColumns } from "../parts/attempts-columns.tsx";
import { DataTable, type Column } from "../parts/data-table.tsx";
import { ChoiceRow, TextField } from "../parts/fields.tsx";
import { Foreign } from "../parts/foreign.tsx";
import { Icon } from "../parts/icon.tsx";
import { AddressName, HostName } from "../parts/names.tsx";
import { RecordedSeries } from "../parts/period-chart.tsx";
import { Share } from "../parts/share.tsx";
import { Empty, Failed, Loading, Stale } from "../parts/states.tsx";
import { Time } from "../parts/time.tsx";
import { count, formatNumber } from "../text/numbers.ts";
import { beginOf, periodNamed, PERIODS, type Period } from "../text/periods.ts";

/** The coordinator takes no longer one. */
const LONGEST_NAME = 256;

type Account = Reply<"account.show">;
type AccountAddress = Account["addresses"][number];

export function AccountPage() {
  const { of, set } = useFilters();
  const user = of("user");
  const period = periodNamed(of("period"), "30d");
  if (user === "") return <WhichAccount />;
  return (
    <>
      <header class="page-head">
        <div>
          <p class="kicker">Account</p>
          <h1>
            <Foreign text={user} length={60} />
          </h1>
        </div>
        <ChoiceRow
          label="Period"
          value={period.value}
          onChange={(value) => set({ period: value })}
          choices={PERIODS}
        />
      </header>
      {user.length > LONGEST_NAME ? (
        <Empty title={`No user name on record has more than ${LONGEST_NAME} characters.`} />
      ) : (
        <Attacks user={user} period={period} />
      )}
    </>
  );
}

function WhichAccount() {
  const { go } = useApp();
  const [user, setUser] = useState("");
  return (
    <>
      <h1>Account</h1>
      <form
        class="panel narrow"
        onSubmit={(event) => {
          event.preventDefault();
          if (user.trim() !== "") go("account", "", { user: user.trim() });
        }}
      >
        <TextField
          label="User name, as clients send it"
          value={user}
          onChange={setUser}
          placeholder="alice@example.org"
          isRequired
        />
        <button type="submit" class="primary">
          Show who attacks it
        </button>
      </form>
    </>
  );
}

function Attacks({ user, period }: { user: string; period: Period }) {
  const { changes } = useApp();
  const since = useMemo(() => beginOf(period, Date.now()), [period, changes]);
  const { data, error, refresh } = useQuery("account.show", { user, since });
  if (error) return <Failed error={error} retry={refresh} />;
  if (!data) return <Loading what="who attacks it" />;
  return (
    <>
      <Stale reason={data.stale} retry={refresh} />
      <AccountVerdict account={data} period={period} />
      {data.attempts > 0 && (
        <>
          <section class="panel">
            <h2>Attempts over time</h2>
            <RecordedSeries period={period} filter={{ user }} />
          </section>
          <Attackers account={data} />
          <HostsOfAccount account={data} />
        </>
      )}
    </>
  );
}

function AccountVerdict({ account, period }: { account: Account; period: Period }) {
  const { attempts, addressCount, addresses, knowsLogins, lastAt } = account;
  const suspects = addresses.filter(isSuspect);
  const level = suspects.length > 0 ? "act" : attempts > 0 ? "look" : "well";
  return (
    <section class={`verdict small ${level}`}>
      <Icon name={level === "well" ? "ok" : "alert"} />
      <div>
        <p class="sentence" role="status">
          {attempts === 0
            ? `No login to this account has failed in ${period.words}.`
            : `${count(attempts, "failed attempt")} from ${count(addressCount, "address", "addresses")}.`}
        </p>
        {lastAt !== null && (
          <p class="detail">
            The last one was <Time at={lastAt} isRelative />.
          </p>
        )}
        <p class="detail">{describeLogins(knowsLogins, suspects.length)}</p>
      </div>
    </section>
  );
}

/** Somebody has logged in from an address after failures of it: the owner, or the attacker. */
const isSuspect = ({ lastLoginAt, firstAt }: AccountAddress): boolean =>
  lastLoginAt !== null && lastLoginAt >= firstAt;

function describeLogins(knowsLogins: boolean, suspects: number): string {
  if (!knowsLogins) {
    return "It is not known whether anybody got in: no jail has knownGood, so hosts do not report logins.";
  }
  if (suspects === 0) return "Nobody is known to have logged in from these addresses since.";
  const from = count(suspects, "of these addresses", "of these addresses");
  return (
    `Somebody has logged in from ${from} after failures. Hosts report logins without user names: it ` +
    "may be another account, or the owner after a typing error. If the owner does not know the address, change the password."
  );
}

function Attackers({ account }: { account: Account }) {
  const { addresses, addressCount, attempts, knowsLogins } = account;
  const most = addresses[0]?.attempts ?? 0;
  const columns: Column<AccountAddress>[] = [
    {
      name: "Address",
      cell: ({ address }) => <AddressName address={address} />,
      text: ({ address }) => address,
    },
    ...attemptsColumns(addresses),
    {
      name: "Share",
      kind: "extra",
      cell: (row) => <Share part={row.attempts} whole={attempts} most={most} />,
    },
    {
      name: "First",
      kind: "extra",
      cell: ({ firstAt }) => <Time at={firstAt} />,
      text: ({ firstAt }) => firstAt,
    },
    { name: "Last", cell: ({ lastAt }) => <Time at={lastAt} />, text: ({ lastAt }) => lastAt },
    {
      name: "Banned",
      cell: ({ isBanned }) =>
        isBanned ? <span class="badge in-force">banned</span> : <span class="faint">no</span>,
      text: ({ isBanned }) => (isBanned ? "yes" : "no"),
    },
    ...(knowsLogins ? [LOGIN] : []),
  ];
  return (
    <>
      <h2>From where</h2>
      <DataTable
        {...{ caption: "Attackers of the account", columns, rows: addresses, total: addressCount }}
        keyOf={({ address }) => address}
      />
    </>
  );
}

const LOGIN: Column<AccountAddress> = {
  name: "Login from there",
  cell: (row) => <LastLogin row={row} />,
  text: ({ lastLoginAt }) => lastLoginAt ?? "not known",
};

function LastLogin({ row }: { row: AccountAddress }) {
  if (row.lastLoginAt === null) return <span class="faint">not known</span>;
  return (
    <span class={isSuspect(row) ? "badge held" : undefined}>
      <Time at={row.lastLoginAt} isRelative />
    </span>
  );
}

function HostsOfAccount({ account: { hosts } }: { account: Account }) {
  if (hosts.length === 0) return <Empty title="No host has reported it." />;
  return (
    <section class="panel">
      <h2>On which hosts</h2>
      <ul class="chips">
        {hosts.map(({ name, attempts }) => (
          <li>
            <HostName host={name} /> {formatNumber(attempts)}
          </li>
        ))}
      </ul>
    </section>
  );
}
