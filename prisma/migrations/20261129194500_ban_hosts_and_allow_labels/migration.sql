-- AlterTable
ALTER TABLE "allowed" ADD COLUMN     "jail" TEXT,
ADD COLUMN     "label" TEXT;

-- AlterTable
ALTER TABLE "ban_change" ADD COLUMN     "hosts" JSONB;
