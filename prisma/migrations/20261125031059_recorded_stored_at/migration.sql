-- AlterTable
ALTER TABLE "recorded" ADD COLUMN     "stored_at" TIMESTAMPTZ(3);
