import assert from "node:assert/strict";
import { test } from "node:test";
import { watchExpiry } from "../../../services/nats/credential-expiry.ts";

const START = Date.UTC(2026, 10, 24);
const DAY = 86_400_000;

/** What runs out when, in days from now. */
function setUp(days: { credentials?: number; certificate?: number; renewed?: number }) {
  const until = (left: number | undefined) => (left === undefined ? undefined : START + left * DAY);
  const server = { until: until(days.certificate) };
  const expiry = watchExpiry({
    credentials: () => ({ name: "mx1", until: until(days.credentials) }),
    certificateUntil: () => server.until,
    lookAgain() {
      if (days.renewed !== undefined) server.until = until(days.renewed);
      return Promise.resolve();
    },
    now: () => START,
  });
  return {
    expiry,
    codes: () => expiry.warnings().map(({ code, severity }) => [code, severity]),
  };
}

test("what is valid for three weeks is nothing to speak of", () => {
  assert.deepEqual(setUp({ credentials: 21, certificate: 21 }).codes(), []);
  assert.deepEqual(setUp({}).codes(), []);
});

test("it warns two weeks before credentials and the server's certificate run out, more in the end", () => {
  assert.deepEqual(setUp({ credentials: 13, certificate: 2 }).codes(), [
    ["credentials-expire", "medium"],
    ["server-certificate-expires", "high"],
  ]);
});

test("it names the credentials and the day", () => {
  const { expiry } = setUp({ credentials: 13 });
  assert.match(expiry.warnings()[0]!.text, /credentials of mx1 expire on 2026-12-07T00:00:00/);
});

test("a server's certificate that was renewed while we are connected is looked at again", async () => {
  const { expiry, codes } = setUp({ certificate: 5, renewed: 300 });
  await new Promise(setImmediate);
  expiry.stop();
  assert.deepEqual(codes(), []);
});
