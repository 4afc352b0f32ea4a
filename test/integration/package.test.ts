/** The single executables, away from the checkout and from Node, with real servers. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, readFileSync } from "node:fs";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import * as z from "zod";
import { freePort, startChild } from "../../services/standalone/child.ts";
import { ensureDraft, type Artifacts } from "../harness/artifacts.ts";
import { eventually } from "../harness/eventually.ts";
import { startOidcProvider } from "../harness/oidc-provider.ts";
import { startTestNats, startTestPostgres } from "../harness/servers.ts";
import { createWebClient, tokenOf } from "../harness/web-client.ts";

const PROGRAMS = ["fleetban", "fleetban-agent", "fleetban-coordinator"];
let artifacts: Artifacts;
let folder: string;

before(async () => {
  artifacts = ensureDraft();
  folder = await mkdtemp(join(tmpdir(), "fleetban-executables-"));
  for (const name of PROGRAMS) cpSync(join(artifacts.folder, name), join(folder, name));
});
after(() => rm(folder, { recursive: true, force: true }));

/** Nothing of this machine's settings, and no Node in PATH. */
function run(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return execFileSync(join(folder, name), args, {
    cwd: folder,
    encoding: "utf8",
    env: { PATH: "/nonexistent", HOME: folder, ...env },
  });
}

function start(name: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  const given = { PATH: "/usr/bin:/bin", ...env };
  return startChild(join(folder, name), { args, cwd: folder, env: given });
}

test("the checksums are those of the files", () => {
  execFileSync("sha256sum", ["--check", "--strict", "--quiet", "SHA256SUMS"], {
    cwd: artifacts.folder,
  });
});

test("executable and bundle say the version of their Debian package", () => {
  for (const name of PROGRAMS) {
    const debianPackage = artifacts.debianPackage(name);
    const version = execFileSync("dpkg-deb", ["--field", debianPackage, "Version"]).toString();
    assert.equal(run(name, ["--version"]), version);
    const bundle = join(artifacts.folder, `${name}.cjs`);
    assert.equal(execFileSync(process.execPath, [bundle, "--version"]).toString(), version);
  }
});

test("an executable carries a Node of an LTS line, and says so, as does its SBOM", () => {
  for (const name of PROGRAMS) {
    const said = run(name, ["--version", "--verbose"]);
    const [, version = ""] = /^Node\.js (\S+) \(LTS \w+\), in this executable$/m.exec(said) ?? [];
    assert.equal(version, pinnedNode(), said);
    const sbom = readFileSync(join(artifacts.folder, `${name}.cdx.json`), "utf8");
    assert.match(sbom, new RegExp(`"bom-ref": "node@${version.replaceAll(".", "\\.")}"`));
    const [, openssl = ""] = /^OpenSSL (\S+), /m.exec(said) ?? [];
    assert.ok(sbom.includes(`"bom-ref": "node/openssl@${openssl}"`), openssl);
  }
});

/** Of the lockfile that executables are made by. */
function pinnedNode(): string {
  const file = resolve(import.meta.dirname, "../../deploy/node/package-lock.json");
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(file, "utf8"))).version;
}

test("the agent is made of neither Prisma nor a driver of PostgreSQL", () => {
  const schema = z.object({ components: z.array(z.object({ name: z.string() })) });
  const componentsOf = (name: string) =>
    schema
      .parse(JSON.parse(readFileSync(join(artifacts.folder, `${name}.cdx.json`), "utf8")))
      .components.map((each) => each.name);
  const record = /^(?:pg|@prisma\/)/;
  assert.ok(componentsOf("fleetban-coordinator").some((name) => record.test(name)));
  for (const name of ["fleetban-agent", "fleetban"]) {
    const components = componentsOf(name);
    assert.ok(components.includes("zod") && components.includes("openssl"), components.join(" "));
    assert.deepEqual(
      components.filter((each) => record.test(each)),
      [],
    );
  }
});

test("from the executables alone: the database is migrated, failures become a ban, the ban is shown", async () => {
  await using nats = await startTestNats();
  await using postgres = await startTestPostgres();
  const databaseUrl = await postgres.createDatabase();
  const log = join(folder, "mail.log");
  await writeFile(log, "");
  const config = join(folder, "agent.yaml");
  await writeFile(config, `sources: [{ name: mail-log, path: ${log}, startAt: beginning }]\n`);
  const port = await freePort();
  const common = { NATS_URL: nats.url };

  assert.match(
    run("fleetban-coordinator", ["migrate"], { DATABASE_URL: databaseUrl }),
    /^applied \d+_init\n(?:applied .*\n)*database: up to date\n$/,
  );
  const coordinator = await start("fleetban-coordinator", ["run"], {
    ...{ ...common, DATABASE_URL: databaseUrl, FLEETBAN_HTTP_LISTEN: `127.0.0.1:${port}` },
  });
  try {
    const isReady = () => fetch(`http://127.0.0.1:${port}/readyz`).then(({ ok }) => ok);
    await eventually("the coordinator is ready", isReady, 30);
    const agent = await start("fleetban-agent", ["run", "--config", config], {
      ...{ ...common, FLEETBAN_STATE_DIR: join(folder, "state"), FLEETBAN_FIREWALL: "dry-run" },
    });
    try {
      const stamp = new Date().toISOString();
      const lines = [1, 2, 3, 4, 5].map(
        (session) =>
          `${stamp} mx1 dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<a${session}>, method=PLAIN, rip=198.51.100.7, lip=192.0.2.1, session=<abc${session}>\n`,
      );
      await appendFile(log, lines.join(""));
      const banned = () => run("fleetban", ["ban", "show", "198.51.100.7"], common);
      const words = /^198\.51\.100\.7 in dovecot\n.*banned until[^]*dry run on /;
      await eventually(
        "the ban is shown, with what the agent made of it",
        () => words.test(banned()),
        20,
      );
      const answer = z.object({ failures: z.array(z.unknown()) });
      await eventually("the failures are on record", () => {
        const failures = run("fleetban", ["failure", "list", "--json"], common);
        return answer.parse(JSON.parse(failures)).failures.length === 5;
      });
    } finally {
      await agent.stop();
    }
    assert.equal(await agent.ended, 0);
  } finally {
    await coordinator.stop();
  }
});

test("the coordinator's executable carries the web page, and what its logins need", async () => {
  await using nats = await startTestNats();
  await using provider = await startOidcProvider({ id: "fleetban", secret: "" });
  const port = await freePort();
  const site = `http://127.0.0.1:${port}/fleetban`;
  const config = join(folder, "coordinator.yaml");
  const oidc = { issuer: provider.issuer, clientId: "fleetban", roles: { viewer: ["staff"] } };
  const web = { listen: `127.0.0.1:${port}`, url: site, oidc };
  await writeFile(
    config,
    JSON.stringify({ web, database: { url: "postgresql://a@127.0.0.1:1/a" } }),
  );
  const coordinator = await start("fleetban-coordinator", ["run", "--config", config], {
    ...{ NATS_URL: nats.url, FLEETBAN_HTTP_LISTEN: `127.0.0.1:${await freePort()}` },
  });
  try {
    await eventually("the page is there", () => fetch(`${site}/`).then(({ ok }) => ok), 30);
    const index = await (await fetch(`${site}/bans`)).text();
    const names = [...index.matchAll(/(?:src|href)="\/fleetban(\/assets\/[\w.-]+)"/g)];
    assert.deepEqual(
      names.map(([, name = ""]) => /[^.]+$/.exec(name)?.[0]).sort(),
      ["css", "js"],
      index,
    );
    for (const [, name = ""] of names) {
      const plain = await (
        await fetch(site + name, { headers: { "accept-encoding": "identity" } })
      ).text();
      assert.ok(plain.length > 100, name);
      for (const encoding of ["br", "gzip"]) {
        const file = await fetch(site + name, { headers: { "accept-encoding": encoding } });
        assert.equal(file.headers.get("content-encoding"), encoding, name);
        assert.ok(plain === (await file.text()), `${name}: ${encoding} is the same file`);
      }
    }
    const link = run("fleetban", ["web", "login"], { NATS_URL: nats.url });
    const { status } = await createWebClient(site).post("login", { token: tokenOf(link) });
    assert.equal(status, 200);
    const begun = await fetch(`${site}/login/oidc`, { redirect: "manual" });
    assert.equal(begun.status, 303);
    assert.ok(begun.headers.get("location")?.startsWith(`${provider.issuer}/authorize?`));
  } finally {
    await coordinator.stop();
  }
});
