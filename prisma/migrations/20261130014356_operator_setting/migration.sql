-- CreateTable
CREATE TABLE "operator_setting" (
    "key" TEXT NOT NULL,
    "value" TEXT NOT NULL,

    CONSTRAINT "operator_setting_pkey" PRIMARY KEY ("key")
);
