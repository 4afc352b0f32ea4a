-- A rename alone: no row is read or written.
ALTER TABLE "ban_change" RENAME COLUMN "spent_until" TO "counted_until";
