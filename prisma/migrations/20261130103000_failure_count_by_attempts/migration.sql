-- The numbers of a name on all days, and the names with the most attempts of a day, are found without
-- reading all names.
ALTER TABLE "failure_count" DROP CONSTRAINT "failure_count_pkey";
ALTER TABLE "failure_count"
    ADD CONSTRAINT "failure_count_pkey" PRIMARY KEY ("kind","name","day","recorded_on");
CREATE INDEX "failure_count_kind_attempts_idx" ON "failure_count"("kind", "attempts");
