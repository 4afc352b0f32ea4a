/**
 * The hot path of recording: one statement per batch, whatever its size. Rows that exist stay as they
 * are, so a batch may be recorded twice. PostgreSQL can store every text, because wire/codec.ts has
 * checked it.
 */
import type { PrismaClient } from "../../../prisma/client/client.ts";
import { spellBasis, type Ban } from "../../wire/ban.ts";
import type { Failure, FailureBatch } from "../../wire/failure.ts";

export async function insertFailures(
  prisma: PrismaClient,
  batches: readonly FailureBatch[],
): Promise<void> {
  const rows = batches.flatMap(({ failures }, index) =>
    failures.map((failure) => ({ failure, batch: index + 1 })),
  );
  if (rows.length === 0) return;
  const column = <T>(value: (failure: Failure) => T) => rows.map(({ failure }) => value(failure));
  await prisma.$executeRaw`
    INSERT INTO failure
      (host, jail, source, epoch, position, address, at, attempts, "user", service, session, form)
    SELECT
      host, jail, source, epoch, position, address, at, attempts, "user", service, session, form
    FROM unnest(
      ${rows.map(({ batch }) => batch)}::int[],
      ${column(({ position }) => position)}::bigint[],
      ${column(({ address }) => address)}::inet[],
      ${column(({ at }) => spell(at))}::timestamptz[],
      ${column(({ attempts }) => attempts)}::int[],
      ${column(({ user }) => user ?? null)}::text[],
      ${column(({ service }) => service ?? null)}::text[],
      ${column(({ session }) => session ?? null)}::text[],
      ${column(({ form }) => form)}::text[]
    ) AS failure (batch, position, address, at, attempts, "user", service, session, form)
    JOIN unnest(
      ${batches.map(({ host }) => host)}::text[],
      ${batches.map(({ jail }) => jail)}::text[],
      ${batches.map(({ source }) => source)}::text[],
      ${batches.map(({ epoch }) => epoch)}::text[]
    ) WITH ORDINALITY AS batch (host, jail, source, epoch, batch) USING (batch)
    ON CONFLICT DO NOTHING`;
}

export interface RecordedBan {
  ban: Ban;
  revision: number;
}

export async function insertBanChanges(
  prisma: PrismaClient,
  changes: readonly RecordedBan[],
): Promise<void> {
  if (changes.length === 0) return;
  const column = <T>(value: (ban: Ban) => T) => changes.map(({ ban }) => value(ban));
  await prisma.$executeRaw`
    INSERT INTO ban_change
      (change, jail, address, state, starts_at, until, changed_at, reason, held, offence, evidence, by,
       immune_until, counted_until, basis, hosts, spared, policy_version, earlier, revision)
    SELECT * FROM unnest(
      ${column((ban) => ban.change)}::uuid[],
      ${column((ban) => ban.jail)}::text[],
      ${column((ban) => ban.address)}::inet[],
      ${column((ban) => ban.state)}::text[],
      ${column((ban) => spell(ban.startsAt))}::timestamptz[],
      ${column((ban) => spell(ban.until))}::timestamptz[],
      ${column((ban) => spell(ban.changedAt))}::timestamptz[],
      ${column((ban) => ban.reason)}::text[],
      ${column((ban) => ban.held ?? null)}::text[],
      ${column((ban) => ban.offence)}::int[],
      ${column((ban) => JSON.stringify(ban.evidence))}::jsonb[],
      ${column((ban) => ban.by)}::text[],
      ${column((ban) => spell(ban.immuneUntil))}::timestamptz[],
      ${column((ban) => spell(ban.countedUntil))}::timestamptz[],
      ${column((ban) => (ban.basis ? JSON.stringify(spellBasis(ban.basis)) : null))}::jsonb[],
      ${column((ban) => (ban.hosts ? JSON.stringify(ban.hosts) : null))}::jsonb[],
      ${column((ban) => (ban.spared ? JSON.stringify(ban.spared) : null))}::jsonb[],
      ${column((ban) => ban.policyVersion ?? null)}::text[],
      ${column((ban) => (ban.earlier ? JSON.stringify(ban.earlier.map(spell)) : null))}::jsonb[],
      ${changes.map(({ revision }) => revision)}::bigint[]
    )
    ON CONFLICT DO NOTHING`;
}

const FIRST_INSTANT = Date.parse("0001-01-01T00:00:00.000Z");

/** PostgreSQL refuses the year 0, which a host may name: it would stop the record for all of them. */
function spell(at: number | null): string | null {
  return at === null ? null : new Date(Math.max(at, FIRST_INSTANT)).toISOString();
}
