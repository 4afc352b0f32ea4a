/**
 * Compiles the bundled CLI for `deploy/build`: `node compile.js run.cjs`. It asks for the status
 * of a server that is not there, so that V8 has compiled what a command that asks needs.
 */
import { createRequire } from "node:module";
import { compileScript } from "./compiled-script.ts";

const [, , file = ""] = process.argv;
process.argv.splice(2, 1, "status");
await compileScript(file, createRequire(import.meta.url));
process.exitCode = 0; // Nobody answers, as expected.
