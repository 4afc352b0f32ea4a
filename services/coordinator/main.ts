#!/usr/bin/env node
import { EXIT, type ExitCode } from "../daemon/exit.ts";
import { runProgram } from "../daemon/program.ts";
import { coordinatorProgram } from "./program.ts";

let ended: ExitCode = EXIT.ok;
const program = coordinatorProgram({
  environment: process.env,
  pid: process.pid,
  write: (text) => void process.stdout.write(text),
  exit: (code) => (ended = code),
});
const code = await runProgram(program, process.argv);
process.exit(code === EXIT.ok ? ended : code);
