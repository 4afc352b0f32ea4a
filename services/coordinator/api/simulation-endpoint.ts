/**
 * What a jail with other numbers would have done to the failures on record. The decider's own code
 * tries both policies beside each other. One simulation runs at a time, and each of them ends soon: it
 * says when it has looked at a part of the failures only.
 */
import { countsBans } from "../../policy/ban-memory.ts";
import { createReplay, type Replay } from "../../policy/replay.ts";
import type { Address } from "../../wire/address.ts";
import type { Request, SimulatedOutcome } from "../../wire/api.ts";
import type { Jail } from "../../wire/settings.ts";
import { staleRecord } from "../history/stale-answers.ts";
import { jailNamed, type ApiContext } from "./api-context.ts";
import { ApiError, type Endpoints } from "./api-server.ts";
import { fromRecord } from "./from-record.ts";

/** Some 100 bytes each, of both replays together, if every failure is of another address. */
const MOST_FAILURES = 500_000;
const LOOK_FOR_MS = 6_000;
const MOST_WAITING = 3;
const DAY_MS = 86_400_000;
/** After this many failures the replays forget what is over. */
const SWEEP_EVERY = 10_000;

export function simulationEndpoint(context: ApiContext): Pick<Endpoints, "simulation.show"> {
  const inTurn = createTurns();
  return {
    "simulation.show"(request) {
      const jail = jailNamed(context, request.jail);
      if (countsBans(jail)) {
        const message = `jail "${jail.name}": it counts bans, expected a jail that counts failures`;
        throw new ApiError(400, message);
      }
      return inTurn(() => simulate(context, jail, request));
    },
  };
}

async function simulate(context: ApiContext, jail: Jail, request: Request<"simulation.show">) {
  const until = context.now();
  const trials = [jail, proposedOf(jail, request)].map((each) => createTrial(context, each));
  const isTimeOver = createTimer(LOOK_FOR_MS);
  let count = 0;
  const replayed = await fromRecord(() =>
    context.history.replay({
      ...{ jail: jail.name, since: until - request.days * DAY_MS, until, most: MOST_FAILURES },
      isTimeOver,
      onFailure(host, failure) {
        if (context.quarantines.of(host)) return;
        count += 1;
        for (const { replay } of trials) {
          replay.fail(host, failure);
          if (count % SWEEP_EVERY === 0) replay.sweep(failure.at);
        }
      },
    }),
  );
  const [today, proposed] = trials;
  if (!today || !proposed) throw new Error("simulation.show: nothing was tried");
  const { attempts: failures, ...looked } = replayed;
  return {
    ...{ ...looked, failures, stale: staleRecord(context) },
    ...{ today: outcomeOf(context, today), proposed: outcomeOf(context, proposed) },
  };
}

function proposedOf(jail: Jail, request: Request<"simulation.show">): Jail {
  const { maxretry = jail.maxretry, findtime = jail.findtime, bantime = jail.bantime } = request;
  return { ...jail, maxretry, findtime, bantime };
}

interface Trial {
  replay: Replay;
  bans: number;
  addresses: Set<Address>;
  /** Of the addresses: those from which somebody has logged in. */
  knownGood: number;
}

function createTrial(context: ApiContext, jail: Jail): Trial {
  const { spared, knownGood } = context;
  const recidive = context.jails().find(countsBans);
  const { dbpurgeage } = context.reload.config();
  const trial: Trial = {
    ...{ bans: 0, addresses: new Set<Address>(), knownGood: 0 },
    replay: createReplay({
      policy: { jail, recidive, dbpurgeage, scope: "fleet" },
      onBan({ address }) {
        trial.bans += 1;
        if (trial.addresses.has(address)) return;
        trial.addresses.add(address);
        if (knownGood.hasLoggedIn(address, -Infinity)) trial.knownGood += 1;
      },
      hasLoggedIn: knownGood.hasLoggedIn,
      isSpared: (address) => spared.isSpared(address, jail.name),
    }),
  };
  return trial;
}

function outcomeOf(context: ApiContext, trial: Trial): SimulatedOutcome {
  const { bans, addresses, replay, knownGood } = trial;
  return {
    ...{ bans, addresses: addresses.size, prevented: replay.prevented() },
    knownGood: context.knownGood.isFollowing() ? knownGood : null,
  };
}

function createTimer(ms: number): () => boolean {
  const end = performance.now() + ms;
  return () => performance.now() > end;
}

/** Work that is done one after the other; too much of it is refused. */
function createTurns() {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (waiting > MOST_WAITING) {
      throw new ApiError(503, "too many simulations wait for their turn, try again in a moment");
    }
    waiting += 1;
    const result = last.then(work);
    last = result.catch(() => undefined).finally(() => (waiting -= 1));
    return result;
  };
}
