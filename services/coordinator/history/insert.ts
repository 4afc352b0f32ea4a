/** The hot path of recording: one statement for many rows, whatever their number. */
import { Prisma, type PrismaClient } from "../../../prisma/client/client.ts";
import { spellBasis, type Ban } from "../../wire/ban.ts";
import type { Failure, FailureBatch } from "../../wire/failure.ts";
import { BAN_COLUMNS, REPLACED_COLUMNS } from "./ban-columns.ts";
import type { WhereaboutsBook } from "./whereabouts.ts";

/** Columns of the table of failures that a failure fills. */
export const FAILURE_COLUMNS = Prisma.raw(
  'host, jail, address, at, attempts, "user", service, session, form, asn, country',
);

/**
 * Rows of these columns, and of source, epoch and position. PostgreSQL can store every text, because
 * wire/codec.ts has checked it.
 */
export function failureRows(
  batches: readonly FailureBatch[],
  whereabouts: Pick<WhereaboutsBook, "of">,
): Prisma.Sql {
  const rows = batches.flatMap(({ failures }, index) =>
    failures.map((failure) => ({ failure, batch: index + 1 })),
  );
  const column = <T>(value: (failure: Failure) => T) => rows.map(({ failure }) => value(failure));
  const places = column(({ address }) => whereabouts.of(address));
  return Prisma.sql`
    SELECT source, epoch, position, ${FAILURE_COLUMNS}
    FROM unnest(
      ${rows.map(({ batch }) => batch)}::int[],
      ${column(({ position }) => position)}::bigint[],
      ${column(({ address }) => address)}::inet[],
      ${column(({ at }) => spell(at))}::timestamptz[],
      ${column(({ attempts }) => attempts)}::int[],
      ${column(({ user }) => user ?? null)}::text[],
      ${column(({ service }) => service ?? null)}::text[],
      ${column(({ session }) => session ?? null)}::text[],
      ${column(({ form }) => form)}::text[],
      ${places.map(({ asn }) => asn ?? null)}::bigint[],
      ${places.map(({ country }) => country ?? null)}::text[]
    ) AS failure
      (batch, position, address, at, attempts, "user", service, session, form, asn, country)
    JOIN unnest(
      ${batches.map(({ host }) => host)}::text[],
      ${batches.map(({ jail }) => jail)}::text[],
      ${batches.map(({ source }) => source)}::text[],
      ${batches.map(({ epoch }) => epoch)}::text[]
    ) WITH ORDINALITY AS batch (host, jail, source, epoch, batch) USING (batch)`;
}

export interface RecordedBan {
  ban: Ban;
  revision: number;
}

/**
 * Changes that exist stay as they are, so they may be recorded twice. The last change of each ban
 * goes into the table of bans, too.
 */
export async function insertBanChanges(
  prisma: PrismaClient,
  changes: readonly RecordedBan[],
): Promise<void> {
  if (changes.length === 0) return;
  const column = <T>(value: (ban: Ban) => T) => changes.map(({ ban }) => value(ban));
  await prisma.$executeRaw`
    WITH added AS (
      INSERT INTO ban_change (${BAN_COLUMNS})
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
      ON CONFLICT DO NOTHING
      RETURNING ${BAN_COLUMNS}
    )
    INSERT INTO ban AS last (${BAN_COLUMNS})
    SELECT DISTINCT ON (jail, address) ${BAN_COLUMNS} FROM added
    ORDER BY jail, address, changed_at DESC, revision DESC
    ON CONFLICT (jail, address) DO UPDATE SET ${REPLACED_COLUMNS}
    WHERE (excluded.changed_at, excluded.revision) > (last.changed_at, last.revision)`;
}

const FIRST_INSTANT = Date.parse("0001-01-01T00:00:00.000Z");

/** PostgreSQL refuses the year 0, which a host may name: it would stop the record for all of them. */
function spell(at: number | null): string | null {
  return at === null ? null : new Date(Math.max(at, FIRST_INSTANT)).toISOString();
}
