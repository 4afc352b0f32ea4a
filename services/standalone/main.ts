#!/usr/bin/env node
import { dirname, resolve } from "node:path";
import { runDaemon } from "../process/daemon.ts";
import { openHome } from "./home.ts";
import { startStandalone } from "./standalone.ts";

const programs = dirname(import.meta.dirname);
const home = resolve(process.env["FLEETBAN_HOME"] ?? ".fleetban");
const say = (line: string) => void process.stdout.write(`${line}\n`);

process.exitCode = await runDaemon("fleetban", async (life) => {
  const opened = await openHome(home);
  life.onRelease(() => opened.close());
  const isRoot = process.getuid?.() === 0;
  const environment = process.env;
  const link = await startStandalone({ home: opened, programs, environment, isRoot, say }, life);
  say("");
  say("fleetban is running. Its web page, for this machine alone, until Ctrl-C:");
  say(`  ${link}`);
  say("In another terminal, in this folder:");
  say("  npx fleetban status");
  say("  npx fleetban ban add 198.51.100.7 --wait");
  say("Ctrl-C ends it; bans that are in force stay until their time is over.");
  life.onRelease(() => {
    say(`stopping; data stays in ${home}`);
    return Promise.resolve();
  });
});
