import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { createLog } from "../../../../services/process/log.ts";
import { openCertificate } from "../../../../services/web/server/certificate.ts";
import { createOwnAuthority, type OwnAuthority } from "../../../harness/openssl.ts";

const MINUTE_MS = 60_000;
const folder = mkdtempSync(join(tmpdir(), "fleetban-certificate-"));
const files = { cert: join(folder, "web.pem"), key: join(folder, "web.key") };
const log = createLog("test", "silent");
let authority: OwnAuthority;
type Signed = Awaited<ReturnType<OwnAuthority["sign"]>>;
let first: Signed;
let second: Signed;

before(async () => {
  authority = await createOwnAuthority(folder, "office");
  first = await authority.sign("DNS:bans.example.org", 30);
  second = await authority.sign("DNS:bans.example.org", 10);
});
after(() => rmSync(folder, { recursive: true, force: true }));

function putInPlace({ certificate, key }: Signed): void {
  copyFileSync(certificate, files.cert);
  copyFileSync(key, files.key);
}

/** The certificates that a server has been given while it ran. */
function follow(context: TestContext) {
  putInPlace(first);
  context.mock.timers.enable({ apis: ["setInterval"] });
  const certificate = openCertificate({ files, now: Date.now, log });
  context.after(() => certificate.stop());
  const given: unknown[] = [];
  certificate.follow({ setSecureContext: ({ cert }) => void given.push(cert) });
  const tick = () => context.mock.timers.tick(MINUTE_MS);
  return { certificate, given, tick };
}

test("a renewed certificate is read within a minute, and given to the server once", (context) => {
  const { certificate, given, tick } = follow(context);
  tick();
  assert.deepEqual(given, [], "nothing has changed");
  putInPlace(second);
  tick();
  tick();
  assert.deepEqual(given, [readFileSync(second.certificate, "utf8")]);
  assert.equal(certificate.pair().key, readFileSync(second.key, "utf8"));
});

test("a renewal that is half done waits for its second half", (context) => {
  const { certificate, given, tick } = follow(context);
  copyFileSync(second.certificate, files.cert);
  tick();
  assert.deepEqual(given, []);
  assert.deepEqual(
    certificate.warnings().map(({ code }) => code),
    ["web-certificate"],
  );
  copyFileSync(second.key, files.key);
  tick();
  assert.deepEqual(given, [readFileSync(second.certificate, "utf8")]);
  assert.deepEqual(
    certificate.warnings().map(({ code }) => code),
    ["web-certificate-expires"],
  );
});

test("files that are no certificate and key are refused with their names", () => {
  putInPlace(first);
  writeFileSync(files.cert, "nothing\n");
  const open = () => openCertificate({ files, now: Date.now, log });
  assert.throws(
    open,
    /web\.tls: .*web\.pem, .*web\.key: expected a certificate and its key in PEM/,
  );
});
