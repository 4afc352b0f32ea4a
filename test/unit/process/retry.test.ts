import assert from "node:assert/strict";
import { test } from "node:test";
import { createComplaint, retry, type Tries } from "../../../services/process/retry.ts";

const PAUSES = { firstMs: 100, longestMs: 300 };

/** The pauses between tries, which take no time here, and what the tries have returned. */
async function pausesOf(
  work: (tries: Tries) => Promise<string>,
): Promise<{ pauses: number[]; result: string | undefined }> {
  const pauses: number[] = [];
  const result = await retry(work, {
    pauses: PAUSES,
    signal: new AbortController().signal,
    onFailed: () => {},
    pause(pauseMs) {
      pauses.push(pauseMs);
      return Promise.resolve();
    },
  });
  return { pauses, result };
}

test("pauses double up to the longest, and the result is what the work returns", async () => {
  const { pauses, result } = await pausesOf(({ failures }) =>
    failures < 4 ? Promise.reject(new Error("away")) : Promise.resolve("done"),
  );
  assert.deepEqual(pauses, [100, 200, 300, 300]);
  assert.equal(result, "done");
});

test("work that has come on begins with the first pause again", async () => {
  let count = 0;
  const { pauses } = await pausesOf(({ progressed }) => {
    count += 1;
    if (count === 3) progressed();
    return count === 5 ? Promise.resolve("done") : Promise.reject(new Error("ended"));
  });
  assert.deepEqual(pauses, [100, 200, 100, 200]);
});

test("the signal ends the tries in the middle of a pause, and nothing is thrown", async () => {
  const ended = new AbortController();
  const tries = retry((): Promise<string> => Promise.reject(new Error("away")), {
    pauses: { firstMs: 3_600_000, longestMs: 3_600_000 },
    signal: ended.signal,
    onFailed() {
      setImmediate(() => {
        ended.abort();
      });
    },
  });
  assert.equal(await tries, undefined);
});

test("each new reason is complained about once, and again after a success", () => {
  const complaints: string[] = [];
  const complaint = createComplaint((reason) => complaints.push(reason));
  for (const reason of ["away", "away", "full", "away"]) complaint.failed(reason);
  complaint.over();
  complaint.failed("away");
  assert.deepEqual(complaints, ["away", "full", "away", "away"]);
});

test("reasons of one kind are one reason, though their texts differ", () => {
  const complaints: string[] = [];
  const complaint = createComplaint((reason) => complaints.push(reason));
  complaint.failed("expired at 10:00, it is 10:01", "untrusted");
  complaint.failed("expired at 10:00, it is 10:02", "untrusted");
  assert.deepEqual(complaints, ["expired at 10:00, it is 10:01"]);
});
