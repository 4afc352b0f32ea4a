/** The allowlist's entries of operators, on record for the case that NATS loses its storage. */
import type { JsMsg } from "@nats-io/jetstream";
import type { PrismaClient } from "../../../prisma/client/client.ts";
import type { AllowedPlace } from "../../policy/allowlist.ts";
import { decodeAllowed, type Allowed } from "../../wire/settings.ts";
import { placeOfAllowKey, SETTINGS_BUCKET } from "../../wire/subjects.ts";
import { canonical } from "./inet.ts";

export type AllowedChange = { added: Allowed } | { removed: AllowedPlace };

const PREFIX = `$KV.${SETTINGS_BUCKET}.`;

/** undefined: nothing to record, because it comes from the configuration. */
export function decodeAllowedChange(
  message: Pick<JsMsg, "subject" | "data" | "headers">,
): AllowedChange | undefined {
  if (message.headers?.get("KV-Operation")) {
    const removed = placeOfAllowKey(message.subject.slice(PREFIX.length));
    return removed && { removed };
  }
  const added = decodeAllowed(message.data, message.subject);
  return added.origin === "operator" ? { added } : undefined;
}

/** In their order; there are few. */
export async function applyAllowed(
  prisma: PrismaClient,
  changes: readonly AllowedChange[],
): Promise<void> {
  for (const change of changes) {
    if ("removed" in change) {
      const { address, jail = "" } = change.removed;
      await prisma.allowed.deleteMany({ where: { address, jail } });
      continue;
    }
    const { address, jail = "", comment, addedAt, by, until, label = null } = change.added;
    const end = until === undefined ? null : new Date(until);
    const entry = { comment, addedAt: new Date(addedAt), by, until: end, label };
    await prisma.allowed.upsert({
      where: { address_jail: { address, jail } },
      create: { address, jail, ...entry },
      update: entry,
    });
  }
}

/** The entries on record. */
export async function findAllowed(prisma: PrismaClient): Promise<Allowed[]> {
  const rows = await prisma.allowed.findMany();
  return rows.map(({ address, jail, comment, addedAt, by, until, label }) => ({
    v: 1,
    ...(jail !== "" && { jail }),
    ...(until && { until: until.getTime() }),
    ...(label !== null && { label }),
    address: canonical(address),
    comment,
    addedAt: addedAt.getTime(),
    by,
    origin: "operator",
  }));
}
