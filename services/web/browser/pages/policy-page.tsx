/** What the jails do, in sentences, and what another maxretry would have done. */
import type { JailRow } from "../api/messages.ts";
import { usePages } from "../api/use-pages.ts";
import { Foreign } from "../parts/foreign.tsx";
import { Empty, Failed, Loading } from "../parts/states.tsx";
import { Time } from "../parts/time.tsx";
import { Trial } from "../parts/trial.tsx";
import { count } from "../text/numbers.ts";

export function PolicyPage() {
  const pages = usePages({
    endpoint: "jail.list",
    request: (after, limit) => ({ after, limit }),
    pageOf: ({ jails, next, total }) => ({ rows: jails, next, total }),
  });
  return (
    <>
      <h1>Policy</h1>
      <p class="faint">
        The jails as they decide now. They are changed in <code>coordinator.yaml</code>, or with{" "}
        <code>fleetban jail set</code>.
      </p>
      {pages.error && <Failed error={pages.error} retry={pages.retry} />}
      {pages.rows === undefined && !pages.error && <Loading what="the policy" />}
      {pages.rows?.length === 0 && <Empty title="There is no jail: nobody is banned." />}
      {pages.rows?.map((row) => (
        <JailPanel key={row.jail.name} row={row} />
      ))}
      {pages.more && (
        <button type="button" onClick={pages.more}>
          Show more jails
        </button>
      )}
    </>
  );
}

function JailPanel({ row }: { row: JailRow }) {
  const { jail, sentences, settings = [], pause, decoyCount = 0 } = row;
  const [first = "", ...others] = sentences;
  return (
    <section class="panel jail">
      <header>
        <h2>{jail.name}</h2>
        {jail.shadow && <span class="badge shadow">shadow</span>}
        {pause && <span class="badge held">paused</span>}
      </header>
      <p class="jail-rule">
        <Foreign text={capitalized(first)} length={400} />.
      </p>
      {others.length > 0 && (
        <ul>
          {others.map((sentence) => (
            <li>
              <Foreign text={capitalized(sentence)} length={400} />.
            </li>
          ))}
        </ul>
      )}
      {decoyCount > 0 && <p class="faint">{count(decoyCount, "decoy name")}, not shown here.</p>}
      {pause && (
        <p class="callout warn">
          Paused since <Time at={pause.since} /> by <Foreign text={pause.by} />
          {pause.reason !== "" && (
            <>
              : <Foreign text={pause.reason} length={160} />
            </>
          )}
        </p>
      )}
      {settings.map(({ setting, inFile, fault }) => (
        <p class="faint">
          <code>{setting.option}</code> is <Foreign text={setting.value} length={60} />, set by{" "}
          <Foreign text={setting.by} length={40} /> <Time at={setting.at} isRelative /> in place of{" "}
          <Foreign text={inFile} length={60} />
          {fault !== undefined && (
            <>
              ; it changes nothing: <Foreign text={fault} length={200} />
            </>
          )}
        </p>
      ))}
      {jail.source !== "bans" && <Trial jail={jail} />}
    </section>
  );
}

const capitalized = (text: string): string => (text[0]?.toUpperCase() ?? "") + text.slice(1);
