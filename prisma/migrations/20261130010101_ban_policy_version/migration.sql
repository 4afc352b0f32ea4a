-- AlterTable
ALTER TABLE "ban_change" ADD COLUMN     "policy_version" TEXT;
