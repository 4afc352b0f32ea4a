/** Tries other numbers of a jail on the failures of the last days. It changes nothing. */
import { useState } from "preact/hooks";
import type { JailRow, Reply, Request } from "../api/messages.ts";
import { useQuery } from "../api/use-query.ts";
import { formatDuration, parseDuration } from "../text/durations.ts";
import { count, formatNumber } from "../text/numbers.ts";
import { SelectField, TextField } from "./fields.tsx";
import { Failed, Loading, Stale } from "./states.tsx";
import { Time } from "./time.tsx";

const DAYS = [1, 3, 7, 14, 30].map((days) => ({
  value: String(days),
  label: days === 1 ? "the last day" : `the last ${days} days`,
}));

export function Trial({ jail }: { jail: JailRow["jail"] }) {
  const [maxretry, setMaxretry] = useState(String(jail.maxretry));
  const [findtime, setFindtime] = useState(formatDuration(jail.findtime));
  const [bantime, setBantime] = useState(formatDuration(jail.bantime));
  const [days, setDays] = useState("7");
  const [wanted, setWanted] = useState<Request<"simulation.show">>();
  const { data, error, refresh, isLoading, isCurrent } = useQuery("simulation.show", wanted);

  const retries = Number(maxretry);
  const isCount = /^\d{1,3}$/.test(maxretry) && retries >= 1 && retries <= 100;
  const find = parseDuration(findtime);
  const ban = bantime.trim() === "for ever" ? null : parseDuration(bantime);
  const isComplete = isCount && find !== undefined && ban !== undefined;

  return (
    <details class="trial">
      <summary>Try other numbers on past failures</summary>
      <form
        class="filters"
        onSubmit={(event) => {
          event.preventDefault();
          if (!isComplete) return;
          const numbers = { maxretry: retries, findtime: find, bantime: ban };
          setWanted({ jail: jail.name, days: Number(days), ...numbers });
        }}
      >
        <TextField
          label="maxretry"
          type="number"
          value={maxretry}
          onChange={setMaxretry}
          fault={isCount ? undefined : "From 1 to 100."}
        />
        <TextField
          label="findtime"
          value={findtime}
          onChange={setFindtime}
          fault={find === undefined ? 'A time such as "20m".' : undefined}
        />
        <TextField
          label="bantime"
          value={bantime}
          onChange={setBantime}
          fault={ban === undefined ? 'A time such as "1h", or "for ever".' : undefined}
        />
        <SelectField label="On" value={days} onChange={setDays} choices={DAYS} />
        <button type="submit" class="primary" disabled={!isComplete || isLoading}>
          Try
        </button>
      </form>
      {isLoading && <Loading what="what would have happened" />}
      {error && <Failed error={error} retry={refresh} />}
      {data && isCurrent && !isLoading && <Outcome outcome={data} retry={refresh} />}
    </details>
  );
}

type Simulation = Reply<"simulation.show">;

function Outcome({ outcome, retry }: { outcome: Simulation; retry: () => void }) {
  const { today, proposed, failures, since, until, isWhole, stale } = outcome;
  const rows: [string, number | null, number | null][] = [
    ["Bans", today.bans, proposed.bans],
    ["Addresses banned", today.addresses, proposed.addresses],
    ["Attempts that would have met a ban", today.prevented, proposed.prevented],
    ["Banned addresses with a login lately", today.knownGood, proposed.knownGood],
  ];
  return (
    <div class="outcome" role="status">
      <Stale reason={stale} retry={retry} />
      <p class="sentence">{compare(outcome)}</p>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">On {count(failures, "failure")}</th>
            <th scope="col" class="number">
              as today
            </th>
            <th scope="col" class="number">
              as proposed
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, before, after]) => (
            <tr>
              <th scope="row">{name}</th>
              <td class="number">{numberOrUnknown(before)}</td>
              <td class="number">{numberOrUnknown(after)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="faint">
        Failures from <Time at={since} /> to <Time at={until} />
        {isWhole ? "" : ": there are too many to look at all of them"}. Earlier bans, the allowlist
        and quarantines count as they are.
      </p>
    </div>
  );
}

const numberOrUnknown = (value: number | null): string =>
  value === null ? "not known" : formatNumber(value);

function compare({ today, proposed }: Simulation): string {
  const more = proposed.addresses - today.addresses;
  if (more === 0 && proposed.bans === today.bans) return "Nothing would have been different.";
  const addresses =
    more === 0
      ? "The same number of addresses would have been banned"
      : `${count(Math.abs(more), "address", "addresses")} ${more > 0 ? "more" : "fewer"} would have been banned`;
  const harmed =
    proposed.knownGood === null || today.knownGood === null
      ? 0
      : proposed.knownGood - today.knownGood;
  const risk =
    harmed > 0 ? `, ${formatNumber(harmed)} of them with a login lately: perhaps customers` : "";
  return `${addresses}${risk}.`;
}
