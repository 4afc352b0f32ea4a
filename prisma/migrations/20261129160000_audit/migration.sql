-- CreateTable
CREATE TABLE "audit" (
    "at" TIMESTAMPTZ(3) NOT NULL,
    "key" TEXT NOT NULL,
    "by" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "detail" TEXT NOT NULL,

    CONSTRAINT "audit_pkey" PRIMARY KEY ("key","at")
);

-- CreateIndex
CREATE INDEX "audit_at_idx" ON "audit"("at");
