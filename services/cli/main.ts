#!/usr/bin/env node
/** The `fleetban` program, from its modules: in a checkout, and in the single executable. */
import { start } from "./start.ts";

start(() => import("./run.ts"));
