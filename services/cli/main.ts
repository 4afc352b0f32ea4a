#!/usr/bin/env node
/**
 * The `fleetban` program. It loads only what the command needs, for people and scripts run it
 * often: a version is printed without loading anything else.
 */
import * as nodeModule from "node:module";
import { readVersion } from "../process/version.ts";

// Node 22.8 and later keep what they have compiled.
const enableCompileCache: unknown = Reflect.get(nodeModule, "enableCompileCache");
if (typeof enableCompileCache === "function") Reflect.apply(enableCompileCache, undefined, []);

const [, , first, ...more] = process.argv;
if ((first === "--version" || first === "-V") && more.length === 0) {
  process.stdout.write(`${readVersion()}\n`);
} else {
  // No await at the top: the script of a single executable is CommonJS.
  void import("./run.ts").then(({ run }) => run());
}
