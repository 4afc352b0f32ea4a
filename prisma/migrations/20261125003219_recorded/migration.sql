-- CreateTable
CREATE TABLE "recorded" (
    "stream" TEXT NOT NULL,
    "created" TEXT NOT NULL,
    "sequence" BIGINT NOT NULL,

    CONSTRAINT "recorded_pkey" PRIMARY KEY ("stream")
);
