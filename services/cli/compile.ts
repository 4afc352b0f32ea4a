/**
 * Compiles the bundled CLI for `deploy/build`: `node compile.js run.cjs OTHER...`. It asks for the
 * status of a server that is not there, so that V8 has compiled what a command that asks needs.
 */
import { createRequire } from "node:module";
import { compileScripts } from "./compiled-script.ts";

const [, , ...files] = process.argv;
process.argv.splice(2, Infinity, "status");
await compileScripts(files, createRequire(import.meta.url));
process.exitCode = 0; // Nobody answers, as expected.
