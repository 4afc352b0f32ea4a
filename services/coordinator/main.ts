#!/usr/bin/env node
import { EXIT, type ExitCode } from "../process/exit.ts";
import { runProgram } from "../process/program.ts";
import { lineWriter } from "../process/terminal-lines.ts";
import { coordinatorProgram } from "./coordinator-program.ts";

let ended: ExitCode = EXIT.ok;
const program = coordinatorProgram({
  environment: process.env,
  pid: process.pid,
  write: lineWriter(process.stdout),
  exit: (code) => (ended = code),
});
// No await at the top: the script of a single executable is CommonJS.
void runProgram(program, process.argv).then((code) =>
  process.exit(code === EXIT.ok ? ended : code),
);
