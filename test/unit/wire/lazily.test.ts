import assert from "node:assert/strict";
import { test } from "node:test";
import { lazily } from "../../../services/wire/lazily.ts";

test("each value is made once, when it is asked for, and all of them are named", () => {
  const made: string[] = [];
  const make = (name: string) => () => {
    made.push(name);
    return { name };
  };
  const values = lazily({ ban: make("ban"), host: make("host") });
  assert.deepEqual([Object.keys(values), made], [["ban", "host"], []]);
  assert.equal(values.host, values.host);
  assert.deepEqual([values.host, made], [{ name: "host" }, ["host"]]);
});
