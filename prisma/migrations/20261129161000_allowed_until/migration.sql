-- A column that is null in every row: no row is read or written.
ALTER TABLE "allowed" ADD COLUMN     "until" TIMESTAMPTZ(3);
