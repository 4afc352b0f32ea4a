/** The command line of fleetban. */
import type { Readable, Writable } from "node:stream";
import type { Command } from "commander";
import type { Environment } from "../process/environment.ts";
import { createProgram, HELP } from "../process/program.ts";
import { credentialsOf } from "../nats/connect.ts";
import { createClient, type Client } from "./client.ts";
import type { CommandContext, MakeCommand } from "./commands.ts";
import { locateNats, settingOrigins, type Surroundings } from "./location.ts";
import { createOutput } from "./output.ts";

export interface Io {
  stdin: Readable & { isTTY?: boolean };
  stdout: Writable & { isTTY?: boolean; columns?: number };
  stderr: Writable & { isTTY?: boolean };
}

export interface ProgramOptions {
  io: Io;
  environment: Environment;
  surroundings: Omit<Surroundings, "environment" | "note">;
  /** The name of the user if no credentials name one: "root@mx1". */
  who: string;
}

/** `commands` are those that it has; see commands.ts. */
export function fleetbanProgram(
  options: ProgramOptions,
  commands: readonly MakeCommand[],
): { program: Command; client: Client } {
  const { io, environment, who } = options;
  // `io` may be `process`: naming all of its properties makes Node build each of them.
  const { stdout, stderr } = io;
  const output = createOutput({ stdout, stderr, environment });
  const program = createProgram("fleetban", "Asks and commands a fleet of mail hosts.")
    .option("--nats <url>", "where the fleet's NATS server is")
    .configureHelp({ ...HELP, showGlobalOptions: true })
    .addHelpText("after", MORE);

  const surroundings = { ...options.surroundings, environment, note: output.note };
  const natsFlag = () => program.opts<{ nats?: string }>().nats;
  const client = createClient(who, () => locateNats(natsFlag(), surroundings));
  /** For commands that must not take the address of another fleet from a client.yaml. */
  const natsUrl = () => natsFlag() ?? (environment["NATS_URL"] || undefined);
  const context: CommandContext = {
    ask: client.ask,
    output,
    now: Date.now,
    // Node opens the stream when it is named for the first time, and few commands read it.
    get stdin() {
      return io.stdin;
    },
    natsUrl,
    credentials: async () => credentialsOf((await locateNats(natsFlag(), surroundings)).nats),
    settingOrigins: () => settingOrigins(natsFlag(), surroundings),
  };
  for (const make of commands) program.addCommand(make(context));
  inheritSettings(program, io);
  return { program, client };
}

/** Commands that were made elsewhere do not take over their parent's settings by themselves. */
function inheritSettings(command: Command, io: Io): void {
  command.configureOutput({
    writeOut: (text) => void io.stdout.write(text),
    writeErr: (text) => void io.stderr.write(text),
  });
  for (const child of command.commands) {
    child.copyInheritedSettings(command).helpCommand(false);
    inheritSettings(child, io);
  }
}

const MORE = `
Examples:
  fleetban status                             is everything well?
  fleetban ban list                           who is banned?
  fleetban ban show 198.51.100.7              why, since when, where in force?
  fleetban ban why 198.51.100.7               what has decided that?
  fleetban ban add 198.51.100.7 --wait        ban, and wait for every host
  fleetban ban remove 198.51.100.7            unban
  fleetban jail list                          by which rules?
  fleetban failure list --since 1h --json     for a script
  fleetban explain /var/log/mail.log          what would be counted in this log?
  fleetban simulate /var/log/mail.log*        who would have been banned in it?
  fleetban import fail2ban /etc/fail2ban      my jails there, for fleetban
  fleetban key agent mx1                      credentials for a mail host

Where the server is: --nats, else NATS_URL (with FLEETBAN_NATS_CREDS, or
FLEETBAN_NATS_USER and FLEETBAN_NATS_PASSWORD, and FLEETBAN_NATS_CA for the
authority of its certificate), else the first client.yaml of FLEETBAN_HOME,
.fleetban in this folder or one above it (npm start writes it),
~/.config/fleetban, /etc/fleetban; else nats://127.0.0.1:4222.

--json prints the coordinator's reply: one object, lists in it under their name
("bans", "hosts", "allowed", "failures"), instants in ISO 8601, "stale" why the
answer may be old or null, "next" not null if there is more than --limit.

Exit codes: 0 done; 1 no such thing, or it may not be done; 64 wrong usage;
66 a file cannot be read; 69 NATS or the coordinator does not answer, or --wait
was in vain; 74 the answer cannot be written; 77 NATS refuses the login, or its
certificate is not to be trusted; 78 client.yaml, or a file that it names, is
wrong.
`;
