import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { api } from "../../../services/wire/api.ts";
import { ban } from "../../../services/wire/ban.ts";
import { instant } from "../../../services/wire/codec.ts";
import { INSTANT_FIELDS, readInstants, spellInstants } from "../../../services/wire/instants.ts";
import { instantField } from "../../../services/wire/request-fields.ts";

interface Leaf {
  /** "reply of status.show: jails.0.later.at". */
  path: string;
  name: string;
  schema: z.core.$ZodType;
}

const isObject = (
  schema: z.core.$ZodType,
): schema is z.ZodObject<Record<string, z.core.$ZodType>> => schema instanceof z.ZodObject;

/** Everything in a schema that is neither an object nor a list. */
function leavesOf(schema: z.core.$ZodType, path: string, name = ""): Leaf[] {
  if (isObject(schema)) {
    const fields = Object.entries(schema.shape);
    return fields.flatMap(([field, inner]) => leavesOf(inner, `${path}.${field}`, field));
  }
  if (schema instanceof z.ZodArray) return leavesOf(schema.element, path, name);
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) {
    return leavesOf(schema.unwrap(), path, name);
  }
  if (schema instanceof z.ZodUnion) {
    return schema.options.flatMap((option) => leavesOf(option, path, name));
  }
  if (schema instanceof z.ZodRecord) return leavesOf(schema.valueType, path);
  return [{ path, name, schema }];
}

const LEAVES = Object.entries(api).flatMap(([endpoint, { request, reply }]) => [
  ...leavesOf(request, `request of ${endpoint}`),
  ...leavesOf(reply, `reply of ${endpoint}`),
]);

test("the fields of requests and replies that are instants, and no others, have the names of instants", () => {
  const instants = LEAVES.filter(({ schema }) => schema === instant || schema === instantField);
  const others = LEAVES.filter(({ schema }) => schema !== instant && schema !== instantField);
  const named = ({ name }: Leaf) => INSTANT_FIELDS.has(name);
  assert.deepEqual(
    instants.filter((leaf) => !named(leaf)).map(({ path }) => path),
    [],
  );
  assert.deepEqual(
    others.filter(named).map(({ path }) => path),
    [],
  );
  const used = new Set(instants.map(({ name }) => name));
  assert.deepEqual(
    [...INSTANT_FIELDS].filter((name) => !used.has(name)),
    [],
  );
});

test("nothing but instants is spelled differently on the wire and in code", () => {
  const spelled = LEAVES.filter(
    ({ schema }) => schema instanceof z.ZodPipe && schema !== instant && schema !== instantField,
  );
  // Of a backup; its bans have the names of the fields of bans.
  assert.deepEqual(
    spelled.map(({ path }) => path),
    ["request of ban.restore.bans"],
  );
  for (const { path, name, schema } of leavesOf(ban, "ban")) {
    assert.equal(INSTANT_FIELDS.has(name), schema === instant, path);
  }
});

test("instants are translated at every depth and in lists, and a text that looks like one is not", () => {
  const text = "2026-11-24T12:14:03.042Z";
  const at = Date.parse(text);
  const read = { at, user: text, until: null, bans: [{ earlier: [at, at], basis: { until: at } }] };
  const spelled = {
    ...{ at: text, user: text, until: null },
    bans: [{ earlier: [text, text], basis: { until: text } }],
  };
  assert.deepEqual(spellInstants(read), spelled);
  assert.deepEqual(readInstants(spelled), read);
});
