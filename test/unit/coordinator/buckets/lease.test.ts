import { test } from "node:test";
import { createFakeLeaseBucket } from "../../../harness/fake-lease-bucket.ts";
import { contestFor, LEASE_SUITE } from "../../../harness/lease-suite.ts";

for (const [sentence, check] of LEASE_SUITE) {
  test(`fake bucket: ${sentence}`, () => check(contestFor(createFakeLeaseBucket())));
}
