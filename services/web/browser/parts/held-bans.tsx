import { useQuery } from "../api/use-query.ts";
import { HeldActions } from "../commands/held-actions.tsx";
import { count } from "../text/numbers.ts";
import { Foreign } from "./foreign.tsx";
import { Link } from "./link.tsx";
import { AddressName } from "./names.tsx";

const SHOWN = 3;

/** The first held bans, to be released or discarded on the spot. */
export function HeldBans({ total }: { total: number }) {
  const { data } = useQuery("ban.list", { all: false, held: true, limit: SHOWN, after: null });
  if (!data || data.bans.length === 0) return null;
  return (
    <section class="panel">
      <header>
        <h2>{count(total, "held ban")}</h2>
        <Link page="bans" filters={{ state: "held" }}>
          See all
        </Link>
      </header>
      <ul class="held-list">
        {data.bans.map((ban) => (
          <li key={ban.change}>
            <div>
              <AddressName address={ban.address} /> in {ban.jail}:{" "}
              <Foreign text={ban.reason} length={100} />
              {ban.held !== undefined && (
                <p class="faint">
                  held because <Foreign text={ban.held} length={160} />
                </p>
              )}
            </div>
            <HeldActions ban={ban} />
          </li>
        ))}
      </ul>
    </section>
  );
}
