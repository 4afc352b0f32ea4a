import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { readLine } from "../../../../services/detection/dovecot/read-line.ts";
import { readAnyAuthLine, readAuthLine } from "../../../../services/detection/dovecot/auth-line.ts";
import { readAnyLoginLine } from "../../../../services/detection/dovecot/login-line.ts";
import { readUsualLoginLine } from "../../../../services/detection/dovecot/usual-login-line.ts";
import { openEnvelope } from "../../../../services/detection/lines/envelope.ts";
import { LOCAL_LOG } from "../../../../services/detection/lines/log-facts.ts";
import { zoneOrLocal } from "../../../../services/detection/lines/zone.ts";
import { readLineCorpus, writeReading } from "../../../harness/line-corpus.ts";

const DETECTION = resolve(import.meta.dirname, "../../../../services/detection/dovecot");
const RECEIVED = Date.UTC(2026, 2, 4);

/** Whatever the zone of the machine that runs the tests. */
const LOG = { ...LOCAL_LOG, zone: zoneOrLocal("UTC") };
const read = (line: string) => writeReading(readLine(line, RECEIVED, LOG));

const CORPORA = ["lines.txt", "hostile.txt", "found.txt"];

for (const name of CORPORA) {
  test(`every line of corpus/${name} is read as it must be`, () => {
    for (const { line, expected, number } of readLineCorpus(name)) {
      assert.deepEqual(read(line), expected, `corpus/${name}:${number}: ${line}`);
    }
  });

  test(`no line of corpus/${name} is read otherwise for its end of line`, () => {
    for (const { line, number } of readLineCorpus(name)) {
      assert.deepEqual(read(`${line}\r`), read(line), String(number));
    }
  });

  test(`what is read of corpus/${name} in one step is read in many steps, too`, () => {
    for (const { line, number } of readLineCorpus(name)) {
      const { text } = openEnvelope(line, { receivedAt: RECEIVED, zone: LOG.zone });
      const usual = readUsualLoginLine(text);
      if (usual)
        assert.deepEqual(readAnyLoginLine(text, { program: "dovecot" }), usual, String(number));
      assert.deepEqual(
        readAuthLine(text, { program: undefined }),
        readAnyAuthLine(text),
        String(number),
      );
    }
  });
}

test("every form that the code names stands in the corpus", () => {
  const code = readdirSync(DETECTION)
    .filter((file) => file.endsWith(".ts"))
    .map((file) => readFileSync(join(DETECTION, file), "utf8"))
    .join("");
  const named = new Set(
    [...code.matchAll(/"((?:login|auth|pam)-[a-z0-9.-]+)"/g)].map(([, form]) => form ?? ""),
  );
  named.delete("auth-worker"); // a program
  for (const { expected } of CORPORA.flatMap(readLineCorpus)) {
    named.delete(expected.form ?? "");
  }
  assert.deepEqual([...named], []);
});
