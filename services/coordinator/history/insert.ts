/**
 * The hot path of recording: one statement a batch, whatever its size.
 * What is there already is left as it is, so a batch may be recorded twice.
 */
import type { PrismaClient } from "../../../prisma/client/client.ts";
import type { Ban } from "../../wire/ban.ts";
import type { FailureBatch } from "../../wire/failure.ts";

export async function insertFailures(
  prisma: PrismaClient,
  batches: readonly FailureBatch[],
): Promise<void> {
  const rows = batches.flatMap((batch) => batch.failures.map((failure) => ({ batch, failure })));
  if (rows.length === 0) return;
  const column = <T>(value: (row: (typeof rows)[number]) => T) => rows.map(value);
  await prisma.$executeRaw`
    INSERT INTO failure
      (host, jail, source, epoch, position, address, at, attempts, "user", service, session, form)
    SELECT * FROM unnest(
      ${column(({ batch }) => batch.host)}::text[],
      ${column(({ batch }) => batch.jail)}::text[],
      ${column(({ batch }) => batch.source)}::text[],
      ${column(({ batch }) => batch.epoch)}::text[],
      ${column(({ failure }) => failure.position)}::bigint[],
      ${column(({ failure }) => failure.address)}::inet[],
      ${column(({ failure }) => new Date(failure.at).toISOString())}::timestamptz[],
      ${column(({ failure }) => failure.attempts)}::int[],
      ${column(({ failure }) => storable(failure.user))}::text[],
      ${column(({ failure }) => storable(failure.service))}::text[],
      ${column(({ failure }) => storable(failure.session))}::text[],
      ${column(({ failure }) => storable(failure.form))}::text[]
    )
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
      (change, jail, address, state, starts_at, until, changed_at, reason, offence, evidence, by,
       immune_until, spent_until, revision)
    SELECT * FROM unnest(
      ${column((ban) => ban.change)}::uuid[],
      ${column((ban) => ban.jail)}::text[],
      ${column((ban) => ban.address)}::inet[],
      ${column((ban) => ban.state)}::text[],
      ${column((ban) => spell(ban.startsAt))}::timestamptz[],
      ${column((ban) => spell(ban.until))}::timestamptz[],
      ${column((ban) => spell(ban.changedAt))}::timestamptz[],
      ${column((ban) => storable(ban.reason))}::text[],
      ${column((ban) => ban.offence)}::int[],
      ${column((ban) => storable(JSON.stringify(ban.evidence)))}::jsonb[],
      ${column((ban) => storable(ban.by))}::text[],
      ${column((ban) => spell(ban.immuneUntil))}::timestamptz[],
      ${column((ban) => spell(ban.spentUntil))}::timestamptz[],
      ${changes.map(({ revision }) => revision)}::bigint[]
    )
    ON CONFLICT DO NOTHING`;
}

function spell(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}

/** PostgreSQL stores any Unicode text but U+0000, and no halves of characters. */
function storable(text: string | undefined): string | null {
  return text?.replaceAll("\0", "\ufffd").toWellFormed() ?? null;
}
