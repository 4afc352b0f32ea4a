-- AlterTable
ALTER TABLE "allowed" ADD COLUMN     "label" TEXT;

-- AlterTable
ALTER TABLE "ban_change" ADD COLUMN     "held" TEXT,
ADD COLUMN     "hosts" JSONB;
