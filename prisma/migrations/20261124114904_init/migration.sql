-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateTable
CREATE TABLE "failure" (
    "id" BIGSERIAL NOT NULL,
    "host" TEXT NOT NULL,
    "jail" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "epoch" TEXT NOT NULL,
    "position" BIGINT NOT NULL,
    "address" INET NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "attempts" INTEGER NOT NULL,
    "user" TEXT,
    "service" TEXT,
    "session" TEXT,
    "form" TEXT NOT NULL,
    "recorded_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "failure_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "ban_change" (
    "change" UUID NOT NULL,
    "jail" TEXT NOT NULL,
    "address" INET NOT NULL,
    "state" TEXT NOT NULL,
    "starts_at" TIMESTAMPTZ(3) NOT NULL,
    "until" TIMESTAMPTZ(3),
    "changed_at" TIMESTAMPTZ(3) NOT NULL,
    "reason" TEXT NOT NULL,
    "offence" INTEGER NOT NULL,
    "evidence" JSONB NOT NULL,
    "by" TEXT NOT NULL,
    "immune_until" TIMESTAMPTZ(3),
    "spent_until" TIMESTAMPTZ(3),
    "revision" BIGINT NOT NULL,

    CONSTRAINT "ban_change_pkey" PRIMARY KEY ("change")
);

-- CreateTable
CREATE TABLE "host" (
    "host" TEXT NOT NULL,
    "first_seen_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_seen_at" TIMESTAMPTZ(3) NOT NULL,
    "version" TEXT NOT NULL,
    "firewall" TEXT NOT NULL,

    CONSTRAINT "host_pkey" PRIMARY KEY ("host")
);

-- CreateTable
CREATE TABLE "allowed" (
    "address" INET NOT NULL,
    "comment" TEXT NOT NULL,
    "added_at" TIMESTAMPTZ(3) NOT NULL,
    "by" TEXT NOT NULL,

    CONSTRAINT "allowed_pkey" PRIMARY KEY ("address")
);

-- CreateIndex
CREATE INDEX "failure_address_at_idx" ON "failure"("address", "at");

-- CreateIndex
CREATE INDEX "failure_at_idx" ON "failure"("at");

-- CreateIndex
CREATE INDEX "failure_user_at_idx" ON "failure"("user", "at");

-- CreateIndex
CREATE UNIQUE INDEX "failure_host_source_epoch_position_key" ON "failure"("host", "source", "epoch", "position");

-- CreateIndex
CREATE INDEX "ban_change_jail_address_changed_at_revision_idx" ON "ban_change"("jail", "address", "changed_at" DESC, "revision" DESC);

-- CreateIndex
CREATE INDEX "ban_change_address_changed_at_idx" ON "ban_change"("address", "changed_at");

-- CreateIndex
CREATE INDEX "ban_change_changed_at_idx" ON "ban_change"("changed_at");
