#!/usr/bin/env node
import { EXIT, type ExitCode } from "../process/exit.ts";
import { runProgram } from "../process/program.ts";
import { lineWriter } from "../process/terminal-lines.ts";
import { agentProgram } from "./agent-program.ts";

// Debian keeps the firewall's tools where an ordinary user's PATH does not look.
process.env["PATH"] = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;

let ended: ExitCode = EXIT.ok;
const program = agentProgram({
  environment: process.env,
  write: lineWriter(process.stdout),
  exit: (code) => (ended = code),
});
// No await at the top: the script of a single executable is CommonJS.
void runProgram(program, process.argv).then((code) =>
  process.exit(code === EXIT.ok ? ended : code),
);
