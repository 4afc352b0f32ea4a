import type { Ban, FailureRow, Reply } from "../api/messages.ts";
import { formatDuration } from "../text/durations.ts";
import { count } from "../text/numbers.ts";
import { timelineOf, type TimelineEntry } from "../text/timeline.ts";
import { Foreign } from "./foreign.tsx";
import { HostName, UserName } from "./names.tsx";
import { Time } from "./time.tsx";

export function Timeline({ answer }: { answer: Reply<"ban.show"> }) {
  const entries = timelineOf(answer);
  if (entries.length === 0) return <p class="faint">Nothing is on record.</p>;
  return (
    <ol class="timeline">
      {entries.map((entry) => (
        <li key={entry.key} class={classOf(entry)}>
          <Time at={entry.at} isExact />
          <EntryText entry={entry} />
        </li>
      ))}
    </ol>
  );
}

const classOf = (entry: TimelineEntry): string =>
  entry.kind === "change" ? `change ${entry.ban.state}` : entry.kind;

function EntryText({ entry }: { entry: TimelineEntry }) {
  switch (entry.kind) {
    case "change":
      return <ChangeText ban={entry.ban} />;
    case "failures":
      return <FailuresText failures={entry.failures} />;
    case "login":
      return (
        <p>
          Somebody logged in on <HostName host={entry.host} />
        </p>
      );
  }
}

const CHANGES: Readonly<Record<Ban["state"], string>> = {
  active: "Banned",
  held: "Ban held",
  shadow: "Would have been banned (shadow)",
  lifted: "Ban lifted",
  expired: "Ban ended",
};

function ChangeText({ ban }: { ban: Ban }) {
  const { state, address, jail, reason, by, until, changedAt, immuneUntil } = ban;
  const isEnd = state === "lifted" || state === "expired";
  // A ban is written some milliseconds after its time began.
  const seconds =
    until === null ? null : Math.ceil((Date.parse(until) - Date.parse(changedAt)) / 1000);
  return (
    <div>
      <p>
        <strong>{CHANGES[state]}</strong> in {jail}
        {!isEnd && ` ${seconds === null ? "for ever" : `for ${formatDuration(seconds)}`}`}
        {address.includes("/") && `, all of ${address}`}
      </p>
      <p class="faint">
        <Foreign text={reason} length={160} /> · by <Foreign text={by} length={40} />
      </p>
      {immuneUntil !== null && (
        <p class="faint">
          its failures do not count until <Time at={immuneUntil} />
        </p>
      )}
    </div>
  );
}

function FailuresText({ failures }: { failures: readonly FailureRow[] }) {
  const attempts = failures.reduce((sum, failure) => sum + failure.attempts, 0);
  const hosts = [...new Set(failures.map(({ host }) => host))];
  const forms = [...new Set(failures.map(({ form }) => form))];
  const users = [...new Set(failures.map(({ user }) => user))].slice(0, 5);
  return (
    <div>
      <p>
        <strong>{count(attempts, "failure")}</strong> on{" "}
        {hosts.map((host, index) => (
          <>
            {index > 0 && ", "}
            <HostName host={host} />
          </>
        ))}
      </p>
      <p class="faint">
        as{" "}
        {users.map((user, index) => (
          <>
            {index > 0 && ", "}
            <UserName user={user} />
          </>
        ))}
        {" · log lines: "}
        <Foreign text={forms.join(", ")} length={160} />
      </p>
    </div>
  );
}
