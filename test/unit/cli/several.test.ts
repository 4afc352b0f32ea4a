import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { readAddresses } from "../../../services/cli/several.ts";
import { parseNetwork, type Address } from "../../../services/wire/address.ts";

const check = (text: string): Address => parseNetwork(text) ?? assert.fail(text);
const read = (lines: string) =>
  readAddresses(
    { stdin: Readable.from([Buffer.from(lines)]), now: Date.now },
    "ban add",
    ["-"],
    check,
  );

test("stdin gives each address once, without its comments", async () => {
  const found = await read("198.51.100.7 # spam\n\n# none\n198.51.100.7\n2001:db8::/64\n");
  assert.deepEqual(found, ["198.51.100.7", "2001:db8::/64"]);
});

test("a fault of stdin is named with its line, and with a cure that the command has", async () => {
  await assert.rejects(read("198.51.100.7\nfoo\n"), {
    exitCode: 64,
    message:
      'ban add: stdin: 1 entry cannot be used, and nothing was changed; correct them\n  line 2: "foo": expected an IPv4 or IPv6 address or network such as 198.51.100.0/24',
  });
});
