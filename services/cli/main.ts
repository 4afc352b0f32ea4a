#!/usr/bin/env node
import { homedir, hostname, userInfo } from "node:os";
import { EXIT } from "../daemon/exit.ts";
import { runProgram } from "../daemon/program.ts";
import { packageRootOf } from "./location.ts";
import { fleetbanProgram } from "./program.ts";

// "fleetban ban list | head" ends head first: no fault of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? EXIT.ok : EXIT.bug);
});
process.stderr.on("error", () => {}); // nobody reads it; the exit code remains

/** "root@mx1", as one token of a subject; a container's user may have no name. */
function whoAsks(): string {
  const token = (text: string) => text.replace(/[^A-Za-z0-9_-]/g, "-").slice(0, 63);
  const host = token(hostname());
  try {
    return `${token(userInfo().username)}@${host}`;
  } catch {
    return `uid-${process.getuid?.()}@${host}`;
  }
}

const { program, client } = fleetbanProgram({
  io: process,
  environment: process.env,
  surroundings: {
    folder: process.cwd(),
    packageRoot: packageRootOf(import.meta.dirname),
    home: homedir(),
    uid: process.getuid?.(),
  },
  who: whoAsks(),
});
// No await at the top: the script of a single executable is CommonJS.
void runProgram(program, process.argv).then((code) => {
  process.exitCode = code;
  // A server that was connected to and says nothing would keep us here.
  if (code !== EXIT.ok) setTimeout(() => process.exit(), 1_000).unref();
  return client.close();
});
