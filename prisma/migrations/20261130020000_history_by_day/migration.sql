-- Failures and changes of bans move into partitions by day. The rows that exist stay where they
-- are: their tables become the partitions of everything up to today, so no row is copied. All of it
-- is one transaction, and failures that arrive meanwhile wait in NATS.

-- What an earlier coordinator is writing at this moment is to be seen below.
LOCK TABLE "failure", "ban_change" IN ACCESS EXCLUSIVE MODE;

-- Up to where failures of a source are recorded. This table replaces the unique index on the
-- failures, which could not hold over partitions.
CREATE TABLE "reported" (
    "host" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "epoch" TEXT NOT NULL,
    "position" BIGINT NOT NULL,
    "recorded_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "reported_pkey" PRIMARY KEY ("host","source","epoch")
);
INSERT INTO "reported"
SELECT "host", "source", "epoch", max("position"), max("recorded_at")
FROM "failure" GROUP BY "host", "source", "epoch";

-- Failures.
ALTER TABLE "failure" RENAME TO "failure_before";
ALTER INDEX "failure_address_at_idx" RENAME TO "failure_before_address_at_idx";
ALTER INDEX "failure_at_idx" RENAME TO "failure_before_at_idx";
ALTER INDEX "failure_user_at_idx" RENAME TO "failure_before_user_at_idx";
ALTER TABLE "failure_before"
    DROP CONSTRAINT "failure_pkey",
    DROP COLUMN "source",
    DROP COLUMN "epoch",
    DROP COLUMN "position",
    ADD COLUMN "asn" BIGINT,
    ADD COLUMN "country" TEXT;
CREATE TABLE "failure" (LIKE "failure_before" INCLUDING DEFAULTS) PARTITION BY RANGE ("recorded_at");
ALTER SEQUENCE "failure_id_seq" OWNED BY "failure"."id";
CREATE INDEX "failure_at_idx" ON "failure"("at");
CREATE INDEX "failure_address_at_idx" ON "failure"("address", "at");
CREATE INDEX "failure_user_at_idx" ON "failure"("user", "at");
CREATE INDEX "failure_host_at_idx" ON "failure"("host", "at");
CREATE INDEX "failure_domain_at_idx" ON "failure"(
    (CASE WHEN "user" LIKE '%@%' THEN lower(split_part("user", '@', -1)) END), "at"
);
-- This partition takes a row for which there is no day, for example after PostgreSQL's clock was wrong.
CREATE TABLE "failure_default" PARTITION OF "failure" DEFAULT;

-- Failed attempts of each day that is over, by address, network, user and so on.
CREATE TABLE "failure_count" (
    "recorded_on" DATE NOT NULL,
    "kind" TEXT COLLATE "C" NOT NULL,
    "day" DATE NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "attempts" BIGINT NOT NULL,

    CONSTRAINT "failure_count_pkey" PRIMARY KEY ("recorded_on","kind","day","name")
) PARTITION BY RANGE ("recorded_on");

-- Names of autonomous systems.
CREATE TABLE "autonomous_system" (
    "asn" BIGINT NOT NULL,
    "name" TEXT NOT NULL,

    CONSTRAINT "autonomous_system_pkey" PRIMARY KEY ("asn")
);

-- Changes of bans.
ALTER TABLE "ban_change" RENAME TO "ban_change_before";
DROP INDEX "ban_change_jail_address_changed_at_revision_idx";
DROP INDEX "ban_change_changed_at_idx";
ALTER INDEX "ban_change_address_changed_at_idx" RENAME TO "ban_change_before_address_changed_at_idx";
ALTER TABLE "ban_change_before" DROP CONSTRAINT "ban_change_pkey";
-- A coordinator of an earlier version, which does not know the table of bans, now waits and records nothing.
ALTER TABLE "ban_change_before" RENAME COLUMN "change" TO "id";
CREATE TABLE "ban_change" (
    LIKE "ban_change_before",
    CONSTRAINT "ban_change_pkey" PRIMARY KEY ("changed_at","id")
) PARTITION BY RANGE ("changed_at");
CREATE INDEX "ban_change_address_changed_at_idx" ON "ban_change"("address", "changed_at");
CREATE INDEX "ban_change_by_people_idx" ON "ban_change"("changed_at") WHERE "by" <> 'decider';
CREATE TABLE "ban_change_default" PARTITION OF "ban_change" DEFAULT;

-- The last word on every ban.
CREATE TABLE "ban" (
    LIKE "ban_change_before",
    CONSTRAINT "ban_pkey" PRIMARY KEY ("jail","address")
);
INSERT INTO "ban"
SELECT DISTINCT ON ("jail", "address") * FROM "ban_change_before"
ORDER BY "jail", "address", "changed_at" DESC, "revision" DESC;
CREATE INDEX "ban_address_idx" ON "ban"("address");
CREATE INDEX "ban_changed_at_id_idx" ON "ban"("changed_at", "id");

-- Where there are rows, their table becomes a partition: up to the end of today, by UTC.
DO $$
DECLARE
    today DATE := (now() AT TIME ZONE 'UTC')::DATE;
    last DATE;
BEGIN
    SELECT (max("recorded_at") AT TIME ZONE 'UTC')::DATE INTO last FROM "failure_before";
    IF last IS NULL THEN
        DROP TABLE "failure_before";
    ELSE
        EXECUTE format(
            'ALTER TABLE "failure" ATTACH PARTITION "failure_before" FOR VALUES FROM (MINVALUE) TO (%L)',
            greatest(today, last) + 1 || ' 00:00+00'
        );
    END IF;

    IF NOT EXISTS (SELECT FROM "ban_change_before") THEN
        DROP TABLE "ban_change_before";
    ELSE
        -- Changes of a coordinator whose clock was wrong.
        EXECUTE format(
            'WITH late AS (DELETE FROM "ban_change_before" WHERE "changed_at" >= %L RETURNING *)
             INSERT INTO "ban_change" SELECT * FROM late',
            today + 1 || ' 00:00+00'
        );
        EXECUTE format(
            'ALTER TABLE "ban_change" ATTACH PARTITION "ban_change_before" FOR VALUES FROM (MINVALUE) TO (%L)',
            today + 1 || ' 00:00+00'
        );
    END IF;
END $$;

-- Keyset pages of the audit.
DROP INDEX "audit_at_idx";
CREATE INDEX "audit_at_key_idx" ON "audit"("at", "key");
