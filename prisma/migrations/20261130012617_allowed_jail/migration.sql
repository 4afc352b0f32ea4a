-- AlterTable
ALTER TABLE "allowed" DROP CONSTRAINT "allowed_pkey",
ADD COLUMN     "jail" TEXT NOT NULL DEFAULT '',
ADD CONSTRAINT "allowed_pkey" PRIMARY KEY ("address", "jail");
