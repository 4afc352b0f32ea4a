import assert from "node:assert/strict";
import { test } from "node:test";
import { createInOrder } from "../../../../../services/agent/enforce/firewall/in-order.ts";

test("brief work runs beside long work that has stepped aside, and never beside any other", async () => {
  const inOrder = createInOrder();
  const events: string[] = [];
  const brief = (name: string) =>
    inOrder.brief(async () => {
      events.push(`${name} begins`);
      await new Promise(setImmediate);
      events.push(`${name} ends`);
    });
  let endPart: () => void = () => {};
  const part = new Promise<void>((resolve) => (endPart = resolve));
  const long = inOrder(async (aside) => {
    events.push("long begins");
    await new Promise(setImmediate);
    await aside(() => part);
    events.push("long goes on");
    await new Promise(setImmediate);
    events.push("long ends");
  });
  await Promise.all([brief("a"), brief("b")]);
  const lateBrief = brief("c");
  endPart();
  const other = inOrder(() => Promise.resolve(events.push("other")));
  await Promise.all([long, lateBrief, other, brief("d")]);
  assert.deepEqual(events, [
    ...["long begins", "a begins", "a ends", "b begins", "b ends"],
    ...["c begins", "c ends", "long goes on", "long ends", "other", "d begins", "d ends"],
  ]);
});

test("work whose own part fails keeps nothing waiting", async () => {
  const inOrder = createInOrder();
  const failing = inOrder((aside) => aside(() => Promise.reject(new Error("no"))));
  const brief = inOrder.brief(() => Promise.resolve("done"));
  await assert.rejects(failing, /no/);
  assert.equal(await brief, "done");
  assert.equal(await inOrder(() => Promise.resolve("too")), "too");
});
