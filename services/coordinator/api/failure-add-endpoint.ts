/**
 * `fleetban failure add`: a failure that another program has seen. It goes into the stream of
 * failures as an agent's would, so it counts, is recorded, and survives a change of coordinators.
 */
import { randomBytes } from "node:crypto";
import { reasonOf } from "../../process/reason.ts";
import { createHostGroup } from "../../wire/host-pattern.ts";
import { encodeFailureBatch, failureBatchId, type FailureBatch } from "../../wire/failure.ts";
import { whyNeverRemote } from "../../wire/never-remote.ts";
import { failureSubject } from "../../wire/subjects.ts";
import { countsBans } from "../../policy/ban-memory.ts";
import { jailNamed, type ApiContext } from "./api-context.ts";
import { ApiError, type Endpoints } from "./api-server.ts";

/** Resolves when NATS has stored the message. */
export type StoreFailures = (
  subject: string,
  bytes: Uint8Array,
  options: { msgID: string; timeout: number },
) => Promise<unknown>;

/** The source that such failures come from. */
const SOURCE = "fleetban-failure-add";
const STORE_WITHIN_MS = 5_000;

export function failureAddEndpoint(
  context: ApiContext,
  storeMessage: StoreFailures,
): Pick<Endpoints, "failure.add"> {
  const { now, quarantines } = context;
  /** Positions count the failures since this start, which is their epoch. */
  const epoch = randomBytes(8).toString("hex");
  let position = 0;
  /** One batch is stored after the other, because a reader drops older positions. */
  let storing: Promise<unknown> = Promise.resolve();

  async function store(batch: Omit<FailureBatch, "from" | "to" | "sentAt">): Promise<void> {
    const from = position;
    const failures = batch.failures.map((failure) => ({ ...failure, position: (position += 1) }));
    const whole = { ...batch, from, to: position, sentAt: now(), failures };
    const subject = failureSubject(batch.jail, batch.host);
    const options = { msgID: failureBatchId(whole), timeout: STORE_WITHIN_MS };
    await storeMessage(subject, encodeFailureBatch(whole), options);
  }

  function checkJail(name: string, host: string): void {
    const jail = jailNamed(context, name);
    if (countsBans(jail)) throw new ApiError(409, `jail ${name} counts bans, and no failures`);
    if (jail.hosts && !createHostGroup(jail.hosts)(host)) {
      throw new ApiError(409, `jail ${name} counts no failures of host ${host} (hosts)`);
    }
    if (quarantines.of(host)) {
      throw new ApiError(409, `host ${host} is in quarantine, its failures do not count`);
    }
  }

  return {
    async "failure.add"({ addresses, jail, host, user, service, attempts }) {
      checkJail(jail, host);
      for (const address of addresses) {
        const never = whyNeverRemote(address);
        if (never !== undefined) throw new ApiError(409, `${address} ${never}`);
      }
      const common = { at: now(), attempts, user, service, form: "reported", position: 0 };
      const failures = addresses.map((address) => ({ ...common, address }));
      const work = storing.then(() => store({ v: 1, host, jail, source: SOURCE, epoch, failures }));
      storing = work.catch(() => {});
      try {
        await work;
      } catch (error) {
        const remedy =
          "where NATS refuses it, make the coordinator's credentials anew with " +
          "fleetban key coordinator NAME --renew";
        const text = `NATS does not store it: ${reasonOf(error)}; ${remedy}`;
        throw new ApiError(503, text, { cause: error });
      }
      return { stored: addresses.length, jail, host };
    },
  };
}
