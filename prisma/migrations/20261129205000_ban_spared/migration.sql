-- AlterTable
ALTER TABLE "ban_change" ADD COLUMN     "spared" JSONB;
