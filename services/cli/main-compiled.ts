#!/usr/bin/env node
/** The `fleetban` program as `deploy/build` bundles it: run.ts is one script, compiled beforehand. */
import { join } from "node:path";
import { openCompiled } from "./compiled-script.ts";
import { start } from "./start.ts";

// The bundle is CommonJS, and has a `require` of its own: to load node:module would take 10 ms.
start(() => Promise.resolve(openCompiled(join(import.meta.dirname, "run.cjs"), require)));
