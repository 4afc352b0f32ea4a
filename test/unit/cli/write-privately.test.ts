/** Files that commands write for their caller alone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { writePrivately } from "../../../services/cli/write-privately.ts";

test("a file in a folder that does not exist is refused with the folder's name", async () => {
  await assert.rejects(writePrivately("support dump", "/nonexistent/x/dump.json", ""), {
    name: "PlainError",
    message:
      'support dump: "/nonexistent/x/dump.json": cannot be written: ' +
      'there is no folder "/nonexistent/x": make it first',
  });
});
