import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  readAnyElements,
  readElements,
} from "../../../../services/detection/dovecot/login-elements.ts";

const piece = fc.constantFrom(
  ...["user=<", ">", ", ", "method=PLAIN", "rip=192.0.2.7", "rip=9.9.9.9", "lip=192.0.2.25"],
  ...["lip=999.0.2.1", "mpid=7", "TLS", "secured", "session=<ZrmCsAVgAcDAAAI3>", "bob", "=", "<"],
  ...["rip=2001:db8::7", "rip=::ffff:192.0.2.7", "(", "M-c", "\\303", " "],
);
const anything = fc.array(piece, { maxLength: 24 }).map((pieces) => pieces.join(""));
const usual = fc
  .record({ user: fc.oneof(fc.string({ maxLength: 90 }), anything), more: anything })
  .map(
    ({ user, more }) =>
      `user=<${user}>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.25, TLS, session=<AAAA>${more}`,
  );

test("usual elements are read at once as they are read one by one", () => {
  const readsTheSame = (text: string) => {
    assert.deepEqual(readElements(text), readAnyElements(text));
  };
  fc.assert(fc.property(fc.oneof(anything, usual), readsTheSame), { numRuns: 5_000 });
  readsTheSame("user=<bob>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.25, mpid=7, TLS, session=<A>");
  readsTheSame("user=<bob>, method=PLAIN, rip=192.0.2.7, lip=999.0.2.1");
  readsTheSame("user=<>, method=PLAIN, rip=::ffff:192.0.2.7, lip=::1, secured");
});
