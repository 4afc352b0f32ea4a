/** `fleetban failure list|top|erase`. */
import { failureRow, topRow, type TopKind, type TopRow } from "../../wire/api.ts";
import { parseAddress } from "../../wire/address.ts";
import { staleRecord } from "../history/stale-answers.ts";
import { aboutAddress } from "./about-endpoint.ts";
import { jailNamed, type ApiContext } from "./api-context.ts";
import type { Endpoints } from "./api-server.ts";
import { fromRecord } from "./from-record.ts";
import { firstRows, pageOf } from "./page.ts";

type FailureEndpoints = Pick<Endpoints, "failure.list" | "failure.top" | "failure.erase">;

/** The CLI waits a little longer for an answer. */
const ERASE_FOR_MS = 6_000;

export function failureEndpoints(context: ApiContext): FailureEndpoints {
  const { history, now, newId, log } = context;

  /** Names as people read them, with what is known of them. */
  async function describe(by: TopKind, rows: { name: string; attempts: number }[]) {
    const names =
      by === "asn" ? await history.systemNames(rows.map(({ name }) => Number(name))) : undefined;
    return rows.map(({ name, attempts }): TopRow => {
      if (names) return { name: `AS${name}`, attempts, about: names.get(Number(name)) ?? null };
      const about = by === "address" ? aboutAddress(context, parseAddress(name)) : null;
      return { name, attempts, about };
    });
  }

  return {
    async "failure.list"(query) {
      if (query.jail !== undefined) jailNamed(context, query.jail);
      const { limit } = query;
      const found = await fromRecord(() => history.failures({ ...query, limit: limit + 1 }));
      const { rows, next } = pageOf(found, failureRow, limit);
      return { failures: rows, next, stale: staleRecord(context) };
    },

    async "failure.top"({ by, since, until = now(), limit }) {
      return fromRecord(async () => {
        const { rows, attempts } = await history.topFailures({ by, since, until, limit });
        const top = firstRows(await describe(by, rows), topRow, { limit });
        return { top, attempts, stale: staleRecord(context) };
      });
    },

    async "failure.erase"({ user, address, reason, dryRun }, by) {
      const whose = user === undefined ? address && { address } : { user };
      if (!whose) throw new Error("failure.erase: a request without user and address");
      const isTimeOver = createTimer(ERASE_FOR_MS);
      return fromRecord(async () => {
        const found = await history.erasable(whose);
        if (dryRun) return { ...found, erased: 0 };
        const order = { by, reason, at: now(), id: newId(), failures: found.failures };
        const erased = await history.erase(whose, order, isTimeOver);
        // Neither the user nor the address: the log would keep them.
        log.warn({ by, erased, reason }, "failures are erased");
        return { ...found, erased };
      });
    },
  };
}

function createTimer(ms: number): () => boolean {
  const end = performance.now() + ms;
  return () => performance.now() > end;
}
