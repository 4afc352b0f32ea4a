-- A column that is null in every row: no row is read or written.
ALTER TABLE "ban_change" ADD COLUMN     "earlier" JSONB;
