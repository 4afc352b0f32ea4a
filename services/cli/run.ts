/** Runs the command line with the streams, the environment and the user of this process. */
import { homedir } from "node:os";
import { EXIT } from "../process/exit.ts";
import { explainFileError } from "../process/file-error.ts";
import { runProgram } from "../process/program.ts";
import { whoAsks } from "../process/who-asks.ts";
import { packageRootOf } from "./location.ts";
import { loadCommands } from "./commands.ts";
import { fleetbanProgram } from "./program.ts";

export async function run(): Promise<void> {
  // zod, where a command loads it: to compile a schema takes longer than to check the few values of
  // one call without it.
  Object.assign(globalThis, { __zod_globalConfig: { jitless: true } });
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    // "fleetban ban list | head" ends head first: no fault of ours.
    if (error.code === "EPIPE") process.exit(EXIT.ok);
    process.stderr.write(`fleetban: the answer cannot be written: ${explainFileError(error)}\n`);
    process.exit(EXIT.output);
  });
  process.stderr.on("error", () => {}); // nobody reads it; the exit code remains
  const { program, client } = fleetbanProgram(
    {
      io: process,
      environment: process.env,
      surroundings: {
        folder: process.cwd(),
        packageRoot: packageRootOf(import.meta.dirname),
        home: homedir(),
        uid: process.getuid?.(),
      },
      who: whoAsks(),
    },
    await loadCommands(process.argv[2]),
  );
  const code = await runProgram(program, process.argv);
  process.exitCode = code;
  // A server that was connected to and says nothing would keep us here.
  if (code !== EXIT.ok) setTimeout(() => process.exit(), 1_000).unref();
  await client.close();
}
